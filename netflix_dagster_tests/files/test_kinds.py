"""What the values of a column are, judged by all of them."""

from __future__ import annotations

from collections import Counter

import pytest

from netflix_dagster.files.kinds import DAY_FIRST, EITHER, MONTH_FIRST, Found, pattern_of, recognise
from netflix_dagster.files.profiling.columns import profile_column
from netflix_dagster.files.profiling.keys import candidate_keys


def found(*values: str) -> Found:
    return recognise(Counter(values))


def odd(*values: str) -> dict[str, int]:
    """What is odd about a column of these values, with the number of rows."""
    _, oddities = profile_column("c", "c", values, range(2, len(values) + 2))
    return {oddity.what: oddity.rows for oddity in oddities}


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [
        (["1", "20", "-3"], "integer", "-3", "20"),
        (["1,000", "20", "1,234,567"], "integer", "20", "1234567"),
        (["1.5", "20", ".25"], "decimal", "0.25", "20"),
        (["1,5", "20,25"], "decimal", "1.5", "20.25"),
        (["Yes", "no", "yes"], "boolean", None, None),
        (["2024-02-29", "2023-01-01"], "date", "2023-01-01", "2024-02-29"),
        (["2024-02-29T10:00:00Z", "2023-01-01 09:30"], "timestamp", "2023-01-01", "2024-02-29"),
        (["20240229", "20230101", "19991231"], "date", "1999-12-31", "2024-02-29"),
        (["September 9, 2019", "Oct 1, 2020"], "date", "2019-09-09", "2020-10-01"),
        (["9.9.2019", "31.12.2019"], "date", "2019-09-09", "2019-12-31"),
        (["007", "123", "456"], "text", None, None),
        (["1" + ",000" * 2_000, "9" * 5_000], "text", None, None),
        (["2024-02-30", "2023-13-01"], "text", None, None),
        (["Love", "Alien"], "text", None, None),
        ([], "nothing", None, None),
    ],
)
def test_kind_and_range(values: list[str], kind: str, low: str | None, high: str | None) -> None:
    said = found(*values)
    assert (said.kind, said.low, said.high) == (kind, low, high)


def test_whether_the_month_comes_first_is_told_by_the_other_days() -> None:
    assert found("9/10/2019", "9/30/2019").formats == (MONTH_FIRST,)
    assert (found("9/10/2019", "30/9/2019").formats, found("9/10/2019", "30/9/2019").high) == (
        (DAY_FIRST,),
        "2019-10-09",
    )
    assert found("9/10/2019", "9/9/2019").formats == (EITHER,)
    assert "ambiguous days" in odd("9/10/2019", "9/9/2019")
    assert "several date formats" in odd("9/30/2019", "30/9/2019", "2019-09-30")


def test_a_few_values_of_another_kind_are_outliers() -> None:
    said = found(*map(str, range(100)), "74 min")
    assert (said.kind, said.outliers) == ("integer", ("74 min",))
    assert found(*map(str, range(10)), "a", "b").kind == "text"


def test_a_number_far_from_all_others_does_not_stretch_the_range() -> None:
    years = [str(1950 + number % 70) for number in range(1_000)]
    said = found(*years, "80119194")
    assert (said.low, said.high, said.far) == ("1950", "2019", ("80119194",))
    assert odd(*years, "80119194")["far from the others"] == 1


def test_a_list_is_told_from_a_sentence() -> None:
    casts = ["Ann Lee, Bob Ray", "Bob Ray", "Cy Fox, Ann Lee", "Cy Fox, Bob Ray, Ann Lee"] * 3
    said = found(*casts)
    assert (said.kind, said.separator, said.items) == ("list", ",", 3)
    prose = [f"After {n} years, a man comes home, only to find number {n} gone." for n in range(50)]
    assert found(*prose).kind == "text"
    assert odd(*casts, "Ann Lee,", ", Bob Ray")["stray separator"] == 2


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (["s1", "s20", "s300"], "^s[0-9]+$"),
        (["90 min", "1 Season", "2 Seasons"], "^[0-9]+ (Season|Seasons|min)$"),
        ([f"2024-W{n}" for n in range(10, 40)], "^[0-9]{4}-W[0-9]{2}$"),
        (["a.1", "b.2"], "^(a|b)[.][0-9]+$".replace("[0-9]+", "[0-9]{1}")),
        (["Alien", "Heat"], None),
        (["s1", "x"], None),
        (["it's 1", "it's 2"], None),
    ],
)
def test_values_that_are_built_alike_have_a_pattern(values: list[str], pattern: str | None) -> None:
    assert pattern_of(values) == pattern


def test_every_spelling_of_nothing_is_counted() -> None:
    column, _ = profile_column("c", "c", ["", "N/A", "n/a", " - ", "null", "5", "6"], range(7))
    assert (column.filled, column.found.kind) == (2, "integer")
    assert column.nulls == {"": 1, "N/A": 1, "n/a": 1, "-": 1, "null": 1}
    titles, _ = profile_column("c", "c", [*(f"Title {n}x" for n in range(50)), "Null"], range(51))
    assert titles.nulls == {}, "among titles that hardly repeat, Null is a title"


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("line break", "A\nB"),
        ("odd space", " August 4, 2017"),
        ("odd space", "Akbar\u00a0Birbal"),
        ("invisible character", "\u200bGoli"),
        ("spreadsheet error", "#REF!"),
        ("scientific notation", "1.2E+10"),
        ("wrong encoding", "AmÃ©lie"),
        ("day made by a spreadsheet", "Oct-01"),
        ("formula", "=SUM(A1:A2)"),
    ],
)
def test_what_is_odd_is_said_with_its_line(what: str, value: str) -> None:
    values = ["Alien", "Heat", value, "Up"]
    _, oddities = profile_column("title", "title", values, [2, 3, 4, 6])
    assert [(o.column, o.rows, o.line, o.example) for o in oddities if o.what == what] == [("title", 1, 4, value)]
    _, clean = profile_column("title", "title", ["Alien", "Heat", "Up"], [2, 3, 4])
    assert clean == []


def test_one_value_in_two_spellings_and_a_code_with_zeros() -> None:
    assert odd(*["Movie"] * 5, "movie", *["TV Show"] * 5) == {"upper and lower case": 1}
    assert odd("01", "02", "10") == {"leading zero": 2}


def keys(*rows: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    columns = [
        profile_column(name, name, values, range(len(rows)))[0]
        for name, values in zip("abc", zip(*rows, strict=True), strict=False)
    ]
    return candidate_keys(columns, rows).candidates


def test_keys_are_found_alone_in_pairs_and_in_triples() -> None:
    assert keys(("1", "x"), ("2", "x")) == (("a",),)
    assert keys(("1", "x"), ("1", "y"), ("2", "x")) == (("a", "b"),)
    week = [(w, c, r) for w in ("w1", "w2") for c in ("tv", "film") for r in ("1", "2")]
    assert keys(*week) == (("a", "b", "c"),)
    assert keys(("1", "x"), ("2", "x"), ("2", "x")) == (("a",),), "an exact repeat is no second row"
    assert keys(("", "x"), ("2", "y")) == (("b",),), "a key is filled in every row"
