"""``verify access``: whether each system lets in whom ``infra/access.yaml`` names, and nobody else. It only reads.

Compared are the systems that the settings name: role assignments of Azure and the logins of Dagster, the grants of
Unity Catalog, roles and grants of Synapse, the members of Power BI's workspace. What is missing and what is surplus is
told with the command that mends it. Rights on other things, and those of whom a deployment is, are not looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from netflix_dagster.azure import directory, rights
from netflix_dagster.databricks.jobs import DatabricksSettings, workspace
from netflix_dagster.serving.powerbi import service
from netflix_dagster.settings import Settings
from netflix_dagster.verify import unity
from netflix_dagster.verify.identity import WHO
from netflix_dagster.verify.identity import step as who
from netflix_dagster.verify.steps import Grant, Lacking, Step, Target, Trial

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

GROUP = "NETFLIX_RESOURCE_GROUP"
"""The variable that names the resource group of a stack: ``/subscriptions/.../resourceGroups/...``."""
ROLES, LOGINS, CATALOG, POOL, POWERBI = (
    "roles of Azure",
    "logins of Dagster",
    "grants of Unity Catalog",
    "roles of Synapse",
    "members of Power BI",
)
WIDER = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Message Processor": "8a0f0c08-91a1-4084-bc3d-661d67233fed",
    "Key Vault Administrator": "00482a5a-887f-4fb3-b363-3b7fe8e74483",
}
"""Roles that the file never gives, and that open what it is about."""
DOORS: dict[str, Literal["launch", "view"]] = {"webserver": "launch", "viewer": "view"}
"""The applications of Dagster, and what one may do behind each."""
_NAMES = {id: name for name, id in {**rights.ROLES, **WIDER}.items()}
_THINGS = {
    "container": r"/blobServices/default/containers/([^/]+)$",
    "queue": r"/queueServices/default/queues/([^/]+)$",
    "vault": r"/Microsoft\.KeyVault/vaults/[^/]+$",
    "logs": r"/Microsoft\.OperationalInsights/workspaces/[^/]+$",
    "telemetry": r"/Microsoft\.Insights/components/[^/]+$",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a system says otherwise than the file, and the command that mends it."""

    what: str
    command: str


def lacks(settings: Settings) -> str | None:
    if any(compare for _, compare in _systems(settings)):
        return None
    return (
        f"no system to compare with infra/access.yaml: set {GROUP} to the id of a resource group,"
        " NETFLIX_DATABRICKS_CATALOG, NETFLIX_SYNAPSE or NETFLIX_POWERBI_WORKSPACE"
    )


def cost(settings: Settings) -> str:
    there = [name for name, compare in _systems(settings) if compare]
    return f"requests only, to compare {', '.join(there)}"


def steps(trial: Trial) -> Iterator[Step]:
    asked = dict(_systems(trial.settings))
    if asked[ROLES]:
        yield who(trial, f"{directory.ARM}/.default")
    for name, compare in asked.items():
        if compare:
            after = (WHO,) if name in (ROLES, LOGINS) else ()
            yield Step(name, partial(_compared, compare), partial(_reader, trial, name), after)


def _systems(settings: Settings) -> list[tuple[str, Callable[[], tuple[int, list[Fault]]] | None]]:
    """Each system, and how it is compared; None where the settings do not name it. A comparison returns how much it
    looked at, and the faults."""
    access = rights.load()
    group = os.environ.get(GROUP)
    catalog = DatabricksSettings().catalog
    return [
        (ROLES, partial(_roles, access, group) if group else None),
        (LOGINS, partial(_logins, access, group.rpartition("/")[2]) if group else None),
        (CATALOG, partial(_grants, access, settings, catalog) if catalog else None),
        (POOL, partial(_pool, settings) if settings.synapse else None),
        (POWERBI, partial(_members, access, settings.powerbi_workspace) if settings.powerbi_workspace else None),
    ]


