"""What is still to be done: deliveries that are new, have changed, or never reached the end of their chain."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from netflix_dagster.deliveries.ledger import REOPENED, Entry
from netflix_dagster.landing.deliveries import Delivery, Listing
from netflix_dagster.landing.sources import Sources


@dataclass(frozen=True, slots=True)
class Pending:
    """A feed's delivery date with something to do, the sources it concerns, and its identity as a piece of work."""

    feed: str
    date: str
    sources: tuple[str, ...]
    identity: str


def pending(
    listing: Listing,
    sources: Sources,
    ledger: Mapping[tuple[str, str], Entry],
    unfinished: Callable[[str, str], bool] = lambda feed, date: False,
    *,
    again: bool = False,
) -> list[Pending]:
    """Compare what lies in landing with the ledger, oldest delivery first.

    A delivery that was refused or blocked is pending again when its files change, or when it is asked for
    ``again``. One that was accepted is pending again when ``unfinished(feed, date)`` says that its chain never
    reached the end.
    """
    work: dict[tuple[str, str], list[Delivery]] = {}
    everything: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in listing.deliveries:
        place = (sources.sources[delivery.source].feed, delivery.date)
        everything.setdefault(place, []).append(delivery)
        seen = ledger.get((delivery.source, delivery.date))
        if seen is None or seen.fingerprint != delivery.fingerprint:
            work.setdefault(place, []).append(delivery)
        elif again if seen.status != "accepted" else unfinished(*place):
            work.setdefault(place, []).append(delivery)
    return [
        Pending(feed, date, tuple(d.source for d in deliveries), _identity(everything[feed, date], ledger))
        for (feed, date), deliveries in sorted(work.items(), key=lambda item: (item[0][1], item[0][0]))
    ]


def _identity(deliveries: Iterable[Delivery], ledger: Mapping[tuple[str, str], Entry]) -> str:
    """Differs from that of every earlier piece of work, also when the same files are to be taken up once more."""
    said = "/".join(f"{delivery.source}:{delivery.fingerprint}" for delivery in deliveries)
    seen = (ledger.get((delivery.source, delivery.date)) for delivery in deliveries)
    said += "".join(
        f"/{entry.source} again {entry.attempt}" for entry in seen if entry and entry.fingerprint == REOPENED
    )
    return hashlib.sha256(said.encode()).hexdigest()[:16]
