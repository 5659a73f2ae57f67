"""Where tables lie and how they are read and written: Delta tables at ``<lake>/<layer>/<name>``.

A write is one Delta commit: it happens whole or not at all. Before it, the schema is compared with the contract,
because an engine may accept a wrong type or drop a new column without a word.
"""

from __future__ import annotations

import random
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from netflix_dagster.lake.contract import ContractError, Table

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.dataset import Dataset
    from pyspark.sql import DataFrame, SparkSession

T = TypeVar("T")
_CONFLICTS = ("failed to commit", "transaction conflict", "concurrent", "conflict detected", "version already exists")
_ATTEMPTS = 8
_MOST_FILES = 16
_COMMITS_LOOKED_AT = 10
_KEEPS_ROWS = ("OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES")
"""Commits that leave every row as it was."""
STAGING = "_staging"


def location(lake: Path, name: str) -> str:
    """Where the table ``<layer>.<name>`` lies."""
    layer, _, short = name.partition(".")
    return str(lake / layer / short)


def exists(lake: Path, name: str) -> bool:
    """Whether the table has ever been written."""
    log = Path(location(lake, name)) / "_delta_log"
    return log.is_dir() and any(entry.suffix in (".json", ".parquet") for entry in log.iterdir())


def read(spark: SparkSession, lake: Path, table: Table, deliveries: Sequence[str] | None = None) -> DataFrame:
    """The table as a DataFrame, empty when it was never written; of some deliveries only, if they are given."""
    if not exists(lake, table.name):
        return spark.createDataFrame([], ddl(table))
    frame = spark.read.format("delta").load(location(lake, table.name))
    if deliveries is not None and table.per_delivery:
        frame = frame.where(delivery_condition(deliveries))
    return frame


def write(frame: DataFrame, lake: Path, table: Table, deliveries: Sequence[str], note: str | None = None) -> None:
    """Write what was built: the deliveries' partitions of a per_delivery table, or the whole of another.

    ``frame`` has the columns and types of the contract; anything else raises ``ContractError``. ``note`` is kept
    with the commit, see ``last_note``.
    """
    shaped = conform(frame, table)
    target = location(lake, table.name)

    def commit() -> None:
        writer = shaped.write.format("delta")
        if note is not None:
            writer = writer.option("userMetadata", note)
        if table.per_delivery:
            writer = writer.partitionBy("delivery_date")
            if exists(lake, table.name):
                evolve(lake, table)
                writer = writer.mode("overwrite").option("replaceWhere", delivery_condition(deliveries))
        elif exists(lake, table.name):
            writer = writer.mode("overwrite").option("overwriteSchema", "true")
        writer.save(target)

    retrying(commit)


@contextmanager
def staged(frame: DataFrame, lake: Path, table: Table) -> Iterator[DataFrame]:
    """The frame computed once and kept aside while it is judged, so that judging does not compute it again.

    What a killed process leaves in ``<lake>/_staging`` is harmless; maintenance removes it.
    """
    aside = lake / STAGING / f"{table.name}-{uuid.uuid4().hex[:12]}"
    try:
        frame.write.parquet(str(aside))
        if aside.exists():
            yield frame.sparkSession.read.parquet(str(aside))
        else:  # Sail writes no file when there is no row
            schema = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in frame.schema.fields)
            yield frame.sparkSession.createDataFrame([], schema)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """The frame with exactly the contract's columns, in its order, after comparing names and types."""
    found = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
    wrong = [
        f"{c.name} is {found.get(c.name, 'missing')}, the contract says {c.type}"
        for c in table.columns
        if found.get(c.name) != c.type
    ]
    if wrong:
        raise ContractError(f"{table.name}: the function and the contract disagree: " + "; ".join(wrong))
    return frame.select(*table.column_names)


def evolve(lake: Path, table: Table) -> None:
    """Add the columns that the contract has gained since the table was last written.

    Raises ``ContractError`` when the table has a column of another type or one that the contract no longer knows:
    an engine may write over such a difference without a word.
    """
    from deltalake import DeltaTable, Field

    kept = DeltaTable(location(lake, table.name))
    have = {field.name: _spark_type(field.type) for field in kept.schema().fields}
    promised = {column.name: column.type for column in table.columns}
    wrong = [
        f"{name} is {kind} in the table and {promised.get(name, 'not there')} in the contract"
        for name, kind in have.items()
        if promised.get(name) != kind
    ]
    if wrong:
        raise ContractError(
            f"{table.name}: {'; '.join(wrong)}. Nothing was written. Move {location(lake, table.name)} away and"
            " build all its deliveries again"
        )
    new = [Field(name, _delta_type(kind), nullable=True) for name, kind in promised.items() if name not in have]
    if new:
        kept.alter.add_columns(new)


_PRIMITIVES = {"int": "integer", "bigint": "long"}
"""Spark's names of types that Delta calls otherwise."""


def _delta_type(spark_type: str) -> Any:
    from deltalake.schema import ArrayType, PrimitiveType

    if spark_type.startswith("array<"):
        return ArrayType(_delta_type(spark_type.removeprefix("array<").removesuffix(">")), contains_null=True)
    return PrimitiveType(_PRIMITIVES.get(spark_type, spark_type))


