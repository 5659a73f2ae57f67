"""Which columns of an unknown file identify its rows: alone, in pairs, in triples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from netflix_dagster.files.profiling.columns import ColumnProfile

MOST = 5
"""The candidates of each size that a profile names, at most."""
_SAMPLE = 2_000
"""The first rows, by which most combinations are ruled out: a key that repeats among them is none."""
_MOST_COLUMNS = 20
_LONGEST = 200
"""Longer values are prose: they identify rows, but nobody would join by them."""
NEARLY = 0.995


@dataclass(frozen=True, slots=True)
class Keys:
    """``candidates`` identify every row once exact repeats are gone, shortest first; ``nearly`` are columns that
    identify all but a few rows, with the number of those."""

    candidates: tuple[tuple[str, ...], ...]
    nearly: tuple[tuple[str, int], ...]
    repeated_rows: int


def candidate_keys(columns: Sequence[ColumnProfile], rows: Sequence[tuple[str, ...]]) -> Keys:
    """Find keys among the columns that are filled in every row. ``columns`` are in the order of ``rows``."""
    different = list(dict.fromkeys(rows))
    repeated = len(rows) - len(different)
    if len(different) < 2:
        return Keys((), (), repeated)
    usable = [
        place
        for place, column in enumerate(columns)
        if column.filled == column.rows and column.longest <= _LONGEST and column.found.kind not in ("decimal", "list")
    ]
    usable.sort(key=lambda place: -columns[place].distinct)
    found: list[tuple[int, ...]] = []
    for size in (1, 2, 3):
        fresh = usable[: _MOST_COLUMNS if size > 1 else None]
        new = [c for c in combinations(fresh, size) if not any(set(key) <= set(c) for key in found)]
        # The key with the fewest combinations to spare is the one that was meant: week, category, rank.
        new.sort(key=lambda c: _combinations(c, columns))
        fit = (c for c in new if _combinations(c, columns) >= len(different) and _apart(c, different))
        found += list(islice(fit, MOST))
    named = tuple(tuple(columns[place].name for place in sorted(key)) for key in found)
    return Keys(named, tuple(_nearly(found, columns, different)), repeated)


def _combinations(key: tuple[int, ...], columns: Sequence[ColumnProfile]) -> int:
    """How many different keys the columns could make."""
    return math.prod(columns[place].distinct for place in key)


def _apart(key: tuple[int, ...], rows: Sequence[tuple[str, ...]]) -> bool:
    sample = rows[:_SAMPLE]
    return _distinct(key, sample) == len(sample) and _distinct(key, rows) == len(rows)


def _distinct(key: tuple[int, ...], rows: Sequence[tuple[str, ...]]) -> int:
    return len({tuple([row[place] for place in key]) for row in rows})


def _nearly(
    found: Sequence[tuple[int, ...]], columns: Sequence[ColumnProfile], rows: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, int]]:
    if len(rows) <= 100 or any(len(key) == 1 for key in found):
        return
    for column in columns:
        fit = column.longest <= _LONGEST and column.found.kind not in ("decimal", "list")
        if fit and NEARLY * len(rows) <= column.distinct < len(rows):
            yield column.name, len(rows) - column.distinct
