"""The lake as a Dagster resource: where deliveries land, where tables lie, which engine builds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, PrivateAttr

from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.report import Report
from netflix_dagster.defs.telemetry import traced
from netflix_dagster.engine import sessions
from netflix_dagster.landing.keys import FORM, is_key
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import at

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Lake(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Builds tables. The engine starts with the first table, not with the code location."""

    landing: str = Field(description="Folder of <source>/<delivery date>/<file>")
    lake: str = Field(description="Folder of <layer>/<table>")
    engine: str = Field("sail", description="What runs the PySpark steps")
    _session: Session | None = PrivateAttr(None)
    _taken: set[str] = PrivateAttr(default_factory=set)
    _left: set[str] = PrivateAttr(default_factory=set)

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> Lake:
        settings = settings or get_settings()
        return cls(landing=str(settings.landing), lake=str(settings.lake), engine=settings.engine)

    @property
    def settings(self) -> Settings:
        """This resource as the settings that everything below Dagster takes."""
        return get_settings().model_copy(
            update={"landing": at(self.landing), "lake": at(self.lake), "engine": self.engine}
        )

    @property
    def sources(self) -> Sources:
        """The sources whose deliveries land here."""
        return load_sources(self.settings.sources)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Lake]:
        """The lake for one run, which is told of as one trace; what the run came to is written down at its end."""
        with traced(context), super().yield_for_execution(context) as lake:
            try:
                yield lake
            finally:
                lake._end()

    def reports(
        self, context: dg.AssetExecutionContext, tables: Sequence[str], deliveries: Sequence[str]
    ) -> Iterator[Report]:
        """Build tables, and report on each as soon as it is done; the steps of a run share one ``build.runner``."""
        session = self._open(context, tables, deliveries)
        for name in tables:
            yield session.build(name)
        if session.idle:  # the steps behind are skipped, and nobody else would tell of their checks
            for name in session.tables:
                behind = any(read in session.tables for read in TABLES[name].reads)
                if behind and name not in session.built and TABLES[name].judged_by_delivery:
                    yield session.build(name)

    def standing(self, report: Report) -> list[str]:
        """The deliveries of a run that a table is built for: not those of which every file is refused or held.

        A table behind bronze does not see that a delivery was refused: it is as one that has not landed.
        """
        kept = {day for day in report.deliveries if not report.outcome(day).stays}
        if TABLES[report.table].layer == "bronze":
            self._taken |= {day for day in kept if report.outcome(day).delivered}
            self._left |= set(report.deliveries) - kept
        return sorted(kept - (self._left - self._taken))

    def session(self) -> Session:
        """The build that is under way."""
        assert self._session is not None
        return self._session

    def _open(self, context: dg.AssetExecutionContext, tables: Sequence[str], deliveries: Sequence[str]) -> Session:
        if wrong := [key for key in deliveries if not is_key(key)]:
            raise dg.Failure(
                f"{', '.join(wrong)} is no delivery date: partitions are written {FORM['day']}, or {FORM['hour']}. No"
                " table has changed. Delete the partition in the UI, and land a file for the date that was meant",
                allow_retries=False,
            )
        feeds = {feed for name in tables if (feed := TABLES[name].feed)}
        if self._session is None:
            sessions.open_with(_through_dagster)
            session = Session(self.settings, self.sources, context.run_id, selected(context), {})
            self._session = session.__enter__()
        for feed in feeds:
            self._session.deliveries.setdefault(feed, sorted(deliveries))
        return self._session

    def _end(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.__exit__(None, None, None)


def selected(context: dg.AssetExecutionContext) -> list[str]:
    """The tables that the run is to build."""
    keys = context.job_def.asset_layer.selected_asset_keys
    return [name for name in TABLES if dg.AssetKey(name.split(".")) in keys]


def _through_dagster(config: Mapping[str, str]) -> SparkSession:
    """A session of what the engine needs, made by dagster-pyspark. It imports PySpark, so only now."""
    from dagster_pyspark import LazyPySparkResource

    spark: SparkSession = LazyPySparkResource(spark_config=dict(config)).spark_session
    return spark
