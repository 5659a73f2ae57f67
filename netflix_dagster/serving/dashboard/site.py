"""The dashboard as files that any static host can serve, and that a browser opens from a folder.

A page from a folder may not fetch, so data are scripts: each calls ``dashboard.take(name, content)``. What is drawn,
and how, is in ``assets-<hash>/``; what it is drawn from, in ``data-<hash>/``: the hash is of the content. So a page
that somebody has open keeps its files while the next ones are written, ``index.html`` changes last and whole, and the
same content is written only once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from netflix_dagster import storage
from netflix_dagster.storage import Place

INDEX = "index.html"
PLOT_STYLE = "SgjNc3K/dJOn/wGF4KRGlSlGurHOsncfKxd6/DWDch4="
"""SHA-256 of the style sheet that Plot puts into every chart, so that no other inline style is allowed."""
_HASH = 12
_KEPT = 2
"""Generations of data that stay: the newest, and the one that open pages were made from."""
_OURS = re.compile(r"^(assets|data)-[0-9a-f]{12}$")
_SCRIPTS = {"vendor": ("d3.min.js", "plot.umd.min.js", "topojson-client.min.js")}


@dataclass(frozen=True, slots=True)
class Site:
    """What was written: where it opens, how many files and bytes, and whether anything had changed."""

    index: Place
    files: int
    size: int
    changed: bool


def write(folder: Place, chunks: Mapping[str, Any]) -> Site:
    """Write the dashboard of these chunks into a folder, and remove what no page needs any more."""
    assets = _assets()
    data = {f"{name}.js": script(name, content) for name, content in chunks.items()}
    assets_at, data_at = f"assets-{_hash(assets)}", f"data-{_hash(data)}"
    page = (
        assets.pop(INDEX)
        .decode()
        .replace("{plot_style}", PLOT_STYLE)
        .replace("{assets}", assets_at)
        .replace("{data}", data_at)
        .encode()
    )
    known = set(storage.folders(folder))
    changed = _read(folder / INDEX) != page
    for name, content in ((assets_at, assets), (data_at, data)):
        if name not in known or changed:
            for file, written in content.items():
                storage.write(folder / name / file, written)
    if changed:
        storage.write(folder / INDEX, page)
        _clear(folder, {assets_at, data_at}, known)
    size = sum(map(len, (*assets.values(), *data.values(), page)))
    return Site(folder / INDEX, len(assets) + len(data) + 1, size, changed)


def script(name: str, content: Any) -> bytes:
    """Content as a script. Nothing that a browser or an editor could take for markup is left in it."""
    said = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    for risky in ("<", ">", "&", "\u2028", "\u2029"):
        said = said.replace(risky, f"\\u{ord(risky):04x}")
    return f"dashboard.take({json.dumps(name)},{said});\n".encode("utf-8", "replace")


def _assets() -> dict[str, bytes]:
    """The page, its scripts and styles, and the libraries as they were published."""
    here = files(__package__)
    found = {file.name: file.read_bytes() for file in (here / "static").iterdir() if file.is_file()}
    for folder, names in _SCRIPTS.items():
        found |= {name: (here / folder / name).read_bytes() for name in names}
    shapes = json.loads((here / "vendor" / "countries-110m.json").read_bytes())
    return found | {"world.js": script("world", shapes)}


def _hash(content: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(content):
        digest.update(f"{name}\0{len(content[name])}\0".encode() + content[name])
    return digest.hexdigest()[:_HASH]


def _read(file: Place) -> bytes | None:
    try:
        return storage.read(file)
    except FileNotFoundError:
        return None


def _clear(folder: Place, needed: set[str], before: set[str]) -> None:
    """Remove the folders that neither this page nor the one before it needs."""
    for kind in ("assets", "data"):
        old = [name for name in before if _OURS.match(name) and name.startswith(kind) and name not in needed]
        old.sort(key=lambda name: storage.modified(folder / name))
        for name in old[: len(old) - (_KEPT - 1)] if len(old) >= _KEPT else ():
            storage.remove(folder / name)
