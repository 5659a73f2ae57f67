"""What the database of the serverless pool holds: everything is a view over the Delta tables of gold where they lie.

The pool has no tables, no GROUPING SETS, no row-level security and no extended properties. So descriptions are rows of
views in the schema ``information``, and who may read what is said by roles, and by credentials: whoever may use a
credential may open any file that it opens. A role that reads single tables gets a credential for these alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.metrics import METRICS, in_words
from netflix_dagster.serving import metric_sql
from netflix_dagster.serving.synapse.tsql import COLLATION, of_files, quoted, text

Kind = Literal[
    "database", "master key", "credential", "data source", "schema", "view", "role", "user", "member", "grant"
]

GOLD, METRIC, INFORMATION = "gold", metric_sql.SCHEMA, "information"
SCHEMAS = (GOLD, METRIC, INFORMATION)
KEY = "##MS_DatabaseMasterKey##"
IDENTITY = "Managed Identity"
FOLDER, DATABASE = "$(gold)", "$(database)"
"""What differs between stacks, as variables of sqlcmd: the folder of the tables of gold, and the database."""


@dataclass(frozen=True, slots=True)
class Object:
    """Something that the database has. ``make`` does no harm where it is there already; ``mark`` is what the catalog of
    the database says of it when it is as wanted; ``undo`` takes it away."""

    kind: Kind
    name: str
    make: str
    mark: str = ""

    @property
    def undo(self) -> str:
        match self.kind:
            case "view":
                return f"DROP VIEW {self.name}"
            case "credential":
                return f"DROP DATABASE SCOPED CREDENTIAL {quoted(self.name)}"
            case "data source":
                return f"DROP EXTERNAL DATA SOURCE {quoted(self.name)}"
            case "role" | "user":
                return f"DROP {self.kind.upper()} {quoted(self.name)}"
            case "member":
                user, _, role = self.name.partition(" of ")
                return f"ALTER ROLE {quoted(role)} DROP MEMBER {quoted(user)}"
            case "grant":
                right, _, role = self.name.rpartition(" TO ")
                return f"REVOKE {right} FROM {quoted(role)}"
        raise ValueError(f"a {self.kind} is not taken away by a program: {self.name}")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a role, the groups of Entra that have it, and the tables of gold, None for all of them."""

    role: str
    groups: tuple[str, ...]
    tables: tuple[str, ...] | None = None


def gold() -> list[Table]:
    return [table for table in TABLES.values() if table.layer == GOLD]


def database() -> Iterator[Object]:
    """The database; made where the connection is to ``master``."""
    make = f"IF DB_ID('{DATABASE}') IS NULL\n    CREATE DATABASE {quoted(DATABASE)} COLLATE {COLLATION}"
    yield Object("database", DATABASE, make, COLLATION)


def files(readers: Sequence[Reader]) -> Iterator[Object]:
    """How the files of gold are opened: as the workspace's managed identity, whose rights are those of a reader."""
    yield Object(
        "master key",
        KEY,
        f"IF NOT EXISTS (SELECT 1 FROM sys.symmetric_keys WHERE name = '{KEY}')\n    CREATE MASTER KEY",
    )
    alone = _alone(readers)
    for credential in (GOLD, *alone):
        yield Object(
            "credential",
            credential,
            f"IF NOT EXISTS (SELECT 1 FROM sys.database_scoped_credentials WHERE name = '{credential}')\n"
            f"    CREATE DATABASE SCOPED CREDENTIAL {quoted(credential)} WITH IDENTITY = '{IDENTITY}'",
            IDENTITY,
        )
    for source in (GOLD, *alone):
        location = FOLDER if source == GOLD else f"{FOLDER}/{source}"
        yield Object(
            "data source",
            source,
            f"IF NOT EXISTS (SELECT 1 FROM sys.external_data_sources WHERE name = '{source}')\n"
            f"    CREATE EXTERNAL DATA SOURCE {quoted(source)}"
            f" WITH (LOCATION = '{location}', CREDENTIAL = {quoted(source)})",
            location,
        )


def schemas() -> Iterator[Object]:
    for schema in SCHEMAS:
        yield Object("schema", schema, f"IF SCHEMA_ID('{schema}') IS NULL\n    EXEC('CREATE SCHEMA {schema}')")


def tables(readers: Sequence[Reader]) -> Iterator[Object]:
    """A view ``gold.<table>`` of every table, its types said, so that none is guessed from files."""
    alone = _alone(readers)
    for table in gold():
        short = table.short_name
        path, source = ("/", short) if short in alone else (short, GOLD)
        columns = ",\n".join(f"    {quoted(column.name)} {of_files(column)}" for column in table.columns)
        names = ", ".join(quoted(column.name) for column in table.columns)
        yield _view(
            table.name,
            f"SELECT {names}\nFROM OPENROWSET(BULK '{path}', DATA_SOURCE = '{source}', FORMAT = 'DELTA')"
            f" WITH (\n{columns}\n) AS files",
        )


