"""One lake for all, built once by the command itself; tests that change something take a copy."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from netflix_dagster_tests.cli.shell import Said, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, Said]:
    """The sample deliveries, and what the first run said. All workers share it: who comes first builds it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, said = base / "sample", base / "sample.json"
    with (base / "sample.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            assert Shell(folder)("sample", "data/landing").code == 0
            said.write_text(json.dumps(asdict(Shell(folder)("run", "--json"))))
    return Shell(folder), Said(**json.loads(said.read_text()))


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
