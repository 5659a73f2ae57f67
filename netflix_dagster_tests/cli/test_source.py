"""``netflix-dagster source``: a file never seen to a silver table without code; the file of the sources stays ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netflix_dagster import tables
from netflix_dagster.landing.sources import PACKAGED, load_sources
from netflix_dagster.sample.workbook import workbook
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.landing.origins.server import serving

OWN = {"NETFLIX_SOURCES": "own.yaml"}
HEADER = ["Pet No", "Name", "Born", "Weight"]
PETS = [[f"P{n:03}", f"Pet {n}", f"{n % 28 + 1}.5.{2000 + n % 20}", f"{n}.5"] for n in range(1, 41)]
SPOILT = ["P100", "Pet 100", "some day", "3.5"]


def as_file(format_: str, rows: list[list[str]]) -> bytes:
    if format_ == "xlsx":
        return workbook({"Pets": [HEADER, *rows]})
    if format_ == "jsonl":
        lines = [dict(zip(HEADER, row, strict=True)) for row in rows]
        numbers = [f'{json.dumps(line)[:-1]}, "Tags": ["a", {{"b": 1.50}}]}}' for line in lines]
        return ("\n".join(numbers) + "\n").encode()
    mark = {"csv": ",", "tsv": "\t", "semicolon": ";"}[format_]
    return ("\n".join(mark.join(row) for row in [HEADER, *rows]) + "\n").encode()


@pytest.mark.parametrize("format_", ["tsv", "semicolon", "jsonl", "xlsx"])
def test_a_file_never_seen_is_a_silver_table_that_loses_nothing(shell: Shell, format_: str) -> None:
    name = f"Our Pets.{'csv' if format_ == 'semicolon' else format_}"
    (shell.cwd / name).write_bytes(as_file(format_, PETS))
    said = shell.here("source", "add", "pets", "--file", name, "--yes", **OWN)
    assert said.code == 0, said.err
    (shell.cwd / name).write_bytes(as_file(format_, [*PETS, SPOILT]))
    said = shell.here("land", name, "--source", "pets", "--date", "2024-05-06", **OWN)
    assert said.code == 0, said.err

    bronze, rows, refused = built(shell)
    assert len(bronze) == len(PETS) + 1 and len(rows) == len(PETS)
    first = next(row for row in rows if row["pet_no"] == "P001")
    assert (first["name"], first["born"].isoformat(), first["weight"]) == ("Pet 1", "2001-05-02", 1.5)
    if format_ == "jsonl":
        assert first["tags"] == '["a",{"b":1.50}]', "digit by digit"
    (row,) = refused
    assert row["rules"] == ["born_readable"] and json.loads(row["row"])["pet_no"] == "P100"


def built(shell: Shell) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of bronze, of silver, and of the quarantine of silver, of the pets that landed."""
    with lakehouse(shell) as house:
        house.build("2024-05-06", feed="pets")
        return house.rows("bronze.pets"), house.rows("silver.pets"), house.quarantined("silver.pets", "2024-05-06")


