"""``netflix-dagster query``: every layer by name, three formats, and nothing else on the machine."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.sample import RELEASES
from netflix_dagster_tests.cli.shell import Shell

TITLE = "Salt\u00a0Meridian"


def test_every_layer_answers_in_every_format(built: Shell) -> None:
    by_release = "SELECT delivery_date, count(*) AS records FROM bronze.netflix_catalogue GROUP BY 1 ORDER BY 1"
    found = built.here("query", by_release, "--format", "json")
    assert (found.code, found.err) == (0, "")
    days = [day.isoformat() for day in RELEASES]
    assert [row["delivery_date"] for row in found.json] == days
    files = [built.landing / "netflix_catalogue" / day / "netflix_titles.csv" for day in days]
    assert [row["records"] for row in found.json] == [len(_records(file)) for file in files]

    shown = built.here("query", by_release)
    assert (shown.code, shown.err) == (0, "")
    lines = shown.out.splitlines()
    assert lines[0].split() == ["delivery_date", "records"] and lines[-1] == "4 rows"
    assert [line.split() for line in lines[2:-1]] == [[r["delivery_date"], str(r["records"])] for r in found.json]
    assert {len(line) for line in lines[2:-1]} == {len("delivery_date  records")}, "columns are aligned"

    titles = "SELECT * FROM gold.dim_title ORDER BY title_sk"
    rows = built.here("query", titles, "--format", "json").json
    said = list(csv.DictReader(io.StringIO(built.here("query", titles, "--format", "csv").out)))
    assert len(rows) == len(said) > 200
    assert [row["title"] for row in said] == [row["title"] for row in rows]
    assert {row["is_current"] for row in rows} == {True, False} and {r["is_current"] for r in said} == {"true", "false"}
    assert {row["valid_to"] for row in said if row["is_current"] == "true"} <= {"", "9999-12-31"}


HOSTILE = (
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\u202e=1",
    "\x00=1",
    '"=1',
    "<script>",
    "a\nb",
    "x" * 10_000,
)


def test_hostile_values_are_harmless_in_every_format(built: Shell) -> None:
    """A spreadsheet gets no formula, a terminal no character that steers it; JSON has every value as it is."""
    listed = ", ".join(
        " || ".join(f"chr({ord(c)})" for c in text) if len(text) < 99 else "repeat('x', 10000)" for text in HOSTILE
    )
    asked = f"SELECT unnest([{listed}]) AS said, -1 AS number, -1.5 AS decimal"
    rows = built.here("query", asked, "--format", "json").json
    assert [row["said"] for row in rows] == list(HOSTILE)
    cells = list(csv.reader(io.StringIO(built.here("query", asked, "--format", "csv").out, newline="")))[1:]
    assert {(number, decimal) for _, number, decimal in cells} == {("-1", "-1.5")}, "a number is none"
    said = [text for text, *_ in cells]
    assert [text.removeprefix("'") for text in said] == list(HOSTILE)
    assert {text for text in said if text.startswith("'")} == {f"'{text}" for text in HOSTILE[:8]}
    shown = built.here("query", asked).out
    assert not set(shown) & set("\t\r\x00\u202e\x1b") and "<script>" in shown


def test_names_without_a_layer_and_the_quarantine(built: Shell) -> None:
    rows = built.here("query", "SELECT DISTINCT table_name, delivery_date FROM quarantine", "--format", "json").json
    assert {row["table_name"] for row in rows} == {f"silver.title_{n}" for n in ("cast", "genres", "directors")}
    assert {row["delivery_date"] for row in rows} == {"2024-10-01"}
    both = "SELECT (SELECT count(*) FROM quality.quarantine) = (SELECT count(*) FROM quarantine) AS same"
    assert built.here("query", both, "--format", "json").json == [{"same": True}]
    rules = built.here("query", "SELECT rules, hints FROM quarantine LIMIT 1", "--format", "json").json
    assert rules[0]["rules"] == ["title_delivered"] and rules[0]["hints"][0]
    listed = built.here("query", "SHOW TABLES", "--format", "csv").out.split()
    assert {"dim_title", "titles", "netflix_catalogue", "quarantine", "deliveries"} < set(listed)
    assert not [name for name in listed if name.startswith("_")]


def test_every_book_keeping_table_answers_although_nothing_is_in_it(charted: Shell) -> None:
    for name, book in BOOKKEEPING.items():
        found = charted.here("query", f"SELECT {', '.join(book.column_names)} FROM {name}", "--format", "json")
        assert (found.code, found.err) == (0, "")
        assert name != "quality.quarantine" or found.json == []


def test_values_of_every_kind(built: Shell) -> None:
    sql = """SELECT 'é日本 👩‍👧' AS text, 'nan'::double AS nan, 1.50::decimal(9,2) AS exact, 1 AS twice, 2 AS twice,
        DATE '2020-02-29' AS day, TIMESTAMPTZ '2020-02-29 12:00:00+00' AS instant, [1, 2] AS list, {'a': 'ö'} AS struct,
        NULL AS nothing, 9007199254740993 AS large, '[red]' || chr(27) || '[31m' || chr(10) || 'b' AS rude"""
    found = built.here("query", sql, "--format", "json")
    (row,) = found.json
    assert "NaN" not in found.out and "é日本 👩‍👧" in found.out
    assert row["text"] == "é日本 👩‍👧" and row["nan"] is None and row["exact"] == 1.5
    assert (row["twice"], row["twice_2"], row["large"]) == (1, 2, 9007199254740993)
    assert row["day"] == "2020-02-29" and row["instant"].startswith("2020-02-29T12:00:00")
    assert row["list"] == [1, 2] and row["struct"] == {"a": "ö"} and row["nothing"] is None

    (said,) = csv.DictReader(io.StringIO(built.here("query", sql, "--format", "csv").out))
    assert (said["twice"], said["twice_2"], said["nothing"], said["struct"]) == ("1", "2", "", '{"a": "ö"}')
    shown = built.here("query", sql).out
    assert "\x1b" not in shown, "a value must not steer the terminal"
    assert "[red]" in shown and "é日本 👩‍👧" in shown and "1 row\n" in shown

    found = built.here(
        "query", f"SELECT title FROM bronze.netflix_catalogue WHERE title = '{TITLE}'", "--format", "json"
    )
    assert [row["title"] for row in found.json] == [TITLE] * 4


def test_sums_are_numbers(built: Shell) -> None:
    sql = """SELECT sum(1::bigint) AS huge, sum(9223372036854775807::hugeint * 9) AS larger, sum(1.25::decimal(9,2)) AS
        exact, [sum(2::bigint)] AS listed, avg(1) AS mean"""
    (row,) = built.here("query", sql, "--format", "json").json
    assert row == {"huge": 1, "larger": 83010348331692982263, "exact": 1.25, "listed": [2], "mean": 1.0}
    assert type(row["huge"]) is int
    (said,) = csv.DictReader(io.StringIO(built.here("query", sql, "--format", "csv").out))
    assert (said["larger"], said["exact"]) == ("83010348331692982263", "1.25")


WRONG = {
    "no table": ("SELECT * FROM gold.dim_titel", ["dim_titel", "Tables:", "dim_title", "netflix_catalogue"]),
    "no SQL": ("SELEC 1", ["SELEC", "Tables:", "kpi_catalogue"]),
    "no column": ("SELECT nope FROM gold.dim_title", ["nope", "gold.dim_title has title_sk, title_key"]),
    "an error at work": ("SELECT error('[boo]')", ["[boo]"]),
    "nothing": ("  ", ["SELECT"]),
    "two statements": ("SELECT 1; SELECT 2", ["one statement"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_question_is_told_with_the_tables_there_are(built: Shell, case: str) -> None:
    sql, reasons = WRONG[case]
    said = built.here("query", sql)
    assert (said.code, said.out) == (2, "") and "Traceback" not in said.err
    assert all(reason in said.err for reason in reasons), said.err


def test_a_query_on_no_lake(shell: Shell) -> None:
    said = shell.here("query", "SELECT * FROM gold.dim_title")
    assert said.code == 2 and "Traceback" not in said.err
    assert f"no tables in {shell.lake} yet; `netflix-dagster run` makes them" in said.err
    assert not shell.lake.exists(), "a question makes no lake"
    assert shell.here("query", "SELECT 1 AS one", "--format", "csv").out == "one\n1\n"


OUTSIDE = {
    "read a file": "SELECT * FROM read_text('{secret}')",
    "read a file as a table": "SELECT * FROM '{secret}'",
    "read a table by its path": "SELECT * FROM read_parquet('{lake}/gold/dim_title/*.parquet')",
    "list a folder": "SELECT * FROM glob('{cwd}/*')",
    "write a file": "COPY (SELECT 1) TO '{cwd}/written'",
    "attach a database": "ATTACH '{cwd}/written' AS other",
    "export": "EXPORT DATABASE '{cwd}/written'",
    "unlock and read": "SET enable_external_access = true; SELECT * FROM read_text('{secret}')",
    "unlock": "SET enable_external_access = true",
    "load": "LOAD '{secret}'",
    "install": "INSTALL httpfs",
    "read a variable of the program": "SELECT * FROM lake",
    "change a table": "INSERT INTO gold.dim_genre SELECT * FROM gold.dim_genre",
    "drop a table": "DROP VIEW gold.dim_genre",
    "make a table": "CREATE TABLE gold.mine AS SELECT 1",
}


def test_a_question_reaches_the_lake_and_nothing_else(built: Shell, tmp_path: Path) -> None:
    from netflix_dagster.lake.query import QueryError, query

    secret = tmp_path / "secret.csv"
    secret.write_text("word\nswordfish\n")
    before = built.versions()
    for what, sql in OUTSIDE.items():
        with pytest.raises(QueryError) as refused:
            query(built.lake, sql.format(secret=secret, lake=built.lake, cwd=tmp_path))
        assert "swordfish" not in str(refused.value), what
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert built.versions() == before

    said = built.here("query", OUTSIDE["read a file"].format(secret=secret))
    assert (said.code, said.out) == (2, "") and "disabled" in said.err and "Traceback" not in said.err
    said = built.here("query", OUTSIDE["write a file"].format(cwd=tmp_path))
    assert said.code == 2 and not (tmp_path / "written").exists()


def _records(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))
