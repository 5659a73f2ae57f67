"""Secrets by reference: ``secret://name`` is a secret of the platform's Key Vault, ``secret://name/version`` one of
its versions.

A setting holds the reference. The value is fetched where it is used, kept in the memory of this process for some
minutes, and written nowhere. A rotated secret is fetched after those minutes, or at once when access was refused.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from netflix_dagster.azure.identity import credential
from netflix_dagster.azure.redaction import hide, redact

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.keyvault.secrets import SecretClient

PREFIX = "secret://"
KEPT_SECONDS = 300.0
_REFERENCE = re.compile(r"secret://(?P<name>[0-9A-Za-z-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?")


class SecretError(RuntimeError):
    """A secret cannot be fetched; the message says which, why, and what to do."""


class Vault:
    """The secrets of one Key Vault, each kept for a while."""

    def __init__(self, name: str, kept: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self._kept_for, self._clock = name, kept, clock
        self._kept: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._client: SecretClient | None = None

    @property
    def url(self) -> str:
        return f"https://{self.name}.vault.azure.net"

    def resolve(self, reference: str) -> str:
        """The value of ``secret://name`` or ``secret://name/version``."""
        found = _REFERENCE.fullmatch(reference)
        if not found:
            # The text is not repeated: it may be a secret, written where its name belongs.
            raise SecretError(
                "A setting that should name a secret does not: write secret://name or secret://name/version, with"
                " letters, digits and dashes in the name."
            )
        with self._lock:
            value, until = self._kept.get(reference, ("", 0.0))
            if self._clock() >= until:
                value = self._fetch(reference, found["name"], found["version"])
                self._kept[reference] = (value, self._clock() + self._kept_for)
            return value

    def forget(self) -> None:
        """Drop the cached secrets: one of them was refused, so the vault may have new ones."""
        with self._lock:
            self._kept.clear()

    def _fetch(self, reference: str, name: str, version: str | None) -> str:
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            HttpResponseError,
            ResourceNotFoundError,
        )
        from azure.keyvault.secrets import SecretClient

        if self._client is None:
            self._client = SecretClient(self.url, credential())
        try:
            value = self._client.get_secret(name, version).value
        except ResourceNotFoundError as error:
            why = f"it is not in the Key Vault {self.name}; set it there, or mend the name in the setting"
            raise SecretError(_message(reference, why)) from error
        except ClientAuthenticationError as error:
            raise SecretError(_message(reference, f"{self.url} does not know who asks ({_in_short(error)})")) from error
        except HttpResponseError as error:
            raise SecretError(_message(reference, self._refused(error))) from error
        except AzureError as error:
            why = f"{self.url} does not answer ({_in_short(error)}); is NETFLIX_VAULT right, may this host reach it"
            raise SecretError(_message(reference, why)) from error
        if not value:
            raise SecretError(_message(reference, f"it is empty in the Key Vault {self.name}"))
        hide(value)
        return value

    def _refused(self, error: HttpResponseError) -> str:
        answer = _in_short(error)
        if error.status_code != 403:
            return f"the Key Vault {self.name} answered {error.status_code}: {answer}"
        if "disabled" in answer.lower():
            return f"it is disabled in the Key Vault {self.name}; enable it there, or set a new version"
        return (
            f"the Key Vault {self.name} forbids it: {answer}. The identity of this process needs the role Key Vault"
            " Secrets User there, and the vault's firewall must let this host in"
        )


def is_reference(text: str) -> bool:
    """Whether a setting names a secret instead of being one."""
    return text.startswith(PREFIX)


@lru_cache(maxsize=4)
def of(name: str | None) -> Vault:
    """The ``Vault`` of this name, one in a process, so that each secret is kept once."""
    if not name:
        raise SecretError("A secret is asked for and there is no Key Vault: set NETFLIX_VAULT to its name.")
    return Vault(name)


_platform: str | None = None


def use(name: str | None) -> None:
    """Set the platform's Key Vault: once, at the edge of the process (``access.connect``)."""
    global _platform
    _platform = name


def vault() -> Vault:
    """The platform's Key Vault."""
    return of(_platform)


def resolve(reference: str) -> str:
    """The value of a reference, from the platform's Key Vault."""
    return vault().resolve(reference)


def _in_short(error: AzureError) -> str:
    """The first line of an error of the SDK; its other lines repeat it."""
    return redact(error.message).partition("\n")[0].rstrip(".")


def _message(reference: str, why: str) -> str:
    return f"{reference} cannot be had: {why}. Nothing was done with it; run again when that is mended."
