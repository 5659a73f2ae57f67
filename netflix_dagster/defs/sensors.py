"""Landing sensors: what is new or changed in the landing folder becomes partitions and runs.

A look at the folder is compared with the life of the deliveries (``quality.deliveries``), not with a list of names:
the cursor holds the fingerprint of the last listing and the work that was requested and has not begun. A build
that was begun and lost is asked for again, one that fails again and again is left to a person. In ADLS most looks are
at young deliveries only, see ``landing.watermark``.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import dagster as dg
from dagster._core.storage.tags import MAX_RETRIES_TAG, RUN_KEY_TAG

from netflix_dagster import storage
from netflix_dagster.build import returned
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.defs import several
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.jobs import job_name
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.serving import SERVING
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Life
from netflix_dagster.deliveries.pending import MOST_TRIES, Pending, lost_builds, pending, to_request
from netflix_dagster.lake import lock, store
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import Feed, Sources
from netflix_dagster.landing.watermark import Watermark
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

MOST_PER_TICK = 500
"""Delivery dates that one tick requests at the most; the next tick goes on."""

ONE_BY_ONE = 3
"""Up to so many delivery dates get a run each; more share one run, which costs hardly more than one of them."""

LOST = "This run lost its process: nobody writes to the lake for it. The landing sensor asks for its work again."
IsOver = Callable[[str], bool]
"""Whether every run that was requested under a key has ended."""
_AT_WORK = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


@dataclass(frozen=True, slots=True)
class Requested:
    """What a sensor has asked for and what has not begun yet: the identities of the work of each run key. ``tries``
    counts, by identity, the requests whose runs ended before the work began."""

    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)

    def still(self, work: Collection[Pending] | None, is_over: IsOver) -> "Requested":
        """What is still on its way, when this is the work that there is; ``None`` when only a part of it is known."""
        there = None if work is None else {piece.identity for piece in work}
        left = {key: [i for i in names if there is None or i in there] for key, names in self.keys.items()}
        over = {key for key, names in left.items() if names and is_over(key)}
        tries = Counter({name: count for name, count in self.tries.items() if there is None or name in there})
        tries.update(name for key in over for name in left[key])
        return Requested({key: names for key, names in left.items() if names and key not in over}, dict(tries))

    def with_requests(self, requests: Sequence[dg.RunRequest]) -> "Requested":
        """With what is asked for now; each request names the identities of its work."""
        return Requested({**self.keys, **{str(r.run_key): r.tags[WORK_TAG].split(" ") for r in requests}}, self.tries)

    def fresh(self, work: Sequence[Pending]) -> list[Pending]:
        """The work that is not on its way and was not asked for too often."""
        asked = {identity for identities in self.keys.values() for identity in identities}
        return [p for p in work if p.identity not in asked and self.tries.get(p.identity, 0) < MOST_TRIES]


WORK_TAG = "netflix/work"
"""The identities of the work that a run was requested for."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """``listing``: fingerprint of the landing folder when nothing was left to request. ``life``: version of
    ``quality.deliveries`` that was read last. ``under_way``: something was requested, or a build had begun and not
    ended, so that the next look must be a whole one. ``mark``: what the last look at the whole of a landing folder in
    ADLS left. ``left``: what is left to a person, in words. ``code``: the versions of the code of the feed's tables,
    and ``outdated``: which of them other code has built, in words."""

    listing: str = ""
    requested: Requested = field(default_factory=Requested)
    life: int | None = None
    under_way: bool = False
    mark: Watermark | None = None
    left: str = ""
    code: str = ""
    outdated: str = ""

    @property
    def skipped(self) -> str:
        """What there is to say when nothing is new."""
        return "; ".join(filter(None, (self.left, self.outdated)))

    @classmethod
    def load(cls, text: str | None) -> "Cursor":
        said = json.loads(text) if text else {}
        mark, requested = said.get("mark"), said.get("requested")
        return cls(
            said.get("listing", ""),
            Requested(**requested) if isinstance(requested, dict) else Requested(),
            said.get("life"),
            said.get("under_way", False),
            Watermark(**mark) if mark else None,
            said.get("left", ""),
            said.get("code", ""),
            said.get("outdated", ""),
        )

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
        known = context.instance.get_dynamic_partitions(feed_partitions(feed.name).name or "")
        return tick(feed, lake.sources, lake, Cursor.load(context.cursor), known, Runs(context.instance))

    return look_at_landing


@dataclass(frozen=True, slots=True)
class Runs:
    """What a sensor asks Dagster about its runs, and tells it of them."""

    instance: dg.DagsterInstance

    def are_over(self, run_key: str) -> bool:
        """Whether every run that was requested under a key has ended; one that is not launched yet has not."""
        runs = self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run_key}))
        return bool(runs) and all(run.is_finished for run in runs)

    def went_wrong(self, run_key: str) -> bool:
        """Whether a run that was requested under a key has ended without success."""
        runs = self.instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: run_key}))
        return any(run.is_finished and not run.is_success for run in runs)

    def close_lost(self, feed: str, now: Life, settings: Settings) -> None:
        """Close the runs of a feed that show as started and whose process is gone, together with the code server that
        Dagster would ask about it. A run that is not closed keeps its place in the queue, and the feed waits for ever.

        The sensor itself asks for the work again, so Dagster does not have to retry it.
        """
        lost = lost_builds(now, feed)
        if not lost or lock.is_held(settings.lake, feed):
            return
        for run_id in lost:
            run = self.instance.get_run_by_id(run_id)
            if run is not None and run.status in _AT_WORK:
                self.instance.add_run_tags(run_id, {MAX_RETRIES_TAG: "0"})
                self.instance.report_run_failed(run, LOST)


def tick(
    feed: Feed, sources: Sources, lake: Lake, cursor: Cursor, known: Sequence[str], runs: Runs
) -> dg.SensorResult | dg.SkipReason:
    """One look at the landing folder. ``known`` are the partitions that exist already."""
    settings = lake.settings
    landing, clock = settings.landing, time.time()
    mine = {source.name: source for source in sources.of_feed(feed.name)}
    version, code = store.version(settings.lake, life.NAME), code_of(feed.name)
    quiet = cursor.life == version and not cursor.under_way and cursor.code == code
    if (
        storage.lists_in_order(landing)
        and cursor.mark
        and (cursor.listing and quiet)
        and cursor.mark.stands(landing, mine, clock)
    ):
        return dg.SkipReason(cursor.skipped or f"nothing new from {cursor.mark.since} on in {landing}")
    listing = list_landing(landing, sources, mine)
    mark = Watermark.of(listing, clock) if storage.lists_in_order(landing) else None
    if quiet and cursor.listing == listing.fingerprint:
        return dg.SensorResult(
            skip_reason=cursor.skipped or f"nothing new among {len(listing.deliveries)} deliveries in {landing}",
            cursor=replace(cursor, mark=mark).dump(),
        )
    now = Life.read(settings.lake)
    returned.take_note(settings.lake, listing, now, most=returned.MOST_IN_A_TICK)
    runs.close_lost(feed.name, now, settings)
    work = [piece for piece in pending(listing, sources, now, only=mine) if piece.feed == feed.name]
    requested = cursor.requested.still(work, runs.are_over)
    fresh = requested.fresh(to_request(work, at_work(settings.lake, feed.name, work)))
    chosen, later = fresh[:MOST_PER_TICK], fresh[MOST_PER_TICK:]
    requests = run_requests(chosen, known, requested.tries)
    requested = requested.with_requests(requests)
    under_way = bool(requested.keys) or any(piece.begun for piece in work)
    outdated = built_by_other_code(now, feed.name) if cursor.outdated or cursor.code != code else ""
    left = left_to_people(work, requested)
    seen = "" if later else listing.fingerprint
    after = Cursor(seen, requested, now.version, under_way, mark, left, code, outdated)
    if not chosen:
        why = after.skipped or ("every delivery is on its way" if work else "every delivery is taken up")
        return dg.SensorResult(skip_reason=why, cursor=after.dump())
    there = set(known)
    new = [piece.date for piece in chosen if piece.date not in there]
    partitions = feed_partitions(feed.name)
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[partitions.build_add_request(new)] if new else [],
        cursor=after.dump(),
    )


def at_work(lake: Place, feed: str, work: Sequence[Pending]) -> bool:
    """Whether a build of the feed is alive; asked only when one has begun and not ended."""
    return any(piece.begun for piece in work) and lock.is_held(lake, feed)


def left_to_people(work: Sequence[Pending], requested: Requested) -> str:
    """What is asked for no more, because its builds failed too often; nothing if there is none."""
    left = [p for p in work if p.tries >= MOST_TRIES or requested.tries.get(p.identity, 0) >= MOST_TRIES]
    if not left:
        return ""
    dates = ", ".join(f"{piece.feed} {piece.date}" for piece in left[:3])
    return f"{len(left)} delivery dates failed {MOST_TRIES} times and wait for `netflix-dagster run`: {dates}"


def code_of(feed: str) -> str:
    """The versions of the code that builds a feed's tables here, as one."""
    versions = "/".join(TABLES[name].code_version for name in feed_tables(feed))
    return hashlib.sha256(versions.encode()).hexdigest()[:16]


