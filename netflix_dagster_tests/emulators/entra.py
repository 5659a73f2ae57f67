"""Microsoft Entra ID as far as identities of programs need it: a managed identity and service principals.

The managed identity's endpoint is that of App Service, Functions and Container Apps (``IDENTITY_ENDPOINT``,
``IDENTITY_HEADER``). Service principals come with their secret to the token endpoint of ``login.microsoftonline.com``.
Refusals follow "How to use managed identities for App Service and Azure Functions" (a wrong header, no identity) and
"Microsoft Entra authentication and authorization error codes" (AADSTS…). Tokens are real JWTs that expire;
nobody here checks their signature, as Azurite does not.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

from netflix_dagster_tests.emulators.serving import Asked, Said

TENANT = "6f1d2b1e-7c0a-4c55-9d3a-0a6d7a5a1f00"
LOGIN = "login.microsoftonline.com"


@dataclass
class Entra:
    """Issues tokens that live ``lifetime`` seconds; ``issued`` counts them by the resource they are for."""

    lifetime: int = 3600
    refusing: bool = False
    header: str = field(default_factory=lambda: secrets.token_hex(16))
    principals: dict[str, str] = field(default_factory=dict)
    """Service principals: their secret by client id."""
    federated: dict[str, str] = field(default_factory=dict)
    """Workload identities: by client id what the cluster has written into their token file."""
    issued: Counter[str] = field(default_factory=Counter)
    tokens: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """As new: nobody but the managed identity is known; programs that run keep their header."""
        self.lifetime, self.refusing = 3600, False
        for known in (self.principals, self.federated, self.issued, self.tokens):
            known.clear()

    def managed_identity(self, asked: Asked) -> Said:
        """The endpoint that an Azure host gives its programs."""
        if not secrets.compare_digest(asked.headers.get("X-IDENTITY-HEADER") or "", self.header):
            return Said.json({"statusCode": 401, "message": "the identity header is wrong"}, 401)
        if self.refusing:
            return Said.json({"statusCode": 400, "message": "no managed identity is assigned to this app"}, 400)
        resource = asked.query["resource"].removesuffix("/")
        token, expires = self.token(resource, "managed")
        said = {"access_token": token, "expires_on": str(expires), "resource": resource, "token_type": "Bearer"}
        return Said.json(said)

    def login(self, asked: Asked) -> Said:
        """``login.microsoftonline.com``: what it is, and tokens for service principals."""
        base = f"https://{LOGIN}/{TENANT}"
        if asked.path.endswith("/discovery/instance"):
            aliases = {"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}
            endpoint = f"{base}/v2.0/.well-known/openid-configuration"
            return Said.json({"tenant_discovery_endpoint": endpoint, "metadata": [aliases]})
        if asked.path.endswith("/openid-configuration"):
            endpoints = {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "issuer": f"{base}/v2.0",
            }
            return Said.json(endpoints)
        if asked.method != "POST" or not asked.path.endswith("/oauth2/v2.0/token"):
            return Said.json({"error": "not_found"}, 404)
        client = asked.query.get("client_id", "")
        known = self.principals.get(client), self.federated.get(client)
        shown = asked.query.get("client_secret"), asked.query.get("client_assertion")
        if not any(one and one == other for one, other in zip(known, shown, strict=True)):
            said = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return Said.json(said, 401)
        token, _ = self.token(asked.query["scope"].split("/.default")[0], client)
        return Said.json({"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"})

    def token(self, resource: str, who: str, lifetime: int | None = None) -> tuple[str, int]:
        """A token for a resource, and when it expires."""
        now = int(time.time())
        expires = now + (self.lifetime if lifetime is None else lifetime)
        issuer = f"https://sts.windows.net/{TENANT}/"
        # Of now and a bit: Azurite's clock is that of the moment when the request came.
        claims = {
            "aud": resource,
            "iss": issuer,
            "iat": now - 5,
            "nbf": now - 5,
            "exp": expires,
            "oid": who,
            "tid": TENANT,
        }
        token = ".".join([_part({"alg": "RS256", "typ": "JWT"}), _part(claims), secrets.token_urlsafe(32)])
        self.issued[resource] += 1
        self.tokens.append(token)
        return token, expires


def claims(authorization: str | None) -> dict[str, object]:
    """What a bearer token says; nothing when there is none."""
    parts = (authorization or "").removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return {}
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
    return found


def _part(said: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
