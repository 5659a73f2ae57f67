"""Runs that are killed, stopped, or started twice: the tables end as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from netflix_dagster.cli.alone import LOCK, started_by
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import touched_tables
from netflix_dagster.deliveries import results
from netflix_dagster.lake import lock
from netflix_dagster_tests.cli.conftest import CHART, CHART_DAY
from netflix_dagster_tests.cli.shell import Said, Shell
from netflix_dagster_tests.lakehouse import as_csv, title

SOURCE, DAY = "netflix_catalogue", "2024-03-15"
DEADLY = """
import os, signal, sys
from importlib import import_module
from netflix_dagster.cli import app
(module, path), left = sys.argv.pop(1).split(":"), int(sys.argv.pop(1))
owner, (*parents, name) = import_module(module), path.split(".")
for parent in parents:
    owner = getattr(owner, parent)
work = getattr(owner, name)
def deadly(*arguments, **named):
    global left
    done = work(*arguments, **named)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done
setattr(owner, name, deadly)
app()
"""
"""The command, which kills itself when a piece of its work is done so many times."""
PHASES = {
    "the door has read the file, and nobody knows": ("netflix_dagster.build.door:Door.receive", 1),
    "the gates have judged, aside": ("netflix_dagster.build.gates:Trial.run", 1),
    "some tables of deliveries are written": ("netflix_dagster.build.table:publish", 1),
    "some of gold is written": ("netflix_dagster.build.table:build_whole", 4),
    "all is written, and what stands is not told": ("netflix_dagster.build.runner:Session._verdict", 1),
    "all is told, but not to Dagster": ("netflix_dagster.build.runner:Session._end", 1),
}
"""What has just been done when the process is killed, in the order in which a run does it."""


def _small(cwd: Path) -> Shell:
    """One delivery of a few places, with a copy and a value that cannot be: the feed with the fewest tables."""
    shell = Shell(cwd)
    place = CHART.splitlines()[1]
    more = [place.replace("\t1\t", "\t2\t"), place.replace("\t1\t", "\tthird\t"), place]
    shell.land("top10_global", CHART_DAY, CHART + "".join(f"{line}\n" for line in more), "chart.tsv")
    return shell


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tables of that delivery, built without disturbance."""
    shell = _small(tmp_path_factory.mktemp("undisturbed"))
    assert shell.here("run").code == 0
    return shell.contents()


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shell, list[Said]]:
    """A lake of one release, and what the two runs said that built it at the same time."""
    shell = Shell(tmp_path_factory.mktemp("twice"))
    shell.land(SOURCE, DAY, as_csv([*map(title, range(6)), title(5), title(7, release_year="soon")]))
    runs = [shell.start("run", "--json") for _ in range(2)]
    said = [run.communicate(timeout=300) for run in runs]
    return shell, [Said(run.returncode, *texts) for run, texts in zip(runs, said, strict=True)]


def test_two_runs_at_the_same_time_share_the_work(twice: tuple[Shell, list[Said]]) -> None:
    shell, said = twice
    assert [(one.code, one.quiet) for one in said] == [(0, True)] * 2, [one.err for one in said]
    assert sorted(len(one.json["runs"]) for one in said) == [0, 1], "the second found nothing left to do"
    assert sum("waiting for another build of this lake: netflix-dagster run" in one.err for one in said) == 1
    first, second = (one.json["tables"] for one in said)
    assert first == second
    versions = shell.versions()
    assert set(touched_tables("catalogue", [SOURCE])) < set(versions)
    once = dict.fromkeys((name for name in versions if name in TABLES), 0)
    assert {name: versions[name] for name in once} == once, "made and written in one commit"


