"""The engagement reports: what silver makes of a report's cells, and which report gold believes."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample.engagement import FIRST_DAY, SECOND_DAY, engagement_files
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY = date(2024, 5, 23)
SAID = {
    "delivery_date": DAY,
    "sheet": "TV",
    "preamble": "What We Watched\nViews from July to December 2023",
    "title": "Sea Song: Season 1 // Lied der See: Staffel\u00a01",
    "available_globally": "Yes",
    "release_date": "2023-08-31",
    "hours_viewed": "541900000",
    "runtime": "7:34",
    "views": "71600000",
    "source_file": "What_We_Watched.xlsx",
}
Row = dict[str, Any]


def judged(spark: SparkSession, *rows: Row) -> DataFrame:
    """The rows of silver.engagement with the rules that they break."""
    bronze, table = TABLES["bronze.engagement"], TABLES["silver.engagement"]
    filled = [{**SAID, "record_number": n, **row} for n, row in enumerate(rows, 1)]
    frame = spark.createDataFrame([tuple(r.get(c) for c in bronze.column_names) for r in filled], store.ddl(bronze))
    return expectations.settle(expectations.annotate(table.function(frame), table), table)


def silver(spark: SparkSession, *rows: Row) -> list[Row]:
    """The rows that are kept, in the order given."""
    kept = expectations.kept(judged(spark, *rows), TABLES["silver.engagement"]).collect()
    return sorted((row.asDict() for row in kept), key=lambda row: row["record_number"])


def test_a_row_is_typed_and_its_title_taken_apart(spark: SparkSession) -> None:
    (row,) = silver(spark, {})
    told = {name: row[name] for name in TABLES["silver.engagement"].column_names}
    assert told == {
        "delivery_date": DAY,
        "period": "2023H2",
        "period_start": date(2023, 7, 1),
        "period_end": date(2023, 12, 31),
        "kind": "tv",
        "title_delivered": "Sea Song: Season 1 // Lied der See: Staffel 1",
        "title_words": "sea song: season 1 // lied der see: staffel 1",
        "work": "2023-08-31|454",
        "title": "Sea Song: Season 1",
        "native_title": "Lied der See: Staffel 1",
        "show_title": "Sea Song",
        "season_title": "Sea Song: Season 1",
        "chart_title_key": "tv|sea song",
        "available_globally": True,
        "release_date": date(2023, 8, 31),
        "hours_viewed": 541_900_000,
        "runtime_minutes": 454,
        "views": 71_600_000,
        "source_file": "What_We_Watched.xlsx",
        "record_number": 1,
    }


PERIODS = {
    ("Hours viewed from January to June 2023", "x.xlsx"): ("2023H1", date(2023, 1, 1), date(2023, 6, 30)),
    ("January - June 2024", "x.xlsx"): ("2024H1", date(2024, 1, 1), date(2024, 6, 30)),
    ("Views, Jul. 2024 – Dec. 2024", "x.xlsx"): ("2024H2", date(2024, 7, 1), date(2024, 12, 31)),
    ("The first half of 2025", "x.xlsx"): ("2025H1", date(2025, 1, 1), date(2025, 6, 30)),
    ("Report H2 2025", "x.xlsx"): ("2025H2", date(2025, 7, 1), date(2025, 12, 31)),
    ("July 2023 to June 2024", "x.xlsx"): ("2023-07..2024-06", date(2023, 7, 1), date(2024, 6, 30)),
    ("January to February 2024", "x.xlsx"): ("2024-01..2024-02", date(2024, 1, 1), date(2024, 2, 29)),
    ("A report", "What_We_Watched_2024Jan-Jun.xlsx"): ("2024H1", date(2024, 1, 1), date(2024, 6, 30)),
    (None, "report_2024H2.xlsx"): ("2024H2", date(2024, 7, 1), date(2024, 12, 31)),
    ("January to June 2023", "report_2024H2.xlsx"): ("2023H1", date(2023, 1, 1), date(2023, 6, 30)),
}


def test_the_period_is_what_the_preamble_says_else_what_the_file_is_called(spark: SparkSession) -> None:
    rows = [{"preamble": said, "source_file": file, "title": str(n)} for n, (said, file) in enumerate(PERIODS)]
    found = [(row["period"], row["period_start"], row["period_end"]) for row in silver(spark, *rows)]
    assert found == list(PERIODS.values())


@pytest.mark.parametrize("said", ["A report", "December to July 2023", None])
def test_a_report_without_a_period_is_refused_with_a_hint(spark: SparkSession, said: str | None) -> None:
    refused = expectations.refused(judged(spark, {"preamble": said}), TABLES["silver.engagement"]).collect()
    assert [row[expectations.BROKEN] for row in refused] == [["period_not_null"]]
    rule = next(rule for rule in TABLES["silver.engagement"].rules if rule.name == "period_not_null")
    assert "above the header" in rule.hint


KINDS = {
    # (sheet, title): kind, show
    ("TV", "Lupin: Part 3"): ("tv", "Lupin"),
    ("Shows", "Avatar: The Last Airbender: Book 1"): ("tv", "Avatar: The Last Airbender"),
    ("TV Series", "The Legend of Korra: Book One: Air"): ("tv", "The Legend of Korra"),
    ("tv", "Chef's Table: Volume 4: Pastry"): ("tv", "Chef's Table"),
    ("TV", "Unicorn Academy: Chapter 1"): ("tv", "Unicorn Academy"),
    ("TV", "The OA: Part II"): ("tv", "The OA"),
    ("TV", "BAKI: Season 1: Part 2"): ("tv", "BAKI"),
    ("TV", "Attack on Titan: The Final Season Part 1"): ("tv", "Attack on Titan"),
    ("TV", "Monica Toy: Collection"): ("tv", "Monica Toy"),
    ("TV", "Fruits Basket: 1st season"): ("tv", "Fruits Basket"),
    ("TV", "Whitney Cummings: Jokes"): ("tv", "Whitney Cummings: Jokes"),
    ("TV", "Gone: Part of the Sea"): ("tv", "Gone: Part of the Sea"),
    ("Film", "Kill Bill: Volume 1"): ("film", "Kill Bill: Volume 1"),
    ("Movies", "Making The Witcher: Season 3"): ("film", "Making The Witcher: Season 3"),
    ("Engagement", "Downton Abbey: Series 2"): ("tv", "Downton Abbey"),
    ("Engagement", "Kaleidoscope: Limited Series"): ("tv", "Kaleidoscope"),
    ("Engagement", "Türkisch für Anfänger: Staffel 2"): ("tv", "Türkisch für Anfänger"),
    ("Engagement", "The Hangover: Part II"): ("any", "The Hangover: Part II"),
    ("Film and TV", "The Mother"): ("any", "The Mother"),
}


def test_the_kind_is_the_sheets_or_a_seasons_and_a_season_is_no_part_of_the_show(spark: SparkSession) -> None:
    rows = silver(spark, *({"sheet": sheet, "title": title} for sheet, title in KINDS))
    assert {
        (sheet, row["title"]): (row["kind"], row["show_title"]) for (sheet, _), row in zip(KINDS, rows, strict=True)
    } == KINDS
    for row in rows:
        assert row["season_title"] == (row["title"] if row["title"] != row["show_title"] else None)
        key = None if row["kind"] == "any" else f"{row['kind']}|{row['show_title'].lower()}"
        assert row["chart_title_key"] == key


@pytest.mark.parametrize(
    ("column", "said", "name", "expected"),
    [
        ("release_date", "2023-08-31 00:00:00", "release_date", date(2023, 8, 31)),
        ("release_date", "August 31, 2023", "release_date", date(2023, 8, 31)),
        ("release_date", None, "release_date", None),
        ("hours_viewed", "541,900,000", "hours_viewed", 541_900_000),
        ("available_globally", "No", "available_globally", False),
        ("available_globally", "true", "available_globally", True),
        ("runtime", "25:07", "runtime_minutes", 1507),
        ("runtime", "1:30:20", "runtime_minutes", 90),
        ("runtime", "*", "runtime_minutes", None),
        ("views", None, "views", None),
        ("title", "두근두근 내 인생", "native_title", None),
        ("title", "Dragon // 武俠 // 武侠", "native_title", "武俠 // 武侠"),
    ],
)
def test_cells_are_read_in_every_form_they_come_in(
    spark: SparkSession, column: str, said: str | None, name: str, expected: Any
) -> None:
    (row,) = silver(spark, {column: said})
    assert row[name] == expected


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("title_delivered_not_null", {"title": "\u200b"}),
        ("hours_viewed_not_null", {"hours_viewed": "Hours Viewed"}),
        ("hours_viewed_not_null", {"hours_viewed": "1.5"}),
        ("hours_not_negative", {"hours_viewed": "-1", "views": None}),
        ("release_date_readable", {"release_date": "soon"}),
        ("available_globally_readable", {"available_globally": "partly"}),
        ("runtime_readable", {"runtime": "7h 34"}),
        ("runtime_minutes_plausible", {"runtime": "0:00"}),
        ("views_readable", {"views": "many"}),
        ("views_are_hours_by_length", {"views": "70000000"}),
        ("released_by_the_end", {"release_date": "2024-01-01"}),
        ("known_kind", {"sheet": "Engagement", "title": "The Mother"}),
    ],
)
def test_each_rule_finds_what_it_is_for(spark: SparkSession, rule: str, said: Row) -> None:
    table = TABLES["silver.engagement"]
    found = tallies.tally(judged(spark, {"title": "Sound"}, {"title": "Other", **said}).toArrow(), table)
    broken = {name: count for name, count in found[str(DAY)].broken.items() if count}
    assert broken == {rule: 1}


def test_a_title_that_a_report_repeats_counts_once_and_one_that_contradicts_itself_is_refused(
    spark: SparkSession,
) -> None:
    found = judged(spark, {}, {}, {"hours_viewed": "541800000"})
    assert [row["record_number"] for row in expectations.kept(found, TABLES["silver.engagement"]).collect()] == [1]
    refused = expectations.refused(found, TABLES["silver.engagement"]).collect()
    assert [(row["record_number"], row[expectations.BROKEN]) for row in refused] == [(3, [expectations.UNIQUE])]


def test_a_title_spelled_in_two_cases_counts_once(spark: SparkSession) -> None:
    found = judged(
        spark, {"title": "Red Song"}, {"title": "RED SONG"}, {"title": "red song", "hours_viewed": "7", "views": None}
    )
    assert [row["title"] for row in expectations.kept(found, TABLES["silver.engagement"]).collect()] == ["Red Song"]
    refused = expectations.refused(found, TABLES["silver.engagement"]).collect()
    assert [(row["record_number"], row[expectations.BROKEN]) for row in refused] == [(3, [expectations.UNIQUE])]


@pytest.mark.parametrize("season", ["Season 2", "Limited Series", "Part II", "The Final Season"])
def test_a_season_in_capitals_is_that_season(spark: SparkSession, season: str) -> None:
    found = judged(spark, {"title": f"Red Song: {season}"}, {"title": f"RED SONG: {season.upper()}"})
    (kept,) = expectations.kept(found, TABLES["silver.engagement"]).collect()
    assert (kept["show_title"], kept["chart_title_key"]) == ("Red Song", "tv|red song")
    assert expectations.refused(found, TABLES["silver.engagement"]).count() == 0, "the other is a copy"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("one_period", {"preamble": "Views from July to December 2023, and from January to June 2023"}),
        ("one_period", {"preamble": None, "source_file": "2023H2 or 2023H1.xlsx"}),
        ("hours_viewed_not_null", {"hours_viewed": "12,34"}),
        ("hours_plausible", {"hours_viewed": str(2**63 - 1), "views": None}),
        ("views_plausible", {"views": str(2**63 - 1), "runtime": None}),
        ("views_readable", {"views": "12,34"}),
        ("runtime_readable", {"runtime": "1,97"}),
        ("release_date_readable", {"release_date": "soon"}),
    ],
)
def test_a_row_that_cannot_be_understood_is_refused_by_a_rule_that_says_so(
    spark: SparkSession, rule: str, said: Row
) -> None:
    refused = expectations.refused(judged(spark, said, {"title": "Sound"}), TABLES["silver.engagement"]).collect()
    assert [(row["record_number"], row[expectations.BROKEN]) for row in refused] == [(1, [rule])]


def test_two_forms_of_one_period_are_one(spark: SparkSession) -> None:
    (row,) = silver(spark, {"preamble": "Views in H2 2023, July to December 2023 (2023H2)"})
    assert row["period"] == "2023H2"


def test_a_hidden_sheet_gives_way_to_one_that_can_be_seen(spark: SparkSession) -> None:
    hidden = {"sheet_state": "hidden", "hours_viewed": "7", "runtime": "1:00", "views": None}
    found = judged(spark, hidden, {**hidden, "title": "Withdrawn"}, {})
    assert [row["record_number"] for row in expectations.kept(found, TABLES["silver.engagement"]).collect()] == [3]
    refused = expectations.refused(found, TABLES["silver.engagement"]).collect()
    assert {(row["record_number"], *row[expectations.BROKEN]) for row in refused} == {
        (1, "sheet_visible"),
        (2, "sheet_visible"),
    }
    assert len(silver(spark, hidden)) == 1, "a workbook that hides all of it says what it says"


# Which report gold believes


def gold(spark: SparkSession, *rows: Row) -> dict[tuple[str, str, str], tuple[int, date]]:
    """(period, kind, title) -> hours, and the delivery that says so."""
    fact = TABLES["gold.fact_engagement"]
    names = TABLES["silver.engagement"].column_names
    kept = expectations.kept(judged(spark, *rows), TABLES["silver.engagement"]).select(*names)
    annotated = expectations.annotate(fact.function(kept), fact)
    assert all(
        not tally.broken[rule] for tally in tallies.tally(annotated.toArrow(), fact).values() for rule in tally.broken
    )
    return {
        (row["period"], row["kind"], row["title_delivered"]): (row["hours_viewed"], row["stated_on"])
        for row in annotated.collect()
    }


EARLY, LATE = date(2024, 1, 1), date(2024, 7, 1)


def report(day: date, sheet: str, title: str, hours: int, half: str = "H1 2023") -> Row:
    said = {"views": None, "runtime": None, "release_date": None}
    return {
        "delivery_date": day,
        "sheet": sheet,
        "title": title,
        "hours_viewed": str(hours),
        "preamble": half,
        **said,
    }


def test_the_newest_report_counts_and_a_title_that_it_leaves_out_stays(spark: SparkSession) -> None:
    early = [report(EARLY, "TV", "A", 1), report(EARLY, "TV", "B", 2), report(EARLY, "Film", "A", 3)]
    late = [report(LATE, "TV", "A", 10), report(LATE, "TV", "A", 11, "H2 2023")]
    assert gold(spark, *early, *late) == {
        ("2023H1", "tv", "A"): (10, LATE),
        ("2023H1", "tv", "B"): (2, EARLY),
        ("2023H1", "film", "A"): (3, EARLY),
        ("2023H2", "tv", "A"): (11, LATE),
    }


def test_what_one_report_does_not_tell_apart_is_what_the_others_say(spark: SparkSession) -> None:
    early = [report(EARLY, "Engagement", title, n) for n, title in enumerate(["A", "B: Part 1", "C", "D"])]
    late = [
        report(LATE, sheet, title, 100, "H2 2023")
        for sheet, title in [("Film", "A"), ("TV", "B: Part 1"), ("TV", "C"), ("Film", "C")]
    ]
    found = gold(spark, *early, *late)
    assert {key: hours for key, (hours, _) in found.items() if key[0] == "2023H1"} == {
        ("2023H1", "film", "A"): 0,
        ("2023H1", "tv", "B: Part 1"): 1,
        ("2023H1", "any", "C"): 2,
        ("2023H1", "any", "D"): 3,
    }


def test_a_title_taken_for_a_show_elsewhere_loses_its_season_here(spark: SparkSession) -> None:
    fact, names = TABLES["gold.fact_engagement"], TABLES["silver.engagement"].column_names
    rows = [report(EARLY, "Engagement", "B: Part 1", 1), report(LATE, "TV", "B: Part 1", 2, "H2 2023")]
    kept = expectations.kept(judged(spark, *rows), TABLES["silver.engagement"]).select(*names)
    found = {(row["show_title"], row["season_title"], row["chart_title_key"]) for row in fact.function(kept).collect()}
    assert found == {("B", "B: Part 1", "tv|b")}


def test_a_report_that_tells_kinds_apart_replaces_one_that_does_not_and_the_other_way_round(
    spark: SparkSession,
) -> None:
    apart = [report(LATE, "TV", "C", 1), report(LATE, "Film", "C", 2)]
    assert gold(spark, report(EARLY, "Engagement", "C", 9), *apart) == {
        ("2023H1", "tv", "C"): (1, LATE),
        ("2023H1", "film", "C"): (2, LATE),
    }
    newer = date(2025, 1, 1)
    assert gold(spark, report(newer, "Engagement", "C", 9), *apart) == {("2023H1", "any", "C"): (9, newer)}


def test_a_workbook_that_tells_kinds_apart_and_does_not_counts_what_is_told(spark: SparkSession) -> None:
    rows = [report(LATE, "Engagement", "C", 9), report(LATE, "TV", "C", 1)]
    for said in (rows, rows[::-1]):
        assert gold(spark, *said) == {("2023H1", "tv", "C"): (1, LATE)}


def test_a_title_that_a_newer_report_spells_in_another_case_is_replaced(spark: SparkSession) -> None:
    found = gold(spark, report(EARLY, "TV", "Red Song", 1), report(LATE, "TV", "RED SONG", 2))
    assert found == {("2023H1", "tv", "RED SONG"): (2, LATE)}


def works(spark: SparkSession, *rows: Row) -> list[tuple[str, str, str, int, date]]:
    """(period, work, chart_title_key, hours, first stated), in order."""
    kept = expectations.kept(judged(spark, *rows), TABLES["silver.engagement"])
    fact = TABLES["gold.fact_engagement"]
    annotated = expectations.annotate(fact.function(kept.select(*TABLES["silver.engagement"].column_names)), fact)
    assert tallies.tally(annotated.toArrow(), fact)[None].broken[expectations.UNIQUE] == 0
    names = ("period", "work", "chart_title_key", "hours_viewed", "first_stated")
    return sorted(tuple(row[name] for name in names) for row in annotated.collect())


def film(day: date, title: str, hours: int, released: str | None, runtime: str, half: str = "H2 2024") -> Row:
    return {**report(day, "Film", title, hours, half), "release_date": released, "runtime": runtime}


def test_works_of_one_name_are_told_apart_in_every_period_and_by_no_more_than_is_needed(spark: SparkSession) -> None:
    rows = [
        film(LATE, "Maria", 5, "2019-05-01", "1:30", "H1 2024"),
        film(LATE, "Maria", 3, "2019-05-01", "1:30"),
        film(LATE, "MARIA", 4, "2024-12-11", "2:04"),
        film(LATE, "Monster", 1, None, "1:00"),
        film(LATE, "Monster", 2, None, "2:00"),
        film(LATE, "Alone", 6, "2020-01-01", "1:10"),
        film(LATE, "Alone", 7, "2020-01-02", "1:11", "H1 2024"),
    ]
    found = [(period, work, key, hours) for period, work, key, hours, _ in works(spark, *rows)]
    assert found == [
        ("2024H1", "", "film|alone", 7),
        ("2024H1", "2019-05-01", "film|maria|2019-05-01", 5),
        ("2024H2", "", "film|alone", 6),
        ("2024H2", "2019-05-01", "film|maria|2019-05-01", 3),
        ("2024H2", "2024-12-11", "film|maria|2024-12-11", 4),
        ("2024H2", "undated|120", "film|monster|undated|120", 2),
        ("2024H2", "undated|60", "film|monster|undated|60", 1),
    ]


def test_a_newer_report_that_corrects_a_length_brings_no_second_work(spark: SparkSession) -> None:
    rows = [film(EARLY, "Maria", 3, "2019-05-01", "1:30"), film(LATE, "Maria", 4, "2019-05-02", "1:31")]
    assert works(spark, *rows) == [("2024H2", "", "film|maria", 4, EARLY)]


# The sample reports


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for place, data in engagement_files().items():
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_bytes(data)
    return folder


def deliver(landing: Path, lake: Path, days: list[str]) -> list[Row]:
    """Build the tables, one delivery after the other, and return gold's rows in order."""
    settings = Settings(landing=landing, lake=lake)
    for day in days:
        names = ("bronze.engagement", "silver.engagement", "gold.fact_engagement")
        with Session(settings, load_sources(), "test", names, {"engagement": [day]}) as session:
            for report in map(session.build, session.tables):
                assert all(not outcome.held_back and not outcome.quarantined for outcome in report.outcomes.values())
    held = DeltaTable(store.location(lake, "gold.fact_engagement")).to_pyarrow_table()
    return sorted(held.to_pylist(), key=lambda row: tuple(row[c] for c in TABLES["gold.fact_engagement"].key))


def test_the_sample_reports_are_the_same_bytes_every_time() -> None:
    assert engagement_files() == engagement_files()
    assert list(engagement_files()) == [f"engagement/{day}/What_We_Watched.xlsx" for day in (FIRST_DAY, SECOND_DAY)]


@pytest.mark.usefixtures("spark")
def test_the_sample_reports_end_in_the_same_table_in_any_order(landing: Path, tmp_path: Path) -> None:
    days = [str(FIRST_DAY), str(SECOND_DAY)]
    tables = [deliver(landing, tmp_path / str(n), list(order)) for n, order in enumerate(itertools.permutations(days))]
    assert tables[0] == tables[1]
    assert {(row["period"], row["kind"]) for row in tables[0]} >= {
        ("2025H1", "any"),
        ("2025H1", "film"),
        ("2025H2", "tv"),
    }
    assert {row["period"]: row["views"] is None for row in tables[0]} == {"2025H1": True, "2025H2": False}
    assert len(tables[0]) == 80
    assert any(row["runtime_minutes"] is None and row["views"] for row in tables[0])
    assert any(row["native_title"] and "//" in row["native_title"] for row in tables[0])
