"""Whether the records of an unknown file are changes of rows, and of which: Debezium's, of Delta's change data feed, or
plain ones with a column for what was done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from netflix_dagster.files.profiling.columns import ColumnProfile
from netflix_dagster.files.profiling.reading import Delivered
from netflix_dagster.landing.silver import BEFORE, DELETE, INSERT, PUT

_OPERATION = re.compile(r"_*(cdc_|change_|dml_)?(op|operation|change_type|action)")
_ENVELOPE = ("lsn", "scn", "ts_ns", "ts_us", "ts_ms")
_SEQUENCES = (
    *(f"__source_{name}" for name in _ENVELOPE),
    *(f"__{name}" for name in _ENVELOPE),
    "_commit_version",
)
"""Headers of columns by which changes are in order, the best first."""
_SEQUENCE = re.compile(
    r"(^|_)(seq|sequence|lsn|scn|version|ts|timestamp|time|at|changed|modified|updated)(_no|_number|_on|_ms)?$"
)
_IS_KEY = re.compile(r"(^|_)(id|key|no|nr|number|code)$")
_ORDERED = ("integer", "timestamp")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class FoundChanges:
    """What tells of the changes, as ``landing.silver.Changes`` says it, and the key of the rows that change; no key
    when the changes do not show one."""

    op: str
    sequence: str
    about: tuple[str, ...]
    key: tuple[str, ...]


def found_changes(delivered: Delivered, columns: Sequence[ColumnProfile]) -> FoundChanges | None:
    """What the file says of changes of rows; None when its records are rows themselves. Pairs and triples of columns
    are tried as keys, but of twelve columns at most."""
    op = next((place for place, column in enumerate(columns) if _says_what_was_done(column, place, delivered)), None)
    sequence = None if op is None else _sequence(columns)
    if op is None or sequence is None:
        return None
    meta = {op, sequence, *(place for place, one in enumerate(columns) if one.header.startswith("_"))}
    about = tuple(columns[place].name for place in sorted(meta - {op, sequence}))
    rows = [place for place in range(len(columns)) if place not in meta]
    in_order = sorted(delivered.rows, key=lambda row: _position(row[sequence]))
    key = next((key for key in _keys(rows, columns) if _tells_apart(key, op, in_order)), ())
    return FoundChanges(columns[op].name, columns[sequence].name, about, tuple(columns[place].name for place in key))


def _says_what_was_done(column: ColumnProfile, place: int, delivered: Delivered) -> bool:
    said = {row[place].lower() for row in delivered.rows}
    return bool(_OPERATION.fullmatch(column.header.lower())) and said <= {*PUT, *DELETE, *BEFORE}


def _sequence(columns: Sequence[ColumnProfile]) -> int | None:
    fit = [place for place, one in enumerate(columns) if one.filled == one.rows and one.found.kind in _ORDERED]
    known = {columns[place].header: place for place in fit}
    best = next((known[name] for name in _SEQUENCES if name in known), None)
    named = (place for place in fit if _SEQUENCE.search(columns[place].name))
    return next(named, None) if best is None else best


def _keys(rows: Sequence[int], columns: Sequence[ColumnProfile]) -> Iterator[tuple[int, ...]]:
    """Columns that every change states, first those which are called a key: a delete may state nothing else."""
    usable = [
        place
        for place in rows
        if columns[place].filled == columns[place].rows
        and columns[place].longest <= _LONGEST
        and columns[place].found.kind not in ("decimal", "list")
    ]
    usable.sort(key=lambda place: not _IS_KEY.search(columns[place].name))
    for size in (1, 2, 3):
        yield from combinations(usable if size == 1 else usable[:12], size)


def _tells_apart(key: tuple[int, ...], op: int, in_order: Sequence[tuple[str, ...]]) -> bool:
    """Whether no row begins that is there already: between two inserts of one row lies its delete."""
    there: set[tuple[str, ...]] = set()
    seen: set[tuple[str, ...]] = set()
    for row in in_order:
        which, done = tuple([row[place] for place in key]), row[op].lower()
        seen.add(which)
        if done in DELETE:
            there.discard(which)
        elif done in INSERT:
            if which in there:
                return False
            there.add(which)
    return len(seen) > 1


def _position(text: str) -> tuple[int, str]:
    """Whole numbers by their value, moments as they are written."""
    return (int(text), "") if re.fullmatch(r"-?\d+", text.strip()) else (0, text)
