"""Who this process is in Azure.

A process has one identity, which it finds where it runs: a managed identity, a workload identity, on a laptop ``az
login``. That needs no configuration. ``AZURE_TOKEN_CREDENTIALS`` narrows the search, as for every program with Azure's
SDK.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.identity import DefaultAzureCredential


class IdentityError(RuntimeError):
    """This process has no identity in Azure; the message says how to get one."""


@lru_cache(maxsize=1)
def credential() -> DefaultAzureCredential:
    """The identity, for clients of Azure's SDK; it keeps its tokens and renews them before they expire."""
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
