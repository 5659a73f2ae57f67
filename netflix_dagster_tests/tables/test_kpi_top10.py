"""The figures of the charts, each against a few places worked out by hand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.tables.gold.kpi_top10 import kpi_top10
from netflix_dagster.tables.viewing import CATEGORIES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIRST, SECOND = date(2023, 7, 2), date(2023, 7, 9)
ENGLISH, FOREIGN = "Films (English)", "Films (Non-English)"


def place(week: date, category: str, rank: int, title: str, hours: int, weeks: int, **said: Any) -> dict[str, Any]:
    kind, language = CATEGORIES[category]
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


@pytest.fixture(scope="module")
def figures(spark: SparkSession) -> dict[tuple[date, str, str], float]:
    reads = TABLES["gold.kpi_top10"].reads
    frames = [
        spark.createDataFrame(
            [tuple(row.get(c) for c in TABLES[name].column_names) for row in rows], store.ddl(TABLES[name])
        )
        for name, rows in zip(reads, (WORLD, COUNTRIES), strict=True)
    ]
    rows = kpi_top10(*frames).collect()
    found = {(row["week"], row["kpi"], row["member"]): row["value"] for row in rows}
    assert len(found) == len(rows), "one figure a key"
    return found


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