def built_by_other_code(now: Life, feed: str) -> str:
    """Which tables of a feed other code has built than there is here. No sensor asks for them, as a cluster with other
    code would build them for ever; and Dagster shows only assets without partitions as *Unsynced*."""
    outdated = {key: now.outdated(feed, key) for of, key in now.dates if of == feed}
    tables = sorted(set().union(*outdated.values()))
    if not tables:
        return ""
    dates = sum(bool(names) for names in outdated.values())
    return (
        f"other code than this has built {len(tables)} tables ({', '.join(tables[:3])}{', ...' * (len(tables) > 3)}) of"
        f" {dates} delivery dates: materialize these partitions, or `netflix-dagster run`"
    )


def run_requests(
    work: Sequence[Pending], known: Sequence[str], tries: Mapping[str, int] | None = None
) -> list[dg.RunRequest]:
    """The runs for some work: a few delivery dates get a run each, more share one run, which builds gold once.

    ``known`` are the partitions that exist, in Dagster's order; new ones come after them in the order of the work.
    """
    tries = tries or {}
    if len(work) <= ONE_BY_ONE:
        return [_single(piece, tries) for piece in work]
    there = set(known)
    return [_together(work, [*known, *(piece.date for piece in work if piece.date not in there)], tries)]


def _single(piece: Pending, tries: Mapping[str, int]) -> dg.RunRequest:
    again = f"/{tries[piece.identity]}" if tries.get(piece.identity) else ""
    return dg.RunRequest(
        run_key=f"{piece.feed}/{piece.date}/{piece.identity}{again}",
        job_name=job_name(piece.feed),
        partition_key=piece.date,
        asset_selection=[asset_key(name) for name in piece.tables],
        asset_check_keys=[],
        tags={
            "feed": piece.feed,
            "delivery": piece.date,
            "sources": ", ".join(piece.sources),
            WORK_TAG: piece.identity,
        },
    )


