"""A lake that the version before has built is opened: what it knew of its deliveries becomes their life.

The lake in ``data`` holds invented deliveries: two that stand (a whole release and a split one), one that a gate held,
one that was cut short and taken in by a person, one of garbage, one whose good file garbage has replaced, and a chart.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.deliveries.life import Status
from netflix_dagster.lake import store
from netflix_dagster_tests.lakehouse import Lakehouse

PACKED = Path(__file__).parent / "data" / "lake-0.1.tar.xz"
REPLACED, HELD, SPLIT, ACCEPTED, GARBAGE = "2020-01-01", "2020-02-01", "2020-02-15", "2020-03-01", "2020-04-01"
WHOLE = "netflix_catalogue"
NEW_TABLES = {"gold.fact_release_title", "gold.fact_release_listing"}
"""Tables that the version before did not have."""


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    return Lakehouse(tmp_path)


def test_what_was_known_becomes_the_life_of_the_deliveries(house: Lakehouse) -> None:
    life = house.life
    newest = {(source, key): delivery.newest.status for (source, key), delivery in life.deliveries.items()}
    assert {key: newest[WHOLE, key] for key in (REPLACED, ACCEPTED, GARBAGE)} == {
        REPLACED: Status.REFUSED,
        ACCEPTED: Status.STANDING,
        GARBAGE: Status.REFUSED,
    }
    assert newest["netflix_cast", SPLIT] is newest["top10_global", "2026-01-06"] is Status.STANDING
    replaced = life.deliveries[WHOLE, REPLACED]
    assert replaced.standing is not None and replaced.standing is not replaced.newest
    accepted = life.deliveries[WHOLE, ACCEPTED].newest.accepted
    assert accepted is not None and accepted[1] == "a closed market"
    assert {key for (_, key) in life.dates if life.due("catalogue", key)} == {HELD}, "the next build takes it out"
    assert not store.exists(house.tables, "quality.decisions"), "it is in quality.deliveries now"


def test_the_next_build_ends_as_the_tables_should_be(house: Lakehouse) -> None:
    before = house.contents("gold")
    done = build_pending(house.settings, house.sources)
    assert done.failed == {} and done.exit_code == 3
    assert {(attempt.key, attempt.status) for attempt in done.held} == {
        (REPLACED, Status.REFUSED),
        (HELD, Status.HELD),
        (GARBAGE, Status.REFUSED),
    }
    assert house.days("silver.titles") == {REPLACED, SPLIT, ACCEPTED}
    assert house.days(f"bronze.{WHOLE}") == {REPLACED, ACCEPTED}, "what is held is in no table"
    assert {name for name, rows in house.contents("gold").items() if rows != before[name]} == NEW_TABLES
    before |= {name: house.contents("gold")[name] for name in NEW_TABLES}
    assert all(before[name] for name in NEW_TABLES), "they are filled with what stood already"

    house.build(SPLIT)
    assert house.contents("gold") == before, "a delivery whose rows lie in bronze alone is built again from there"
    again = build_pending(house.settings, house.sources)
    assert again.work == (), "copied files are known by their bytes"
