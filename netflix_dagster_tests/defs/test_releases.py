"""A release that was cut short is held back from gold, whenever it arrives, until a person takes it in."""

from __future__ import annotations

from pathlib import Path

import pytest

from netflix_dagster.contracts.graph import touched_tables, upstream_of
from netflix_dagster.deliveries import decisions
from netflix_dagster.deliveries.life import Status
from netflix_dagster_tests.defs.house import House, Watch, checks, materialized
from netflix_dagster_tests.lakehouse import title

FULL, CUT, NEXT = "2020-01-01", "2020-02-01", "2020-03-01"
RULE = "release_complete"
GOLD = ("gold.fact_catalogue_change", "gold.fact_release_title")
SHORT = [name for name in touched_tables("catalogue", ["netflix_catalogue"]) if name in upstream_of(GOLD)]
"""Enough of the tables: the gate holds a release back from all of them in the same way."""


def release(house: House, day: str) -> None:
    """A release of forty titles; the one that was cut short has ten of them, and the next has one title more."""
    numbers = {FULL: range(40), CUT: range(10), NEXT: range(41)}[day]
    house.release(day, *map(title, numbers))


def changes(house: House) -> set[tuple[str, str]]:
    return {(str(row["release_date"]), row["change"]) for row in house.rows("gold.fact_catalogue_change")}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A release that stands and one that the gate holds, in every table. Not to be touched: take a copy."""
    made = House(tmp_path_factory.mktemp("held"))
    release(made, FULL)
    release(made, CUT)
    assert made.run(FULL, CUT).success
    return made


def test_a_release_cut_short_is_no_deletion(house: House) -> None:
    release(house, FULL)
    assert house.run(FULL, only=SHORT).success
    before = house.contents()
    release(house, CUT)
    result = house.run(CUT, only=SHORT)
    assert materialized(result) == {}
    after = house.contents()
    assert {name for name in after if after[name] != before[name]} == {"silver.releases"}, "which tells of the verdict"
    check = checks(result, "silver.releases")[RULE, CUT]
    assert not check.passed and "30 of the 40 titles of 2020-01-01 are not in it (75%" in str(check.description)
    newest = house.delivery("netflix_catalogue", CUT).newest
    assert newest.status is Status.HELD and "netflix-dagster accept" in newest.why

    release(house, NEXT)
    assert house.run(NEXT, only=SHORT).success
    assert changes(house) == {(FULL, "added"), (NEXT, "added")}, "compared with the last accepted release"
    assert {row["release_date"].isoformat() for row in house.rows("gold.fact_release_title")} == {FULL, NEXT}


def test_a_person_takes_it_in(held: House, tmp_path: Path) -> None:
    house = held.copy(tmp_path)
    assert changes(house) == {(FULL, "added")}
    reason = decisions.accept(house.tables, "catalogue", CUT, "the market was closed down", "ravik")
    assert RULE in reason
    watch = Watch(house)
    assert watch.dates() == [CUT], "the sensor takes it up again"
    assert house.run(CUT).success
    assert changes(house) == {(FULL, "added"), (CUT, "removed")}
    assert house.delivery("netflix_catalogue", CUT).newest.status is Status.STANDING
    (told,) = (row for row in house.rows("silver.releases") if str(row["delivery_date"]) == CUT)
    assert (told["accepted_by"], told["accepted_because"]) == ("ravik", "the market was closed down")
    assert watch.requests() == []


@pytest.mark.parametrize(
    "order",
    [
        (CUT, NEXT, FULL),
        pytest.param((CUT, FULL, NEXT), marks=pytest.mark.soak),
        pytest.param((NEXT, CUT, FULL), marks=pytest.mark.soak),
    ],
)
def test_the_verdict_does_not_depend_on_the_order_of_arrival(house: House, order: tuple[str, ...]) -> None:
    for day in order:
        release(house, day)
        house.run(day, only=SHORT)
    assert changes(house) == {(FULL, "added"), (NEXT, "added")}
    assert {str(row["delivery_date"]): row["is_accepted"] for row in house.rows("silver.releases")} == {
        FULL: True,
        CUT: False,
        NEXT: True,
    }
    assert house.delivery("netflix_catalogue", CUT).newest.status is Status.HELD


def test_there_is_nothing_to_accept(held: House, tmp_path: Path) -> None:
    house = held.copy(tmp_path)
    with pytest.raises(decisions.DecisionError, match="nothing to accept"):
        decisions.accept(house.tables, "catalogue", FULL, "because")
    house.land("netflix_catalogue", NEXT, "")
    house.run(NEXT, only=["bronze.netflix_catalogue"])
    with pytest.raises(decisions.DecisionError, match=r"nobody can overrule.*file is empty"):
        decisions.accept(house.tables, "catalogue", NEXT, "because")


def test_the_job_writes_the_decision_down(held: House, tmp_path: Path) -> None:
    house = held.copy(tmp_path)
    said = {"feed": "catalogue", "delivery_date": CUT, "because": "a closed market"}
    assert house.execute(job="accept_delivery", config={"decide": {"config": said}}).success
    assert house.run(CUT, only=SHORT).success
    assert not house.execute(job="accept_delivery", config={"decide": {"config": said}}).success, "it is accepted"
