"""The storage account is busy, slow, cut off or gone in the middle of a run: nothing is lost, nothing is there twice.

Every client is the real one, and so is the storage (Azurite); what goes wrong goes wrong on the way between them.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

import pytest

from netflix_dagster.azure import outage
from netflix_dagster.contracts.bookkeeping import DELIVERIES, RESULTS
from netflix_dagster.lake import store
from netflix_dagster_tests.defs.house import failures
from netflix_dagster_tests.emulators.azurite import Azurite
from netflix_dagster_tests.emulators.faulty import Door, Kind
from netflix_dagster_tests.faults.house import DAY, RELEASE, TABLES, CloudHouse, state
from netflix_dagster_tests.lakehouse import title

COMMIT = r"PUT /\w+/(.+)/_delta_log/\d+\.json"
NEXT = "2020-04-01"
REAL_PAUSES = outage.PAUSES
KINDS: tuple[Kind, ...] = ("busy", "throttled", "dropped", "unanswered", "cut")
PASSING: list[Kind] = ["busy", "throttled", "slow", "dropped", "unanswered"]


def build(house: CloudHouse, day: str = DAY) -> list[str]:
    """Run the chain and say what failed."""
    return failures(house.run(day, only=TABLES))


def builds(house: CloudHouse) -> list[int]:
    """How often each delivery was built."""
    return [date.builds for date in house.life.dates.values()]


def recorded_twice(house: CloudHouse) -> list[tuple[object, ...]]:
    """Rows of the book-keeping that were written more than once."""
    found: Counter[tuple[object, ...]] = Counter()
    for contract in (DELIVERIES, RESULTS):
        rows = store.read_arrow(house.tables, contract.name)
        assert rows is not None
        found.update(tuple(row[name] for name in contract.key) for row in rows.to_pylist())
    return [row for row, times in found.items() if times > 1]


@pytest.mark.parametrize("alone", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_short_storms_at_every_stage_are_not_noticed(
    alone: bool, house: CloudHouse, door: Door, undisturbed: dict[str, list[str]]
) -> None:
    """Storms of every kind, each time in other places of a run; or each kind everywhere."""
    stages = range(5, 900, 128)
    turn = random.randrange(len(PASSING))
    rounds = [[kind] for kind in PASSING] if alone else [PASSING[turn:] + PASSING[:turn]]
    for kinds in rounds:
        one = CloudHouse(house.root)
        one.release(DAY, *RELEASE)
        storms = [door.fault(kind, skip=skip, times=3) for kind, skip in zip(cycle(kinds), stages, strict=False)]
        assert build(one) == [], storms
        assert [len(storm.met) for storm in storms] == [3] * len(storms), storms
        assert state(one) == undisturbed, storms
        assert builds(one) == [1], storms
        door.mend()
        one.instance.dispose()


def test_answers_that_break_off_are_asked_for_again(
    house: CloudHouse, door: Door, undisturbed: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No client asks again for the rest of a listing: the gates are asked again as one, as often as that needs."""
    monkeypatch.setattr(outage, "PAUSES", (0.1,) * len(REAL_PAUSES))
    cut = [door.fault("cut", "GET .*comp=list", skip=skip, times=1) for skip in (2, 60, 130)]
    assert build(house) == []
    assert [len(fault.met) for fault in cut] == [1, 1, 1]
    assert state(house) == undisturbed


def test_commits_of_which_nobody_hears_whether_they_were_made_happen_once(
    house: CloudHouse, door: Door, undisturbed: dict[str, list[str]]
) -> None:
    for attempt in (1, 2):  # the first makes the tables, the second replaces what is in them
        lost = door.fault("unanswered", COMMIT, each=True)
        assert build(house) == []
        assert len(lost.met) > len(TABLES)
        door.mend()
        assert state(house) == undisturbed
        assert builds(house) == [attempt]
        assert recorded_twice(house) == []


@pytest.mark.parametrize(
    ("kind", "skip"),
    [
        ("busy", 1200),
        pytest.param("busy", 0, marks=pytest.mark.soak),
        pytest.param("throttled", 300, marks=pytest.mark.soak),
        pytest.param("dropped", 700, marks=pytest.mark.soak),
    ],
)
def test_a_storm_that_does_not_end_is_told_and_harms_nothing(
    kind: Kind, skip: int, house: CloudHouse, door: Door, undisturbed: dict[str, list[str]]
) -> None:
    assert build(house) == []
    before = house.contents("gold")
    house.release(NEXT, *RELEASE, title(11))
    door.fault(kind, skip=skip)
    (said,) = build(house, NEXT)
    assert "the storage account has been busy or out of reach for" in said
    assert f" of {NEXT}: " in said
    assert "No table was harmed" in said
    assert "run it again: `netflix-dagster run`" in said
    door.mend()
    assert house.contents("gold") == before
    assert build(house, NEXT) == []
    assert len(house.rows("silver.titles")) == 9
    assert build(house) == []
    assert {row["delivery_date"].isoformat() for row in house.rows("silver.titles")} == {DAY, NEXT}


@contextmanager
def stopped_after(account: Azurite, door: Door, requests: int, seconds: float | None) -> Iterator[None]:
    """The storage ends after some requests, and is there again some seconds later, or with the end of the block."""
    done = threading.Event()

    def stop() -> None:
        while len(door.seen) < requests and not done.wait(0.002):
            pass
        if not done.is_set():
            account.stop()
            if seconds is not None:
                time.sleep(seconds)
                account.start()

    door.take()
    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if account.process is None:
            account.start()


def test_a_storage_that_is_restarted_in_the_middle_of_a_run_is_waited_for(
    account: Azurite,
    house: CloudHouse,
    door: Door,
    undisturbed: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage, "PAUSES", (2, 5, 10, 20))
    with stopped_after(account, door, random.randrange(100, 1200), 8):
        assert build(house) == []
    assert state(house) == undisturbed


def test_a_storage_that_ends_in_the_middle_of_a_run_fails_it_and_the_next_run_goes_on(
    account: Azurite, house: CloudHouse, door: Door, undisturbed: dict[str, list[str]]
) -> None:
    requests = random.randrange(100, 1200)
    with stopped_after(account, door, requests, None):
        (said, *_) = build(house)
    assert "out of reach" in said, requests
    assert build(house) == [], requests
    assert state(house) == undisturbed, requests


@pytest.mark.parametrize("faults", [3, pytest.param(80, marks=pytest.mark.soak)])
def test_whatever_goes_wrong_whenever_the_next_run_ends_in_the_same_tables(
    faults: int, door: Door, house: CloudHouse, undisturbed: dict[str, list[str]]
) -> None:
    door.take()
    assert build(house) == []
    requests = len(door.take())
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    for _ in range(faults):
        one = CloudHouse(house.root)
        one.release(DAY, *RELEASE)
        kind: Kind = rng.choice(KINDS)
        fault = door.fault(kind, skip=rng.randrange(requests), times=rng.choice((1, 30)))
        said, told = build(one), f"seed {seed}: {fault}"
        door.mend()
        assert said == [] or "out of reach" in said[0], told
        if said:
            assert build(one) == [], told
        assert state(one) == undisturbed, told
        one.instance.dispose()
