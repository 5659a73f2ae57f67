"""A run that is cancelled or killed has never happened, or is done by running it again."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import count
from multiprocessing.synchronize import Event
from pathlib import Path

import dagster as dg
import pyarrow.compute
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.report import Report
from netflix_dagster.engine import sessions
from netflix_dagster.lake import store
from netflix_dagster_tests.defs.house import PARTITIONS, House, materialized
from netflix_dagster_tests.lakehouse import title

LATER = "2020-03-01"
RELEASE = (title(1), title(2, rating="R"), title(5), title(8, release_year="soon"), title(9))


@pytest.fixture(scope="module")
def undisturbed(original: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house with one more release, built without disturbance."""
    made = original.copy(tmp_path_factory.mktemp("undisturbed"))
    made.release(LATER, *RELEASE)
    assert made.run(LATER).success
    return made


def state(house: House) -> dict[str, list[str]]:
    """The tables, what lies in the quarantine, what the life of the deliveries says and what is left to do."""
    refused = sorted(repr(row) for row in house.rows("quality.quarantine"))
    life = house.life
    said = [(place, found.status, found.newest.why, found.newest.stands) for place, found in life.deliveries.items()]
    due = [(place, sorted(life.due(*place))) for place in life.dates]
    return {**house.contents(), "quarantine": refused, "life": sorted(map(repr, said)), "due": sorted(map(repr, due))}


def cancel(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run, and interrupt it when one of the lists of silver is built: gold is as it was."""
    build, before = Session.build, house.contents("gold")

    def interrupted(session: Session, table: str) -> Report:
        report = build(session, table)
        if table == "silver.title_cast":
            raise DagsterExecutionInterruptedError
        return report

    with monkeypatch.context() as patch:
        patch.setattr(Session, "build", interrupted)
        result = house.run(LATER)
    assert not result.success
    (run,) = house.instance.get_runs(limit=1)
    assert run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    done = {name for name, _ in materialized(result)}
    assert "silver.titles" in done
    assert not done & {"silver.title_cast", "gold.dim_title", "gold.kpi_catalogue"}
    assert house.contents("gold") == before


def build_in_child(root: Path, running: Event) -> None:
    """Build the delivery in a process of its own; the exit code says whether it came to the end."""
    house = House(root)
    house.instance.add_dynamic_partitions(PARTITIONS, [LATER])
    sessions.session(house.settings)
    running.set()
    os._exit(0 if house.run(LATER).success else 1)


def commits(house: House) -> int:
    return sum(1 for _ in house.tables.glob("*/*/_delta_log/*.json"))


def signal_after(house: House, commit: int, seconds: float, how: signal.Signals) -> int | None:
    """Start to build and send a signal some time after the given number of Delta commits; return the exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["netflix_dagster_tests.defs.house", "pyspark.sql.connect.session", "pysail.spark"])
    running = context.Event()
    child = context.Process(target=build_in_child, args=(house.root, running), daemon=True)
    before = commits(house)
    child.start()
    assert running.wait(60)
    while child.is_alive() and commits(house) - before < commit:
        time.sleep(0.002)
    time.sleep(seconds)
    os.kill(child.pid or 0, how)
    child.join(60)
    return child.exitcode


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.soak)])
def test_a_run_that_is_cancelled_and_killed_leaves_readable_tables_and_running_again_ends_in_the_same_ones(
    built: House, undisturbed: House, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    built.release(LATER, *RELEASE)
    before, after = built.contents("gold"), undisturbed.contents("gold")
    chain = commits(undisturbed) - commits(built)
    cancel(built, monkeypatch)
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    for kill in range(kills):
        commit = 1 + (kill * 7 + moments.randrange(7)) % (chain - 3)
        code = signal_after(built, commit, moments.uniform(0, 0.08), signal.SIGKILL)
        assert code == -signal.SIGKILL, f"seed {seed}, kill {kill}"
        for name, rows in built.contents("gold").items():
            assert rows in (before[name], after[name]), f"{name} is neither old nor new: seed {seed}, kill {kill}"
    assert built.run(LATER).success
    assert state(built) == state(undisturbed), f"seed {seed}"


def test_an_interrupt_fails_the_run_that_builds_a_table(built: House) -> None:
    built.release(LATER, *RELEASE)
    assert signal_after(built, 3, 0.1, signal.SIGINT) not in (0, None)


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT is heard, also where the tests run in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_an_interrupt_while_delta_rs_calls_back_into_python_is_not_lost(
    built: House, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    cast, calls = pyarrow.compute.cast, count(1)

    def interrupted(*args: object, **named: object) -> object:
        if next(calls) == moment:
            signal.raise_signal(signal.SIGINT)
        return cast(*args, **named)

    monkeypatch.setattr(pyarrow.compute, "cast", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.read_arrow(built.tables, "silver.titles")
    assert next(calls) > moment
