"""A record that a lost line break has broken in two is put together, and only when its halves fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.tables.silver.repair import REPAIR, join_broken_records, joined_fields

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TITLES = load_sources().sources["netflix_titles"]
HEADER = "duration_minutes,duration_seasons,type,title,date_added,release_year,rating,description,show_id"

BROKEN_IN_THE_TITLE = (
    ["40", None, "Movie", "The Memphis Belle: A Story of a", None, None, None, None, None],
    ['Flying Fortress"', "3/31/2017", "1944", "TV-PG", "A crew prepares.", "80119194", None, None, None],
)
BROKEN_IN_THE_DESCRIPTION = (
    ["87", None, "Movie", "A Bad Education", "12/15/2018", "2015", "TV-MA", "Anything could happen –", None],
    [' and probably will."', "80188902", *[None] * 7],
)


def test_a_record_broken_in_its_title_is_joined() -> None:
    assert joined_fields(*BROKEN_IN_THE_TITLE) == [
        "40",
        None,
        "Movie",
        "The Memphis Belle: A Story of a Flying Fortress",
        "3/31/2017",
        "1944",
        "TV-PG",
        "A crew prepares.",
        "80119194",
    ]


def test_a_record_broken_in_its_description_is_joined() -> None:
    head, tail = BROKEN_IN_THE_DESCRIPTION
    assert joined_fields(head, tail) == [*head[:7], "Anything could happen – and probably will.", "80188902"]


def test_joining_leaves_the_halves_as_they_were() -> None:
    head, tail = (list(half) for half in BROKEN_IN_THE_TITLE)
    joined_fields(head, tail)
    assert (head, tail) == BROKEN_IN_THE_TITLE


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        ("A Story of a", 'Fort"', "A Story of a Fort"),
        ("A Story of a  ", "  Fort", "A Story of a Fort"),
        ('The "Best', 'Fort"', 'The "Best Fort"'),
        ('The "Best"', 'Fort"', 'The "Best" Fort'),
        ('A 6" Story of', "a Fort", 'A 6" Story of a Fort'),
    ],
)
def test_the_quote_that_the_break_left_over_is_taken_away(left: str, right: str, whole: str) -> None:
    assert joined_fields(["1", left, None], [right, "7", None]) == ["1", whole, "7"]


def test_values_that_are_empty_inside_a_half_stay_empty() -> None:
    head = ["1", None, "A Story of", None, None, None]
    tail = ["a Fort", None, None, "7", None, None]
    assert joined_fields(head, tail) == ["1", None, "A Story of a Fort", None, None, "7"]


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        pytest.param(["1", "A", None, None], ["B", "7", None, None], id="one field too few"),
        pytest.param(["1", "A", None, None], ["B", "2019", "R", "7"], id="one field too many"),
        pytest.param([None] * 4, ["B", "2019", "R", "7"], id="no head"),
        pytest.param(["1", "A", "2019", "R"], [None] * 4, id="no tail"),
        pytest.param([None] * 4, [None] * 4, id="nothing"),
        pytest.param([], [], id="no fields at all"),
        pytest.param(["1", "A", "2019", None], ["1", "B", "2019", None], id="two records without their numbers"),
    ],
)
def test_halves_that_do_not_fit_are_not_joined(head: list[str | None], tail: list[str | None]) -> None:
    assert joined_fields(head, tail) is None


# The same on the engine, from the bytes of a file


def bronze(spark: SparkSession, *lines: str, header: str = HEADER) -> DataFrame:
    parsed = parse_bytes("\n".join([header, *lines, ""]).encode(), TITLES)
    assert not parsed.refusals
    rows = [("2020-02-01", "x.csv", r.number, parsed.header_line, *r.values) for r in parsed.rows]
    columns = ", ".join(f"`{name}` string" for name in TITLES.columns)
    place = "delivery_date string, source_file string, record_number bigint, source_header string"
    return spark.createDataFrame(rows, f"{place}, {columns}")


def repaired(records: DataFrame) -> list[tuple[int, str | None, str | None, list[str]]]:
    rows = join_broken_records(records, TITLES).orderBy("record_number").collect()
    return [(row.record_number, row.show_id, row.title, row.repairs) for row in rows]


SOUND = "1,,Movie,Sound,1/1/2017,2000,R,It is whole.,{}"
HEAD = "40,,Movie,A Story of a,,,,,"
TAIL = '"{}""",3/31/2017,1944,TV-PG,A crew prepares.,{},,,'


def test_the_whole_takes_the_place_of_its_head_and_says_that_it_was_joined(spark: SparkSession) -> None:
    records = bronze(spark, SOUND.format(1), HEAD, TAIL.format("Fort", 2), SOUND.format(3))
    assert repaired(records) == [(1, "1", "Sound", []), (2, "2", "A Story of a Fort", [REPAIR]), (4, "3", "Sound", [])]


def test_two_broken_records_in_a_row_are_told_apart(spark: SparkSession) -> None:
    records = bronze(spark, HEAD, TAIL.format("Fort", 1), HEAD, TAIL.format("Keep", 2))
    assert repaired(records) == [(1, "1", "A Story of a Fort", [REPAIR]), (3, "2", "A Story of a Keep", [REPAIR])]


def test_a_head_without_its_tail_stays_as_it_is(spark: SparkSession) -> None:
    records = bronze(spark, HEAD, SOUND.format(1), TAIL.format("Fort", 2))
    assert [(number, repairs) for number, _, _, repairs in repaired(records)] == [(1, []), (2, []), (3, [])]


def test_nothing_is_joined_where_a_column_is_not_known(spark: SparkSession) -> None:
    header = HEADER.replace("type,", "type,mood,")
    records = bronze(spark, "40,,Movie,sad,A Story of a,,,,,", TAIL.format("Fort", 1) + ",", header=header)
    assert [repairs for *_, repairs in repaired(records)] == [[], []]
