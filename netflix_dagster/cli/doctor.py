"""``netflix-dagster doctor``: what is configured, what is missing, and how to mend it."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster import storage
from netflix_dagster.cli import hints
from netflix_dagster.cli.output import item, plural
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from netflix_dagster.landing.deliveries import Listing

MOST_HELD = 5


def diagnose(settings: Settings) -> list[dict[str, Any]]:
    """One finding per thing looked at: what, ok, what was found, how to mend it."""
    looks: list[tuple[str, Callable[[Settings], tuple[bool, str, str]]]] = [
        ("python", _python),
        ("packages", _packages),
        ("environment", _environment),
        ("sources", _sources),
        ("tables", _tables),
        ("landing", _landing),
        ("lake", _lake),
        ("protocol", _protocol),
        ("dagster home", _home),
        ("engine", _engine),
        ("deliveries", _deliveries),
    ]
    from netflix_dagster.landing.sources import SourcesError

    findings = []
    for what, look in looks:
        try:
            ok, found, mend = look(settings)
        except SourcesError:
            ok, found, mend = False, "cannot be judged without sources.yaml", "mend that first"
        except Exception as error:  # a doctor reports every illness, also the unexpected ones
            ok, found, mend = False, f"{type(error).__name__}: {error}", "see the message"
        findings.append({"what": what, "ok": ok, "found": found, "mend": "" if ok else mend})
    return findings


def print_findings(findings: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the findings, the ill ones with their cure."""
    for finding in findings:
        mark, style = ("ok", "green") if finding["ok"] else ("mend", "red")
        item(console, f"{mark:<6}{finding['what']:<14}", finding["found"], style)
        for line in finding["mend"].splitlines():
            item(console, " " * 20, f"-> {line}")


def _python(_: Settings) -> tuple[bool, str, str]:
    return True, platform.python_version(), ""


def _packages(_: Settings) -> tuple[bool, str, str]:
    names = ("dagster", "pyspark", "pysail", "deltalake", "duckdb")
    return True, ", ".join(f"{name} {metadata.version(name)}" for name in names), ""


def _environment(settings: Settings) -> tuple[bool, str, str]:
    if settings.env == "local":
        here = storage.is_local(settings.landing) and storage.is_local(settings.lake)
        return True, f"local: {'everything' if here else 'all but the lake or its landing folder'} on this machine", ""
    return True, f"azure: account {settings.account}, tenant {settings.tenant}, vault {settings.vault}", ""