@contextmanager
def lakehouse(shell: Shell) -> Iterator[Lakehouse]:
    """What has landed, with the tables of the sources as they are said in the shell."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NETFLIX_SOURCES", str(shell.cwd / "own.yaml"))
        get_settings.cache_clear()
        tables.declare(load_sources(shell.cwd / "own.yaml"))
        try:
            yield Lakehouse(shell.cwd / "data")
        finally:
            tables.declare(load_sources())
            get_settings.cache_clear()


def test_a_parquet_file_keeps_its_types(shell: Shell) -> None:
    """Codes of digits stay text, decimals keep their digits, and a refused record is told as it was delivered."""
    count = len(PETS)
    seen = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)
    table = {
        "Pet No": [f"{n:03}" for n in range(1, count + 1)],
        "Born": pa.array([date(2000 + n % 20, 5, 6) for n in range(count)]),
        "Weight": pa.array([Decimal(f"{n}.10") for n in range(count)], pa.decimal128(9, 2)),
        "Seen": pa.array([seen] * count, pa.timestamp("ns", "UTC")),
        "Legs": pa.array([4] * (count - 1) + [None], pa.int8()),
    }
    pq.write_table(pa.table(table), shell.cwd / "pets.parquet")
    said = shell.here("source", "add", "pets", "--file", "pets.parquet", "--yes", **OWN)
    assert said.code == 0 and "types: {born: date, weight: 'decimal(9,2)', seen: timestamp, legs: bigint}" in said.out
    table["Pet No"][-1] = None
    pq.write_table(pa.table(table), shell.cwd / "pets.parquet")
    assert shell.here("land", "pets.parquet", "--source", "pets", "--date", "2024-05-06", **OWN).code == 0

    bronze, rows, refused = built(shell)
    assert len(bronze) == count and len(rows) == count - 1
    assert [bronze[0][name] for name in ("pet_no", "weight", "seen", "line_number")] == [
        "001", "0.10", "2024-05-06 07:08:09.000010000Z", None,
    ]  # fmt: skip
    first = next(row for row in rows if row["pet_no"] == "001")
    assert (first["born"], first["weight"], first["legs"]) == (date(2000, 5, 6), Decimal("0.10"), 4)
    assert first["seen"].astimezone(UTC) == seen
    (row,) = refused
    assert row["rules"] == ["pet_no_not_null"] and row["line_number"] is None
    assert row["raw"] == ",2019-05-06,39.10,2024-05-06 07:08:09.000010000Z,"


def test_what_people_wrote_stays_and_removing_takes_out_what_adding_put_in(shell: Shell) -> None:
    own = shell.cwd / "own.yaml"
    packaged = PACKAGED.read_text().replace("\nsources:\n", "\n# the sources, by hand\nsources:\n", 1)
    own.write_text(f"# ours\n{packaged}\n# end\n")
    before = own.read_bytes()
    (shell.cwd / "pets.csv").write_bytes(as_file("csv", PETS))
    said = shell.here("source", "add", "pets", "--file", "pets.csv", "--yes", **OWN)
    assert said.code == 0 and "  pets:\n    feed: pets\n" in said.out
    lines, old = own.read_text().split("\n"), before.decode().split("\n")
    rest = iter(lines)
    assert all(line in rest for line in old), "every line is there still, in its order"
    assert lines.index("# end") > lines.index("    feed: pets")
    assert shell.here("source", "add", "pets", "--file", "pets.csv", "--yes", **OWN).code == 2
    told = shell.here("source", "check", "pets", "--json", **OWN)
    assert told.code == 0 and "bronze.pets -> silver.pets" in told.json["findings"][1]["found"]
    said = shell.here("source", "remove", "pets", "--yes", **OWN)
    assert said.code == 0 and "stay" in said.err
    assert own.read_bytes() == before


def test_a_file_of_ones_own_begins_as_a_copy_and_the_feed_goes_with_its_last_source(shell: Shell) -> None:
    (shell.cwd / "pets.csv").write_bytes(as_file("csv", PETS))
    shell.here("source", "add", "pets", "--file", "pets.csv", "--yes", **OWN)
    assert set(load_sources(shell.cwd / "own.yaml").sources) == {*load_sources().sources, "pets"}
    shell.here("source", "remove", "pets", "--yes", **OWN)
    assert load_sources(shell.cwd / "own.yaml") == load_sources()
    assert (shell.cwd / "own.yaml").read_bytes() == PACKAGED.read_bytes()


def test_what_cannot_be_a_source_is_said_in_a_sentence_and_changes_nothing(shell: Shell) -> None:
    files = {
        "pets.csv": as_file("csv", PETS),
        "latin.csv": "Größe,b\n1,2\n3,4\n".encode("cp1252"),
        "table.parquet": b"PAR1" + bytes(100),
        "page.csv": b"<html>moved</html>",
    }
    for name, body in files.items():
        (shell.cwd / name).write_bytes(body)
    shell.here("source", "check", **OWN)
    for arguments, reason in (
        (("Pets", "--file", "pets.csv", "--yes"), "no name of a source"),
        (("netflix_cast", "--file", "pets.csv", "--yes"), "already"),
        (("catalogue", "--file", "pets.csv", "--yes"), "already"),
        (("titles", "--file", "pets.csv", "--yes"), "code declares this table"),
        (("pets", "--yes"), "say --file or --url"),
        (("pets", "--file", "pets.csv"), "say --yes"),
        (("pets", "--file", "latin.csv", "--yes"), "cannot land as it is.*UTF-8"),
        (("pets", "--file", "table.parquet", "--yes"), "cannot be read as Parquet.*cut short"),
        (("pets", "--file", "page.csv", "--yes"), "holds no table"),
        (("pets", "--file", "none.csv", "--yes"), "there is no file"),
        (("pets", "--url", "http://127.0.0.1:1/pets.csv", "--yes"), "private network.*say --private"),
        (("pets", "--url", "ftp://example.org/pets.csv", "--yes"), "https://host/path"),
        (("pets", "--database", "env://SHOP", "--yes"), "--table which table"),
        (("pets", "--file", "pets.csv", "--cursor", "at", "--yes"), "--cursor is a column"),
        (("pets", "--database", "env://NOPE", "--table", "t", "--yes"), "NOPE is not set"),
        (("pets", "--database", "mysql://me:s3cr3t@h/d", "--table", "t", "--yes"), "mysql is not known here"),
    ):
        said = shell.here("source", "add", *arguments, **OWN)
        assert said.code in (1, 2), arguments
        assert re.search(reason, said.err.replace("\n", " ")), (arguments, said.err)
        own = shell.cwd / "own.yaml"
        assert not own.exists() or own.read_bytes() == PACKAGED.read_bytes()
    said = shell.here("source", "remove", "netflix_cast", "--yes", **OWN)
    assert said.code == 2 and "silver.title_cast" in said.err


def test_what_signs_a_url_is_kept_in_the_environment(shell: Shell) -> None:
    with serving() as server:
        server.file("/pets.csv", as_file("csv", PETS))
        url = server.url("/pets.csv?sv=2024&sig=s3cr3t-S1gnature")
        said = shell.here("source", "add", "pets", "--url", url, "--private", "--yes", **OWN)
        assert said.code == 0 and "set PETS_SIG in the environment" in said.err
        assert "query: {sv: '2024', sig: 'env://PETS_SIG'}" in (shell.cwd / "own.yaml").read_text()
        failed = shell.here("fetch", "pets", **OWN)
        assert failed.code == 1 and "PETS_SIG is not set" in failed.err
        fetched = shell.here("fetch", "pets", **OWN, PETS_SIG="s3cr3t-S1gnature")
        assert fetched.code == 0 and server.asked[-1].path == "/pets.csv?sv=2024&sig=s3cr3t-S1gnature"
    everything = [said.out, said.err, fetched.err, *(f.read_text() for f in shell.cwd.rglob("*") if f.is_file())]
    assert not any("S1gnature" in text for text in everything)


CHANGES = [
    (1, "Rex", 4, "c", 10), (2, "Mimi", 4, "c", 11), (3, "Bird", 2, "c", 12), (1, "Rex", 3, "u", 20),
    (3, "Bird", 2, "d", 30), (2, "Minka", 4, "u", 31), (3, "Bird", 2, "c", 40),
]  # fmt: skip
"""Number, name and legs of a pet, what was done, and in which order."""
VERSIONS = {
    (1, "Rex", 4, 10, 20), (1, "Rex", 3, 20, None), (2, "Mimi", 4, 11, 31), (2, "Minka", 4, 31, None),
    (3, "Bird", 2, 12, 30), (3, "Bird", 2, 40, None),
}  # fmt: skip


def envelope(number: int, name: str, legs: int, op: str, at: int) -> str:
    row, gone = {"id": number, "name": name, "legs": legs}, {"id": number, "name": None, "legs": None}
    said = {"before": gone, "after": None} if op == "d" else {"before": None, "after": row}
    told = {**said, "source": {"lsn": at, "table": "pets"}, "op": op, "ts_ms": 1_700_000_000_000 + at}
    return json.dumps(told) + ("\nnull" if op == "d" else "")


def feed() -> pa.Table:
    """As Delta's change data feed has it: an update is two rows."""
    words = {"c": "insert", "u": "update_postimage", "d": "delete"}
    rows = [(n, name, legs, words[op], at) for n, name, legs, op, at in CHANGES]
    rows += [(n, "before", 0, "update_preimage", at) for n, _, _, op, at in CHANGES if op == "u"]
    kinds = {"id": pa.int64(), "name": pa.string(), "legs": pa.int32(), "_change_type": pa.string()}
    columns = zip(*rows, strict=True)
    schema = pa.schema([*kinds.items(), ("_commit_version", pa.int64())])
    told = pa.table(dict(zip(schema.names, map(list, columns), strict=True)), schema)
    return told.append_column("_commit_timestamp", pa.array([datetime(2024, 5, 6)] * len(rows), pa.timestamp("ms")))


