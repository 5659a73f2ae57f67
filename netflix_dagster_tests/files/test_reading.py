"""One reading of a file in batches: the same records whatever the pieces, bounded memory, and what may be malformed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netflix_dagster.deliveries.columns import look
from netflix_dagster.files import reading as reading_module
from netflix_dagster.files import text as text_module
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.files.reading import MOST_REFUSALS, Reading, columns_of, open_bytes, open_file
from netflix_dagster.landing.sources import Source
from netflix_dagster.sample.workbook import packed, parts, workbook
from netflix_dagster_tests.files.corpus import CORPUS, FILMS, HEAD
from netflix_dagster_tests.files.test_xlsx import REPORT, SHEET1

FEED = Source(**{**FILMS.model_dump(), "malformed": {"quarantine": 0.1}})


def lines(count: int, head: bytes = HEAD) -> list[bytes]:
    return [head, *(b"%d,Film %d,x\n" % (n, n) for n in range(1, count + 1))]


def rows(reading: Reading) -> list[dict[str, object]]:
    return [row for batch in reading for row in batch.to_pylist()]


# In batches, as one


def test_a_batch_has_the_columns_of_bronze_that_come_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a  b.csv"
    path.write_bytes(b'show_id,title,mood\n1,A,\n2,"B\nC",sad\n3,D,\n')
    with open_file(str(path), FILMS) as reading:
        (batch,) = reading
    assert batch.schema.names == columns_of(FILMS)
    where = {"source_file": "a  b.csv", "source_header": "show_id,title,mood", "note": None, "hours": None}
    assert batch.to_pylist() == [
        {"show_id": "1", "title": "A", "rescued_data": None, "record_number": 1, "line_number": 2, **where},
        {
            "show_id": "2",
            "title": "B\nC",
            "rescued_data": '{"mood": "sad"}',
            "record_number": 2,
            "line_number": 3,
            **where,
        },
        {"show_id": "3", "title": "D", "rescued_data": None, "record_number": 3, "line_number": 5, **where},
    ]
    result = reading.result
    assert (result.records, result.taken, result.set_aside, result.rows) == (3, 3, 0, ())
    assert (result.size, result.hash) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_comes_in_batches_of_the_wanted_size() -> None:
    data = b"".join(lines(50_000))
    batches = list(open_bytes(data, FILMS, batch=100_000))
    assert len(batches) > 5 and max(batch.nbytes for batch in batches) < 600_000
    numbers = [number for batch in batches for number in batch["record_number"].to_pylist()]
    assert numbers == list(range(1, 50_001))


def test_a_workbook_comes_in_batches_too() -> None:
    data = workbook({"S": [("Title", "Hours Viewed"), *((f"Film {n}", n) for n in range(9_000))]})
    reading = open_bytes(data, REPORT, "r.xlsx", batch=50_000)
    batches = list(reading)
    assert len(batches) > 1 and sum(batch.num_rows for batch in batches) == reading.result.taken == 9_000
    assert batches[0].schema.names == columns_of(REPORT)


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_hostile_files_say_the_same_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    files = [(file.data, file.source) for file in CORPUS if len(file.data) < 50_000]
    whole = [parse_bytes(data, source) for data, source in files]
    monkeypatch.setattr(reading_module, "PIECE", piece)
    monkeypatch.setattr(text_module, "_HEAD", 400)
    assert [parse_bytes(data, source) for data, source in files] == whole


@settings(deadline=None)
@given(
    data=st.lists(st.sampled_from(["a", ",", '"', "\n", "\r", "\r\n", "é", "🎬", "1,A,x\n", '1,"A\nB",x\r\n'])),
    dirt=st.sampled_from([b"", b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"]),
    at=st.integers(0, 100),
    piece=st.integers(1, 11),
    source=st.sampled_from([FILMS, FEED]),
)
def test_any_file_says_the_same_in_pieces_of_any_size(
    data: list[str], dirt: bytes, at: int, piece: int, source: Source
) -> None:
    garbage = "".join(data).encode()
    made = HEAD + garbage[:at] + dirt + garbage[at:]
    whole = parse_bytes(made, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_module, "PIECE", piece)
        patch.setattr(text_module, "_HEAD", 400)
        assert parse_bytes(made, source) == whole
    assert whole.refusals or whole.records == len(whole.rows) + whole.set_aside
    assert len(whole.quarantined) == whole.set_aside


MEMORY = """
import re, sys
from pathlib import Path
from netflix_dagster.files.reading import open_file
from netflix_dagster_tests.files.corpus import FILMS
with open_file(sys.argv[1], FILMS) as reading:
    rows = sum(batch.num_rows for batch in reading)