def metrics() -> Iterator[Object]:
    """A view ``metrics.<name>`` of every metric. Its mark changes with the columns of its fact as well: a view that
    reads another is bound to the columns which that had."""
    beneath = {table.name: table.mark for table in tables(())}
    for metric in METRICS.values():
        _, _, select = metric_sql.view(metric, "tsql").partition(" AS ")
        yield _view(f"{METRIC}.{metric.name}", select.replace(" UNION ALL ", "\nUNION ALL\n"), beneath[metric.fact])


def information() -> Iterator[Object]:
    """What tables, columns and metrics mean, as rows of views."""
    said = [(table.name, table.grain, ", ".join(table.key), table.description) for table in gold()]
    yield _rows("tables", ("table_name", "one_row_is", "key_columns", "description"), said)
    columns = [
        (table.name, str(nth), column.name, of_files(column).partition(" COLLATE")[0], column.description)
        for table in gold()
        for nth, column in enumerate(table.columns, 1)
    ]
    yield _rows("columns", ("table_name", "position", "column_name", "data_type", "description"), columns)
    figures = [
        (m.name, m.meaning, m.unit, m.fact, ", ".join(m.dimensions), in_words(m.expression), m.where or "", m.over_time)
        for m in METRICS.values()
    ]
    names = ("metric", "meaning", "unit", "fact", "dimensions", "expression", "of_rows", "over_time")
    yield _rows("metrics", names, figures)


def roles(readers: Sequence[Reader]) -> Iterator[Object]:
    """The roles, the groups that have them as users, and which has which."""
    for reader in readers:
        yield _principal("role", reader.role, f"CREATE ROLE {quoted(reader.role)}")
    for group in sorted({group for reader in readers for group in reader.groups}):
        yield _principal("user", group, f"CREATE USER {quoted(group)} FROM EXTERNAL PROVIDER")
    for reader in readers:
        for group in reader.groups:
            add = f"ALTER ROLE {quoted(reader.role)} ADD MEMBER {quoted(group)}"
            yield Object("member", f"{group} of {reader.role}", add)


def grants(readers: Sequence[Reader]) -> Iterator[Object]:
    """What each role may do: read views, and open the files beneath them, which the views do not do on its behalf."""
    everything = (GOLD, *_alone(readers))
    for reader in readers:
        if reader.tables is None:
            rights = [f"SELECT ON SCHEMA::{schema}" for schema in SCHEMAS]
            credentials: Sequence[str] = everything
        else:
            rights = [f"SELECT ON OBJECT::{table}" for table in reader.tables]
            rights.append(f"SELECT ON SCHEMA::{INFORMATION}")
            credentials = [table.partition(".")[2] for table in reader.tables]
        rights += [f"REFERENCES ON DATABASE SCOPED CREDENTIAL::{credential}" for credential in credentials]
        for right in (*rights, "ADMINISTER DATABASE BULK OPERATIONS"):
            yield Object("grant", f"{right} TO {reader.role}", f"GRANT {right} TO {quoted(reader.role)}")


def _alone(readers: Sequence[Reader]) -> tuple[str, ...]:
    """The tables that some role reads without the others, by their short names."""
    named = {table.partition(".")[2] for reader in readers for table in reader.tables or ()}
    return tuple(sorted(named))


def _principal(kind: Literal["role", "user"], name: str, create: str) -> Object:
    return Object(kind, name, f"IF DATABASE_PRINCIPAL_ID('{name}') IS NULL\n    {create}")


def _view(name: str, select: str, *beneath: str) -> Object:
    """A view, with a mark of its text in it, by which a later run knows it."""
    mark = hashlib.sha256("\n".join((select, *beneath)).encode()).hexdigest()[:12]
    return Object("view", name, f"CREATE OR ALTER VIEW {name} AS /* made {mark} */\n{select}", mark)


def _rows(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Object:
    """A view that has its rows in itself. A part of a UNION says no names but in the first one."""
    first, *others = rows
    named = ", ".join(f"{text(value)} AS {column}" for value, column in zip(first, columns, strict=True))
    said = [f"SELECT {named}", *(f"SELECT {', '.join(map(text, row))}" for row in others)]
    return _view(f"{INFORMATION}.{name}", "\nUNION ALL\n".join(said))


def with_values(wanted: Object, values: dict[str, str]) -> Object:
    """The object, its variables replaced."""
    name, make, mark = wanted.name, wanted.make, wanted.mark
    for variable, value in values.items():
        name, make, mark = (said.replace(f"$({variable})", value) for said in (name, make, mark))
    return replace(wanted, name=name, make=make, mark=mark)