def _spark_type(delta_type: Any) -> str:
    from deltalake.schema import ArrayType

    if isinstance(delta_type, ArrayType):
        return f"array<{_spark_type(delta_type.element_type)}>"
    found = str(delta_type.type)
    return next((spark for spark, name in _PRIMITIVES.items() if name == found), found)


def delivery_condition(deliveries: Iterable[str]) -> str:
    """The SQL condition that selects some deliveries."""
    if not (deliveries := list(deliveries)):
        return "false"
    return "delivery_date IN (" + ", ".join(f"DATE'{day}'" for day in sorted(deliveries)) + ")"


def ddl(table: Table) -> str:
    """The contract's columns as a DDL schema."""
    return ", ".join(f"`{column.name}` {column.type}" for column in table.columns)


def delta(lake: Path, name: str) -> DeltaTable | None:
    """The table through delta-rs, for history, maintenance and small reads; None when it was never written."""
    from deltalake import DeltaTable

    return DeltaTable(location(lake, name)) if exists(lake, name) else None


def version(lake: Path, name: str) -> int | None:
    """The current Delta version of the table."""
    found = delta(lake, name)
    return found.version() if found else None


def row_count(lake: Path, name: str) -> int:
    """Rows in the table, from the Delta log alone."""
    found = delta(lake, name)
    if found is None:
        return 0
    import pyarrow as pa

    counts: Any = pa.table(found.get_add_actions(flatten=True)).column("num_records")
    return sum(count or 0 for count in counts.to_pylist())


def last_note(lake: Path, name: str) -> str | None:
    """The note of the commit that last wrote the table's rows; compaction and the like do not count."""
    found = delta(lake, name)
    for commit in found.history(_COMMITS_LOOKED_AT) if found else ():
        if commit.get("operation") not in _KEEPS_ROWS:
            return commit.get("userMetadata")
    return None


def delivery_files(lake: Path, name: str) -> dict[str, list[str]]:
    """The files that hold each delivery of a per_delivery table, from the Delta log alone: rewritten, renamed."""
    return _by_delivery(lake, name, "path")


def delivery_rows(lake: Path, name: str) -> dict[str, int]:
    """The rows of each delivery of a per_delivery table, from the Delta log alone."""
    return {day: sum(rows or 0 for rows in files) for day, files in _by_delivery(lake, name, "num_records").items()}


def _by_delivery(lake: Path, name: str, said: str) -> dict[str, list[Any]]:
    """What the Delta log says of the files of each delivery."""
    found = delta(lake, name)
    if found is None:
        return {}
    import pyarrow as pa

    by_delivery: dict[str, list[Any]] = {}
    actions: Any = pa.table(found.get_add_actions(flatten=True)).select(["partition.delivery_date", said])
    for day, value in zip(*(column.to_pylist() for column in actions.columns), strict=True):
        by_delivery.setdefault(str(day), []).append(value)
    return by_delivery


def dataset(lake: Path, name: str, as_of: datetime | None = None) -> Dataset | None:
    """The table as an Arrow dataset, now or as it stood at an instant; None when it was not written by then.

    Its files are read by Arrow itself. Read through delta-rs, which calls back into Python, one process in ten is
    aborted at its exit (``terminate called without an active exception``).
    """
    found = delta(lake, name)
    if found is None:
        return None
    if as_of is not None:
        first = found.history()[-1]["timestamp"]
        if as_of.timestamp() * 1000 < first:
            return None
        found.load_as_version(as_of)
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    return found.to_pyarrow_dataset(filesystem=SubTreeFileSystem(location(lake, name), LocalFileSystem()))


def read_arrow(
    lake: Path, name: str, *, columns: list[str] | None = None, where: Any = None, first: int | None = None
) -> pa.Table | None:
    """A small table, or its ``first`` rows, through delta-rs; None when it was never written.

    It is opened and read on a thread of its own: delta-rs calls back into Python and drops what is raised there, so
    that a run cancelled in that moment would go on.
    """

    def rows() -> pa.Table | None:
        found = dataset(lake, name)
        if found is None:
            return None
        if first is not None:
            return found.head(first, columns=columns, filter=where)
        return found.to_table(columns=columns, filter=where)

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(rows).result()


def write_arrow(lake: Path, name: str, rows: pa.Table, *, replace: str | None = None) -> None:
    """Write a small table of our own book-keeping through delta-rs: append, or replace what a condition selects.

    Columns that the table does not have yet are added. Every write leaves a small file, and reading costs what the
    files are in number: now and then they are joined.
    """
    from deltalake import write_deltalake

    target = location(lake, name)

    def commit() -> None:
        if replace is not None and exists(lake, name):
            write_deltalake(target, rows, mode="overwrite", predicate=replace, schema_mode="merge")
        elif rows.num_rows:
            write_deltalake(target, rows, mode="append", schema_mode="merge")

    def join_files() -> None:
        found = delta(lake, name)
        if found is not None and len(found.file_uris()) > _MOST_FILES:
            found.optimize.compact()

    retrying(commit)
    retrying(join_files)


def retrying(commit: Callable[[], T]) -> T:
    """Run a commit again when another writer of the same table was faster; nothing is lost, the loser repeats."""
    for attempt in range(_ATTEMPTS):
        try:
            return commit()
        except Exception as error:
            conflict = any(sign in str(error).lower() for sign in _CONFLICTS)
            if not conflict or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(min(2.0, 0.05 * 2**attempt) * (0.5 + random.random()))
    raise AssertionError("unreachable")