print(rows, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def peak(path: Path) -> tuple[int, int]:
    run = subprocess.run([sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True)
    found, megabytes = map(int, run.stdout.split())
    return found, megabytes


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["no final line break", "a final line break"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, end: bytes) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    record = b'\n1234,A film with a name,"' + b"words of a remark, " * 40 + b'."'
    small.write_bytes(HEAD.strip() + record * 25_000 + end)
    large.write_bytes(HEAD.strip() + record * 150_000 + end)
    (few, little), (many, much) = peak(small), peak(large)
    assert (few, many) == (25_000, 150_000)
    assert much - little < 40, "megabytes, for a file that has a hundred more"


# The verdict


def test_a_file_that_is_no_text_at_its_end_is_refused_though_batches_were_handed_out() -> None:
    data = b"".join(lines(100_000)) + b"1,\xe9,x\n"
    reading = open_bytes(data, FILMS, batch=1_000)
    assert next(iter(reading)).num_rows
    (refusal,) = reading.result.refusals
    assert (refusal.rule, refusal.line) == ("encoding", 100_002)
    assert (reading.result.records, reading.result.taken) == (0, 0)
    assert reading.result.hash == hashlib.sha256(data).hexdigest()


def test_a_reading_that_was_given_up_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"".join(lines(50_000)))
    with open_file(str(path), FILMS, batch=1_000) as reading:
        next(iter(reading))
    with pytest.raises(RuntimeError, match="closed before its end was read"):
        _ = reading.result


def test_a_file_that_lost_its_end_while_it_was_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEAD + b"1,A,x")
    monkeypatch.setattr("netflix_dagster.storage.last_byte", lambda place: b"\n")
    (refusal,) = open_file(str(path), FILMS).result.refusals
    assert (refusal.rule, refusal.reason) == ("readable", "cannot be read: it was replaced while it was read")


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "LONGEST", 3_000_000)
    (refusal,) = open_bytes(HEAD + b"1,A," + b"x" * 5_000_000, FILMS).result.refusals
    assert (refusal.rule, refusal.reason) == ("fields", "it has a line of more than 3,000,000 characters")


def test_of_very_many_refusals_the_first_are_kept_and_all_counted() -> None:
    result = open_bytes(HEAD + b"1\n" * (MOST_REFUSALS + 5), FILMS).result
    assert (len(result.refusals), result.refused) == (MOST_REFUSALS, MOST_REFUSALS + 5)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("most", [60, 100, 1000, 1100])
def test_ids_from_one_to_a_round_number_are_not_cut_short(most: int, shuffled: bool) -> None:
    """``100`` is longer than nearly all before it; what was cut is shorter."""
    ids = list(range(1, most + 1))
    if shuffled:
        ids[:-1] = reversed(ids[:-1])
    data = "\n".join(["title,show_id", *(f"Film {n},{n}" for n in ids)])
    assert parse_bytes(data.encode(), FILMS).refusals == ()
    cut = "\n".join(["title,show_id", *(f"Film {n},{n + 80_000_000}" for n in ids)])[:-3]
    assert [refusal.rule for refusal in parse_bytes(cut.encode(), FILMS).refusals] == ["complete_file"]


# The profile


