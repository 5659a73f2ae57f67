"""Runs that are killed, stopped, or started twice: the tables end as if nothing had happened."""

from __future__ import annotations

import fcntl
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from netflix_dagster.build.pending_work import touched_tables
from netflix_dagster.cli.alone import STARTED_BY
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import results
from netflix_dagster.lake import store
from netflix_dagster_tests.cli.shell import Said, Shell

DAYS = ("2024-03-15", "2024-09-20")


def _two_deliveries(built: Shell, cwd: Path) -> Shell:
    shell = Shell(cwd)
    for day in DAYS:
        folder = shell.landing / "netflix_catalogue" / day
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(built.landing / "netflix_catalogue" / day)
    return shell


@pytest.fixture(scope="module")
def twice(built: Shell, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, list[Said]]:
    """A lake of two deliveries, and what the two runs said that built it at the same time."""
    shell = _two_deliveries(built, tmp_path_factory.mktemp("twice"))
    runs = [shell.start("run", "--json") for _ in range(2)]
    said = [run.communicate(timeout=300) for run in runs]
    return shell, [Said(run.returncode, *texts) for run, texts in zip(runs, said, strict=True)]


def test_two_runs_at_the_same_time_share_the_work(twice: tuple[Shell, list[Said]], built: Shell) -> None:
    shell, said = twice
    assert [(one.code, one.quiet) for one in said] == [(0, True)] * 2, [one.err for one in said]
    assert sorted(len(one.json["runs"]) for one in said) == [0, 1], "the second found nothing left to do"
    assert sum("waiting for another run" in one.err for one in said) == 1
    assert said[0].json["tables"] == said[1].json["tables"]
    versions = shell.versions()
    tables = touched_tables("catalogue", ["netflix_catalogue"])
    assert versions.pop(results.NAME) >= len(tables) - 1, "the results of the rules once a table; files are joined"
    once = {name: int(name in TABLES and store.row_count(shell.lake, name) > 0) for name in versions}
    assert versions == once, "every table was written once; those of the contract are made first, without rows"

    found, whole = shell.contents(), built.contents()
    for table in ("bronze.netflix_catalogue", "silver.titles", "silver.title_cast", "silver.title_genres"):
        assert found[table] == [row for row in whole[table] if any(f'"delivery_date": "{day}"' in row for day in DAYS)]


def test_a_disturbed_run_is_taken_up_where_it_was(
    twice: tuple[Shell, list[Said]], built: Shell, tmp_path: Path
) -> None:
    """Killed while Dagster's home is made, stopped by hand, killed at work: all on one lake."""
    undisturbed, shell = twice[0].contents(), _two_deliveries(built, tmp_path)
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    _kill_while_home_is_made(shell, rng.uniform(0, 0.5))

    started = time.monotonic()
    code, err = _disturb(shell, 5, 0, lambda run: run.send_signal(signal.SIGINT))
    assert code == 130 and "Traceback" not in err, err
    assert "stopped; what is built stays, and the same command goes on from there" in err
    assert time.monotonic() - started < 100, "nothing may wait for an engine that has heard the signal as well"
    assert _under_way(shell) == "[]"

    line = rng.randint(5, 16)
    code, _ = _disturb(shell, line, rng.uniform(0, 0.5), subprocess.Popen.kill)
    told = f"seed {seed}, killed after line {line}"
    assert code == -signal.SIGKILL, told

    after = shell("run", "--json")
    assert after.code == 0 and after.quiet, (told, after.err)
    assert "lost its process" in after.err, told
    found = shell.contents()
    assert set(found.pop(results.NAME)) >= set(undisturbed.pop(results.NAME)), "every build has left its results"
    assert [name for name in undisturbed if found.get(name) != undisturbed[name]] == [], told
    assert set(found) == set(undisturbed), told

    versions = shell.versions()
    last = shell("run", "--json")
    assert (last.code, last.json["runs"], "lost" in last.err) == (0, [], False), told
    assert shell.versions() == versions, told
    assert _under_way(shell) == "[]", told


def test_home_closes_lost_runs_before_dagster_waits_for_them(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("home").code == 0
    home = shell.lake / ".dagster"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        lost = create_run_for_test(instance, "lost", status=dg.DagsterRunStatus.STARTED, tags=STARTED_BY)
        other = create_run_for_test(instance, "other", status=dg.DagsterRunStatus.STARTED)
        with (home / "run.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert shell("home").err == "", "somebody is at work"
            assert _status(instance, lost.run_id) == "STARTED"
        said = shell("home")
        assert (said.code, said.out) == (0, f"{home}\n") and f"run {lost.run_id[:8]} lost its process" in said.err
        assert _status(instance, lost.run_id) == "FAILURE"
        assert _status(instance, other.run_id) == "STARTED", "it may be the daemon's"


def _status(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    return run.status.value if run else "gone"


def _kill_while_home_is_made(shell: Shell, seconds: float) -> None:
    run = shell.start("run")
    while run.poll() is None and not any((shell.lake / ".dagster").glob(".new-*/*")):
        time.sleep(0.001)
    time.sleep(seconds)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL


def _disturb(
    shell: Shell, lines: int, seconds: float, what: Callable[[subprocess.Popen[str]], None]
) -> tuple[int, str]:
    """Start a run, do something to it a moment after it said so many lines, and wait for its end."""
    run = shell.start("run")
    assert run.stderr is not None
    said = [line for _, line in zip(range(lines), run.stderr, strict=False)]
    time.sleep(seconds)
    what(run)
    _, rest = run.communicate(timeout=120)
    return run.returncode, "".join(said) + rest


def _under_way(shell: Shell) -> str:
    """The Dagster runs that have not ended, as far as Dagster knows."""
    look = """
from dagster import DagsterInstance
with DagsterInstance.get() as instance:
    print([run.run_id for run in instance.get_runs() if not run.is_finished])
"""
    home = str(shell.lake / ".dagster")
    answer = subprocess.run(
        [sys.executable, "-c", look],
        env=shell.environment(DAGSTER_HOME=home),
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()
