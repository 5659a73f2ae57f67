"""What has changed since a table was last built: whether it may go on from what stands, and from which delivery on.

The note of the table's last commit says what it was made of: the version of every table of deliveries that it reads,
or that was read by what it reads, and when those were last built from the beginning. It is written with the rows or
not at all. The Delta logs of then and now tell which deliveries were added, built again or taken away since. A change
of the table's code begins anew, and so does a log of which the past is gone.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

MOST_ROWS = 150_000
"""Rows of deliveries that one step adds, so that memory is bounded by the step and not by the backfill."""
_VERSIONS_KEPT = 64
"""So many versions of tables of deliveries are remembered: what a version held does not change."""
UNKNOWN = ""
"""The version of a table that what was read was made of in several."""
NEVER = "9999-12-31"
"""Since when deliveries are new where none is."""
Made = dict[str, dict[str, str]]
"""What each table that is read was made of: tables of deliveries, as they were (see ``store.reference``); of a table
that goes on also itself, with the mark of when it was last built from the beginning."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build: ``deliveries`` are ``since`` the first that changed; of those before it ``sees`` are looked at
    again. Where ``since`` is None the table is built from the beginning."""

    since: str | None
    deliveries: list[str]
    sees: list[str]
    note: str

    @property
    def anew(self) -> bool:
        return self.since is None

    def steps(self, lake: Place, table: Table) -> list[list[str]]:
        """The deliveries in order, in steps that can be added one after the other; one without any if there is none."""
        rows = [store.delivery_rows(lake, read) for read in table.reads]
        steps: list[list[str]] = [[]]
        added = 0
        for day in self.deliveries:
            more = sum(of_day.get(day, 0) for of_day in rows)
            if steps[-1] and added + more > MOST_ROWS:
                steps.append([])
                added = 0
            steps[-1].append(day)
            added += more
        return steps


def plan(lake: Place, table: Table) -> Plan:
    """Compare what the table was made of with what lies in the tables that it reads."""
    lookups = table.goes_on.lookups if table.goes_on else {}
    made = {read: _itself(lake, read) if read in lookups else _made_of(lake, read) for read in table.reads}
    days = _deliveries(lake, made)
    said, code = _said(lake, table.name), code_mark(table)
    changed = _changed(lake, table, said["reads"], made) if said.get("code") == code else None
    held = _deliveries(lake, said.get("reads", {}))
    back = table.goes_on is not None and table.goes_on.back
    since = NEVER
    if changed is not None:
        since = min(changed, default=max(held, default=NEVER) if back else NEVER)
    earlier = [day for day in days if day < since]
    if changed is None or not (earlier if back else held and since > max(held)):
        return Plan(None, days, [], json.dumps({"code": code, "begun": uuid.uuid4().hex[:8], "reads": made}))
    note = json.dumps({"code": code, "begun": said["begun"], "reads": made})
    return Plan(since, [day for day in days if day >= since], seen(lake, table, earlier), note)


def _said(lake: Place, name: str) -> dict[str, Any]:
    said = store.noted(lake, name)
    return said if "begun" in said else {}


def _made_of(lake: Place, name: str) -> dict[str, str]:
    """The tables of deliveries that a table was made of; one that is none and does not say it was made of itself.

    What a gate holds is in no table of deliveries, so the gate need not be asked.
    """
    table = TABLES[name]
    if table.write == "gate":
        return {}
    if not (table.goes_on or table.is_incremental):
        return _itself(lake, name)
    said = _said(lake, name)
    made: dict[str, str] = {name: said["begun"]} if said else {}
    for of_read in said.get("reads", {}).values():
        for root, version in of_read.items():
            if root in TABLES and TABLES[root].per_delivery:
                made[root] = version if made.get(root, version) == version else UNKNOWN
    return made


def _itself(lake: Place, name: str) -> dict[str, str]:
    found = store.reference(lake, name)
    return {name: found} if found else {}


def _changed(lake: Place, table: Table, then: Made, now: Made) -> set[str] | None:
    """The deliveries that were added, written again or taken away; None when that cannot be known."""
    changed: set[str] = set()
    lookups = table.goes_on.lookups if table.goes_on else {}
    for read in table.reads:
        if read in lookups:
            was, is_now = then.get(read, {}).get(read), now[read].get(read)
            if was != is_now and not (was and store.contains(lake, read, lookups[read], was)):
                return None
            continue
        for root in then.get(read, {}).keys() | now[read].keys():
            was, is_now = then.get(read, {}).get(root), now[read].get(root)
            if was == is_now != UNKNOWN:
                continue
            between = _between(lake, root, was, is_now)  # type: ignore[arg-type]
            if between is None:
                return None
            changed |= between
    return changed


@lru_cache(_VERSIONS_KEPT)
def _between(lake: Place, root: str, was: str | None, is_now: str | None) -> frozenset[str] | None:
    """The deliveries whose files differ between two versions of a table; None when that cannot be known."""
    before, after = _files(lake, root, was), _files(lake, root, is_now)
    if before is None or after is None:
        return None
    return frozenset(day for day in before.keys() | after.keys() if before.get(day) != after.get(day))


def seen(lake: Place, table: Table, earlier: Sequence[str]) -> list[str]:
    """Of the deliveries before those that are built the last, and those that the table has to see besides."""
    on = table.goes_on
    if on is None or not on.back or not earlier:
        return []
    found = {max(earlier)}
    if on.sees:
        reads = [read for read in table.reads if TABLES[read].per_delivery]
        facts = {read: _facts(lake, read, on.greatest) for read in reads}
        found.update(on.sees({read: {day: of[day] for day in earlier if day in of} for read, of in facts.items()}))
    return sorted(found)


def _files(lake: Place, root: str, version: str | None) -> Mapping[str, list[str]] | None:
    """The files of each delivery of a table in some version; None when they cannot be known, or the table is no table
    of deliveries."""
    if version is None:
        return {}
    of_deliveries = root in TABLES and TABLES[root].per_delivery and version != UNKNOWN
    return _files_then(lake, root, version) if of_deliveries else None  # type: ignore[arg-type]


@lru_cache(_VERSIONS_KEPT)
def _files_then(lake: Place, root: str, version: str) -> Mapping[str, list[str]] | None:
    found = store.at(lake, root, version)
    if found is None:
        return None
    return {day: sorted(said["paths"]) for day, said in store.delivery_facts(found).items()}


def _facts(lake: Place, read: str, greatest: tuple[str, ...]) -> Mapping[str, dict[str, Any]]:
    """What the log of a table says of each delivery now, see ``store.delivery_facts``; many tables ask the same."""
    version = store.reference(lake, read)
    return _facts_then(lake, read, version, greatest) if version else {}  # type: ignore[arg-type]


@lru_cache(_VERSIONS_KEPT)
def _facts_then(lake: Place, read: str, version: str, greatest: tuple[str, ...]) -> Mapping[str, dict[str, Any]]:
    return store.delivery_facts(store.at(lake, read, version), greatest)


def _deliveries(lake: Place, made: Made) -> list[str]:
    """The deliveries of all tables that others were made of."""
    made_of = {pair for of_read in made.values() for pair in of_read.items()}
    return sorted({day for root, version in made_of for day in _files(lake, root, version) or ()})


def code_mark(table: Table) -> str:
    """What may make other rows of the same deliveries: the code of the table, and all that tables have in common."""
    code = table.code_version + inspect.getsource(inspect.getmodule(table.function) or table.function) + _common()
    return hashlib.sha256(code.encode()).hexdigest()[:16]


@cache
def _common() -> str:
    package = resources.files("netflix_dagster")  # a cluster may have it as an archive
    modules = [*_modules(package / "tables"), package / "contracts" / "metrics.py"]
    return "".join(hashlib.sha256(module.read_bytes()).hexdigest() for module in modules)


def _modules(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _modules(entry)
        elif entry.name.endswith(".py"):
            yield entry
