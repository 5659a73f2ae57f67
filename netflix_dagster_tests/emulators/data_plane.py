"""Storage, Key Vault, Log Analytics and Application Insights, as far as they let somebody in: each request needs a data
action, and each role of Azure holds some, on a thing and on all below it.

``HOLDS`` are the definitions of Azure's built-in roles (https://learn.microsoft.com/azure/role-based-access-control/
built-in-roles), ``NEEDS`` what each operation asks for (https://learn.microsoft.com/rest/api/storageservices/
authorize-with-azure-active-directory). Several sets of actions are ways to the same right: one of them is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from netflix_dagster_tests.emulators.directory import SCOPES, Directory
from netflix_dagster_tests.emulators.entra import claims
from netflix_dagster_tests.emulators.serving import Asked, Said

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_MESSAGES = "Microsoft.Storage/storageAccounts/queueServices/queues/messages"
_SECRETS = "Microsoft.KeyVault/vaults/secrets"
HOLDS = {
    "Storage Blob Data Reader": (f"{_BLOBS}/read",),
    "Storage Blob Data Contributor": (
        *(f"{_BLOBS}/{action}" for action in ("read", "write", "delete", "move/action", "add/action")),
    ),
    "Storage Queue Data Reader": (f"{_MESSAGES}/read",),
    "Storage Queue Data Contributor": (
        *(f"{_MESSAGES}/{action}" for action in ("read", "write", "delete", "process/action")),
    ),
    "Storage Queue Data Message Sender": (f"{_MESSAGES}/add/action",),
    "Key Vault Secrets User": (f"{_SECRETS}/getSecret/action", f"{_SECRETS}/readMetadata/action"),
    "Key Vault Secrets Officer": (f"{_SECRETS}/*",),
    "Log Analytics Reader": ("*/read", "Microsoft.OperationalInsights/workspaces/analytics/query/action"),
    "Monitoring Metrics Publisher": ("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
}
NEEDS: dict[tuple[str, str], list[set[str]]] = {
    ("GET", "container"): [{f"{_BLOBS}/read"}],
    ("PUT", "container"): [{f"{_BLOBS}/write"}, {f"{_BLOBS}/add/action"}],
    ("DELETE", "container"): [{f"{_BLOBS}/delete"}],
    ("GET", "queue"): [{f"{_MESSAGES}/read"}],  # peek
    ("POST", "queue"): [{f"{_MESSAGES}/add/action"}, {f"{_MESSAGES}/write"}],
    ("DELETE", "queue"): [{f"{_MESSAGES}/process/action"}, {f"{_MESSAGES}/delete"}],
    ("GET", "vault"): [{f"{_SECRETS}/getSecret/action"}],
    ("PUT", "vault"): [{f"{_SECRETS}/setSecret/action"}],
    ("POST", "logs"): [{"Microsoft.OperationalInsights/workspaces/analytics/query/action"}],
    ("POST", "telemetry"): [{"Microsoft.Insights/Telemetry/Write"}],
}


class DataPlane:
    """Answers ``METHOD /<kind>/<name>`` with what the service says: 200, or 403 when no role allows it."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def answer(self, asked: Asked) -> Said:
        who = str(claims(asked.headers.get("Authorization")).get("oid", ""))
        _, kind, name = asked.path.split("/")
        ways = NEEDS.get((asked.method, kind))
        if ways is None:
            return Said.json({"error": {"code": "UnsupportedHttpVerb"}}, 405)
        scope = SCOPES[kind] + (name if kind in ("container", "queue") else "")
        held = list(self._held(who, scope))
        if any(all(any(fnmatchcase(one, got) for got in held) for one in way) for way in ways):
            return Said.json({})
        return Said.json({"error": {"code": "AuthorizationPermissionMismatch"}}, 403)

    def _held(self, who: str, scope: str) -> Iterator[str]:
        for name, role, on in self.directory.held:
            if name == who and f"{scope}/".startswith(f"{on}/"):
                yield from HOLDS.get(role, ())
