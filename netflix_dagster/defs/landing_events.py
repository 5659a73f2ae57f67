"""The landing sensor of event mode: the events of a storage queue become partitions and runs.

One sensor for all feeds, because one queue tells of all: what an event names is looked up in the landing folder and
compared with the ledger, as the listing sensors do. Every half hour, and whenever it is told to start anew, it looks
at the whole folder: that finds what no event told of.

Messages are deleted by the tick after the one that took them: only then is it certain that Dagster has kept what was
requested. A crash in between brings them again, and they are found to be done.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import dagster as dg

from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.sensors import MOST_PER_TICK, run_requests
from netflix_dagster.deliveries import ledger
from netflix_dagster.deliveries.pending import Pending, pending
from netflix_dagster.lake import store
from netflix_dagster.landing.deliveries import deliveries_at, list_landing
from netflix_dagster.landing.events import Events, Place, Poison, touched
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import AzureFolder

EVERYTHING_EVERY = 1800
"""Seconds between two looks at the whole landing folder."""

MOST_MESSAGES = 256
"""Messages that one tick takes at the most; the next tick goes on."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """``taken``: messages whose work is in this cursor or in requests, to be deleted. ``requested``: identities of
    work that was requested, as of the last look at everything, and since. ``ledger``: version that was read last.
    ``looked``: Unix time of the last look at everything; 0 when one is due at once."""

    taken: tuple[tuple[str, str], ...] = ()
    requested: tuple[str, ...] = ()
    ledger: int | None = None
    looked: float = 0.0

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        said = json.loads(text) if text else {}
        taken = tuple((str(message), str(receipt)) for message, receipt in said.pop("taken", ()))
        return cls(taken, tuple(said.pop("requested", ())), **said)

    def dump(self) -> str:
        return json.dumps(asdict(self))


def landing_events_sensor(feeds: Iterable[str], jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor of all feeds: running by default, one run for the whole chain of a delivery."""

    @dg.sensor(
        name="landing_events_sensor",
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="New and changed deliveries, as the events of the landing folder tell, from arrival to gold.",
    )
    def read_events(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult:
        settings = lake.settings
        partitions = {feed: feed_partitions(feed).name or "" for feed in feeds}
        known = {feed: set(context.instance.get_dynamic_partitions(name)) for feed, name in partitions.items()}
        return tick(load_sources(get_settings().sources), settings, Cursor.load(context.cursor), known)

    return read_events


def tick(sources: Sources, settings: Settings, cursor: Cursor, known: Mapping[str, set[str]]) -> dg.SensorResult:
    """Take what the queue holds. ``known`` are the partitions of each feed that exist already."""
    if not isinstance(settings.landing, AzureFolder) or not settings.landing_events:
        raise dg.Failure("the landing folder has no events: NETFLIX_LANDING_EVENTS names no queue")
    queue = Events(settings.landing.account, settings.landing_events)
    queue.delete(cursor.taken)
    places, taken, buried = _take(queue, settings.landing, sources)
    version, now = store.version(settings.lake, ledger.NAME), time.time()
    everything = not 0 <= now - cursor.looked < EVERYTHING_EVERY
    after = replace(cursor, taken=taken, ledger=version)
    said = f"{len(taken)} events, {buried} moved to {queue.name}-poison"
    if not places and not everything and version == cursor.ledger:
        return dg.SensorResult(skip_reason=f"{said}: nothing to look at", cursor=after.dump())
    state = ledger.latest(settings.lake)
    places |= {place for place, entry in state.items() if entry.fingerprint == ledger.REOPENED}
    if everything:
        listing = list_landing(settings.landing, sources)
    else:
        listing = deliveries_at(settings.landing, sources, _with_siblings(places, sources))
    work = pending(listing, sources, state)
    fresh = [piece for piece in work if piece.identity not in cursor.requested]
    chosen, later = fresh[:MOST_PER_TICK], fresh[MOST_PER_TICK:]
    kept = {piece.identity for piece in work} & set(cursor.requested) if everything else set(cursor.requested)
    requested = tuple(sorted(kept | {piece.identity for piece in chosen}))
    looked = 0.0 if later else now if everything else cursor.looked
    return _result(chosen, replace(after, requested=requested, looked=looked), known, f"{said}: nothing new")


def _take(queue: Events, landing: AzureFolder, sources: Sources) -> tuple[set[Place], tuple[tuple[str, str], ...], int]:
    """What the next messages are about, how to delete them, and how many of them were no good."""
    places: set[Place] = set()
    taken: list[tuple[str, str]] = []
    messages = queue.receive(MOST_MESSAGES)
    for message in messages:
        try:
            places |= touched(message, landing, sources)
            taken.append((message.id, message.receipt))
        except Poison as poison:
            queue.bury(message, str(poison))
    return places, tuple(taken), len(messages) - len(taken)


def _with_siblings(places: Iterable[Place], sources: Sources) -> set[Place]:
    """The places, and those of the same date and feed: what work is, is told by all of them."""
    feeds = {(sources.sources[source].feed, day) for source, day in places if source in sources.sources}
    return {(source.name, day) for feed, day in feeds for source in sources.of_feed(feed)}


def _result(work: Sequence[Pending], cursor: Cursor, known: Mapping[str, set[str]], nothing: str) -> dg.SensorResult:
    if not work:
        return dg.SensorResult(skip_reason=nothing, cursor=cursor.dump())
    requests, partitions = [], []
    for feed in sorted({piece.feed for piece in work}):
        mine = [piece for piece in work if piece.feed == feed]
        requests += run_requests(mine, known[feed])
        if new := [piece.date for piece in mine if piece.date not in known[feed]]:
            partitions.append(feed_partitions(feed).build_add_request(new))
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=partitions, cursor=cursor.dump())
