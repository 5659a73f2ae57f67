"""One dynamic partitions definition per feed, keyed by delivery date: a partition exists because a delivery does."""

from __future__ import annotations

from functools import cache

import dagster as dg


@cache
def feed_partitions(feed: str) -> dg.DynamicPartitionsDefinition:
    """``<feed>_deliveries``."""
    return dg.DynamicPartitionsDefinition(name=f"{feed}_deliveries")
