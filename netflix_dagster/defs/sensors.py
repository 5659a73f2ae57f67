"""Landing sensors: what is new or changed in the landing folder becomes partitions and runs.

A look at the folder is compared with the ledger in the lake (``quality.deliveries``), not with a list of names:
the cursor holds the fingerprint of the last listing and the pieces of work that were requested and are not done.
In ADLS most looks are at young deliveries only, see ``landing.watermark``.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import dagster as dg

from netflix_dagster.build.pending_work import touched_tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.jobs import job_name
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.deliveries import ledger
from netflix_dagster.deliveries.pending import Pending, pending
from netflix_dagster.lake import store
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import Feed, Sources, load_sources
from netflix_dagster.landing.watermark import Watermark
from netflix_dagster.settings import get_settings
from netflix_dagster.storage import AzureFolder

MOST_PER_TICK = 500
"""Delivery dates that one tick requests at the most; the next tick goes on."""

ONE_BY_ONE = 3
"""Up to so many new delivery dates get a run each; more share one run, which costs hardly more than one of them."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True, slots=True)
class Cursor:
    """``listing``: fingerprint of the landing folder when nothing was left to request. ``requested``: identities
    of work that was requested and is not in the ledger yet. ``ledger``: version of the ledger that was read last; a
    newer one may have opened a delivery again whose files are as they were. ``mark``: what the last look at the whole
    of a landing folder in ADLS left."""

    listing: str = ""
    requested: tuple[str, ...] = ()
    ledger: int | None = None
    mark: Watermark | None = None

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        said = json.loads(text) if text else {}
        mark = said.get("mark")
        requested = tuple(said.get("requested", ()))
        return cls(said.get("listing", ""), requested, said.get("ledger"), Watermark(**mark) if mark else None)

    def dump(self) -> str:
        return json.dumps(asdict(self))


def landing_sensor(feed: Feed) -> dg.SensorDefinition:
    """The sensor of one feed: running by default, one run for the whole chain of a delivery."""

    @dg.sensor(
        name=f"{feed.name}_landing_sensor",
        job_name=job_name(feed.name),
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"New and changed deliveries of {feed.name} in the landing folder, from arrival to gold.",
    )
    def look_at_landing(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult | dg.SkipReason:
        sources = load_sources(get_settings().sources)
        known = set(context.instance.get_dynamic_partitions(feed_partitions(feed.name).name or ""))
        return tick(feed, sources, lake, Cursor.load(context.cursor), known)

    return look_at_landing


def tick(feed: Feed, sources: Sources, lake: Lake, cursor: Cursor, known: set[str]) -> dg.SensorResult | dg.SkipReason:
    """One look at the landing folder. ``known`` are the partitions that exist already."""
    settings = lake.settings
    landing, clock = settings.landing, time.time()
    mine = {source.name: source for source in sources.of_feed(feed.name)}
    version = store.version(settings.lake, ledger.NAME)
    if (
        isinstance(landing, AzureFolder)
        and cursor.mark
        and (cursor.listing and cursor.ledger == version)
        and cursor.mark.stands(landing, mine, clock)
    ):
        return dg.SkipReason(f"nothing new from {cursor.mark.since} on in {landing}")
    listing = list_landing(landing, sources, mine)
    mark = Watermark.of(listing, clock) if isinstance(landing, AzureFolder) else None
    if (cursor.listing, cursor.ledger) == (listing.fingerprint, version) and not cursor.requested:
        return dg.SensorResult(
            skip_reason=f"nothing new among {len(listing.deliveries)} deliveries in {landing}",
            cursor=replace(cursor, mark=mark).dump(),
        )
    work = pending(listing, sources, ledger.latest(settings.lake))
    fresh = [piece for piece in work if piece.identity not in cursor.requested]
    now, later = fresh[:MOST_PER_TICK], fresh[MOST_PER_TICK:]
    waiting = {piece.identity for piece in work} & set(cursor.requested)
    requested = tuple(sorted(waiting | {piece.identity for piece in now}))
    after = Cursor("" if later else listing.fingerprint, requested, version, mark)
    if not now:
        return dg.SensorResult(skip_reason="every delivery is in the ledger or on its way", cursor=after.dump())
    new = [piece.date for piece in now if piece.date not in known]
    partitions = feed_partitions(feed.name)
    return dg.SensorResult(
        run_requests=run_requests(now, known),
        dynamic_partitions_requests=[partitions.build_add_request(new)] if new else [],
        cursor=after.dump(),
    )


def run_requests(work: Sequence[Pending], known: set[str]) -> list[dg.RunRequest]:
    """The runs for some work: many new delivery dates share one run, which builds the whole range."""
    new = [piece for piece in work if piece.date not in known]
    if len(new) <= ONE_BY_ONE:
        return [_single(piece) for piece in work]
    return [_range(new), *(_single(piece) for piece in work if piece.date in known)]


def _single(piece: Pending) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{piece.feed}/{piece.date}/{piece.identity}",
        job_name=job_name(piece.feed),
        partition_key=piece.date,
        asset_selection=[asset_key(name) for name in touched_tables(piece.feed, piece.sources)],
        tags={"feed": piece.feed, "delivery": piece.date, "sources": ", ".join(piece.sources)},
    )


def _range(work: Sequence[Pending]) -> dg.RunRequest:
    feed, first, last = work[0].feed, work[0].date, work[-1].date
    arrived = {source for piece in work for source in piece.sources}
    tags: dict[str, Any] = {"feed": feed, "deliveries": f"{len(work)}, {first} to {last}"}
    return dg.RunRequest(
        run_key=f"{feed}/{first}..{last}/{work[0].identity}{work[-1].identity}{len(work)}",
        job_name=job_name(feed),
        asset_selection=[asset_key(name) for name in touched_tables(feed, sorted(arrived))],
        tags={**tags, RANGE_START: first, RANGE_END: last},
    )


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Carries changes to the tables that belong to no feed alone, once what they read has passed its checks."""
    follows = [asset_key(name) for name, table in TABLES.items() if table.feed is None]
    return dg.AutomationConditionSensorDefinition(
        "lake_automation",
        target=dg.AssetSelection.assets(*follows),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=15,
        description="Tables that belong to no feed alone follow those that they read.",
    )
