"""The warehouse: one DuckDB file that anyone can open, kept in ``<lake>/serving/warehouse.duckdb``.

Schemas ``gold`` and ``quality`` hold the tables of the lake, with a comment on every table and column; ``metrics`` has
a view for every metric (``metrics.hours``), and ``metrics.definitions``, which says what they mean. ``main.versions``
says which Delta version each table was taken from.

The file is made aside and put into place whole: who has the old one open goes on reading it. Of a lake in ADLS there is
a copy on this machine, and one in the container ``serving``.
"""

from __future__ import annotations

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster import storage
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, Contract
from netflix_dagster.contracts.metrics import FACTS, METRICS
from netflix_dagster.lake import lock, store
from netflix_dagster.serving import metric_sql
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import duckdb

FILE = "warehouse.duckdb"
LAYERS = ("gold", "quality")
LOCK = "warehouse"
_PIECE = 8 << 20
MOST_FREE = 0.5
"""Share of the file that may be free; then it is written anew, without what replaced tables have left."""
_VERSIONS = (
    "CREATE TABLE IF NOT EXISTS main.versions (table_name VARCHAR PRIMARY KEY, delta_version BIGINT, row_count BIGINT,"
    " taken_at TIMESTAMP, contract VARCHAR)"
)
_MEANINGS = {
    "table_name": "The table",
    "delta_version": "Version of the Delta table that it was taken from; null of definitions",
    "row_count": "Its rows",
    "taken_at": "When it was taken, UTC",
    "contract": "Changes with what is promised of it",
}
_DEFINITIONS = "metrics.definitions"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """What a refresh came to: ``written`` are the tables that were taken anew, ``versions`` all that it has."""

    file: Path
    place: Place
    written: tuple[str, ...]
    versions: Mapping[str, int]
    seconds: float


def refresh(settings: Settings) -> Warehouse:
    """Bring the warehouse up to the tables of the lake. What has not changed is not written again."""
    started, lake = time.perf_counter(), settings.lake
    file, place = settings.serving / FILE, lake / "serving" / FILE
    with lock.alone(lake, LOCK, "the warehouse is made"):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not storage.is_local(lake) and not file.exists():
            with suppress(FileNotFoundError):
                _fetch(place, file)
        known, versions = _held(file), _versions(lake)
        changed = [name for name, version in versions.items() if known.get(name) != (version, _mark(name))]
        gone = [name for name in known if name not in versions and name != _DEFINITIONS]
        if changed or gone or known.get(_DEFINITIONS) != (None, _mark(_DEFINITIONS)):
            aside = file.with_name(f".{FILE}-{uuid.uuid4().hex[:12]}")
            try:
                if known:
                    shutil.copyfile(file, aside)
                versions |= _write(aside, lake, changed, gone, known)
                if not storage.is_local(lake):
                    sent = Path(shutil.copyfile(aside, f"{aside}-sent"))
                    storage.put(place, sent)
                aside.touch()  # not older than what was sent
                aside.replace(file)
            finally:
                for left in file.parent.glob(f"{aside.name}*"):
                    left.unlink()
    return Warehouse(file, place, tuple(changed), versions, time.perf_counter() - started)


def fetched(settings: Settings) -> Path:
    """The file on this machine, fetched if it is newer in the lake. Raises ``FileNotFoundError`` when there is none."""
    file, place = settings.serving / FILE, settings.lake / "serving" / FILE
    if storage.is_local(settings.lake):
        if not file.exists():
            raise FileNotFoundError(file)
        return file
    if not file.exists() or storage.modified_file(place) > file.stat().st_mtime:
        file.parent.mkdir(parents=True, exist_ok=True)
        _fetch(place, file)
    return file


def _fetch(place: Place, file: Path) -> None:
    """Bring the file from the lake, whole or not at all."""
    aside = file.with_name(f".{FILE}-{uuid.uuid4().hex[:12]}")
    try:
        with aside.open("wb") as written:
            for piece in storage.pieces(place, _PIECE):
                written.write(piece)
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _contracts() -> dict[str, Contract]:
    every: dict[str, Contract] = {**TABLES, **BOOKKEEPING}
    return {name: table for name, table in every.items() if table.layer in LAYERS}


def _versions(lake: Place) -> dict[str, int]:
    """The tables of the lake that go into the warehouse, with their Delta versions."""
    found = store.versions(lake, list(_contracts()))
    return {name: version for name, version in found.items() if version is not None}


def _mark(name: str) -> str:
    """Changes with the comments of a table, or with the definitions and how they are written."""
    said = _meanings(_contracts()[name]) if name != _DEFINITIONS else list(_definitions())
    code = Path(metric_sql.__file__).read_text() if name == _DEFINITIONS else ""
    return hashlib.sha256((repr(said) + repr(FACTS if code else "") + code).encode()).hexdigest()[:12]


def _meanings(table: Contract) -> tuple[str, dict[str, str]]:
    said = f"{table.description}\n\nOne row is {table.grain}. Key: {', '.join(table.key)}."
    return said, {column.name: column.description for column in table.columns}


def _held(file: Path) -> dict[str, tuple[int | None, str]]:
    """What the warehouse has: of every table the version, and the mark of its contract. A broken file has nothing."""
    import duckdb

    if not file.exists():
        return {}
    try:
        with closing(duckdb.connect(str(file), read_only=True)) as connection:
            rows = connection.execute("SELECT table_name, delta_version, contract FROM main.versions").fetchall()
    except duckdb.Error:
        return {}
    return {name: (version, contract) for name, version, contract in rows}


