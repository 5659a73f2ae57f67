"""The parser: every value exactly as delivered, every fault with its record, line, reason and remedy."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netflix_dagster.files.parsing import ParsedFile, Refusal, looks_cut, parse_bytes, parse_file
from netflix_dagster.landing.sources import Source, SourceColumn

FILMS = Source(
    name="films",
    feed="films",
    form="whole",
    description="Films",
    columns={
        "show_id": SourceColumn(description="Number", aliases=("id",)),
        "title": SourceColumn(description="Name", aliases=("show_title",)),
        "note": SourceColumn(description="Remark", required=False),
    },
)
TABBED = FILMS.model_copy(update={"format": "tsv"})
HEADER = "show_id,title,note\n"


def parse(text: str | bytes, source: Source = FILMS) -> ParsedFile:
    return parse_bytes(text if isinstance(text, bytes) else text.encode(), source)


def values(text: str | bytes, source: Source = FILMS) -> list[tuple[str | None, ...]]:
    """The values of a file in which nothing is refused."""
    parsed = parse(text, source)
    assert parsed.refusals == ()
    return [row.values for row in parsed.rows]


def refusal(text: str | bytes, source: Source = FILMS) -> Refusal:
    """The only refusal of a file, of which then no more is taken than its other records."""
    (found,) = parse(text, source).refusals
    return found


# What is taken


def test_records_come_in_order_with_their_numbers_and_lines() -> None:
    rows = parse(HEADER + "1,A,x\n2,B,y\n").rows
    assert [(r.number, r.line, r.values) for r in rows] == [(1, 2, ("1", "A", "x")), (2, 3, ("2", "B", "y"))]


def test_the_file_is_known_by_its_path_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(HEADER + "1,A,x\n")
    parsed = parse_file(str(path), FILMS)
    assert (parsed.path, parsed.hash) == (str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    assert (parsed.records, parsed.header) == (1, ("show_id", "title", "note"))


def test_a_byte_order_mark_is_no_part_of_the_header() -> None:
    assert values(b"\xef\xbb\xbf" + HEADER.encode() + b"1,A,x\n") == [("1", "A", "x")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_any_line_break_ends_a_record_and_the_last_may_lack(end: str, last: bool) -> None:
    text = end.join(["show_id,title,note", "1,A,x", "2,B,y"]) + (end if last else "")
    assert values(text) == [("1", "A", "x"), ("2", "B", "y")]


def test_doubled_quotes_are_one_quote_and_shift_nothing() -> None:
    assert values(HEADER + '1,"The ""Best"", they said","""x"""\n') == [("1", 'The "Best", they said', '"x"')]


def test_a_quote_inside_an_unquoted_value_is_kept() -> None:
    assert values(HEADER + '1,6" Under,x"\n') == [("1", '6" Under', 'x"')]


def test_spaces_are_kept_as_delivered() -> None:
    assert values(HEADER + "1,  A ,\u00a0x\t\n") == [("1", "  A ", "\u00a0x\t")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_breaks_inside_quotes_are_kept_and_the_lines_still_count(end: str) -> None:
    text = end.join(["show_id,title,note", '1,"A', "", 'B",x', '2,"', 'C",y', "3,D,z", ""])
    rows = parse(text).rows
    assert [(r.number, r.line) for r in rows] == [(1, 2), (2, 5), (3, 7)]
    assert [r.values[1] for r in rows] == [f"A{end}{end}B", f"{end}C", "D"]


def test_line_separators_of_unicode_end_no_record() -> None:
    assert values(HEADER + "1,A\u2028B\x85C\x0bD\x0cE\x1cF,x\n") == [("1", "A\u2028B\x85C\x0bD\x0cE\x1cF", "x")]


def test_blank_lines_are_no_records_but_count_as_lines() -> None:
    parsed = parse(HEADER + "\n1,A,x\n\r\n\n2,B,y\n\n")
    assert ([(r.number, r.line) for r in parsed.rows], parsed.records) == ([(1, 3), (2, 6)], 2)
    assert parsed.refusals == ()


def test_an_empty_value_is_null_quoted_or_not() -> None:
    assert values(HEADER + '1,,""\n,"",\n') == [("1", None, None), (None, None, None)]


def test_a_value_of_five_megabytes_is_taken_whole() -> None:
    long = "x, " * 1_700_000
    assert values(f'{HEADER}1,A,"{long}"\n') == [("1", "A", long)]


def test_tabs_separate_a_tsv_and_commas_do_not() -> None:
    assert values("show_id\ttitle\n1\tA, B\n", TABBED) == [("1", "A, B", None)]


# Headers


@pytest.mark.parametrize(
    "header", ["note,title,show_id", "NOTE,Title,Show ID", " note , Show-Title,id", '"note","show_title","Show_Id"']
)
def test_order_case_spaces_quotes_and_aliases_of_the_header_do_not_matter(header: str) -> None:
    assert values(f"{header}\nx,A,1\n") == [("1", "A", "x")]


def test_an_optional_column_may_be_absent() -> None:
    parsed = parse("title,id\nA,1\n")
    assert (parsed.rows[0].values, parsed.absent_columns) == (("1", "A", None), ("note",))


def test_unknown_columns_are_rescued_as_json() -> None:
    parsed = parse('mood,show_id,title,Überraschung\nsad,1,A,"a ""b"", c"\n,2,B,\n')
    assert parsed.unknown_columns == ("mood", "Überraschung")
    assert [json.loads(r.rescued) if r.rescued else None for r in parsed.rows] == [
        {"mood": "sad", "Überraschung": 'a "b", c'},
        None,
    ]
    assert [r.values for r in parsed.rows] == [("1", "A", None), ("2", "B", None)]


def test_unknown_columns_of_the_same_name_or_of_none_are_all_rescued() -> None:
    parsed = parse("show_id,title,,x,x,\n1,A,a,b,c,d\n")
    rescued = parsed.rows[0].rescued
    assert rescued
    assert json.loads(rescued) == {"(column 3)": "a", "x": "b", "x (column 5)": "c", "(column 6)": "d"}
    assert set(parsed.unknown_columns) == set(json.loads(rescued))


def test_missing_columns_are_named_with_what_the_header_has() -> None:
    found = refusal("name,note\nA,x\n")
    assert (found.rule, found.record) == ("columns", None)
    assert found.reason == "missing columns: show_id, title (the header has: name, note)"
    assert "alias" in found.hint


def test_two_headers_of_one_column_are_refused() -> None:
    found = refusal("show_id,title,ID\n1,A,2\n")
    assert (found.rule, found.reason) == ("header", "the columns 'show_id' and 'ID' are both 'show_id'")


@pytest.mark.parametrize(
    ("source", "separator"), [(FILMS, ";"), (FILMS, "\t"), (FILMS, "|"), (TABBED, ","), (TABBED, ";")]
)
def test_the_wrong_separator_is_guessed_in_the_hint_only(source: Source, separator: str) -> None:
    text = HEADER.replace(",", separator) + f"1{separator}A{separator}x\n"
    found = refusal(text, source)
    assert found.hint == f"the columns seem to be separated by {separator!r}, not {source.delimiter!r}"
    assert parse(text, source).rows == ()


def test_a_header_quoted_as_one_value_does_not_blame_the_right_separator() -> None:
    assert "separated" not in refusal('"show_id,title,note"\n"1,A,x"\n').hint


@pytest.mark.parametrize("text", ['"show_id,title\n1,A\n', '"show_id"x,title\n1,A\n'])
def test_a_header_with_broken_quotes_is_refused(text: str) -> None:
    assert refusal(text).reason.startswith("the header cannot be read: ")


def test_the_header_is_kept_as_text_that_reads_back_as_the_same_header() -> None:
    parsed = parse('"Show\nId",title,"a, ""b""",\n1,A,x,y\n')
    assert parsed.header == ("Show\nId", "title", 'a, "b"', "")
    assert next(csv.reader([parsed.header_line])) == list(parsed.header)
    assert parse(HEADER + "1,A,x\n").header_line == "show_id,title,note"