def _compared(compare: Callable[[], tuple[int, list[Fault]]]) -> str:
    looked_at, faults = compare()
    if faults:
        raise Lacking(
            f"{len(faults)} rights are not as infra/access.yaml says: {'; '.join(fault.what for fault in faults)}",
            Grant(
                "; ".join(fault.what for fault in faults), "\n".join(dict.fromkeys(fault.command for fault in faults))
            ),
        )
    return f"{looked_at} rights, each as infra/access.yaml says"


def _reader(trial: Trial, system: str) -> Grant:
    """What this identity needs to ask a system."""
    match system:
        case "roles of Azure":
            return Grant(
                "Reader on the resource group; Directory Readers in Entra",
                f"az role assignment create --assignee {trial.who} --role Reader --scope ${GROUP}",
            )
        case "logins of Dagster":
            return Grant("Directory Readers in Entra", "the role is given in Entra: Roles and administrators")
        case "grants of Unity Catalog":
            return Grant(
                "MANAGE on the catalog, its volumes and locations", "GRANT MANAGE ON CATALOG `netflix` TO `<you>`"
            )
        case "roles of Synapse":
            return Grant("administrator of SQL in the Synapse workspace", "az synapse sql ad-admin create")
    return Grant("member of the workspace of Power BI", "add this identity to the workspace, as Admin or Member")


# Azure


def _roles(access: rights.Access, group_id: str) -> tuple[int, list[Fault]]:
    held = [one for one in directory.assignments(group_id) if one.role in _NAMES]
    group = group_id.rpartition("/")[2]
    names = directory.names(one.who for one in held)
    called = {principal: _pattern(access, principal, group) for principal in access.principals}
    wanted = {(said.principal, said.role, said.kind, said.name) for said in rights.assignments(access)}
    found, faults = set(), []
    for one in held:
        name = names.get(one.who, f"somebody who was deleted ({one.who})")
        principal = next((key for key, pattern in called.items() if fnmatchcase(name, pattern)), name)
        kind, thing = _thing(one.scope)
        right = (principal, _NAMES[one.role], kind, thing)
        found.add(right)
        if right not in wanted:
            command = f"az role assignment delete --ids {one.id}"
            faults.append(Fault(f"{name} has {right[1]} on {_said(kind, thing)}, surplus", command))
    for principal, role, kind, thing in sorted(wanted - found):
        of = access.groups().get(principal)
        lookup = f"az ad group show --group {of}" if of else f"az ad sp list --display-name '{called[principal]}'"
        at = f"az ad group show --group {of} --query id" if of else f"{lookup} --query '[0].id'"
        kind_of = "Group" if of else "ServicePrincipal"
        command = (
            f'az role assignment create --assignee-object-id "$({at} --output tsv)" --assignee-principal-type {kind_of}'
            f" --role '{role}' --scope {_scope(kind, thing, group)}"
        )
        faults.append(Fault(f"{of or called[principal]} lacks {role} on {_said(kind, thing)}", command))
    return len(found), faults


def _pattern(access: rights.Access, principal: str, group: str) -> str:
    """What Entra calls a principal in the stack of a resource group: ``rg-netflix-dev-weu``."""
    said = access.principals[principal]
    if said.group:
        return said.group
    _, _, stack, region = group.split("-") if group.count("-") == 3 else ("", "", "*", "*")
    return str(said.identity).format(stack=stack, region=region)


def _thing(scope: str) -> tuple[str, str]:
    """What a scope is to the file; a scope that it never names stands for itself."""
    for kind, pattern in _THINGS.items():
        if found := re.search(pattern, scope, re.IGNORECASE):
            return kind, found[1] if found.groups() else kind
    return "scope", scope


def _said(kind: str, thing: str) -> str:
    return f"the {kind} {thing}" if thing != kind else f"the {kind}"


def _scope(kind: str, thing: str, group: str) -> str:
    below = {
        "container": f"/blobServices/default/containers/{thing}",
        "queue": f"/queueServices/default/queues/{thing}",
    }.get(kind, "")
    what = {
        "vault": "keyvault",
        "logs": "monitor log-analytics workspace",
        "telemetry": "monitor app-insights component",
    }.get(kind, "storage account")
    shown = "show" if kind == "telemetry" else "list"
    return f"\"$(az {what} {shown} --resource-group {group} --query '[0].id' --output tsv){below}\""


