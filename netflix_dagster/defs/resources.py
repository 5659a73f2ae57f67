"""The lake as a Dagster resource: where deliveries land, where tables lie, which engine builds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from netflix_dagster.contracts.report import Report
from netflix_dagster.databricks.step import in_order
from netflix_dagster.defs.telemetry import traced
from netflix_dagster.engine import sessions
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import at

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Lake(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Builds tables. The engine starts with the first table, not with the code location."""

    landing: str = Field(description="Folder of <source>/<delivery date>/<file>")
    lake: str = Field(description="Folder of <layer>/<table>")
    engine: str = Field("sail", description="What runs the PySpark steps")

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

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Lake]:
        """The lake for one run, which is told of as one trace."""
        with traced(context), super().yield_for_execution(context) as lake:
            yield lake

    def reports(
        self, context: dg.AssetExecutionContext, tables: Sequence[str], deliveries: Sequence[str]
    ) -> Iterator[Report]:
        """Build tables, and report on each as soon as it is done; see ``databricks.step``."""
        yield from in_order(tables, deliveries, lambda table, days: self.build(table, days, context.run_id))

    def build(self, table: str, deliveries: Sequence[str], run_id: str) -> Report:
        """Build one table for some deliveries; see ``build.table``."""
        from netflix_dagster.build.table import build

        sessions.open_with(_through_dagster)
        return build(table, deliveries, self.settings, run_id)


def _through_dagster(config: Mapping[str, str]) -> SparkSession:
    """A session of what the engine needs, made by dagster-pyspark. It imports PySpark, so only now."""
    from dagster_pyspark import LazyPySparkResource

    spark: SparkSession = LazyPySparkResource(spark_config=dict(config)).spark_session
    return spark
