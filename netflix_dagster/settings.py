"""The one typed place for what differs between environments.

Every setting is an environment variable with the prefix ``NETFLIX_``, or a line of ``.env``. Paths may be
relative: they are taken from the working directory and made absolute once, here.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the deliveries land, where the lake is, and which engine builds its tables."""

    model_config = SettingsConfigDict(env_prefix="NETFLIX_", env_file=".env", extra="ignore")

    env: Literal["local", "azure"] = Field("local", description="local: everything on this machine")
    landing: Path = Field(Path("data/landing"), description="folder of <source>/<delivery date>/<file>")
    lake: Path = Field(Path("data/lake"), description="folder of <layer>/<table>, one Delta table each")
    engine: Literal["sail", "spark", "remote"] = Field("sail", description="what runs the PySpark steps")
    sources: Path | None = Field(None, description="a sources.yaml of one's own instead of the packaged one")

    def model_post_init(self, _context: object, /) -> None:
        self.landing = self.landing.expanduser().absolute()
        self.lake = self.lake.expanduser().absolute()
        if self.sources is not None:
            self.sources = self.sources.expanduser().absolute()

    @property
    def dagster_home(self) -> Path:
        """Dagster's storage for this lake: ``DAGSTER_HOME``, or beside the tables that it speaks of."""
        home = os.environ.get("DAGSTER_HOME")
        return Path(home).absolute() if home else self.lake / ".dagster"

    def as_environment(self) -> dict[str, str]:
        """These settings as environment variables, for processes started from this one."""
        values = {
            "NETFLIX_ENV": self.env,
            "NETFLIX_LANDING": str(self.landing),
            "NETFLIX_LAKE": str(self.lake),
            "NETFLIX_ENGINE": self.engine,
        }
        if self.sources is not None:
            values["NETFLIX_SOURCES"] = str(self.sources)
        return values


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