def _logins(access: rights.Access, group: str) -> tuple[int, list[Fault]]:
    groups, faults, seen = access.groups(), [], 0
    graph = f"{directory.GRAPH}/v1.0/servicePrincipals"
    for door, right in DOORS.items():
        name = group.replace("rg-netflix", f"dagster-netflix-{door}", 1)
        there = directory.application(name)
        if there is None:
            faults.append(Fault(f"there is no application {name}", "infra/deploy.sh up STACK"))
            continue
        wanted = {groups[who] for who in access.logins(right)}
        found = directory.logins(there)
        seen += len(found)
        for one in found:
            if one.name not in wanted:
                command = f"az rest --method delete --url {graph}/{there}/appRoleAssignedTo/{one.id}"
                faults.append(Fault(f"{one.name} may log in to {name}, surplus", command))
        for missing in sorted(wanted - {one.name for one in found}):
            body = f'{{"principalId": "\'$(az ad group show --group {missing} --query id --output tsv)\'"'
            body += f', "resourceId": "{there}", "appRoleId": "00000000-0000-0000-0000-000000000000"}}'
            command = f"az rest --method post --url {graph}/{there}/appRoleAssignedTo --body '{body}'"
            faults.append(Fault(f"{missing} may not log in to {name}", command))
    return seen, faults


# Unity Catalog


def _grants(access: rights.Access, settings: Settings, catalog: str) -> tuple[int, list[Fault]]:
    client = workspace(DatabricksSettings())
    groups, faults, seen = access.groups(), [], 0
    wanted: dict[tuple[str, str], dict[str, set[str]]] = {}
    locations = _locations(client, settings)
    credential = DatabricksSettings().service_credential
    for said in rights.grants(access):
        if said.kind == "credential" and not credential:
            continue  # another stack's may be called anything
        its_own = {"external_location": locations.get(said.name, said.name), "credential": credential}
        full = its_own.get(said.kind) or _full(catalog, said)
        name = groups.get(said.principal, _SERVICE)
        wanted.setdefault((said.kind, full), {}).setdefault(name, set()).update(said.privileges)
    for layer in rights.LAYERS:
        for table in client.tables.list(catalog, layer):
            wanted.setdefault(("table", str(table.full_name)), {})
    for (kind, full), by_name in wanted.items():
        found = _held(client, kind, full)
        seen += sum(map(len, found.values()))
        for name in sorted({*by_name, *found}):
            lacking, surplus = (
                by_name.get(name, set()) - found.get(name, set()),
                found.get(name, set()) - by_name.get(name, set()),
            )
            for verb, joins, those in (("GRANT", "TO", lacking), ("REVOKE", "FROM", surplus)):
                if those:
                    words = ", ".join(sorted(right.replace("_", " ") for right in those))
                    what = "service credential" if kind == "credential" else kind.replace("_", " ")
                    on = f"{what.upper()} {'.'.join(f'`{part}`' for part in full.split('.'))}"
                    has = "lacks" if verb == "GRANT" else "has, surplus,"
                    command = f"{verb} {words} ON {on} {joins} `{name}`"
                    faults.append(Fault(f"{name} {has} {words} on the {what} {full}", command))
    return seen, faults


_SERVICE = "<application id of the jobs>"
"""Unity Catalog calls a service principal by its application id, of which the file knows nothing. There is one."""


def _held(client: WorkspaceClient, kind: str, full: str) -> dict[str, set[str]]:
    from databricks.sdk.errors import NotFound

    try:
        said: Any = client.grants.get(kind, full)
    except NotFound:
        return {}
    found: dict[str, set[str]] = {}
    for one in said.privilege_assignments or []:
        name = _SERVICE if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one.principal) else one.principal
        found.setdefault(name, set()).update(right.value for right in one.privileges or [] if right)
    return found


