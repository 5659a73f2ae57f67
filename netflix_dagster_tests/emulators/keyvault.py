"""Key Vault's secrets: versions, rotation, disabled and forbidden ones, and the challenge that tells whom to ask.

The challenge is that of "Authentication, requests, and responses", the statuses and codes are those of "Azure Key Vault
REST API error codes" and "Get Secret" (``SecretNotFound``; ``SecretDisabled`` inside of ``Forbidden``).
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

from netflix_dagster_tests.emulators.entra import LOGIN, TENANT, claims
from netflix_dagster_tests.emulators.serving import Asked, Said

RESOURCE = "https://vault.azure.net"


@dataclass
class Version:
    """One version of a secret."""

    value: str
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    enabled: bool = True


@dataclass
class KeyVault:
    """A vault. ``asked`` counts the answered requests by secret."""

    name: str = "netflixvault"
    versions: dict[str, list[Version]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"https://{self.name}.vault.azure.net"

    def reset(self) -> None:
        """Empty it."""
        for known in (self.versions, self.forbidden, self.asked):
            known.clear()

    def put(self, name: str, value: str) -> str:
        """Set a secret, or rotate it: a new version. Returns the version's id."""
        version = Version(value)
        self.versions.setdefault(name, []).append(version)
        return version.id

    def answer(self, asked: Asked) -> Said:
        said = claims(asked.headers.get("Authorization"))
        if said.get("aud") != RESOURCE or float(str(said["exp"])) < time.time():
            challenge = f'Bearer authorization="https://{LOGIN}/{TENANT}", resource="{RESOURCE}"'
            return _error(401, "Unauthorized", "AKV10000: Request is missing a Bearer token", challenge)
        _, kind, name, *version = [*asked.path.rstrip("/").split("/"), ""][:4]
        if asked.method != "GET" or kind != "secrets" or not name:
            return _error(404, "NotFound", "only secrets can be read here")
        self.asked[name] += 1
        if name in self.forbidden:
            return _error(403, "Forbidden", f"The user does not have secrets get permission on key vault '{self.name}'")
        wanted = version[0] if version else ""
        found = [item for item in self.versions.get(name, []) if wanted in ("", item.id)]
        if not found:
            missing = f"A secret with (name/id) {name} was not found in this key vault."
            return _error(404, "SecretNotFound", missing)
        if not found[-1].enabled:
            return _error(
                403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled"
            )
        newest = found[-1]
        attributes = {"enabled": True, "created": 1700000000, "updated": 1700000000, "recoveryLevel": "Recoverable"}
        where = f"{self.url}/secrets/{name}/{newest.id}"
        return Said.json({"value": newest.value, "id": where, "attributes": attributes})


def _error(status: int, code: str, message: str, challenge: str = "", inner: str = "") -> Said:
    said: dict[str, object] = {"code": code, "message": message}
    if inner:
        said["innererror"] = {"code": inner}
    return Said.json({"error": said}, status, **({"WWW_Authenticate": challenge} if challenge else {}))
