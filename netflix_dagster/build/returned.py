"""What a look at landing tells by itself, before work is looked for: what left, and what came back as it was.

A copy of a landing folder, and one that is restored, has files of other times and the same bytes. These are known
attempts: that they lie there now is written down, and nothing is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from netflix_dagster.build.door import content_hash, fingerprint
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Life, Status
from netflix_dagster.deliveries.pending import gone
from netflix_dagster.landing.deliveries import Delivery, Listing
from netflix_dagster.storage import Place

MOST_IN_A_TICK = 500_000_000
"""So many bytes of landing a sensor reads at a look, to compare them; beyond, what came back is built again."""


def take_note(lake: Place, listing: Listing, known: Life, *, whole: bool = True, most: int | None = None) -> None:
    """Record what is told of the listing, and bring ``known`` up to it. Of a listing that is not ``whole`` nothing is
    known to have left. ``most``: bytes to be read at the most."""
    events = [*(gone(listing, known) if whole else ()), *_as_they_were(listing, known, most)]
    for event in life.record(lake, events):
        known.add(event)


def _as_they_were(listing: Listing, known: Life, most: int | None) -> Iterator[Event]:
    """The deliveries of which the newest attempt lies there again, or still, in files of other times."""
    for delivery in listing.deliveries:
        size = sum(file.size for file in delivery.files)
        if not _may_be_as_it_was(delivery, size, known) or (most is not None and size > most):
            continue
        most = most - size if most is not None else None
        newest = known.deliveries[delivery.source, delivery.date].newest
        if _content(delivery) == newest.fingerprint:
            yield Event(
                Status.LANDED,
                newest.feed,
                newest.key,
                source=newest.source,
                fingerprint=newest.fingerprint,
                mark=delivery.fingerprint,
                files=newest.files,
                bytes=newest.bytes,
                records=newest.records,
                run_id=newest.run_id,
            )


@lru_cache(maxsize=1024)
def _content(delivery: Delivery) -> str:
    """The fingerprint of what lies there. A sensor looks every few seconds, and until the door has judged it a changed
    delivery is one that may be as it was: it is read once, since other files have other marks."""
    return fingerprint(delivery, [content_hash(file) for file in delivery.files])


def _may_be_as_it_was(delivery: Delivery, size: int, known: Life) -> bool:
    """Whether its files have changed, as far as their times say, and their number and size have not.

    A refused file is always read again, since ``sources.yaml`` may have been mended; so is what a person reopens.
    """
    before = known.deliveries.get((delivery.source, delivery.date))
    if before is None or not before.attempts or before.reopened or before.newest.status is Status.REFUSED:
        return False
    if before.newest.mark == delivery.fingerprint and not before.gone:
        return False
    return (before.newest.files, before.newest.bytes) == (len(delivery.files), size)
