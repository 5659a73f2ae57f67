"""The reader of workbooks: every cell as it was said, every fault with its sheet and row, nothing hostile opened."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from netflix_dagster.files import unpack
from netflix_dagster.files.parsing import ParsedFile, Refusal, parse_bytes, parse_file
from netflix_dagster.files.xlsx import as_text
from netflix_dagster.landing.deliveries import land, list_landing
from netflix_dagster.landing.sources import Source, SourceColumn, load_sources
from netflix_dagster.sample.workbook import Cell, packed, parts, workbook

REPORT = Source(
    name="report",
    feed="reports",
    form="whole",
    description="A report",
    files="*.xlsx",
    format="xlsx",
    columns={
        "sheet": SourceColumn(description="Sheet", required=False),
        "preamble": SourceColumn(description="Text above", required=False),
        "title": SourceColumn(description="Name", aliases=("show_title",)),
        "hours": SourceColumn(description="Hours", aliases=("Hours Viewed",)),
        "note": SourceColumn(description="Remark", required=False),
    },
)
HEADER: tuple[Cell, ...] = ("Title", "Hours Viewed", "Note")
ROW: tuple[Cell, ...] = ("A", 100, "x")
SHEET1 = "xl/worksheets/sheet1.xml"
BOMB = b"0" * (30 * 1024 * 1024)


def parse(data: bytes) -> ParsedFile:
    return parse_bytes(data, REPORT)


def records(*rows: tuple[Cell, ...]) -> ParsedFile:
    """A workbook of one sheet in which nothing is refused."""
    parsed = parse(workbook({"S": rows}))
    assert parsed.refusals == ()
    return parsed


def refusal(data: bytes) -> Refusal:
    """The only refusal of a file, of which then no more is taken than its other records."""
    (found,) = parse(data).refusals
    return found


def values(parsed: ParsedFile) -> list[tuple[str | None, ...]]:
    """Title, hours and note of the records."""
    return [row.values[2:] for row in parsed.rows]


def with_cells(cells: str, **others: str) -> bytes:
    """A sound workbook with more cells, as XML, in row 2; or with other parts in place of its own."""
    contents = parts({"S": [HEADER]})
    contents[SHEET1] = contents[SHEET1].replace("</sheetData>", f'<row r="2">{cells}</row></sheetData>')
    return packed({**contents, **others})


def deflated(contents: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, said in contents.items():
            archive.writestr(name, said)
    return target.getvalue()


# What is taken


def test_every_sheet_with_the_header_becomes_records_with_its_name_and_what_stands_above() -> None:
    data = workbook(
        {
            "TV": [(), (None, "The Report"), (None, "Views in", 2023), (), (None, *HEADER), (None, *ROW)],
            "Notes": [("Hours are rounded.",), ("Title", "what it is called")],
            "Empty": [],
            "Film": [("Note", "Hours Viewed", "Title"), ("y", 7, "B"), (), ("z", 8, "C")],
        }
    )
    parsed = parse(data)
    assert parsed.refusals == parsed.unknown_columns == parsed.absent_columns == ()
    assert [(row.number, row.line, row.values) for row in parsed.rows] == [
        (1, 6, ("TV", "The Report\nViews in 2023", "A", "100", "x")),
        (2, 2, ("Film", None, "B", "7", "y")),
        (3, 4, ("Film", None, "C", "8", "z")),
    ]
    assert (parsed.records, parsed.header) == (3, ("", "Title", "Hours Viewed", "Note"))


def test_a_hidden_sheet_is_read_too() -> None:
    contents = parts({"S": [HEADER, ROW], "T": [HEADER, ("B", 1, None)]})
    contents["xl/workbook.xml"] = contents["xl/workbook.xml"].replace('sheetId="2"', 'sheetId="2" state="hidden"')
    assert [row.values[:3] for row in parse(packed(contents)).rows] == [("S", None, "A"), ("T", None, "B")]


def test_a_hidden_sheet_is_marked_where_the_source_has_a_column_for_it() -> None:
    contents = parts({"S": [HEADER, ROW], "T": [HEADER, ("B", 1, None)]})
    contents["xl/workbook.xml"] = contents["xl/workbook.xml"].replace('sheetId="2"', 'sheetId="2" state="hidden"')
    state = SourceColumn(description="Whether it is hidden", required=False)
    source = REPORT.model_copy(update={"columns": {**REPORT.columns, "sheet_state": state}})
    found = [(row.values[0], row.values[-1]) for row in parse_bytes(packed(contents), source).rows]
    assert found == [("S", None), ("T", "hidden")]


def test_values_become_text() -> None:
    parsed = records(
        HEADER,
        (date(2023, 8, 31), 541_900_000, time(7, 34)),
        ("2023-08-31", 1.5, "7:34"),
        (True, 0, False),
        (" kept ", -3, 1e22),
        (None, 5, ""),
    )
    assert values(parsed) == [
        ("2023-08-31", "541900000", "7:34"),
        ("2023-08-31", "1.5", "7:34"),
        ("true", "0", "false"),
        (" kept ", "-3", "10000000000000000000000"),
        (None, "5", None),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=25, minutes=7), "25:07"),
        (timedelta(minutes=-61), "-1:01"),
        (time(7, 33, 59, 999_999), "7:34"),
        (time(0, 1, 30), "0:01:30"),
        (datetime(1900, 1, 1, 1, 12), "25:12"),
        (datetime(2023, 3, 15, 12, 30), "2023-03-15 12:30:00"),
        (float("inf"), "inf"),
        ("", ""),
    ],
)
def test_times_and_odd_numbers_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_a_formula_counts_by_what_it_came_to() -> None:
    cells = '<c r="A2" t="str"><f>UPPER("a")</f><v>A</v></c><c r="B2"><f>1+1</f><v>2</v></c>'
    assert values(parse(with_cells(cells))) == [("A", "2", None)]


def test_unknown_columns_are_rescued_and_blank_ones_are_nothing() -> None:
    parsed = records(
        ("Title", None, "Hours Viewed", "Rank", None), ("A", None, 1, 5, "odd"), ("B", None, 2, None, None)
    )
    assert [row.rescued for row in parsed.rows] == ['{"(column 5)": "odd", "Rank": "5"}', None]
    assert parsed.unknown_columns == ("Rank", "(column 5)")
    assert parsed.absent_columns == ("note",)


def test_columns_called_like_those_that_the_reader_fills_are_not_taken_for_them() -> None:
    parsed = records(("Title", "Hours Viewed", "Sheet"), ("A", 1, "mine"))
    assert parsed.rows[0].values[0] == "S"
    assert parsed.rows[0].rescued == '{"Sheet": "mine"}'


def test_the_packaged_source_reads_a_report(tmp_path: Path) -> None:
    source = load_sources().sources["engagement"]
    path = tmp_path / "r.xlsx"
    path.write_bytes(workbook({"TV": [("Title", "Available Globally?", "Hours Viewed"), ("A", "Yes", 100)]}))
    parsed = parse_file(str(path), source)
    assert (parsed.refusals, parsed.absent_columns) == ((), ("release_date", "runtime", "views"))
    delivered = dict(zip(source.columns, parsed.rows[0].values, strict=True))
    assert delivered["available_globally"] == "Yes"


def test_a_source_of_workbooks_names_the_columns_that_its_reader_fills() -> None:
    with pytest.raises(ValidationError, match="a workbook has the columns preamble too; its reader fills them"):
        Source.model_validate({**REPORT.model_dump(), "columns": {"sheet": REPORT.columns["sheet"].model_dump()}})


def test_workbooks_land_and_the_locks_of_open_ones_are_passed_over(tmp_path: Path) -> None:
    sources = load_sources()
    source = sources.sources["engagement"]
    for name in ("r.xlsx", "~$r.xlsx"):
        (tmp_path / name).write_bytes(b"x")
    land(tmp_path / "landing", tmp_path / "r.xlsx", source, "2024-01-01")
    with pytest.raises(ValueError, match="passed over as unfinished"):
        land(tmp_path / "landing", tmp_path / "~$r.xlsx", source, "2024-01-01")
    (tmp_path / "landing/engagement/2024-01-01/~$r.xlsx").write_bytes(b"x")
    listing = list_landing(tmp_path / "landing", sources)
    assert [file.name for delivery in listing.deliveries for file in delivery.files] == ["r.xlsx"]
    assert listing.strays == ()


# What is refused


@pytest.mark.parametrize(
    ("data", "rule", "reason"),
    [
        (b"", "not_empty", "the file is empty"),
        (b"null", "not_empty", "the body is 'null'"),
        (b"<html><title>Moved Permanently</title>", "not_a_page", "an HTML page (Moved Permanently)"),
        (b"Title,Hours Viewed\nA,1\n", "workbook", "it begins with 'Title,Hours Viewed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "workbook", "the older format .xls"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted",
            "behind a password",
        ),
        (b"PK\x03\x04", "complete_file", "cut short"),
        (workbook({"S": [HEADER, ROW]})[:900], "complete_file", "cut short"),
        (deflated({"readme.txt": "hello"}), "workbook", "there is no workbook in the zip"),
        (deflated({"xl/workbook.bin": "x"}), "workbook", "an .xlsb workbook"),
        (deflated({"xl/workbook.xml": "no XML"}), "complete_file", "broken XML"),
        (deflated({"xl/workbook.xml": "<workbook/>"}), "workbook", "cannot be read"),
    ],
)
def test_what_is_no_workbook_is_refused_as_what_it_is(data: bytes, rule: str, reason: str) -> None:
    found = refusal(data)
    assert found.rule == rule
    assert reason in found.reason
    assert found.hint


def test_a_workbook_without_the_header_is_refused_with_the_columns_that_are_needed() -> None:
    found = refusal(workbook({"S": [("Name", "Time"), ("A", 1)]}))
    assert (found.rule, found.reason) == ("header", "no sheet has a row that names the columns (title, hours)")


def test_a_sheet_that_lacks_a_column_is_refused_with_its_name_and_row() -> None:
    found = refusal(workbook({"S": [HEADER, ROW], "T": [("About",), ("Title", "Note"), ("A", "x")]}))
    assert (found.rule, found.line) == ("columns", 2)
    assert found.reason.startswith("sheet 'T', row 2: missing columns: hours")


def test_a_table_whose_header_is_not_known_is_not_lost_beside_one_that_is() -> None:
    stranger: list[tuple[Cell, ...]] = [("Name", "Time", "Rank"), *[("A", n, n) for n in range(30)]]
    found = refusal(workbook({"S": [HEADER, ROW], "T": stranger}))
    assert found.reason == "the sheet 'T' has 31 rows of 3 or more values, and none names the columns"


def test_columns_that_come_twice_are_refused() -> None:
    found = refusal(workbook({"S": [("Title", "Show Title", "Hours Viewed"), ("A", "B", 1)]}))
    assert (found.rule, found.line) == ("header", 1)
    assert "'Title' and 'Show Title' are both 'title'" in found.reason


def test_a_header_without_records_is_refused() -> None:
    found = refusal(workbook({"S": [HEADER, ROW], "T": [(), HEADER]}))
    assert (found.rule, found.reason, found.line) == ("not_empty", "the sheet 'T' has a header and no record", 2)


def test_a_failed_formula_is_refused_with_its_cell_and_the_other_records_are_known() -> None:
    contents = parts({"S": [("ignored",), (None, *HEADER), (None, *ROW), (None, "B", 5, "y")]})
    contents[SHEET1] = contents[SHEET1].replace('<c r="C4"><v>5</v>', '<c r="C4" t="e"><f>1/0</f><v>#DIV/0!</v>')
    parsed = parse(packed(contents))
    (found,) = parsed.refusals
    assert (found.rule, found.record, found.line, found.raw) == ("cell_error", 2, 4, ",B,#DIV/0!,y")
    assert found.reason == "record 2: the cell C4 of the sheet 'S' (Hours Viewed) holds the error #DIV/0!"
    assert (values(parsed), parsed.records) == ([("A", "100", "x")], 2)


def test_an_error_in_a_column_that_nobody_knows_is_rescued() -> None:
    contents = parts({"S": [("Title", "Hours Viewed", "Rank"), ("A", 1, 5)]})
    contents[SHEET1] = contents[SHEET1].replace('<c r="C2"><v>5</v>', '<c r="C2" t="e"><v>#N/A</v>')
    parsed = parse(packed(contents))
    assert (parsed.refusals, parsed.rows[0].rescued) == ((), '{"Rank": "#N/A"}')


# What is hostile


def lying(data: bytes) -> bytes:
    """The zip with a directory, and heads of its parts, that state 10 bytes for every part above a megabyte."""
    told = bytearray(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in archive.infolist():
            if part.file_size > 1_000_000:
                told[part.header_offset + 22 : part.header_offset + 26] = (10).to_bytes(4, "little")
                place = data.index(part.filename.encode(), part.header_offset + 100)
                place = data.rindex(b"PK\x01\x02", 0, place)
                told[place + 24 : place + 28] = (10).to_bytes(4, "little")
    return bytes(told)


SOUND = parts({"S": [HEADER, ROW]})
DTD = '<!DOCTYPE sst [<!ENTITY x SYSTEM "file:///etc/passwd">]><sst><si><t>&x;</t></si></sst>'
LAUGHS = '<!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><sst><si><t>&b;</t></si></sst>'
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a part that the directory states too large": (lambda: deflated({**SOUND, "xl/a.xml": BOMB * 2}), "zip_bomb"),
    "a part of zeros": (lambda: deflated({**SOUND, "xl/a.xml": b"<a>" + BOMB[:-8] + b"</a>"}), "zip_bomb"),
    "the same with a directory that lies": (lambda: lying(deflated({**SOUND, "xl/aa.xml": BOMB})), "complete_file"),
    "too many parts": (lambda: deflated({**SOUND, **{f"xl/p{n}.xml": "<a/>" for n in range(1001)}}), "zip_bomb"),
    "a file of the system drawn in": (lambda: packed({**SOUND, "xl/sharedStrings.xml": DTD}), "no_dtd"),
    "a billion laughs": (lambda: packed({**SOUND, "xl/sharedStrings.xml": LAUGHS}), "no_dtd"),
    "elements inside each other": (lambda: packed({**SOUND, "xl/a.xml": "<a>" * 5000 + "</a>" * 5000}), "zip_bomb"),
    "an endless tag": (
        lambda: packed({**SOUND, "xl/a.xml": "<a " + " ".join(f'b{n}=">"' for n in range(250_000)) + "/>"}),
        "zip_bomb",
    ),
    "two parts of one name": (lambda: packed({**SOUND, "XL/Workbook.xml": SOUND["xl/workbook.xml"]}), "complete_file"),
    "a text that is not there": (lambda: with_cells('<c r="A2" t="s"><v>99</v></c>'), "complete_file"),
    "cells that go back": (lambda: with_cells('<c r="B2"><v>1</v></c><c r="A2"><v>1</v></c>'), "complete_file"),
    "a cell that is nowhere": (lambda: with_cells('<c r="ZZZ9999999"><v>1</v></c>'), "complete_file"),
    "a sheet that is not there": (
        lambda: packed({name: text for name, text in SOUND.items() if name != SHEET1}),
        "workbook",
    ),
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_what_is_hostile_is_refused(what: str) -> None:
    build, rule = HOSTILE[what]
    found = refusal(build())
    assert found.rule == rule
    assert found.reason
    assert found.hint


def far_cell(row: int) -> bytes:
    contents = parts({"S": [HEADER, ROW]})
    far = f'<row r="{row}"><c r="XFD{row}"><v>1</v></c></row></sheetData>'
    return packed({**contents, SHEET1: contents[SHEET1].replace("</sheetData>", far)})


def test_a_cell_at_the_far_end_of_the_sheet_is_refused_and_a_far_format_is_not() -> None:
    found = refusal(far_cell(1_048_576))
    assert found.rule == "zip_bomb"
    assert "reach over more than 400,000 cells" in found.reason
    contents = parts({"S": [HEADER, ROW]})
    far = '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'
    parsed = parse(packed({**contents, SHEET1: contents[SHEET1].replace("</sheetData>", far)}))
    assert (parsed.refusals, values(parsed)) == ((), [("A", "100", "x")])


def test_a_long_text_that_many_cells_share_counts_for_each() -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 400))
    contents = parts({"S": [HEADER]})
    contents[SHEET1] = contents[SHEET1].replace("</sheetData>", f"{rows}</sheetData>")
    contents["xl/sharedStrings.xml"] = contents["xl/sharedStrings.xml"].replace("Title", "T" * 30_000)
    found = refusal(packed(contents))
    assert found.rule == "zip_bomb"
    assert "characters, the limit is 8,388,608" in found.reason


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    with path.open("wb") as file:
        file.truncate(unpack.MAX_FILE + 1)
    (found,) = parse_file(str(path), REPORT).refusals
    assert found.rule == "zip_bomb"
    assert found.reason == "the file has 33,554,433 bytes, the limit is 33,554,432"


def test_whatever_a_file_holds_nothing_raises() -> None:
    """Damage at random places of a packed and of a plain workbook is read or refused, never more."""
    rng = random.Random(7)
    sound = workbook({"TV": [(), (None, *HEADER), (None, *ROW)], "Film": [HEADER, ("B", date(2023, 1, 5), 1.5)]})
    outcomes = set()
    for original in (sound, deflated(parts({"S": [HEADER, ROW]}))):
        for _ in range(400):
            data = bytearray(original)
            for _ in range(rng.randint(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            parsed = parse(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
            assert all(found.rule and found.reason and found.hint for found in parsed.refusals)
            assert parsed.rows or parsed.refusals
            outcomes.update(found.rule for found in parsed.refusals)
    assert "complete_file" in outcomes


def test_changed_xml_is_read_or_refused() -> None:
    """The same with a zip that is whole: here the damage reaches the library."""
    rng = random.Random(11)
    contents = parts({"TV": [(), (None, *HEADER), (None, *ROW)], "Film": [HEADER, ("B", date(2023, 1, 5), 1.5)]})
    read = 0
    for _ in range(600):
        name = rng.choice(list(contents))
        place = rng.randrange(len(contents[name]))
        text = contents[name][:place] + rng.choice('0123456789abrst<>/"= -') + contents[name][place + 1 :]
        parsed = parse(packed({**contents, name: text}))
        assert parsed.rows or parsed.refusals
        read += bool(parsed.rows)
    assert 0 < read < 600


COST = """
import re, sys
from pathlib import Path
from netflix_dagster.files.parsing import parse_file
from netflix_dagster.landing.sources import load_sources
parsed = parse_file(sys.argv[1], load_sources().sources["engagement"])
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])  # ru_maxrss knows the parent's
print(parsed.records, len(parsed.refusals), peak // 1024)
"""


def largest() -> bytes:
    contents = parts({"S": [("Title", "Hours Viewed")]})
    rows = "".join(f"<row><c><v>{n}.5</v></c><c><v>{n}</v></c></row>" for n in range(199_900))
    return deflated({**contents, SHEET1: contents[SHEET1].replace("</sheetData>", f"{rows}</sheetData>")})


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (largest, (199_900, 0)),
        (lambda: far_cell(1_048_576), (0, 1)),
        *((HOSTILE[what][0], (0, 1)) for what in ("a part of zeros", "an endless tag", "elements inside each other")),
    ],
)
def test_no_workbook_needs_200_megabytes(tmp_path: Path, build: Callable[[], bytes], expected: tuple[int, int]) -> None:
    path = tmp_path / "r.xlsx"
    path.write_bytes(build())
    run = subprocess.run([sys.executable, "-c", COST, str(path)], capture_output=True, text=True, check=True)
    taken, refused, megabytes = map(int, run.stdout.split())
    assert (taken, refused) == expected
    assert megabytes < 200
