"""The record behind a row, as it was delivered: found again in bronze by its file and number."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES, Table, Takes
from netflix_dagster.deliveries import attempts
from netflix_dagster.landing.keys import of_row
from netflix_dagster.landing.sources import Source, Sources

_UNNAMED = re.compile(r"\(column (\d+)\)")
"""What a field is called that the header has no name for."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Who delivered a record, where it stands in its file, and its values as one line of that file's columns.

    Of a row joined from two records both lines are there.
    """

    source: str | None = None
    line: int | None = None
    raw: str | None = None


def behind(
    lake: storage.Place,
    sources: Sources,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    picked: Mapping[str, attempts.Picked],
) -> list[Delivered]:
    """The record behind each of these rows of ``table``, among the ``picked`` attempts of its bronze tables; empty
    where the contract does not say where to look."""
    taken = [_takes(table, row) for row in rows]
    records = {
        takes.read: _records(
            lake, takes, [row for row, by in zip(rows, taken, strict=True) if by == takes], picked.get(takes.read, {})
        )
        for takes in table.takes
        if takes in taken
    }
    found = []
    for row, takes in zip(rows, taken, strict=True):
        name = takes.read.removeprefix("bronze.") if takes else ""
        source = sources.sources.get(name)
        here = [records[takes.read].get(place) for place in _places(row, takes)] if takes else []
        known = [record for record in here if record]
        if not source or not known:
            found.append(Delivered(name or None))
        else:
            raw = "\n".join(as_delivered(record, source) for record in known)
            found.append(Delivered(source.name, known[0]["line_number"], raw))
    return found


def as_delivered(record: Mapping[str, Any], source: Source) -> str:
    """A row of bronze as one line of text in the columns of its file."""
    rescued = json.loads(record["rescued_data"]) if record["rescued_data"] else {}
    values, seen = [], set()
    for position, header in enumerate(next(csv.reader([record["source_header"]])), 1):
        name = source.canonical(header) or header
        value = record.get(name) if name not in seen else None
        seen.add(name)
        if value is None:
            value = rescued.get(f"{header} (column {position})".lstrip(), rescued.get(header))
        values.append("" if value is None else value)
    unnamed = [int(found[1]) for found in map(_UNNAMED.fullmatch, rescued) if found]
    values += [rescued.get(f"(column {n})", "") for n in range(len(values) + 1, max(unnamed, default=0) + 1)]
    line = io.StringIO()
    csv.writer(line, delimiter=source.delimiter, lineterminator="").writerow(values)
    return line.getvalue()


def _takes(table: Table, row: Mapping[str, Any]) -> Takes | None:
    """What a row was taken from."""
    return next((takes for takes in table.takes if takes.form in (None, row.get("form"))), None)


Place = tuple[str, str | None, int | None]


def _places(row: Mapping[str, Any], takes: Takes) -> list[Place]:
    day, file, number = of_row(row), row.get("source_file"), row.get("record_number")
    joined = takes.halves in (row.get("repairs") or ()) and number is not None
    return [(day, file, number), *([(day, file, number + 1)] if joined and number is not None else [])]


def _records(
    lake: storage.Place, takes: Takes, rows: Sequence[Mapping[str, Any]], picked: attempts.Picked
) -> dict[Place, dict[str, Any]]:
    import pyarrow.compute as pc

    wanted = {place for row in rows for place in _places(row, takes)}
    days = {of_row(row) for row in rows}
    numbers = {number for _, _, number in wanted if number is not None}
    files = {file for _, file, _ in wanted if file is not None}  # of many small files all have the same few numbers
    where = pc.field("record_number").isin(list(numbers)) & pc.field("source_file").isin(list(files))
    here = {day: attempt for day, attempt in picked.items() if day in days}
    table = TABLES[takes.read]
    found = attempts.arrow(lake, table, here, table.column_names, where)
    records = found.to_pylist() if found is not None else []
    placed = {(of_row(r), r["source_file"], r["record_number"]): r for r in records}
    return {place: record for place, record in placed.items() if place in wanted}