# Records that do not fit: refused with their place, the others taken


def test_an_extra_field_is_refused_and_not_shifted() -> None:
    parsed = parse(HEADER + "1,A,x\n2,B, and C,y\n3,D,z\n")
    assert [r.values[0] for r in parsed.rows] == ["1", "3"]
    assert parsed.records == 3
    (found,) = parsed.refusals
    assert (found.rule, found.record, found.line, found.raw) == ("fields", 2, 3, "2,B, and C,y")
    assert found.reason == "record 2 (line 3) has 4 fields where the header has 3"
    assert "quotes" in found.hint


def test_a_short_record_is_refused_with_its_raw_text() -> None:
    found = refusal(HEADER + '1,"A\nB",x\n2,C\n')
    assert (found.rule, found.record, found.line, found.raw) == ("fields", 2, 4, "2,C")
    assert found.reason == "record 2 (line 4) has 2 fields where the header has 3"
    assert "cut short" in found.hint


def test_the_raw_text_of_a_refused_record_has_all_its_lines() -> None:
    assert refusal(HEADER + '1,"A\r\n\r\nB"\r\n2,C,y\r\n').raw == '1,"A\r\n\r\nB"'


def test_quotes_that_never_end_mean_a_file_cut_short() -> None:
    parsed = parse(HEADER + '1,A,x\n2,"B,y\n3,C,z\n')
    (found,) = parsed.refusals
    assert (found.rule, found.record, found.line, found.raw) == ("complete_file", 2, 3, '2,"B,y\n3,C,z')
    assert "ends inside the quotes of record 2 (line 3)" in found.reason
    assert ([r.values for r in parsed.rows], parsed.records) == ([("1", "A", "x")], 2)


