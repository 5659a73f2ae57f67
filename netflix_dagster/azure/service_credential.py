"""The identity of a job on Databricks when no password is to be anywhere: a service credential of Unity Catalog.

Unity Catalog keeps a managed identity of Azure (that of an access connector) under a name. Who has ``ACCESS`` on it
gets tokens of that identity, for Key Vault, for the storage that delta-rs opens; each is good for about an hour. The
driver asks for them as whoever the job runs as. Workers get none, and need none.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure.redaction import hide

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

PATH = "/api/2.1/unity-catalog/temporary-service-credentials"
"""By its path, so that it does not matter which ``databricks-sdk`` a runtime brings."""
FRESH_SECONDS = 300
"""A token that ends sooner is not handed out any more: what opens with it works for minutes."""


class ServiceCredentialError(RuntimeError):
    """Unity Catalog gives no token; the message says which right is missing, and who can grant it."""


def granted(name: str, to: str) -> str:
    """The statement by which its owner lets somebody work as a service credential."""
    return f"GRANT ACCESS ON SERVICE CREDENTIAL `{name}` TO `{to}`"


class ServiceCredential:
    """Tokens of a service credential, as clients of Azure's SDK take them (``TokenCredential``), kept as they last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept: dict[tuple[str, ...], AccessToken] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for some scopes, such as ``https://vault.azure.net/.default``."""
        with self._lock:
            kept = self._kept.get(scopes)
            if kept is None or kept.expires_on - time.time() < FRESH_SECONDS:
                kept = self._kept[scopes] = self._ask(scopes)
            return kept

    def _ask(self, scopes: tuple[str, ...]) -> AccessToken:
        from azure.core.credentials import AccessToken
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.errors import NotFound, PermissionDenied
        from databricks.sdk.errors.base import DatabricksError

        wanted = {"credential_name": self.name, "azure_options": {"resources": list(scopes)}}
        try:
            said: Any = WorkspaceClient().api_client.do("POST", PATH, body=wanted)
        except PermissionDenied as error:
            grant = granted(self.name, "<who the job runs as>")
            raise ServiceCredentialError(self._told(f"it may not be used ({error}). Its owner: {grant}")) from error
        except NotFound as error:
            why = "this metastore has none of that name; infra/azure makes it, see docs/databricks.md"
            raise ServiceCredentialError(self._told(why)) from error
        except (DatabricksError, ValueError) as error:  # ValueError: no login to a workspace
            raise ServiceCredentialError(self._told(str(error).splitlines()[0])) from error
        token = said.get("azure_aad", {}).get("aad_token")
        if not token:
            raise ServiceCredentialError(self._told("it is no credential of Azure"))
        hide(token)
        return AccessToken(token, int(said["expiration_time"]) // 1000)

    def _told(self, why: str) -> str:
        return (
            f"the service credential {self.name} gives no token: {why}. No table is left half-written; mend that, then"
            " run again"
        )