@pytest.mark.parametrize("form", ["debezium", "plain", "delta"])
def test_changes_are_known_for_what_they_are_and_every_version_is_kept(shell: Shell, form: str) -> None:
    name = {"debezium": "pets.jsonl", "plain": "pets.csv", "delta": "pets.parquet"}[form]
    if form == "delta":
        pq.write_table(feed(), shell.cwd / name)
    else:
        lines = [envelope(*one) for one in CHANGES]
        plain = ["id,name,legs,operation,seq_no", *(",".join(map(str, one)) for one in CHANGES)]
        (shell.cwd / name).write_text("\n".join(lines if form == "debezium" else plain) + "\n")
    said = shell.here("source", "add", "pets", "--file", name, "--yes", **OWN)
    assert said.code == 0 and "silver.pets_history" in said.err and "changes of rows" in said.err, said.err
    assert shell.here("land", name, "--source", "pets", "--date", "2024-05-06", **OWN).code == 0
    with lakehouse(shell) as house:
        house.build("2024-05-06", feed="pets")
        names = ("id", "name", "legs", "valid_from", "valid_to")
        found = {tuple(row[name] for name in names) for row in house.rows("silver.pets_history")}
        assert found == VERSIONS and house.quarantined("silver.pets", "2024-05-06") == []


