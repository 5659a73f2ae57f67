"""The objects of a database as numbered scripts: what people review, and what is applied.

A script runs in sqlcmd as it is, with the variables ``database`` and ``gold``; the first one in ``master``. Each batch
has one object, named above it. Programs read them from ``infra/synapse``, or from the package where it is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from netflix_dagster.serving.synapse import serverless
from netflix_dagster.serving.synapse.serverless import Kind, Object, Reader

CHECKOUT = Path(__file__).parents[3] / "infra" / "synapse" / "serverless"
PACKAGED = Path(__file__).parent / "scripts"
_HEAD = "-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.\n"
_BATCH = re.compile(r"-- (?P<kind>[a-z ]+): (?P<name>[^\n|]+?)(?: \| (?P<mark>[^\n]+))?\n(?P<make>.*)", re.DOTALL)


class ScriptError(ValueError):
    """A script is not one of those that were made here; the message says which and where."""


def written(readers: Sequence[Reader]) -> dict[str, str]:
    """The scripts, by the names of their files."""
    parts = {
        "01_database": serverless.database(),
        "02_files": serverless.files(readers),
        "03_schemas": serverless.schemas(),
        "04_gold": serverless.tables(readers),
        "05_metrics": serverless.metrics(),
        "06_information": serverless.information(),
        "07_roles": serverless.roles(readers),
        "08_grants": serverless.grants(readers),
    }
    return {f"{name}.sql": _HEAD + "".join(map(_batch, objects)) for name, objects in parts.items()}


def read(folder: Path | None = None) -> Iterator[tuple[str, Object]]:
    """The objects of the scripts of a folder in order, each with the file that it is in. Raises ``ScriptError``."""
    folder = folder or (CHECKOUT if CHECKOUT.exists() else PACKAGED)
    paths = sorted(folder.glob("*.sql"))
    if not paths:
        raise ScriptError(f"there are no scripts in {folder}: python -m infra.access synapse makes them")
    for path in paths:
        for batch in path.read_text().split("\nGO\n"):
            if said := batch.removeprefix(_HEAD).strip():
                yield path.name, _object(path, said)


def _batch(wanted: Object) -> str:
    mark = f" | {wanted.mark}" if wanted.mark else ""
    return f"\n-- {wanted.kind}: {wanted.name}{mark}\n{wanted.make};\nGO\n"


def _object(path: Path, batch: str) -> Object:
    found = _BATCH.fullmatch(batch)
    if found is None or not found["make"].endswith(";"):
        raise ScriptError(f"{path}: {batch[:80]!r} is no batch of an object. Nothing was run; make the scripts anew")
    return Object(cast(Kind, found["kind"]), found["name"], found["make"].removesuffix(";"), found["mark"] or "")
