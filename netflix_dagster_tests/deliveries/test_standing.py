"""What stands, stands until something better has passed every gate."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import touched_tables, upstream_of
from netflix_dagster.deliveries import decisions
from netflix_dagster.deliveries.life import Status
from netflix_dagster_tests.lakehouse import Lakehouse, split_files, title

pytestmark = pytest.mark.usefixtures("spark")
D1, D2, D3 = "2020-01-01", "2020-02-01", "2020-03-01"
WHOLE, CAST = "netflix_catalogue", "netflix_cast"
JUDGED = [name for name, table in TABLES.items() if table.feed == "catalogue" and table.judged_by_delivery]
GOLD = "gold.fact_catalogue_change"
WITH_GOLD = {*JUDGED, *upstream_of([GOLD]), GOLD}
"""Enough of the whole tables: all are built in the same way."""
FORTY, TEN = [title(n) for n in range(40)], [title(n) for n in range(10)]
MANGLED = [title(n, release_year="soon") for n in range(3)] + [title(9)]


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return Lakehouse(tmp_path)


def titles(house: Lakehouse, day: str) -> int:
    return sum(str(row["delivery_date"]) == day for row in house.rows("silver.titles"))


def test_a_truncated_replacement_leaves_what_it_was_to_replace(house: Lakehouse) -> None:
    house.release(D1, *FORTY)
    house.release(D2, *FORTY)
    house.build(D1, D2, only=WITH_GOLD)
    before = house.contents()
    house.release(D2, *TEN)
    told = house.build(D2, only=WITH_GOLD)
    assert house.contents() == before, "the verdict is of what stands"
    assert told["silver.releases"].held_back.keys() == {D2}, "and it is told what is held, and why"
    delivery = house.delivery(WHOLE, D2)
    assert (delivery.newest.status, delivery.newest.table, delivery.newest.rule) == (
        Status.HELD,
        "silver.releases",
        "release_complete",
    )
    assert delivery.standing is not None and delivery.standing is not delivery.newest

    decisions.accept(house.tables, "catalogue", D2, "a closed market", "ravik")
    house.build(D2, only=WITH_GOLD)
    assert titles(house, D2) == 10
    assert house.delivery(WHOLE, D2).newest.status is Status.STANDING

    house.release(D2, *TEN[:9])
    house.build(D2, only=JUDGED)
    assert titles(house, D2) == 10, "another file needs another decision"


def test_what_a_table_holds_is_in_no_table(house: Lakehouse) -> None:
    house.release(D1, *MANGLED)
    house.release(D2, *FORTY)
    house.build(D1, D2, only=WITH_GOLD)
    assert house.days("bronze.netflix_catalogue") == house.days("silver.titles") == {D2}
    assert house.delivery(WHOLE, D1).newest.rule == "mostly_kept"
    before = house.contents()
    house.release(D2, *MANGLED)
    house.build(D2, only=WITH_GOLD)
    assert house.contents() == before


def test_a_verdict_follows_an_earlier_release_that_comes_late(house: Lakehouse) -> None:
    house.release(D2, *TEN)
    house.build(D2, only=WITH_GOLD)
    assert titles(house, D2) == 10
    house.release(D1, *FORTY)
    house.build(D1, only=WITH_GOLD)
    assert house.days("silver.titles") == house.days("bronze.netflix_catalogue") == {D1}, "it is held now"
    assert house.delivery(WHOLE, D2).newest.status is Status.HELD
    house.release(D1, *TEN, *(title(n) for n in (50, 51)))
    house.build(D1, only=WITH_GOLD)
    assert house.days("silver.titles") == {D1, D2}, "and stands again, though nobody has landed it again"
    assert {str(row["release_date"]) for row in house.rows("gold.fact_catalogue_change")} == {D1, D2}


def test_the_gates_judge_new_titles_with_old_cast_lists(house: Lakehouse) -> None:
    house.split(D1, *FORTY[:4])
    house.build(D1, only=JUDGED)
    before = house.contents()
    files = split_files([title(n, cast=f"Somebody Else {n}", title=f"Another {n}") for n in range(4)])
    house.land(
        "netflix_titles", D1, files["netflix_titles"].replace("s0", "t0").replace("s1", "t1").replace("s2", "t2")
    )
    house.build(D1, only=JUDGED)
    assert house.contents() == before, "most of the old cast belongs to no title of the new file"
    house.land("netflix_titles", D1, files["netflix_titles"])
    house.land(CAST, D1, files["netflix_cast"])
    house.build(D1, only=JUDGED)
    assert {row["title"] for row in house.rows("silver.titles")} == {f"Another {n}" for n in range(4)}
    assert {row["person"] for row in house.rows("silver.title_cast")} == {f"Somebody Else {n}" for n in range(4)}


def test_a_refused_file_is_as_one_that_has_not_landed(house: Lakehouse) -> None:
    house.split(D1, *FORTY[:4])
    house.land(CAST, D1, "cast\r\nOdalys Kestrelli\r\n")
    house.build(D1, only=WITH_GOLD)
    assert house.days("silver.titles") == {D1} and house.days("silver.title_cast") == set()
    assert len(house.rows("silver.titles")) == 4 and house.rows(GOLD)
    assert house.delivery(CAST, D1).newest.status is Status.REFUSED


def test_a_delivery_that_is_withdrawn_leaves_every_table(house: Lakehouse) -> None:
    house.release(D1, *FORTY)
    house.build(D1, only=WITH_GOLD)
    alone = house.contents()
    house.release(D2, *FORTY[:39], title(50))
    house.build(D2, only=WITH_GOLD)
    decisions.withdraw(house.tables, WHOLE, D2, "sent by mistake", "ravik")
    house.build(D2, only=WITH_GOLD)
    assert house.contents() == alone
    assert house.delivery(WHOLE, D2).status is Status.WITHDRAWN
    with pytest.raises(decisions.DecisionError, match="withdrawn already"):
        decisions.withdraw(house.tables, WHOLE, D2, "again")


def test_a_release_that_an_earlier_one_has_held_leaves_tables_that_the_earlier_one_does_not_touch(
    house: Lakehouse,
) -> None:
    house.split(D2, *TEN)
    house.build(D2, only=WITH_GOLD)
    house.release(D1, *FORTY)
    house.build(D1, only=touched_tables("catalogue", [WHOLE]))
    assert house.delivery(CAST, D2).status is Status.HELD
    judged = [name for name in JUDGED if TABLES[name].write != "gate"]
    assert {name: house.days(name) for name in judged if D2 in house.days(name)} == {}
    decisions.accept(house.tables, CAST, D2, "a closed market")
    house.build(D2, only=WITH_GOLD)
    assert house.days(f"bronze.{CAST}") == {D2} and house.days("silver.title_cast") == {D1, D2}


def test_titles_that_are_withdrawn_take_every_table_of_their_date_along(house: Lakehouse) -> None:
    """Their lists alone are held; the bronze tables of these lists are not among those that the titles touch."""
    house.split(D1, *TEN)
    house.build(D1, only=WITH_GOLD)
    decisions.withdraw(house.tables, "netflix_titles", D1, "sent by mistake")
    house.build(D1, only=touched_tables("catalogue", ["netflix_titles"]))
    judged = [name for name in JUDGED if TABLES[name].write != "gate"]
    assert {name: house.days(name) for name in judged if house.days(name)} == {}
    assert house.delivery(CAST, D1).status is Status.HELD


def test_of_two_attempts_that_are_held_the_verdict_is_of_the_newest(house: Lakehouse) -> None:
    house.release(D1, *FORTY)
    house.build(D1, only=JUDGED)
    for count in (10, 4):
        house.release(D2, *FORTY[:count])
        house.build(D2, only=JUDGED)
        assert {str(row["delivery_date"]): row["titles"] for row in house.rows("silver.releases")} == {
            D1: 40,
            D2: count,
        }


def test_a_rebuild_needs_no_landing(house: Lakehouse) -> None:
    house.release(D1, *FORTY[:5])
    house.build(D1, only=JUDGED)
    before, versions = house.contents(), house.versions()
    (house.landing / WHOLE / D1 / "file.csv").unlink()
    house.build(D1, only=JUDGED)
    assert house.contents() == before
    assert house.versions()["bronze.netflix_catalogue"] > versions["bronze.netflix_catalogue"], "it was built again"


def test_files_of_other_times_and_the_same_bytes_build_nothing(house: Lakehouse) -> None:
    """They were touched, copied, or put back after they had gone; a file of the same length is read all the same."""
    files = {day: house.release(day, *FORTY[:5]) for day in (D1, D2)}
    assert build_pending(house.settings, house.sources).failed == {}
    versions, contents = house.versions(), {day: file.read_bytes() for day, file in files.items()}
    files[D1].unlink()
    assert build_pending(house.settings, house.sources).work == ()
    assert house.delivery(WHOLE, D1).gone
    for day, file in files.items():
        file.write_bytes(contents[day])
        os.utime(file, (1, 1))
    assert build_pending(house.settings, house.sources).work == ()
    assert house.versions() == versions
    delivery = house.delivery(WHOLE, D1)
    assert (delivery.gone, delivery.status, delivery.newest.run_id != "") == (False, Status.STANDING, True)

    files[D1].write_bytes(contents[D1].replace(b"Drama", b"Comic"))
    (work,) = build_pending(house.settings, house.sources).work
    assert (work.date, house.versions()["silver.titles"]) == (D1, (versions["silver.titles"] or 0) + 1)


def test_tables_of_a_feed_of_which_no_date_is_asked_for_stay_as_they_are(house: Lakehouse) -> None:
    house.release(D1, *FORTY[:2])
    reports = house.build(D1, only=["bronze.top10_global", "bronze.netflix_catalogue"])
    assert (reports["bronze.top10_global"].outcomes, reports["bronze.top10_global"].blocked) == ({}, False)
    assert house.days("bronze.netflix_catalogue") == {D1}


@pytest.mark.parametrize("late", [True, False], ids=["the earlier release comes last", "in order of date"])
def test_of_a_date_of_which_nothing_stands_the_verdict_on_the_last_that_was_judged_is_told(
    late: bool, house: Lakehouse
) -> None:
    """A gate holds the older attempt, rows the newer one; whichever came first."""
    steps = [(D2, TEN), (D2, MANGLED)]
    for day, rows in [*steps, (D1, FORTY)] if late else [(D1, FORTY), *steps]:
        house.release(day, *rows)
        house.build(day, only=JUDGED)
    assert titles(house, D2) == 0
    told = {str(row["delivery_date"]): row for row in house.rows("silver.releases")}
    assert (told[D2]["titles"], told[D2]["lost"], told[D2]["is_accepted"]) == (10, 30, False)
    attempts = house.delivery(WHOLE, D2).attempts.values()
    assert [(a.status, a.table) for a in attempts] == [
        (Status.HELD, "silver.releases"),
        (Status.HELD, "silver.titles"),
    ]

    decisions.withdraw(house.tables, WHOLE, D1, "sent by mistake")
    house.build(D1, only=JUDGED)
    assert titles(house, D2) == 10, "what was held for what is gone stands again"


def test_the_verdict_on_what_is_withdrawn_goes_with_it(house: Lakehouse) -> None:
    house.release(D1, *FORTY)
    house.release(D2, *TEN)
    house.build(D1, D2, only=JUDGED)
    assert house.days("silver.releases") == {D1, D2}
    decisions.withdraw(house.tables, WHOLE, D2, "sent by mistake")
    house.build(D2, only=JUDGED)
    assert house.days("silver.releases") == {D1}


def test_a_build_to_which_nothing_is_left_takes_no_table_from_another(house: Lakehouse) -> None:
    """A date that is held ends with every table of its chain; one that another date asks for has to be built for it."""
    house.release(D1, *FORTY)
    house.release(D2, *TEN)
    house.build(D1, D2, only=WITH_GOLD)
    house.release(D3, *FORTY, title(50))
    house.build(D3, only=JUDGED)
    assert GOLD in house.life.due("catalogue", D3)
    house.build(D2, only=WITH_GOLD)
    assert (str(D3), "added") in {(str(row["release_date"]), row["change"]) for row in house.rows(GOLD)}
    assert GOLD not in house.life.due("catalogue", D3)


@pytest.mark.parametrize("newer", [[], MANGLED, TEN], ids=["refused at the door", "held by rows", "held by a gate"])
def test_changed_code_builds_what_stands_behind_an_attempt_that_does_not(
    newer: list[dict[str, str]], house: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = TABLES["silver.title_genres"]

    def louder(*frames: DataFrame) -> DataFrame:
        return table.function(*frames).withColumn("genre", F.upper("genre"))

    house.release(D1, *FORTY)
    house.release(D2, *FORTY)
    house.build(D1, D2, only=WITH_GOLD)
    monkeypatch.setitem(TABLES, table.name, replace(table, function=louder, variant="loud"))
    assert table.name in house.life.outdated("catalogue", D2)
    house.release(D2, *newer) if newer else house.land(WHOLE, D2, "null")
    house.build(D1, D2, only=WITH_GOLD)
    assert house.delivery(WHOLE, D2).newest.waits and titles(house, D2) == 40
    assert table.name not in house.life.outdated("catalogue", D2)
    assert {(str(row["delivery_date"]), row["genre"]) for row in house.rows(table.name)} == {
        (day, genre) for day in (D1, D2) for genre in ("DRAMAS", "INTERNATIONAL MOVIES")
    }