def _locations(client: WorkspaceClient, settings: Settings) -> dict[str, str]:
    """The external location over each zone, whatever it is called."""
    places = unity.places(settings)
    return {
        zone: str(location.name)
        for location in client.external_locations.list()
        for zone, place in places.items()
        if unity.holds(location.url, place)
    }


def _full(catalog: str, said: rights.Grant) -> str:
    if said.kind == "catalog":
        return catalog
    return f"{catalog}.landing.{said.name}" if said.kind == "volume" else f"{catalog}.{said.name}"


# Synapse and Power BI


def _pool(settings: Settings) -> tuple[int, list[Fault]]:
    from netflix_dagster.serving.synapse import applying

    said = applying.plan(settings)
    of_rights = [step for step in said.steps if step.what.kind in ("role", "user", "member", "grant")]
    words = {"make": "is missing", "change": "is not as it should be", "drop": "is surplus"}
    faults = [
        Fault(f"the {step.what.kind} {step.what.name} {words[step.do]}", "netflix-dagster synapse apply")
        for step in of_rights
    ]
    return said.unchanged, faults


def _members(access: rights.Access, workspace_id: str) -> tuple[int, list[Fault]]:
    members = service.opened(workspace_id).members()
    return len(members), list(workspace_faults(access, members, workspace_id))


def workspace_faults(
    access: rights.Access, members: Iterable[service.Member], workspace_id: str = "WORKSPACE"
) -> Iterator[Fault]:
    """What a workspace of Power BI says otherwise than the file.

    Groups are known by their names. The name of an identity differs between stacks: of these it is only seen that there
    are no fewer than the file has, and none with a role that the file gives no service.
    """
    groups, roles = access.groups(), rights.workspace_roles(access)
    wanted = {groups[name]: role for name, role in roles.items() if name in groups}
    of_services = [role for name, role in roles.items() if name not in groups]
    there = list(members)
    users = f"--url {service.ROOT}/groups/{workspace_id}/users"
    rest = "az rest --resource https://analysis.windows.net/powerbi/api"

    def let_in(method: str, lookup: str, kind: str, role: str) -> str:
        body = f'{{"identifier": "\'$({lookup} --output tsv)\'", "principalType": "{kind}"'
        return f'{rest} --method {method} {users} --body \'{body}, "groupUserAccessRight": "{role}"}}\''

    for group, role in wanted.items():
        found = [one.role for one in there if (one.kind, one.name) == ("Group", group)]
        if found != [role]:
            lookup = f"az ad group show --group {group} --query id"
            yield Fault(
                f"the group {group} is {' and '.join(found) or 'not there'}: make it {role}",
                let_in("put" if found else "post", lookup, "Group", role),
            )
    for one in there:
        known = "App" if one.kind == "App" else one.kind.lower()
        lookup = {
            "App": f"az ad sp list --display-name '{one.name}' --query '[0].id'",
            "Group": f"az ad group show --group '{one.name}' --query id",
        }.get(one.kind, f"az ad user list --display-name '{one.name}' --query '[0].id'")
        out = f'{rest} --method delete {users}/"$({lookup} --output tsv)"'
        if one.kind == "App" and one.role not in of_services:
            what = f"the application {one.name} is {one.role}, which infra/access.yaml gives no service: remove it"
            yield Fault(what, out)
        elif one.kind != "App" and (one.kind, one.name) not in {("Group", group) for group in wanted}:
            yield Fault(f"{known} {one.name} is {one.role}, of whom infra/access.yaml says nothing: remove it", out)
    for role in dict.fromkeys(of_services):
        found = [one.name for one in there if (one.kind, one.role) == ("App", role)]
        if len(found) < of_services.count(role):
            names = [name for name, given in roles.items() if name not in groups and given == role]
            yield Fault(
                f"{len(found)} applications are {role}: the identity of {' and '.join(names)} has to be",
                let_in("post", "az ad sp list --display-name IDENTITY --query '[0].id'", "App", role),
            )


TARGET = Target("access", "who may do what, in each system, against infra/access.yaml", cost, lacks, steps)
