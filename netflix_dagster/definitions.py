"""What ``dagster dev`` loads: every table as an asset, and what makes the platform run by itself."""

import dagster as dg

from netflix_dagster.defs.assets import table_assets
from netflix_dagster.defs.jobs import accept_delivery, feed_job, lake_maintenance, replay_quarantine
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.schedules import lake_maintenance_schedule
from netflix_dagster.defs.sensors import automation_sensor, landing_sensor
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings

feeds = load_sources(get_settings().sources).feeds.values()

defs = dg.Definitions(
    assets=table_assets(),
    jobs=[*(feed_job(feed) for feed in feeds), lake_maintenance, accept_delivery, replay_quarantine],
    sensors=[*(landing_sensor(feed) for feed in feeds), automation_sensor()],
    schedules=[lake_maintenance_schedule],
    resources={"lake": Lake.from_settings()},
    executor=dg.in_process_executor,
)
