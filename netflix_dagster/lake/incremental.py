"""How far an ``incremental`` table has come: which deliveries it holds, and whether newer ones may simply be added.

The answer lies in the note of its last commit, written with the rows or not at all: the newest delivery it holds,
and a mark of all deliveries up to it as they stood then. A delivery that comes late, is built again or is taken
away changes the mark, and the table is built from the beginning; so does a change of its code.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass

from netflix_dagster.contracts.contract import Table
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

MOST_ROWS = 150_000
"""Rows of deliveries that one step adds, so that memory is bounded by the step and not by the backfill."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build: ``deliveries`` are to be added to what stands, or to nothing when ``anew``."""

    anew: bool
    deliveries: list[str]
    note: str

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
    """Compare what the table holds with what lies in the tables that it reads."""
    marks = _marks(lake, table)
    held = _held(store.last_note(lake, table.name))
    until = held.get("until", "")
    unchanged = held == _state(table, marks, until)
    newest = max(marks, default="")
    return Plan(
        anew=not unchanged,
        deliveries=sorted(day for day in marks if not unchanged or day > until),
        note=json.dumps(_state(table, marks, newest)),
    )


def _held(note: str | None) -> dict[str, str]:
    try:
        said = json.loads(note or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _state(table: Table, marks: Mapping[str, str], until: str) -> dict[str, str]:
    said = "\n".join(f"{day} {marks[day]}" for day in sorted(marks) if day <= until)
    code = table.code_version + inspect.getsource(inspect.getmodule(table.function) or table.function)
    return {"until": until, "deliveries": _mark(said), "code": _mark(code)}


def _marks(lake: Place, table: Table) -> dict[str, str]:
    """A mark of every delivery in the tables that are read; it changes when the delivery is written again."""
    files: dict[str, list[str]] = {}
    for read in table.reads:
        for day, paths in store.delivery_files(lake, read).items():
            files.setdefault(day, []).extend(paths)
    return {day: _mark("\n".join(sorted(paths))) for day, paths in files.items()}


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
