"""``netflix-dagster-build-pending``: build everything that is pending, without Dagster.

For a scheduler that only knows that files have arrived, such as a job of Databricks. It looks at the landing folder as
the sensors do, has the runner build it, and says what came of it.

Exit codes: 0 all is well, 3 the work is done but a delivery is refused or held, 1 something failed, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from netflix_dagster.build import returned
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.report import Report
from netflix_dagster.deliveries.life import Attempt, Life
from netflix_dagster.deliveries.pending import Pending, pending
from netflix_dagster.landing.deliveries import Listing, list_landing
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.settings import Settings, get_settings

log = logging.getLogger("netflix_dagster.pending")
OK, FAILED, HELD_BACK = 0, 1, 3


@dataclass(slots=True)
class Done:
    """What came of the work: the reports of the tables, the tables that failed and why, and the attempts in landing
    that are refused or held."""

    work: tuple[Pending, ...] = ()
    reports: list[Report] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    held: list[Attempt] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed else HELD_BACK if self.held else OK


def build_pending(
    settings: Settings, sources: Sources, *, again: bool = False, only: Collection[str] | None = None
) -> Done:
    """Build all that is pending, with ``again`` also what is refused or held; ``only`` of some sources, if given.

    A piece of work that was killed or that failed is pending again next time.
    """
    listing, work = look(settings, sources, again=again, only=only)
    log.info("%d deliveries in %s, %d delivery dates to build", len(listing.deliveries), settings.landing, len(work))
    done = build_work(work, settings, sources, f"pending-{uuid.uuid4().hex[:12]}", again=again)
    landed = {(delivery.source, delivery.date) for delivery in listing.deliveries}
    done.held = [delivery.newest for delivery in Life.read(settings.lake).held(landed)]
    return done


def look(
    settings: Settings, sources: Sources, *, again: bool = False, only: Collection[str] | None = None
) -> tuple[Listing, list[Pending]]:
    """What lies in landing, and what of it is pending. What left landing, or came back as it was, is written down."""
    listing = list_landing(settings.landing, sources, only)
    known = Life.read(settings.lake)
    returned.take_note(settings.lake, listing, known)
    return listing, pending(listing, sources, known, again=again, changed_code=True, only=only)


def build_work(
    work: Sequence[Pending], settings: Settings, sources: Sources, run_id: str, *, again: bool = False
) -> Done:
    """Build all tables that some work touches, each once and for all its deliveries."""
    done = Done(tuple(work))
    if not work:
        return done
    deliveries: dict[str, list[str]] = {}
    for piece in work:
        deliveries.setdefault(piece.feed, []).append(piece.date)
    tables = {name for piece in work for name in piece.tables}
    with Session(settings, sources, run_id, tables, deliveries, again=again) as session:
        for report in session.run():
            done.reports.append(report)
            _tell(report)
        done.failed.update(session.failed)
        done.failed |= {report.table: why for report in done.reports if (why := _held_whole(report))}
    return done


def _held_whole(report: Report) -> str | None:
    """Why a table that is judged as a whole stays as it was; None when it was built."""
    outcome = report.outcomes.get(None)
    return f"it is held back: {outcome.held_back}" if outcome and outcome.held_back else None


def _tell(report: Report) -> None:
    """Say what came of a table."""
    built = sum(outcome.written for outcome in report.outcomes.values())
    log.info("%-36s %3d built %8d rows %6.1f s", report.table, built, report.total_rows, report.seconds)
    for day, reason in report.held_back.items():
        log.warning("%s of %s is held back: %s", report.table, day, reason)


def arguments() -> argparse.ArgumentParser:
    """What can be said in a call; everything else is in the environment, see ``settings``."""
    parser = argparse.ArgumentParser("netflix-dagster-build-pending", description="Build everything that is pending.")
    parser.add_argument("--landing", help="folder of <source>/<delivery date>/<file>, instead of NETFLIX_LANDING")
    parser.add_argument("--lake", help="folder of <layer>/<table>, instead of NETFLIX_LAKE")
    parser.add_argument("--again", action="store_true", help="also take up what is refused or held")
    return parser


def main() -> None:
    """The entry point. It returns when all is well: some schedulers take any exit, even that with 0, for a failure."""
    from netflix_dagster import tables
    from netflix_dagster.azure import access

    said = arguments().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    log.setLevel(logging.INFO)
    settings = from_environment(landing=said.landing, lake=said.lake)
    sources = load_sources(settings.sources)
    access.connect(settings)
    tables.declare(sources)
    done = build_pending(settings, sources, again=said.again)
    for attempt in done.held:
        log.warning("%s of %s is %s: %s", attempt.source, attempt.key, attempt.status, attempt.why)
    for name, why in done.failed.items():
        log.error("%s failed: %s. Nothing is lost: it is built by the next call, once its cause is gone", name, why)
    if done.exit_code != OK:
        sys.exit(done.exit_code)


def from_environment(**places: str | None) -> Settings:
    """The settings of the environment with other places where some are given, also for what this process starts."""
    os.environ.update({f"NETFLIX_{name.upper()}": place for name, place in places.items() if place})
    get_settings.cache_clear()
    return get_settings()
