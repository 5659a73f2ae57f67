"""Unity Catalog: every table of the lake under its name, with what it and its columns mean, from the contracts.

The tables stay where they lie: they are external Delta tables, and dropping them from the catalog drops no file.
``netflix-dagster contracts unity`` prints the SQL; ``netflix-dagster-register-tables`` runs what of it is needed, as
the last task of the job on Databricks does.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import netflix_dagster.tables
from netflix_dagster.azure import access
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.engine import sessions
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import unity_metrics
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger("netflix_dagster.unity")


class NotRegisteredError(RuntimeError):
    """The catalog refused a statement; the message says which, and what of it is done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One table as the catalog is to show it. ``name`` is quoted and has three parts."""

    table: str
    name: str
    location: str
    comment: str
    columns: Mapping[str, str]

    @property
    def create(self) -> str:
        return f"CREATE TABLE IF NOT EXISTS {self.name} USING DELTA LOCATION {_text(self.location)}"

    @property
    def describe(self) -> str:
        return f"COMMENT ON TABLE {self.name} IS {_text(self.comment)}"

    @property
    def sync(self) -> str:
        return f"MSCK REPAIR TABLE {self.name} SYNC METADATA"

    def describe_columns(self, known: Mapping[str, str | None] | None = None) -> str | None:
        """Says what the columns mean, in one commit; ``known`` are those that the table has, with what they say now."""
        wanted = {
            column: said
            for column, said in self.columns.items()
            if known is None or (column in known and known[column] != said)
        }
        if not wanted:
            return None
        said = ", ".join(f"{_name(column)} COMMENT {_text(comment)}" for column, comment in wanted.items())
        return f"ALTER TABLE {self.name} ALTER COLUMN {said}"


def entries(catalog: str, lake: Place, schemas: Mapping[str, str] | None = None) -> Iterator[Entry]:
    """Every table, in build order, then the book-keeping. ``schemas`` says where a layer has another name."""
    for table in (*TABLES.values(), *BOOKKEEPING.values()):
        meaning = {column.name: column.description for column in table.columns}
        yield Entry(
            table.name, _named(catalog, table.name, schemas), store.location(lake, table.name), table.comment, meaning
        )


def statements(catalog: str, lake: Place, schemas: Mapping[str, str] | None = None) -> list[str]:
    """The SQL that makes the catalog show the whole lake."""
    said = [(e.create, e.describe, e.describe_columns()) for e in entries(catalog, lake, schemas)]
    return [statement for of_table in said for statement in of_table if statement]


def register(spark: SparkSession, catalog: str, lake: Place, schemas: Mapping[str, str] | None = None) -> list[str]:
    """Have the catalog show every table that exists. Runs only what changes something, and returns that.

    A table that is built anew as a whole loses what its columns said; then it is said again. A table of which a build
    changed the columns is read anew by the catalog: it does not notice what happens at the table's location.
    """
    ran: list[str] = []
    shown = _columns_shown(spark, catalog)
    for entry in entries(catalog, lake, schemas):
        if store.exists(lake, entry.table):
            _show(spark, entry, ran, shown.get(entry.name))
    return ran


def _columns_shown(spark: SparkSession, catalog: str) -> dict[str, dict[str, str]]:
    """The columns that the catalog itself keeps of each table, with their types: what people see who only look. Nothing
    where the catalog has no information schema; other catalogs than Unity keep no columns."""
    columns = f"{_name(catalog)}.information_schema.columns"
    if not spark.catalog.tableExists(columns):
        return {}
    known: dict[str, dict[str, str]] = {}
    for row in spark.sql(f"SELECT table_schema, table_name, column_name, full_data_type FROM {columns}").collect():
        name = ".".join(_name(part) for part in (catalog, row["table_schema"], row["table_name"]))
        known.setdefault(name, {})[row["column_name"]] = row["full_data_type"].lower()
    return known


def register_metrics(
    spark: SparkSession, catalog: str, lake: Place, schemas: Mapping[str, str] | None = None
) -> list[str]:
    """Have the catalog show the metrics of every fact that exists. Only Databricks has such views."""
    ran: list[str] = []
    for view in unity_metrics.views(catalog, schemas):
        if store.exists(lake, view.fact) and _comment(spark, view.name) != view.comment:
            _run(spark, view.create, ran)
    return ran


def _comment(spark: SparkSession, name: str) -> str | None:
    """What a table or view says of itself; None when it is not there."""
    if not spark.catalog.tableExists(name):
        return None
    described = spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
    return next((row["data_type"] for row in described if row["col_name"] == "Comment"), None)


def _show(spark: SparkSession, entry: Entry, ran: list[str], shown: Mapping[str, str] | None) -> None:
    if not spark.catalog.tableExists(entry.name):
        _run(spark, entry.create, ran)
    fields = spark.table(entry.name).schema.fields
    if shown is not None and shown != {field.name: field.dataType.simpleString() for field in fields}:
        _run(spark, entry.sync, ran)
    if _comment(spark, entry.name) != entry.comment:
        _run(spark, entry.describe, ran)
    if alter := entry.describe_columns({field.name: field.metadata.get("comment") for field in fields}):
        _run(spark, alter, ran)


def _run(spark: SparkSession, statement: str, ran: list[str]) -> None:
    try:
        spark.sql(statement)
    except Exception as error:
        raise NotRegisteredError(
            f"the catalog refused {statement[:200]!r}: {str(error).splitlines()[0]}. The data is as it was, and"
            f" {len(ran)} statements before this one hold. See that the schema exists and that this identity may"
            " create tables in it and read the location; then run this again"
        ) from error
    ran.append(statement)


def arguments() -> argparse.ArgumentParser:
    """What can be said in a call; everything else is in the environment, see ``settings``."""
    parser = argparse.ArgumentParser("netflix-dagster-register-tables", description="Show the lake in Unity Catalog.")
    parser.add_argument("--catalog", required=True, help="the catalog")
    parser.add_argument("--lake", help="folder of <layer>/<table>, instead of NETFLIX_LAKE")
    parser.add_argument("--schemas", type=schemas_of, default={}, help="layers of another name: bronze=b,silver=s")
    parser.add_argument("--metrics", choices=("true", "false"), default="false", help="also the views of the metrics")
    return parser


def main(said: Sequence[str] | None = None) -> None:
    """The entry point. It returns when all is well: some schedulers take any exit, even that with 0, for a failure."""
    given = arguments().parse_args(said)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    log.setLevel(logging.INFO)
    settings = Settings(**({"lake": given.lake} if given.lake else {}))
    access.connect(settings)
    netflix_dagster.tables.declare(load_sources(settings.sources))
    ran = register(sessions.session(settings), given.catalog, settings.lake, given.schemas)
    if given.metrics == "true":
        ran += register_metrics(sessions.session(settings), given.catalog, settings.lake, given.schemas)
    for statement in ran:
        log.info("%s", statement)
    log.info("%d statements", len(ran))


def schemas_of(text: str) -> dict[str, str]:
    """``bronze=dev_bronze,gold=dev_gold`` as what each layer is called."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if wrong := [layer for layer, _, schema in pairs if not schema or layer not in LAYERS]:
        raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: write layer=schema; the layers are {', '.join(LAYERS)}")
    return {layer: schema for layer, _, schema in pairs}


LAYERS = tuple(dict.fromkeys(name.partition(".")[0] for name in (*TABLES, *BOOKKEEPING)))


def _named(catalog: str, table: str, schemas: Mapping[str, str] | None) -> str:
    layer, _, short = table.partition(".")
    return ".".join(_name(part) for part in (catalog, (schemas or {}).get(layer, layer), short))


def _name(text: str) -> str:
    return f"`{text.replace('`', '``')}`"


def _text(text: str) -> str:
    """A SQL string. Backslashes begin an escape in Spark and Databricks."""
    return "'" + re.sub(r"[\\']", lambda found: "\\" + found[0], text) + "'"
