"""What happens by the clock."""

from __future__ import annotations

import dagster as dg

from netflix_dagster.defs.jobs import lake_maintenance

lake_maintenance_schedule = dg.ScheduleDefinition(
    name="lake_maintenance_weekly",
    job=lake_maintenance,
    cron_schedule="0 4 * * 0",
    execution_timezone="UTC",
    description="Sundays at four: compaction, clean-up and retention of every table.",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
