"""The pages that people read, and their blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
_BLOCK = re.compile(r"^```([\w{}]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"\*Needs (.+): the test of these pages leaves it out\.\*")
_FILE = re.compile(r"<!-- (\S+) -->")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its language, its text, what it needs so that no test can run it, the name of the file that it is."""

    language: str
    text: str
    needs: str | None
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in order. A mark, or the name of a file, is the line before the block."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        above = text[: found.start()].rstrip().rsplit("\n", 1)[-1]
        mark, file = _MARK.fullmatch(above), _FILE.fullmatch(above)
        yield Block(found[1], found[2], mark and mark[1], file and file[1])
