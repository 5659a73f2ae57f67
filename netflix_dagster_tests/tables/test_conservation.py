"""Rows conserve: every record of any dirty file is a row, refused or a copy; a function that loses one is caught."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build import conservation
from netflix_dagster.build.table import Blocked, build
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.report import Check, Report
from netflix_dagster.deliveries import quarantine
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.examples import examples

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

pytestmark = pytest.mark.usefixtures("spark")
EXAMPLES = int(os.environ.get("NETFLIX_SOAK") or examples(3))
DAY = "2026-01-20"
SILVER = [table for table in TABLES.values() if table.layer == "silver" and table.per_delivery]
LISTS = ("cast", "director", "country", "listed_in")
SPLIT = {"netflix_cast": "cast", "netflix_directors": "director", "netflix_countries": "country"}
DIRTY = st.sampled_from(
    ["", " ", ",", ", ,", "A", "B\u00a0b", "A, B", ",A,", "A,,B", "\u200b", "x\ny", '"q", r', "é, A", "N/A"]
)
"""What may stand in a list: nothing in many disguises, stray commas, line breaks, quotes."""


def as_text(rows: list[dict[str, str]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def land(here: Settings, source: str, data: bytes, name: str = "file.csv") -> None:
    folder = here.landing / source / DAY
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def built(here: Settings, name: str) -> Report:
    try:
        return build(name, [DAY], here)
    except Blocked as blocked:
        return blocked.report


def conserved(report: Report) -> Check:
    (check,) = (check for check in report.outcome(DAY).checks if check.name == conservation.RULE)
    return check


def records(here: Settings, source: str) -> int:
    """Records that were delivered, counted in the files."""
    known = load_sources().sources[source]
    return sum(parse_bytes(p.read_bytes(), known).records for p in (here.landing / source / DAY).glob("*"))


def in_quarantine(here: Settings, table: str) -> int:
    return len(quarantine.rows(here.lake, quarantine.Selection(table=table, delivery=DAY)))


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(landing=tmp_path / "landing", lake=tmp_path / "lake")


@pytest.fixture
def houses(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Settings]:
    """A new house for every example."""

    def new() -> Settings:
        root = tmp_path_factory.mktemp("house")
        return Settings(landing=root / "landing", lake=root / "lake")

    return new


@st.composite
def titles(draw: st.DrawFn) -> dict[str, str]:
    """A record of a whole release, some without what a title needs, some with a number that another has."""
    return {
        "show_id": draw(st.sampled_from(["1", "2", "3", "4", "5", ""])),
        "type": draw(st.sampled_from(["Movie", "TV Show", "Movie", ""])),
        "title": draw(st.sampled_from(["Red", "Blue", "Green: One", "22-Jul", ""])),
        **{name: draw(DIRTY) for name in LISTS},
        "date_added": draw(st.sampled_from(["September 9, 2019", " September 9, 2019", "", "soon"])),
        "release_year": draw(st.sampled_from(["2018", "2019", "2018", "soon"])),
        "rating": draw(st.sampled_from(["TV-MA", "74 min", ""])),
        "duration": draw(st.sampled_from(["90 min", "2 Seasons", ""])),
        "description": draw(st.sampled_from(["Words.", "Other words."])),
    }


PERSON = {
    name: st.fixed_dictionaries({column: DIRTY, "show_id": st.sampled_from(["1", "2", "9", ""])})
    for name, column in SPLIT.items()
}
PLACE = st.fixed_dictionaries(
    {
        "week": st.sampled_from(["2025-12-28", "2026-01-04", "some day"]),
        "category": st.sampled_from(["Films (English)", "TV (English)", "Operas", ""]),
        "weekly_rank": st.sampled_from(["1", "2", "3", "first"]),
        "show_title": st.sampled_from(["Red", "Blue", "N/A"]),
        "season_title": st.sampled_from(["N/A", "Season 1", ""]),
        "weekly_hours_viewed": st.sampled_from(["1000", "many", ""]),
    }
)

soaked = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@soaked
@given(
    whole=st.lists(titles(), min_size=1, max_size=8),
    lists=st.fixed_dictionaries({n: st.lists(p, min_size=1, max_size=6) for n, p in PERSON.items()}),
)
def test_a_dirty_catalogue_is_conserved(
    houses: Callable[[], Settings], whole: list[dict[str, str]], lists: dict[str, list[dict[str, str]]]
) -> None:
    here = houses()
    land(here, "netflix_catalogue", as_text(whole))
    for source, rows in lists.items():
        land(here, source, as_text(rows))
    for source in ("netflix_catalogue", *lists):
        door = built(here, f"bronze.{source}")
        assert store.row_count(here.lake, f"bronze.{source}") == records(here, source)
        assert conserved(door).passed, conserved(door).message
    for name in ("titles", "title_cast", "title_directors", "title_countries", "title_genres"):
        report = built(here, f"silver.{name}")
        check, outcome = [c for c in report.outcome(DAY).checks if c.name == conservation.RULE], report.outcome(DAY)
        assert all(c.passed for c in check), check
        assert bool(check) == outcome.delivered
        assert in_quarantine(here, f"silver.{name}") == outcome.quarantined
        if not outcome.held_back:
            assert store.row_count(here.lake, f"silver.{name}") == outcome.rows
        event(f"{name}: held back {bool(outcome.held_back)}, refused {bool(outcome.quarantined)}")
        if name == "titles" and not outcome.held_back:
            assert outcome.rows + outcome.quarantined + outcome.copies == len(whole)


@soaked
@given(rows=st.lists(PLACE, min_size=1, max_size=12))
def test_a_dirty_chart_is_conserved(houses: Callable[[], Settings], rows: list[dict[str, str]]) -> None:
    here = houses()
    land(here, "top10_global", as_text(rows, "\t"), "file.tsv")
    assert conserved(built(here, "bronze.top10_global")).rows == len(rows) == records(here, "top10_global")
    outcome = built(here, "silver.top10_global").outcome(DAY)
    (check,) = (c for c in outcome.checks if c.name == conservation.RULE)
    assert check.passed, check.message
    assert check.rows == len(rows)
    if not outcome.held_back:
        assert outcome.rows + outcome.quarantined + outcome.copies == len(rows)
        assert in_quarantine(here, "silver.top10_global") == outcome.quarantined


@soaked
@given(
    lines=st.lists(st.sampled_from(["A,1", "B", "C,2,more", '"D, E",3', "F,", '"G ""g""",4']), min_size=1, max_size=8)
)
def test_at_the_door_every_record_is_a_row_or_refused_with_its_delivery(
    houses: Callable[[], Settings], lines: list[str]
) -> None:
    here = houses()
    data = "\r\n".join(["cast,show_id", *lines, ""]).encode()
    land(here, "netflix_cast", data)
    parsed = parse_bytes(data, load_sources().sources["netflix_cast"])
    refused = [refusal.record for refusal in parsed.refusals]
    assert sorted([row.number for row in parsed.rows] + refused) == list(range(1, len(lines) + 1))
    outcome = built(here, "bronze.netflix_cast").outcome(DAY)
    assert bool(refused) == bool(outcome.held_back)
    assert store.row_count(here.lake, "bronze.netflix_cast") == (0 if refused else len(lines))
    assert [row["record_number"] for row in quarantine.rows(here.lake)] == refused
    assert [row["raw"] for row in quarantine.rows(here.lake)] == [lines[number - 1] for number in refused]
    assert {row["source"] for row in quarantine.rows(here.lake)} <= {"netflix_cast"}


