"""The lake as a Dagster resource: where deliveries land, where tables lie, which engine builds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
from pydantic import Field

from netflix_dagster.compute.report import Report
from netflix_dagster.settings import Settings, get_settings


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
            update={"landing": Path(self.landing), "lake": Path(self.lake), "engine": self.engine}
        )

    def build(self, table: str, deliveries: Sequence[str], run_id: str) -> Report:
        """Build one table for some deliveries; see ``compute.build``."""
        from netflix_dagster.compute.build import build

        return build(table, deliveries, self.settings, run_id)
