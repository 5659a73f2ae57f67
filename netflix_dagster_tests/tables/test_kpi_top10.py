"""The figures of the charts, each against a few places worked out by hand."""

from __future__ import annotations

import os
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.tables.gold.kpi_top10 import kpi_top10
from netflix_dagster.tables.viewing import CATEGORIES
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.real import charts_oracle

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST, SECOND = date(2023, 7, 2), date(2023, 7, 9)
ENGLISH, FOREIGN = "Films (English)", "Films (Non-English)"


def place(
    week: date, category: str, rank: int, title: str, hours: int | None, weeks: int | None, **said: Any
) -> dict[str, Any]:
    kind, language = CATEGORIES[category]
    """A place of a chart of the world, as ``gold.fact_top10_global_weekly`` has it."""
    return {
        "week": week,
        "week_key": int(f"{week:%Y%m%d}"),
        "category": category,
        "weekly_rank": rank,
        "kind": kind,
        "language": language,
        "chart_title_key": f"{kind}|{title}",
        "show_title": title,
        "weekly_hours_viewed": hours,
        "cumulative_weeks_in_top_10": weeks,
        **said,
    }


WORLD = [
    place(FIRST, ENGLISH, 1, "a", 60, 1, weekly_views=30),
    place(FIRST, ENGLISH, 2, "b", 40, 12, weekly_views=10),
    place(FIRST, FOREIGN, 1, "c", 100, 1),
    place(SECOND, ENGLISH, 1, "a", 30, 2),
    place(SECOND, ENGLISH, 2, "d", 10, 1),
    place(SECOND, "TV (English)", 1, "s", 60, 3, season_title="s: Season 2"),
]
COUNTRIES = [
    {"week": FIRST, "week_key": 20230702, "kind": "film", "chart_title_key": f"film|{title}", "country_iso2": country}
    for title, countries in {"a": ("DE", "FR", "IN"), "b": ("DE",)}.items()
    for country in countries
]


Figures = dict[tuple[date, str, str], float]


def worked_out(spark: SparkSession, world: list[dict[str, Any]], countries: list[dict[str, Any]]) -> Figures:
    reads = TABLES["gold.kpi_top10"].reads
    frames = [
        spark.createDataFrame(
            [tuple(row.get(c) for c in TABLES[name].column_names) for row in rows], store.ddl(TABLES[name])
        )
        for name, rows in zip(reads, (world, countries), strict=True)
    ]
    rows = kpi_top10(*frames).collect()
    found = {(row["week"], row["kpi"], row["member"]): row["value"] for row in rows}
    assert len(found) == len(rows), "one figure a key"
    return found


@pytest.fixture(scope="module")
def figures(spark: SparkSession) -> Figures:
    return worked_out(spark, WORLD, COUNTRIES)


@pytest.mark.parametrize(
    ("week", "kpi", "member", "value"),
    [
        (FIRST, "hours", ENGLISH, 100),
        (FIRST, "hours", "all", 200),
        (FIRST, "views", ENGLISH, 40),
        (FIRST, "views_per_title", ENGLISH, 20),
        (FIRST, "weeks_in_top10", ENGLISH, 6.5),
        (FIRST, "debuts", "all", 2),
        (SECOND, "debuts", ENGLISH, 1),
        (SECOND, "retention", ENGLISH, 0.5),
        (FIRST, "evergreen_share", ENGLISH, 0.5),
        (FIRST, "concentration", ENGLISH, 0.6**2 + 0.4**2),
        (FIRST, "leader_share", ENGLISH, 0.6),
        (FIRST, "non_english_share", "film", 0.5),
        (SECOND, "non_english_share", "all", 0),
        (FIRST, "country_reach", "film|a", 3),
        (FIRST, "country_reach", "film|b", 1),
        (FIRST, "country_reach_mean", "film", 2),
    ],
)
def test_a_figure(figures: dict[Any, float], week: date, kpi: str, member: str, value: float) -> None:
    assert figures[week, kpi, member] == pytest.approx(value)


def test_nothing_is_said_where_nothing_is_known(figures: dict[Any, float]) -> None:
    absent = [
        (FIRST, "retention", ENGLISH),  # there is no week before
        (SECOND, "retention", FOREIGN),  # it has no chart this week
        (SECOND, "retention", "TV (English)"),
        (SECOND, "views", ENGLISH),
        (SECOND, "country_reach", "film|a"),
    ]
    assert not [key for key in absent if key in figures]


# What cannot be known, and what no value may stop

MOST = 2**63 - 1


