"""Azure Resource Manager and Microsoft Graph, as far as they tell who holds which role and who may log in.

Pages hold ``page`` items. A request without a token for the service, or without a version, is refused as documented
("Role Assignments - List For Scope", "List appRoleAssignments granted for a service principal").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from netflix_dagster.azure.rights import ROLES
from netflix_dagster_tests.emulators.entra import claims
from netflix_dagster_tests.emulators.serving import Asked, Said

SUBSCRIPTION, GROUP = "00000000-0000-0000-0000-00000000000a", "rg-netflix-dev-weu"
RESOURCES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
ACCOUNT = f"{RESOURCES}/Microsoft.Storage/storageAccounts/stacmenetflixdev"
SCOPES = {
    "container": f"{ACCOUNT}/blobServices/default/containers/",
    "queue": f"{ACCOUNT}/queueServices/default/queues/",
    "vault": f"{RESOURCES}/Microsoft.KeyVault/vaults/kv-acme-netflix-dev",
    "logs": f"{RESOURCES}/Microsoft.OperationalInsights/workspaces/log-netflix-dev-weu",
    "telemetry": f"{RESOURCES}/microsoft.insights/components/appi-netflix-dev-weu",
}


def object_id(name: str) -> str:
    return str(uuid5(NAMESPACE_DNS, name))


@dataclass
class Directory:
    """``held`` are role assignments (who, role, scope); ``logins`` who may log in, by application."""

    held: list[tuple[str, str, str]] = field(default_factory=list)
    logins: dict[str, list[str]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    """Services that refuse: ``management.azure.com``, ``graph.microsoft.com``."""
    page: int = 20
    url: str = ""

    def gives(self, who: str, role: str, kind: str, name: str = "") -> None:
        self.held.append((who, role, SCOPES[kind] + (name if kind in ("container", "queue") else "")))

    def answer(self, asked: Asked) -> Said:
        service = "management.azure.com" if asked.path.startswith("/subscriptions/") else "graph.microsoft.com"
        if claims(asked.headers.get("Authorization")).get("aud") != f"https://{service}":
            return Said.json({"error": {"code": "InvalidAuthenticationToken"}}, 401)
        if service in self.forbidden:
            return Said.json({"error": {"code": "AuthorizationFailed"}}, 403)
        if asked.path.endswith("/roleAssignments"):
            if "api-version" not in asked.query:
                return Said.json({"error": {"code": "MissingApiVersionParameter"}}, 400)
            return self._page(asked, [self._assignment(*one) for one in self.held], "nextLink")
        if asked.path == "/v1.0/directoryObjects/getByIds" and asked.method == "POST":
            wanted = json.loads(asked.body)["ids"]
            known = {object_id(name): name for name in self._everybody()}
            return Said.json({"value": [{"id": one, "displayName": known[one]} for one in wanted if one in known]})
        if asked.path == "/v1.0/servicePrincipals":
            name = asked.query["$filter"].removeprefix("displayName eq '").removesuffix("'")
            return Said.json({"value": [{"id": object_id(name)}] if name in self.logins else []})
        if asked.path.endswith("/appRoleAssignedTo"):
            (name,) = [one for one in self.logins if object_id(one) in asked.path]
            people = [{"id": f"login-{who}", "principalDisplayName": who} for who in self.logins[name]]
            return self._page(asked, people, "@odata.nextLink")
        return Said.json({"error": {"code": "NotFound"}}, 404)

    def _everybody(self) -> Iterable[str]:
        return {who for who, _, _ in self.held if not who.startswith("deleted")}

    def _assignment(self, who: str, role: str, scope: str) -> Mapping[str, Any]:
        definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/"
        name = object_id(f"{who} {role} {scope}")
        return {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "properties": {
                "roleDefinitionId": definition + ROLES.get(role, role),
                "principalId": object_id(who),
                "scope": scope,
            },
        }

    def _page(self, asked: Asked, items: list[Any], following: str) -> Said:
        first = int(asked.query.get("$skiptoken", "0"))
        said: dict[str, Any] = {"value": items[first : first + self.page]}
        if first + self.page < len(items):
            said[following] = f"{self.url}{asked.path}?api-version=x&$skiptoken={first + self.page}"
        return Said.json(said)
