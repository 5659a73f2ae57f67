"""The end of ``netflix-dagster run``, for people: what is there, what is wrong with it, where to look next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Print tables and rows, checks, the quarantine with its reasons, what is held back, and the next steps."""
    _tables(summary["tables"], console)
    checks, deliveries = summary["checks"], summary["deliveries"]
    if summary["runs"]:
        console.print(f"\nchecks      {checks['passed']} passed, {checks['warned']} warned, {checks['failed']} failed")
    else:
        console.print("\nnothing to do: every delivery is built")
    console.print(f"deliveries  {deliveries['landed']} landed, {len(deliveries['held_back'])} held back")
    _quarantine(summary["quarantine"], console)
    for held in deliveries["held_back"]:
        console.print(f"[red]{held['status']}[/red]  {held['source']} {held['date']}: {escape(str(held['reason']))}")
    for run in summary["runs"]:
        for error in run["errors"]:
            console.print(f"[red]failed[/red]  {escape(error.splitlines()[0][:300])}")
    for stray in summary["strays"]:
        console.print(f"[yellow]passed over[/yellow]  {escape(stray)}")
    if summary["unknown_sources"]:
        console.print(f"[yellow]passed over[/yellow]  {len(summary['unknown_sources'])} folders of unknown sources")
    console.print(f"\n{summary['status']} in {summary['seconds']} s, {summary['peak_memory_mb']} MB at the most. Next:")
    console.print('  netflix-dagster query "SELECT * FROM gold.kpi_catalogue LIMIT 10"')
    console.print('  netflix-dagster query "SELECT table_name, rules, reasons, raw FROM quarantine"')
    console.print("  make dev    lineage, partitions and checks at http://localhost:3000")


def _tables(tables: Mapping[str, Mapping[str, int]], console: Console) -> None:
    shown = Table("table", show_edge=False, pad_edge=False)
    shown.add_column("rows", justify="right")
    shown.add_column("version", justify="right")
    layer = ""
    for name, facts in tables.items():
        if layer and name.split(".")[0] != layer:
            shown.add_section()
        layer = name.split(".")[0]
        shown.add_row(name, f"{facts['rows']:,}", str(facts["version"]))
    console.print(shown)


def _quarantine(quarantine: Mapping[str, Any], console: Console) -> None:
    console.print(f"quarantine  {quarantine['rows']} rows and files")
    for entry in quarantine["reasons"]:
        console.print(f"  {entry['rows']:>6}  {entry['table']}  {entry['rule']}: {escape(entry['reason'][:160])}")
