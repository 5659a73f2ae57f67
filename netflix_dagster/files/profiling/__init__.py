"""Profiles an unknown file: what it holds, what is odd about it, which source it resembles, and which entry of
``sources.yaml`` would make the platform take it. It writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from netflix_dagster.files.profiling import proposal
from netflix_dagster.files.profiling.changes import FoundChanges, found_changes
from netflix_dagster.files.profiling.columns import ColumnProfile, Oddity, profile_column
from netflix_dagster.files.profiling.keys import Keys, candidate_keys
from netflix_dagster.files.profiling.likeness import Delivered as Known
from netflix_dagster.files.profiling.likeness import Likeness, likenesses
from netflix_dagster.files.profiling.reading import MOST_BYTES, Delivered, Unreadable, read
from netflix_dagster.landing.sources import Sources

__all__ = ["Profile", "Unreadable", "profile"]


@dataclass(frozen=True)
class Profile:
    """Everything that was found out about a file. ``door`` is why the door would refuse it, with the proposal in
    ``sources.yaml``; None when the door would take it."""

    delivered: Delivered
    columns: tuple[ColumnProfile, ...]
    keys: Keys
    oddities: tuple[Oddity, ...]
    likenesses: tuple[Likeness, ...]
    name: str
    document: dict[str, Any]
    expectations: tuple[str, ...]
    contract_columns: tuple[str, ...]
    door: str | None

    @property
    def like(self) -> Likeness | None:
        """The source that the file resembles most."""
        return self.likenesses[0] if self.likenesses else None

    @property
    def yaml(self) -> str:
        return proposal.as_yaml(self.document)


def profile(
    path: Path,
    sources: Sources,
    most_bytes: int = MOST_BYTES,
    new: str | None = None,
    known_values: Known | None = None,
    key: Sequence[str] = (),
) -> Profile:
    """Look at a file. Raises ``Unreadable`` when it has no rows and columns.

    ``new`` is the name of the source that it shall be of, whatever other source it looks like; then the proposal is
    complete, with a feed and a silver table of its own. ``known_values`` are what sources delivered before: by them a
    column that was renamed is recognised. ``key`` are the columns, as delivered, that identify a row, if that is known.
    """
    delivered = read(path, most_bytes)
    if not delivered.rows:
        raise Unreadable(f"{path} has a header and no record below it; ask for the delivery again")
    if delivered.header_line is not None and not any(delivered.header):
        raise Unreadable(f"{path}: line {delivered.header_line} should name the columns, and names none")
    values = {
        name: frozenset(column)
        for name, column in zip(delivered.header, zip(*delivered.rows, strict=True), strict=True)
    }
    like = likenesses(delivered.header, sources, values, known_values)
    known = like[0] if like and new is None else None
    names = proposal.canonical_names(delivered.header, known)
    declared_types = delivered.types or (None,) * len(names)
    looked = [
        profile_column(name, header, values, delivered.lines, declared)
        for name, header, values, declared in zip(
            names, delivered.header, zip(*delivered.rows, strict=True), declared_types, strict=True
        )
    ]
    columns = tuple(column for column, _ in looked)
    keys = candidate_keys(columns, delivered.rows)
    oddities = [*_of_file(delivered, keys), *(oddity for _, found in looked for oddity in found)]
    name, entry = proposal.source_entry(delivered, columns, known, sources)
    if new is not None:
        changes = found_changes(delivered, columns)
        known_key = _known_key(key, columns, path) or (changes.key if changes else ())
        keys = replace(keys, candidates=(known_key, *keys.candidates)) if known_key else keys
        oddities += _of_changes(changes, known_key) if changes else []
        said = proposal.silver(columns, keys, delivered.types, changes if known_key else None)
        name, entry = new, {**entry, "feed": new, "silver": said}
    document = proposal.document(name, entry, sources)
    _, source = proposal.as_source(name, document)
    return Profile(
        delivered=delivered,
        columns=columns,
        keys=keys,
        oddities=tuple(oddities),
        likenesses=tuple(like),
        name=name,
        document=document,
        expectations=tuple(proposal.expectations(columns, keys)),
        contract_columns=tuple(proposal.contract_columns(columns)),
        door=proposal.door(delivered, source) if delivered.whole else None,
    )


def _of_changes(found: FoundChanges, key: tuple[str, ...]) -> list[Oddity]:
    kept = "every version of each row is kept; `keep: current` keeps the rows as they are now"
    meaning = kept if key else "what identifies a row cannot be told from them: say --key, else they stay as they came"
    example = f"{found.op}, in the order of {found.sequence}"
    return [Oddity(found.op, "the records are changes of rows", 0, None, example, meaning)]


def _known_key(key: Sequence[str], columns: Sequence[ColumnProfile], path: Path) -> tuple[str, ...]:
    """The canonical names of columns that are told by their headers or by their canonical names."""
    names = {**{column.name: column.name for column in columns}, **{column.header: column.name for column in columns}}
    if lacking := [name for name in key if name not in names]:
        raise Unreadable(f"{path} has no column {', '.join(lacking)} for its key; its columns are {', '.join(names)}")
    return tuple(names[name] for name in key)


def as_json(found: Profile) -> dict[str, Any]:
    """The profile as one JSON document."""
    file = found.delivered
    return {
        "file": {
            "path": str(file.path),
            "bytes": file.size,
            "whole": file.whole,
            "is": file.kind,
            "encoding": file.encoding,
            "byte_order_mark": file.bom,
            "delimiter": file.delimiter,
            "line_ending": file.line_ending,
            "header_line": file.header_line,
            "rows": len(file.rows),
        },
        "columns": [_column(column) for column in found.columns],
        "keys": asdict(found.keys),
        "oddities": [asdict(oddity) for oddity in found.oddities],
        "sources": [{**asdict(like), "verdict": like.verdict} for like in found.likenesses],
        "proposal": {
            "name": found.name,
            "sources": found.document,
            "yaml": found.yaml,
            "columns": found.contract_columns,
            "expectations": found.expectations,
            "refused_by_the_door": found.door,
        },
    }


def _column(column: ColumnProfile) -> dict[str, Any]:
    fields = asdict(column)
    return {
        **{key: fields[key] for key in ("name", "header")},
        **fields["found"],
        "null_share": round(column.null_share, 6),
        **{key: fields[key] for key in ("nulls", "distinct", "values", "pattern", "longest", "examples")},
    }


def _of_file(delivered: Delivered, keys: Keys) -> list[Oddity]:
    """What is odd about the file as a whole."""
    odd: list[Oddity] = []
    if delivered.header_line is None:
        meaning = "the first record is data; the door needs a header: ask for one, or put one above"
        odd.append(Oddity(None, "no header", 0, delivered.lines[0], delivered.rows[0][0], meaning))
    elif delivered.header_line > 1 and delivered.sheet is None:
        meaning = "the header is not in the first line; the door needs it there"
        odd.append(Oddity(None, "preamble", 0, delivered.header_line, delivered.header[0], meaning))
    twice = [name for name, count in Counter(name.lower() for name in delivered.header if name).items() if count > 1]
    if delivered.more_sheets:
        meaning = "not in this profile; the reader takes every sheet with the header"
        odd.append(Oddity(None, "more sheets", 0, None, ", ".join(delivered.more_sheets), meaning))
    if twice:
        odd.append(Oddity(None, "column name twice", 0, delivered.header_line, twice[0], "which of them counts?"))
    if delivered.header_line is not None and "" in delivered.header:
        place = f"column {delivered.header.index('') + 1}"
        odd.append(Oddity(None, "column without a name", 0, delivered.header_line, place, "kept in rescued_data"))
    if delivered.ragged:
        line, fields = delivered.ragged[0]
        example = f"{fields} fields where the header has {len(delivered.header)}"
        meaning = "a separator inside a value needs quotes; the rows are not in this profile"
        odd.append(Oddity(None, "uneven rows", len(delivered.ragged), line, example, meaning))
    if delivered.broken:
        line, reason = delivered.broken[0]
        meaning = "a quote inside a quoted value is written twice; the rows are not in this profile"
        odd.append(Oddity(None, "misplaced quotes", len(delivered.broken), line, reason, meaning))
    if keys.repeated_rows:
        odd.append(Oddity(None, "repeated rows", keys.repeated_rows, None, "", "the same row again, value by value"))
    if " and " in delivered.line_ending:
        odd.append(
            Oddity(None, "mixed line endings", 0, None, delivered.line_ending, "was it put together from parts?")
        )
    if delivered.encoding not in ("utf-8", "xlsx"):
        odd.append(Oddity(None, "not UTF-8", 0, None, delivered.encoding, "the door reads UTF-8: save it so"))
    return odd
