"""SQL over the lake on this machine: DuckDB, with every table under its own name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netflix_dagster.lake import quarantine, store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class QueryError(ValueError):
    """The SQL could not be answered; the message says why and which tables there are."""


def connect(lake: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees every table of the lake as a view, ``quarantine`` included, and nothing else."""
    import duckdb

    connection = duckdb.connect()
    names = []
    for log in sorted(lake.glob("*/*/_delta_log")):
        layer, short = log.parent.parent.name, log.parent.name
        delta = store.delta(lake, f"{layer}.{short}")
        if delta is None:
            continue
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{layer}"')
        connection.register(f"_{layer}_{short}", delta.to_pyarrow_dataset())
        connection.execute(f'CREATE VIEW "{layer}"."{short}" AS SELECT * FROM "_{layer}_{short}"')
        names.append(f"{layer}.{short}")
    if quarantine.NAME in names:
        connection.execute(f"CREATE VIEW quarantine AS SELECT * FROM {quarantine.NAME}")
    connection.execute("SET enable_external_access = false")
    return connection


def query(lake: Path, sql: str) -> pa.Table:
    """The answer to one SQL statement. Raises ``QueryError``."""
    import duckdb

    connection = connect(lake)
    try:
        answer = connection.sql(sql)
        if answer is None:
            raise QueryError("the statement has no answer; write a SELECT")
        return answer.to_arrow_table()
    except duckdb.Error as error:
        known = connection.sql(
            "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal AND schema_name <> 'main'"
            " ORDER BY 1"
        ).fetchall()
        tables = ", ".join(name for (name,) in known) or "none yet; `netflix-dagster run` makes them"
        raise QueryError(f"{error}\nTables: {tables}") from error
