"""How old a table may be before somebody should look: as old as its feed may be silent."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from netflix_dagster.contracts.contract import Table
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings


def freshness(table: Table) -> dg.FreshnessPolicy | None:
    """Warns when the feed is due, fails a tenth later. Tables of no feed alone follow those that they read."""
    if table.feed is None:
        return None
    due = timedelta(days=load_sources(get_settings().sources).feeds[table.feed].expected_every_days)
    return dg.FreshnessPolicy.time_window(warn_window=due, fail_window=due * 1.1)
