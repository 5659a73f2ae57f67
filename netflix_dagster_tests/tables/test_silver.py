"""What silver makes of delivered text: types, repairs, both forms in one table, lists exploded."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.expectations import ALIKE
from netflix_dagster.lake import store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY = date(2020, 1, 20)
WHOLE = {
    "show_id": "1",
    "type": "Movie",
    "title": "One: A Beginning",
    "date_added": "September 9, 2019",
    "release_year": "2018",
    "rating": "TV-MA",
    "duration": "90 min",
    "description": "Words.",
}
SPLIT = {
    "show_id": "1",
    "type": "Movie",
    "title": "One: A Beginning",
    "date_added": "9/9/2019",
    "release_year": "2018",
    "rating": "TV-MA",
    "duration_minutes": "90",
    "description": "Words.",
}


def bronze(spark: SparkSession, name: str, *rows: dict[str, Any]) -> DataFrame:
    table = TABLES[f"bronze.{name}"]
    header = ",".join(c for c in table.column_names[1:] if c not in ("loaded_at", "run_id"))
    filled = [
        {"delivery_date": DAY, "source_file": f"{name}.csv", "source_header": header, "record_number": n, **row}
        for n, row in enumerate(rows, 1)
    ]
    return spark.createDataFrame([tuple(r.get(c) for c in table.column_names) for r in filled], store.ddl(table))


def titles(spark: SparkSession, whole: list[dict[str, Any]], split: list[dict[str, Any]] | None = None) -> Any:
    """The rows of silver.titles that are kept, by show_id."""
    both = bronze(spark, "netflix_catalogue", *whole), bronze(spark, "netflix_titles", *(split or []))
    return {row["show_id"]: row.asDict() for row in kept_titles(*both).collect()}


def judged(frame: DataFrame, table: Table) -> DataFrame:
    """The rows with the rules that they break; put aside while they are settled, as a build does."""
    rows = aside(expectations.annotate(frame, table))
    shared = tallies.shared(rows.select(ALIKE).toArrow().to_batches()) if table.identify else None
    return expectations.settle(rows, table, None, shared)


def aside(frame: DataFrame) -> DataFrame:
    """The frame computed once."""
    return frame.sparkSession.createDataFrame(frame.toArrow(), frame.schema)


def kept_titles(catalogue: DataFrame, split: DataFrame) -> DataFrame:
    """silver.titles, of these records of bronze."""
    table = TABLES["silver.titles"]
    return expectations.kept(judged(table.function(catalogue, split), table), table).select(*table.column_names)


def test_both_forms_say_the_same_of_a_title(spark: SparkSession) -> None:
    one = titles(spark, [WHOLE])["1"]
    other = titles(spark, [], [SPLIT])["1"]
    told = set(TABLES["silver.titles"].column_names) - {"form", "source_file"}
    assert {c: one[c] for c in told} == {c: other[c] for c in told}
    assert one["date_added"] == date(2019, 9, 9)
    assert (one["duration_minutes"], one["duration_seasons"], one["release_year"]) == (90, None, 2018)
    assert (one["short_title"], one["type_flag"], one["rating_family"]) == ("One", 1, "TV Parental Guidelines")
    assert (one["title_key"], one["natural_key"]) == ("movie|one: a beginning|2018", "movie|one: a beginning|2018")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"rating": "74 min", "duration": None}, (None, 74, None, ["rating_duration_swap"])),
        ({"rating": "R", "duration": "2 Seasons"}, ("R", None, 2, [])),
        ({"rating": "R", "duration": "1 Season"}, ("R", None, 1, [])),
        ({"rating": "R", "duration": None}, ("R", None, None, [])),
        ({"rating": None, "duration": "61 min"}, (None, 61, None, [])),
    ],
)
def test_lengths_are_integers_and_null_when_they_do_not_apply(
    spark: SparkSession, said: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    row = titles(spark, [{**WHOLE, **said}])["1"]
    assert (row["rating"], row["duration_minutes"], row["duration_seasons"], row["repairs"]) == expected


def test_the_type_flag_is_one_two_or_nought(spark: SparkSession) -> None:
    kinds = ["Movie", "TV Show", "Opera"]
    rows = titles(spark, [{**WHOLE, "show_id": str(n), "type": kind} for n, kind in enumerate(kinds)])
    assert [rows[str(n)]["type_flag"] for n in range(3)] == [1, 2, 0]


def test_text_is_tidied(spark: SparkSession) -> None:
    row = titles(spark, [{**WHOLE, "title": " The\u200b  Long\u00a0\nRoad ", "date_added": " September 9, 2019"}])["1"]
    assert row["title"] == "The Long Road"
    assert row["date_added"] == date(2019, 9, 9)


def test_namesakes_are_two_titles(spark: SparkSession) -> None:
    rows = titles(spark, [{**WHOLE, "description": "B."}, {**WHOLE, "show_id": "2", "description": "A."}])
    assert rows["2"]["title_key"] == "movie|one: a beginning|2018"
    assert rows["1"]["title_key"] == "movie|one: a beginning|2018|2"
    assert rows["1"]["natural_key"] == rows["2"]["natural_key"]


def test_an_exact_repeat_goes_and_does_not_make_a_namesake(spark: SparkSession) -> None:
    rows = titles(spark, [WHOLE, WHOLE])
    assert [row["title_key"] for row in rows.values()] == ["movie|one: a beginning|2018"]


def test_a_day_that_a_spreadsheet_made_of_a_title_is_one_identity(spark: SparkSession) -> None:
    one = titles(spark, [{**WHOLE, "title": "Oct-01"}])["1"]
    other = titles(spark, [], [{**SPLIT, "title": "1-Oct"}])["1"]
    assert one["title_key"] == other["title_key"] == "movie|1-oct|2018"
    assert (one["title"], other["title"]) == ("Oct-01", "1-Oct")


def test_where_both_forms_bring_a_title_the_whole_release_counts(spark: SparkSession) -> None:
    rows = titles(spark, [WHOLE], [{**SPLIT, "rating": "R"}, {**SPLIT, "show_id": "2", "title": "Two"}])
    assert {key: (row["form"], row["rating"]) for key, row in rows.items()} == {
        "1": ("whole", "TV-MA"),
        "2": ("split", "TV-MA"),
    }


def test_a_title_without_year_name_or_number_is_refused(spark: SparkSession) -> None:
    table = TABLES["silver.titles"]
    bad = [{**WHOLE, "show_id": str(n), missing: None} for n, missing in enumerate(["title", "type", "release_year"])]
    bad.append({**WHOLE, "show_id": "9", "release_year": "soon"})
    frame = table.function(bronze(spark, "netflix_catalogue", *bad), bronze(spark, "netflix_titles"))
    refused = expectations.refused(judged(frame, table), table).collect()
    assert {row["show_id"]: row[expectations.BROKEN] for row in refused} == {
        "0": ["title_not_null"],
        "1": ["type_not_null"],
        "2": ["release_year_not_null"],
        "9": ["release_year_not_null"],
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("type_known", {"type": "Opera"}),
        ("rating_known", {"rating": "XXX"}),
        ("release_year_plausible", {"release_year": "1066"}),
        ("date_added_readable", {"date_added": "the day before"}),
        ("duration_stated", {"duration": None}),
        ("released_before_added", {"release_year": "2020"}),
        ("title_not_mangled", {"title": "22-Jul"}),
    ],
)
def test_each_rule_of_titles_finds_what_it_is_for(spark: SparkSession, rule: str, said: dict[str, Any]) -> None:
    table = TABLES["silver.titles"]
    rows = [WHOLE, {**WHOLE, "show_id": "2", "title": "Other", **said}]
    frame = table.function(bronze(spark, "netflix_catalogue", *rows), bronze(spark, "netflix_titles"))
    found = tallies.tally(judged(frame, table).toArrow(), table)
    assert found["2020-01-20"].broken[rule] == 1


def listed(
    spark: SparkSession, table_name: str, whole: str | None, split: list[tuple[str, str]]
) -> list[tuple[Any, ...]]:
    table = TABLES[table_name]
    _, split_name, _ = table.reads
    column = TABLES[split_name].column_names[1]
    catalogue = bronze(spark, "netflix_catalogue", *([{**WHOLE, column: whole}] if whole is not None else []))
    rows = bronze(spark, split_name.split(".")[1], *({column: value, "show_id": show} for value, show in split))
    split_titles = bronze(spark, "netflix_titles", *([SPLIT] if split else []))
    known = aside(kept_titles(catalogue, split_titles))
    found = expectations.kept(judged(table.function(catalogue, rows, known), table), table)
    order, item = table.provenance[:2]
    return sorted((r[order], r[item], r["show_id"]) for r in found.collect())


def test_a_whole_release_is_exploded_in_its_order(spark: SparkSession) -> None:
    found = listed(spark, "silver.title_cast", "Bob Low,  Ann High, Cy\u00a0Mid", [])
    assert found == [(1, "Bob Low", "1"), (2, "Ann High", "1"), (3, "Cy Mid", "1")]


def test_stray_commas_make_no_countries(spark: SparkSession) -> None:
    assert listed(spark, "silver.title_countries", ", France, Poland,", []) == [(1, "France", "1"), (2, "Poland", "1")]
    assert listed(spark, "silver.title_countries", None, [("Poland,", "1")]) == [(1, "Poland", "1")]


def test_a_repeated_person_counts_once(spark: SparkSession) -> None:
    assert listed(spark, "silver.title_directors", "Ann High, Ann High", []) == [(1, "Ann High", "1")]


def test_an_item_in_another_case_is_the_same_item(spark: SparkSession) -> None:
    assert listed(spark, "silver.title_countries", "France, france", []) == [(1, "France", "1")]
