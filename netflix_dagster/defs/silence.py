"""How long the feeds are silent, measured where somebody listens: no run tells of a delivery that does not come.

What counts is in the life of the deliveries: when a content that was accepted came for the first time. That a table is
built again says nothing of its source.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import dagster as dg

from netflix_dagster.build import telemetry
from netflix_dagster.defs.resources import Lake
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.landing.sources import Feed

_CAME = (Status.LANDED, Status.REFUSED, Status.ACCEPTED)


def freshness_sensor(feeds: Mapping[str, Feed]) -> dg.SensorDefinition:
    """The sensor that measures it, and tells Application Insights where telemetry is switched on."""

    @dg.sensor(
        name="feed_freshness",
        minimum_interval_seconds=900,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says how long ago each feed last brought something new, and which feeds are late.",
    )
    def measure_freshness(lake: Lake) -> dg.SkipReason:
        ages = silence(life.events(lake.settings.lake))
        for feed, days in ages.items():
            telemetry.fresh(feed, days, feeds[feed].expected_every_days if feed in feeds else 0)
        telemetry.flush()
        said = "; ".join(
            f"{feed}: {days:.1f} days" + (f", late: {feeds[feed].expected_every_days} are expected" * late)
            for feed, days in sorted(ages.items())
            for late in [feed in late_feeds(ages, feeds)]
        )
        return dg.SkipReason(f"since the last delivery: {said}" if said else "no feed has brought anything yet")

    return measure_freshness


def silence(events: Iterable[Event]) -> dict[str, float]:
    """Days since each feed last brought a content that was not there before. A delivery that is built again, replayed
    or decided upon brings nothing."""
    came: dict[tuple[str, str, str], datetime] = {}
    newest: dict[str, datetime] = {}
    for event in events:
        if event.status not in _CAME or event.at is None:
            continue
        when = came.setdefault((event.source or "", event.key, event.fingerprint or ""), event.at)
        if event.status is Status.ACCEPTED:
            newest[event.feed] = max(newest.get(event.feed, when), when)
    return {feed: (_now() - when).total_seconds() / 86400 for feed, when in newest.items()}


def late_feeds(ages: Mapping[str, float], feeds: Mapping[str, Feed]) -> set[str]:
    """The feeds that are silent for longer than they say of themselves. One that never brought anything is not late."""
    return {name for name, feed in feeds.items() if ages.get(name, 0) > feed.expected_every_days}


def _now() -> datetime:
    return datetime.now(UTC)
