"""What changed in the columns of a file since the one before, a second time: from their texts."""

from __future__ import annotations

import csv
import io
import random
import re
from dataclasses import dataclass

KNOWN = {"show_id": (), "title": ("name",), "hours": ("hours viewed",), "note": ()}
"""Columns that the source knows, and how they may be called as well."""
UNKNOWN = ("note_a", "wobble", "Qty", "hours-seen", "z", "added on")
KINDS = {
    "integer": lambda author: str(author.randint(0, 10**6)),
    "decimal": lambda author: f"{author.randint(0, 999)}.{author.randint(1, 9)}",
    "boolean": lambda author: author.choice(("true", "false")),
    "text": lambda author: (
        author.choice(("Heron", "Clock", "Barge", "Salt")) + " of " + str(author.randint(0, 99)) + "x"
    ),
    "date like 2019-09-30": lambda author: f"2019-09-{author.randint(10, 30)}",
}
ENOUGH, MANY, JUMP = 5, 20, 0.25


@dataclass(frozen=True)
class Column:
    """One column of a file: its header, its kind, and how its records are filled."""

    header: str
    kind: str
    records: int
    filled: int

    @property
    def empty(self) -> float:
        return round((self.records - self.filled) / self.records, 4)


def file(author: random.Random) -> tuple[bytes, dict[str, Column]]:
    """A file written at random, and its columns by what they are called in the end."""
    called = {name: author.choice((name, name.upper(), *others)) for name, others in KNOWN.items()}
    if author.random() < 0.4:
        del called["note"]
    called |= {re.sub(r"[\s\-]", "_", h.lower()): h for h in author.sample(UNKNOWN, author.choice((0, 1, 1, 2)))}
    names = author.sample(list(called), len(called))
    count = author.choice((3, 7, 30, 60))
    columns = {}
    cells = []
    for name in names:
        kind = author.choice(list(KINDS)) if author.random() < 0.4 else "integer"
        share = author.choice((1, 1, 0.8, 0.5, 0))
        values = [KINDS[kind](author) if author.random() < share or name == "show_id" else "" for _ in range(count)]
        filled = sum(map(bool, values))
        columns[name] = Column(called[name], kind if filled else "nothing", count, filled)
        cells.append(values)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([[called[name] for name in names], *zip(*cells, strict=True)])
    return text.getvalue().encode(), columns


def renamed(before: dict[str, Column], now: dict[str, Column]) -> set[str]:
    """The columns that stayed and came under another header."""

    def folded(header: str) -> str:
        return re.sub(r"[\s\-]", "_", header.lower())

    both = before.keys() & now.keys()
    others = {name for name in both if folded(before[name].header) != folded(now[name].header)}
    return {f"{now[name].header} (was {before[name].header})" for name in others}


def retyped(before: Column, now: Column) -> bool:
    told = min(before.filled, now.filled) >= ENOUGH
    return told and before.kind != now.kind and "nothing" not in (before.kind, now.kind)


def emptied(before: Column, now: Column) -> bool:
    return min(before.records, now.records) >= MANY and abs(before.empty - now.empty) >= JUMP
