"""Where tables lie and how they are read and written: Delta tables at ``<lake>/<layer>/<name>``, on disk or in ADLS.

A write is one Delta commit: it happens whole or not at all. Before it, the schema is compared with the contract,
because an engine may accept a wrong type or drop a new column without a word.
"""

from __future__ import annotations

import json
import operator
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from netflix_dagster import storage
from netflix_dagster.contracts.bookkeeping import arrow_schema
from netflix_dagster.contracts.contract import Contract, ContractError, Layout, Table
from netflix_dagster.lake import bounded, lock, protocol, remembered
from netflix_dagster.lake.remote import RemoteDataset
from netflix_dagster.landing import keys
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, Schema
    from pyarrow.dataset import Dataset
    from pyspark.sql import DataFrame, SparkSession

T = TypeVar("T")
_CONFLICTS = ("failed to commit", "transaction conflict", "concurrent", "conflict detected", "already exists")
_ATTEMPTS = 8
_MOST_FILES = 16
_AT_ONCE = 16
"""So many tables are looked at side by side: in ADLS each takes some round trips."""
_COMMITS_LOOKED_AT = 10
_NOTE = "userMetadata"
FEW_ROWS, FEW_RECORDS, FEW_BYTES = 500_000, 50_000, 16 * 1024 * 1024
"""So many rows are written from this process, and so many records of bronze of files of so many bytes; more are written
by the engine, where it runs: this process holds all that it writes, ten times."""
ROW_GROUP = 65_536
"""Rows of a row group: a writer holds one in memory until it is full."""
BOOK = {"delta.checkpointInterval": "10"}
"""How a book-keeping table is kept: opening it costs what the commits are in number since the last checkpoint."""
_KEEPS_ROWS = (
    *("OPTIMIZE", "VACUUM START", "VACUUM END"),
    *("SET TBLPROPERTIES", "UPDATE TABLE METADATA", "CHANGE COLUMN", "CHANGE COLUMNS"),
)
"""Commits that leave every row as it was."""
_LITTLE: Mapping[str, int] = MappingProxyType({"batch_size": 1_024, "batch_readahead": 0, "fragment_readahead": 0})
"""How Arrow reads the first rows of a table: by default it reads ahead, two million rows."""
STAGING = "_staging"
LAYERS = ("gold", "silver", "bronze", "quality")


def folder(lake: Place, name: str) -> Place:
    """The folder of the table ``<layer>.<name>``."""
    layer, _, short = name.partition(".")
    return lake / layer / short


def location(lake: Place, name: str) -> str:
    """Where the table ``<layer>.<name>`` lies, as the engines and people name it."""
    return str(folder(lake, name))


def exists(lake: Place, name: str) -> bool:
    """Whether the table has ever been written."""
    return storage.holds_any(folder(lake, name) / "_delta_log", ".json", ".parquet")


def tables(lake: Place, layer: str) -> list[str]:
    """The short names of the tables of a layer that have ever been written."""
    names = storage.folders(lake / layer)
    with ThreadPoolExecutor(_AT_ONCE) as side_by_side:
        written = side_by_side.map(lambda name: exists(lake, f"{layer}.{name}"), names)
        return [name for name, there in zip(names, written, strict=True) if there]


def read(
    spark: SparkSession, lake: Place, table: Table, deliveries: Sequence[str] | None = None, parts: Parts | None = None
) -> DataFrame:
    """The table as a DataFrame, empty when it was never written; of some deliveries or parts only, if they are given.

    A column that the contract has gained since the table was written is null.
    """
    found = look(lake, table.name)
    if found is None:
        return nothing(spark, table)
    frame = spark.read.format("delta").load(location(lake, table.name))
    have = {field.name for field in found.schema().fields}
    if new := [column for column in table.columns if column.name not in have]:
        from pyspark.sql import functions as F

        frame = frame.select("*", *(F.lit(None).cast(column.type).alias(column.name) for column in new))
    if deliveries is not None and table.per_delivery:
        frame = frame.where(delivery_condition(deliveries))
    elif deliveries is not None and table.goes_on and table.goes_on.slices:
        frame = frame.where(slices_condition(table, deliveries))
    return frame.where(parts.condition) if parts is not None else frame


