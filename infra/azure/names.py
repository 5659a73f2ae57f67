"""What things in Azure are called: one convention, so that a name says what it is, of which stack, in which region.

Abbreviations are those of Microsoft's Cloud Adoption Framework. Names that must be unique in the world carry the
organisation's.
"""

from __future__ import annotations

from dataclasses import dataclass

PROJECT = "netflix"
SHORT_STACKS = {"dev": "dev", "staging": "stg", "prod": "prod"}
SHORT_REGIONS = {
    "westeurope": "weu",
    "northeurope": "neu",
    "swedencentral": "sdc",
    "germanywestcentral": "gwc",
    "francecentral": "frc",
    "uksouth": "uks",
    "eastus2": "eus2",
    "westus3": "wus3",
}
"""Regions in which all services of the platform are offered, with zones."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one stack."""

    org: str
    stack: str
    region: str

    def of(self, kind: str, what: str = "") -> str:
        """``rg-netflix-dev-weu``, or with ``what`` ``ca-netflix-daemon-dev-weu``."""
        return "-".join(filter(None, (kind, PROJECT, what, SHORT_STACKS[self.stack], SHORT_REGIONS[self.region])))

    @property
    def account(self) -> str:
        """The storage account: 24 small letters and figures at the most."""
        return f"st{self.org}{PROJECT}{SHORT_STACKS[self.stack]}"

    @property
    def registry(self) -> str:
        return f"cr{self.org}{PROJECT}{SHORT_STACKS[self.stack]}"

    @property
    def vault(self) -> str:
        """The Key Vault: 24 characters at the most."""
        return f"kv-{self.org}-{PROJECT}-{SHORT_STACKS[self.stack]}"

    @property
    def database(self) -> str:
        """The PostgreSQL server."""
        return f"psql-{self.org}-{PROJECT}-{SHORT_STACKS[self.stack]}"

    @property
    def synapse(self) -> str:
        """The Synapse workspace."""
        return f"syn-{self.org}-{PROJECT}-{SHORT_STACKS[self.stack]}"

    @property
    def synapse_endpoint(self) -> str:
        """Where its serverless pool answers."""
        return f"{self.synapse}-ondemand.sql.azuresynapse.net"

    @property
    def catalog(self) -> str:
        """The catalog in Unity Catalog: as the targets of the Databricks bundle call it."""
        return PROJECT if self.stack == "prod" else f"{PROJECT}_{self.stack}"
