"""What ``dagster dev`` loads: every table as an asset, and what makes the platform run by itself."""

import dagster as dg

from netflix_dagster import tables
from netflix_dagster.azure import access
from netflix_dagster.defs.alerts import alert_sensors
from netflix_dagster.defs.assets import table_assets
from netflix_dagster.defs.dashboard import dashboard, gold_overview
from netflix_dagster.defs.data_factory import DataFactory, data_factory_assets
from netflix_dagster.defs.databricks import lake_of
from netflix_dagster.defs.external import external_assets, external_sensors
from netflix_dagster.defs.jobs import by_hand, feed_job, lake_maintenance
from netflix_dagster.defs.landing_events import landing_events_sensor
from netflix_dagster.defs.origins import origin_assets, origin_schedules
from netflix_dagster.defs.powerbi import powerbi_definitions
from netflix_dagster.defs.quality import quality_sensor
from netflix_dagster.defs.schedules import lake_maintenance_schedule
from netflix_dagster.defs.secrets import Vault
from netflix_dagster.defs.sensors import automation_sensor, landing_sensor
from netflix_dagster.defs.serving import refresh_serving, warehouse
from netflix_dagster.defs.silence import freshness_sensor
from netflix_dagster.defs.synapse import synapse_assets
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings

access.connect(get_settings())
sources = load_sources(get_settings().sources)
tables.declare(sources)
feeds = sources.feeds
jobs = [feed_job(feed) for feed in feeds.values()]
by_events = get_settings().landing_events is not None
landing = [landing_events_sensor(feeds, jobs)] if by_events else [landing_sensor(feed) for feed in feeds.values()]

defs = dg.Definitions.merge(
    dg.Definitions(
        assets=[
            *table_assets(get_settings().compute),
            *external_assets(sources),
            *origin_assets(sources),
            *data_factory_assets(sources),
            warehouse,
            dashboard,
            gold_overview,
            *synapse_assets(get_settings()),
        ],
        jobs=[*jobs, refresh_serving, lake_maintenance, *by_hand],
        sensors=[
            *landing,
            automation_sensor(),
            quality_sensor(),
            *alert_sensors(get_settings()),
            freshness_sensor(feeds),
            *external_sensors(sources),
        ],
        schedules=[lake_maintenance_schedule, *origin_schedules(sources)],
        resources={"lake": lake_of(get_settings()), "vault": Vault(name=""), "data_factory": DataFactory()},
        executor=dg.in_process_executor,
    ),
    powerbi_definitions(get_settings()),
)