def test_a_disturbed_run_is_taken_up_where_it_was(undisturbed: dict[str, list[str]], tmp_path: Path) -> None:
    """Killed while Dagster's home is made, stopped by hand, killed in every phase: all on one lake."""
    expected, shell = dict(undisturbed), _small(tmp_path)
    _kill_while_home_is_made(shell)

    for phase, (where, times) in PHASES.items():
        killed = subprocess.run(
            [sys.executable, "-c", DEADLY, where, str(times), "run"],
            cwd=shell.cwd,
            env=shell.environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert killed.returncode == -signal.SIGKILL, (phase, killed.stderr)
        assert len(_under_way(shell)) == 1, phase
        told = shell.here("deliveries", "list", "--json").json["deliveries"]
        assert [row["status"] for row in told] == ([] if where.endswith("receive") else [_TOLD.get(where, "accepted")])
        if where.endswith("receive"):
            _stop(shell, after_lines=5)
            assert _under_way(shell) == []

    after = shell("run", "--json")
    assert after.code == 0 and after.quiet and "lost its process" in after.err, after.err
    assert after.json["runs"] == [], "all was told before the last kill"
    assert _under_way(shell) == []
    found = shell.contents()
    assert set(found.pop(results.NAME)) >= set(expected.pop(results.NAME)), "every build has left its results"
    assert [name for name in expected if found.get(name) != expected[name]] == []
    assert set(found) == set(expected)

    versions = shell.versions()
    last = shell("run", "--json")
    assert (last.code, last.json["runs"], "lost" in last.err) == (0, [], False)
    assert shell.versions() == versions


_TOLD = {"netflix_dagster.build.runner:Session._end": "standing"}
"""What a delivery is after some phases; after the others it waits for its tables."""


def test_home_closes_lost_runs_before_dagster_waits_for_them(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.here("home").code == 0
    home, tags = shell.lake / ".dagster", started_by(shell.lake)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        lost = create_run_for_test(instance, "lost", status=dg.DagsterRunStatus.STARTED, tags=tags)
        other = create_run_for_test(instance, "other", status=dg.DagsterRunStatus.STARTED)
        elsewhere = create_run_for_test(
            instance, "elsewhere", status=dg.DagsterRunStatus.STARTED, tags=started_by(shell.cwd / "other lake")
        )
        with lock.alone(shell.lake, LOCK, "a run"):
            assert shell.here("home").err == "", "somebody is at work"
            assert _status(instance, lost.run_id) == "STARTED"
        said = shell.here("home")
        assert (said.code, said.out) == (0, f"{home}\n") and f"run {lost.run_id[:8]} lost its process" in said.err
        assert _status(instance, lost.run_id) == "FAILURE"
        assert _status(instance, other.run_id) == "STARTED", "it may be the daemon's"
        assert _status(instance, elsewhere.run_id) == "STARTED", "it may be at work on another lake of this home"


def _status(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    return run.status.value if run else "gone"


def _kill_while_home_is_made(shell: Shell) -> None:
    run = shell.start("run")
    while run.poll() is None and not any((shell.lake / ".dagster").glob(".new-*/*")):
        time.sleep(0.001)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL


def _stop(shell: Shell, after_lines: int) -> None:
    """Start a run, and stop it and its helpers, as Ctrl-C does, when it has said so many lines."""
    started = time.monotonic()
    run = shell.start("run")
    assert run.stderr is not None
    said = [line for _, line in zip(range(after_lines), run.stderr, strict=False)]
    os.killpg(run.pid, signal.SIGINT)
    _, rest = run.communicate(timeout=120)
    err = "".join(said) + rest
    assert run.returncode == 130 and "Traceback" not in err, err
    assert "stopped; what is built stays, and the same command goes on from there" in err
    assert time.monotonic() - started < 100, "nothing may wait for an engine that has heard the signal as well"


def _under_way(shell: Shell) -> list[str]:
    """The Dagster runs that have not ended, as far as Dagster knows."""
    with dg.DagsterInstance.from_config(str(shell.lake / ".dagster")) as instance:
        return [run.run_id for run in instance.get_runs() if not run.is_finished]


@pytest.mark.soak
def test_runs_killed_at_moments_that_nobody_has_chosen(undisturbed: dict[str, list[str]], tmp_path: Path) -> None:
    """With all their helpers, as by a machine that loses power; each between the start and the usual end of a run."""
    expected, shell, chance = dict(undisturbed), _small(tmp_path), random.Random(4)
    longest = 6.0
    for _ in range(12):
        started, run = time.monotonic(), shell.start("run")
        try:
            run.communicate(timeout=chance.uniform(0.5, longest))
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            longest = min(longest * 1.3, 60.0)
        else:
            longest = time.monotonic() - started
    after = shell("run", "--json")
    assert after.code == 0 and after.quiet, after.err
    found = shell.contents()
    assert set(found.pop(results.NAME)) >= set(expected.pop(results.NAME))
    assert found == expected and _under_way(shell) == []
