"""Unity Catalog's SQL: said for every table, run by a real Spark with Delta, and only where something changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
    from pyspark.sql import SparkSession

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
