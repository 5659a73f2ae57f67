"""``netflix-dagster-build-pending``: build everything that is pending, without Dagster.

For a scheduler that only knows that files have arrived, such as a job of Databricks. It looks at the landing zone as
the sensors do, builds table by table in the order of the contracts, and says what came of it.

Exit codes: 0 all is well, 3 the work is done but a delivery is held back, 1 something failed, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netflix_dagster.contracts.contract import TABLES, downstream_of
from netflix_dagster.contracts.report import Report
from netflix_dagster.deliveries import begun, ledger
from netflix_dagster.deliveries.ledger import Entry
from netflix_dagster.deliveries.pending import Pending, pending
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings, get_settings

log = logging.getLogger("netflix_dagster.pending")
OK, FAILED, HELD_BACK = 0, 1, 3


@dataclass(slots=True)
class Done:
    """What came of the work: the reports of the tables, the tables that failed and why, and the pieces of work that
    have not ended because of it. ``held_back`` is what of the landing zone is not in the tables."""

    work: tuple[Pending, ...] = ()
    reports: list[Report] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    unfinished: set[Pending] = field(default_factory=set)
    held_back: list[Entry] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed else HELD_BACK if self.held_back else OK


def build_pending(settings: Settings, *, again: bool = False) -> Done:
    """Build all that is pending, with ``again`` also what is held back.

    A piece of work that was killed or that failed is pending again next time.
    """
    import netflix_dagster.tables  # noqa: F401  declares the tables

    lake, sources = settings.lake, load_sources(settings.sources)
    listing = list_landing(settings.landing, sources)
    left = begun.unfinished(lake)
    work = pending(listing, sources, ledger.latest(lake), lambda feed, day: (feed, day) in left, again=again)
    log.info("%d deliveries in %s, %d delivery dates to build", len(listing.deliveries), settings.landing, len(work))
    run_id = f"pending-{uuid.uuid4().hex[:12]}"
    begun.begin(lake, work, run_id)
    done = build_work(work, settings, run_id)
    begun.end(lake, [piece for piece in work if piece not in done.unfinished], run_id)
    landed = {(delivery.source, delivery.date) for delivery in listing.deliveries}
    state = ledger.latest(lake)
    done.held_back = [entry for key, entry in state.items() if key in landed and entry.status != "accepted"]
    return done


def build_work(work: Sequence[Pending], settings: Settings, run_id: str) -> Done:
    """Build all tables that some work touches, each once and for all its deliveries.

    Where a delivery is held back, or a table fails, the tables behind it are left as they are for that delivery; all
    others are built.
    """
    from netflix_dagster.build.table import Blocked, build

    done = Done(tuple(work))
    ahead = {piece: set(touched_tables(piece.feed, piece.sources)) for piece in work}
    for name, table in TABLES.items():
        pieces = [piece for piece in work if name in ahead[piece]]
        if not pieces:
            continue
        try:
            report = build(name, sorted({piece.date for piece in pieces}) if table.feed else [], settings, run_id)
        except Blocked as blocked:
            report = blocked.report
        except Exception as error:
            log.exception("%s failed; it is as it was, and what lies behind it is not built", name)
            done.failed[name] = f"{type(error).__name__}: {error}"
            done.unfinished.update(pieces)
            stopped = pieces
        else:
            done.reports.append(report)
            stopped = _told(report, pieces)
        for piece in stopped:
            ahead[piece] -= set(downstream_of([name]))
    return done


def touched_tables(feed: str, sources: Iterable[str]) -> list[str]:
    """What deliveries of these sources change: their bronze tables, and what of the feed's chain is built from them."""
    return [
        name for name in downstream_of(f"bronze.{source}" for source in sources) if TABLES[name].feed in (feed, None)
    ]


def _told(report: Report, pieces: Sequence[Pending]) -> list[Pending]:
    """Say what came of a table, and return the pieces of work that it holds back."""
    stopped = [piece for piece in pieces if report.outcome(piece.date).held_back]
    built = len(pieces) - len(stopped)
    log.info("%-36s %3d built %8d rows %6.1f s", report.table, built, report.total_rows, report.seconds)
    for piece in stopped:
        log.warning("%s of %s is held back: %s", report.table, piece.date, report.outcome(piece.date).held_back)
    return stopped


def arguments() -> argparse.ArgumentParser:
    """What can be said in a call; everything else is in the environment, see ``settings``."""
    parser = argparse.ArgumentParser("netflix-dagster-build-pending", description="Build everything that is pending.")
    parser.add_argument("--landing", help="folder of <source>/<delivery date>/<file>, instead of NETFLIX_LANDING")
    parser.add_argument("--lake", help="folder of <layer>/<table>, instead of NETFLIX_LAKE")
    parser.add_argument("--again", action="store_true", help="also take up what is held back")
    return parser


def main() -> None:
    """The entry point. It returns when all is well: some schedulers take any exit, even that with 0, for a failure."""
    said = arguments().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    log.setLevel(logging.INFO)
    done = build_pending(from_environment(landing=said.landing, lake=said.lake), again=said.again)
    for entry in done.held_back:
        log.warning("%s of %s is %s: %s", entry.source, entry.delivery_date, entry.status, entry.reason)
    for name, why in done.failed.items():
        log.error("%s failed: %s. Nothing is lost: it is built by the next call, once its cause is gone", name, why)
    if done.exit_code != OK:
        sys.exit(done.exit_code)


def from_environment(**places: str | None) -> Settings:
    """The settings of the environment with other places where some are given, also for what this process starts."""
    os.environ.update({f"NETFLIX_{name.upper()}": place for name, place in places.items() if place})
    get_settings.cache_clear()
    return get_settings()
