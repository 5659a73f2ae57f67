"""The option of a dedicated pool: copies of the tables of gold, for those who ask too often for the serverless one.

COPY reads Parquet, not Delta: in the folder of a table it would load files that the table has left behind. So a
snapshot of the rows that stand is written beside the lake, loaded into a table of its own, counted, and then the view
``gold.<table>`` is turned to it, in one statement. The name of that table says which version of the Delta table it
holds, so the view is all the state there is: what is loaded is not loaded again, and what broke off begins anew.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.lake import store
from netflix_dagster.serving.synapse.server import Server, SynapseError, connected
from netflix_dagster.serving.synapse.tsql import of_tables, quoted
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

LOADED = "loaded"
"""The schema of the tables; people read the views in ``gold``."""
SCHEMAS = ("gold", LOADED)
VIEWS = (
    "SELECT o.name, m.definition FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
    " JOIN sys.sql_modules AS m ON m.object_id = o.object_id WHERE o.type = 'V' AND s.name = 'gold'"
)
LEFT = (
    f"SELECT t.name FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE s.name = '{LOADED}'"
)
_ASKED = re.compile(rf"FROM {LOADED}\.\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One table that was loaded: from which version of the Delta table, and its rows."""

    table: str
    version: int
    rows: int


def create(table: Table, name: str) -> str:
    """The CREATE TABLE. A large table is spread by a key that every row has, or evenly; a small one is everywhere."""
    columns = ",\n".join(
        f"    {quoted(column.name)} {of_tables(column)} {'NULL' if column.nullable else 'NOT NULL'}"
        for column in table.columns
    )
    return f"CREATE TABLE {LOADED}.{quoted(name)} (\n{columns}\n)\nWITH ({_layout(table)})"


def _layout(table: Table) -> str:
    if not table.short_name.startswith("fact_"):
        kinds = {column.name: column.type for column in table.columns}
        narrow = all(kinds[name] != "string" for name in table.key)  # an index has 900 bytes for a row
        keys = ", ".join(map(quoted, table.key))
        return f"DISTRIBUTION = REPLICATE, {f'CLUSTERED INDEX ({keys})' if narrow else 'HEAP'}"
    whole = {column.name for column in table.columns if not column.nullable}
    by = next((name for name in table.key if name in whole and name.endswith(("_key", "_sk"))), None)
    spread = f"HASH({quoted(by)})" if by else "ROUND_ROBIN"
    return f"DISTRIBUTION = {spread}, CLUSTERED COLUMNSTORE INDEX"


def load(settings: Settings, pool: Server | None = None, url: Callable[[Place], str] | None = None) -> Iterator[Loaded]:
    """Bring the pool up to the tables of the lake; yields each table that was loaded.

    Raises ``SynapseError`` when a table is refused or comes out with other rows; people go on reading its copy of
    before, and the tables that were yielded hold.
    """
    if settings.synapse is None or settings.synapse_pool is None:
        raise SynapseError("NETFLIX_SYNAPSE and NETFLIX_SYNAPSE_POOL are not set: the endpoint, and the dedicated pool")
    if pool is None:
        endpoint = settings.synapse.replace("-ondemand.", ".", 1)
        with connected(endpoint, settings.synapse_pool, settings.tenant) as server:
            yield from _loaded(settings.lake, server, url or https)
    else:
        yield from _loaded(settings.lake, pool, url or https)


def _loaded(lake: Place, pool: Server, url: Callable[[Place], str]) -> Iterator[Loaded]:
    for schema in SCHEMAS:
        pool.run(f"IF SCHEMA_ID('{schema}') IS NULL\n    EXEC('CREATE SCHEMA {schema}')")
    views = dict(pool.rows(VIEWS))
    reads = {name: found[1] for name, said in views.items() if (found := _ASKED.search(said))}
    left = {name for (name,) in pool.rows(LEFT)}
    for table in (table for table in TABLES.values() if table.layer == "gold"):
        version = store.version(lake, table.name)
        if version is None:
            continue
        name = f"{table.short_name}__{version}_{_mark(table)}"
        if reads.get(table.short_name) != name:
            yield Loaded(table.name, version, _load(lake, pool, table, version, name, url, table.short_name in views))
        for old in sorted(left - {name}):
            if old.rpartition("__")[0] == table.short_name:
                pool.run(f"DROP TABLE {LOADED}.{quoted(old)}")


def _load(
    lake: Place, pool: Server, table: Table, version: int, name: str, url: Callable[[Place], str], there: bool
) -> int:
    folder = lake / "serving" / "synapse" / name
    rows = _snapshot(lake, table, version, folder / "rows.parquet")
    target = f"{LOADED}.{quoted(name)}"
    try:
        pool.run(f"IF OBJECT_ID('{LOADED}.{name}') IS NOT NULL\n    DROP TABLE {target}")
        pool.run(create(table, name))
        pool.run(copy(target, url(folder)))
        ((found,),) = pool.rows(f"SELECT COUNT_BIG(*) FROM {target}")
        if found != rows:
            raise SynapseError(f"{found} rows were loaded of {rows}")
        columns = ", ".join(quoted(column.name) for column in table.columns)
        pool.run(f"{'ALTER' if there else 'CREATE'} VIEW {table.name} AS SELECT {columns} FROM {target}")
    except SynapseError as error:
        raise SynapseError(
            f"version {version} of {table.name} was not loaded into the dedicated pool: {error}. What people read there"
            " is as it was. See that the workspace's managed identity may read the container serving; then run again"
        ) from error
    finally:
        storage.remove(folder)
    return rows


def copy(target: str, folder: str) -> str:
    """The COPY of every Parquet file of a folder, as the managed identity of the workspace."""
    return (
        f"COPY INTO {target} FROM '{folder}/*.parquet'"
        " WITH (FILE_TYPE = 'PARQUET', CREDENTIAL = (IDENTITY = 'Managed Identity'))"
    )


def https(folder: Place) -> str:
    """A folder of the lake as COPY calls it. Raises ``SynapseError`` for one that Azure cannot reach."""
    found = re.fullmatch(r"abfss://(?P<container>[^@/]+)@(?P<host>[^/]+)/(?P<path>.+)", str(folder))
    if found is None:
        raise SynapseError(
            f"{folder} is on this machine, where Synapse reads nothing: set NETFLIX_LAKE to an abfss:// URL"
        )
    return f"https://{found['host']}/{found['container']}/{found['path']}"


def _mark(table: Table) -> str:
    """Changes with the columns and the layout of the copy."""
    return hashlib.sha256(create(table, "").encode()).hexdigest()[:8]


def _snapshot(lake: Place, table: Table, version: int, to: Place) -> int:
    """Write the rows that stand as one Parquet file, arrays as JSON, and return how many."""
    import duckdb

    found = store.snapshot(lake, table.name)
    if found is None or found[0] != version:
        raise SynapseError(f"{table.name} was built again meanwhile. Nothing was changed; run again")
    columns = ", ".join(
        f'CAST(to_json("{column.name}") AS VARCHAR) AS "{column.name}"'
        if column.type.startswith("array<")
        else f'"{column.name}"'
        for column in table.columns
    )
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "rows.parquet"
        connection.register("standing", found[1])
        ((rows,),) = connection.execute(
            f"COPY (SELECT {columns} FROM standing) TO '{file}' (FORMAT parquet)"
        ).fetchall()
        storage.put(to, file)
    return int(rows)
