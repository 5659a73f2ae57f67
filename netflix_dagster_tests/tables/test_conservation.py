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
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.report import Check, Report
from netflix_dagster.deliveries import attempts, quarantine
from netflix_dagster.deliveries.life import Life
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.lakehouse import split_files, title

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

pytestmark = pytest.mark.usefixtures("spark")
EXAMPLES = int(os.environ.get("NETFLIX_SOAK") or examples(3))
DAY = "2026-01-20"
SILVER = [table for table in TABLES.values() if table.layer == "silver" and table.per_delivery]
CHARTS = ("bronze.top10_global", "silver.top10_global")
CATALOGUE = [name for name, table in TABLES.items() if table.feed == "catalogue" and table.judged_by_delivery]
LISTS = ("cast", "director", "country", "listed_in")
SPLIT = {"netflix_cast": "cast", "netflix_directors": "director", "netflix_countries": "country"}
DIRTY = st.sampled_from(
    [
        "",
        " ",
        ",",
        ", ,",
        "A",
        "B\u00a0b",
        "A, B",
        ",A,",
        "A,,B",
        "\u200b",
        "x\ny",
        '"q", r',
        "é, A",
        "N/A",
        "\u200d",
        "a\u200c, \u200d",
    ]
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


def built(here: Settings, *names: str) -> dict[str, Report]:
    """Have the runner build some tables together, as those of one feed are."""
    feed = TABLES[names[0]].feed or ""
    with Session(here, load_sources(), "test", names, {feed: [DAY]}) as session:
        return {name: session.build(name) for name in session.tables}


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
    reports = built(here, *CATALOGUE)
    is_held = any(report.outcome(DAY).held_back for report in reports.values())
    for source in ("netflix_catalogue", *lists):
        rows = store.row_count(here.lake, f"bronze.{source}")
        assert reports[f"bronze.{source}"].outcome(DAY).rows == records(here, source)
        assert rows == (0 if is_held else records(here, source)), "what is held is in no table"
        assert is_held or conserved(reports[f"bronze.{source}"]).passed
    for name in ("titles", "title_cast", "title_directors", "title_countries", "title_genres"):
        outcome = reports[f"silver.{name}"].outcome(DAY)
        check = [c for c in outcome.checks if c.name == conservation.RULE]
        assert all(c.passed for c in check), check
        assert bool(check) == bool(outcome.checks)
        assert in_quarantine(here, f"silver.{name}") == outcome.quarantined
        assert store.row_count(here.lake, f"silver.{name}") == (0 if is_held else outcome.rows)
        event(f"{name}: held back {bool(outcome.held_back)}, refused {bool(outcome.quarantined)}")
        if name == "titles" and not outcome.held_back:
            assert check and outcome.rows + outcome.quarantined + outcome.copies == len(whole)


@soaked
@given(rows=st.lists(PLACE, min_size=1, max_size=12))
def test_a_dirty_chart_is_conserved(houses: Callable[[], Settings], rows: list[dict[str, str]]) -> None:
    here = houses()
    land(here, "top10_global", as_text(rows, "\t"), "file.tsv")
    reports = built(here, *CHARTS)
    assert reports["bronze.top10_global"].outcome(DAY).rows == len(rows) == records(here, "top10_global")
    outcome = reports["silver.top10_global"].outcome(DAY)
    (check,) = (c for c in outcome.checks if c.name == conservation.RULE)
    assert check.passed, check.message
    assert check.rows == len(rows)
    assert in_quarantine(here, "silver.top10_global") == outcome.quarantined
    if not outcome.held_back:
        assert outcome.rows + outcome.quarantined + outcome.copies == len(rows)
        assert conserved(reports["bronze.top10_global"]).rows == len(rows)


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
    outcome = built(here, "bronze.netflix_cast")["bronze.netflix_cast"].outcome(DAY)
    assert bool(refused) == bool(outcome.held_back)
    newest = Life.read(here.lake).deliveries["netflix_cast", DAY].newest
    table = TABLES["bronze.netflix_cast"]
    aside = attempts.place(here.lake, "netflix_cast", DAY, newest.fingerprint).exists()
    taken = attempts.arrow(here.lake, table, {DAY: newest.fingerprint}, ["record_number"]) if aside else None
    assert (taken.num_rows if taken else 0) == (0 if refused else len(lines))
    at_the_door = quarantine.rows(here.lake, quarantine.Selection(table=table.name))
    assert [row["record_number"] for row in at_the_door] == refused
    assert [row["raw"] for row in at_the_door] == [lines[number - 1] for number in refused]
    assert {row["source"] for row in at_the_door} <= {"netflix_cast"}


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
    table = TABLES["silver.top10_global"]
    monkeypatch.setitem(TABLES, table.name, replace(table, function=lambda rows: fault(table.function(rows))))
    report = built(here, *CHARTS)[table.name]
    assert "rows_conserved" in report.held_back[DAY]
    check = conserved(report)
    assert (check.passed, check.blocking) == (False, True)
    assert said in check.message
    assert store.row_count(here.lake, table.name) == 0, "nothing was written"
    monkeypatch.undo()
    assert conserved(built(here, *CHARTS)[table.name]).passed
    assert store.row_count(here.lake, table.name) == 6


def test_bronze_that_holds_less_than_was_read_is_an_error(here: Settings) -> None:
    land(here, "top10_global", as_text(CHART, "\t"), "file.tsv")
    built(here, *CHARTS)
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
    check = conserved(built(here, "bronze.netflix_titles", "silver.titles")["silver.titles"])
    assert check.passed, check.message
    assert check.message == "4 given = 3 kept + 0 quarantined + 0 copies + 1 joined to another"


def test_both_forms_of_a_date_are_taken_once_and_every_row_is_accounted_for(here: Settings) -> None:
    """The split form repeats a title under another number, brings one of its own, and lists what nobody brings."""
    whole = [title(1, title="Alpha"), title(2, title="Beta"), title(2, title="Clash")]
    split = split_files([title(1, title="Gamma"), title(77, title="Beta", release_year=whole[1]["release_year"])])
    split["netflix_cast"] += "Nobody,s5\r\n"
    land(here, "netflix_catalogue", as_text(whole))
    for source, text in split.items():
        land(here, source, text.encode())
    reports = built(here, *CATALOGUE)
    assert not any(report.held_back for report in reports.values()), reports
    held = store.read_arrow(here.lake, "silver.titles", columns=["form", "show_id", "title", "copies"])
    assert held is not None
    assert {(row["form"], row["show_id"], row["title"], *row["copies"]) for row in held.to_pylist()} == {
        ("whole", "s1", "Alpha"),
        ("whole", "s2", "Beta", "split:s77"),
        ("split", "s1", "Gamma"),
    }
    cast = store.read_arrow(here.lake, "silver.title_cast", columns=["form", "record_number"])
    assert cast is not None
    assert sorted((row["form"], row["record_number"]) for row in cast.to_pylist()) == [
        *(("split", n) for n in (1, 2, 3)),
        *(("whole", n) for n in (1, 1, 1, 2, 2, 2)),
    ]
    assert in_quarantine(here, "silver.title_cast") == 4, "the cast of Clash, and of nobody's title"


def test_a_refused_row_carries_the_record_as_delivered(here: Settings) -> None:
    rows = [{**row, "Unknown": "kept, too"} for row in CHART]
    rows[3]["weekly_rank"] = "fourth"
    land(here, "top10_global", as_text(rows, "\t"), "file.tsv")
    built(here, *CHARTS)
    (row,) = quarantine.rows(here.lake)
    assert row["raw"] == "2025-12-28\tTV (English)\tfourth\tShow 4\tkept, too"
    assert (row["source"], row["source_file"], row["record_number"], row["line_number"]) == (
        "top10_global",
        "file.tsv",
        4,
        5,
    )
    assert '"weekly_rank": null' in row["row"] and row["rules"] == ["weekly_rank_not_null"]


@pytest.mark.parametrize(
    "name", ["two  spaces.csv", "re\u0301gime.csv", " first.csv", "a\u00a0b.csv", "a\nb.csv", "x\u200by.csv"], ids=repr
)
def test_the_rows_of_a_file_of_any_name_are_found_again_by_its_name(here: Settings, name: str) -> None:
    """Provenance is kept letter by letter: tidied, it would name a file that nobody delivered."""
    title = {"show_id": "1", "type": "Movie", "title": "Red", "director": "A", "cast": "B, C", "country": "Peru"}
    rest = {"date_added": "", "release_year": "2018", "rating": "", "duration": "90 min", "listed_in": "Dramas"}
    land(here, "netflix_catalogue", as_text([{**title, **rest, "description": "Words."}]), name)
    reports = built(here, *CATALOGUE)
    assert reports["bronze.netflix_catalogue"].outcome(DAY).rows == 1
    for table, rows in (("silver.titles", 1), ("silver.title_cast", 2)):
        report = reports[table]
        assert conserved(report).passed, conserved(report).message
        held = store.read_arrow(here.lake, table, columns=["source_file"])
        assert held is not None
        assert held.column(0).to_pylist() == [name] * rows