def test_a_misplaced_quote_is_refused_and_the_next_record_is_read_afresh() -> None:
    parsed = parse(HEADER + '1,"A" and B,x\n2,"C",y\n')
    (found,) = parsed.refusals
    assert (found.rule, found.record, found.line, found.raw) == ("quotes", 1, 2, '1,"A" and B,x')
    assert "written twice" in found.hint
    assert [(r.number, r.line, r.values) for r in parsed.rows] == [(2, 3, ("2", "C", "y"))]


# Files that are not what they promise: refused whole


@pytest.mark.parametrize(
    ("data", "rule", "reason"),
    [
        pytest.param(b"", "not_empty", "the file is empty", id="empty"),
        pytest.param(b" \r\n\n\t", "not_empty", "the file is empty", id="blank"),
        pytest.param(b"\xef\xbb\xbf", "not_empty", "the file is empty", id="only a BOM"),
        pytest.param(b"\xef\xbb\xbf\r\n", "not_empty", "the file is empty", id="a BOM and a line break"),
        pytest.param(HEADER.encode(), "not_empty", "there is a header and no record", id="header only"),
        pytest.param(HEADER.encode() + b"\n\r\n", "not_empty", "there is a header and no record", id="header, blanks"),
        pytest.param(b"null", "not_empty", "the body is 'null', there is no data", id="null"),
        pytest.param(b"NULL\n", "not_empty", "the body is 'null', there is no data", id="NULL"),
        pytest.param(b"{}", "not_empty", "the body is '{}', there is no data", id="empty object"),
        pytest.param(b"[]\n", "not_empty", "the body is '[]', there is no data", id="empty list"),
        pytest.param((HEADER + "1,A,x\n").encode("utf-16"), "encoding", "the file is UTF-16, not UTF-8", id="UTF-16"),
        pytest.param(
            b"\xfe\xff" + (HEADER + "1,A,x\n").encode("utf-16-be"),
            "encoding",
            "the file is UTF-16, not UTF-8",
            id="UTF-16, big end first",
        ),
        pytest.param(
            (HEADER + "1,A,x\n").encode("utf-16-le"),
            "encoding",
            "the file is UTF-16 without a byte order mark, not UTF-8",
            id="UTF-16, no BOM",
        ),
        pytest.param(HEADER.encode() + b"1,A,x\n2,\0,y\n", "encoding", "there is a NUL byte in line 3", id="NUL"),
        pytest.param(
            (HEADER + "1,A,x\n2,Amélie,y\n").encode("cp1252"),
            "encoding",
            "the file is not UTF-8: byte 0xe9 in line 3",
            id="Windows-1252",
        ),
        pytest.param(
            b"\xef\xbb\xbf" + HEADER.encode() + b"\xe9,A,x\n",
            "encoding",
            "the file is not UTF-8: byte 0xe9 in line 2",
            id="Windows-1252 under a BOM",
        ),
        pytest.param(
            b"<!DOCTYPE html>\n<html><head><TITLE>\n Moved Permanently\n</TITLE></head></html>",
            "not_a_page",
            "the file is an HTML page (Moved Permanently), not data",
            id="page with a title",
        ),
        pytest.param(
            b"\n <html>go away</html>", "not_a_page", "the file is an HTML page, not data", id="page without a title"
        ),
    ],
)
def test_a_file_that_is_something_else_is_refused_whole(data: bytes, rule: str, reason: str) -> None:
    found = refusal(data)
    assert (found.rule, found.reason, found.record) == (rule, reason, None)
    assert found.hint
    assert (parse(data).rows, parse(data).records) == ((), 0)
    assert parse(data).hash == hashlib.sha256(data).hexdigest()