def test_rows_with_a_column_that_is_called_like_an_operation_are_rows(shell: Shell) -> None:
    """By its words, or because nothing says in which order; and a key that cannot be seen is asked for."""
    for lines, key, changes in (
        ("id,action,at\n1,run,1\n2,insert,2\n", (), False),
        ("id,op\n1,insert\n2,delete\n", (), False),
        ("id,op,seq\n1,insert,1\n1,insert,2\n", (), False),
        ("id,op,seq\n1,insert,1\n1,insert,2\n", ("--key", "id"), True),
    ):
        (shell.cwd / "pets.csv").write_text(lines)
        said = shell.here("source", "add", "pets", "--file", "pets.csv", *key, **OWN)
        assert ("changes: {op: op" in said.out) == changes, lines
    (shell.cwd / "pets.csv").write_text("id,op,seq\n1,insert,1\n1,insert,2\n")
    assert "say --key" in shell.here("source", "add", "pets", "--file", "pets.csv", **OWN).err
    assert "no column ID" in shell.here("source", "add", "pets", "--file", "pets.csv", "--key", "ID", **OWN).err


def test_what_lies_at_a_url_is_a_source_with_an_origin_and_fetch_lands_it(shell: Shell) -> None:
    with serving() as server:
        server.file("/pets.csv", as_file("csv", PETS), ETag='"1"', Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
        url = server.url("/pets.csv")
        said = shell.here("source", "add", "pets", "--url", url, "--private", "--yes", **OWN)
        assert said.code == 0, said.err
        told = [shell.here("fetch", "pets", "--json", **OWN) for _ in range(2)]
        assert [one.json["fetched"][0]["outcome"] for one in told] == ["delivered", "unchanged"]
        server.answers["/pets.csv"] = lambda asked: asked.answer(b"", 403)
        failed = shell.here("fetch", "pets", **OWN)
        assert failed.code == 1 and "answers 403" in failed.err
    assert (shell.landing / "pets" / "2024-05-06" / "pets.csv").read_bytes() == as_file("csv", PETS)
    assert len(built(shell)[1]) == len(PETS)
    assert shell.here("fetch", "nobody", **OWN).code == 2


def test_a_column_that_was_renamed_is_known_by_what_it_holds(shell: Shell) -> None:
    """By its values in the newest delivery in landing: the names share nothing."""
    rows = [f"Person {n},{70000000 + n}\n" for n in range(50)]
    shell.land("netflix_cast", "2020-02-01", "cast,show_id\n" + "".join(rows))
    (shell.cwd / "new.csv").write_text("Darsteller,show_id\n" + "".join(rows[10:]), encoding="utf-8")
    found = shell.here("profile", "new.csv", "--json").json
    (like,) = [like for like in found["sources"] if like["source"] == "netflix_cast"]
    assert (like["verdict"], like["renamed"]) == ("renamed", {"Darsteller": "cast"})
    assert found["proposal"]["sources"]["sources"]["netflix_cast"]["columns"]["cast"]["aliases"][-1] == "Darsteller"
    other = "".join(row.replace("Person", "Jemand") for row in rows)
    (shell.cwd / "new.csv").write_text("Darsteller,show_id\n" + other, encoding="utf-8")
    found = shell.here("profile", "new.csv", "--json").json
    assert all(like["renamed"] == {} for like in found["sources"] if like["source"] == "netflix_cast")
