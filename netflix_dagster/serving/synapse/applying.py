"""Brings the database of the serverless pool up to the scripts.

What there is, is read from the catalog of the database itself; no other record is kept, so nothing done by hand goes
unseen. A view says in its text which script made it. What the scripts do not name is taken away: views that were made
here, roles, members and rights. Each object can be made again, so that a run that broke off is simply run again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.lake import store
from netflix_dagster.serving.synapse import scripts
from netflix_dagster.serving.synapse.server import Server, SynapseError, connected
from netflix_dagster.serving.synapse.serverless import DATABASE, FOLDER, METRIC, SCHEMAS, Kind, Object, with_values
from netflix_dagster.settings import Settings

Do = Literal["make", "change", "drop"]
Open = Callable[[str], AbstractContextManager[Server]]
"""Opens a database of the pool by its name."""

_MADE = re.compile(r"/\* made ([0-9a-f]{12}) \*/")
_CLASSES = {0: "", 1: " ON OBJECT::", 3: " ON SCHEMA::", 32: " ON DATABASE SCOPED CREDENTIAL::"}
"""Of ``sys.database_permissions``."""
_DROPS: tuple[Kind, ...] = ("grant", "member", "view", "user", "role", "data source", "credential")
"""What is taken away when no script names it, in this order."""
_AGAIN: tuple[Kind, ...] = ("data source", "credential")
"""What has to be taken away to be made otherwise."""
_GOLD = [name for name, table in TABLES.items() if table.layer == "gold"]
_SELECT = "SELECT ON OBJECT::"

DATABASES = "SELECT name, collation_name FROM sys.databases"
CATALOG: dict[Kind, str] = {
    "master key": "SELECT name, '' FROM sys.symmetric_keys",
    "credential": "SELECT name, credential_identity FROM sys.database_scoped_credentials",
    "data source": "SELECT name, location FROM sys.external_data_sources",
    "schema": "SELECT name, '' FROM sys.schemas",
    "view": (
        "SELECT s.name, o.name, m.definition FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
        " JOIN sys.sql_modules AS m ON m.object_id = o.object_id WHERE o.type = 'V'"
    ),
    "role": (
        "SELECT name, '' FROM sys.database_principals WHERE type = 'R' AND is_fixed_role = 0 AND name <> 'public'"
    ),
    "user": "SELECT name, '' FROM sys.database_principals WHERE type IN ('E', 'X')",
    "member": (
        "SELECT u.name, r.name FROM sys.database_role_members AS m"
        " JOIN sys.database_principals AS u ON u.principal_id = m.member_principal_id"
        " JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id WHERE r.is_fixed_role = 0"
    ),
    "grant": (
        "SELECT p.permission_name, p.class, s.name, os.name, o.name, c.name, g.name"
        " FROM sys.database_permissions AS p"
        " JOIN sys.database_principals AS g ON g.principal_id = p.grantee_principal_id"
        " LEFT JOIN sys.schemas AS s ON p.class = 3 AND s.schema_id = p.major_id"
        " LEFT JOIN sys.objects AS o ON p.class = 1 AND o.object_id = p.major_id"
        " LEFT JOIN sys.schemas AS os ON os.schema_id = o.schema_id"
        " LEFT JOIN sys.database_scoped_credentials AS c ON p.class = 32 AND c.credential_id = p.major_id"
        " WHERE g.type IN ('R', 'E', 'X') AND g.name <> 'public' AND p.permission_name <> 'CONNECT'"
    ),
}
"""What a database has. Each query asks for columns as they are: texts of the catalog and names have other collations,
and cannot be put together there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done, and why; ``script`` is the file that says so."""

    do: Do
    what: Object
    script: str = ""

    def __str__(self) -> str:
        return f"{self.do} {self.what.kind} {self.what.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order, and how many objects are as they should be."""

    steps: tuple[Step, ...]
    unchanged: int


def of(settings: Settings) -> Open:
    """The pool that the settings name."""
    if settings.synapse is None:
        raise SynapseError("NETFLIX_SYNAPSE is not set: the endpoint, NAME-ondemand.sql.azuresynapse.net")
    endpoint = settings.synapse
    return lambda database: connected(endpoint, database, settings.tenant)


