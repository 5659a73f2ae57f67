"""Which title a chart means, inferred members, and that they are resolved when the catalogue brings the title."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.tables.gold.title_chart import bridge_title_chart, dim_title
from netflix_dagster.tables.viewing import chart_title_key, kind_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY, LATER = date(2021, 7, 6), date(2021, 7, 13)


def frame(spark: SparkSession, name: str, rows: list[dict[str, Any]]) -> DataFrame:
    columns = TABLES[name].column_names
    return spark.createDataFrame([tuple(row.get(c) for c in columns) for row in rows], store.ddl(TABLES[name]))


def known(
    title: str, kind: str = "Movie", year: int = 2020, since: date = DAY, current: bool = True, key: str = ""
) -> dict[str, Any]:
    """A version of a title of the catalogue."""
    return {
        "title_sk": hash((title, kind, year, since)) % 10**9,
        "title_key": key or f"{kind.lower()}|{title.lower()}|{year}",
        "type": kind,
        "title": title,
        "release_year": year,
        "valid_from": since,
        "is_current": current,
    }


def bridge(
    spark: SparkSession, catalogue: list[dict[str, Any]], *named: tuple[str, str], seen: date = DAY
) -> dict[str, dict[str, Any]]:
    """The bridge of charts that name these (kind, title), by chart_title_key."""
    from pyspark.sql import functions as F

    world = spark.createDataFrame([(*pair, seen) for pair in named], "kind string, show_title string, valid_from date")
    world = world.withColumn("chart_title_key", chart_title_key(F.col("kind"), F.col("show_title")))
    others = [frame(spark, name, []) for name in TABLES["gold.bridge_title_chart"].reads[2:]]
    made = bridge_title_chart(frame(spark, "silver.title_history", catalogue), world, *others)
    return {row["chart_title_key"]: row.asDict() for row in made.collect()}


def test_a_title_of_the_same_name_and_kind_is_meant(spark: SparkSession) -> None:
    found = bridge(spark, [known("Red Notice"), known("Red Notice", "TV Show")], ("film", "RED Notice"))
    (said,) = found.values()
    assert (said["title_key"], said["match_method"], said["confidence"]) == ("movie|red notice|2020", "title", 1.0)
    assert (said["is_inferred"], said["in_catalogue_since"], said["show_title"]) == (False, DAY, "RED Notice")


@pytest.mark.parametrize("written", ["Pokemon The Movie and More", "POKÉMON: the Movie & More!"])
def test_accents_and_punctuation_do_not_matter(spark: SparkSession, written: str) -> None:
    (said,) = bridge(spark, [known("Pokémon – The Movie & More")], ("film", written)).values()
    assert (said["match_method"], said["confidence"]) == ("folded", 0.9)


def test_of_several_titles_the_likeliest_is_taken(spark: SparkSession) -> None:
    catalogue = [
        known("Echo", year=1990),
        known("Echo", year=2019),
        known("Echo", year=2023),
        known("Echo", year=2020, current=False),
    ]
    (said,) = bridge(spark, catalogue, ("film", "Echo")).values()
    assert said["title_key"] == "movie|echo|2019", "still there, out by then, and the newest of these"
    assert (said["confidence"], said["candidates"]) == (0.7, 4)


def test_what_the_catalogue_lacks_is_inferred_until_a_release_brings_it(spark: SparkSession) -> None:
    catalogue = [known("Other")]
    before = bridge(spark, catalogue, ("tv", "Squid Game"), ("film", "Other"))
    said = before["tv|squid game"]
    assert (said["title_key"], said["is_inferred"], said["confidence"]) == ("inferred|tv|squid game", True, 0.0)
    assert said["in_catalogue_since"] is None

    def members(rows: dict[str, dict[str, Any]], known_titles: list[dict[str, Any]]) -> dict[str, bool]:
        bridge_rows = frame(spark, "gold.bridge_title_chart", list(rows.values()))
        made = dim_title(frame(spark, "silver.title_history", known_titles), bridge_rows).collect()
        return {row["title_key"]: row["is_inferred"] for row in made}

    assert members(before, catalogue) == {"movie|other|2020": False, "inferred|tv|squid game": True}
    catalogue.append(known("Squid Game", "TV Show", 2021, since=LATER))
    after = bridge(spark, catalogue, ("tv", "Squid Game"), ("film", "Other"))
    assert after["tv|squid game"]["title_key"] == "tv show|squid game|2021"
    assert after["tv|squid game"]["in_catalogue_since"] == LATER
    assert members(after, catalogue) == {"movie|other|2020": False, "tv show|squid game|2021": False}


def test_a_category_that_nobody_knows_is_no_kind_and_its_titles_are_found(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    frame = spark.createDataFrame(
        [("Films", "Other"), ("Podcasts", "Other | Else")], "category string, show_title string"
    )
    keys = frame.select(chart_title_key(kind_of(F.col("category")), F.col("show_title")).alias("key")).collect()
    assert [row["key"] for row in keys] == ["film|other", "any|other | else"]
    found = bridge(spark, [known("Other | Else", "TV Show")], ("any", "Other | Else"))
    assert found["any|other | else"]["kind"] == "any"
    assert found["any|other | else"]["title_key"] == "tv show|other | else|2020"


def test_a_report_that_does_not_tell_kinds_matches_either(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    reports = frame(spark, "gold.fact_engagement", [{"show_title": "Other", "first_stated": DAY, "kind": "any"}])
    reports = reports.withColumn("chart_title_key", chart_title_key(F.col("kind"), F.col("show_title")))
    charts = [frame(spark, name, []) for name in TABLES["gold.bridge_title_chart"].reads[1:-1]]
    history = frame(spark, "silver.title_history", [known("Other", "TV Show")])
    (said,) = bridge_title_chart(history, *charts, reports).collect()
    assert (said["chart_title_key"], said["title_key"]) == ("any|other", "tv show|other|2020")


def test_a_title_is_seen_since_it_was_first_named_and_stays_when_it_is_named_no_more(spark: SparkSession) -> None:
    """``A`` was at a place before ``B`` took it; ``B`` had another place earlier."""
    statements = [
        {"chart_title_key": "film|a", "show_title": "A", "valid_from": DAY, "valid_to": LATER, "is_current": False},
        {"chart_title_key": "film|b", "show_title": "B", "valid_from": LATER, "is_current": True},
    ]
    charts = [frame(spark, "silver.top10_global_history", statements)]
    charts += [frame(spark, name, []) for name in TABLES["gold.bridge_title_chart"].reads[2:]]
    rows = bridge_title_chart(frame(spark, "silver.title_history", []), *charts).collect()
    assert {row["chart_title_key"]: row["first_seen"] for row in rows} == {"film|a": DAY, "film|b": LATER}


def test_works_of_one_name_mean_the_titles_of_their_time(spark: SparkSession) -> None:
    def work(released: date | None, key: str) -> dict[str, Any]:
        told = {"chart_title_key": f"film|maria|{key}", "work": key, "show_title": "Maria", "first_stated": LATER}
        return {**told, "kind": "film", "release_date": released}

    reports = [
        work(date(2019, 5, 1), "2019-05-01"),
        work(date(2021, 7, 1), "2021-07-01"),
        work(date(2014, 1, 1), "2014-01-01"),
        work(None, "undated"),
    ]
    named = [frame(spark, name, []) for name in TABLES["gold.bridge_title_chart"].reads[1:-1]]
    history = frame(spark, "silver.title_history", [known("Maria", year=year) for year in (2003, 2019, 2021)])
    rows = bridge_title_chart(history, *named, frame(spark, "gold.fact_engagement", reports)).collect()
    assert {row["chart_title_key"]: row["title_key"] for row in rows} == {
        "film|maria|2019-05-01": "movie|maria|2019",
        "film|maria|2021-07-01": "movie|maria|2021",
        "film|maria|2014-01-01": "inferred|film|maria|2014-01-01",
        "film|maria|undated": "movie|maria|2003",
    }
