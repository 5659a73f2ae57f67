"""What people open follows what becomes of deliveries: one that is refused or held, or that a person decides about,
changes no gold, so that no table tells of it.

The sensor compares versions of ``quality.deliveries``: that of now, and that of which the newest dashboard was made. It
waits until nothing has run or changed for a tick: where gold changes as well, the dashboard follows gold meanwhile, and
nothing is left to request.
"""

import dagster as dg

from netflix_dagster.defs.dashboard import dashboard, gold_overview
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.serving import refresh_serving, warehouse
from netflix_dagster.deliveries import life
from netflix_dagster.lake import store

_STATUS = dg.DagsterRunStatus
_UNDER_WAY = [_STATUS.QUEUED, _STATUS.NOT_STARTED, _STATUS.STARTING, _STATUS.STARTED, _STATUS.CANCELING]


def quality_sensor() -> dg.SensorDefinition:
    """The sensor that has warehouse and dashboard made anew. Its cursor is the version that the last tick saw, empty if
    something ran."""

    @dg.sensor(
        name="quality_sensor",
        job=refresh_serving,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Warehouse and dashboard tell of deliveries that were refused, held or decided about.",
    )
    def follow_deliveries(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult:
        version = store.version(lake.settings.lake, life.NAME)
        if version is None or version == told(context.instance):
            return dg.SensorResult(skip_reason="the dashboard tells of every delivery", cursor="")
        if context.instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY), limit=1):
            return dg.SensorResult(skip_reason="something runs; the dashboard may follow gold", cursor="")
        now = str(version)
        if now != context.cursor:
            return dg.SensorResult(skip_reason="deliveries have changed; the dashboard may follow gold", cursor=now)
        keys = [key for made in (warehouse, dashboard, gold_overview) for key in made.keys]
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=now, asset_selection=keys)], cursor=now)

    return follow_deliveries


def told(instance: dg.DagsterInstance) -> int | None:
    """The version of ``quality.deliveries`` of which the newest dashboard tells."""
    entry = instance.get_latest_materialization_event(dashboard.key)
    made = entry.asset_materialization if entry else None
    versions = made.metadata["made_from"].value if made and "made_from" in made.metadata else {}
    return versions.get(life.NAME) if isinstance(versions, dict) else None
