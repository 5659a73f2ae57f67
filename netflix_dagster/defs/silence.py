"""How long the feeds are silent, measured where somebody listens: no run tells of a delivery that does not come."""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg

from netflix_dagster.build import telemetry
from netflix_dagster.defs.resources import Lake
from netflix_dagster.deliveries import ledger
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Feed
from netflix_dagster.storage import Place


def freshness_sensors(feeds: Iterable[Feed]) -> list[dg.SensorDefinition]:
    """The sensor that measures it; none when telemetry is not switched on."""
    if not telemetry.on():
        return []
    expected = {feed.name: feed.expected_every_days for feed in feeds}

    @dg.sensor(
        name="feed_freshness",
        minimum_interval_seconds=900,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells Application Insights how long ago each feed last brought a delivery.",
    )
    def measure_freshness(lake: Lake) -> dg.SkipReason:
        ages = silence(lake.settings.lake)
        for feed, days in ages.items():
            telemetry.fresh(feed, days, expected.get(feed, 0))
        telemetry.flush()
        said = "; ".join(f"{feed}: {days:.1f} days" for feed, days in sorted(ages.items()))
        return dg.SkipReason(f"since the last delivery: {said}" if said else "no feed has brought anything yet")

    return [measure_freshness]


def silence(lake: Place) -> dict[str, float]:
    """Days since each feed last brought a delivery that was accepted."""
    rows = store.read_arrow(lake, ledger.NAME, columns=["feed", "status", "recorded_at"])
    newest: dict[str, datetime] = {}
    for row in rows.to_pylist() if rows is not None else ():
        if row["status"] == "accepted":
            newest[row["feed"]] = max(newest.get(row["feed"], row["recorded_at"]), row["recorded_at"])
    now = datetime.now(UTC)
    return {feed: (now - when).total_seconds() / 86400 for feed, when in newest.items()}
