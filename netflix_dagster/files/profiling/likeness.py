"""Finds the source that an unknown file resembles most, so that it recognises a feed whose columns were renamed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netflix_dagster.landing.sources import Source, Sources, fold_header

LIKE = 0.5
"""From this likeness on a file counts as a delivery of the source, perhaps with renamed columns."""
_SIMILAR = 0.7
_LOOKED_INTO = 3
"""Of so many sources, the most alike by name, the values are looked at."""
_COMMON, _SHARED = 3, 0.5
"""A column holds what another held when it has so many values of it, and this share of all that one of them has."""


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


Values = Mapping[str, frozenset[str]]
"""Some different values of each column."""
Delivered = Callable[[str], Values]
"""The values of the columns of a source, as it delivered them last; nothing when it has delivered nothing."""


def likenesses(
    header: Sequence[str], sources: Sources, values: Values | None = None, delivered: Delivered | None = None
) -> list[Likeness]:
    """Every source that has a column in common with the file, most alike first.

    With the ``values`` of the file and what sources ``delivered``, a column that is not known by its name is also
    known by what it holds.
    """
    names = [name for name in header if name]
    found = _sorted(_likeness(names, source, {}) for source in sources.sources.values())
    if values is None or delivered is None:
        return found
    for like in [like for like in found[:_LOOKED_INTO] if like.new and like.absent]:
        source = sources.sources[like.source]
        if fit := _fitting(like.new, like.absent, values, delivered(source.name)):
            found[found.index(like)] = _likeness(names, source, fit)
    return _sorted(found)


def _sorted(found: Iterable[Likeness]) -> list[Likeness]:
    return sorted((like for like in found if like.score > 0), key=lambda like: (-like.score, -len(like.known)))


def _fitting(headers: Sequence[str], absent: Sequence[str], values: Values, before: Values) -> dict[str, str]:
    """Headers and the columns of which they hold the values, those that share most first."""
    shares = []
    for header in headers:
        for column in absent:
            mine, theirs = values.get(header, frozenset()), before.get(column, frozenset())
            common, least = len(mine & theirs), min(len(mine), len(theirs))
            if common >= _COMMON and common >= _SHARED * least:
                shares.append((-common / least, -common, header, column))
    found: dict[str, str] = {}
    for _, _, header, column in sorted(shares):
        if header not in found and column not in found.values():
            found[header] = column
    return found


def _likeness(header: Sequence[str], source: Source, fit: Mapping[str, str]) -> Likeness:
    known: dict[str, str] = {}
    for name in header:
        column = source.canonical(name)
        if column is not None and column not in known.values():
            known[name] = column
    absent = [column for column in source.columns if column not in known.values() and column not in source.filled]
    unknown = [name for name in header if name not in known and name not in fit]
    guessed = _renamed(unknown, [column for column in absent if column not in fit.values()], source)
    renamed = {**fit, **guessed}
    # A guess counts half: a file that shares nothing by name is not recognised by guesses alone.
    shared = len(known) + len(fit) + len(guessed) / 2
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
