"""The charts on the deliveries as Netflix really published them, against an oracle in plain Python."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.report import Report
from netflix_dagster.deliveries import quarantine
from netflix_dagster.deliveries.life import Life, Status
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import dashboard
from netflix_dagster.settings import Settings
from netflix_dagster_tests.browser.conftest import browser  # noqa: F401  the chromium of this machine
from netflix_dagster_tests.browser.screen import charts_are_gold, window
from netflix_dagster_tests.figures import assert_gold_is_what_its_views_say
from netflix_dagster_tests.real.charts_oracle import Charts, Row, landed
from netflix_dagster_tests.real.conftest import built_by_the_runner

pytestmark = pytest.mark.real

SOURCES = ("top10_global", "top10_countries", "most_popular")
GARBAGE = {
    ("top10_global", "2023-06-01"),
    ("top10_global", "2023-12-27"),
    ("top10_countries", "2023-06-01"),
    ("top10_countries", "2023-12-17"),
    ("most_popular", "2023-06-01"),
}
SIZES = {
    "gold.fact_top10_global_weekly": 5_200,
    "gold.fact_top10_country_weekly": 43_240,
    "gold.fact_top10_restatement": 2_378,
    "gold.fact_most_popular": 4_000,
    "gold.dim_week": 130,
}
RESTATED = {
    # (global?, field): how often
    (True, "season_title"): 194,
    (True, "show_title"): 42,
    (True, "weekly_hours_viewed"): 41,
    (True, "cumulative_weeks_in_top_10"): 13,
    (True, "is_staggered_launch"): 1,
    (False, "show_title"): 907,
    (False, "cumulative_weeks_in_top_10"): 721,
    (False, "season_title"): 459,
}
"""Counted once with the oracle and looked at in the files."""


@pytest.fixture(scope="module")
def charts(landing: Path) -> Charts:
    return Charts.of(landing)


@pytest.fixture(scope="module")
def days(landing: Path) -> list[str]:
    """Every date on which one of the charts was delivered."""
    return sorted({str(day) for source in SOURCES for day, _ in landed(landing, source)})


@pytest.fixture(scope="module")
def built(landing: Path, days: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Report]]:
    """A lake with every delivery of the charts, and what building each table came to."""
    settings = Settings(landing=landing, lake=tmp_path_factory.mktemp("charts") / "lake", engine="sail")
    return settings.lake, build_all(days, settings)


def build_all(days: Sequence[str], settings: Settings) -> dict[str, Report]:
    """Build every table of the charts for some deliveries. What is refused stays away, the others go on."""
    names = [name for name, table in TABLES.items() if table.feed == "charts"]
    return built_by_the_runner(settings, names, {"charts": days})


def rows(lake: Path, table: str, columns: list[str] | None = None) -> list[Row]:
    held = store.read_arrow(lake, table)
    assert held is not None, f"{table} was not built"
    found: list[Row] = held.select(columns or held.column_names).to_pylist()
    return found


def compared(found: list[Row], columns: list[str]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in columns) for row in found)


def assert_same(lake: Path, table: str, charts: Charts, when: str = "") -> None:
    """The table has the rows that the oracle expects; else a few of those that only one side has."""
    expected = charts.rows[table]
    columns = list(expected[0])
    ours, theirs = (compared(found, columns) for found in (rows(lake, table, columns), expected))
    only_ours, only_theirs = list((ours - theirs).elements()), list((theirs - ours).elements())
    assert not only_ours and not only_theirs, (
        f"{when}{columns}: {len(only_ours)} rows are in the table only, such as {only_ours[:3]}, "
        f"{len(only_theirs)} are expected only, such as {only_theirs[:3]}"
    )


# What the other tests stand on


def test_the_oracle_finds_what_was_counted(charts: Charts) -> None:
    assert {table: len(found) for table, found in charts.rows.items()} == SIZES
    restated = charts.rows["gold.fact_top10_restatement"]
    assert Counter((row["scope"] == "global", row["field"]) for row in restated) == RESTATED


def test_hours_and_views_add_up_to_what_was_counted(charts: Charts) -> None:
    weekly = charts.rows["gold.fact_top10_global_weekly"]
    assert sum(row["weekly_hours_viewed"] for row in weekly) == 97_402_820_000
    assert sum(row["weekly_views"] or 0 for row in weekly) == 4_970_200_000
    assert sum(row["runtime"] is None for row in weekly if row["weekly_views"]) == 41
    windows = {28: (3_160, 1_182_571_900_000, 0), 91: (840, 435_910_000_000, 90_178_500_000)}
    for days, counted in windows.items():
        popular = [row for row in charts.rows["gold.fact_most_popular"] if row["window_days"] == days]
        hours, views = (sum(row[name] or 0 for row in popular) for name in ("hours_viewed", "views"))
        assert (len(popular), hours, views) == counted


# The tables


@pytest.mark.parametrize("table", SIZES)
def test_a_gold_table_is_what_the_oracle_makes_of_the_files(
    table: str, charts: Charts, built: tuple[Path, dict[str, Report]]
) -> None:
    assert_same(built[0], table, charts)


def test_every_figure_is_the_same_in_gold_and_in_its_view(built: tuple[Path, dict[str, Report]]) -> None:
    assert_gold_is_what_its_views_say(built[0], "gold.kpi_top10")


@pytest.mark.soak
@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "shuffled"])
def test_deliveries_in_several_runs_end_in_the_same_tables(
    shuffled: bool, charts: Charts, landing: Path, days: list[str], tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    order = random.Random(seed).sample(days, len(days)) if shuffled else days
    settings = Settings(landing=landing, lake=tmp_path / "lake", engine="sail")
    for first in range(0, len(order), 15):
        build_all(order[first : first + 15], settings)
    for table in SIZES:
        assert_same(settings.lake, table, charts, f"seed {seed}: ")


@pytest.mark.parametrize("source", SOURCES)
def test_bronze_and_silver_hold_every_record_of_every_readable_delivery(
    source: str, landing: Path, built: tuple[Path, dict[str, Report]]
) -> None:
    delivered = Counter(
        {
            day: data.count(b"\n") + (not data.endswith(b"\n")) - 1
            for day, data in landed(landing, source)
            if (source, str(day)) not in GARBAGE
        }
    )
    for layer in ("bronze", "silver"):
        held = rows(built[0], f"{layer}.{source}", ["delivery_date"])
        assert Counter(row["delivery_date"] for row in held) == delivered


def test_garbage_is_in_the_quarantine_and_among_the_deliveries_and_nowhere_else(
    built: tuple[Path, dict[str, Report]],
) -> None:
    lake, reports = built
    refused = rows(lake, quarantine.NAME, ["table_name", "delivery_date", "reasons"])
    found = {(row["table_name"].removeprefix("bronze."), str(row["delivery_date"])) for row in refused}
    assert found == GARBAGE and len(refused) == len(GARBAGE)
    status = {place: delivery.status for place, delivery in Life.read(lake).deliveries.items()}
    assert {place for place, said in status.items() if said is Status.REFUSED} == GARBAGE
    assert {said for place, said in status.items() if place not in GARBAGE} == {Status.STANDING}
    for source, day in GARBAGE:
        for layer in ("bronze", "silver"):
            held = rows(lake, f"{layer}.{source}", ["delivery_date"])
            assert date.fromisoformat(day) not in {row["delivery_date"] for row in held}
    assert all(not outcome.quarantined for name in SIZES for outcome in reports[name].outcomes.values())


def test_no_delivery_is_held_back_by_silver_or_gold(built: tuple[Path, dict[str, Report]]) -> None:
    held_back = {name: report.held_back for name, report in built[1].items() if not name.startswith("bronze.")}
    assert not any(held_back.values()), held_back


@pytest.mark.browser
def test_every_figure_is_the_same_on_the_screen(
    built: tuple[Path, dict[str, Report]],
    tmp_path: Path,
    browser: Browser,  # noqa: F811
) -> None:
    dashboard.build(built[0], load_sources(), [tmp_path])
    with window(browser) as page:
        charts_are_gold(page, tmp_path, built[0])
