"""Rows as the UI shows them: a Markdown table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 80
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_MARKS = re.compile(r"[\\`*_\[\]<>|!~&#]")


def as_markdown(rows: Sequence[Mapping[str, Any]], longest: int = LONGEST) -> str:
    """A table of some rows, long values cut short."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(_cell(row.get(name), longest) for name in names)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any, longest: int) -> str:
    """A value as text: what Markdown would take for a link, a picture, HTML or the end of the cell is escaped, since it
    may come from a delivered file."""
    text = "" if value is None else str(value)
    return _MARKS.sub(r"\\\g<0>", _CONTROLS.sub(" ", text)[:longest])
