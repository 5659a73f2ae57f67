"""The settings: everything that differs between environments, typed.

Every setting is an environment variable with the prefix ``NETFLIX_``, or a line of ``.env``. A place is a path, which
may be relative and is then taken from the working directory, or an ``abfss://`` URL; both may be mixed. With
``NETFLIX_ENV=azure`` the account, the tenant and the vault are enough: the places follow from the account.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from netflix_dagster import storage
from netflix_dagster.storage import ZONE, AzureFolder, Place, at

APlace = Annotated[Place, NoDecode, PlainValidator(at)]

_NO_LAKE = ("/Volumes/", "/dbfs/", "/mnt/")
"""Folders of Databricks that are no place for Delta tables written by path. Elsewhere they are folders as any other:
of a disk of a Mac, or of Windows."""


class Settings(BaseSettings):
    """Where the deliveries land, where the lake is, and which engine builds its tables."""

    model_config = SettingsConfigDict(env_prefix="NETFLIX_", env_file=".env", extra="ignore")

    env: Literal["local", "azure"] = Field("local", description="local: everything on this machine")
    account: str | None = Field(None, pattern=r"^[a-z0-9]{3,24}$", description="the storage account, of azure")
    tenant: str | None = Field(None, description="the Entra tenant that its identities belong to")
    vault: str | None = Field(None, description="name of the Key Vault where secrets lie")
    storage_credential: str = Field("default", description="default, this process's identity, or secret://name")
    service_credential: str | None = Field(
        None, description="of Databricks: the service credential of Unity Catalog as whose identity a job opens Azure"
    )
    landing: APlace = Field(Path("data/landing"), description="folder of <source>/<delivery date>/<file>")
    landing_events: str | None = Field(
        None, pattern=r"^[a-z0-9](-?[a-z0-9])+$", description="storage queue with the events of landing, of azure"
    )
    lake: APlace = Field(Path("data/lake"), description="folder of <layer>/<table>, one Delta table each")
    engine: Literal["sail", "spark", "remote"] = Field("sail", description="what runs the PySpark steps")
    memory: int | None = Field(
        None, ge=1024, description="of sail: megabytes that a process takes at the most, roughly; beyond, it uses disk"
    )
    spark_master: str = Field("local[*]", description="of spark: local[*], spark://, yarn or k8s://")
    spark_conf: Path | None = Field(None, description="of spark: a file of further Spark properties")
    spark_jars: Path = Field(Path(sys.prefix) / "spark-jars", description="of spark: the folder of its jars")
    spark_remote: SecretStr | None = Field(None, description="of remote: sc://host:port/;token=...")
    compute: Literal["local", "databricks"] = Field(
        "local", description="where tables are built, see docs/databricks.md"
    )
    synapse: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?$",
        description="endpoint of Synapse's serverless pool, NAME-ondemand.sql.azuresynapse.net",
    )
    synapse_database: str = Field("netflix", pattern=r"^[a-z][a-z0-9_]*$", description="the database there")
    synapse_pool: str | None = Field(
        None, pattern=r"^[a-z][a-z0-9_]*$", description="a dedicated pool of the same workspace, of those who have one"
    )
    alert_webhook: SecretStr | None = Field(
        None, description="who gets messages about failures: a URL, or secret://name"
    )
    alert_kind: Literal["teams", "slack", "json"] | None = Field(None, description="what the webhook takes, if unclear")
    dagster_url: str | None = Field(None, description="where people open Dagster, for links to a run")
    powerbi_workspace: str | None = Field(
        None, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", description="id of the workspace of Power BI"
    )
    sources: Path | None = Field(None, description="a sources.yaml of one's own instead of the packaged one")

    @model_validator(mode="after")
    def _places(self) -> Settings:
        if self.env == "azure":
            needed = {"account": self.account, "tenant": self.tenant, "vault": self.vault}
            if missing := [f"NETFLIX_{name.upper()}" for name, value in needed.items() if not value]:
                raise ValueError(
                    f"NETFLIX_ENV=azure also needs {', '.join(missing)}: the names of the storage account, the Entra"
                    " tenant and the Key Vault of the platform"
                )
            if "landing" not in self.model_fields_set:
                self.landing = AzureFolder(str(self.account), "landing")
            if "lake" not in self.model_fields_set:
                self.lake = AzureFolder(str(self.account), ZONE)
        self.landing, self.lake = at(self.landing), at(self.lake)
        if self.landing_events and not storage.has_events(self.landing):
            raise ValueError(
                f"NETFLIX_LANDING_EVENTS is set, but NETFLIX_LANDING is the folder {self.landing}: only a landing"
                " folder in ADLS has events. Unset it, or set NETFLIX_LANDING to an abfss:// URL"
            )
        if storage.is_local(self.lake) and str(self.lake).startswith(_NO_LAKE) and self._on_databricks:
            raise ValueError(
                f"NETFLIX_LAKE is {self.lake}, where no lake can be: Databricks has no commit on /Volumes that refuses"
                " to overwrite, and /dbfs and /mnt may be a disk of this driver alone. Nothing was read or written. Set"
                " NETFLIX_LAKE to abfss://container@account.dfs.core.windows.net/folder"
            )
        if self.sources is not None:
            self.sources = self.sources.expanduser().absolute()
        if self.spark_conf is not None:
            self.spark_conf = self.spark_conf.expanduser().absolute()
        self.spark_jars = self.spark_jars.expanduser().absolute()
        return self

    @property
    def _on_databricks(self) -> bool:
        """Whether Databricks builds the tables: it sends for them, or this process is one of its own."""
        return self.compute == "databricks" or "DATABRICKS_RUNTIME_VERSION" in os.environ

    @property
    def dagster_home(self) -> Path:
        """Dagster's storage for this lake: ``DAGSTER_HOME``, or beside the tables.

        Its databases need a disk: for a lake in ADLS it is a folder of this machine, one for each lake.
        """
        home = os.environ.get("DAGSTER_HOME")
        if home:
            return Path(home).absolute()
        if storage.is_local(self.lake):
            return self.lake / ".dagster"
        return Path("data/.dagster").absolute() / storage.as_name(self.lake)

    @property
    def serving(self) -> Path:
        """The folder of this machine for what consumers open: in the lake; of a lake in ADLS a folder for each."""
        if storage.is_local(self.lake):
            return self.lake / "serving"
        return Path("data/serving").absolute() / storage.as_name(self.lake)

    def as_environment(self) -> dict[str, str]:
        """These settings as environment variables, for processes started from this one."""
        values = {
            "NETFLIX_ENV": self.env,
            "NETFLIX_LANDING": str(self.landing),
            "NETFLIX_LAKE": str(self.lake),
            "NETFLIX_ENGINE": self.engine,
            "NETFLIX_COMPUTE": self.compute,
        }
        if self.sources is not None:
            values["NETFLIX_SOURCES"] = str(self.sources)
        for name in (
            "account",
            "tenant",
            "vault",
            "landing_events",
            "storage_credential",
            "service_credential",
            "memory",
            "spark_master",
            "spark_conf",
            "spark_jars",
            "synapse",
            "synapse_database",
            "synapse_pool",
            "powerbi_workspace",
        ):
            if value := getattr(self, name):
                values[f"NETFLIX_{name.upper()}"] = str(value)
        if self.spark_remote is not None:
            values["NETFLIX_SPARK_REMOTE"] = self.spark_remote.get_secret_value()
        return values


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
