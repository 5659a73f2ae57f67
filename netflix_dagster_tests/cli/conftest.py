"""One lake for all, built once by the command itself; tests that change something take a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from netflix_dagster_tests.cli.shell import Said, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, Said]:
    """The sample deliveries, and what the first run said."""
    shell = Shell(tmp_path_factory.mktemp("sample"))
    assert shell("sample", "data/landing").code == 0
    return shell, shell("run", "--json")


@pytest.fixture(scope="session")
def built(first_run: tuple[Shell, Said]) -> Shell:
    """The sample lake. Only to be read."""
    shell, said = first_run
    assert said.code == 0, said.err
    return shell


@pytest.fixture
def lake(built: Shell, tmp_path: Path) -> Shell:
    """A copy of the sample lake, to be changed."""
    return built.copy(tmp_path)
