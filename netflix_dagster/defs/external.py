"""Jobs of others: what exists in a Databricks workspace, is started there, and lands what this platform builds from.

Each job that ``sources.yaml`` names under ``external_jobs`` is an asset without code, upstream of the bronze tables of
the sources that it lands. A sensor looks how its runs went: a run that succeeded is a materialisation, any other an
observation. Without such jobs there is neither; loading needs no workspace.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from netflix_dagster.databricks.jobs import DatabricksSettings, workspace
from netflix_dagster.databricks.runs import FIRST_LOOK_MS, Seen, ended, find
from netflix_dagster.landing.sources import ExternalJob, Sources

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import BaseRun

GROUP = "external"


def external_key(job: ExternalJob) -> dg.AssetKey:
    """The asset of a job: ``[external, <name>]``."""
    return dg.AssetKey([GROUP, job.name])


def external_assets(sources: Sources) -> list[dg.AssetSpec]:
    """The jobs as assets that are made elsewhere."""
    return [
        dg.AssetSpec(
            key=external_key(job),
            group_name=GROUP,
            kinds={"databricks"},
            description=f"{job.description}\n\nA job of the Databricks workspace; it is started there.",
            metadata={"databricks_job": str(job.job)},
        )
        for job in sources.external_jobs.values()
    ]


def landed_by(sources: Sources, table: str) -> list[dg.AssetKey]:
    """The jobs that land what a bronze table is built from."""
    return [
        external_key(job)
        for job in sources.external_jobs.values()
        if table in {sources.sources[source].bronze for source in job.lands}
    ]


def external_sensors(sources: Sources) -> list[dg.SensorDefinition]:
    """The sensor that tells how the runs of these jobs went; none without jobs."""
    if not sources.external_jobs:
        return []

    @dg.sensor(
        name="external_jobs_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="How the runs of jobs went that land deliveries from a Databricks workspace.",
    )
    def look_at_jobs(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        return look(sources, context)

    return [look_at_jobs]


def look(sources: Sources, context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Tell of the runs that have ended since the last look. One job that cannot be seen does not hide the others."""
    client = workspace(DatabricksSettings())
    cursor: dict[str, Any] = json.loads(context.cursor or "{}")
    events: list[dg.AssetMaterialization | dg.AssetObservation] = []
    unseen: dict[str, Exception] = {}
    for job in sources.external_jobs.values():
        before = cursor.get(job.name)
        seen = Seen(before["since"], tuple(before["told"])) if before else Seen(int(time.time() * 1000) - FIRST_LOOK_MS)
        try:
            runs, seen = ended(client, find(client, job.job), seen)
        except Exception as error:
            context.log.error(f"the runs of the job {job.name} cannot be seen: {error}")
            unseen[job.name] = error
            continue
        cursor[job.name] = asdict(seen)
        events += [event_of(job, run) for run in runs]
    if len(unseen) == len(sources.external_jobs):
        raise next(iter(unseen.values()))
    skipped = None if events else "no run has ended since the last look"
    return dg.SensorResult(asset_events=events, cursor=json.dumps(cursor), skip_reason=skipped)


def event_of(job: ExternalJob, run: "BaseRun") -> dg.AssetMaterialization | dg.AssetObservation:
    """A run as an event of the job's asset."""
    state = run.state
    result = state.result_state or state.life_cycle_state if state else None
    named = result.value if result else "UNKNOWN"
    seconds = ((run.end_time or 0) - (run.start_time or 0)) / 1000
    metadata: Mapping[str, Any] = {
        "state": named,
        "message": (state.state_message if state else None) or "",
        "databricks_run_id": str(run.run_id),
        "started": dg.MetadataValue.timestamp((run.start_time or 0) / 1000),
        "seconds": round(seconds, 3),
        **({"databricks_run": dg.MetadataValue.url(run.run_page_url)} if run.run_page_url else {}),
    }
    kind = dg.AssetMaterialization if named == "SUCCESS" else dg.AssetObservation
    return kind(asset_key=external_key(job), description=f"{job.name}: {named}", metadata=metadata)
