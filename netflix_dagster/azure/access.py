"""With what this process opens the storage account.

``NETFLIX_STORAGE_CREDENTIAL`` is ``default``, the identity of this process, or ``secret://name``. What that secret
is shows by its look: a shared access signature, the key of the account, or a service principal as ``az ad sp
create-for-rbac`` prints it. None of them stands in a file or a setting.

There are three kinds of client: some call back for fresh access (obstore), some are given it when they open a table
(delta-rs), and the embedded engine finds an identity by itself, from the environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure import identity, vault
from netflix_dagster.azure.redaction import hide, redacted
from netflix_dagster.settings import get_settings

if TYPE_CHECKING:
    from azure.identity import ClientSecretCredential
    from obstore.store import AzureCredential

SCOPE = "https://storage.azure.com/.default"
KEY = "AZURE_STORAGE_ACCOUNT_KEY"
ENDPOINT = "AZURE_STORAGE_ENDPOINT"
_HOSTED = ("IDENTITY_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_SECRET")
"""Each says that the host of this process gives it an identity, of which the engine's object store knows as well."""

_REFUSED = re.compile(r"\b40[13] (Forbidden|Unauthorized)|\bAuth(entication|orization)\w*Fail|AuthorizationPermission")


@dataclass(frozen=True, slots=True, repr=False)
class Principal:
    """A service principal and its password."""

    tenant: str
    client: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """The key of the account."""

    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """A shared access signature."""

    value: str


Granted = Principal | Key | Signature | None
"""What opens the storage; None is the identity of this process."""


def granted() -> Granted:
    """What the settings say that opens the storage, from the vault if it is a secret."""
    said = get_settings().storage_credential
    if said != "default":
        return _recognised(said, vault.resolve(said))
    if not (key := os.environ.get(KEY)):
        return None
    if not os.environ.get(ENDPOINT):
        raise vault.SecretError(
            f"{KEY} is set. A key of a real account belongs in the Key Vault: put it there, set"
            f" NETFLIX_STORAGE_CREDENTIAL=secret://its-name and unset {KEY}. (An emulator's key may stay: it is one"
            f" when {ENDPOINT} is set too.)"
        )
    hide(key)
    return Key(key)


def _recognised(reference: str, value: str) -> Granted:
    value = value.strip()
    if value.startswith("{"):
        try:
            said = json.loads(value)
            principal = Principal(said["tenant"], said["appId"], said["password"])
        except (ValueError, KeyError):
            raise vault.SecretError(
                f"{reference} looks like a service principal and is none: it must hold what `az ad sp create-for-rbac`"
                " prints, with appId, password and tenant. Nothing was opened with it."
            ) from None
        hide(principal.password)
        return principal
    if "sig=" in value:
        signature = value.removeprefix("?")
        hide(signature.split("sig=", 1)[1].split("&")[0])
        return Signature(signature)
    return Key(value)


def fresh() -> AzureCredential:
    """Access to the storage, and until when it is good: what obstore calls whenever that time is over."""
    found = granted()
    until = datetime.now(UTC) + timedelta(seconds=vault.KEPT_SECONDS)
    if isinstance(found, Key):
        return {"access_key": found.value, "expires_at": until}
    if isinstance(found, Signature):
        return {"sas_token": found.value, "expires_at": until}
    token = _of(found).get_token(SCOPE) if found else identity.token(SCOPE)
    return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}


_DELTA = {"access_key": "account_key", "sas_token": "sas_token", "token": "bearer_token"}


def delta_options() -> dict[str, str]:
    """The same for delta-rs, which keeps what it gets for as long as a table is open: minutes."""
    said: Any = fresh()
    return {option: said[name] for name, option in _DELTA.items() if name in said}


def credential(account: str) -> Any:
    """The same for clients of Azure's SDK."""
    found = granted()
    if isinstance(found, Key):
        return {"account_name": account, "account_key": found.value}
    if isinstance(found, Signature):
        return found.value
    return _of(found) if found else identity.credential()


@lru_cache(maxsize=4)
def _of(principal: Principal) -> ClientSecretCredential:
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(principal.tenant, principal.client, principal.password)


def engine_environment() -> dict[str, str]:
    """The variables with which the embedded engine opens the storage; its object store reads them when it starts.

    A token that it fetches itself it also renews itself. A secret it keeps until its process ends.
    """
    settings = get_settings()
    if isinstance(settings.lake, Path) and isinstance(settings.landing, Path):
        return {}
    found = granted()
    if isinstance(found, Key):
        return {KEY: found.value}
    if isinstance(found, Signature):
        return {"AZURE_STORAGE_SAS_TOKEN": found.value}
    if found:
        # The longer names: those without STORAGE would change who DefaultAzureCredential says that this process is.
        return {
            "AZURE_STORAGE_TENANT_ID": found.tenant,
            "AZURE_STORAGE_CLIENT_ID": found.client,
            "AZURE_STORAGE_CLIENT_SECRET": found.password,
        }
    return {"AZURE_USE_AZURE_CLI": "true"} if _by_az_login() else {}


def _by_az_login() -> bool:
    """Whether the identity is that of ``az login``: chosen so, or nothing else is there and ``az`` is."""
    chosen = os.environ.get("AZURE_TOKEN_CREDENTIALS", "").lower()
    if chosen:
        return chosen in ("dev", "azureclicredential")
    return not any(os.environ.get(name) for name in _HOSTED) and shutil.which("az") is not None


def refused(error: BaseException) -> bool:
    """Whether access was refused; the next attempt then asks the vault anew, for the secret may have been rotated."""
    if not _REFUSED.search(str(error)):
        return False
    if get_settings().storage_credential != "default":
        vault.vault().forget()
    return True


@contextmanager
def guarded() -> Iterator[None]:
    """Around work on the storage account: errors leave without secrets, and ``refused`` hears of them."""
    try:
        with redacted():
            yield
    except Exception as error:
        refused(error)
        raise
