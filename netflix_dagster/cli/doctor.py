"""``netflix-dagster doctor``: what is configured, what is missing, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

from rich.console import Console
from rich.markup import escape

from netflix_dagster.settings import Settings


def diagnose(settings: Settings) -> list[dict[str, Any]]:
    """One finding per thing looked at: what, ok, what was found, how to mend it."""
    looks: list[tuple[str, Callable[[Settings], tuple[bool, str, str]]]] = [
        ("python", _python),
        ("packages", _packages),
        ("environment", _environment),
        ("sources", _sources),
        ("landing", _landing),
        ("lake", _lake),
        ("dagster home", _home),
        ("engine", _engine),
        ("deliveries", _deliveries),
    ]
    findings = []
    for what, look in looks:
        try:
            ok, found, mend = look(settings)
        except Exception as error:  # a doctor reports every illness, also the unexpected ones
            ok, found, mend = False, f"{type(error).__name__}: {error}", "see the message"
        findings.append({"what": what, "ok": ok, "found": found, "mend": "" if ok else mend})
    return findings


def print_findings(findings: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the findings, the ill ones with their cure."""
    for finding in findings:
        mark = "[green]ok[/green]  " if finding["ok"] else "[red]mend[/red]"
        console.print(f"{mark}  {finding['what']:<13} {escape(finding['found'])}")
        if finding["mend"]:
            console.print(f"      {'':<13} -> {escape(finding['mend'])}")


def _python(_: Settings) -> tuple[bool, str, str]:
    return True, platform.python_version(), ""


def _packages(_: Settings) -> tuple[bool, str, str]:
    names = ("dagster", "pyspark", "pysail", "deltalake", "duckdb")
    return True, ", ".join(f"{name} {metadata.version(name)}" for name in names), ""


def _environment(settings: Settings) -> tuple[bool, str, str]:
    if settings.env == "local":
        return True, "local: everything on this machine", ""
    return False, f"NETFLIX_ENV={settings.env}", "only local is supported by this version; unset NETFLIX_ENV"


def _sources(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.landing.sources import PACKAGED, SourcesError, load_sources

    try:
        sources = load_sources(settings.sources)
    except SourcesError as error:
        return False, str(error), "mend the lines named"
    return True, f"{len(sources.sources)} sources in {settings.sources or PACKAGED}", ""


def _landing(settings: Settings) -> tuple[bool, str, str]:
    if not settings.landing.is_dir():
        return False, f"{settings.landing} does not exist", f"netflix-dagster sample {settings.landing}"
    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.landing.sources import load_sources

    listing = list_landing(settings.landing, load_sources(settings.sources))
    strays = f", {len(listing.strays)} strays: {listing.strays[0]}" if listing.strays else ""
    return True, f"{settings.landing}: {len(listing.deliveries)} deliveries{strays}", ""


def _lake(settings: Settings) -> tuple[bool, str, str]:
    tables = len(list(settings.lake.glob("*/*/_delta_log")))
    if not tables:
        return True, f"{settings.lake}: no tables yet (netflix-dagster run makes them)", ""
    writable = os.access(settings.lake, os.W_OK)
    return writable, f"{settings.lake}: {tables} tables", "the folder cannot be written to; change its permissions"


def _home(settings: Settings) -> tuple[bool, str, str]:
    if (settings.dagster_home / "dagster.yaml").exists():
        return True, str(settings.dagster_home), ""
    return True, f"{settings.dagster_home}: not there yet (netflix-dagster run makes it)", ""


def _engine(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.lake import engines

    if settings.engine != "sail":
        java = shutil.which("java")
        return False, f"{settings.engine} (java: {java or 'none'})", "set NETFLIX_ENGINE=sail"
    answer = engines.session(settings.engine).sql("SELECT 1 AS one").collect()
    return answer[0]["one"] == 1, "sail, embedded: answers", "reinstall the environment: rm -rf .venv && make run"


def _deliveries(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.lake import ledger

    state = ledger.latest(settings.lake).values()
    held = [entry for entry in state if entry.status != "accepted"]
    found = f"{len(state)} seen, {len(held)} held back"
    if held:
        return (
            False,
            f"{found}, first {held[0].source} {held[0].delivery_date}: {held[0].reason}",
            "mend the file and land it again",
        )
    return True, found, ""
