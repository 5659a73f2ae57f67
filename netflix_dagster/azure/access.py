"""The credentials with which this process opens the storage account.

``NETFLIX_STORAGE_CREDENTIAL`` is ``default``, the identity of this process, or ``secret://name``. The form of that
secret shows what it is: a shared access signature, the key of the account, or a service principal as ``az ad sp
create-for-rbac`` prints it. None of them is ever in a file or a setting.

There are three kinds of client: obstore calls back for fresh credentials, delta-rs gets them when it opens a table, and
the embedded engine finds an identity by itself, from the environment.

The edge of a process (a command, Dagster's code location, a job) calls ``connect`` with its settings, once; no other
module looks for settings.
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
"""Each of these variables means that the host gives this process an identity; the engine's object store uses it too."""

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
"""What opens the storage; None: the identity of this process."""


@dataclass(frozen=True, slots=True)
class Access:
    """How storage accounts are opened: ``credential`` is default or ``secret://name``, ``vault`` the Key Vault that
    holds the secret, ``tenant`` the one that issues tokens.

    It holds no secret, so it may be sent to the workers of an engine, which open the storage as this process does.
    """

    credential: str = "default"
    tenant: str | None = None
    vault: str | None = None

    def granted(self) -> Granted:
        """What opens the storage; a secret is fetched from the vault."""
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
        """A credential and when it expires; obstore calls this again when it has expired."""
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
        access: Any = self.fresh()
        return {option: access[name] for name, option in _DELTA.items() if name in access}

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

        It renews tokens that it fetches itself. It keeps a secret until its process ends.
        """
        found = self.granted()
        if isinstance(found, Key):
            return {KEY: found.value}
        if isinstance(found, Signature):
            return {"AZURE_STORAGE_SAS_TOKEN": found.value}
        if found:
            # The longer names: those without STORAGE would change the identity that DefaultAzureCredential finds.
            return {
                "AZURE_STORAGE_TENANT_ID": found.tenant,
                "AZURE_STORAGE_CLIENT_ID": found.client,
                "AZURE_STORAGE_CLIENT_SECRET": found.password,
            }
        return {"AZURE_USE_AZURE_CLI": "true"} if _by_az_login() else {}

    def refused(self, error: BaseException) -> bool:
        """Whether the error is a refusal of access. The next attempt then asks the vault: the secret may be rotated."""
        if not _REFUSED.search(str(error)):
            return False
        if self.credential != "default":
            vaults.of(self.vault).forget()
        return True


def connect(settings: Settings) -> None:
    """Set the credentials of this process, from its settings: for storage accounts and the Key Vault.

    The edge of a process calls this once. It opens nothing; connections are opened when they are needed.
    """
    identity.use(settings.service_credential)
    vaults.use(settings.vault)
    adls.open_with(Access(settings.storage_credential, settings.tenant, settings.vault))


def recognised(reference: str, value: str) -> Granted:
    """What a secret is, by its form. Raises ``SecretError`` for an incomplete service principal."""
    value = value.strip()
    if value.startswith("{"):
        try:
            printed = json.loads(value)
            principal = Principal(printed["tenant"], printed["appId"], printed["password"])
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
    """The options of Spark for a service principal, or for the identity that the host gives this process."""
    provider = "org.apache.hadoop.fs.azurebfs.oauth2."
    authority = os.environ.get("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com").rstrip("/")
    if principal:
        options = {
            "oauth.provider.type": f"{provider}ClientCredsTokenProvider",
            "oauth2.client.id": principal.client,
            "oauth2.client.secret": principal.password,
            "oauth2.client.endpoint": f"{authority}/{principal.tenant}/oauth2/token",
        }
    elif file := os.environ.get("AZURE_FEDERATED_TOKEN_FILE"):
        options = {
            "oauth.provider.type": f"{provider}WorkloadIdentityTokenProvider",
            "oauth2.client.id": os.environ.get("AZURE_CLIENT_ID", ""),
            "oauth2.msi.tenant": os.environ.get("AZURE_TENANT_ID", ""),
            "oauth2.token.file": file,
        }
    else:
        options = {"oauth.provider.type": f"{provider}MsiTokenProvider"}
        if client := os.environ.get("AZURE_CLIENT_ID"):
            options["oauth2.client.id"] = client
    return {"auth.type": "OAuth", **options}


def _by_az_login() -> bool:
    """Whether the identity is that of ``az login``: chosen, or the only one there is."""
    chosen = os.environ.get("AZURE_TOKEN_CREDENTIALS", "").lower()
    if chosen:
        return chosen in ("dev", "azureclicredential")
    return not any(os.environ.get(name) for name in _HOSTED) and shutil.which("az") is not None


@contextmanager
def guarded() -> Iterator[None]:
    """Around work on the storage account: raises errors without secrets, and drops cached secrets after a refusal."""
    try:
        with redacted():
            yield
    except Exception as error:
        adls.refused(error)
        raise
