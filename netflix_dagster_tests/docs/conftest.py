"""The sample lake, built once for all tests of the command, of what is served and of the documents."""

from __future__ import annotations

from netflix_dagster_tests.cli.conftest import built, first_run, lake, shell

__all__ = ["built", "first_run", "lake", "shell"]
