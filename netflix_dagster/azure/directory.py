"""What Azure says of rights: role assignments of a resource group, from Resource Manager, and the names of those who
hold them, from Microsoft Graph. It only reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from netflix_dagster.azure import identity

ARM, GRAPH = "https://management.azure.com", "https://graph.microsoft.com"
_TOGETHER = 1000
"""Of so many objects Graph gives the names at once."""


class DirectoryError(RuntimeError):
    """Azure did not answer a question; ``status_code`` is that of its answer."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class Held:
    """A role that somebody holds: ``role`` is the id of its definition, ``scope`` the id of what it is on."""

    id: str
    role: str
    scope: str
    who: str


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log in to an application."""

    id: str
    name: str


def assignments(group: str) -> list[Held]:
    """Every role that somebody holds in a resource group, said by its id: on it, on a part of it, or above it."""
    url = f"{ARM}{group}/providers/Microsoft.Authorization/roleAssignments"
    found = []
    for one in _all(f"{url}?api-version=2022-04-01", ARM):
        said = one["properties"]
        role = said["roleDefinitionId"].rpartition("/")[2]
        found.append(Held(one["id"], role, said["scope"], said["principalId"]))
    return found


def names(ids: Iterable[str]) -> dict[str, str]:
    """The names of groups, people and identities by their object ids; one that was deleted has none."""
    wanted, found = sorted(set(ids)), {}
    for first in range(0, len(wanted), _TOGETHER):
        body = {"ids": wanted[first : first + _TOGETHER], "types": ["group", "servicePrincipal", "user"]}
        for one in _asked("POST", f"{GRAPH}/v1.0/directoryObjects/getByIds", GRAPH, body)["value"]:
            found[one["id"]] = one["displayName"]
    return found


def application(name: str) -> str | None:
    """The object id of the service principal of an application, None when there is none."""
    found = list(_all(f"{GRAPH}/v1.0/servicePrincipals?$filter=displayName eq '{name}'", GRAPH))
    return found[0]["id"] if found else None


def logins(application_id: str) -> list[Login]:
    """Who is assigned to an application."""
    url = f"{GRAPH}/v1.0/servicePrincipals/{application_id}/appRoleAssignedTo"
    return [Login(one["id"], one["principalDisplayName"]) for one in _all(url, GRAPH)]


def _all(url: str, service: str) -> Iterator[dict[str, Any]]:
    """Every item of a list, page by page."""
    following: str | None = url
    while following:
        said = _asked("GET", following, service)
        yield from said["value"]
        following = said.get("nextLink") or said.get("@odata.nextLink")


def _asked(method: str, url: str, service: str, body: Any = None) -> dict[str, Any]:
    import httpx

    token = identity.token(f"{service}/.default").token
    answer = httpx.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    if answer.status_code != 200:
        raise DirectoryError(f"{service} answers {answer.status_code}: {answer.text[:300]}", answer.status_code)
    said: dict[str, Any] = answer.json()
    return said