def test_of_a_short_file_every_row_is_looked_at_and_of_a_long_one_a_thousand_spread_over_it() -> None:
    short = open_bytes(b"".join(lines(1_000)), FILMS).result.sample
    assert [record.number for record in short] == list(range(1, 1_001))
    long = open_bytes(b"".join(lines(40_000)), FILMS).result.sample
    numbers = [record.number for record in long]
    assert len(set(numbers)) == 1_000 and numbers == sorted(numbers)
    assert all(200 < sum(start < n <= start + 10_000 for n in numbers) < 300 for start in range(0, 40_000, 10_000))
    assert (
        long
        == open_bytes(b"".join(lines(40_000)), FILMS).result.sample
        == parse_bytes(b"".join(lines(40_000)), FILMS).sample
    )


def test_the_columns_are_those_of_a_file_that_is_read_whole() -> None:
    data = b"show_id,title,mood\n" + b"".join(b"%d,Film,%s\n" % (n, b"x" * (n % 3)) for n in range(500))
    seen = look(open_bytes(data, FILMS).result, FILMS)
    assert seen == look(parse_bytes(data, FILMS), FILMS)
    assert [(s.name, s.kind, s.records, s.null_share) for s in seen] == [
        ("show_id", "integer", 500, 0.0),
        ("title", "text", 500, 0.0),
        ("mood", "text", 500, 0.334),
    ]


def test_a_source_that_evolves_grows_by_the_header_before_its_first_row() -> None:
    asked: list[Sequence[str]] = []

    def grow(source: Source, names: Sequence[str]) -> Source:
        asked.append(names)
        return source.evolved(names)

    reading = open_bytes(b"show_id,title,mood,1st\n1,A,sad,y\n", FILMS, grow=grow)
    (row,) = rows(reading)
    assert asked == [["mood", "1st"]]
    assert (row["mood"], row["rescued_data"], reading.result.unknown_columns) == ("sad", '{"1st": "y"}', ("1st",))
    assert [s.kept for s in look(reading.result, reading.source)] == ["contract", "contract", "evolved", "rescued"]
    book = workbook({"S": [("Title", "Hours Viewed", "mood"), ("A", 1, "sad")]})
    (row,) = rows(open_bytes(book, REPORT, grow=grow))
    assert row["mood"] == "sad"


# Malformed records of a source that allows some

