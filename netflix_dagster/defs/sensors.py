"""Landing sensors: what is new or changed in the landing folder becomes partitions and runs.

A look at the folder is compared with the ledger in the lake (``quality.deliveries``), not with a list of names:
the cursor holds the fingerprint of the last listing and the pieces of work that were requested and are not done.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.jobs import feed_tables, job_name
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.lake import ledger, store
from netflix_dagster.lake.contract import TABLES, downstream_of
from netflix_dagster.lake.pending import Pending, pending
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import Feed, Sources, load_sources
from netflix_dagster.settings import get_settings

MOST_PER_TICK = 500
"""Delivery dates that one tick requests at the most; the next tick goes on."""

ONE_BY_ONE = 3
"""Up to so many new delivery dates get a run each; more share one run, which costs hardly more than one of them."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True, slots=True)
class Cursor:
    """``listing``: fingerprint of the landing folder when nothing was left to request. ``requested``: identities
    of work that was requested and is not in the ledger yet. ``ledger``: version of the ledger that was read last; a
    newer one may have opened a delivery again whose files are as they were."""

    listing: str = ""
    requested: tuple[str, ...] = ()
    ledger: int | None = None

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        said = json.loads(text) if text else {}
        return cls(said.get("listing", ""), tuple(said.get("requested", ())), said.get("ledger"))

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
    listing = list_landing(settings.landing, sources, [source.name for source in sources.of_feed(feed.name)])
    version = store.version(settings.lake, ledger.NAME)
    if (cursor.listing, cursor.ledger) == (listing.fingerprint, version) and not cursor.requested:
        return dg.SkipReason(f"nothing new among {len(listing.deliveries)} deliveries in {settings.landing}")
    work = pending(listing, sources, ledger.latest(settings.lake))
    fresh = [piece for piece in work if piece.identity not in cursor.requested]
    now, later = fresh[:MOST_PER_TICK], fresh[MOST_PER_TICK:]
    waiting = {piece.identity for piece in work} & set(cursor.requested)
    requested = tuple(sorted(waiting | {piece.identity for piece in now}))
    after = Cursor("" if later else listing.fingerprint, requested, version)
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


def touched_tables(feed: str, sources: Sequence[str]) -> list[str]:
    """The bronze tables of the sources that delivered, and what of the feed's chain lies downstream of them."""
    chain = set(feed_tables(feed))
    return [name for name in downstream_of(f"bronze.{source}" for source in sources) if name in chain]


def _single(piece: Pending) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{piece.feed}/{piece.date}/{piece.identity}",
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
