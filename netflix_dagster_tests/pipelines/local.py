"""The pipeline as its users have it: a process of its own, in a folder of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from netflix_dagster.pipelines.__main__ import FOLDER
from netflix_dagster_tests.cli.shell import DIFFERS, Shell

LONGEST = 1800
"""Seconds after which a run has hung."""
_SHORT = """spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
"""
"""Settings for a process that does not live long enough for its compilers to pay."""


def run_pipeline(shell: Shell, *arguments: str) -> str:
    """Run the pipeline on the deliveries of the folder to its end, and return what it said."""
    properties = shell.cwd / "spark.conf"
    properties.write_text(_SHORT)
    spark = {name: os.environ[name] for name in ("NETFLIX_SPARK_JARS",) if name in os.environ}
    spark["NETFLIX_SPARK_CONF"] = str(properties)
    running = subprocess.Popen(
        [sys.executable, "-m", "netflix_dagster.pipelines", "run", *arguments],
        cwd=shell.cwd,
        env=shell.environment(**spark),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        said, _ = running.communicate(timeout=LONGEST)
    finally:
        with suppress(ProcessLookupError):  # the server that it started as well, if that has not ended
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert running.returncode == 0, said[-8000:]
    return said


def as_text(rows: list[dict[str, Any]]) -> list[str]:
    """Rows to compare. Fractions are rounded: in which order an engine adds them up is open."""
    said = ({name: _rounded(value) for name, value in row.items() if name not in DIFFERS} for row in rows)
    return sorted(json.dumps(row, default=str, sort_keys=True) for row in said)


def _rounded(value: Any) -> Any:
    return float(f"{value:.12g}") if isinstance(value, float) else value


def table(shell: Shell, name: str) -> list[dict[str, Any]]:
    """The rows of a table of the pipeline."""
    from deltalake import DeltaTable

    schema, _, short = name.partition(".")
    found = DeltaTable(str(shell.cwd / FOLDER / "warehouse" / f"{schema}.db" / short))
    rows: list[dict[str, Any]] = found.to_pyarrow_dataset().to_table().to_pylist()
    return rows
