"""What is said on stdout: a query's answer for people, programs and spreadsheets, and labelled lines."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 200
"""Rows that an answer for people shows; JSON and CSV have no such limit."""
LABEL = 12
"""Width of the labels of labelled lines."""
READABLE = 24
"""A column that has to be folded stays at least this wide; else each row is shown as a list of its values."""
GAP = 2
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows."""

_FORMULA = re.compile(
    "[\\s\\x00-\\x1f\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff]*[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20\\t\\r]"
)
"""The beginning of a text that a spreadsheet takes for a formula, whatever stands unseen before it."""


def item(console: Console, label: str, text: str, style: str = "") -> None:
    """A labelled line; in a terminal what is too long goes on below its beginning."""
    label = f"{label:<{LABEL - 1}} "
    width = console.width - len(label) if console.is_terminal else 0
    for place, line in enumerate(wrapped(text, width)):
        console.print(Text.assemble((" " * len(label) if place else label, style), line), soft_wrap=True)


def plural(number: int, one: str, many: str = "") -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def print_json(document: Any) -> None:
    """Print one JSON document; what JSON has no word for is a text, and a number that is none is null."""
    json.dump(_plain(document), sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def print_answer(answer: pa.Table, output: str) -> None:
    """Print a query's answer on stdout as ``table``, ``json`` or ``csv``."""
    names = list(_distinct(answer.column_names))
    if output == "json":
        rows = [_plain(dict(zip(names, row, strict=True))) for row in _rows(answer)]
        sys.stdout.write("[" + ",\n ".join(json.dumps(row, ensure_ascii=False) for row in rows) + "]\n")
    elif output == "csv":
        writer = csv.writer(_Lines())
        writer.writerow(map(for_spreadsheets, names))
        writer.writerows([for_spreadsheets(value) for value in row] for row in _rows(answer))
    else:
        _for_people(answer, names)


class _Lines:
    """Takes the lines of a CSV and ends them with a line feed. The writer ends them with CR LF: so it puts quotes about
    a cell that holds either."""

    def write(self, line: str) -> int:
        return sys.stdout.write(line.removesuffix("\r\n") + "\n")


def for_spreadsheets(value: Any) -> Any:
    """A value of a CSV. A text that a spreadsheet would take for a formula begins with an apostrophe, as in the
    dashboard: it may come from a delivered file. JSON has every text as it is."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else _plain(value, text=True)


def _rows(answer: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in answer.columns), strict=True)


def _distinct(names: Sequence[str]) -> Iterator[str]:
    """Column names, of which SQL allows the same twice: the second is ``name_2``."""
    taken: set[str] = set()
    for name in names:
        number, new = 2, name
        while new in taken or (new != name and new in names):
            new, number = f"{name}_{number}", number + 1
        taken.add(new)
        yield new


def _plain(value: Any, text: bool = False) -> Any:
    """A value as JSON knows it; with ``text`` what is no scalar as text."""
    if isinstance(value, bool):
        return str(value).lower() if text else value
    if isinstance(value, float):
        return value if math.isfinite(value) or text else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal) and not text:
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        found: Any = {str(key): _plain(entry) for key, entry in value.items()}
        return json.dumps(found, ensure_ascii=False) if text else found
    if isinstance(value, list | tuple):
        found = [_plain(entry) for entry in value]
        return json.dumps(found, ensure_ascii=False) if text else found
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _for_people(answer: pa.Table, names: list[str]) -> None:
    import pyarrow.types as types

    console = Console(highlight=False)
    rows = [tuple(_cell(value) for value in row) for row in _rows(answer.slice(0, MOST_ROWS))]
    widths = [max(map(_width, column)) for column in zip(names, *rows, strict=True)]
    right = [types.is_integer(t) or types.is_floating(t) or types.is_decimal(t) for t in answer.schema.types]
    needed = sum(widths) + GAP * (len(names) - 1)
    if not console.is_terminal:
        console.width = max(needed, console.width)
    if needed <= console.width or _folds(widths, console.width):
        _as_table(names, rows, right, console)
    else:
        _as_records(names, rows, console)
    more = f", the first {MOST_ROWS} shown; --format csv has all" if answer.num_rows > MOST_ROWS else ""
    console.print(f"[dim]{plural(answer.num_rows, 'row')}{more}[/dim]")


def _as_table(names: list[str], rows: list[tuple[str, ...]], right: list[bool], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for name, number in zip(names, right, strict=True):
        table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _as_records(names: list[str], rows: list[tuple[str, ...]], console: Console) -> None:
    """Every row as a list of its values, as ``psql`` does when a table is too wide."""
    label = max(map(_width, names)) + GAP
    for number, row in enumerate(rows, 1):
        console.print(Text(f"row {number}", style="bold"))
        for name, value in zip(names, row, strict=True):
            for place, line in enumerate(wrapped(value, max(20, console.width - label))):
                shown = "" if place else name
                console.print(Text.assemble((shown + " " * (label - cell_len(shown)), "dim"), line), soft_wrap=True)


def _folds(widths: list[int], width: int) -> bool:
    """Whether folding the wide columns, and no more than three of them, makes the table fit and stay readable."""
    wide = [column for column in widths if column > READABLE]
    narrow = sum(column for column in widths if column <= READABLE) + GAP * (len(widths) - 1)
    return len(wide) <= 3 and narrow + READABLE * len(wide) <= width


def _cell(value: Any) -> str:
    return visible("" if value is None else str(_plain(value, text=True)))


def visible(text: str) -> str:
    """The text with characters that steer a terminal shown, not obeyed: it may come from a delivered file."""
    return "".join(c.encode("unicode_escape").decode() if _steers(c) else c for c in text)


def _steers(character: str) -> bool:
    return character != "\n" and (unicodedata.category(character) == "Cc" or character in BIDI)


def _width(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, those that are too long folded between words; what is labelled goes on below itself."""
    lines: list[str] = []
    for line in visible(text).split("\n"):
        label = re.match(r"\s+\S+\s+", line)
        hang = " " * (label.end() if label else 0)
        short = width <= 0 or cell_len(line) <= width
        lines += (
            [line]
            if short
            else textwrap.wrap(line, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False)
        )
    return lines
