"""The header of a delivered table: which of its columns a source knows, and at which position they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence

from netflix_dagster.files import foreign
from netflix_dagster.files.parsed import Refusal
from netflix_dagster.landing.sources import EvolvedColumn, Source

WITHIN = 20
"""When the header is not in the first line, it is searched in this many lines."""
_LENGTH = 10_000
"""And in this many characters of each of them."""


def place_columns(
    header: tuple[str, ...], source: Source
) -> tuple[list[int | None], list[Refusal], dict[int, str], tuple[str, ...]]:
    """Match a header with the columns of a source.

    Returns the position of each column of the source (None when the header lacks it), what is wrong, the columns that
    the source does not know by their positions, and the columns of the contract that are absent.
    """
    place: dict[str, int] = {}
    rescued: dict[int, str] = {}
    named: set[str] = set()
    refusals: list[Refusal] = []
    for position, name in enumerate(header):
        canonical = source.canonical(name)
        if canonical is None or (canonical in place and isinstance(source.columns[canonical], EvolvedColumn)):
            taken = not name or name in named
            rescued[position] = f"{name} (column {position + 1})".lstrip() if taken else name
            named.add(rescued[position])
        elif canonical in place:
            reason = f"the columns {header[place[canonical]]!r} and {name!r} are both {canonical!r}"
            refusals.append(Refusal("header", reason, "land the file with one of them", raw=",".join(header)))
        else:
            place[canonical] = position
    contract = [name for name, column in source.columns.items() if not isinstance(column, EvolvedColumn)]
    absent = tuple(name for name in contract if name not in place and name not in source.filled)
    missing = [name for name in absent if source.columns[name].required]
    if missing:
        hint = "land a file with these columns, or name the new header as an alias in sources.yaml"
        if len(header) == 1:
            others = [mark for mark in foreign.SEPARATORS if mark != source.delimiter and mark in header[0]]
            hint = "the first line is no header, perhaps a server's answer instead of the data; fetch the file again"
            if others:
                hint = f"the columns seem to be separated by {others[0]!r}, not {source.delimiter!r}"
        hint = foreign.lookalike(header, missing) or hint
        reason = f"missing columns: {', '.join(missing)} (the header has: {', '.join(header)[:300]})"
        refusals.append(Refusal("columns", reason, hint, raw=",".join(header)[:2000]))
    return [place.get(name) for name in source.columns], refusals, rescued, absent


def elsewhere(lines: Sequence[str], source: Source) -> int | None:
    """The line after the first that seems to be the header."""
    required = {name for name, column in source.columns.items() if column.required and name not in source.filled}
    for number, line in enumerate(lines[1:WITHIN], 2):
        cells = next(csv.reader([line[:_LENGTH]], delimiter=source.delimiter), [])
        if required <= {source.canonical(cell) for cell in cells}:
            return number
    return None


def repeats_header(cells: Sequence[str], header: tuple[str, ...]) -> bool:
    """Whether a record of a table of several columns is the header again."""
    return len(header) > 1 and tuple(cell.strip("\ufeff \t") for cell in cells) == tuple(
        name.strip("\ufeff") for name in header
    )


def rescue(cells: Sequence[str] | Mapping[int, str | None], rescued_at: dict[int, str]) -> str | None:
    """The values of columns that the source does not know, as a JSON object."""
    kept = {name: cells[position] for position, name in rescued_at.items() if cells[position]}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept else None
