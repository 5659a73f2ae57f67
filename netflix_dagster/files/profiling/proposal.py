"""Proposes, from a profile, an entry for ``sources.yaml``, and columns and expectations for a contract; and tries
whether the door would take the file with them."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import yaml

from netflix_dagster.files.kinds import EITHER
from netflix_dagster.files.profiling.changes import FoundChanges
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
_BLOCKS = ("columns", "silver")
"""The parts of an entry that take a line for each thing they say."""
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
        "files": f"*{delivered.path.suffix or '.' + delivered.format}",
        "format": delivered.format,
        **({"separator": delivered.delimiter} if delivered.delimiter not in ("", ",", "\t") else {}),
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
            lines += (f"    {_line(k, v)}" for k, v in entry.items() if k not in _BLOCKS)
            for block in (name for name in _BLOCKS if entry.get(name)):
                lines.append(f"    {block}:")
                lines += (f"      {_line(k, v)}" for k, v in entry[block].items() if k != "rules")
                if rules_ := entry[block].get("rules") if block == "silver" else None:
                    lines.append("      rules:")
                    lines += (f"        - {_flow(rule)}" for rule in rules_)
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    """One key and its value in YAML's flow style."""
    return _flow({key: value})[1:-1]


def _flow(said: Mapping[str, Any]) -> str:
    """A mapping in YAML's flow style; what a terminal would obey is escaped."""
    plain = not _UNPRINTABLE.search(json.dumps(said, ensure_ascii=False, default=str))
    flow = yaml.safe_dump(dict(said), allow_unicode=plain, sort_keys=False, default_flow_style=True, width=1_000_000)
    return str(flow).rstrip("\n")


def as_source(name: str, proposed: Mapping[str, Any]) -> tuple[Feed, Source]:
    """The proposal as the platform reads it."""
    read = Sources.model_validate(proposed)
    return read.feeds[read.sources[name].feed], read.sources[name]


def rules(columns: Sequence[ColumnProfile], keys: Keys) -> list[dict[str, Any]]:
    """What holds of the columns of a file, as the rules of ``silver`` in ``sources.yaml``; see ``landing.silver``.

    Bounds are rounded outwards: they are to find implausible values, not tomorrow's largest one.
    """
    key = set(keys.candidates[0]) if keys.candidates else set()
    found: list[dict[str, Any]] = []
    for column in columns:
        if column.rows and column.filled == column.rows:
            drops = {"on_fail": "drop"} if column.name in key else {}
            found.append({"column": column.name, "required": True, **drops})
        found += ({"column": column.name, **said} for said in _of_values(column))
    return found


def _of_values(column: ColumnProfile) -> Iterator[dict[str, Any]]:
    found = column.found
    bounded = found.low is not None and found.high is not None
    if found.kind in ("integer", "decimal") and bounded:
        if not re.search(r"(^|_)id$", column.name):  # a number by name only
            yield {"between": list(_outwards(float(found.low or 0), float(found.high or 0)))}
    elif found.kind in ("date", "timestamp") and bounded:
        century = str(found.low)[:2], str(found.high)[:2]
        yield {"between": [date(int(century[0]) * 100, 1, 1), date(int(century[1]) * 100 + 99, 12, 31)]}
    elif found.kind == "text" and column.values and not any("\\" in value for value in column.values):
        yield {"one_of": list(column.values)}
    elif found.kind == "text" and column.pattern:
        yield {"matches": column.pattern}


def expectations(columns: Sequence[ColumnProfile], keys: Keys) -> list[str]:
    """The rules as lines of Python for the ``expectations`` of a contract, with the helpers of ``contracts``."""
    examples = {column.name: column.examples[0] if column.examples else "" for column in columns}
    return [_as_code(rule, examples[rule["column"]]) for rule in rules(columns, keys)]


def _as_code(rule: Mapping[str, Any], example: str) -> str:
    name = rule["column"]
    if "required" in rule:
        on_fail = "" if rule.get("on_fail") == "drop" else ', "warn"'
        return f'not_null("{name}"{on_fail})'
    if "one_of" in rule:
        listed = ", ".join(map(_quoted, rule["one_of"]))
        return f'in_set("{name}", ({listed}{"," if len(rule["one_of"]) == 1 else ""}))'
    if "matches" in rule:
        condition, said = f"{name} RLIKE '{rule['matches']}'", f"{name} is built as {example} is"
        return f"holds({_quoted(f'{name}_shaped')}, {_quoted(condition)}, {_quoted(said)})"
    low, high = rule["between"]
    if not isinstance(low, date):
        return f'between("{name}", {low}, {high})'
    condition = f"{name} BETWEEN DATE '{low}' AND DATE '{high}'"
    return f"holds({_quoted(f'{name}_plausible')}, {_quoted(condition)}, {_quoted(f'{name} is a day that can be')})"


def silver(
    columns: Sequence[ColumnProfile], keys: Keys, declared: Sequence[str] = (), changes: FoundChanges | None = None
) -> dict[str, Any]:
    """The section ``silver`` for a file: types that nearly all values have, or that the file declares; key; rules.
    Records that are changes are kept with all versions of the rows that they change.

    What cannot be decided stays text: days of which nobody knows whether the month comes first, and codes with leading
    zeros.
    """
    types = declared or [_type(column) for column in columns]
    typed = {column.name: kind for column, kind in zip(columns, types, strict=True)}
    typed = {name: kind for name, kind in typed.items() if kind != "string"}
    for column in columns:
        if EITHER in column.found.formats and not declared:
            del typed[column.name]
    key = list(keys.candidates[0]) if keys.candidates else []
    formats = {
        column.name: list(column.found.formats)
        for column in columns
        if typed.get(column.name) in ("date", "double") and column.found.formats not in ((), ("2019-09-30",))
    }
    separators = {c.name: c.found.separator for c in columns if c.found.separator not in (None, ",")}
    nulls = sorted({spelled for column in columns for spelled in column.nulls if spelled})
    kept = [rule for rule in rules(columns, keys) if rule["column"] in typed or "between" not in rule]
    grain = f"one {' and '.join(key)}" if key else "one record of a delivery"
    if changes:
        grain = f"one change of {grain}"
        kept = [rule for rule in kept if rule["column"] not in (changes.op, changes.sequence, *changes.about)]
    return {
        "grain": grain,
        **({"key": key} if key else {}),
        **({"types": typed} if typed else {}),
        **({"formats": formats} if formats else {}),
        **({"separators": separators} if separators else {}),
        **({"nulls": nulls} if nulls else {}),
        **({"changes": _changes(changes)} if changes else {}),
        **({"rules": kept} if kept else {}),
    }


def _changes(found: FoundChanges) -> dict[str, Any]:
    said: dict[str, Any] = {"op": found.op, "sequence": found.sequence, "keep": "history"}
    return {**said, "about": list(found.about)} if found.about else said


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
