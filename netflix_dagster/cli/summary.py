"""The end of ``netflix-dagster run``, for people: what is there, what is wrong with it, where to look next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from netflix_dagster.cli import hints
from netflix_dagster.cli.output import item, plural
from netflix_dagster.settings import get_settings

MOST_STRAYS = 10
MOST_WARNINGS = 5


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Print tables and rows, checks, the quarantine with its reasons, what is held back, and the next steps."""
    if summary["tables"]:
        _tables(summary["tables"], console)
    checks, deliveries, quarantine = summary["checks"], summary["deliveries"], summary["quarantine"]
    held = deliveries["held_back"]
    if summary["runs"]:
        item(console, "checks", f"{checks['passed']} passed, {checks['warned']} warned, {checks['failed']} failed")
        quarantined = {(entry["table"], entry["rule"]) for entry in quarantine["reasons"]}
        _warnings([w for w in checks["warnings"] if (w["table"], w["rule"]) not in quarantined], console)
    item(
        console, "deliveries", f"{deliveries['landed']} landed, {deliveries['built']} built now, {len(held)} held back"
    )
    item(console, "quarantine", plural(quarantine["rows"], "row or file", "rows and files"))
    for entry in quarantine["reasons"]:
        text = f"{entry['table']}  {entry['rule']}: {entry['reason'][:300]}"
        item(console, f"{entry['rows']:>10,}", text)
    for entry in held:
        item(console, entry["status"], f"{entry['source']} {entry['date']}: {entry['reason']}", style="red")
    for run in (*summary["runs"], summary["serving"]):
        for error in run["errors"]:
            item(console, "failed", error[:1000], style="red")
    for what in ("warehouse", "dashboard"):
        if summary["serving"][what]:
            item(console, what, summary["serving"][what])
    _passed_over(summary, console)
    console.print()
    item(console, summary["status"], _verdict(summary), style=_STYLES[summary["status"]])
    _next_steps(summary, console)


_STYLES = {"ok": "green", "held back": "yellow", "failed": "red"}


def _verdict(summary: Mapping[str, Any]) -> str:
    deliveries = summary["deliveries"]
    said = f"{summary['seconds']} s, {summary['peak_memory_mb']} MB at the most"
    if not deliveries["landed"]:
        return f"nothing has landed in {summary['landing']}; {said}"
    if not summary["runs"]:
        waiting = " or waits to be mended" if deliveries["held_back"] else ""
        return f"nothing to do, every delivery is built{waiting}; {said}"
    return said


def _next_steps(summary: Mapping[str, Any], console: Console) -> None:
    settings = get_settings()
    steps = list(summary["remedies"])
    if not summary["deliveries"]["landed"]:
        steps.append(f"{hints.me()} sample {shlex.quote(summary['landing'])}")
    if "gold.kpi_catalogue" in summary["tables"]:
        steps.append(hints.command(settings, 'query "SELECT * FROM gold.kpi_catalogue LIMIT 10"'))
    if summary["quarantine"]["rows"]:
        steps.append(hints.command(settings, "quarantine list") + "   # why each row is there, and how to mend it")
    if summary["tables"] and Path(summary["lake"]) == Path("data/sample/lake").absolute():
        steps.append("make dev   # lineage, partitions and checks at http://localhost:3000")
    for place, step in enumerate(steps):
        item(console, "" if place else "next", step)


def _warnings(warnings: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Which rules warned. A warning holds nothing back; ``quality.results`` keeps them all."""
    for found in warnings[:MOST_WARNINGS]:
        where = f"{found['newest']}: " if found["newest"] else ""
        others = found["deliveries"] - 1
        more = f" (so {plural(others, 'other delivery', 'other deliveries')})" if others else ""
        item(console, "warned", f"{found['table']}  {found['rule']}: {where}{found['message'][:200]}{more}", "yellow")
    if len(warnings) > MOST_WARNINGS:
        item(console, "", f"and {len(warnings) - MOST_WARNINGS} more rules, see quality.results")


def _passed_over(summary: Mapping[str, Any], console: Console) -> None:
    passed = [
        *summary["strays"],
        *(f"{path}: not a source that sources.yaml knows" for path in summary["unknown_sources"]),
    ]
    for path in passed[:MOST_STRAYS]:
        item(console, "passed over", path, style="yellow")
    if len(passed) > MOST_STRAYS:
        item(console, "", f"and {len(passed) - MOST_STRAYS} more")


def _tables(tables: Mapping[str, Mapping[str, int]], console: Console) -> None:
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    shown.add_column("table", no_wrap=True)
    shown.add_column("rows", justify="right", no_wrap=True)
    shown.add_column("version", justify="right", no_wrap=True)
    layer = ""
    for name, facts in tables.items():
        if layer and name.split(".")[0] != layer:
            shown.add_section()
        layer = name.split(".")[0]
        shown.add_row(name, f"{facts['rows']:,}", str(facts["version"]))
    console.print(shown)
    console.print()
