"""The wheel for clusters asks for the versions that the tests ran with: those of ``uv.lock``.

python -m infra.pins        write them into infra/databricks/wheel/pyproject.toml, after the lock file has changed
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHEEL = ROOT / "infra" / "databricks" / "wheel" / "pyproject.toml"
RUNTIMES = {
    "databricks-17.3-lts": ("pyarrow==19.0.1", "pandas==2.2.3", "numpy<2.2", "pyspark-client==4.0.1"),
    # it comes with pyarrow 15, which the wheel replaces by the oldest that goes
    "databricks-serverless-3": ("pyarrow==16.1.0", "pandas==2.2.3", "numpy<2", "pyspark-client==4.0.1"),
}
"""The versions of the runtimes that docs/databricks.md names, for `make runtimes`. Connect 16.4 is to be had for Python
3.12 only; the client of Spark 4.0, and the pandas that it asks for, take its place."""
SPARK = ("pyspark[connect]==4.0.1", "delta-spark==4.4.0", "pyarrow==19.0.1", "pandas==2.2.3", "numpy<2.2")
"""Spark itself as Databricks Runtime 17.3 LTS has it, with Delta as Apache Spark has it."""
_DEPENDENCY = re.compile(r'^  "([\w-]+)[=<>~!][^"]*",$', re.MULTILINE)


def pinned(text: str, lock: str) -> str:
    """The wheel's ``pyproject.toml`` with the versions of a lock file. Raises ``KeyError`` for a name it has not."""
    locked = {package["name"]: package["version"] for package in tomllib.loads(lock)["package"] if "version" in package}
    return _DEPENDENCY.sub(lambda found: f'  "{found[1]}=={locked[found[1]]}",', text)


if __name__ == "__main__":
    WHEEL.write_text(pinned(WHEEL.read_text(), (ROOT / "uv.lock").read_text()))
