"""Who can read the tables of gold: what each reader knows of Delta, compared with what the tables use.

A table is read by everyone when its protocol is of version 1 and it uses no feature that only some know, when its
types and the length of its texts are those of its contract, and when as many rows come out as its log has. Databricks
or another program may change the first without a word, and then Synapse reads nothing, or rows that are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.lake import store
from netflix_dagster.lake.protocol import reader_features
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from deltalake import DeltaTable

GOLD = tuple(name for name, table in TABLES.items() if table.layer == "gold")


@dataclass(frozen=True, slots=True)
class Reader:
    """The newest protocol that it reads, and the features of version 3 that it knows."""

    name: str
    version: int
    features: frozenset[str] = frozenset()


READERS = (
    Reader("delta-rs, DuckDB through Arrow and this project", 3, frozenset({"timestampNtz"})),
    Reader("Synapse, and Power BI through it", 1),
)
"""Synapse's serverless pool reads Delta 1.0; Power BI reads through Synapse, or through Databricks SQL, which reads all
of Delta. Spark reads all of it as well, see ``make parity``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why some reader cannot read a table, or would read it otherwise than another."""

    table: str
    who: str
    why: str

    def __str__(self) -> str:
        return f"{self.table}: {self.who}: {self.why}"


def faults(lake: Place, tables: Sequence[str] = GOLD) -> Iterator[Fault]:
    """What of the protocols and types somebody cannot read, from the logs alone. A table that is not there has none."""
    from deltalake.exceptions import DeltaError

    for name in tables:
        try:
            found = store.delta(lake, name)
        except DeltaError as error:
            yield Fault(name, READERS[0].name, f"it cannot be opened: {error}. Build it anew")
            continue
        if found is not None:
            yield from _of_protocol(name, found)
            yield from _of_types(TABLES[name], found)


def faults_of_rows(lake: Place, warehouse: Path, tables: Sequence[str]) -> Iterator[Fault]:
    """Where the rows that DuckDB has read are others than the log promises, or a text is longer than its contract."""
    import duckdb

    with closing(duckdb.connect(str(warehouse), read_only=True)) as connection:
        for name in tables:
            texts = [column for column in TABLES[name].columns if column.type == "string"]
            longest = "".join(f', max(strlen("{column.name}"))' for column in texts)
            ((taken,),) = connection.execute(
                "SELECT delta_version FROM main.versions WHERE table_name = ?", [name]
            ).fetchall()
            ((rows, *lengths),) = connection.execute(f"SELECT count(*){longest} FROM {name}").fetchall()
            version, promised = store.standing(lake, name)
            if version == taken and rows != promised:
                yield Fault(name, "DuckDB", f"{rows} rows are read, {promised} are in the log of version {version}")
            for column, length in zip(texts, lengths, strict=True):
                if length is not None and length > column.length:
                    why = f"{column.name} takes {length} bytes, and its contract says {column.length} at most"
                    yield Fault(name, "Synapse", f"{why}: say a larger `length` there and make the scripts anew")


def _of_protocol(name: str, found: DeltaTable) -> Iterator[Fault]:
    version, features = found.protocol().min_reader_version, reader_features(found)
    for reader in READERS:
        if lacks := sorted(features - reader.features):
            yield Fault(
                name, reader.name, f"it uses {', '.join(lacks)} of Delta: drop that with Spark, or build it anew"
            )
        elif version > reader.version:
            why = f"its protocol is of version {version}, and {reader.version} is the newest known"
            yield Fault(name, reader.name, f"{why}: build the table anew")


def _of_types(table: Table, found: DeltaTable) -> Iterator[Fault]:
    there = {field.name: store.spark_type(field.type) for field in found.schema().fields}
    for column in table.columns:
        if (kind := there.get(column.name)) != column.type:
            yield Fault(
                table.name, "Synapse", f"{column.name} is {kind or 'not there'}, and its view says {column.type}"
            )
