"""Charts that are stated again: the places that end, the deliveries that are held, in steps and at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import decisions
from netflix_dagster.lake import store
from netflix_dagster.tables.gold.charts import fact_top10_global_weekly, fact_top10_restatement
from netflix_dagster.tables.silver.chart_deliveries import top10_global_deliveries
from netflix_dagster.tables.silver.chart_history import top10_global_history
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.real.charts_oracle import global_chart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.usefixtures("spark")
EXAMPLES = int(os.environ.get("NETFLIX_SOAK") or examples(5))
BRONZE, SILVER, HISTORY = "bronze.top10_global", "silver.top10_global", "silver.top10_global_history"
DAYS = [date(2026, 1, day) for day in (6, 13, 20, 27)]
COLUMNS = ("week", "category", "weekly_rank", "show_title", "season_title", "weekly_hours_viewed", "weekly_views")
Place = tuple[str, ...]
Delivery = tuple[date, list[Place]]
WEEKS = ["2025-12-21", "2025-12-28", "2026-01-04"]
CATEGORIES = ["Films (English)", "TV (English)"]


def chart(titles: str, week: str = "2026-01-04", category: str = "Films (English)", hours: int = 100) -> list[Place]:
    """The places of a chart, a letter a title; a point for a place that is not stated."""
    listed = [(str(rank), title) for rank, title in enumerate(titles, 1) if title != "."]
    return [(week, category, rank, title, "", str(hours), "") for rank, title in listed]


def silver(spark: SparkSession, deliveries: Iterable[Delivery]) -> DataFrame:
    """The rows of ``silver.top10_global`` that are kept."""
    bronze, table = TABLES[BRONZE], TABLES[SILVER]
    said = {"source_header": ",".join(COLUMNS), "source_file": "all.tsv"}
    rows = [
        {**said, **dict(zip(COLUMNS, place, strict=True)), "delivery_date": day, "record_number": number}
        for day, places in deliveries
        for number, place in enumerate(places, 1)
    ]
    frame = spark.createDataFrame([tuple(row.get(c) for c in bronze.column_names) for row in rows], store.ddl(bronze))
    judged = expectations.settle(expectations.annotate(table.function(frame), table), table)
    kept = expectations.kept(judged, table).select(*table.column_names)
    return spark.createDataFrame(kept.toArrow(), store.ddl(table))  # worked out once


def history(spark: SparkSession, rows: DataFrame, batches: Iterable[Sequence[date]]) -> DataFrame:
    """The history, carried on from batch to batch."""
    from pyspark.sql import functions as F

    columns = TABLES[HISTORY].column_names
    schema = store.ddl(TABLES[HISTORY])
    grown: DataFrame = spark.createDataFrame([], schema)
    for days in batches:
        batch = rows.where(F.col("delivery_date").isin(*days))
        grown = spark.createDataFrame(top10_global_history(grown, batch).select(*columns).toArrow(), schema)
    return grown


def verdicts(spark: SparkSession, rows: DataFrame, *accepted: date) -> dict[date, dict[str, Any]]:
    decided = spark.createDataFrame([(day, "ada", "it is right") for day in accepted], decisions.READ_AS)
    found = top10_global_deliveries(rows, decided).collect()
    return {row["delivery_date"]: row.asDict() for row in found}


def listed(spark: SparkSession, *deliveries: Delivery) -> dict[str, str]:
    """The chart of each week as gold has it: a letter a title, in the order of the places."""
    told = history(spark, silver(spark, deliveries), [[day for day, _ in deliveries]])
    found: dict[str, str] = {}
    for row in sorted(fact_top10_global_weekly(told).collect(), key=lambda row: row["weekly_rank"]):
        found[str(row["week"])] = found.get(str(row["week"]), "") + row["show_title"]
    return found


def test_a_chart_that_is_stated_again_is_stated_whole(spark: SparkSession) -> None:
    assert listed(spark, (DAYS[0], chart("ABC")), (DAYS[1], chart("BC"))) == {"2026-01-04": "BC"}


def test_a_chart_that_a_delivery_omits_stays(spark: SparkSession) -> None:
    other = chart("X", week="2025-12-28")
    assert listed(spark, (DAYS[0], chart("ABC") + other), (DAYS[1], other)) == {"2026-01-04": "ABC", "2025-12-28": "X"}


def test_a_place_that_comes_back_begins_anew_and_both_are_told(spark: SparkSession) -> None:
    again = [(*place[:5], "", "7") for place in chart("ABC")]
    told = history(spark, silver(spark, [*zip(DAYS, (chart("ABC"), chart("AB"), again), strict=False)]), [DAYS])
    third = [row for row in told.collect() if row["weekly_rank"] == 3]
    kept = {(r["valid_from"], r["valid_to"], r["weekly_hours_viewed"], r["weekly_views"]) for r in third}
    assert kept == {(DAYS[0], DAYS[1], 100, None), (DAYS[2], None, None, 7)}
    countries = spark.createDataFrame([], store.ddl(TABLES["silver.top10_countries_history"]))
    names = ("weekly_rank", "delivery_date", "field", "said_before", "said_now", "said_before_on")
    restated = {tuple(row[name] for name in names) for row in fact_top10_restatement(told, countries).collect()}
    assert restated == {
        (3, DAYS[1], "show_title", "C", None, DAYS[0]),
        (3, DAYS[2], "show_title", None, "C", DAYS[1]),
    }


def test_a_place_is_first_stated_by_the_first_delivery_that_has_it(spark: SparkSession) -> None:
    """However often it is stated otherwise, in steps as at once."""
    rows = silver(spark, [(day, chart("AB" if n else "A", hours=n)) for n, day in enumerate(DAYS)])
    for batches in ([DAYS], [[day] for day in DAYS]):
        facts = fact_top10_global_weekly(history(spark, rows, batches)).collect()
        told = {row["show_title"]: (row["first_stated"], row["last_changed"]) for row in facts}
        assert told == {"A": (DAYS[0], DAYS[3]), "B": (DAYS[1], DAYS[3])}


def headed(spark: SparkSession, name: str, day: date, **said: str) -> DataFrame:
    """The rows of a silver table of a file with one record, whose header has only these columns."""
    bronze, table = TABLES[f"bronze.{name}"], TABLES[f"silver.{name}"]
    row = {**said, "delivery_date": day, "record_number": 1, "source_file": "all.tsv", "source_header": ",".join(said)}
    rows = [tuple(row.get(c) for c in bronze.column_names)]
    return table.function(spark.createDataFrame(rows, store.ddl(bronze))).select(*table.column_names)


def test_a_header_that_only_looks_like_season_title_takes_no_season_back(spark: SparkSession) -> None:
    place = dict(zip(COLUMNS[:4], ("2026-01-04", "TV (English)", "1", "Heron"), strict=True))
    whole = headed(spark, "top10_global", DAYS[0], **place, season_title="Heron: Season 2")
    without = headed(spark, "top10_global", DAYS[1], **place, is_seasonal="yes", weekly_hours_viewed="100")
    told = history(spark, whole.unionByName(without), [[DAYS[0]], [DAYS[1]]])
    stated = {row["valid_from"]: row["season_title"] for row in told.collect()}
    assert stated == dict.fromkeys(DAYS[:2], "Heron: Season 2")
    none = spark.createDataFrame([], store.ddl(TABLES["silver.top10_countries_history"]))
    assert "season_title" not in {row["field"] for row in fact_top10_restatement(told, none).collect()}


def test_hours_of_28_and_of_91_days_are_not_confused(spark: SparkSession) -> None:
    place = {"category": "Films (English)", "rank": "1", "show_title": "Heron"}
    both = {"hours_viewed_first_28_days": "28", "hours_viewed_first_91_days": "91"}
    (row,) = headed(spark, "most_popular", DAYS[0], **place, **both).collect()
    assert (row["window_days"], row["hours_viewed"]) == (91, 91)
    (row,) = headed(spark, "most_popular", DAYS[0], **place, **both | {"hours_viewed_first_91_days": ""}).collect()
    assert (row["window_days"], row["hours_viewed"]) == (28, 28)


def test_a_lost_place_is_named_and_not_held(spark: SparkSession) -> None:
    whole = [place for week in WEEKS for place in chart("ABC", week)]
    rows = silver(spark, [(DAYS[0], whole), (DAYS[1], whole[:-1])])
    told = verdicts(spark, rows)
    assert told[DAYS[0]]["lost"] == 0 and told[DAYS[0]]["lost_places"] is None
    assert told[DAYS[1]] == {
        "delivery_date": DAYS[1],
        "charts_stated": 3,
        "places_stated": 8,
        "charts_cut": 1,
        "lost": 1,
        "lost_places": "1 place is not listed any more: 2026-01-04 Films (English) place 3",
        "accepted_by": None,
        "accepted_because": None,
        "is_accepted": True,
        "held_because": None,
    }


def test_a_delivery_in_which_many_charts_lost_places_is_held_until_somebody_accepts_it(spark: SparkSession) -> None:
    whole, cut = ([place for week in WEEKS for place in chart(titles, week)] for titles in ("ABC", "AB"))
    rows = silver(spark, [(DAYS[0], whole), (DAYS[1], cut), (DAYS[2], whole), (DAYS[3], cut)])
    told = verdicts(spark, rows)
    assert [told[day]["is_accepted"] for day in DAYS] == [True, False, True, False]
    assert "3 of its 3 charts lack 3 places that they had" in told[DAYS[1]]["held_because"]
    told = verdicts(spark, rows, DAYS[1])
    assert [told[day]["is_accepted"] for day in DAYS] == [True, True, True, False]
    assert (told[DAYS[1]]["accepted_by"], told[DAYS[1]]["accepted_because"]) == ("ada", "it is right")
    table = TABLES["silver.top10_global_deliveries"]
    told_last = rows.sparkSession.createDataFrame([told[DAYS[3]]], store.ddl(table))
    judged = tallies.tally(expectations.annotate(told_last, table).toArrow(), table)
    assert tallies.blocking_reason(judged[str(DAYS[3])], table) is not None


def test_a_held_delivery_is_taken_in_once_somebody_accepts_it(tmp_path: Path) -> None:
    house, verdict = Lakehouse(tmp_path), "silver.top10_global_deliveries"
    for day, titles in zip(DAYS, ("ABC", "AB"), strict=False):
        places = [COLUMNS, *(place for week in WEEKS for place in chart(titles, week))]
        house.land("top10_global", str(day), "\n".join("\t".join(place) for place in places), "all.tsv")
    first, second = map(str, DAYS[:2])
    report = house.build(first, second, feed="charts", only=[BRONZE, SILVER, verdict])[verdict]
    assert house.days(SILVER) == {first} and house.days(verdict) == {first, second}
    assert report.held_back.keys() == {str(DAYS[1])}
    assert "charts_complete: 3 of its 3 charts lack 3 places" in report.held_back[str(DAYS[1])]
    decisions.accept(house.tables, "charts", second, "Netflix lists two places now", by="ada")
    assert not house.build(second, feed="charts", only=[BRONZE, SILVER, verdict])[verdict].held_back
    assert house.days(SILVER) == {first, second}


@st.composite
def said(draw: st.DrawFn) -> list[Place]:
    """Some charts of a few places, with everything that makes places change, end and come back."""
    places: list[Place] = []
    for week in draw(st.lists(st.sampled_from(WEEKS), min_size=1, unique=True)):
        for category in draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, unique=True)):
            for rank in draw(st.sampled_from(("123", "123", "123", "12", "13", "1"))):
                title, season = draw(st.sampled_from("AB")), draw(st.sampled_from(("", "A: 1")))
                hours, views = draw(st.sampled_from(("", "1", "2", "12,34"))), draw(st.sampled_from(("", "3", "4")))
                places.append((week, category, rank, title, season, hours, views))
    return places


@settings(max_examples=EXAMPLES, deadline=None)
@given(told=st.lists(said(), min_size=2, max_size=4), cuts=st.sets(st.integers(1, 3)))
def test_in_steps_and_at_once_the_history_is_that_of_the_oracle(
    spark: SparkSession, told: list[list[Place]], cuts: set[int]
) -> None:
    """What is held, by the share of refused records or by the charts that lost places, is left out, as it is in
    silver. Where one says nothing that can be read, the next is compared with what stood before it."""
    deliveries = list(zip(DAYS, told, strict=False))
    files = [(day, "\n".join("\t".join(row) for row in (COLUMNS, *places)).encode()) for day, places in deliveries]
    oracle = global_chart(files)
    mostly = {day for day, why in oracle.held.items() if "records are refused" in why}
    rows = silver(spark, [(day, places) for day, places in deliveries if day not in mostly])
    held = {day for day, row in verdicts(spark, rows).items() if not row["is_accepted"]}
    assert held == oracle.held.keys() - mostly
    event(f"held: {len(held)}")
    event(f"ended: {min(sum(known.ended is not None for known in oracle.places.values()), 5)}")
    days = [day for day, _ in deliveries if day not in oracle.held]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(days)), len(days)]
    steps = [days[first:last] for first, last in pairwise(bounds)]
    in_steps, at_once = (history(spark, rows, batches).collect() for batches in (steps, [days]))
    assert sorted(map(repr, in_steps)) == sorted(map(repr, at_once))
    facts = fact_top10_global_weekly(spark.createDataFrame(at_once, store.ddl(TABLES[HISTORY]))).collect()
    names = oracle.facts[0].keys() if oracle.facts else ()
    assert sorted(repr([row[name] for name in names]) for row in facts) == sorted(
        repr([row[name] for name in names]) for row in oracle.facts
    )
