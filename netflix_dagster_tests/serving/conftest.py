"""The sample lake with an hour of viewing events, built once for all tests of what is served: every table has rows."""

from __future__ import annotations

import pytest

from netflix_dagster_tests.cli.conftest import first_run, lake
from netflix_dagster_tests.cli.shell import Said, Shell

__all__ = ["built", "first_run", "lake"]


@pytest.fixture(scope="session")
def built(first_run: tuple[Shell, Said], tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Only to be read."""
    shell, said = first_run
    assert said.code == 0, said.err
    with_events = shell.copy(tmp_path_factory.mktemp("viewing"))
    assert with_events("sample", "data/landing", "--events", "1", "--files", "3").code == 0
    assert with_events("run").code == 0
    return with_events
