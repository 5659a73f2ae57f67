"""SQL over the lake on this machine: DuckDB, with every table under its own name."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


TABLES = "Tables"
"""How the list of the tables begins; where there are none, that explains every error."""


class QueryError(ValueError):
    """The SQL could not be answered; the message says why and which tables there are."""


Prepare = Callable[["duckdb.DuckDBPyConnection"], None]
"""What is done to a connection, once it sees the tables: further views."""


def connect(
    lake: Place, as_of: datetime | None = None, prepare: Prepare | None = None, only: Collection[str] | None = None
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees every table of the lake (or ``only`` some) as a view, and nothing else on this
    machine.

    A table that is named without its layer is looked for in gold first. ``as_of`` shows the tables as they stood at
    that instant, as far back as maintenance has kept their files.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")  # of a query that takes longer; it goes to stdout
    tables = _tables(lake) if only is None else _by_layer(only)
    for layer, names in tables.items():
        connection.execute(f"CREATE SCHEMA {layer}")
        connection.execute(f"SET schema = '{layer}'")
        for name, found in zip(names, _datasets(lake, layer, names, as_of), strict=True):
            if found is not None:
                connection.from_arrow(found).create_view(name)
    connection.execute(f"SET search_path = '{','.join(tables) or 'main'}'")
    if prepare is not None:
        prepare(connection)
    connection.execute("SET enable_external_access = false")
    return connection


def query(lake: Place, sql: str, as_of: datetime | None = None, prepare: Prepare | None = None) -> pa.Table:
    """The answer to one SQL statement, from the tables as they are, or stood ``as_of``. Raises ``QueryError``."""
    return ask(connect(lake, as_of, prepare), sql, lambda: known(lake, as_of))


def ask(connection: duckdb.DuckDBPyConnection, sql: str, known: Callable[[], str]) -> pa.Table:
    """The answer to one SQL statement that only reads. Raises ``QueryError``, which says what is ``known``."""
    import duckdb

    kind = duckdb.StatementType
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in (kind.SELECT, kind.EXPLAIN, kind.MULTI):
            raise QueryError("tables are only read here, by one statement: write a SELECT")
        answer = connection.sql(sql)
        if answer is None:
            raise QueryError("the statement has no answer: write a SELECT")
        return answer.to_arrow_table()
    except duckdb.BinderException as error:
        raise QueryError(f"{error}\n\n{_columns(connection, sql) or known()}") from error
    except duckdb.Error as error:
        there = known()
        raise QueryError(f"{error}\n\n{there}" if there.startswith(TABLES) else there) from error


def _columns(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The columns of the tables that a statement names; DuckDB itself names tables only of what it can bind."""
    import duckdb

    found = []
    for name in dict.fromkeys(re.findall(r"\b(?:FROM|JOIN)\s+([\w.]+)", sql, re.IGNORECASE)):
        with suppress(duckdb.Error):  # the name may be one of the statement's own
            columns = connection.execute(f"DESCRIBE {name}").fetchall()
            found.append(f"{name} has {', '.join(column for column, *_ in columns)}")
    return "\n".join(found)


def known(lake: Place, as_of: datetime | None) -> str:
    """Which tables a question can be asked of: those there are, or were ``as_of``."""
    tables = _tables(lake)
    if not tables:
        return f"There are no tables in {lake} yet; `netflix-dagster run` makes them."
    if as_of is not None:
        there = {
            layer: zip(names, _datasets(lake, layer, names, as_of), strict=True) for layer, names in tables.items()
        }
        then = {layer: [name for name, rows in found if rows is not None] for layer, found in there.items()}
        tables = {layer: names for layer, names in then.items() if names}
        if not tables:
            return f"There were no tables in {lake} at {as_of.isoformat()} yet, or maintenance has removed their files."
    width = max(map(len, tables)) + 1
    when = f" at {as_of.isoformat()}" if as_of else ""
    listed = [f"  {layer + '.':<{width}} {', '.join(names)}" for layer, names in tables.items()]
    return "\n".join([f"{TABLES}{when}:", *listed])


def _datasets(lake: Place, layer: str, names: list[str], as_of: datetime | None) -> list[Any]:
    """The tables of a layer, opened side by side: in ADLS each takes some round trips."""
    with ThreadPoolExecutor(16) as side_by_side:
        return list(side_by_side.map(lambda name: store.dataset(lake, f"{layer}.{name}", as_of), names))


def _by_layer(names: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for layer, _, short in (name.partition(".") for name in names):
        found.setdefault(layer, []).append(short)
    return found


def _tables(lake: Place) -> dict[str, list[str]]:
    """The tables of the lake, by layer."""
    found = {layer: store.tables(lake, layer) for layer in store.LAYERS}
    return {layer: names for layer, names in found.items() if names}
