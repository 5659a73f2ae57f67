"""Secrets of the platform's Key Vault as a Dagster resource, by reference."""

from __future__ import annotations

import dagster as dg
from pydantic import Field, SecretStr


class Vault(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Resolves ``secret://name`` where a step or a sensor needs it.

    What Dagster keeps of this resource is the reference and nothing else. A value comes as a ``SecretStr``: printed,
    logged or put into metadata by mistake it shows as asterisks. ::

        key = vault.resolve("secret://tmdb-key").get_secret_value()
    """

    name: str = Field("", description="Name of the Key Vault; that of NETFLIX_VAULT if empty")

    def resolve(self, reference: str) -> SecretStr:
        """The value of ``secret://name`` or ``secret://name/version``; raises ``SecretError`` with what to do."""
        from netflix_dagster.azure import vault

        if not self.name:
            return SecretStr(vault.resolve(reference))
        return SecretStr(vault.of(self.name).resolve(reference))
