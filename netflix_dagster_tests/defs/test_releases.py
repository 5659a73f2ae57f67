"""A release that was cut short is held back from gold, whenever it arrives, until a person takes it in."""

from __future__ import annotations

import pytest

from netflix_dagster.deliveries import decisions
from netflix_dagster.deliveries.life import Status
from netflix_dagster.deliveries.pending import pending
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster_tests.defs.house import House, checks, materialized
from netflix_dagster_tests.lakehouse import title

FULL, CUT, NEXT = "2020-01-01", "2020-02-01", "2020-03-01"
RULE = "release_complete"


def release(house: House, day: str) -> None:
    """A release of forty titles; the one that was cut short has ten of them, and the next has one title more."""
    numbers = {FULL: range(40), CUT: range(10), NEXT: range(41)}[day]
    house.release(day, *map(title, numbers))


def changes(house: House) -> set[tuple[str, str]]:
    return {(str(row["release_date"]), row["change"]) for row in house.rows("gold.fact_catalogue_change")}


def test_a_release_cut_short_is_no_deletion(house: House) -> None:
    release(house, FULL)
    assert house.run(FULL).success
    before = house.contents()
    release(house, CUT)
    result = house.run(CUT)
    assert materialized(result) == {}
    after = house.contents()
    assert {name for name in after if after[name] != before[name]} == {"silver.releases"}, "which tells of the verdict"
    check = checks(result, "silver.releases")[RULE, CUT]
    assert not check.passed and "30 of the 40 titles of 2020-01-01 are not in it (75%" in str(check.description)
    newest = house.delivery("netflix_catalogue", CUT).newest
    assert newest.status is Status.HELD and "netflix-dagster accept" in newest.why

    release(house, NEXT)
    assert house.run(NEXT).success
    assert changes(house) == {(FULL, "added"), (NEXT, "added")}, "compared with the last accepted release"
    assert {row["delivery_date"].isoformat() for row in house.rows("gold.kpi_catalogue")} == {FULL, NEXT}


def test_a_person_takes_it_in(house: House) -> None:
    release(house, FULL)
    release(house, CUT)
    house.run(FULL, CUT)
    assert changes(house) == {(FULL, "added")}
    reason = decisions.accept(house.tables, "catalogue", CUT, "the market was closed down", "ravik")
    assert RULE in reason
    sources = load_sources()
    listing = list_landing(house.landing, sources)
    work = pending(listing, sources, house.life)
    assert [piece.date for piece in work] == [CUT], "the sensor takes it up again"
    assert house.run(CUT).success
    assert changes(house) == {(FULL, "added"), (CUT, "removed")}
    assert house.delivery("netflix_catalogue", CUT).newest.status is Status.STANDING
    (told,) = (row for row in house.rows("silver.releases") if str(row["delivery_date"]) == CUT)
    assert (told["accepted_by"], told["accepted_because"]) == ("ravik", "the market was closed down")
    assert pending(listing, sources, house.life) == []


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
        house.run(day)
    assert changes(house) == {(FULL, "added"), (NEXT, "added")}
    assert {str(row["delivery_date"]): row["is_accepted"] for row in house.rows("silver.releases")} == {
        FULL: True,
        CUT: False,
        NEXT: True,
    }
    assert house.delivery("netflix_catalogue", CUT).newest.status is Status.HELD


def test_there_is_nothing_to_accept(house: House) -> None:
    release(house, FULL)
    assert house.run(FULL).success
    with pytest.raises(decisions.DecisionError, match="nothing to accept"):
        decisions.accept(house.tables, "catalogue", FULL, "because")
    house.land("netflix_catalogue", CUT, "")
    house.run(CUT)
    with pytest.raises(decisions.DecisionError, match=r"nobody can overrule.*file is empty"):
        decisions.accept(house.tables, "catalogue", CUT, "because")


def test_the_job_writes_the_decision_down(house: House) -> None:
    release(house, FULL)
    release(house, CUT)
    house.run(FULL, CUT)
    said = {"feed": "catalogue", "delivery_date": CUT, "because": "a closed market"}
    assert house.execute(job="accept_delivery", config={"decide": {"config": said}}).success
    assert house.run(CUT).success
    assert not house.execute(job="accept_delivery", config={"decide": {"config": said}}).success, "it is accepted"