def test_the_line_of_a_wrong_byte_is_told() -> None:
    assert [refusal(HEADER.encode() + b"1,A,x\n2," + bad + b",y\n").line for bad in (b"\xe9", b"\0")] == [3, 3]


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (found,) = parse_file(str(tmp_path), FILMS).refusals
    assert (found.rule, found.reason) == ("readable", "cannot be read: a directory where a file should be")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (found,) = parse_file(str(tmp_path / "x.csv"), FILMS).refusals
    assert (found.rule, found.reason) == ("readable", "cannot be read: No such file or directory")


# Files cut short


def ending_in_numbers(quoted: bool) -> list[str]:
    title = '"The ""Title"", part {}"' if quoted else "The title of {}"
    return ["note,title,show_id", *(f"x{n},{title.format(n)},{80_000_000 + 7 * n}" for n in range(150))]


def ending_in_sentences(quoted: bool) -> list[str]:
    note = '"He said ""no"", {} times; and\nthat was that."' if quoted else "A story of {} people in a small town."
    return ["show_id,title,note", *(f"s{n},Title {n},{note.format(n)}" for n in range(150))]


def ending_in_kinds(quoted: bool) -> list[str]:
    kind = '"{}"' if quoted else "{}"
    return ["show_id,title,note", *(f"s{n},Title {n},{kind.format(('Movie', 'TV Show')[n % 2])}" for n in range(150))]


@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("shape", [ending_in_numbers, ending_in_sentences, ending_in_kinds])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_cut_inside_a_record_is_noticed_wherever_it_was_cut(
    shape: Callable[[bool], list[str]], quoted: bool, end: bytes
) -> None:
    records = [record.encode() for record in shape(quoted)]
    whole = end.join(records)
    start = len(whole) - 4 * (len(records[-1]) + len(end))
    ends = {len(end.join(records[:n])) for n in range(1, len(records) + 1)}
    complete = {at + more for at in ends for more in range(len(end) + 1)}
    for cut in range(start, len(whole) + 1):
        refusals = parse(whole[:cut]).refusals
        assert bool(refusals) == (cut not in complete), whole[cut - 50 : cut]


def test_a_value_cut_to_nothing_is_noticed_even_where_some_are_empty() -> None:
    lines = ending_in_numbers(False)
    lines[7] = "x7,A broken half,"
    assert refusal("\n".join([*lines, "x,Last,"])).rule == "complete_file"
    assert parse("\n".join([*lines, "x,Last,"]) + "\n").refusals == ()


def test_a_cut_file_names_the_record_and_how_it_ends() -> None:
    text = "\n".join([*ending_in_numbers(False), "x,Last,8000"])
    found = refusal(text)
    assert (found.rule, found.record, found.line, found.raw) == ("complete_file", 151, 152, "8000")
    assert "no final line break and ends in '8000'" in found.reason
    parsed = parse(text)
    assert (parsed.records, len(parsed.rows)) == (151, 150)


def test_a_short_file_says_too_little_to_call_it_cut() -> None:
    assert parse("\n".join([*ending_in_numbers(False)[:20], "x,Last,8000"])).refusals == ()


