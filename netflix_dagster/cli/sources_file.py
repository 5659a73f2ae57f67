"""A ``sources.yaml`` changed: an entry put in or taken out, every other byte of it as people wrote it.

What the file would say is read and judged before it is written, whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from netflix_dagster.landing.sources import Sources, SourcesError, load_sources
from netflix_dagster.storage import write

Judge = Callable[[Sources], None]
"""Raises ``ValueError`` when the sources cannot be used."""


def add(path: Path, entries: Mapping[str, str], judge: Judge) -> Sources:
    """Put entries behind the last ones of their groups (``feeds``, ``sources``): the lines of each, indented by two.

    Returns what the file says then. Raises ``SourcesError``, and leaves the file as it is, when it cannot be.
    """
    text = _read(path)
    for group, lines in entries.items():
        text = _with(path, text, group, lines)
    return _settle(path, text, judge)


def remove(path: Path, source: str, judge: Judge) -> Sources:
    """Take a source out, and its feed with the last of its sources."""
    text = _read(path)
    known = load_sources(path)
    feed = known.sources[source].feed
    text = _without(text, "sources", source)
    if len(known.of_feed(feed)) == 1:
        text = _without(text, "feeds", feed)
    return _settle(path, text, judge)


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SourcesError(f"{path}: cannot be read: {error}") from error


def _settle(path: Path, text: str, judge: Judge) -> Sources:
    """Write the file if what it would say can be used."""
    with tempfile.TemporaryDirectory() as folder:
        aside = Path(folder) / path.name
        aside.write_bytes(text.encode())
        try:
            sources = load_sources(aside)
            judge(sources)
        except ValueError as error:
            said = str(error).replace(str(aside), str(path))
            raise SourcesError(f"{said}\n{path} is as it was") from error
    write(path, text.encode())
    return sources


def _with(path: Path, text: str, group: str, lines: str) -> str:
    block = _group(text, group)
    if block is None or block.flow_style or not block.value:
        raise SourcesError(
            f"{path}: `{group}:` is no block with an entry a line, so nothing can be put behind its last"
        )
    indented = "\n".join(" " * (block.start_mark.column - 2) + line for line in lines.rstrip("\n").split("\n"))
    ends = text.split("\n")
    line = _last_line(block)
    before, after = ends[: line + 1], ends[line + 1 :]
    blank = [""] if group == "sources" else []
    carriage = "\r" if before[-1].endswith("\r") else ""
    new = [part + carriage for part in [*blank, *indented.split("\n")]]
    return "\n".join([*before, *new, *(after or [""])])


def _without(text: str, group: str, name: str) -> str:
    block = _group(text, group)
    assert block is not None
    (first, last) = next(
        (key.start_mark.line, _last_line(value)) for key, value in block.value if str(key.value) == name
    )
    lines = text.split("\n")
    while last + 1 < len(lines) and not lines[last + 1].strip() and first and not lines[first - 1].strip():
        last += 1  # of the blank lines around it one stays
    return "\n".join([*lines[:first], *lines[last + 1 :]])


def _group(text: str, group: str) -> yaml.MappingNode | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == group), None)
    return found if isinstance(found, yaml.MappingNode) else None


def _last_line(node: yaml.Node) -> int:
    """The line in which a node really ends: a block goes on to the next key, over blank lines and comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end: yaml.Mark = node.end_mark
    return int(end.line if end.column or end.line == node.start_mark.line else end.line - 1)
