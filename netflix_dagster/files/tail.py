"""Decides whether a file without a final line break was cut short: by its last value and the others of the column."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

NEEDS = 50
"""A file of fewer records shows too little of its columns to judge its last value by them."""
_MOST_KINDS = 100_000
"""Up to so many different values are kept; of more only their hashes, because the file may be of any size."""


class Others:
    """Statistics of the values of a column so far, in as much memory as their hashes need."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.count = self.empty = self.sentences = 0
        self.lengths: Counter[int] = Counter()
        self.kinds: set[str] = set()
        self.hashes: array[int] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        values = list(values)
        filled = [value for value in values if value]
        self.count += len(values)
        self.empty += len(values) - len(filled)
        self.lengths.update(len(value) for value in filled if value.isdigit())
        self.sentences += sum(not value[-1].isalnum() for value in filled)
        if self.hashes is None:
            self.kinds.update(values)
            if len(self.kinds) > _MOST_KINDS:
                self.hashes = array("q", map(hash, self.kinds))
                self.kinds.clear()
        else:
            self.hashes.extend(map(hash, values))

    def different(self) -> int:
        """How many different values there are."""
        if self.hashes is None:
            return len(self.kinds)
        import pyarrow as pa
        import pyarrow.compute as pc

        held = pa.Array.from_buffers(pa.int64(), len(self.hashes), [None, pa.py_buffer(self.hashes)])
        return int(pc.count_distinct(held).as_py())

    def __contains__(self, value: str) -> bool:
        return value in self.kinds if self.hashes is None else hash(value) in self.hashes

    def cut(self, value: str) -> bool:
        """Whether ``value`` seems to be a part of a value: half a word of a list, half a number, half a sentence."""
        if not value:
            return self.empty <= self.count // 50
        if value in self:
            return False
        if self.different() <= self.count // 20:
            return any(other.startswith(value) for other in self.kinds)
        filled = self.count - self.empty
        if not filled:
            return False
        numbers = self.lengths.total()
        if numbers > 0.95 * filled:
            usual = [length for length, count in self.lengths.items() if count > 0.02 * numbers]
            return len(value) not in usual and len(value) < max(usual, default=0)
        return self.sentences > 0.9 * filled and (value[-1].isalnum() or value[-1] in " ,-")


def looks_cut(value: str, others: Sequence[str]) -> bool:
    """Whether ``value`` seems to be cut, beside the others of its column."""
    return Others(others).cut(value)
