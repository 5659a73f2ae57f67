"""JSON lines: a record a line, each an object. Values become text as they stand: numbers digit by digit, what is nested
as JSON, ``null`` and what a record lacks as null.

The columns of a file are the names in all its records, in the order in which they come up. The file is in memory while
it is read, so it has a limit.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from netflix_dagster.files import foreign
from netflix_dagster.files.debezium import TOMBSTONE, flat
from netflix_dagster.files.header import place_columns, rescue
from netflix_dagster.files.parsed import COMPLETE, EMPTY, ParsedFile, Record, Refusal
from netflix_dagster.landing.sources import Source

MAX_FILE = 128 * 1024 * 1024
"""Bytes of a file."""
MOST_COLUMNS = 2_000
_MEND = "a record is an object on a line of its own; land the file again"


class NotJson(ValueError):
    """A line that is no record; the text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a record, or why it is none. ``number`` counts records from 1, ``line`` the lines of the file."""

    number: int
    line: int
    raw: str
    record: dict[str, str | None] | None
    fault: str | None = None


def too_large(size: int) -> Refusal:
    hint = "land it in parts, each under its own name"
    return Refusal("size", f"the file has {size:,} bytes, the limit for JSON lines is {MAX_FILE:,}", hint)


def records_of(text: str, *, envelopes: bool = False) -> Iterator[Line]:
    """The lines of a text that are not blank. Of ``envelopes`` those that tombstones leave are not counted."""
    number = 0
    for line, raw in enumerate(text.split("\n"), 1):
        raw = raw.rstrip("\r")
        if not raw.strip() or (envelopes and raw.strip() == TOMBSTONE):
            continue
        number += 1
        try:
            yield Line(number, line, raw, _record(raw, envelopes=envelopes))
        except NotJson as error:
            yield Line(number, line, raw, None, str(error))


def columns_of(lines: Sequence[Line]) -> tuple[str, ...]:
    """The names in all records, in the order in which they come up."""
    return tuple(dict.fromkeys(name for line in lines for name in line.record or ()))


def parse_json_lines(data: bytes, source: Source, empty: ParsedFile) -> ParsedFile:
    """Parse the bytes of one file. Never raises for what it holds: that is in ``refusals``."""
    if not data.strip():
        return replace(empty, refusals=(EMPTY,))
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        strange = foreign.other_format(data) or foreign.wide_encoding(data)
        place = error.object.count(b"\n", 0, error.start) + 1
        fault = Refusal(*(strange or foreign.not_utf8(error.object, error, place)), line=place)
        return replace(empty, refusals=(fault,))
    envelopes = source.format == "debezium"
    begins = text.lstrip().startswith("{") or (envelopes and text.split(None, 1)[0] == TOMBSTONE)
    if not begins and (said := foreign.no_data(text)):
        return replace(empty, refusals=(Refusal(*said),))
    lines = list(records_of(text, envelopes=envelopes))
    header = columns_of(lines)
    if len(header) > MOST_COLUMNS:
        reason = f"its records have {len(header):,} different names; more than {MOST_COLUMNS:,} are no columns"
        return replace(empty, refusals=(Refusal("header", reason, "are the names data? turn them into values"),))
    positions, refusals, rescued_at, absent = place_columns(header, source)
    faults = [_refusal(line, cut=line is lines[-1] and not text.endswith("\n")) for line in lines if line.fault]
    rows = []
    for line in lines:
        if line.record is not None:
            cells = [line.record.get(name) or "" for name in header]
            values = tuple((cells[place] or None) if place is not None else None for place in positions)
            rows.append(Record(line.number, line.line, values, rescue(cells, rescued_at) if rescued_at else None))
    return replace(
        empty,
        header=header,
        rows=tuple(rows),
        refusals=(*(refusals if header else ()), *faults),
        unknown_columns=tuple(rescued_at.values()),
        absent_columns=absent,
        records=len(lines),
    )


def _refusal(line: Line, *, cut: bool) -> Refusal:
    reason = f"record {line.number} (line {line.line}) {line.fault}"
    if cut:
        return Refusal(
            COMPLETE, f"{reason}: the file was cut short", "ask for it again", line.number, line.line, line.raw
        )
    return Refusal("json", reason, _MEND, line.number, line.line, line.raw)


def _record(raw: str, *, envelopes: bool) -> dict[str, str | None]:
    try:
        said = json.loads(raw, parse_int=_Digits, parse_float=_Digits, parse_constant=_none, object_pairs_hook=_Pairs)
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotJson(f"is no JSON: {error}") from None
    if not isinstance(said, _Pairs):
        raise NotJson("is JSON, but no object")
    pairs = flat(said) if envelopes else said
    if pairs is None:
        raise NotJson("is no envelope of Debezium: it has no op, before and after")
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise NotJson(f"says {next(name for name in names if names.count(name) > 1)!r} twice")
    return {name: _text(value) for name, value in pairs}


class _Digits(str):
    """A number as it is written."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written, twice said names included."""


def _none(name: str) -> NoReturn:
    raise NotJson(f"holds {name}, which is no JSON")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    """A nested value as compact JSON, its numbers digit by digit."""
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_written(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return str(value) if isinstance(value, _Digits) else json.dumps(value, ensure_ascii=False)
