"""``netflix-dagster verify``: tries the platform on the real thing, says what is missing, and writes a report."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from netflix_dagster.cli.output import item
from netflix_dagster.cli.progress import working
from netflix_dagster.cli.trouble import WrongCall, writing
from netflix_dagster.settings import Settings
from netflix_dagster.verify import TARGETS, chosen, report
from netflix_dagster.verify.steps import Result, Trial, carry_out

_STYLES = {"passed": "green", "failed": "red", "skipped": "yellow"}


def verify(settings: Settings, name: str, to: Path, wait: float, yes: bool, console: Console) -> dict[str, Any]:
    """Verify a target. Says first what it costs, and asks unless ``yes``. Returns the document of the report.

    The report is written as ``verify-<target>-<time>.md`` and ``.json`` into the folder ``to``.
    """
    try:
        targets = chosen(name)
    except LookupError as error:
        raise WrongCall(str(error)) from error
    lacking = {target.name: target.lacks(settings) for target in targets}
    if name in TARGETS and lacking[name]:
        raise WrongCall(f"{name} cannot be verified: {lacking[name]}")
    for target in targets:
        item(console, f"{target.name:<12}", lacking[target.name] or f"{target.about}; {target.cost(settings)}")
    if not yes and not (console.is_terminal and typer.confirm("Go on?", err=True)):
        raise WrongCall("nothing was tried: say --yes to go on")
    at = datetime.now(UTC)
    with working("trying", console):
        results = carry_out(targets, Trial(settings, wait), lambda result: _tell(result, console))
    said = report.document(settings, [target.name for target in targets], at, results)
    file = to / f"verify-{name}-{at:%Y%m%dT%H%M%SZ}"
    with writing("the folder of reports", to):
        to.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".json").write_text(json.dumps(said, indent=2), encoding="utf-8")
        file.with_suffix(".md").write_text(report.markdown(said), encoding="utf-8")
    item(console, "report", str(file.with_suffix(".md")))
    return said


def _tell(result: Result, console: Console) -> None:
    item(console, f"{result.status:<8}", f"{result.target}: {result.step}: {result.found}", _STYLES[result.status])
    if result.right:
        item(console, " " * 8, f"missing: {result.right}\n{result.command}")