CHART = [
    {"week": "2025-12-28", "category": "TV (English)", "weekly_rank": str(n), "show_title": f"Show {n}"}
    for n in range(1, 7)
]


def loses_one(rows: DataFrame) -> DataFrame:
    return rows.where("weekly_rank <> 3")


def doubles_one(rows: DataFrame) -> DataFrame:
    return rows.unionByName(rows.where("weekly_rank = 2"))


def loses_one_and_doubles_another(rows: DataFrame) -> DataFrame:
    return loses_one(doubles_one(rows))


def loses_all(rows: DataFrame) -> DataFrame:
    return rows.where("false")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (loses_one, "file.tsv gives 6 rows and 5 are accounted for: 1 vanished, that of record 3"),
        (doubles_one, "file.tsv gives 6 rows and 7 are accounted for: 1 appeared, that of record 2"),
        (loses_one_and_doubles_another, "some vanished and as many appeared"),
        (loses_all, "file.tsv gives 6 rows and 0 are accounted for: 6 vanished"),
    ],
)
def test_a_function_that_does_not_conserve_rows_holds_the_delivery_back(
    here: Settings, monkeypatch: pytest.MonkeyPatch, fault: Any, said: str
) -> None:
    land(here, "top10_global", as_text(CHART, "\t"), "file.tsv")
    build("bronze.top10_global", [DAY], here)
    table = TABLES["silver.top10_global"]
    monkeypatch.setitem(TABLES, table.name, replace(table, function=lambda rows: fault(table.function(rows))))
    with pytest.raises(Blocked, match="rows_conserved"):
        build(table.name, [DAY], here)
    report = built(here, table.name)
    check = conserved(report)
    assert (check.passed, check.blocking) == (False, True)
    assert said in check.message
    assert store.row_count(here.lake, table.name) == 0, "nothing was written"
    monkeypatch.undo()
    assert conserved(build(table.name, [DAY], here)).passed
    assert store.row_count(here.lake, table.name) == 6


