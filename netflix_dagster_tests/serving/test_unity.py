"""Unity Catalog's SQL: said for every table, run by a real Spark with Delta, and only where something changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from deltalake import Field
from deltalake.schema import PrimitiveType

from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.engine.jars import JarsError, java
from netflix_dagster.lake import incremental, store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import write_sample
from netflix_dagster.serving import unity
from netflix_dagster.settings import Settings
from netflix_dagster.storage import at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

AZURE = at("abfss://{zone}@account.dfs.core.windows.net")
SOURCE = "top10_global"
PROGRAM = """
import json, sys
from netflix_dagster.engine import sessions
from netflix_dagster.serving import unity
from netflix_dagster.settings import Settings
from netflix_dagster.storage import at

lake = at(sys.argv[1])
spark = sessions.session(Settings(engine="spark"))
for layer in unity.LAYERS:
    spark.sql(f"CREATE SCHEMA our_{layer}")
schemas = {layer: f"our_{layer}" for layer in unity.LAYERS}
ran = unity.register(spark, "spark_catalog", lake, schemas)
again = unity.register(spark, "spark_catalog", lake, schemas)
(fact,) = [e for e in unity.entries("spark_catalog", lake, schemas) if e.table == "gold.fact_top10_global_weekly"]
described = {row.col_name: row.data_type for row in spark.sql(f"DESCRIBE TABLE EXTENDED {fact.name}").collect()}
fields = spark.table(fact.name).schema.fields
refused = ""
try:
    unity.register(spark, "spark_catalog", lake, {**schemas, "bronze": "nowhere"})
except unity.NotRegisteredError as error:
    refused = str(error)