def _sources(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.landing.sources import PACKAGED, SourcesError, load_sources

    try:
        sources = load_sources(settings.sources)
    except SourcesError as error:
        return False, str(error), "mend the lines named"
    return True, f"{len(sources.sources)} sources in {settings.sources or PACKAGED}", ""


def _tables(settings: Settings) -> tuple[bool, str, str]:
    """Everything that ``run`` loads: the tables over the sources, and what is made of them for Dagster."""
    from netflix_dagster import tables
    from netflix_dagster.contracts.contract import TABLES, ContractError
    from netflix_dagster.landing.sources import load_sources

    try:
        tables.declare(load_sources(settings.sources))
        from netflix_dagster.definitions import defs

        defs.resolve_all_job_defs()
    except ContractError as error:
        return False, str(error), "mend the contract, or what it says of the source"
    return True, f"{len(TABLES)} tables, and the definitions of Dagster", ""


def _landing(settings: Settings) -> tuple[bool, str, str]:
    if storage.is_local(settings.landing) and not settings.landing.exists():
        return False, f"{settings.landing} does not exist", f"netflix-dagster sample {settings.landing}"
    if storage.is_local(settings.landing) and not settings.landing.is_dir():
        return False, f"{settings.landing} is a file", "set NETFLIX_LANDING to a folder of <source>/<date>/<file>"
    listing = _listing(settings)
    strays = [*listing.strays, *(f"{path}: no source is called so" for path in listing.unknown_sources)]
    passed = f"\n{plural(len(strays), 'thing')} passed over, first {strays[0]}" if strays else ""
    return True, f"{settings.landing}: {plural(len(listing.deliveries), 'delivery', 'deliveries')}{passed}", ""


def _listing(settings: Settings) -> Listing:
    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.landing.sources import load_sources

    return list_landing(settings.landing, load_sources(settings.sources))


def _lake(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.lake import store

    if storage.is_local(settings.lake):
        if wrong := _unfit(settings.lake):
            return wrong
    else:
        probe = settings.lake / store.STAGING / f"doctor-{uuid.uuid4().hex}"
        storage.write(probe / "probe", b"")
        storage.remove(probe)
    tables = sum(len(store.tables(settings.lake, layer)) for layer in store.LAYERS)
    found = plural(tables, "table") if tables else "no tables yet (netflix-dagster run makes them)"
    return True, f"{settings.lake}: {found}", ""


def _protocol(settings: Settings) -> tuple[bool, str, str]:
    """What somebody has switched on in a table of any layer."""
    from netflix_dagster.lake import protocol, store

    names = [f"{layer}.{name}" for layer in store.LAYERS for name in store.tables(settings.lake, layer)]
    told = protocol.all_strange(settings.lake, names)
    return not told, "\n".join(told) or "readable by every reader of Delta", "go the way back that is said above"


def _unfit(lake: Path) -> tuple[bool, str, str] | None:
    """Why no table can be written into a folder of this machine."""
    there = next(path for path in (lake, *lake.parents) if path.exists())
    if not there.is_dir():
        return False, f"{lake}: {there} is a file", "set NETFLIX_LAKE to a folder"
    if not os.access(there, os.W_OK):
        return False, f"{lake}: {there} cannot be written to", "change its permissions"
    return None


def _home(settings: Settings) -> tuple[bool, str, str]:
    if (settings.dagster_home / "dagster.yaml").exists():
        return True, str(settings.dagster_home), ""
    return True, f"{settings.dagster_home}: not there yet (netflix-dagster run makes it)", ""


def _engine(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.engine import sessions

    if lacking := sessions.missing(settings):
        return False, f"{settings.engine}: {lacking}", "or set NETFLIX_ENGINE=sail, which needs nothing"
    answer = sessions.session(settings).sql("SELECT 1 AS one").collect()
    return answer[0]["one"] == 1, f"{settings.engine}: answers", "reinstall the environment: rm -rf .venv && make run"


def _deliveries(settings: Settings) -> tuple[bool, str, str]:
    from netflix_dagster.deliveries.life import Life, Status
    from netflix_dagster.deliveries.pending import to_take_up

    life, landed = Life.read(settings.lake), _listing(settings).deliveries
    there = {(delivery.source, delivery.date) for delivery in landed}
    held = [delivery.newest for delivery in life.held(there)]
    waiting = [delivery for delivery in landed if to_take_up(delivery, life)]
    due = {place: names for place in life.dates if (names := life.to_build(*place))}
    found = [f"{len(there)} landed, {len(there) - len(waiting)} taken up, {len(held)} held back"]
    found += [f"new or changed, not taken up yet: {d.source} {d.date}" for d in waiting[:MOST_HELD]]
    found += [f"{attempt.status} {attempt.source} {attempt.key}: {attempt.why}" for attempt in held[:MOST_HELD]]
    found += [
        f"not built {feed} {key}: {', '.join(sorted(due[feed, key])[:MOST_HELD])}"
        for feed, key in list(due)[:MOST_HELD]
    ]
    mend = hints.remedies(settings, held, life)
    if any(attempt.status is Status.REFUSED for attempt in held):
        mend.append(hints.command(settings, "run --again") + "   # when sources.yaml was mended")
    return not held and not due, "\n".join(found), "\n".join(mend or [hints.command(settings, "run")])
