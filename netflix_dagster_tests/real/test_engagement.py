"""The engagement reports as Netflix really published them, counted a second time from the bare XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from playwright.sync_api import Browser

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.contracts.report import Report
from netflix_dagster.deliveries import quarantine
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import dashboard, warehouse
from netflix_dagster.settings import Settings
from netflix_dagster_tests.browser.conftest import browser  # noqa: F401  the chromium of this machine
from netflix_dagster_tests.browser.screen import engagement_is_gold, window
from netflix_dagster_tests.real.conftest import built_by_the_runner
from netflix_dagster_tests.real.oracle import tidy

pytestmark = pytest.mark.real

DAYS = ("2023-12-12", "2024-05-23")
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Row = dict[str, Any]


def delivered(path: Path) -> dict[str, list[Row]]:
    """The rows of each sheet below its sixth row, by the names in that row; nothing but zipfile and ElementTree."""
    with zipfile.ZipFile(path) as archive:
        shared = [
            "".join(text.text or "" for text in item.iter(f"{MAIN}t"))
            for item in ET.fromstring(archive.read("xl/sharedStrings.xml"))
        ]
        names = [sheet.attrib["name"] for sheet in ET.fromstring(archive.read("xl/workbook.xml")).iter(f"{MAIN}sheet")]
        sheets = {}
        for number, name in enumerate(names, 1):
            rows: dict[int, dict[str, str]] = {}
            for cell in ET.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{MAIN}c"):
                value = cell.findtext(f"{MAIN}v")
                if value is not None:
                    column, row = re.findall("[A-Z]+|[0-9]+", cell.attrib["r"])
                    rows.setdefault(int(row), {})[column] = shared[int(value)] if cell.get("t") == "s" else value
            header = rows[6]
            sheets[name] = [
                {header[column]: value for column, value in cells.items()} for row, cells in rows.items() if row > 6
            ]
    return sheets


@pytest.fixture(scope="module")
def reports(landing: Path) -> dict[str, dict[str, list[Row]]]:
    """delivery -> sheet -> rows."""
    if not all((landing / "engagement" / day).is_dir() for day in DAYS):
        pytest.skip("no real engagement reports")
    return {day: delivered(next((landing / "engagement" / day).glob("*.xlsx"))) for day in DAYS}


@pytest.fixture(scope="module")
def built(
    landing: Path, reports: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Report]]:
    settings = Settings(landing=landing, lake=tmp_path_factory.mktemp("engagement") / "lake", engine="sail")
    names = [name for name, table in TABLES.items() if table.feed == "engagement"]
    return settings.lake, built_by_the_runner(settings, names, {"engagement": list(DAYS)})


@pytest.fixture(scope="module")
def fact(built: tuple[Path, dict[str, Report]]) -> list[Row]:
    rows: list[Row] = DeltaTable(store.location(built[0], "gold.fact_engagement")).to_pyarrow_table().to_pylist()
    return rows


def test_nothing_is_refused_and_what_is_odd_is_known(built: tuple[Path, dict[str, Report]]) -> None:
    lake, reports = built
    assert quarantine.count(lake) == 0
    odd = {
        (name, day, check.name): check.broken
        for name, report in reports.items()
        for day, outcome in report.outcomes.items()
        for check in outcome.checks
        if check.broken
    }
    assert odd == {
        ("silver.engagement", "2023-12-12", "known_kind"): 11_936,
        ("bronze.engagement", "2024-05-23", "no_drift"): 2,  # it has runtime and views
    }


def test_every_sheet_has_as_many_rows_hours_and_views_as_the_file(
    reports: dict[str, dict[str, list[Row]]], fact: list[Row]
) -> None:
    expected = {
        ("2023H1", None): reports["2023-12-12"]["Engagement"],
        ("2023H2", "tv"): reports["2024-05-23"]["TV"],
        ("2023H2", "film"): reports["2024-05-23"]["Film"],
    }
    found: dict[tuple[str, str | None], list[Row]] = defaultdict(list)
    for row in fact:
        found[row["period"], row["kind"] if row["period"] == "2023H2" else None].append(row)
    assert found.keys() == expected.keys()
    for sheet, rows in expected.items():
        assert len(found[sheet]) == len(rows)
        assert sum(row["hours_viewed"] for row in found[sheet]) == sum(int(float(row["Hours Viewed"])) for row in rows)
        views = sum(int(float(row.get("Views", 0))) for row in rows)
        assert sum(row["views"] or 0 for row in found[sheet]) == views
    assert {len(rows) for rows in expected.values()} == {18_214, 6_599, 9_395}


def test_every_metric_of_the_warehouse_is_what_the_file_adds_up_to(
    built: tuple[Path, dict[str, Report]], reports: dict[str, dict[str, list[Row]]]
) -> None:
    first, second = reports["2023-12-12"], reports["2024-05-23"]
    sheets = {
        ("2023H1", "all", "all"): first["Engagement"],
        ("2023H2", "all", "all"): [*second["TV"], *second["Film"]],
        ("2023H2", "kind", "tv"): second["TV"],
        ("2023H2", "kind", "film"): second["Film"],
    }
    expected = {
        "engagement_titles": {cut: len(rows) for cut, rows in sheets.items()},
        "engagement_hours": {cut: _sum(rows, "Hours Viewed") for cut, rows in sheets.items()},
        "engagement_views": {cut: _sum(rows, "Views") for cut, rows in sheets.items() if "Views" in rows[0]},
    }
    assert expected.keys() == {name for name, metric in METRICS.items() if metric.fact == "gold.fact_engagement"}
    file = warehouse.refresh(Settings(lake=built[0])).file
    with duckdb.connect(str(file), read_only=True) as connection:
        for metric, values in expected.items():
            said = f"SELECT period, dimension, member, value FROM metrics.{metric} WHERE dimension IN ('all', 'kind')"
            found = {row[:3]: row[3] for row in connection.execute(said).fetchall()}
            assert {cut: value for cut, value in found.items() if cut[:2] != ("2023H1", "kind")} == values, metric


def _sum(rows: list[Row], column: str) -> int:
    return sum(int(float(row[column])) for row in rows)


def test_every_row_says_what_the_file_says(reports: dict[str, dict[str, list[Row]]], fact: list[Row]) -> None:
    def day(text: str | None) -> date | None:
        if text is None:
            return None
        return date.fromisoformat(text) if "-" in text else date(1899, 12, 30) + timedelta(days=int(float(text)))

    def minutes(text: str | None) -> int | None:
        hours, _, rest = (text or "*").partition(":")
        return int(hours) * 60 + int(rest) if rest else None

    expected = {
        (half, tidy(row["Title"])): (
            row["Available Globally?"] == "Yes",
            day(row.get("Release Date")),
            int(float(row["Hours Viewed"])),
            minutes(row.get("Runtime")),
            int(float(row["Views"])) if "Views" in row else None,
        )
        for half, delivery in zip(("2023H1", "2023H2"), DAYS, strict=True)
        for rows in reports[delivery].values()
        for row in rows
    }
    measures = ("available_globally", "release_date", "hours_viewed", "runtime_minutes", "views")
    found = {(row["period"], row["title_delivered"]): tuple(row[name] for name in measures) for row in fact}
    assert len(found) == len(fact)
    assert found == expected


def test_the_kinds_that_the_first_report_does_not_tell_come_from_the_second(fact: list[Row]) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in fact:
        kinds[row["title_delivered"]].add(row["kind"])
    assert {title for title, found in kinds.items() if len(found) > 1} == {
        "A Lion in the House: Limited Series",
        "Navarasa: Limited Series",
    }
    assert sum(row["kind"] == "any" for row in fact if row["period"] == "2023H1") == 2_955
    assert {row["kind"] for row in fact if row["period"] == "2023H2"} == {"film", "tv"}


def test_seasons_of_a_show_share_its_key(fact: list[Row]) -> None:
    seasons = {row["season_title"] for row in fact if row["chart_title_key"] == "tv|lupin"}
    assert seasons == {"Lupin: Part 1", "Lupin: Part 2", "Lupin: Part 3"}
    by_title = {row["title"]: row for row in fact if row["period"] == "2023H2"}
    assert by_title["Harry Potter and the Deathly Hallows: Part 1"]["season_title"] is None
    assert by_title["ONE PIECE: Season 1"]["chart_title_key"] == "tv|one piece"
    assert by_title["Leave the World Behind"]["chart_title_key"] == "film|leave the world behind"


@pytest.mark.browser
def test_every_figure_is_the_same_on_the_screen(
    built: tuple[Path, dict[str, Report]],
    tmp_path: Path,
    browser: Browser,  # noqa: F811
) -> None:
    dashboard.build(built[0], load_sources(), [tmp_path])
    with window(browser) as page:
        engagement_is_gold(page, tmp_path, built[0])