def nothing(spark: SparkSession, table: Table) -> DataFrame:
    """No rows of the table. An engine sees that there are none before it plans: made of a list, Spark would ask it."""
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = arrow_schema(table)
    return spark.createDataFrame(schema.empty_table(), from_arrow_schema(schema))


def write(
    frame: DataFrame,
    lake: Place,
    table: Table,
    deliveries: Sequence[str],
    note: str | None = None,
    replacing: str | None = None,
) -> None:
    """Write what was built: the deliveries' partitions of a per_delivery table, or the whole of another; of this only
    the rows that ``replacing``, a SQL condition, selects.

    ``frame`` has the columns and types of the contract; anything else raises ``ContractError``. ``note`` is kept
    with the commit, see ``last_note``.
    """
    shaped = conform(frame, table)
    target = location(lake, table.name)

    def commit() -> None:
        lock.ensure(lake)
        if table.per_delivery:
            if not evolve(lake, table):
                create(lake, table)
            writer = as_kept(shaped, target, table).write.format("delta").partitionBy(*table.delivery_columns)
            writer = writer.mode("overwrite").option("replaceWhere", delivery_condition(deliveries))
        else:
            writer = shaped.write.format("delta").mode("overwrite")
            writer = writer.partitionBy(*table.partitioned_by) if table.partitioned_by else writer
            kept = look(lake, table.name)
            if kept is None:
                create(lake, table)
            elif replacing is not None:
                writer = writer.option("replaceWhere", replacing)
            elif kept.schema() != _schema(table):
                writer = writer.option("overwriteSchema", "true")
        if note is not None:
            writer = writer.option(_NOTE, note)
        writer.save(target)

    retrying(commit)
    if replacing is not None and not table.partitioned_by:
        _join_files(lake, table.name)


def write_batches(
    batches: Callable[[], Iterable[pa.RecordBatch]],
    lake: Place,
    table: Table,
    deliveries: Sequence[str],
    note: str | None = None,
    replacing: str | None = None,
) -> None:
    """``write`` for rows that are at hand as Arrow: delta-rs writes few rows in a tenth of the time of an engine.

    A table that is not there yet is made with its first rows in one commit: nobody finds it empty in between.
    ``batches`` gives the rows anew for every try. They are read and written on a thread of its own, see
    ``read_arrow``.
    """
    from deltalake import CommitProperties, WriterProperties, write_deltalake
    from pyarrow import RecordBatchReader

    schema, target = arrow_schema(table), location(lake, table.name)
    said = CommitProperties(custom_metadata={_NOTE: note}) if note is not None else None
    in_groups = WriterProperties(max_row_group_size=ROW_GROUP)

    def commit() -> None:
        lock.ensure(lake)
        rows = (shaped(batch, table, schema) for batch in batches())
        first = list(islice(rows, 1))  # a fault of the function is told before a table is made
        kept = delta(lake, table.name) if not table.per_delivery or evolve(lake, table) else None
        reader = RecordBatchReader.from_batches(schema, chain(first, rows))
        if kept is None:
            made = _made(lake, table)
            write_deltalake(target, reader, mode="error", commit_properties=said, writer_properties=in_groups, **made)
            return
        changed = not table.per_delivery and kept.schema() != _schema(table)
        write_deltalake(
            kept,
            reader,
            mode="overwrite",
            predicate=delivery_condition(deliveries) if table.per_delivery else replacing,
            schema_mode="overwrite" if changed else None,
            commit_properties=said,
            writer_properties=in_groups,
        )
        remembered.keep(folder(lake, table.name), kept)

    with ThreadPoolExecutor(1) as aside:
        aside.submit(retrying, commit).result()
        if replacing is not None and not table.partitioned_by:
            aside.submit(_join_files, lake, table.name).result()


