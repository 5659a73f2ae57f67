"""What a SQL warehouse and Unity Catalog say to somebody who is not their owner: statements, grants, volumes.

Who may do what follows "Unity Catalog privileges and securable objects": nothing is reached without USE CATALOG and
USE SCHEMA above it, and a privilege on a catalog or schema holds for all below. Statements are those of the "Statement
Execution API", where a failed one is answered as such; ``INSUFFICIENT_PERMISSIONS``, ``TABLE_OR_VIEW_NOT_FOUND`` and
``PARSE_SYNTAX_ERROR`` are of "Error conditions in Databricks".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import sqlglot
from sqlglot import exp

from netflix_dagster_tests.emulators.databricks.errors import Refused
from netflix_dagster_tests.emulators.databricks.rights import ME

Thing = tuple[str, str]
"""Its kind and its full name: ``("table", "netflix.gold.dim_title")``."""


@dataclass
class Catalog:
    """``held`` has every thing that there is, with who was granted what on it itself; ``locations`` what external
    locations are called, by their URLs."""

    held: dict[Thing, dict[str, set[str]]] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict)

    def change(self, who: str, thing: Thing, changes: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """``PATCH /unity-catalog/permissions``."""
        self._need(who, "MANAGE", thing)
        for one in changes:
            held = self.held[thing].setdefault(one["principal"], set())
            held |= set(one.get("add") or ())
            held -= set(one.get("remove") or ())
        return {"privilege_assignments": []}

    def file(self, who: str, method: str, path: str) -> None:
        """A request of the Files API."""
        volume = ".".join(path.partition("/Volumes/")[2].split("/")[:3])
        self._need(who, "READ_VOLUME" if method in ("GET", "HEAD") else "WRITE_VOLUME", ("volume", volume))

    def credential(self, who: str, name: str) -> None:
        """Who asks for a token of a service credential ("Generate temporary service credential")."""
        self._need(who, "ACCESS", ("credential", name))

    def execute(self, who: str, statement: str) -> dict[str, Any]:
        """``POST /sql/statements``."""
        status: dict[str, Any] = {"state": "SUCCEEDED"}
        try:
            self._run(who, statement)
        except Refused as refused:
            status = {"state": "FAILED", "error": {"error_code": "BAD_REQUEST", "message": _condition(refused)}}
        return {"statement_id": str(uuid4()), "status": status}

    def _run(self, who: str, statement: str) -> None:
        match sqlglot.parse_one(statement, read="databricks"):
            case exp.Grant() as said:
                names = [privilege.this.name.replace(" ", "_") for privilege in said.args["privileges"]]
                changes = [{"principal": one.this.name, "add": names} for one in said.args["principals"]]
                self.change(who, (str(said.args["kind"]).lower(), _full(said.args["securable"])), changes)
            case exp.Use() as said:
                self._need(who, "USE_SCHEMA", ("schema", _full(said.this)))
            case exp.Select() as said:
                for table in said.find_all(exp.Table):
                    self._need(who, "SELECT", ("table", _full(table)))
            case exp.Insert() as said:
                self._need(who, "MODIFY", ("table", _full(said.find(exp.Table))))
            case exp.Create() as said:
                self._create(who, said)
            case _:
                raise Refused(400, "PARSE_SYNTAX_ERROR", f"Syntax error at or near {statement[:20]!r}.")

    def _create(self, who: str, said: exp.Create) -> None:
        above = _full(said.find(exp.Table)).rpartition(".")[0]
        if said.args["kind"] == "SCHEMA":
            return self._need(who, "CREATE_SCHEMA", ("catalog", above))
        self._need(who, "CREATE_TABLE", ("schema", above))
        if place := said.find(exp.LocationProperty):
            (name,) = [name for url, name in self.locations.items() if place.this.name.startswith(url)]
            self._need(who, "CREATE_EXTERNAL_TABLE", ("external_location", name))
        return None

    def _need(self, who: str, privilege: str, thing: Thing) -> None:
        """Raise a refusal unless somebody has a privilege on a thing or above it, and the way to it is open."""
        for one in [*_above(thing), thing] if who != ME else []:
            use = _USE.get(one[0])
            if use and not self._may(who, use, one):
                raise _denied(use, one)
        if who != ME and not self._may(who, privilege, thing):
            raise _denied(privilege, thing)
        if thing not in self.held:
            raise Refused(404, "TABLE_OR_VIEW_NOT_FOUND", f"{thing[0]} '{thing[1]}' cannot be found.")

    def _may(self, who: str, privilege: str, thing: Thing) -> bool:
        """Whether somebody was granted a privilege on a thing or on one above it."""
        return any(privilege in self.held.get(one, {}).get(who, ()) for one in [*_above(thing), thing])


_USE = {"catalog": "USE_CATALOG", "schema": "USE_SCHEMA"}
_CONDITIONS = {"PERMISSION_DENIED": "INSUFFICIENT_PERMISSIONS"}
_STATES = {"PERMISSION_DENIED": "42501", "TABLE_OR_VIEW_NOT_FOUND": "42P01", "PARSE_SYNTAX_ERROR": "42601"}


def _above(thing: Thing) -> list[Thing]:
    """The catalog and the schema that a thing lies in."""
    kind, name = thing
    parts = [] if kind == "external_location" else name.split(".")[:-1]
    return [(kind, ".".join(parts[: nth + 1])) for nth, (kind, _) in enumerate(zip(_USE, parts, strict=False))]


def _full(table: Any) -> str:
    return ".".join(part.name for part in table.parts)


def _denied(privilege: str, thing: Thing) -> Refused:
    kind, name = thing
    words = f"{privilege.replace('_', ' ')} on {kind.replace('_', ' ').title()}"
    return Refused(403, "PERMISSION_DENIED", f"User does not have {words} '{name}'.")


def _condition(refused: Refused) -> str:
    """A refusal as a statement fails with it."""
    name = _CONDITIONS.get(refused.code, refused.code)
    return f"[{name}] {refused.message} SQLSTATE: {_STATES[refused.code]}"
