"""Who this process is in Azure.

A process has one identity, which it finds where it runs: a managed identity, a workload identity, on a laptop ``az
login``. That needs no configuration. ``AZURE_TOKEN_CREDENTIALS`` narrows the search, as for every program with Azure's
SDK. A job on Databricks has none: there ``NETFLIX_SERVICE_CREDENTIAL`` names one that Unity Catalog keeps.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from netflix_dagster.azure.service_credential import ServiceCredential

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential


class IdentityError(RuntimeError):
    """This process has no identity in Azure; the message says how to get one."""


_service_credential: str | None = None


def use(service_credential: str | None) -> None:
    """Set the service credential as whose identity this process works, None: its own. Once, at the edge of the process
    (``access.connect``)."""
    global _service_credential
    if service_credential != _service_credential:
        credential.cache_clear()
    _service_credential = service_credential


@lru_cache(maxsize=1)
def credential() -> TokenCredential:
    """The identity, for clients of Azure's SDK; it keeps its tokens and renews them before they expire."""
    if _service_credential:
        return ServiceCredential(_service_credential)
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise IdentityError("Azure's libraries are not installed: pip install 'netflix-dagster[azure]'") from error
    return DefaultAzureCredential()


def token(scope: str, tenant: str | None = None) -> AccessToken:
    """A token for a service, such as ``https://storage.azure.com/.default``, good for some minutes at least.

    ``tenant`` is the one that issues it; None: the identity's own.
    """
    from azure.core.exceptions import ClientAuthenticationError

    try:
        return credential().get_token(scope, tenant_id=tenant)
    except ClientAuthenticationError as error:
        raise IdentityError(
            f"This process has no identity in Azure that gets a token for {scope}. Nothing was written. On a laptop:"
            " az login. In Azure: assign a managed identity to the host. Then run again."
            f" What was tried: {_tried(error.message)}"
        ) from error


def _tried(message: str) -> str:
    """Every kind of identity that was tried, and why it is not there: a sentence each."""
    lines = [line.strip() for line in message.splitlines()]
    return "; ".join(line.split(". ")[0] for line in lines if "Credential: " in line) or message