def test_bronze_that_holds_less_than_was_read_is_an_error(here: Settings) -> None:
    land(here, "top10_global", as_text(CHART, "\t"), "file.tsv")
    build("bronze.top10_global", [DAY], here)
    table = TABLES["bronze.top10_global"]
    assert conservation.prove_bronze(here.lake, table, {DAY: 6})[DAY].wrong == 0
    with pytest.raises(conservation.NotConserved, match="of 2026-01-20 7 records were read and 6 rows written"):
        conservation.prove_bronze(here.lake, table, {DAY: 7})


def test_every_silver_table_of_deliveries_says_how_its_rows_are_counted() -> None:
    assert SILVER
    for table in SILVER:
        assert {takes.read for takes in table.takes} == {read for read in table.reads if read.startswith("bronze.")}
        assert conservation.described(table)


def test_two_records_that_were_joined_are_both_accounted_for(here: Settings) -> None:
    header = "duration_minutes,duration_seasons,type,title,date_added,release_year,rating,description,show_id"
    whole = "90,,Movie,Red,9/9/2019,2018,R,Words.,1"
    broken = "95,,Movie,Blue,9/9/2019,2019,R,A story of,\r\n a fort.,2,,,,,,,"
    land(
        here,
        "netflix_titles",
        "\r\n".join([header, whole, broken, whole.replace("Red,", "Green,").replace(",1", ",3"), ""]).encode(),
    )
    build("bronze.netflix_titles", [DAY], here)
    report = build("silver.titles", [DAY], here)
    check = conserved(report)
    assert check.passed, check.message
    assert check.message == "4 given = 3 kept + 0 quarantined + 0 copies + 1 joined to another"


def test_a_refused_row_carries_the_record_as_delivered(here: Settings) -> None:
    rows = [{**row, "Unknown": "kept, too"} for row in CHART]
    rows[3]["weekly_rank"] = "fourth"
    land(here, "top10_global", as_text(rows, "\t"), "file.tsv")
    build("bronze.top10_global", [DAY], here)
    build("silver.top10_global", [DAY], here)
    (row,) = quarantine.rows(here.lake)
    assert row["raw"] == "2025-12-28\tTV (English)\tfourth\tShow 4\tkept, too"
    assert (row["source"], row["source_file"], row["record_number"], row["line_number"]) == (
        "top10_global",
        "file.tsv",
        4,
        5,
    )
    assert '"weekly_rank": null' in row["row"] and row["rules"] == ["weekly_rank_not_null"]