def _join_files(lake: Place, name: str) -> None:
    """Join the files of a table that grows by small ones once they are many: reading costs what they are in number."""

    def join() -> None:
        found = look(lake, name)
        if found is not None and len(found.file_uris()) > _MOST_FILES and (found := delta(lake, name)) is not None:
            found.optimize.compact()

    retrying(join)


def shaped(batch: pa.RecordBatch, table: Table, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with exactly the contract's columns, in its order, after comparing their names and types."""
    import pyarrow as pa

    found = {field.name: field.type for field in batch.schema}
    wrong = [
        f"{field.name} is {found.get(field.name, 'missing')}, the contract says {field.type}"
        for field in schema
        if field.name not in found or not _alike(found[field.name], field.type)
    ]
    if wrong:
        raise ContractError(f"{table.name}: the function and the contract disagree: " + "; ".join(wrong))
    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _alike(found: pa.DataType, promised: pa.DataType) -> bool:
    """Whether two types of Arrow hold the same values: engines differ in how they name and lay out the same type."""
    from pyarrow import types

    texts = (types.is_string, types.is_large_string, types.is_string_view)
    lists = (types.is_list, types.is_large_list)
    if any(is_one(promised) for is_one in texts):
        return any(is_one(found) for is_one in texts)
    if any(is_one(promised) for is_one in lists):
        return any(is_one(found) for is_one in lists) and _alike(found.value_type, promised.value_type)
    return bool(found == promised)


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


def evolve(lake: Place, table: Table) -> bool:
    """Add the columns that the contract has gained since the table was last written; False when it never was.

    Raises ``ContractError`` when the table has a column of another type or one that the contract no longer knows:
    an engine may write over such a difference without a word.
    """
    from deltalake import Field

    kept = look(lake, table.name)
    if kept is None:
        return False
    if table.per_delivery and (by := kept.metadata().partition_columns) != list(table.delivery_columns):
        raise ContractError(
            f"{table.name} is partitioned by {', '.join(by)}, the contract says {', '.join(table.delivery_columns)}."
            f" Nothing was written. Move {location(lake, table.name)} away and build all its deliveries again"
        )
    have = {field.name: spark_type(field.type) for field in kept.schema().fields}
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
    if new and (found := delta(lake, table.name)) is not None:
        found.alter.add_columns(new)
    return True


def create(lake: Place, table: Contract, configuration: Mapping[str, str | None] | None = None) -> None:
    """Make a table that was never written, without rows, with the columns of the contract. One that is there stays.

    Left to the engines, Sail would promise that columns which happen to hold no null never will, and put the partition
    column last; and it replaces deliveries only in a table that is there.
    """
    from deltalake import DeltaTable

    DeltaTable.create(
        location(lake, table.name),
        _schema(table),
        mode="ignore",
        **_made(lake, table, configuration or {}),
    )


def _made(lake: Place, table: Contract, configuration: Mapping[str, str | None] = MappingProxyType({})) -> Any:
    """How a table is made that is not there yet, besides its columns."""
    return {
        "partition_by": list(table.partitioned_by) or None if isinstance(table, Table) else None,
        "configuration": {**protocol.PROPERTIES, **layout_of(table).properties, **configuration},
        "description": table.comment,
        "storage_options": storage.delta_options(folder(lake, table.name)),
    }


def layout_of(table: Contract) -> Layout:
    """How the files of a table are to lie; book-keeping tables have no wishes of their own."""
    return table.layout if isinstance(table, Table) else Layout()


def as_kept(frame: DataFrame, target: str, table: Table) -> DataFrame:
    """The frame, its arrays as they are in the table that is there.

    Sail replaces deliveries by a union with what stays, and refuses arrays whose items have another name inside: its
    own are called otherwise than those of Spark and delta-rs. In a union the first frame gives the names.
    """
    if not any(column.type.startswith("array<") for column in table.columns):
        return frame
    kept = frame.sparkSession.read.format("delta").load(target).where("false")
    return kept.select(*table.column_names).unionByName(frame)


def _schema(table: Contract) -> Schema:
    from deltalake import Field, Schema

    return Schema([Field(column.name, _delta_type(column.type), nullable=True) for column in table.columns])


_PRIMITIVES = {"int": "integer", "bigint": "long"}
"""Spark's names of types that Delta calls otherwise."""


def _delta_type(spark_type: str) -> Any:
    from deltalake.schema import ArrayType, PrimitiveType

    if spark_type.startswith("array<"):
        return ArrayType(_delta_type(spark_type.removeprefix("array<").removesuffix(">")), contains_null=True)
    return PrimitiveType(_PRIMITIVES.get(spark_type, spark_type))


def spark_type(delta_type: Any) -> str:
    """A type of Delta as contracts write it."""
    from deltalake.schema import ArrayType

    if isinstance(delta_type, ArrayType):
        return f"array<{spark_type(delta_type.element_type)}>"
    found = str(delta_type.type)
    return next((spark for spark, name in _PRIMITIVES.items() if name == found), found)


@dataclass(frozen=True, slots=True)
class Parts:
    """Some parts of a table, by the values of a text column."""

    column: str
    values: tuple[str, ...]

    @property
    def condition(self) -> str:
        """The SQL condition that selects them."""
        if not self.values:
            return "false"
        if strange := [value for value in self.values if "'" in value or "\\" in value]:
            raise ContractError(f"{self.column} has values that name no part: {', '.join(strange)}")
        return f"{self.column} IN ({', '.join(map(repr, self.values))})"


def delivery_condition(deliveries: Iterable[str]) -> str:
    """The SQL condition that selects some deliveries."""
    if not (deliveries := list(deliveries)):
        return "false"
    days, hours = _days_and_hours(deliveries)
    conditions = ["delivery_date IN (" + ", ".join(f"DATE'{day}'" for day in days) + ")"] if days else []
    conditions += [
        f"(delivery_date = DATE'{day}' AND delivery_hour IN ({', '.join(map(str, of_day))}))"
        for day, of_day in hours.items()
    ]
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def delivery_filter(deliveries: Iterable[str]) -> Any:
    """The Arrow condition that selects some deliveries."""
    import pyarrow.compute as pc

    days, hours = _days_and_hours(deliveries)
    of_hours = [
        (pc.field("delivery_date") == day) & pc.field("delivery_hour").isin(of_day) for day, of_day in hours.items()
    ]
    of_days = [pc.field("delivery_date").isin(days)] if days else []
    return reduce(operator.or_, [*of_days, *of_hours], pc.scalar(False))


def _days_and_hours(deliveries: Iterable[str]) -> tuple[list[date], dict[date, list[int]]]:
    """The deliveries of whole days, and the hours of the others, in order."""
    days: list[date] = []
    hours: dict[date, list[int]] = {}
    for day, hour in map(keys.parts, sorted(deliveries)):
        if hour is None:
            days.append(day)
        else:
            hours.setdefault(day, []).append(hour)
    return days, hours


def ddl(table: Table) -> str:
    """The contract's columns as a DDL schema."""
    return ", ".join(f"`{column.name}` {column.type}" for column in table.columns)


def slices_condition(table: Table, deliveries: Iterable[str]) -> str:
    """The SQL condition that selects the rows of some deliveries in a table that replaces its rows by them."""
    days = ", ".join(f"DATE'{day}'" for day in deliveries)
    return f"{_slices(table)} IN ({days})" if days else "false"


def slices_since(table: Table, delivery: str) -> str:
    """The SQL condition that selects the rows of a delivery and of all later ones in such a table."""
    return f"{_slices(table)} >= DATE'{delivery}'"


def _slices(table: Table) -> str:
    assert table.goes_on and table.goes_on.slices, f"{table.name} does not replace rows by delivery"
    return table.goes_on.slices


def delta(lake: Place, name: str, version: int | None = None) -> DeltaTable | None:
    """The table through delta-rs, opened anew: the caller may change it. None when it was never written."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    place = folder(lake, name)
    if storage.is_local(place) and not exists(lake, name):
        return None  # elsewhere that would be one more round trip
    with storage.asked(place):
        try:
            return DeltaTable(str(place), version, storage_options=storage.delta_options(place))
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if "catalog-managed" in str(error):
                raise ContractError(protocol.managed(name, str(place))) from error
            raise


def look(lake: Place, name: str) -> DeltaTable | None:
    """The table as it is now, to look at and not to change: whoever looks at it in this process gets the same one.
    None when it was never written."""
    return remembered.table(folder(lake, name), lambda: delta(lake, name))


def version(lake: Place, name: str) -> int | None:
    """The current Delta version of the table."""
    found = look(lake, name)
    return found.version() if found else None


def versions(lake: Place, names: Sequence[str]) -> dict[str, int | None]:
    """``version`` of several tables, looked at side by side."""
    with ThreadPoolExecutor(_AT_ONCE) as side_by_side:
        return dict(zip(names, side_by_side.map(lambda name: version(lake, name), names), strict=True))


def row_count(lake: Place, name: str) -> int:
    """Rows in the table, from the Delta log alone."""
    return standing(lake, name)[1]


def standing(lake: Place, name: str) -> tuple[int | None, int]:
    """The current version of the table, None when it was never written, and its rows, from the Delta log alone."""
    found = look(lake, name)
    if found is None:
        return None, 0
    import pyarrow as pa

    counts: Any = pa.table(found.get_add_actions(flatten=True)).column("num_records")
    return found.version(), sum(count or 0 for count in counts.to_pylist())


def standings(lake: Place, names: Sequence[str]) -> dict[str, tuple[int | None, int]]:
    """``standing`` of several tables, looked at side by side."""
    with ThreadPoolExecutor(_AT_ONCE) as side_by_side:
        return dict(zip(names, side_by_side.map(lambda name: standing(lake, name), names), strict=True))


def stored_bytes(lake: Place, name: str) -> int:
    """What the files of the table hold, from the Delta log alone."""
    found = look(lake, name)
    if found is None:
        return 0
    import pyarrow as pa

    sizes: Any = pa.table(found.get_add_actions(flatten=True)).column("size_bytes")
    return sum(sizes.to_pylist())


def last_note(lake: Place, name: str) -> str | None:
    """The note of the commit that last wrote the table's rows; compaction and the like do not count."""
    for commit in islice(commits(lake, name), _COMMITS_LOOKED_AT):
        if not keeps_rows(commit):
            note: str | None = commit.get(_NOTE)
            return note
    return None


def noted(lake: Place, name: str) -> dict[str, Any]:
    """``last_note`` as the data that it holds; empty where it holds none."""
    try:
        said = json.loads(last_note(lake, name) or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def commits(lake: Place, name: str) -> Iterator[Mapping[str, Any]]:
    """What the commits of a table say of themselves, the newest first, as far back as the log goes.

    delta-rs tells it too, but lists the log for that, and stops every thread of the process until it has the answer.
    """
    found = look(lake, name)
    for version in range(found.version() if found else -1, -1, -1):
        try:
            lines = storage.read(folder(lake, name) / "_delta_log" / f"{version:020}.json").splitlines()
        except FileNotFoundError:
            return
        yield next((said for line in lines if (said := json.loads(line).get("commitInfo"))), {})


def reference(lake: Place, name: str) -> str | None:
    """What a table is now, ``<its identity>@<version>``: one that was made anew is another table."""
    found = look(lake, name)
    return referred(found) if found else None


def referred(found: DeltaTable) -> str:
    """``reference`` of a table that is open."""
    return f"{found.metadata().id}@{found.version()}"


def at(lake: Place, name: str, said: str) -> DeltaTable | None:
    """The table as it was when ``reference`` said so; None when that log is gone, or when it is another table."""
    from deltalake.exceptions import DeltaError

    identity, _, version = said.rpartition("@")
    now = look(lake, name) if storage.is_local(lake) else None
    if now is not None and said == referred(now):
        return now
    try:
        found = delta(lake, name, int(version))
    except (DeltaError, OSError):
        return None
    return found if found is not None and str(found.metadata().id) == identity else None


def keeps_rows(commit: Mapping[str, Any]) -> bool:
    """Whether a commit of a table's history left every row as it was."""
    return commit.get("operation") in _KEEPS_ROWS


def delivery_files(lake: Place, name: str) -> dict[str, list[str]]:
    """The files that hold each delivery of a per_delivery table, from the Delta log alone: rewritten, renamed."""
    return {day: facts["paths"] for day, facts in delivery_facts(look(lake, name)).items()}


def delivery_rows(lake: Place, name: str) -> dict[str, int]:
    """The rows of each delivery of a per_delivery table, from the Delta log alone."""
    return {day: facts["rows"] for day, facts in delivery_facts(look(lake, name)).items()}


def delivery_facts(found: DeltaTable | None, greatest: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """What the Delta log says of each delivery of a per_delivery table: the ``paths`` of its files, its ``rows``, and
    the ``greatest`` value of some columns, by their names; None where the log does not say it."""
    if found is None:
        return {}
    import pyarrow as pa

    facts: dict[str, dict[str, Any]] = {}
    actions: Any = pa.table(found.get_add_actions(flatten=True))
    there = set(actions.column_names)
    said = {f"partition.{name}": name for name in keys.COLUMNS if f"partition.{name}" in there}
    said |= {"path": "path", "num_records": "rows"} | {f"max.{c}": c for c in greatest if f"max.{c}" in there}
    for file in actions.select(list(said)).rename_columns(list(said.values())).to_pylist():
        of_day = facts.setdefault(keys.of_row(file), {"paths": [], "rows": 0, **dict.fromkeys(greatest)})
        of_day["paths"].append(file["path"])
        of_day["rows"] += file["rows"] or 0
        for name in greatest:
            of_day[name] = max(filter(None, (of_day[name], file.get(name))), default=None)
    return facts


def dataset(lake: Place, name: str, as_of: datetime | None = None) -> Dataset | RemoteDataset | None:
    """The table as an Arrow dataset, now or as it stood at an instant; None when it was not written by then.

    Files of this machine are read by Arrow itself, those in ADLS are fetched into memory, see ``remote``. Read through
    delta-rs, which calls back into Python, one process in ten is aborted at its exit (``terminate called without an
    active exception``).
    """
    found = snapshot(lake, name, as_of)
    return found[1] if found else None


def snapshot(lake: Place, name: str, as_of: datetime | None = None) -> tuple[int, Dataset | RemoteDataset] | None:
    """``dataset``, and the version of the table that it is."""
    found = look(lake, name)
    if found is None:
        return None
    if as_of is not None:
        # by what the commits say of themselves: in ADLS the times of their files are whole seconds
        until = as_of.timestamp() * 1000
        versions = [commit["version"] for commit in found.history() if commit["timestamp"] <= until]
        found = delta(lake, name, max(versions)) if versions else None
        if found is None:
            return None
    _told_by_its_files(found, lake, name)
    return found.version(), _opened(found, lake, name)


def _opened(
    found: DeltaTable, lake: Place, name: str, deliveries: Iterable[str] | None = None
) -> Dataset | RemoteDataset:
    """The dataset of a table; of ``deliveries`` only the files of their days, for each file costs something to name."""
    place, where = folder(lake, name), None
    if deliveries is not None:
        where = [("delivery_date", "in", sorted({str(keys.parts(key)[0]) for key in deliveries}))]
    if not storage.is_local(place):
        return RemoteDataset.of(place, found, where)
    from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

    files = SubTreeFileSystem(str(place), LocalFileSystem())
    return found.to_pyarrow_dataset(filesystem=files, file_pruning_predicate=where)


def contains(lake: Place, name: str, columns: Sequence[str], referred: str) -> bool:
    """Whether the table has every row, in some columns, that it had when it was referred to; False also when that
    cannot be known any more."""

    def rows(found: DeltaTable) -> pa.Table:
        _told_by_its_files(found, lake, name)
        return bounded.rows(_opened(found, lake, name), name, list(columns))

    def compared() -> bool:
        now, then = look(lake, name), at(lake, name, referred)
        if now is None or then is None:
            return False
        try:
            gone: pa.Table = rows(then).join(rows(now), list(columns), join_type="left anti")
        except (OSError, storage.StorageError, bounded.TooManyRows):
            return False  # the files of then are removed, or they are more than are compared here
        return bool(gone.num_rows == 0)

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(compared).result()


def _told_by_its_files(found: DeltaTable, lake: Place, name: str) -> None:
    """Refuse a table of which the files alone do not say the rows: Arrow would read rows that are deleted, or nulls."""
    if {"deletionVectors", "columnMapping"} & set(protocol.features(found)):
        raise ContractError(f"nothing was read: {protocol.strange(found, name, location(lake, name))}")


def read_arrow(
    lake: Place,
    name: str,
    *,
    columns: list[str] | None = None,
    where: Any = None,
    first: int | None = None,
    deliveries: Sequence[str] | None = None,
) -> pa.Table | None:
    """A small table, or its ``first`` rows, or some ``deliveries`` of a per_delivery table, through delta-rs; None when
    it was never written.

    It is opened and read on a thread of its own: delta-rs calls back into Python and drops what is raised there, so
    that a run cancelled in that moment would go on.
    """

    def rows() -> pa.Table | None:
        table = look(lake, name)
        if table is None:
            return None
        _told_by_its_files(table, lake, name)
        found, wanted = _opened(table, lake, name, deliveries), where
        if deliveries is not None:
            of_these = delivery_filter(deliveries)
            wanted = of_these if where is None else of_these & where
        if first is not None:
            little = {} if isinstance(found, RemoteDataset) else _LITTLE
            return found.head(first, columns=columns, filter=wanted, **little)
        return bounded.rows(found, name, columns, wanted)

    with ThreadPoolExecutor(1) as aside:
        return aside.submit(rows).result()


def batches(
    lake: Place, table: Table, where: Any = None, deliveries: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows that ``read`` tells of, without an engine; none when the table was never written."""
    rows = read_arrow(lake, table.name, where=where, deliveries=deliveries)
    schema = arrow_schema(table)
    for batch in rows.to_batches() if rows is not None else ():
        yield completed(batch, schema)


def completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with the columns of a schema; those that it does not have are null."""
    import pyarrow as pa

    there = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns = [there.get(field.name, pa.nulls(batch.num_rows, field.type)) for field in schema]
    return pa.RecordBatch.from_arrays(columns, names=schema.names)


def write_arrow(lake: Place, name: str, rows: pa.Table, *, replace: str | None = None) -> None:
    """Write a small table of our own book-keeping through delta-rs: append, or replace what a condition selects.

    Columns that the table does not have yet are added. Every write leaves a small file, and reading costs what the
    files are in number: now and then they are joined. Every write is a commit, too, and opening costs what the
    commits are in number since the last checkpoint.
    """
    from deltalake import write_deltalake

    place = folder(lake, name)

    def commit() -> DeltaTable | None:
        lock.ensure(lake)
        found = delta(lake, name)
        if found is None:
            if rows.num_rows:
                options, made = storage.delta_options(place), {**protocol.PROPERTIES, **BOOK}
                write_deltalake(str(place), rows, mode="append", storage_options=options, configuration=made)
        elif replace is not None:
            _gain_columns(found, rows)  # the condition may name them
            write_deltalake(found, rows, mode="overwrite", predicate=replace, schema_mode="merge")
        elif rows.num_rows:
            write_deltalake(found, rows, mode="append", schema_mode="merge")
        if found is not None:
            remembered.keep(place, found)
        return found

    held = retrying(commit)
    if held is not None and len(held.file_uris()) > _MOST_FILES:
        _join_files(lake, name)


def _gain_columns(found: DeltaTable, rows: pa.Table) -> None:
    """Add the columns of the rows that the table does not have yet."""
    from deltalake import Schema

    known = {field.name for field in found.schema().fields}
    if new := [field for field in Schema.from_arrow(rows.schema).fields if field.name not in known]:
        found.alter.add_columns(new)


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
