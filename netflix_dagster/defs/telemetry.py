"""The run, which only Dagster knows, as the root of a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, PARTITION_NAME_TAG

from netflix_dagster.build import telemetry
from netflix_dagster.defs.failures import why_failed


@contextmanager
def traced(context: dg.InitResourceContext) -> Iterator[None]:
    """The span of a run, when there is one: sensors look at the lake without."""
    run, instance = context.run, context.instance
    if run is None or instance is None or not telemetry.on():
        yield
        return
    which = run.tags.get(PARTITION_NAME_TAG) or run.tags.get("deliveries")
    about = {telemetry.FEED: run.tags.get("feed"), telemetry.DELIVERY: which}
    said = {name: value for name, value in about.items() if value}
    with telemetry.run(run.run_id, run.job_name, said, run.tags.get(PARENT_RUN_ID_TAG)) as ending:
        yield
        ending.failed = why_failed(instance, run.run_id)
