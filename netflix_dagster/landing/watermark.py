"""Lists only the young deliveries of a landing folder that has thousands of old ones.

Where a storage lists in order (``storage.lists_in_order``) a listing can begin at a name, and delivery dates sort by
name. So a listing from a date on costs one request for each source, however many deliveries are older. A full listing,
every few minutes, finds what was added or replaced under an older date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from netflix_dagster.landing import blobs
from netflix_dagster.landing.keys import parts
from netflix_dagster.landing.listing import Listing
from netflix_dagster.landing.sources import Source
from netflix_dagster.storage import Place

YOUNG_DAYS = 31
"""A delivery is young until another is this many days younger."""
EVERYTHING_EVERY = 300
"""Seconds between two full listings."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """The last full listing, at the Unix time ``looked``: ``young`` is the fingerprint of its deliveries from the date
    ``since`` on."""

    since: str = ""
    young: str = ""
    looked: float = 0.0

    @classmethod
    def of(cls, listing: Listing, now: float) -> Watermark:
        """The mark to leave after a look at everything. A date in the future does not move it."""
        today = datetime.fromtimestamp(now, UTC).date()
        dates = [day for day in (parts(d.date)[0] for d in listing.deliveries) if day <= today]
        since = max(dates, default=date.min)
        since -= min(timedelta(days=YOUNG_DAYS), since - date.min)
        return cls(since.isoformat(), _young(listing, since.isoformat()), now)

    def stands(self, landing: Place, sources: Mapping[str, Source], now: float) -> bool:
        """Whether nothing young has come or changed, and no full listing is due."""
        if not 0 <= now - self.looked < EVERYTHING_EVERY:
            return False
        return _young(blobs.list_since(landing, sources, self.since), self.since) == self.young


def _young(listing: Listing, since: str) -> str:
    return Listing(tuple(d for d in listing.deliveries if d.date >= since)).fingerprint
