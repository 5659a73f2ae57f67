"""What the workspace lets the one who asks do. A right that is taken away is refused as Databricks refuses it.

The statuses and error codes are those of "Errors" in the REST reference; the sentences are near to the real ones.
Rights of Unity Catalog follow "Unity Catalog privileges and securable objects": without USE CATALOG nothing below a
catalog is seen, and a file of a volume needs READ VOLUME or WRITE VOLUME on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import Refused

ME = "4c1d2a9e-0000-4000-8000-0000000000aa"
"""Who asks: a service principal, by its application id."""
ACCESS, ATTACH, SCOPE, SERVERLESS = "workspace access", "attach", "read scope", "serverless"
CREDENTIAL = "access credential"
"""``ACCESS`` on service credentials."""


@dataclass
class Rights:
    """``lacking`` are rights of the workspace that are taken away; ``granted`` those of Unity Catalog, by kind and full
    name of a thing, None while nobody asks for them: then all files can be read and written."""

    lacking: set[str] = field(default_factory=set)
    granted: dict[tuple[str, str], set[str]] | None = None
    groups: tuple[str, ...] = ()
    of_all: dict[tuple[str, str], dict[str, set[str]]] | None = None
    """What everybody was granted directly, by kind and full name of a thing: a thing that is not here does not exist.
    None while who asks may not know."""

    def judge(self, method: str, path: str, said: dict[str, Any]) -> None:
        """Raise the refusal that a request deserves."""
        if ACCESS in self.lacking:
            raise Refused(
                403, "PERMISSION_DENIED", "This API is disabled for users without the workspace-access entitlement."
            )
        if path.endswith("/jobs/runs/submit"):
            for task in said.get("tasks") or []:
                if task.get("existing_cluster_id") and ATTACH in self.lacking:
                    raise _denied(f"{ME} does not have Attach permissions on {task['existing_cluster_id']}.")
                if task.get("environment_key") and SERVERLESS in self.lacking:
                    raise _denied("Serverless compute for workflows is not enabled for this workspace.")
        if path.endswith("/clusters/get") and ATTACH in self.lacking:
            raise _denied(f"{ME} does not have Attach permissions on {said.get('cluster_id')}.")
        if "/secrets/" in path and SCOPE in self.lacking:
            raise _denied(f"User {ME} does not have READ permission on scope {said.get('scope')}.")
        if path.endswith("/temporary-service-credentials") and CREDENTIAL in self.lacking:
            raise _denied(f"User does not have ACCESS on Service Credential '{said.get('credential_name')}'.")
        if "/fs/" in path and "/Volumes/" in path:
            volume = ".".join(path.partition("/Volumes/")[2].split("/")[:3])
            self._files("READ_VOLUME" if method in ("GET", "HEAD") else "WRITE_VOLUME", volume)

    def effective(self, kind: str, name: str, principal: str) -> dict[str, Any]:
        """``GET /unity-catalog/effective-permissions``: of one principal, not of its groups."""
        catalog = name.partition(".")[0]
        if kind != "external_location" and "USE_CATALOG" not in self.of("catalog", catalog) and kind != "catalog":
            raise _denied(f"User does not have USE CATALOG on Catalog '{catalog}'.")
        held = self.of(kind, name) if principal == (self.groups[0] if self.groups else ME) else set()
        privileges = [{"privilege": right} for right in sorted(held)]
        return {"privilege_assignments": [{"principal": principal, "privileges": privileges}] if held else []}

    def permissions(self, kind: str, name: str) -> dict[str, Any]:
        """``GET /unity-catalog/permissions``: who was granted what on a thing itself."""
        if self.of_all is None:
            raise _denied(f"User does not have MANAGE on {kind} '{name}'.")
        if (kind, name) not in self.of_all:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"{kind} '{name}' does not exist.")
        held = {who: sorted(rights) for who, rights in self.of_all[kind, name].items() if rights}
        return {"privilege_assignments": [{"principal": who, "privileges": rights} for who, rights in held.items()]}

    def of(self, kind: str, name: str) -> set[str]:
        return (self.granted or {}).get((kind, name), set())

    def _files(self, right: str, volume: str) -> None:
        if self.granted is None:
            return
        if right not in self.of("volume", volume):
            raise _denied(f"User does not have {right.replace('_', ' ')} on Volume '{volume}'.")


def _denied(message: str) -> Refused:
    return Refused(403, "PERMISSION_DENIED", message)
