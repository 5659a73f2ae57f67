"""A query's answer for people (a table), for programs (JSON) and for spreadsheets (CSV)."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 200
"""Rows that a table for people shows; JSON and CSV have no such limit."""


def print_table(answer: pa.Table, output: str) -> None:
    """Print the answer on stdout as ``table``, ``json`` or ``csv``."""
    if output == "json":
        json.dump(answer.to_pylist(), sys.stdout, default=str, ensure_ascii=False)
        sys.stdout.write("\n")
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.column_names)
        writer.writerows(row.values() for row in answer.to_pylist())
    else:
        _for_people(answer)


def _for_people(answer: pa.Table) -> None:
    import pyarrow.types as types

    table = Table(show_edge=False, pad_edge=False)
    for field in answer.schema:
        table.add_column(field.name, justify="right" if types.is_integer(field.type) else "left", overflow="fold")
    for row in answer.slice(0, MOST_ROWS).to_pylist():
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    console = Console(highlight=False)
    console.print(table)
    more = answer.num_rows - MOST_ROWS
    console.print(
        f"{answer.num_rows:,} rows" + (f", the first {MOST_ROWS} shown; --format csv has all" if more > 0 else "")
    )
