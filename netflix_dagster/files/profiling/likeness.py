"""Finds the source that an unknown file resembles most, so that it recognises a feed whose columns were renamed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netflix_dagster.landing.sources import Source, Sources, fold_header

LIKE = 0.5
"""From this likeness on a file counts as a delivery of the source, perhaps with renamed columns."""
_SIMILAR = 0.7


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well a file's header fits a source's columns. ``known``: header -> column, by name or alias; ``renamed``:
    header -> the column that it seems to be; ``absent`` are columns of the source that the file does not bring."""

    source: str
    score: float
    known: Mapping[str, str]
    renamed: Mapping[str, str]
    new: tuple[str, ...]
    absent: tuple[str, ...]
    required_absent: tuple[str, ...]

    @property
    def verdict(self) -> Literal["same", "renamed", "other"]:
        """same: the source takes the file as it is; renamed: it will with these aliases; other: another source."""
        if not self.required_absent and self.score >= LIKE:
            return "same"
        return "renamed" if self.score >= LIKE and self.renamed else "other"


def likenesses(header: Sequence[str], sources: Sources) -> list[Likeness]:
    """Every source that has a column in common with the file, most alike first."""
    found = [_likeness([name for name in header if name], source) for source in sources.sources.values()]
    return sorted((like for like in found if like.score > 0), key=lambda like: (-like.score, -len(like.known)))


def _likeness(header: Sequence[str], source: Source) -> Likeness:
    known: dict[str, str] = {}
    for name in header:
        column = source.canonical(name)
        if column is not None and column not in known.values():
            known[name] = column
    absent = [column for column in source.columns if column not in known.values() and column not in source.filled]
    renamed = _renamed([name for name in header if name not in known], absent, source)
    # A guess counts half: a file that shares nothing by name is not recognised by guesses alone.
    shared = len(known) + len(renamed) / 2
    wanted = [column for column in absent if source.columns[column].required and column not in renamed.values()]
    every = len(header) + len(wanted)
    return Likeness(
        source=source.name,
        score=round(shared / every, 3) if every else 0.0,
        known=known,
        renamed=renamed,
        new=tuple(name for name in header if name not in known and name not in renamed),
        absent=tuple(column for column in absent if column not in renamed.values()),
        required_absent=tuple(column for column in absent if source.columns[column].required),
    )


def _renamed(headers: Sequence[str], absent: Sequence[str], source: Source) -> dict[str, str]:
    """Headers that name no column, with the columns that they seem to be, the most similar pairs first."""
    pairs = sorted((-_similar(header, column, source), header, column) for header in headers for column in absent)
    found: dict[str, str] = {}
    for unlike, header, column in pairs:
        if -unlike >= _SIMILAR and header not in found and column not in found.values():
            found[header] = column
    return found


def _similar(header: str, column: str, source: Source) -> float:
    """How similar a header is to a column or one of its aliases; all words of one in the other weigh much."""
    folded = fold_header(header)
    best = 0.0
    for name in (column, *source.columns[column].aliases):
        other = fold_header(name)
        ratio = difflib.SequenceMatcher(None, folded, other).ratio()
        words, theirs = set(folded.split("_")), set(other.split("_"))
        if words <= theirs or theirs <= words:
            ratio = max(ratio, 0.75)
        best = max(best, ratio)
    return best