BAD = {
    "too many fields": (b"7,G,x,y,z\n", "fields", "7,G,x,y,z"),
    "too few": (b"7\n", "fields", "7"),
    "misplaced quotes": (b'7,"G" and,x\n', "quotes", '7,"G" and,x'),
    "over three lines": (b'7,"G\n\nH",x,y\n', "fields", '7,"G\n\nH",x,y'),
    "the header again": (HEAD, "header", HEAD.decode().strip()),
    "Windows-1252": (b"7,Am\xe9lie,x\n", "encoding", "7,Am\\xe9lie,x"),
    "a NUL": (b"7,\0,x\n", "encoding", "7,\\x00,x"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_malformed_record_among_many_is_set_aside_with_its_line_and_text(what: str) -> None:
    bad, rule, raw = BAD[what]
    good = lines(30)
    data = b"".join([*good[:15], bad, *good[15:]])
    reading = open_bytes(data, FEED)
    taken = rows(reading)
    result = reading.result
    assert (result.records, result.taken, result.set_aside, result.refusals) == (31, 30, 1, ())
    (found,) = result.quarantined
    assert (found.rule, found.record, found.line, found.raw) == (rule, 15, 16, raw)
    assert found.reason and found.hint
    assert sorted([row["record_number"] for row in taken] + [found.record]) == list(range(1, 32))
    assert [row["show_id"] for row in taken] == [str(n) for n in range(1, 31)]
    assert parse_bytes(data, FILMS).refusals, "another source refuses the file"


@pytest.mark.parametrize(("good", "taken"), [(18, True), (17, False)])
def test_above_the_share_the_file_is_refused_with_every_fault(good: int, taken: bool) -> None:
    data = b"".join([*lines(good), b"7\n", b"8\n"])
    result = open_bytes(data, FEED).result
    assert bool(result.refusals) is not taken
    if not taken:
        assert result.refusals == parse_bytes(data, FILMS).refusals
        assert (result.refused, result.set_aside, result.quarantined) == (2, 0, ())


def test_too_many_records_in_another_encoding_are_told_as_that_of_the_file() -> None:
    data = b"".join(lines(3)) + b"4,Am\xe9lie,x\n"
    assert open_bytes(data, FEED).result.refusals == parse_bytes(data, FILMS).refusals


@pytest.mark.parametrize(
    "end",
    [b'31,"never closed\n', b"31,half a rec", b"31,Am\xc3", b'31,"half', b"<html>oops"],
    ids=["open quote", "half a record", "half a character", "half a value", "half an answer"],
)
def test_a_file_that_was_cut_short_is_refused_whatever_share_may_be_malformed(end: bytes) -> None:
    result = open_bytes(b"".join(lines(30)) + end, FEED).result
    assert "complete_file" in {refusal.rule for refusal in result.refusals}
    assert (result.set_aside, result.quarantined) == (0, ())


def test_malformed_records_can_be_taken_batch_by_batch() -> None:
    data = b"".join(line + (b"bad\n" if n % 50 == 49 else b"") for n, line in enumerate(lines(20_000)))
    reading = open_bytes(data, FEED, batch=50_000)
    found = []
    for _ in reading:
        found.append(reading.take_malformed())
    result = reading.result
    found.append(reading.take_malformed())
    assert sum(map(len, found)) == result.set_aside == 400 and max(map(len, found)) < 200
    assert result.records == result.taken + result.set_aside == 20_400


def test_where_the_header_is_short_the_other_fields_are_rescued() -> None:
    data = HEAD + b"".join(b"%d,Film,x,%d,\n" % (n, n) for n in range(90)) + b"90,Film,x\n91,a,b,c,d,e\n"
    reading = open_bytes(data, FEED)
    taken = rows(reading)
    assert [row["rescued_data"] for row in taken[:2]] == ['{"(column 4)": "0"}', '{"(column 4)": "1"}']
    assert (taken[90]["show_id"], taken[90]["note"], taken[90]["rescued_data"]) == ("90", "x", None)
    result = reading.result
    assert (result.taken, result.set_aside) == (91, 1)
    assert result.unknown_columns == ("(column 4)", "(column 5)")
    assert result.header_line == "show_id,title,note"
    assert [s.name for s in look(result, FEED)] == ["show_id", "title", "note", "(column 4)", "(column 5)"]
    assert parse_bytes(data, FILMS).refusals


def test_a_short_header_that_comes_again_is_no_record() -> None:
    data = HEAD + b"".join(b"%d,Film,x,%d\n" % (n, n) for n in range(90)) + HEAD + b"91,Film,x,91\n"
    reading = open_bytes(data, FEED)
    assert [row["show_id"] for row in rows(reading)] == [*map(str, range(90)), "91"]
    assert [(refusal.rule, refusal.record) for refusal in reading.result.quarantined] == [("header", 91)]


def test_one_record_that_is_too_long_does_not_make_the_header_short() -> None:
    result = open_bytes(b"".join(lines(30)) + b"31,B, and C,y\n", FEED).result
    assert (result.unknown_columns, result.set_aside) == ((), 1)


def test_a_failed_formula_of_a_workbook_is_set_aside_too() -> None:
    contents = parts({"S": [("Title", "Hours Viewed"), *((f"Film {n}", n) for n in range(20)), ("B", 777)]})
    contents[SHEET1] = contents[SHEET1].replace('<c r="B22"><v>777</v>', '<c r="B22" t="e"><v>#REF!</v>')
    data = packed(contents)
    feed = Source(**{**REPORT.model_dump(), "malformed": {"quarantine": 0.1}})
    reading = open_bytes(data, feed)
    assert [row["record_number"] for row in rows(reading)] == list(range(1, 21))
    result = reading.result
    assert (result.records, result.taken, result.set_aside, result.refusals) == (21, 20, 1, ())
    assert [(found.rule, found.line, found.raw) for found in result.quarantined] == [("cell_error", 22, "B,#REF!")]