def wanted(settings: Settings) -> list[tuple[str, Object]]:
    """The objects of the scripts, with the names that things have in this environment. What reads a table that the lake
    does not have yet is left out: a lake may have one feed only."""
    lacking = {name for name, version in store.versions(settings.lake, _GOLD).items() if version is None}
    lacking |= {f"{METRIC}.{metric.name}" for metric in METRICS.values() if metric.fact in lacking}
    folder = str(store.folder(settings.lake, "gold.dim_title")).rpartition("/")[0]
    values = {DATABASE[2:-1]: settings.synapse_database, FOLDER[2:-1]: folder}
    return [
        (script, with_values(found, values))
        for script, found in scripts.read()
        if found.name.removeprefix(_SELECT).partition(" TO ")[0] not in lacking
    ]


def plan(settings: Settings, pool: Open | None = None) -> Plan:
    """What ``apply`` would do. It only reads."""
    pool = pool or of(settings)
    objects = wanted(settings)
    with pool("master") as master:
        known = dict(master.rows(DATABASES))
    there: dict[Kind, dict[str, str]] = {"database": known}
    if settings.synapse_database in known:
        with pool(settings.synapse_database) as server:
            there |= {kind: dict(_named(kind, server.rows(query))) for kind, query in CATALOG.items()}
    steps = list(_to_make(objects, there))
    if wrong := [step for step in steps if step.do == "change" and step.what.kind == "database"]:
        raise SynapseError(
            f"the database {wrong[0].what.name} has the collation {known[wrong[0].what.name]}, not"
            f" {wrong[0].what.mark}, and keeps it. Nothing was changed. Name another with NETFLIX_SYNAPSE_DATABASE, or"
            " drop this one"
        )
    return Plan((*steps, *_to_drop(objects, there)), len(objects) - len(steps))


def apply(settings: Settings, pool: Open | None = None) -> Plan:
    """Do what ``plan`` says; returns that. Raises ``SynapseError`` at the first object that Synapse refuses."""
    pool = pool or of(settings)
    said = plan(settings, pool)
    database = [step for step in said.steps if step.what.kind == "database"]
    rest = [step for step in said.steps if step.what.kind != "database"]
    for name, steps in (("master", database), (settings.synapse_database, rest)):
        if steps:
            with pool(name) as server:
                for nth, step in enumerate(steps):
                    _do(server, step, f"{nth} of {len(steps)} steps before it hold")
    return said


def _do(server: Server, step: Step, done: str) -> None:
    try:
        if step.do == "drop" or (step.do == "change" and step.what.kind in _AGAIN):
            server.run(step.what.undo)
        if step.do != "drop":
            server.run(step.what.make)
    except SynapseError as error:
        raise SynapseError(
            f"Synapse refused to {step}{f' ({step.script})' if step.script else ''}: {error}. No data was touched;"
            f" {done}. See what this identity may do there, or mend what the script is made from; then apply again"
        ) from error


def _to_make(objects: Sequence[tuple[str, Object]], there: Mapping[Kind, Mapping[str, str]]) -> Iterator[Step]:
    for script, found in objects:
        known = there.get(found.kind, {})
        if found.name not in known:
            yield Step("make", found, script)
        elif known[found.name] != found.mark:
            yield Step("change", found, script)


def _to_drop(objects: Sequence[tuple[str, Object]], there: Mapping[Kind, Mapping[str, str]]) -> Iterator[Step]:
    named = {(found.kind, found.name) for _, found in objects}
    for kind in _DROPS:
        for name, mark in sorted(there.get(kind, {}).items()):
            if (kind, name) in named or (kind == "view" and not (mark and name.partition(".")[0] in SCHEMAS)):
                continue
            yield Step("drop", Object(kind, name, ""))


def _named(kind: Kind, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, str]]:
    """What a query of the catalog found, by the names that scripts use, with what marks each."""
    for row in rows:
        match kind:
            case "view":
                schema, name, definition = row
                made = _MADE.search(definition or "")
                yield f"{schema}.{name}", made[1] if made else ""
            case "member":
                yield f"{row[0]} of {row[1]}", ""
            case "grant":
                right, of_class, schema, object_schema, name, credential, role = row
                on = {1: f"{object_schema}.{name}", 3: schema, 32: credential}.get(of_class, "")
                yield f"{right}{_CLASSES.get(of_class, f' ON CLASS {of_class}::')}{on} TO {role}", ""
            case _:
                yield row[0], row[1] or ""
