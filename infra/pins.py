"""The wheel for clusters asks for the versions that the tests ran with: those of ``uv.lock``.

python -m infra.pins        write them into infra/databricks/wheel/pyproject.toml, after the lock file has changed
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHEEL = ROOT / "infra" / "databricks" / "wheel" / "pyproject.toml"
_DEPENDENCY = re.compile(r'^  "([\w-]+)[=<>~!][^"]*",$', re.MULTILINE)


def pinned(text: str, lock: str) -> str:
    """The wheel's ``pyproject.toml`` with the versions of a lock file. Raises ``KeyError`` for a name it has not."""
    locked = {package["name"]: package["version"] for package in tomllib.loads(lock)["package"] if "version" in package}
    return _DEPENDENCY.sub(lambda found: f'  "{found[1]}=={locked[found[1]]}",', text)


if __name__ == "__main__":
    WHEEL.write_text(pinned(WHEEL.read_text(), (ROOT / "uv.lock").read_text()))
