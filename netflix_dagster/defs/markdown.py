"""Rows as the UI shows them: a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 80


def as_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of some rows, long values cut short."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(row.get(name)) for name in names)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", " ").replace("\n", " ")[:LONGEST]
