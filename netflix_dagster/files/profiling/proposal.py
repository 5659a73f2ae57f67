"""Proposes, from a profile, an entry for ``sources.yaml``, and columns and expectations for a contract; and tries
whether the door would take the file with them."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from netflix_dagster.files.profiling.columns import ColumnProfile
from netflix_dagster.files.profiling.keys import Keys
from netflix_dagster.files.profiling.likeness import Likeness
from netflix_dagster.files.profiling.reading import Delivered
from netflix_dagster.landing.sources import RESERVED, Feed, Source, Sources, fold_header

NEW_FEED = "new_feed"
_SPARK = {"integer": "bigint", "decimal": "double", "boolean": "boolean", "date": "date", "timestamp": "timestamp"}
_FILLED = {
    "sheet": "Name of the sheet; filled by the reader",
    "preamble": "The text above the header; filled by the reader",
}
_UNPRINTABLE = re.compile(
    "[\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]|[^\n -~\u00a0-\U0010ffff]"
)
"""Characters that control a terminal, or that YAML does not allow."""


def canonical_names(header: Sequence[str], like: Likeness | None) -> list[str]:
    """A canonical name for every column: the source's own where it is recognised, else made from the header."""
    names: list[str] = []
    for place, delivered in enumerate(header, 1):
        known = {**like.known, **like.renamed}.get(delivered) if like and like.verdict != "other" else None
        name = base = known or _plain_name(delivered) or f"column_{place}"
        if name in RESERVED:
            name = base = f"{name}_delivered"
        number = 2
        while name in names:
            name, number = f"{base}_{number}", number + 1
        names.append(name)
    return names


