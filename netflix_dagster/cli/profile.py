"""``netflix-dagster profile FILE``: what an unknown file holds, and the entry of ``sources.yaml`` that takes it.

For people the whole answer is YAML: the entry, with everything else that was found out as comments around it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netflix_dagster.cli.output import plural
from netflix_dagster.cli.trouble import WrongCall
from netflix_dagster.files.profiling import Profile, Unreadable, as_json, profile
from netflix_dagster.files.profiling.proposal import printable
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from netflix_dagster.landing.sources import Sources

MOST_ODD = 40
LONGEST = 60


def profile_file(file: Path, settings: Settings, megabytes: int) -> Profile:
    """The profile of a file. Raises ``WrongCall`` when there are no rows and columns in it."""
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources)
    try:
        return profile(file, sources, megabytes * 1024 * 1024, known_values=partial(_delivered_last, settings, sources))
    except Unreadable as error:
        raise WrongCall(str(error)) from error


def _delivered_last(settings: Settings, sources: Sources, source: str) -> dict[str, frozenset[str]]:
    """Values of the columns of a source, from the beginning of its newest file in landing; nothing without one."""
    from netflix_dagster.files.reading import open_file
    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.storage import StorageError

    try:
        listing = list_landing(settings.landing, sources, [source])
        if not listing.deliveries:
            return {}
        with open_file(listing.deliveries[-1].files[0].path, sources.sources[source]) as reading:
            batch = next(iter(reading), None)
    except StorageError:
        return {}
    if batch is None:
        return {}
    columns = sources.sources[source].columns
    return {
        name: frozenset(value for value in batch.column(name).unique().to_pylist() if value is not None)
        for name in columns
    }


def as_document(found: Profile) -> dict[str, Any]:
    """The profile as the one JSON document of ``--json``."""
    return as_json(found)


def print_profile(found: Profile) -> None:
    """Print the proposal as YAML that can be used as it is, and what it rests on as comments."""
    above = [*_file(found), "", *_columns(found), "", *_keys(found), "", *_oddities(found), "", *_source(found)]
    below = [
        "expectations of a silver table, to be judged by who knows the data (lake/contract.py):",
        "",
        *(f"    {line}," for line in found.expectations),
        "",
        "and its columns:",
        "",
        *(f"    {line}," for line in found.contract_columns),
    ]
    for line in above:
        _comment(line)
    sys.stdout.write("\n" + found.yaml + "\n")
    for line in below:
        _comment(line)


def _comment(line: str) -> None:
    sys.stdout.write(f"# {printable(line)}".rstrip() + "\n")


def _file(found: Profile) -> Iterator[str]:
    file = found.delivered
    rows = plural(len(file.rows), "row")
    yield f"{file.path.name}: {file.kind}, {rows}, {plural(len(found.columns), 'column')}"
    if not file.whole:
        yield f"only the first {len(file.data):,} of {file.size:,} bytes were looked at (--megabytes looks further)"


def _columns(found: Profile) -> Iterator[str]:
    table = [("column", "is", "empty", "distinct", "nothing is spelled", "holds")]
    for column in found.columns:
        nulls = ", ".join(f"{spelled!r} {count:,}" for spelled, count in column.nulls.items())
        holds = column.says if not column.pattern else f"{column.says}, built as {column.pattern}"
        share = f"{column.null_share:.1%}" if column.filled < column.rows else ""
        table.append((column.name, column.found.kind, share, f"{column.distinct:,}", nulls, holds))
    yield from _aligned(table)


def _aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    shown = [[printable(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _keys(found: Profile) -> Iterator[str]:
    keys = [f"({', '.join(key)})" for key in found.keys.candidates]
    yield f"tells the rows apart: {' or '.join(keys) or 'no column, pair or triple that is filled in every row'}"
    for column, rows in found.keys.nearly:
        yield f"nearly: {column}, but for {plural(rows, 'row')} that repeat it or lack it"


def _oddities(found: Profile) -> Iterator[str]:
    yield "to be looked at:" if found.oddities else "nothing odd was found"
    for oddity in found.oddities[:MOST_ODD]:
        rows = f", {plural(oddity.rows, 'row')}" if oddity.rows else ""
        place = "row" if found.delivered.format in ("xlsx", "parquet") else "line"
        line = f", {place} {oddity.line}" if oddity.line else ""
        example = oddity.example if len(oddity.example) <= LONGEST else oddity.example[: LONGEST - 1] + "…"
        said = f" {example!r}" if example else ""
        yield f"  {oddity.column or 'the file'}: {oddity.what}{rows}{line}{said}: {oddity.meaning}"
    if len(found.oddities) > MOST_ODD:
        yield f"  and {len(found.oddities) - MOST_ODD} more (--json tells all)"


def _source(found: Profile) -> Iterator[str]:
    like = found.like
    if like is None:
        yield "no known source has a column of this name: a new source"
    elif like.verdict == "same":
        yield f"this is {like.source}: land it with --source {like.source}; its entry as it stands:"
    elif like.verdict == "renamed":
        yield f"this seems to be {like.source} with other column names; its entry with them added:"
    else:
        yield f"a new source; most like {like.source}, {like.score:.0%} of the columns in common"
    if like is not None and like.verdict != "other":
        yield from (f"  {header!r} seems to be {column}" for header, column in like.renamed.items())
        if like.new:
            yield f"  new columns, optional below: {', '.join(like.new)}"
        if like.absent:
            yield f"  columns that this file does not bring: {', '.join(like.absent)}"
    if found.door:
        yield f"even so the door would refuse this file: {found.door}"
    elif found.delivered.whole:
        yield "the door takes the whole file with this entry"
