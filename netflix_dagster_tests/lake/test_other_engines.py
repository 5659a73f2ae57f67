"""Tables that one engine made are read, merged and kept by another and by delta-rs.

The one engine is that of the tests (``make spark``: Apache Spark), the other the embedded engine of another process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from netflix_dagster.contracts.contract import Column, ContractError, Table
from netflix_dagster.lake import store
from netflix_dagster.lake.maintenance import maintain
from netflix_dagster.settings import get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "silver.trial"
Rows = list[tuple[str, str, int, list[str]]]
FIRST: Rows = [("2020-01-01", "a", 1, ["x"]), ("2020-01-02", "b", 1, [])]
ELSEWHERE = """
import json, sys
from pathlib import Path
from netflix_dagster.engine import sessions
from netflix_dagster.settings import Settings
from netflix_dagster_tests.lake.test_other_engines import make, merge, rows
spark, lake = sessions.session(Settings(engine="sail")), Path(sys.argv[1])
for word in sys.argv[2:]:
    make(spark, lake) if word == "make" else merge(spark, lake, word)
print(json.dumps(rows(spark, lake)))
"""


def contract() -> Table:
    columns = (
        Column("delivery_date", "date", ""),
        Column("id", "string", ""),
        Column("hours", "bigint", ""),
        Column("names", "array<string>", ""),
        Column("loaded_at", "timestamp", ""),
    )
    return Table(NAME, "", "", ("id",), columns, "catalogue", (), lambda: None, "per_delivery")  # type: ignore[arg-type,return-value]


def make(spark: SparkSession, lake: Path) -> None:
    """The table with its first rows, by the writer of all tables."""
    said = spark.createDataFrame(FIRST, "day string, id string, hours bigint, names array<string>")
    frame = said.selectExpr("date(day) AS delivery_date", "id", "hours", "names", "timestamp'2020-01-03' AS loaded_at")
    store.write(frame, lake, contract(), ["2020-01-01", "2020-01-02"])


def merge(spark: SparkSession, lake: Path, new: str) -> None:
    """One hour more for every row, and one row more."""
    spark.sql(f"""
        MERGE INTO delta.`{store.location(lake, NAME)}` AS kept
        USING (SELECT DATE'2020-01-02' AS delivery_date, id, 0L AS hours, array('{new}') AS names,
                      timestamp'2020-01-03' AS loaded_at FROM VALUES ('a'), ('b'), ('{new}') AS t (id)) AS new
        ON kept.id = new.id
        WHEN MATCHED THEN UPDATE SET kept.hours = kept.hours + 1
        WHEN NOT MATCHED THEN INSERT *
    """).collect()


def rows(spark: SparkSession, lake: Path) -> list[list[object]]:
    """What the engine reads."""
    found = store.read(spark, lake, contract()).where("loaded_at = timestamp'2020-01-03'").collect()
    return sorted([str(r["delivery_date"]), r["id"], r["hours"], list(r["names"])] for r in found)


def of_delta_rs(lake: Path) -> list[list[object]]:
    held = store.read_arrow(lake, NAME)
    assert held is not None
    return sorted([str(r["delivery_date"]), r["id"], r["hours"], r["names"]] for r in held.to_pylist())


def elsewhere(lake: Path, *words: str) -> list[list[object]]:
    """Do it in another process, on the embedded engine, and say what that reads then."""
    call = [sys.executable, "-c", ELSEWHERE, str(lake), *words]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[list[object]] = json.loads(done.stdout.splitlines()[-1])
    return found


def merged(times: int, *new: tuple[str, int]) -> list[list[object]]:
    first: list[list[object]] = [[day, id_, hours + times, names] for day, id_, hours, names in FIRST]
    return sorted(first + [["2020-01-02", id_, hours, [id_]] for id_, hours in new])


@pytest.mark.parametrize("here_first", [True, False], ids=["made here", "made elsewhere"])
def test_a_table_is_merged_and_kept_by_all(spark: SparkSession, tmp_path: Path, here_first: bool) -> None:
    if here_first:
        make(spark, tmp_path)
        assert elsewhere(tmp_path, "c") == of_delta_rs(tmp_path) == merged(1, ("c", 0))
        merge(spark, tmp_path, "d")
    else:
        assert elsewhere(tmp_path, "make") == merged(0)
        merge(spark, tmp_path, "c")
        assert elsewhere(tmp_path, "d") == merged(2, ("c", 0), ("d", 0))
    assert rows(spark, tmp_path) == of_delta_rs(tmp_path) == merged(2, ("c", 0), ("d", 0))
    table = store.delta(tmp_path, NAME)
    assert table is not None
    new = pa.table({"id": ["e"], "delivery_date": pa.array([None], pa.date32())})
    table.merge(new, "kept.id = new.id", source_alias="new", target_alias="kept").when_not_matched_insert(
        {
            "id": "'e'",
            "delivery_date": "DATE '2020-01-02'",
            "hours": "0",
            "names": "make_array('e')",
            "loaded_at": "TIMESTAMP '2020-01-03T00:00:00Z'",
        }
    ).execute()
    assert maintain(tmp_path, retention_hours=0, nobody_works=True)
    expected = merged(2, ("c", 0), ("d", 0), ("e", 0))
    assert rows(spark, tmp_path) == of_delta_rs(tmp_path) == expected == elsewhere(tmp_path)


@pytest.mark.skipif(get_settings().engine != "spark", reason="only Apache Spark writes such tables")
@pytest.mark.parametrize(
    ("said", "feature"),
    [
        ("'delta.enableDeletionVectors' = 'true'", "deletionVectors"),
        ("'delta.columnMapping.mode' = 'name'", "columnMapping"),
        (
            "'delta.columnMapping.mode' = 'id', 'delta.minReaderVersion' = '3', 'delta.minWriterVersion' = '7'",
            "columnMapping",
        ),
    ],
)
def test_a_table_of_which_the_files_alone_do_not_say_the_rows_is_refused(
    spark: SparkSession, tmp_path: Path, said: str, feature: str
) -> None:
    path = store.location(tmp_path, NAME)
    spark.sql(f"CREATE TABLE delta.`{path}` (id BIGINT) USING delta TBLPROPERTIES ({said})")
    spark.range(3).coalesce(1).write.format("delta").mode("append").save(path)
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 1")
    assert sorted(row["id"] for row in spark.read.format("delta").load(path).collect()) == [0, 2]
    with pytest.raises(ContractError, match=rf"{NAME} uses {feature} of Delta.*nothing was read"):
        store.read_arrow(tmp_path, NAME)