def _together(work: Sequence[Pending], partitions: Sequence[str], tries: Mapping[str, int]) -> dg.RunRequest:
    days = [piece.date for piece in work]
    feed, first, last = work[0].feed, min(days), max(days)
    tables = {name for piece in work for name in piece.tables}
    again = max((tries.get(piece.identity, 0) for piece in work), default=0)
    return dg.RunRequest(
        run_key=f"{feed}/{first}..{last}/{work[0].identity}{work[-1].identity}{len(work)}"
        + (f"/{again}" if again else ""),
        job_name=job_name(feed),
        asset_selection=[asset_key(name) for name in sorted(tables)],
        asset_check_keys=[],
        tags={
            "feed": feed,
            "deliveries": f"{len(work)}, {first} to {last}",
            **several.tags(days, partitions),
            WORK_TAG: " ".join(piece.identity for piece in work),
        },
    )


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Carries changes to the tables that belong to no feed alone, and to what consumers open, once what they read has
    passed its checks."""
    follows = [asset_key(name) for name, table in TABLES.items() if table.feed is None]
    return dg.AutomationConditionSensorDefinition(
        "lake_automation",
        target=dg.AssetSelection.assets(*follows) | dg.AssetSelection.groups(SERVING),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=15,
        description="Tables of no feed alone follow those that they read; warehouse and dashboard follow gold.",
    )
