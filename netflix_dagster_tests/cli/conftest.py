"""One lake for all, built once by the command itself; tests that change something take a copy."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from netflix_dagster.cli import run
from netflix_dagster_tests.cli.shell import Said, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """An empty folder."""
    return Shell(tmp_path)


@pytest.fixture
def unserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process leave what consumers open as it is: for tests that are about something else."""
    monkeypatch.setattr(run, "serve", lambda _instance, settings: run.nothing_served(settings))


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


CHART = "week\tcategory\tweekly_rank\tshow_title\n2025-12-28\tTV (English)\t1\tShow\n"
"""A good chart of one place."""
CHART_DAY = "2026-01-06"


@pytest.fixture(scope="session")
def charted(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """One chart delivery, built: the smallest lake. Only to be read, or copied."""
    shell = Shell(tmp_path_factory.mktemp("charted"))
    shell.land("top10_global", CHART_DAY, CHART, "chart.tsv")
    assert shell.here("run", "--json").code == 0
    return shell


@pytest.fixture
def chart_lake(charted: Shell, tmp_path: Path) -> Shell:
    """A copy of the smallest lake, to be changed."""
    return charted.copy(tmp_path)


@pytest.fixture
def lake(built: Shell, tmp_path: Path) -> Shell:
    """A copy of the sample lake, to be changed."""
    return built.copy(tmp_path)
