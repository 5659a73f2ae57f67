"""Registers the tables with a declarative pipeline: Spark Declarative Pipelines, or Lakeflow on Databricks.

The definition file of a pipeline only calls ``register``. Bronze tables are streaming tables over the landing folder,
the others are materialized views built by the tables' own functions; see docs/pipelines.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netflix_dagster import storage
from netflix_dagster.azure import access
from netflix_dagster.contracts.contract import LAYERS, TABLES, Table
from netflix_dagster.contracts.graph import build_order, sources_of
from netflix_dagster.deliveries import decisions
from netflix_dagster.deliveries.life import Life
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Source, load_sources
from netflix_dagster.pipelines import arrivals, judging
from netflix_dagster.pipelines.awaited import Awaited
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

REFUSED_FILES, QUARANTINE = "quality.refused_files", "quality.quarantine"
LANDING = "netflix_dagster.landing"
"""The entry of a pipeline's configuration with the landing folder, for engines without environment variables."""


def register() -> None:
    """Register every table of the contract with the pipeline whose definitions are being loaded."""
    from pyspark import pipelines as dp
    from pyspark.sql import SparkSession

    from netflix_dagster import tables

    spark, settings = SparkSession.active(), get_settings()
    access.connect(settings)
    tables.declare(load_sources(settings.sources))
    native = hasattr(dp, "expect_all")
    if not native:
        _make_schemas(spark)
    _Pipeline(dp, spark, _landing(spark, settings), settings.lake, native).register()


