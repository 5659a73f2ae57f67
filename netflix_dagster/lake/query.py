"""SQL over the lake on this machine: DuckDB, with every table under its own name."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from netflix_dagster.lake import store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LAYERS = ("gold", "silver", "bronze", "quality")
"""Where a table is looked for that is named without its layer: ``dim_title``, ``quarantine``."""


class QueryError(ValueError):
    """The SQL could not be answered; the message says why and which tables there are."""


def connect(lake: Path, as_of: datetime | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees every table of the lake as a view, and nothing else on this machine.

    ``as_of`` shows the tables as they stood at that instant, as far back as maintenance has kept their files.
    """
    import duckdb

    connection = duckdb.connect()
    for layer, names in _tables(lake).items():
        connection.execute(f"CREATE SCHEMA {layer}")
        connection.execute(f"SET schema = '{layer}'")
        for name in names:
            if found := store.dataset(lake, f"{layer}.{name}", as_of):
                connection.from_arrow(found).create_view(name)
    connection.execute(f"SET search_path = '{','.join(_tables(lake)) or 'main'}'")
    connection.execute("SET enable_external_access = false")
    return connection


def query(lake: Path, sql: str, as_of: datetime | None = None) -> pa.Table:
    """The answer to one SQL statement, from the tables as they are, or stood ``as_of``. Raises ``QueryError``."""
    import duckdb

    kind = duckdb.StatementType
    connection = connect(lake, as_of)
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in (kind.SELECT, kind.EXPLAIN, kind.MULTI):
            raise QueryError("tables are only read here, by one statement: write a SELECT")
        answer = connection.sql(sql)
        if answer is None:
            raise QueryError("the statement has no answer: write a SELECT")
        return answer.to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(f"{error}\n\n{_known(lake)}") from error


def _known(lake: Path) -> str:
    tables = _tables(lake)
    if not tables:
        return f"There are no tables in {lake} yet; `netflix-dagster run` makes them."
    width = max(map(len, tables)) + 1
    return "\n".join(["Tables:", *(f"  {layer + '.':<{width}} {', '.join(names)}" for layer, names in tables.items())])


def _tables(lake: Path) -> dict[str, list[str]]:
    """The tables of the lake, by layer."""
    found = {layer: sorted(log.parent.name for log in (lake / layer).glob("*/_delta_log")) for layer in LAYERS}
    return {layer: names for layer, names in found.items() if names}
