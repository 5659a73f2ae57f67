"""One run for several deliveries, wherever they stand among the partitions.

Dagster knows a run of one partition and a run of a range of them. Eleven deliveries of fifty-one would be eleven
ranges, and gold would be built eleven times. So a run of several deliveries names them in a tag. Its range only
encloses them: Dagster is told to leave the events of assets to the steps, and each step logs what it plans and what it
has materialised, of these deliveries and of no other. What is refused or held is not marked as materialised, and what
lies between is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.definition.asset_spec import AssetExecutionType
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventBatchMetadata,
    generate_event_batch_id,
)
from dagster._core.execution.plan.execute_step import _get_output_asset_events
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    EXTERNALLY_MANAGED_ASSETS_TAG,
)

from netflix_dagster.contracts.contract import Table
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.partitions import feed_partitions

DELIVERIES = "netflix/deliveries"
"""The tag of a run that names its deliveries."""


def tags(days: Sequence[str], partitions: Sequence[str]) -> dict[str, str]:
    """The tags of a run of several deliveries. ``partitions`` are all of the feed, in Dagster's order."""
    place = {day: n for n, day in enumerate(partitions)}
    inner = sorted(days, key=lambda day: place[day])
    return {
        ASSET_PARTITION_RANGE_START_TAG: inner[0],
        ASSET_PARTITION_RANGE_END_TAG: inner[-1],
        EXTERNALLY_MANAGED_ASSETS_TAG: "true",
        DELIVERIES: " ".join(sorted(days)),
    }


def deliveries(context: dg.AssetExecutionContext) -> Sequence[str]:
    """The deliveries of a run: those that it names, else its partitions, as when somebody selects them in the UI."""
    return named(context) or context.partition_keys


def named(context: dg.AssetExecutionContext) -> list[str]:
    """The deliveries that a run names; none when Dagster itself logs what it materialises."""
    return str(context.run.tags.get(DELIVERIES, "")).split()


def plan(context: dg.AssetExecutionContext, table: Table) -> None:
    """Log that the run is to materialise its deliveries: until it has, the UI shows them as under way, or failed."""
    if not table.feed:
        return
    days, instance = named(context), context.instance
    if instance.event_log_storage.supports_partition_subset_in_asset_materialization_planned_events:
        subset = feed_partitions(table.feed).subset_with_partition_keys(days).to_serializable_subset()
        planned = [AssetMaterializationPlannedData(asset_key(table.name), partition=None, partitions_subset=subset)]
    else:
        planned = [AssetMaterializationPlannedData(asset_key(table.name), day, partitions_subset=None) for day in days]
    step = context.get_step_execution_context()
    for data, batch in _in_one_batch(planned):
        event = DagsterEvent.build_asset_materialization_planned_event(step.job_name, step.step.key, data)
        instance.report_dagster_event(event, context.run_id, batch_metadata=batch)


def materialize(
    context: dg.AssetExecutionContext, table: Table, days: Sequence[str], metadata: Mapping[str, Any]
) -> None:
    """Log that a table was built for some deliveries, with the versions of data and code that Dagster would log."""
    if table.feed and not days:
        return
    step = context.get_step_execution_context()
    output = dg.Output(None, metadata=metadata)
    made = _get_output_asset_events(
        asset_key(table.name),
        days if table.feed else [],
        output,
        step.op_def.output_def_named("__".join(table.name.split("."))),
        {},
        step,
        AssetExecutionType.MATERIALIZATION,
    )
    for event, batch in _in_one_batch(list(made)):
        assert isinstance(event, dg.AssetMaterialization)
        context.op_execution_context._events.append(
            DagsterEvent.asset_materialization(step, event, batch)
        )  # as log_event


def _in_one_batch(events: Sequence[Any]) -> Iterator[tuple[Any, DagsterEventBatchMetadata]]:
    batch_id = generate_event_batch_id()
    return ((event, DagsterEventBatchMetadata(batch_id, n == len(events))) for n, event in enumerate(events, 1))