def _write(
    aside: Path, lake: Place, changed: list[str], gone: list[str], known: Mapping[str, tuple[int | None, str]]
) -> dict[str, int]:
    """Take the changed tables, and say anew what has changed of the definitions. Returns the versions taken."""
    import duckdb

    taken: dict[str, int] = {}
    with closing(duckdb.connect(str(aside))) as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("BEGIN")
        for schema in (*LAYERS, metric_sql.SCHEMA):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(_VERSIONS)
        if not known:
            _comment(connection, "main.versions", "From which version of the lake's tables each is", _MEANINGS)
        for name in gone:
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute("DELETE FROM main.versions WHERE table_name = ?", [name])
        for name in changed:
            if (version := _take(connection, lake, name)) is not None:
                taken[name] = version
        if known.get(_DEFINITIONS) != (None, _mark(_DEFINITIONS)) or set(FACTS) & {*gone, *set(changed) - set(known)}:
            _define(connection)
        connection.execute("COMMIT")
        _, free, of = _blocks(connection)
    if free > MOST_FREE * of:
        _compact(aside)
    return taken


def _take(connection: duckdb.DuckDBPyConnection, lake: Place, name: str) -> int | None:
    found = store.snapshot(lake, name)
    if found is None:
        return None
    version, rows = found
    connection.register("taken", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM taken")
    connection.unregister("taken")
    described, columns = _meanings(_contracts()[name])
    there = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
    _comment(connection, name, described, {column: said for column, said in columns.items() if column in there})
    _note(connection, name, version)
    return version


def _note(connection: duckdb.DuckDBPyConnection, name: str, version: int | None) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO main.versions SELECT ?, ?, (SELECT count(*) FROM {name}), ?, ?",
        [name, version, datetime.now(UTC).replace(tzinfo=None), _mark(name)],
    )


def _comment(connection: duckdb.DuckDBPyConnection, table: str, said: str, columns: Mapping[str, str]) -> None:
    connection.execute(f"COMMENT ON TABLE {table} IS {_text(said)}")
    for column, meaning in columns.items():
        connection.execute(f'COMMENT ON COLUMN {table}."{column}" IS {_text(meaning)}')


def _define(connection: duckdb.DuckDBPyConnection) -> None:
    """The metrics: a view for each whose fact is there, and what they mean."""
    for (view,) in connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE schema_name = ?", [metric_sql.SCHEMA]
    ).fetchall():
        connection.execute(f"DROP VIEW {metric_sql.SCHEMA}.{view}")
    define_views(connection)
    columns = ", ".join(f"{name} VARCHAR" for name in _DEFINED)
    connection.execute(f"CREATE OR REPLACE TABLE {_DEFINITIONS} ({columns})")
    marks = ", ".join("?" for _ in _DEFINED)
    connection.executemany(f"INSERT INTO {_DEFINITIONS} VALUES ({marks})", list(_definitions()))
    _comment(connection, _DEFINITIONS, "What each metric means, and what it is made of", _DEFINED)
    _note(connection, _DEFINITIONS, None)


def asked_for(sql: str) -> Callable[[duckdb.DuckDBPyConnection], None] | None:
    """The views of the metrics, for a statement that speaks of them; making them costs half a second."""
    return define_views if metric_sql.SCHEMA in sql.lower() else None


def define_views(connection: duckdb.DuckDBPyConnection) -> None:
    """A view ``metrics.<name>`` of every metric whose fact is there."""
    there = {
        f"{schema}.{name}"
        for schema, name in connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() UNION ALL"
            " SELECT schema_name, view_name FROM duckdb_views()"
        ).fetchall()
    }
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {metric_sql.SCHEMA}")
    for metric in METRICS.values():
        if metric.fact in there:
            connection.execute(metric_sql.view(metric))
            said = f"{metric.meaning} ({metric.unit}). Of {metric.fact}, by {', '.join(metric.dimensions)}."
            connection.execute(f"COMMENT ON VIEW {metric_sql.SCHEMA}.{metric.name} IS {_text(said)}")


_DEFINED = {
    "metric": "Its name, and that of its view",
    "meaning": "What it means",
    "unit": "Its unit",
    "owner": "Who answers for it",
    "fact": "The table that it is made of",
    "expression": "How, in the algebra of netflix_dagster/contracts/metrics.py",
    "rows": "The rows that it speaks of, as SQL; null: all",
    "dimensions": "What it may be cut by, the period first",
    "over_time": "any: of several periods it is computed from all their rows; last: the newest speaks",
    "format": "How it is written, as Python and d3 know it",
}


def _definitions() -> Iterator[tuple[str | None, ...]]:
    for m in METRICS.values():
        by = ", ".join(m.dimensions)
        yield m.name, m.meaning, m.unit, m.owner, m.fact, repr(m.expression), m.where, by, m.over_time, m.format


def _blocks(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Used, free and all blocks of the file."""
    size = "SELECT used_blocks, free_blocks, total_blocks FROM pragma_database_size()"
    row = connection.execute(f"{size} WHERE database_name = current_database()").fetchone()
    return row if row else (0, 0, 0)


def _compact(file: Path) -> None:
    """Write the file anew, without the blocks that replaced tables have left."""
    import duckdb

    anew = file.with_name(f"{file.name}-anew")
    with closing(duckdb.connect()) as connection:
        connection.execute(f"ATTACH {_text(str(file))} AS old (READ_ONLY)")
        connection.execute(f"ATTACH {_text(str(anew))} AS new")
        connection.execute("COPY FROM DATABASE old TO new")
        connection.execute("DETACH new")
    anew.replace(file)


def _text(said: str) -> str:
    return "'" + said.replace("'", "''") + "'"
