"""With what this process opens the storage account.

``NETFLIX_STORAGE_CREDENTIAL`` is ``default``, the identity of this process, or ``secret://name``. What that secret
is shows by its look: a shared access signature, the key of the account, or a service principal as ``az ad sp
create-for-rbac`` prints it. None of them stands in a file or a setting.

There are three kinds of client: some call back for fresh access (obstore), some are given it when they open a table
(delta-rs), and the embedded engine finds an identity by itself, from the environment.

The edge of a process (a command, Dagster's code location, a job) calls ``connect`` with its settings, once; nothing
below it looks for settings.
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
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure import identity
from netflix_dagster.azure import vault as vaults
from netflix_dagster.azure.redaction import hide, redacted
from netflix_dagster.storage import adls

if TYPE_CHECKING:
    from azure.identity import ClientSecretCredential
    from obstore.store import AzureCredential

    from netflix_dagster.settings import Settings

SCOPE = "https://storage.azure.com/.default"
KEY = "AZURE_STORAGE_ACCOUNT_KEY"
_DELTA = {"access_key": "account_key", "sas_token": "sas_token", "token": "bearer_token"}
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


@dataclass(frozen=True, slots=True)
class Access:
    """With what storage accounts are opened: ``credential`` is default or ``secret://name``, ``vault`` the Key Vault
    where that secret lies, ``tenant`` the one that gives tokens.

    No secret stands in it: it may be sent to the workers of an engine, which open the storage as this process does.
    """

    credential: str = "default"
    tenant: str | None = None
    vault: str | None = None

    def granted(self) -> Granted:
        """What opens the storage, from the vault if it is a secret."""
        if self.credential != "default":
            return recognised(self.credential, vaults.of(self.vault).resolve(self.credential))
        if not (key := os.environ.get(KEY)):
            return None
        if not os.environ.get(adls.ENDPOINT):
            raise vaults.SecretError(
                f"{KEY} is set. A key of a real account belongs in the Key Vault: put it there, set"
                f" NETFLIX_STORAGE_CREDENTIAL=secret://its-name and unset {KEY}. (An emulator's key may stay: it is one"
                f" when {adls.ENDPOINT} is set too.)"
            )
        hide(key)
        return Key(key)

    def fresh(self) -> AzureCredential:
        """Access to the storage, and until when it is good: what obstore calls whenever that time is over."""
        found = self.granted()
        until = datetime.now(UTC) + timedelta(seconds=vaults.KEPT_SECONDS)
        if isinstance(found, Key):
            return {"access_key": found.value, "expires_at": until}
        if isinstance(found, Signature):
            return {"sas_token": found.value, "expires_at": until}
        token = _of(found).get_token(SCOPE) if found else identity.token(SCOPE, self.tenant)
        return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}

    def delta_options(self) -> dict[str, str]:
        """The same for delta-rs, which keeps what it gets for as long as a table is open: minutes."""
        said: Any = self.fresh()
        return {option: said[name] for name, option in _DELTA.items() if name in said}

    def sdk(self, account: str) -> Any:
        """The same for clients of Azure's SDK."""
        found = self.granted()
        if isinstance(found, Key):
            return {"account_name": account, "account_key": found.value}
        if isinstance(found, Signature):
            return found.value
        return _of(found) if found else identity.credential()

    def spark_options(self, host: str) -> dict[str, str]:
        """The same for Spark's driver of ``abfss://``; ``host`` is that of the account."""
        found = self.granted()
        if isinstance(found, Key):
            return {f"fs.azure.account.key.{host}": found.value}
        if isinstance(found, Signature):
            return {f"fs.azure.account.auth.type.{host}": "SAS", f"fs.azure.sas.fixed.token.{host}": found.value}
        return {f"fs.azure.account.{name}.{host}": value for name, value in _oauth(found).items()}

    def engine_environment(self) -> dict[str, str]:
        """The variables with which the embedded engine opens the storage; its object store reads them when it starts.

        A token that it fetches itself it also renews itself. A secret it keeps until its process ends.
        """
        found = self.granted()
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

    def refused(self, error: BaseException) -> bool:
        """Whether access was refused; the next attempt then asks the vault anew: the secret may have been rotated."""
        if not _REFUSED.search(str(error)):
            return False
        if self.credential != "default":
            vaults.of(self.vault).forget()
        return True


def connect(settings: Settings) -> None:
    """Say once, at the edge of a process, with what its settings open Azure: storage accounts and the Key Vault.

    It costs nothing and asks nobody; what is opened is opened when it is needed.
    """
    vaults.use(settings.vault)
    adls.open_with(Access(settings.storage_credential, settings.tenant, settings.vault))


def recognised(reference: str, value: str) -> Granted:
    """What a secret is, by its look. Raises ``SecretError`` when it is half a service principal."""
    value = value.strip()
    if value.startswith("{"):
        try:
            said = json.loads(value)
            principal = Principal(said["tenant"], said["appId"], said["password"])
        except (ValueError, KeyError):
            raise vaults.SecretError(
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


@lru_cache(maxsize=4)
def _of(principal: Principal) -> ClientSecretCredential:
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(principal.tenant, principal.client, principal.password)


def _oauth(principal: Principal | None) -> dict[str, str]:
    """For Spark: a service principal, or the identity that the host of this process gives it."""
    provider = "org.apache.hadoop.fs.azurebfs.oauth2."
    authority = os.environ.get("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com").rstrip("/")
    if principal:
        said = {
            "oauth.provider.type": f"{provider}ClientCredsTokenProvider",
            "oauth2.client.id": principal.client,
            "oauth2.client.secret": principal.password,
            "oauth2.client.endpoint": f"{authority}/{principal.tenant}/oauth2/token",
        }
    elif file := os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        said = {
            "oauth.provider.type": f"{provider}WorkloadIdentityTokenProvider",
            "oauth2.client.id": os.environ.get("AZURE_CLIENT_ID", ""),
            "oauth2.msi.tenant": os.environ.get("AZURE_TENANT_ID", ""),
            "oauth2.token.file": file,
        }
    else:
        said = {"oauth.provider.type": f"{provider}MsiTokenProvider"}
        if client := os.environ.get("AZURE_CLIENT_ID"):
            said["oauth2.client.id"] = client
    return {"auth.type": "OAuth", **said}


def _by_az_login() -> bool:
    """Whether the identity is that of ``az login``: chosen so, or nothing else is there and ``az`` is."""
    chosen = os.environ.get("AZURE_TOKEN_CREDENTIALS", "").lower()
    if chosen:
        return chosen in ("dev", "azureclicredential")
    return not any(os.environ.get(name) for name in _HOSTED) and shutil.which("az") is not None


@contextmanager
def guarded() -> Iterator[None]:
    """Around work on the storage account: errors leave without secrets, and what was kept of a refused access is
    forgotten."""
    try:
        with redacted():
            yield
    except Exception as error:
        adls.refused(error)
        raise
