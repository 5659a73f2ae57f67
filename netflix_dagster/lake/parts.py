"""Which parts of a table by parts are to be built anew: those of which rows lie in files that have come or gone.

The note of the table's last commit says which version of each table it was made from. The Delta logs of that version
and of the newest tell the files that have come and gone since; in these files stand the parts. So a delivery that comes
late, is built again or is taken away touches the parts that it had, and those that it has. Where the old version or its
files are no more, and after a change of the code, everything is built anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.lake import store
from netflix_dagster.lake.incremental import code_mark
from netflix_dagster.lake.store import Parts
from netflix_dagster.landing import keys
from netflix_dagster.storage import Place

NOT_THERE = "-"
"""The version of a table that was never written."""
MOST_ROWS = 1_000_000
"""Rows that one step reads, so that memory is bounded by the step and not by the backfill."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a table: its rows, and the first and the last part that it may have rows of; None when not known."""

    path: str
    rows: int
    first: str | None
    last: str | None
    delivery: str | None

    def may_hold(self, parts: Collection[str]) -> bool:
        if self.first is None or self.last is None:
            return True
        return self.first in parts if self.first == self.last else any(self.first <= p <= self.last for p in parts)


Files = dict[str, _File]


@dataclass(frozen=True, slots=True)
class Step:
    """Some parts, and for each table that is read by deliveries the deliveries in which rows of them lie."""

    parts: Parts
    deliveries: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts to build, all of the table when ``anew``. ``note`` goes with the commit."""

    anew: bool
    parts: Parts
    note: str
    files: Mapping[str, Files]

    @property
    def nothing(self) -> bool:
        """Whether the table holds what it should."""
        return not self.anew and not self.parts.values

    def steps(self, lake: Place) -> list[Step]:
        """The parts in steps of so many rows, at least one step."""
        near = {
            read: {file.path: file for file in files.values() if file.may_hold(self.parts.values)}
            for read, files in self.files.items()
        }
        if sum(file.rows for files in near.values() for file in files.values()) <= MOST_ROWS:
            return [self._step(self.parts.values, near)]
        rows: Counter[str] = Counter()
        for read, files in near.items():
            rows += _counted(lake, TABLES[read], self.parts.column, files.values())
        found: list[list[str]] = [[]]
        so_far = 0
        for part in self.parts.values:
            if found[-1] and so_far + rows[part] > MOST_ROWS:
                found.append([])
                so_far = 0
            found[-1].append(part)
            so_far += rows[part]
        return [self._step(parts, near) for parts in found]

    def _step(self, parts: Iterable[str], near: Mapping[str, Files]) -> Step:
        mine = tuple(parts)
        deliveries = {
            read: sorted({file.delivery for file in files.values() if file.delivery and file.may_hold(mine)})
            for read, files in near.items()
            if TABLES[read].per_delivery
        }
        return Step(Parts(self.parts.column, mine), deliveries)


def plan(lake: Place, table: Table) -> Plan:
    """Compare the versions that the table was made from with those there are."""
    assert table.part is not None
    part = table.part
    reads = [read for read in table.reads if part in TABLES[read].column_names]
    made: dict[str, str] = {}
    files: dict[str, Files] = {}
    touched: set[str] = set()
    said = store.noted(lake, table.name)
    anew = said.get("code") != (code := code_mark(table)) or store.look(lake, table.name) is None
    for read in reads:
        found = store.look(lake, read)
        made[read] = store.referred(found) if found is not None else NOT_THERE
        files[read] = _files(found, part) if found is not None else {}
        before = said.get("reads", {}).get(read)
        if not anew and before != made[read]:
            changed = _touched(lake, TABLES[read], part, before, files[read])
            anew = changed is None
            touched |= changed or set()
    if anew:
        touched = set()
        for read in reads:
            touched |= set(_counted(lake, TABLES[read], part, files[read].values()))
    note = json.dumps({"code": code, "reads": made})
    return Plan(anew, Parts(part, tuple(sorted(touched))), note, files)


def _touched(lake: Place, read: Table, part: str, before: str | None, now: Files) -> set[str] | None:
    """The parts of which rows lie in files that have come or gone since a version; None when that is not known."""
    was: Files = {}
    if before != NOT_THERE:
        found = store.at(lake, read.name, before) if before else None
        if found is None:  # its log is cleaned up, or it is another table
            return None
        was = _files(found, part)
    changed = [file for files in ((was, now), (now, was)) for path, file in files[0].items() if path not in files[1]]
    try:
        return set(_counted(lake, read, part, changed))
    except FileNotFoundError:  # a file that is gone is cleaned up as well
        return None


def _counted(lake: Place, read: Table, part: str, files: Iterable[_File]) -> Counter[str]:
    """The rows of each part in some files: from the log where a file has one part, else from the file."""
    import pyarrow.parquet as pq

    rows: Counter[str] = Counter()
    for file in files:
        if file.first is not None and file.first == file.last:
            rows[file.first] += file.rows
            continue
        with storage.opened(store.folder(lake, read.name) / unquote(file.path)) as opened:
            column = pq.ParquetFile(opened).read([part]).column(0)
        for said in column.value_counts().to_pylist():
            if said["values"] is not None:
                rows[said["values"]] += said["counts"]
    return rows


def _files(found: Any, part: str) -> Files:
    """The files of a version of a table, from its Delta log alone."""
    import pyarrow as pa

    actions: Any = pa.table(found.get_add_actions(flatten=True))
    by = [name for name in keys.COLUMNS if f"partition.{name}" in actions.column_names]

    def of(row: Mapping[str, Any], kind: str) -> str | None:
        said = row.get(f"partition.{part}") or row.get(f"{kind}.{part}")
        return str(said) if said is not None else None

    files: Files = {}
    for row in actions.to_pylist():
        delivery = keys.of_row({name: row[f"partition.{name}"] for name in by}) if by else None
        files[row["path"]] = _File(row["path"], row["num_records"] or 0, of(row, "min"), of(row, "max"), delivery)
    return files
