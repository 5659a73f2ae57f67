"""The landing sensor of event mode: the events of a storage queue become partitions and runs.

One sensor for all feeds, because one queue tells of all: what an event names is looked up in the landing folder and
compared with the life of the deliveries, as the listing sensors do. Every half hour, and whenever it is told to start
anew, it looks at the whole folder: that finds what no event told of.

Messages are deleted by the tick after the one that took them: only then is it certain that Dagster has kept what was
requested. A crash in between brings them again, and they are found to be done.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import dagster as dg

from netflix_dagster import storage
from netflix_dagster.build import returned
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.sensors import MOST_PER_TICK, Requested, Runs, at_work, left_to_people, run_requests
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Life
from netflix_dagster.deliveries.pending import Pending, pending, to_request
from netflix_dagster.lake import store
from netflix_dagster.landing.deliveries import deliveries_at, list_landing
from netflix_dagster.landing.events import Events, Place, Poison, touched
from netflix_dagster.landing.sources import Sources
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder

EVERYTHING_EVERY = 1800
"""Seconds between two looks at the whole landing folder."""

MOST_MESSAGES = 256
"""Messages that one tick takes at the most; the next tick goes on."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """``taken``: messages whose work is in this cursor or in requests, to be deleted. ``requested``: what was asked
    for and has not begun. ``life``: version of ``quality.deliveries`` that was read last. ``under_way``: something was
    requested, or a build had begun and not ended. ``looked``: Unix time of the last look at everything; 0 when one is
    due at once."""

    taken: tuple[tuple[str, str], ...] = ()
    requested: Requested = field(default_factory=Requested)
    life: int | None = None
    under_way: bool = False
    looked: float = 0.0

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        said = json.loads(text) if text else {}
        taken = tuple((str(message), str(receipt)) for message, receipt in said.get("taken", ()))
        requested = said.get("requested")
        return cls(
            taken,
            Requested(**requested) if isinstance(requested, dict) else Requested(),
            said.get("life"),
            said.get("under_way", False),
            said.get("looked", 0.0),
        )

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
        known = {feed: context.instance.get_dynamic_partitions(name) for feed, name in partitions.items()}
        return tick(lake.sources, settings, Cursor.load(context.cursor), known, Runs(context.instance))

    return read_events


def tick(
    sources: Sources, settings: Settings, cursor: Cursor, known: Mapping[str, Sequence[str]], runs: Runs
) -> dg.SensorResult:
    """Take what the queue holds. ``known`` are the partitions of each feed that exist already."""
    if not storage.has_events(settings.landing) or not settings.landing_events:
        raise dg.Failure("the landing folder has no events: NETFLIX_LANDING_EVENTS names no queue")
    queue = Events(settings.landing.account, settings.landing_events)
    queue.delete(cursor.taken)
    places, taken, buried = _take(queue, settings.landing, sources)
    version, clock = store.version(settings.lake, life.NAME), time.time()
    everything = not 0 <= clock - cursor.looked < EVERYTHING_EVERY
    after = replace(cursor, taken=taken, life=version)
    said = f"{len(taken)} events, {buried} moved to {queue.name}-poison"
    if not places and not everything and version == cursor.life and not cursor.under_way:
        return dg.SensorResult(skip_reason=f"{said}: nothing to look at", cursor=after.dump())
    now = Life.read(settings.lake)
    if everything:
        listing = list_landing(settings.landing, sources)
    else:
        places |= {place for place, delivery in now.deliveries.items() if delivery.reopened}
        listing = deliveries_at(settings.landing, sources, _with_siblings(places, sources))
    returned.take_note(settings.lake, listing, now, whole=everything, most=returned.MOST_IN_A_TICK)
    for feed in known:
        runs.close_lost(feed, now, settings)
    work = pending(listing, sources, now)
    alive = {feed for feed in known if at_work(settings.lake, feed, [p for p in work if p.feed == feed])}
    requested = cursor.requested.still(work if everything else None, runs.are_over)
    ended = cursor.requested.keys.keys() - requested.keys.keys()
    wrong = not everything and any(runs.went_wrong(key) for key in ended)  # what it was to do, a whole look finds
    able = [piece for piece in work if to_request([piece], piece.feed in alive)]
    fresh = requested.fresh(able)
    chosen, later = fresh[:MOST_PER_TICK], fresh[MOST_PER_TICK:]
    looked = 0.0 if later or wrong else clock if everything else cursor.looked
    under_way = bool(requested.keys) or bool(chosen) or any(piece.begun for piece in work)
    after = replace(after, life=now.version, looked=looked, under_way=under_way, requested=requested)
    left = left_to_people(work, requested)
    return _result(chosen, after, known, f"{said}: {left or 'nothing new'}")


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


def _result(
    work: Sequence[Pending], cursor: Cursor, known: Mapping[str, Sequence[str]], nothing: str
) -> dg.SensorResult:
    if not work:
        return dg.SensorResult(skip_reason=nothing, cursor=cursor.dump())
    requests, partitions = [], []
    for feed in sorted({piece.feed for piece in work}):
        mine = [piece for piece in work if piece.feed == feed]
        requests += run_requests(mine, known[feed], cursor.requested.tries)
        there = set(known[feed])
        if new := [piece.date for piece in mine if piece.date not in there]:
            partitions.append(feed_partitions(feed).build_add_request(new))
    after = replace(cursor, requested=cursor.requested.with_requests(requests))
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=partitions, cursor=after.dump())
