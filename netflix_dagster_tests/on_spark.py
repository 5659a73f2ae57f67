"""``make spark`` and ``make parity``: tests that need Apache Spark, if it can run here; else what lacks is said.

What stands on the command line is for pytest. In CI it must run.
"""

from __future__ import annotations

import os
import sys

from netflix_dagster.engine import jars
from netflix_dagster.settings import get_settings


def main(arguments: list[str]) -> None:
    """Fetch the jars if they are not there, and become pytest."""
    try:
        jars.java()
    except jars.JarsError as lacking:
        if os.environ.get("CI"):
            sys.exit(f"In CI the tests on Apache Spark must run. {lacking}.")
        sys.stdout.write(f"The tests on Apache Spark were skipped. {lacking}.\n")
        return
    folder = get_settings().spark_jars
    try:
        jars.found(folder)
    except jars.JarsError:
        sys.stdout.write(f"Fetching the jars of Apache Spark into {folder} (once) ...\n")
        jars.fetch(folder)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