def _plain_name(header: str) -> str:
    """A header in plain lower-case letters, digits and underscores; empty when it has none of them."""
    ascii_ = unicodedata.normalize("NFKD", header.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", fold_header(ascii_)).strip("_")[:60]
    return f"n_{name}" if name[:1].isdigit() else name


def source_entry(
    delivered: Delivered, columns: Sequence[ColumnProfile], like: Likeness | None, sources: Sources
) -> tuple[str, dict[str, Any]]:
    """Name and entry of the source: an existing one with what is new about it, or a new one."""
    if like and like.verdict != "other":
        return like.source, _known_entry(sources.sources[like.source], columns, like)
    feed = NEW_FEED
    name = _plain_name(delivered.path.stem) or "new_source"
    while name in sources.sources:
        name += "_new"
    filled = {} if delivered.sheet is None else {c: {"description": d, "required": False} for c, d in _FILLED.items()}
    entry = {
        "feed": feed,
        "form": "whole",
        "description": f"Say what one record is; profiled from {delivered.path.name}",
        "files": f"*{delivered.path.suffix.lower() or '.csv'}",
        "format": "xlsx" if delivered.sheet is not None else "tsv" if delivered.delimiter == "\t" else "csv",
        "columns": {
            **filled,
            **{c.name: _column(c, columns) for c in columns if c.header or delivered.header_line is None},
        },
    }
    return name, entry


def _known_entry(source: Source, columns: Sequence[ColumnProfile], like: Likeness) -> dict[str, Any]:
    """The entry as it stands, with the new headers as aliases, and new and missing columns optional."""
    entry: dict[str, Any] = json.loads(source.model_dump_json(exclude_unset=True, exclude={"name", "every"}))
    for header, column in like.renamed.items():
        entry["columns"][column]["aliases"] = [*entry["columns"][column].get("aliases", ()), header]
    for column in like.absent:
        if source.columns[column].required:
            entry["columns"][column]["required"] = False
    for profile in columns:
        if profile.header in like.new and profile.name not in entry["columns"]:
            entry["columns"][profile.name] = {**_column(profile, columns), "required": False}
    return entry


def _column(column: ColumnProfile, columns: Sequence[ColumnProfile]) -> dict[str, Any]:
    entry: dict[str, Any] = {"description": column.says[:1].upper() + column.says[1:]}
    taken = {fold_header(other.header) for other in columns if other is not column}
    if column.header and fold_header(column.header) != column.name and fold_header(column.header) not in taken:
        entry["aliases"] = [column.header]
    if column.found.kind == "nothing":
        entry["required"] = False
    return entry


def document(name: str, entry: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """A ``sources.yaml`` of this one source and its feed."""
    known = sources.feeds.get(str(entry["feed"]))
    feed: dict[str, Any] = (
        json.loads(known.model_dump_json(exclude_unset=True, exclude={"name"}))
        if known
        else {"description": "Say what the feed describes", "owners": ["team:platform"], "expected_every_days": 7}
    )
    return {"feeds": {entry["feed"]: feed}, "sources": {name: dict(entry)}}


def as_yaml(sources: Mapping[str, Any]) -> str:
    """The document as YAML, a column a line as in the packaged ``sources.yaml``."""
    lines: list[str] = []
    for group, entries in sources.items():
        lines.append(f"{group}:")
        for key, entry in entries.items():
            lines.append(f"  {key}:")
            lines += (f"    {_line(k, v)}" for k, v in entry.items() if k != "columns")
            if "columns" in entry:
                lines.append("    columns:")
                lines += (f"      {_line(k, v)}" for k, v in entry["columns"].items())
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    """One key and its value in YAML's flow style; characters that control a terminal are escaped."""
    plain = not _UNPRINTABLE.search(json.dumps(value, ensure_ascii=False))
    flow = yaml.safe_dump({key: value}, allow_unicode=plain, sort_keys=False, default_flow_style=True, width=1_000_000)
    return str(flow).rstrip("\n")[1:-1]


def as_source(name: str, proposed: Mapping[str, Any]) -> tuple[Feed, Source]:
    """The proposal as the platform reads it."""
    read = Sources.model_validate(proposed)
    return read.feeds[read.sources[name].feed], read.sources[name]


def expectations(columns: Sequence[ColumnProfile], keys: Keys) -> list[str]:
    """Lines of Python for the ``expectations`` of a contract, with the helpers of ``contracts/contract.py``.

    Bounds are rounded outwards: they are to find implausible values, not tomorrow's largest one.
    """
    key = set(keys.candidates[0]) if keys.candidates else set()
    lines: list[str] = []
    for column in columns:
        if column.rows and column.filled == column.rows:
            lines.append(f'not_null("{column.name}"{"" if column.name in key else ", "}{_warn(column.name in key)})')
        lines += _of_values(column)
    return lines


def _warn(drop: bool) -> str:
    return "" if drop else '"warn"'


def _of_values(column: ColumnProfile) -> Iterator[str]:
    found, name = column.found, column.name
    if found.kind in ("integer", "decimal") and found.low is not None and found.high is not None:
        if re.search(r"(^|_)id$", name):
            return  # a number by name only
        low, high = _outwards(float(found.low), float(found.high))
        yield f'between("{name}", {low}, {high})'
    elif found.kind in ("date", "timestamp") and found.low is not None and found.high is not None:
        low_day, high_day = f"{found.low[:2]}00-01-01", f"{found.high[:2]}99-12-31"
        condition = f"{name} BETWEEN DATE '{low_day}' AND DATE '{high_day}'"
        yield f"holds({_quoted(f'{name}_plausible')}, {_quoted(condition)}, {_quoted(f'{name} is a day that can be')})"
    elif found.kind == "text" and column.values and not any("\\" in value for value in column.values):
        listed = ", ".join(map(_quoted, column.values))
        yield f'in_set("{name}", ({listed}{"," if len(column.values) == 1 else ""}))'
    elif found.kind == "text" and column.pattern:
        condition = f"{name} RLIKE '{column.pattern}'"
        meaning = f"{name} is built as {column.examples[0]} is"
        yield f"holds({_quoted(f'{name}_shaped')}, {_quoted(condition)}, {_quoted(meaning)})"


def _outwards(low: float, high: float) -> tuple[int, int]:
    """Bounds wider than the values seen: years to the century, else zero and powers of ten."""
    if low >= 1800 and high <= 2200:
        return math.floor(low / 100) * 100, math.ceil((high + 1) / 100) * 100
    return (0 if low >= 0 else -_power(-low)), (_power(high) if high > 0 else 0)


def _power(number: float) -> int:
    power = 10
    while power < number * 2:
        power *= 10
    return power


def _quoted(text: str) -> str:
    """A Python string literal, with nothing in it that controls a terminal."""
    plain = json.dumps(text, ensure_ascii=False)
    return plain if not _UNPRINTABLE.search(plain) else json.dumps(text)


def contract_columns(columns: Sequence[ColumnProfile]) -> list[str]:
    """Lines of Python for the ``columns`` of a silver contract."""
    return [
        f'Column("{column.name}", "{_type(column)}", {_quoted(column.says[:1].upper() + column.says[1:])})'
        for column in columns
    ]


def _type(column: ColumnProfile) -> str:
    return "array<string>" if column.found.kind == "list" else _SPARK.get(column.found.kind, "string")


def door(delivered: Delivered, source: Source) -> str | None:
    """Why the door would refuse this file if the source were as proposed; None when it takes it."""
    from netflix_dagster.files.parsing import parse_bytes

    parsed = parse_bytes(delivered.data, source)
    if not parsed.refusals:
        return None
    first = parsed.refusals[0]
    more = f", and {len(parsed.refusals) - 1:,} more" if len(parsed.refusals) > 1 else ""
    return f"{first.reason}{more}; {first.hint}"


def printable(text: str) -> str:
    """One line of text; characters that control a terminal or break a line of YAML are shown as escapes."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text).replace("\n", "\\n")