@pytest.mark.parametrize(
    ("value", "others", "cut"),
    [
        pytest.param("Mov", ["Movie", "TV Show"] * 50, True, id="half a kind"),
        pytest.param("Movie", ["Movie", "TV Show"] * 50, False, id="a kind"),
        pytest.param("Short", ["Movie", "TV Show"] * 50, False, id="a new kind"),
        pytest.param("", ["Movie", "TV Show"] * 50, True, id="no kind"),
        pytest.param("", ["", "TV Show"] * 50, False, id="nothing where half are empty"),
        pytest.param("801", [str(80_000_000 + n) for n in range(100)], True, id="half a number"),
        pytest.param("80000555", [str(80_000_000 + n) for n in range(100)], False, id="a number"),
        pytest.param("247747", [*map(str, range(80_000_000, 80_000_090)), *["247000"] * 10], False, id="a short one"),
        pytest.param("It all beg", [f"It began {n} times." for n in range(100)], True, id="half a sentence"),
        pytest.param("A blue-", [f"It began {n} times." for n in range(100)], True, id="half a compound"),
        pytest.param("It ended.", [f"It began {n} times." for n in range(100)], False, id="a sentence"),
        pytest.param("half a w", [f"words {n} without end" for n in range(100)], False, id="words of no kind"),
        pytest.param("x", [""] * 10, False, id="nothing to compare with"),
    ],
)
def test_a_value_looks_cut_when_it_is_less_than_its_kind(value: str, others: list[str], cut: bool) -> None:
    assert looks_cut(value, others) is cut


# What holds of any file


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
AWKWARD = st.text(st.sampled_from(' ab,;"\n\r\t\ufeff\u2028é🎬'), max_size=12)
TABLES = st.lists(st.tuples(*[TEXTS | AWKWARD] * 3), min_size=1, max_size=8)


def written(header: tuple[str, ...], rows: list[tuple[str, ...]], delimiter: str, quoting: int, end: str) -> str:
    out = io.StringIO(newline="")
    # The module's constants are what ``quoting`` may be; its type is narrower in the stubs.
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([header, *rows])  # type: ignore[arg-type]
    return out.getvalue()


@settings(deadline=None)
@given(
    rows=TABLES,
    order=st.permutations(range(3)),
    source=st.sampled_from([FILMS, TABBED]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.booleans(),
)
def test_any_table_comes_back_exactly_as_it_was_written(
    rows: list[tuple[str, ...]], order: list[int], source: Source, quoting: int, end: str, bom: bool
) -> None:
    if quoting == csv.QUOTE_MINIMAL and end != "\r\n":  # Python before 3.13 does not quote the other line break then
        rows = [tuple(value.replace({"\n": "\r", "\r": "\n"}[end], end) for value in row) for row in rows]
    header = tuple(list(source.columns)[column] for column in order)
    text = written(header, [tuple(row[column] for column in order) for row in rows], source.delimiter, quoting, end)
    parsed = parse(text.encode("utf-8-sig" if bom else "utf-8"), source)
    assert parsed.refusals == ()
    assert [row.values for row in parsed.rows] == [tuple(value or None for value in row) for row in rows]
    assert [row.number for row in parsed.rows] == list(range(1, len(rows) + 1))
    assert parsed.records == len(rows)


@settings(deadline=None)
@given(st.text(st.sampled_from('ab,,""\n\n\r '), max_size=60) | TEXTS)
@example('1,A,"x\n2,B,y\n')
@example('"a"b\n\r"a"b\r"')
def test_every_record_of_a_garbled_file_is_either_taken_or_refused(garbage: str) -> None:
    parsed = parse(HEADER + garbage)
    refused = [found for found in parsed.refusals if found.record is not None]
    assert parsed.records == len(parsed.rows) + len(refused)
    numbers = [row.number for row in parsed.rows] + [found.record for found in refused]
    assert sorted(n for n in numbers if n) == list(range(1, parsed.records + 1))
    assert parsed.rows or parsed.refusals


@settings(deadline=None)
@given(st.text(st.sampled_from('ab,,""\n\n\r '), max_size=60))
def test_no_line_of_a_garbled_file_is_lost(garbage: str) -> None:
    lines = list(io.StringIO(garbage, newline=""))
    parsed = parse(HEADER + garbage)
    starts = sorted([r.line for r in parsed.rows] + [r.line for r in parsed.refusals if r.line])
    before_the_first = lines[: starts[0] - 2] if starts else lines
    assert not "".join(before_the_first).strip("\r\n")
    for found in (found for found in parsed.refusals if found.line):
        following = [start for start in starts if start > (found.line or 0)]
        of_it = lines[(found.line or 0) - 2 : following[0] - 2 if following else None]
        assert (found.raw or "").rstrip("\r\n") == "".join(of_it).rstrip("\r\n")


@settings(deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: HEADER.encode() + data))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example(b'"')
def test_no_bytes_make_the_parser_raise(data: bytes) -> None:
    parsed = parse(data)
    assert parsed.rows or parsed.refusals
    assert all(found.reason and found.hint for found in parsed.refusals)
