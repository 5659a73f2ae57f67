"""Text as people meant it: tidied, split and compared, on the real engine."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netflix_dagster.tables.text import MONTHS, day, fold_array, items, tidy, tidy_array, title_words

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession


def tidied(*texts: str | None) -> list[str | None]:
    return tidy_array(pa.array(texts, pa.string())).to_pylist()  # type: ignore[no-any-return]


def told(spark: SparkSession, function: Callable[[Column], Column], *texts: str | None) -> list[Any]:
    """What ``function`` makes of each text, on the engine."""
    from pyspark.sql import functions as F

    frame = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, text string")
    return [row.value for row in frame.select("n", function(F.col("text")).alias("value")).orderBy("n").collect()]


# Tidying


@pytest.mark.parametrize(
    ("text", "tidy_text"),
    [
        ("as it is", "as it is"),
        ("  double  space ", "double space"),
        ("non\u00a0breaking\u00a0", "non breaking"),
        ("line\r\nbreaks\n\nand\ttabs", "line breaks and tabs"),
        ("all\x0bkinds\x0cof\x85white\u2003space\u3000", "all kinds of white space"),
        ("\u200bzero\u200bwidth\ufeff", "zerowidth"),
        ("left\u200eto\u202aright\u202c", "lefttoright"),
        ("soft\u00adhyphen", "softhyphen"),
        ("word\u2060joiner", "wordjoiner"),
        ("\u2066isolated\u2069 by\u2068 direction\u2069", "isolated by direction"),
        ("\u2764\ufe0f and \u2764", "\u2764 and \u2764"),
        ("joined\u200dup", "joinedup"),
        ("cafe\u200d\u0301 \u200c noir\u200c", "café noir"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        (" \u200b between \u200b ", "between"),
        ("cafe\u0301", "café"),
        ("cafe\u200b\u0301", "café"),
        ("\u212b", "Å"),
        ("ﬁn – “quoted” …", "ﬁn – “quoted” …"),
        ("김씨네 편의점 🎬", "김씨네 편의점 🎬"),
    ],
)
def test_text_is_tidied_and_otherwise_left_alone(text: str, tidy_text: str) -> None:
    assert tidied(text) == [tidy_text]


@pytest.mark.parametrize("text", ["", " ", "\u00a0\t", "\u200b", "\ufeff \u2060", "\u200d", " \u200c\u200d ", None])
def test_what_has_no_visible_character_is_null(text: str | None) -> None:
    assert tidied(text) == [None]


def test_an_array_keeps_its_length_and_order() -> None:
    assert tidied("b ", None, "", " a") == ["b", None, None, "a"]
    assert tidied() == []


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_kind_of_arrow_text_is_tidied_to_plain_text(kind: pa.DataType) -> None:
    found = tidy_array(pa.array([" a  b ", None], kind))
    assert (found.type, found.to_pylist()) == (pa.string(), ["a b", None])


@settings(deadline=None)
@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8")
            | st.sampled_from(" \u00a0\u200b\u200d\u200c\u0301\u0338\u0915\u094d\u3099か\u037e\n"),
            max_size=12,
        )
    )
)
def test_tidy_text_is_normal_and_tidying_it_again_changes_nothing(texts: list[str]) -> None:
    once = tidied(*texts)
    assert tidied(*once) == once
    assert all(text is None or (unicodedata.is_normalized("NFC", text) and text.strip(" ")) for text in once)


def test_a_frame_is_tidied_in_its_text_columns_only(spark: SparkSession) -> None:
    frame = spark.createDataFrame(
        [(1, " A\u00a0 b\u200b", "", date(2020, 1, 2), [" x "])],
        "n int, `some text` string, none string, day date, list array<string>",
    )
    found = tidy(frame)
    assert found.columns == frame.columns
    assert [tuple(row) for row in found.collect()] == [(1, "A b", None, date(2020, 1, 2), [" x "])]


# Folding


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pokémon: The Movie & More", "pokemon the movie and more"),
        ("#Alive", "ALIVE"),
        ("Rhythm + Flow", "Rhythm, Flow"),
        ("Café", "Cafe"),
    ],
)
def test_spellings_of_one_title_fold_to_the_same(one: str, other: str) -> None:
    first, second = fold_array(pa.array([one, other])).to_pylist()
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("\u0926\u093f\u0932", "\u0926\u0932", id="a vowel sign is no accent"),
        pytest.param("\u304c", "\u304b", id="a voiced sound is no accent"),
        ("C++", "C"),
        ("C#", "C"),
        ("A+", "A"),
    ],
)
def test_two_titles_do_not_fold_to_one(one: str, other: str) -> None:
    first, second = fold_array(pa.array([one, other])).to_pylist()
    assert first != second


# Lists


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ("Dramas", ["Dramas"]),
        ("Dramas, Comedies", ["Dramas", "Comedies"]),
        ("Poland,", ["Poland"]),
        (", France, Algeria", ["France", "Algeria"]),
        ("b,,  a ,b", ["b", "a", "b"]),
        (" , ,", []),
        ("", []),
        (None, None),
    ],
)
def test_a_list_is_split_without_the_items_that_stray_commas_make(
    spark: SparkSession, listed: str | None, found: list[str] | None
) -> None:
    assert told(spark, items, listed) == [found]


# Days


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("September 9, 2019", date(2019, 9, 9)),
        ("September 19, 2019", date(2019, 9, 19)),
        ("Sep 9, 2019", date(2019, 9, 9)),
        ("Sept. 9 2019", date(2019, 9, 9)),
        ("SEPTEMBER 09, 2019", date(2019, 9, 9)),
        ("9/9/2019", date(2019, 9, 9)),
        ("12/31/2019", date(2019, 12, 31)),
        ("2019-09-09", date(2019, 9, 9)),
        ("February 29, 2020", date(2020, 2, 29)),
        ("2/29/2020", date(2020, 2, 29)),
    ],
)
def test_a_day_is_read_in_each_of_its_forms(spark: SparkSession, text: str, found: date) -> None:
    assert told(spark, day, text) == [found]


def test_what_is_no_day_is_null_and_never_another_day(spark: SparkSession) -> None:
    texts = [
        *(None, "", "soon", "2019", "2019-09", "September 2019", "9/2019"),
        *("February 29, 2019", "2/29/2019", "2019-02-29", "April 31, 2019", "13/1/2019", "31/12/2019", "0/1/2019"),
        *("2019-13-01", "2019-00-10", "2019-01-00", "January 0, 2019", "January 32, 2019", "Foo 9, 2019"),
        *("Mayhem 1, 2019", "Marching 5, 2019", "Septober 9, 2019", "9/9/19", "9-9-2019", "2019/09/09", "2019-9-9"),
        *("0000-01-01", "January 1, 0000", "1/1/0000", "99999-01-01", "2019-09-09T00:00:00", "x 2019-09-09"),
    ]
    assert dict(zip(texts, told(spark, day, *texts), strict=True)) == dict.fromkeys(texts)


def test_every_day_of_a_leap_year_is_read_in_every_form(spark: SparkSession) -> None:
    days = [date(2020, 1, 1) + timedelta(n) for n in range(366)]
    short = [name.capitalize() for name in MONTHS]
    for form in (
        lambda d: d.isoformat(),
        lambda d: f"{d.month}/{d.day}/{d.year}",
        lambda d: f"{short[d.month - 1]} {d.day}, {d.year}",
        lambda d: f"{d:%B} {d.day}, {d.year}",
    ):
        assert told(spark, day, *map(form, days)) == days


# Titles as compared


@pytest.mark.parametrize("spellings", [("Oct-01", "1-Oct", "01-Oct", "OCT-1"), ("Jul-22", "22-Jul", "22-JUL")])
def test_a_title_that_excel_made_a_day_is_one_title_in_every_spelling(
    spark: SparkSession, spellings: tuple[str, ...]
) -> None:
    assert len(set(told(spark, title_words, *spellings))) == 1


def test_other_days_and_other_titles_stay_apart(spark: SparkSession) -> None:
    titles = ["1-Oct", "10-Oct", "11-Oct", "1-Nov", "Oct", "Oct-2001", "Oct-01 Returns", "The 1-Oct", "Oct 1"]
    assert len(set(told(spark, title_words, *titles))) == len(titles)


@pytest.mark.parametrize(
    ("title", "words"), [("The CROWN", "the crown"), ("ÉLITE: Historias", "élite: historias"), ("9", "9"), (None, None)]
)
def test_any_other_title_is_compared_in_lower_case(spark: SparkSession, title: str | None, words: str | None) -> None:
    assert told(spark, title_words, title) == [words]