print(json.dumps({
    "ran": ran, "again": again, "comment": described["Comment"], "location": described["Location"],
    "columns": {field.name: field.metadata.get("comment") for field in fields},
    "rows": spark.table(fact.name).count(), "refused": refused,
}))
"""


def have_java() -> str | None:
    try:
        java()
    except JarsError as error:
        return str(error)
    return None


def test_every_table_is_said_with_its_place_and_meaning() -> None:
    said = unity.statements("netflix", AZURE)
    fact = TABLES["gold.fact_top10_global_weekly"]
    assert (
        "CREATE TABLE IF NOT EXISTS `netflix`.`gold`.`fact_top10_global_weekly` USING DELTA"
        " LOCATION 'abfss://gold@account.dfs.core.windows.net/fact_top10_global_weekly'" in said
    )
    (columns,) = [text for text in said if text.startswith("ALTER TABLE `netflix`.`gold`.`fact_top10_global_weekly`")]
    assert all(f"`{column.name}` COMMENT" in columns for column in fact.columns)
    assert sum(text.startswith("CREATE") for text in said) == len(TABLES) + len(BOOKKEEPING)
    for name, book in BOOKKEEPING.items():
        (entry,) = [entry for entry in unity.entries("netflix", AZURE) if entry.table == name]
        assert entry.columns == {column.name: column.description for column in book.columns}
        assert entry.describe in said and entry.describe_columns() in said and book.grain in entry.comment
    assert "'abfss://quarantine@account.dfs.core.windows.net/quarantine'" in " ".join(said)


class Catalog:
    """Unity Catalog as its documentation describes external tables: it keeps columns of its own, which a build at the
    table's location does not change and ``REPAIR TABLE … SYNC METADATA`` reads anew ("REPAIR TABLE", Databricks SQL).
    A session on it reads the table itself. Any other statement is refused."""

    def __init__(self, spark: SparkSession, lake: Path) -> None:
        self.spark, self.lake, self.catalog = spark, lake, self
        self.columns: dict[str, dict[str, str]] = {}
        self.ran: list[str] = []

    def tableExists(self, name: str) -> bool:  # noqa: N802  as Spark calls it
        return name in self.columns or name.endswith(".information_schema.columns")

    def table(self, name: str) -> DataFrame:
        return self.spark.read.format("delta").load(store.location(self.lake, ".".join(name.split("`")[3::2])))

    def sql(self, statement: str) -> DataFrame:
        self.ran.append(statement)
        first, *_ = statement.split()
        if first == "SELECT":
            assert statement.endswith("FROM `netflix`.information_schema.columns")
            rows = [(*n.split("`")[3::2], *column) for n, of in self.columns.items() for column in of.items()]
            ddl = "table_schema string, table_name string, column_name string, full_data_type string"
            return self.spark.createDataFrame(rows, ddl)
        if first == "DESCRIBE":
            return self.spark.createDataFrame([], "col_name string, data_type string")
        if first == "CREATE" or statement.endswith("SYNC METADATA"):
            name = statement.split(" USING ")[0].split(" SYNC ")[0].split()[-1]
            assert (first == "CREATE") is (name not in self.columns)
            self.columns[name] = {f.name: f.dataType.simpleString().upper() for f in self.table(name).schema.fields}
            return self.spark.range(0)
        assert first in ("COMMENT", "ALTER"), statement
        return self.spark.range(0)


def test_the_catalog_reads_a_table_anew_when_a_build_has_changed_its_columns(
    spark: SparkSession, tmp_path: Path
) -> None:
    book = BOOKKEEPING["quality.results"]
    store.create(tmp_path, replace(book, columns=book.columns[:-1]))
    catalog = Catalog(spark, tmp_path)

    def synced() -> list[str]:
        ran = unity.register(cast("SparkSession", catalog), "netflix", tmp_path)
        return [statement for statement in ran if statement.startswith("MSCK")]

    assert synced() == []
    assert synced() == []
    last = book.columns[-1]
    found = store.delta(tmp_path, book.name)
    assert found is not None
    found.alter.add_columns([Field(last.name, PrimitiveType("integer" if last.type == "int" else last.type))])
    assert synced() == ["MSCK REPAIR TABLE `netflix`.`quality`.`results` SYNC METADATA"]
    assert list(catalog.columns["`netflix`.`quality`.`results`"]) == book.column_names
    assert synced() == []


@pytest.mark.parametrize("text", ["it's", "a \\ b", "\\'", "two\nlines", "'; DROP TABLE x; --", "é ✓"])
def test_any_text_stays_what_it_is(spark: SparkSession, text: str) -> None:
    assert spark.sql(f"SELECT {unity._text(text)} AS said").collect()[0].said == text


def test_layers_can_have_other_names() -> None:
    assert unity.schemas_of("gold=dev_gold,silver=s") == {"gold": "dev_gold", "silver": "s"}
    for wrong in ("gold", "gold=", "platinum=p"):
        with pytest.raises(ArgumentTypeError, match="write layer=schema"):
            unity.schemas_of(wrong)


@pytest.mark.soak
def test_a_real_spark_takes_it_and_the_tables_go_on(tmp_path: Path) -> None:
    if why := have_java():
        assert "CI" not in os.environ, why
        pytest.skip(why)
    everything, landing, lake = tmp_path / "sample", tmp_path / "landing", tmp_path / "lake"
    write_sample(everything)
    days = sorted(path.name for path in (everything / SOURCE).iterdir())
    for day in days[:-1]:
        shutil.copytree(everything / SOURCE / day, landing / SOURCE / day)
    settings = Settings(landing=landing, lake=lake)
    assert build_pending(settings, load_sources()).exit_code == 0
    for folder in (lake / "gold").iterdir():  # a few tables show it as well; the others are built again below
        if not folder.name.startswith("fact_"):
            shutil.rmtree(folder)

    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(lake)],
        env={**inherited, "NETFLIX_ENGINE": "spark", "NETFLIX_LAKE": str(lake)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    (fact,) = [e for e in unity.entries("netflix", lake) if e.table == "gold.fact_top10_global_weekly"]
    existing = [name for name in (*TABLES, *BOOKKEEPING) if store.exists(lake, name)]
    assert sum(text.startswith("CREATE TABLE") for text in said["ran"]) == len(existing) > 5
    assert said["again"] == []
    assert (said["comment"], said["columns"]) == (fact.comment, fact.columns)
    assert said["location"].endswith(str(lake / "gold" / "fact_top10_global_weekly"))
    assert said["rows"] == store.row_count(lake, fact.table) > 0
    assert "nowhere" in said["refused"] and "The data is as it was" in said["refused"]

    history = TABLES["silver.top10_global_history"]
    assert not incremental.plan(lake, history).anew  # what columns say does not make the table another
    shutil.copytree(everything / SOURCE / days[-1], landing / SOURCE / days[-1])
    assert build_pending(settings, load_sources()).exit_code == 0
    alone = Settings(landing=landing, lake=tmp_path / "alone")
    assert build_pending(alone, load_sources()).exit_code == 0
    for name in (history.name, "bronze.top10_global", fact.table):
        assert store.row_count(lake, name) == store.row_count(alone.lake, name) > 0
