"""The sample lake, built once for all tests of the command and of what is served."""

from __future__ import annotations

from netflix_dagster_tests.cli.conftest import built, first_run, lake

__all__ = ["built", "first_run", "lake"]
