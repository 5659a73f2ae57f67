"""What is still to be done: deliveries that are new, have changed, or whose tables no build has ended with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from netflix_dagster.contracts.graph import build_order, touched_tables
from netflix_dagster.deliveries.life import Event, FeedDate, Life, Status
from netflix_dagster.landing.deliveries import Delivery, Listing
from netflix_dagster.landing.sources import Sources

MOST_TRIES = 3
"""So often a sensor asks for a build that fails before it leaves it to a person."""
LOST_AFTER = timedelta(seconds=45)
"""A build that nobody is at work on counts as lost only after this time: Dagster's own retry comes first."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A feed's delivery date with something to do.

    ``sources`` are those to look at in landing, ``tables`` all that is to be built; ``identity`` differs from that of
    every earlier piece of work. ``tries`` are builds of it in a row that failed or did not come to their end.
    """

    feed: str
    date: str
    sources: tuple[str, ...]
    identity: str
    tables: tuple[str, ...] = ()
    tries: int = 0
    begun: datetime | None = None


def pending(
    listing: Listing,
    sources: Sources,
    life: Life,
    *,
    again: bool = False,
    changed_code: bool = False,
    only: Collection[str] | None = None,
) -> list[Pending]:
    """Compare what lies in landing with the life of the deliveries, oldest delivery first.

    What was refused or held is pending again when its files change, or when it is asked for ``again``. What was
    accepted is pending until a build has ended with every table of its chain. With ``changed_code`` so are tables whose
    code has changed since; a sensor does not ask for these, as a cluster with other code would build them for ever.
    ``only``: the sources that were listed.
    """
    landed: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in listing.deliveries:
        landed.setdefault((sources.sources[delivery.source].feed, delivery.date), []).append(delivery)
    wanted = set(sources.sources if only is None else only)
    places = {*landed, *(place for place, date in life.dates.items() if wanted & date.current.keys())}
    found = []
    for feed, key in sorted(places, key=lambda place: (place[1], place[0])):
        here = landed.get((feed, key), [])
        changed = tuple(delivery.source for delivery in here if to_take_up(delivery, life, again))
        due = life.to_build(feed, key) if changed_code else life.due(feed, key)
        if not changed and not due:
            continue
        waiting = [d.source for d in life.of_date(feed, key) if d.newest.status in (Status.ACCEPTED, Status.HELD)]
        chosen = [*dict.fromkeys((*changed, *(source for source in waiting if source in sources.sources)))]
        tables = {*due, *touched_tables(feed, chosen)} if changed else due
        date = life.dates.get((feed, key))
        looked_at = changed or tuple(source for source in (date.current if date else ()) if source in sources.sources)
        found.append(
            Pending(
                feed,
                key,
                looked_at,
                _identity(here, date),
                tuple(build_order(tables)),
                date.failed + len(date.open) if date and not changed else 0,
                max((build.begun for build in date.open.values()), default=None) if date else None,
            )
        )
    return found


def to_request(work: Iterable[Pending], at_work: bool) -> list[Pending]:
    """The work that a sensor asks for: not what a build is at, nor what has failed too often."""
    now = datetime.now(UTC)
    return [
        piece
        for piece in work
        if piece.tries < MOST_TRIES and (piece.begun is None or (not at_work and now - piece.begun > LOST_AFTER))
    ]


def lost_builds(life: Life, feed: str) -> list[str]:
    """The runs that have begun to build a feed so long ago that, when nobody is at work on it, they are lost."""
    long_ago = datetime.now(UTC) - LOST_AFTER
    builds = [build for (name, _), date in life.dates.items() if name == feed for build in date.open.values()]
    return [*dict.fromkeys(build.run_id for build in builds if build.begun < long_ago)]


def gone(listing: Listing, life: Life) -> list[Event]:
    """The deliveries that stand and whose files have left landing since the last look, as events to be recorded.

    A source of which nothing at all lies in landing is not told of: a folder that is not mounted deletes nothing.
    """
    there = {(delivery.source, delivery.date) for delivery in listing.deliveries}
    seen = {source for source, _ in there}
    return [
        Event(Status.WITHDRAWN, delivery.feed, delivery.key, source=delivery.source)
        for place, delivery in sorted(life.deliveries.items())
        if place not in there and delivery.source in seen and not delivery.gone and delivery.standing
    ]


def to_take_up(delivery: Delivery, life: Life, again: bool = False) -> bool:
    """Whether a delivery is new, has changed since it was judged last, or is to be judged ``again``."""
    known = life.deliveries.get((delivery.source, delivery.date))
    if known is None or not known.attempts or known.gone:
        return True
    if known.newest.mark != delivery.fingerprint or known.reopened:
        return True
    return again and known.newest.waits


def _identity(deliveries: Iterable[Delivery], date: FeedDate | None) -> str:
    said = [f"{delivery.source}:{delivery.fingerprint}" for delivery in deliveries]
    if date is not None:
        said.append(f"builds {date.builds}, due since {max(date.source_due.values(), default=None)}")
    return hashlib.sha256("/".join(said).encode()).hexdigest()[:16]