class _Pipeline:
    """Registers tables. ``native``: the engine is Lakeflow, which has expectations and Auto Loader."""

    def __init__(self, dp: Any, spark: SparkSession, landing: Place, lake: Place, native: bool) -> None:
        self.dp, self.spark, self.landing, self.lake, self.native = dp, spark, landing, lake, native

    def register(self) -> None:
        self.dp.create_streaming_table(
            REFUSED_FILES, comment="Faults of files that were refused", schema=arrivals.REFUSED
        )
        for table in map(TABLES.__getitem__, build_order()):
            if table.source is not None:
                self._bronze(table, table.source)
            elif table.per_delivery:
                self._judged(table)
            else:
                self._whole(table)
        self._quarantine()

    def _bronze(self, table: Table, source: Source) -> None:
        def accepted(_read: Reader) -> DataFrame:
            found = arrivals.rows(self._files(source), table, source)
            return found if self.native else found.select(*table.column_names)

        def refused(_read: Reader) -> DataFrame:
            return arrivals.refusals(self._files(source), table, source)

        name = landed_name(source) if self.native else table.name
        by = list(table.delivery_columns)
        self.dp.table(name=name, comment=table.description, partition_cols=by)(self._query(accepted))
        if self.native:
            self._view(
                table.name,
                table.description,
                lambda read: store.conform(arrivals.newest(read(name, arrivals.landed_ddl(table)), table), table),
                table,
            )
        self.dp.append_flow(target=REFUSED_FILES, name=f"refused_{source.name}")(self._query(refused))

    def _files(self, source: Any) -> DataFrame:
        return arrivals.files(self.spark, self.landing, source, auto_loader=self.native)

    def _judged(self, table: Table) -> None:
        def judge(read: Reader) -> DataFrame:
            reads = {name: read(name, store.ddl(TABLES[name])) for name in table.reads}
            built = table.function(*reads.values())
            return judging.judged(built, table, reads)

        def take(read: Reader) -> DataFrame:
            rows = judging.taken(read(judged_name(table), _judged_ddl(table)), table, self.native)
            return store.conform(rows, table)

        self._view(judged_name(table), f"Every row of {table.name} with the rules that it breaks", judge)
        self._view(table.name, table.description, take, table)

    def _whole(self, table: Table) -> None:
        def build(read: Reader) -> DataFrame:
            before = [store.nothing(self.spark, table)] if table.is_incremental else []
            decided = [self._decisions(table)] if table.write == "gate" else []
            reads = {name: read(name, store.ddl(TABLES[name])) for name in table.reads}
            built = table.function(*before, *reads.values(), *decided)
            if table.write != "gate":
                built = judging.or_fail(built, table, reads, self.native)
            return store.conform(built, table)

        self._view(table.name, table.description, build, table)

    def _decisions(self, table: Table) -> DataFrame:
        """The decisions of people about a gate, from the lake that Dagster builds."""
        life = Life.read(self.lake)
        sources = sources_of(table.name)
        dates = {key for feed, key in life.dates if feed == table.feed}
        newest = {key: (life.candidates(str(table.feed), key, sources) or [{}])[0] for key in sorted(dates)}
        return self.spark.createDataFrame(*decisions.as_rows(decisions.in_force(life, newest, sources), table))

    def _quarantine(self) -> None:
        def gather(read: Reader) -> DataFrame:
            found = read(REFUSED_FILES, arrivals.REFUSED)
            found = self._still_refused(found, read) if self.native else found.drop(arrivals.MODIFIED)
            for table in TABLES.values():
                if table.per_delivery and table.layer != "bronze":
                    rows = judging.refused(read(judged_name(table), _judged_ddl(table)), table)
                    found = found.unionByName(rows)
            return found

        self._view(QUARANTINE, "Every refused file and row, with all the rules it broke", gather)

    def _still_refused(self, refused: DataFrame, read: Reader) -> DataFrame:
        """The faults of files that were not replaced since."""
        bronze = [(table, table.source) for table in TABLES.values() if table.source is not None]
        landed = {s.name: (t, read(landed_name(s), arrivals.landed_ddl(t))) for t, s in bronze}
        return arrivals.still_refused(refused, landed)

    def _view(self, name: str, comment: str, build: Callable[[Reader], DataFrame], table: Table | None = None) -> None:
        """Register a materialized view; ``table`` is the contract with the rules for Lakeflow."""
        query = self._query(build)
        rules = judging.conditions(table) if self.native and table and table.write != "gate" else {}
        for action, conditions in rules.items():
            query = getattr(self.dp, action)(conditions)(query)
        laid: dict[str, Any] = {}
        if table and table.partitioned_by:
            laid = {"partition_cols": list(table.partitioned_by)}
        elif self.native and table and table.layout.cluster_by:
            laid = {"cluster_by": list(table.layout.cluster_by)}
        self.dp.materialized_view(name=name, comment=comment, **laid)(query)

    def _query(self, build: Callable[[Reader], DataFrame]) -> Callable[[], DataFrame]:
        """The function for the engine to call: on Lakeflow it builds, elsewhere it returns the plan built now."""
        if self.native:
            return lambda: build(lambda name, _ddl: self.spark.read.table(name))
        awaited = Awaited(self.spark)
        built = awaited.hand_in(build(awaited.read))
        return lambda: built


Reader = Callable[[str, str], "DataFrame"]
"""Returns a table of the pipeline, by its name and columns."""


def landed_name(source: Source) -> str:
    """The name of the table with the rows of every version of the files of a source, where versions are told apart."""
    return f"quality.landed_{source.name}"


def judged_name(table: Table) -> str:
    """The name of the table with the evaluated rows of a table."""
    return f"quality.judged_{table.short_name}"


def _judged_ddl(table: Table) -> str:
    return f"{store.ddl(table)}, {judging.JUDGED}"


def _landing(spark: SparkSession, settings: Settings) -> Place:
    configured = spark.conf.get(LANDING, None)
    return storage.at(configured) if configured else settings.landing


def _make_schemas(spark: SparkSession) -> None:
    """Make the schemas, in a cloned session: while definitions are loaded, this one runs no statement."""
    beside: Any = spark.cloneSession()  # type: ignore[attr-defined]
    try:
        for schema in (*LAYERS, "quality"):
            beside.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    finally:
        beside.client.close()  # not stop(): that would end the server of both