def test_a_figure_of_which_a_part_is_not_stated_is_absent_and_not_0(spark: SparkSession) -> None:
    unstated = [
        place(FIRST, ENGLISH, 1, "a", 60, None),
        place(FIRST, ENGLISH, 2, "b", 40, 1),
        place(FIRST, FOREIGN, 1, "c", 100, 1),
    ]
    found = {(kpi, member): value for (_, kpi, member), value in worked_out(spark, unstated, []).items()}
    weeks = {key: value for key, value in found.items() if key[0] in ("debuts", "evergreen_share", "weeks_in_top10")}
    assert weeks == {("debuts", FOREIGN): 1, ("evergreen_share", FOREIGN): 0, ("weeks_in_top10", FOREIGN): 1}
    assert found["hours", "all"] == 200


def test_a_chart_without_hours_has_no_shares_of_them_and_stops_no_other(spark: SparkSession) -> None:
    idle = [place(FIRST, ENGLISH, 1, "a", 0, 1), place(FIRST, ENGLISH, 2, "b", 0, 1)]
    found = worked_out(spark, [*idle, place(FIRST, FOREIGN, 1, "c", 100, 1)], [])
    assert found[FIRST, "hours", ENGLISH] == 0
    assert (FIRST, "leader_share", ENGLISH) not in found and (FIRST, "concentration", ENGLISH) not in found
    assert found[FIRST, "leader_share", FOREIGN] == found[FIRST, "non_english_share", "film"] == 1
    assert (FIRST, "non_english_share", "film") not in worked_out(spark, idle, [])


def test_the_largest_numbers_overflow_nothing(spark: SparkSession) -> None:
    huge = [place(FIRST, ENGLISH, n, f"t{n}", MOST, 1, weekly_views=MOST) for n in range(1, 11)]
    found = worked_out(spark, huge, [])
    assert found[FIRST, "hours", "all"] == found[FIRST, "views", ENGLISH] == pytest.approx(10 * MOST)
    assert found[FIRST, "views_per_title", ENGLISH] == pytest.approx(MOST)
    assert [found[FIRST, kpi, ENGLISH] for kpi in ("concentration", "leader_share")] == pytest.approx([0.1, 0.1])


def test_a_category_that_nobody_knows_stops_no_figure(spark: SparkSession) -> None:
    unknown = {"kind": None, "language": None, "chart_title_key": "any|p"}
    world = [
        place(FIRST, ENGLISH, 1, "a", 60, 1),
        place(FIRST, ENGLISH, 1, "p", 40, 1) | unknown | {"category": "Podcasts"},
    ]
    found = worked_out(spark, world, [*COUNTRIES, COUNTRIES[0] | unknown])
    assert None not in {member for _, _, member in found}
    assert found[FIRST, "hours", "Podcasts"] == 40 and found[FIRST, "country_reach_mean", "film"] == 2


# Against the oracle, which works every figure out a second time

NAMES = {
    *("hours", "views", "views_per_title", "weeks_in_top10", "debuts", "retention", "evergreen_share"),
    *("concentration", "leader_share", "non_english_share", "country_reach", "country_reach_mean"),
}


def test_every_name_of_a_figure_is_one_that_the_oracle_works_out(figures: Figures) -> None:
    assert {kpi for _, kpi, _ in figures} == NAMES


@st.composite
def charts(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Places that stand: few titles and weeks, so that titles stay, return and tie, and anything may be unstated."""
    world, countries = [], []
    listed = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.sets(st.sampled_from("ABCD")))
    number = st.one_of(st.none(), st.just(0), st.integers(0, 9), st.integers(0, MOST))
    for week in (FIRST, SECOND, SECOND + timedelta(7 * draw(st.integers(1, 2)))):
        for category in draw(st.lists(st.sampled_from(list(CATEGORIES)), unique=True)):
            for rank in range(1, 1 + draw(st.integers(1, 3))):
                said = {"weekly_views": draw(number), "season_title": draw(st.sampled_from((None, "s: 1", "s: 2")))}
                weeks = draw(st.one_of(st.none(), st.integers(1, 20)))
                row = place(week, category, rank, draw(st.sampled_from("abc")), draw(number), weeks, **said)
                world.append(row)
        for title, where in draw(listed).items():
            for category in draw(st.sets(st.sampled_from(("Films", "TV")))):
                row = place(week, category, 1, title, 0, 1)
                countries += [{**row, "country_iso2": code, "weekly_rank": ord(title)} for code in sorted(where)]
    return world, countries


@settings(max_examples=int(os.environ.get("NETFLIX_SOAK") or examples(20)), deadline=None)
@given(told=charts())
def test_every_figure_is_what_the_oracle_works_out(
    spark: SparkSession, told: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    found, expected = worked_out(spark, *told), charts_oracle.kpi_top10(*told)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9, abs=1e-12), key
