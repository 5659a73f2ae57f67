"""``netflix-dagster synapse``: what Synapse has, compared with the scripts, and brought up to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from netflix_dagster.azure.identity import IdentityError
from netflix_dagster.cli.output import item, plural
from netflix_dagster.cli.trouble import Failed
from netflix_dagster.serving.synapse.applying import Plan
from netflix_dagster.serving.synapse.pool import Loaded
from netflix_dagster.serving.synapse.server import SynapseError


@contextmanager
def asked() -> Iterator[None]:
    """Around work on Synapse: what it refuses is said in a sentence."""
    try:
        yield
    except (SynapseError, IdentityError) as error:
        raise Failed(str(error)) from error


def as_document(plan: Plan) -> dict[str, Any]:
    """A plan for programs."""
    steps = [
        {"do": step.do, "kind": step.what.kind, "name": step.what.name, "script": step.script or None}
        for step in plan.steps
    ]
    return {"steps": steps, "unchanged": plan.unchanged}


def print_plan(plan: Plan, console: Console) -> None:
    """A plan for people."""
    for step in plan.steps:
        item(console, step.do, f"{step.what.kind} {step.what.name}", "red" if step.do == "drop" else "green")
    item(console, "unchanged", plural(plan.unchanged, "object"))


def print_loaded(tables: list[Loaded], console: Console) -> None:
    for table in tables:
        item(console, "loaded", f"{table.table}, version {table.version}: {plural(table.rows, 'row')}", "green")
    if not tables:
        item(console, "loaded", "nothing: the pool has every table as it stands")
