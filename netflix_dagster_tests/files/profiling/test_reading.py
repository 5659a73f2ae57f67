"""Whatever a file is written in, its rows come out; a file that has none is told of in one sentence."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from netflix_dagster.files.profiling.reading import MOST_COLUMNS, Unreadable, read

ROWS = [("Titel", "Jahr", "Größe"), ("Das Boot", "1981", "ca. 1,5 m"), ("Amélie; oder", "2001", 'er sagte "ja"')]


def written(path: Path, rows: list[tuple[str, ...]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_delimiter_and_encoding_are_told(tmp_path: Path, delimiter: str, encoding: str) -> None:
    found = read(written(tmp_path / "a.txt", ROWS, delimiter, encoding))
    assert [found.header, *found.rows] == ROWS
    assert (found.delimiter, found.line_ending, found.header_line) == (delimiter, "CRLF", 1)
    assert found.bom == (encoding in ("utf-8-sig", "utf-16", "utf-32"))
    assert found.encoding == encoding.removesuffix("-sig")


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("cp1251", "Ирония судьбы, или С лёгким паром"),
        ("cp932", "千と千尋の神隠し、となりのトトロ"),
    ],
)
def test_an_older_encoding_is_told_by_its_words(tmp_path: Path, encoding: str, words: str) -> None:
    rows = [("id", "title"), *((str(number), f"{words} {number}") for number in range(30))]
    found = read(written(tmp_path / "a.csv", rows, encoding=encoding))
    assert found.rows == rows[1:], found.encoding


def test_line_breaks_and_quotes_inside_of_values_are_no_records(tmp_path: Path) -> None:
    rows = [("id", "title"), ("1", "The Memphis Belle:\nA Story"), ("2", 'a "b", c'), ("3", "d")]
    found = read(written(tmp_path / "a.csv", rows))
    assert found.rows == rows[1:] and found.lines == [2, 4, 5]
    assert found.line_ending == "CRLF", "the break inside the value does not count"


def test_lines_above_the_header_are_a_preamble(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Report of the week\n\nmade on,2024-05-01,\nrank,title,hours\n1,A,10\n2,B,20\n")
    found = read(path)
    assert (found.header, found.header_line, len(found.rows)) == (("rank", "title", "hours"), 4, 2)


def test_a_file_without_a_header_keeps_its_first_record(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2024-05-01,A\n2,2024-05-02,B\n3,2024-05-03,C\n")
    found = read(path)
    assert (found.header_line, found.rows[0], found.lines[0]) == (None, ("1", "2024-05-01", "A"), 1)


def test_rows_that_do_not_fit_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n1,2,3\n"x"y,2\n3,4\n')
    found = read(path)
    assert (found.rows, found.ragged) == ([("1", "2"), ("3", "4")], ((3, 3),))
    assert [line for line, _ in found.broken] == [4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_of_a_long_file_only_the_beginning_is_looked_at(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path / "a.csv", [("id", "title"), *((str(n), "ä" * 50) for n in range(500))], encoding=encoding)
    for most in (4_000, 4_001, 4_002, 4_003):
        found = read(path, most)
        assert not found.whole and 10 < len(found.rows) < 60 and found.broken == ()
        assert {row[1] for row in found.rows} == {"ä" * 50}, "no record was cut in two"


HOSTILE = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b" \r\n\t\n", "is empty"),
    "page.csv": (b"<!DOCTYPE html><html><title>Moved</title></html>", "HTML page (Moved)"),
    "null.csv": (b"null", "the body is 'null', there is no data"),
    "list.csv": (b'[{"a": 1},\n {"a": 2}]', "is JSON"),
    "error.csv": (b'{"error": "quota"}\n', "is JSON"),
    "deep.csv": (b"[" * 100_000, None),
    "packed.csv": (gzip.compress(b"a,b\n1,2\n"), "a gzip archive, not text; unpack it first"),
    "table.parquet": (b"PAR1\x15\x04", "a Parquet file"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "an old Excel workbook"),
    "noise.csv": (b"a,b\n1,2\n" + bytes(range(256)) * 4, "there is a NUL byte in line 3"),
    "half.csv": (b"\xff\xfea\x00,", "goes on as something else"),
    "quotes.csv": (b'"a"b\n"c"d\n', "holds no record"),
    "cut.xlsx": (b"PK\x03\x04 and then nothing", "is no workbook that can be read"),
    "wide.csv": (b",".join(b"c%d" % n for n in range(MOST_COLUMNS + 1)) + b"\n", "columns; more than"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_without_rows_and_columns_is_told_in_a_sentence(tmp_path: Path, name: str) -> None:
    data, reason = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(data)
    if reason is None:
        assert read(path).rows == []
        return
    with pytest.raises(Unreadable) as told:
        read(path)
    assert str(told.value).startswith(str(path)) and reason in str(told.value) and "\n" not in str(told.value)


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "nope.csv", "there is no file"),
        (Path("/dev/zero"), "not an ordinary file"),
    ):
        with pytest.raises(Unreadable, match=reason):
            read(path)


def test_a_zip_of_something_else_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    with pytest.raises(Unreadable, match="no workbook that can be read"):
        read(path)
