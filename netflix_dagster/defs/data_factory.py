"""Data Factory as the one that lands: its copies are assets ``[data_factory, <source>]`` between origin and bronze.

Materializing some of them starts one run of the pipeline ``land_sources`` for their sources and follows it to its end.
What was copied is a materialisation, a source whose origin has not changed an observation. They are there only when
the settings name a factory. The landing sensor takes up what lands, as it does with any file.
"""

from collections.abc import Iterator, Sequence
from time import monotonic, sleep
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.tags import ROOT_RUN_ID_TAG

from netflix_dagster.azure.data_factory import (
    OVER,
    PIPELINE,
    Activity,
    DataFactoryError,
    DataFactorySettings,
    Factory,
    Landed,
    landed,
    reasons,
)
from netflix_dagster.azure.redaction import redact
from netflix_dagster.defs.origins import origin_key
from netflix_dagster.landing import control
from netflix_dagster.landing.sources import Source, Sources

GROUP = "data_factory"
TOLD_TAG = "data_factory/run_id"
"""On a Dagster run: the run of the factory whose end it has told of."""
MOST_REASONS = 10


class DataFactory(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data factory of ``NETFLIX_DATA_FACTORY_...``; nothing is asked of it before a step does."""

    def factory(self) -> Factory:
        return Factory(DataFactorySettings())


def data_factory_key(source: str) -> dg.AssetKey:
    """The asset of what Data Factory lands of a source: ``[data_factory, <source>]``."""
    return dg.AssetKey([GROUP, source])


def copied_by_data_factory(sources: Sources, table: str) -> list[dg.AssetKey]:
    """The copy that a bronze table is built from, if a factory is named and lands its source."""
    if not any(source.bronze == table for source in sources.sources.values()):
        return []
    return [data_factory_key(source.name) for source in _taking_part(sources) if source.bronze == table]


def data_factory_assets(sources: Sources) -> list[dg.AssetsDefinition]:
    """The assets of the sources that the factory lands; none without a factory."""
    found = _taking_part(sources)
    return [_assets(found)] if found else []


def _taking_part(sources: Sources) -> list[Source]:
    if not DataFactorySettings().name:
        return []
    names = {entry["source"] for entry in control.entries(sources)}
    return [source for source in sources.sources.values() if source.name in names]


def _assets(sources: Sequence[Source]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=GROUP,
        specs=[
            dg.AssetSpec(
                key=data_factory_key(source.name),
                deps=[origin_key(source.name)],
                group_name=GROUP,
                kinds={"azuredatafactory"},
                skippable=True,
                tags={"feed": source.feed},
                description=f"The files of {source.name} as Data Factory lands them, pipeline `{PIPELINE}`.",
            )
            for source in sources
        ],
        can_subset=True,
        # Without a retry policy: with one Dagster takes a cancellation for a fault and begins again.
    )
    def data_factory(context: dg.AssetExecutionContext, data_factory: DataFactory) -> Iterator[Any]:
        names = sorted(key.path[-1] for key in context.selected_asset_keys)
        told: list[Landed] = []
        try:
            yield from _follow(context, data_factory.factory(), names, told)
        except DataFactoryError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for name in sorted(set(names) - {one.source for one in told}):
            context.log_event(dg.AssetObservation(data_factory_key(name), metadata={"outcome": "unchanged"}))

    return data_factory


def _follow(
    context: dg.AssetExecutionContext, factory: Factory, sources: Sequence[str], told: list[Landed]
) -> Iterator[Any]:
    """Start the run or go on with it, tell what it does, and hand over what it landed, also when it failed."""
    run = _attach(context, factory, sources)
    seen: set[str] = set()
    ends = monotonic() + factory.settings.timeout_seconds
    try:
        while (state := factory.look(run)).status not in OVER:
            _log(context, factory.activities(run), seen)
            if monotonic() > ends:
                raise _too_long(factory, run)
            sleep(factory.settings.poll_seconds)
    except (DagsterExecutionInterruptedError, KeyboardInterrupt):
        context.log.info(f"cancelling run {run} of the data factory")
        if not factory.cancel(run):
            context.log.error(f"run {run} of the data factory has not ended yet; look at {factory.page(run)}")
        raise
    activities = list(factory.activities(run))
    _log(context, activities, seen)
    told += landed(activities)
    context.instance.add_run_tags(context.run_id, {TOLD_TAG: run})
    newest = {one.source: one for one in told}
    for one in told:
        if one is not newest[one.source]:
            context.log_event(dg.AssetMaterialization(data_factory_key(one.source), metadata=_about(factory, run, one)))
    for one in newest.values():
        yield dg.MaterializeResult(asset_key=data_factory_key(one.source), metadata=_about(factory, run, one))
    if state.status != "Succeeded":
        raise _failed(factory, run, str(state.status), reasons(activities) or [redact(str(state.message))], told)


def _attach(context: dg.AssetExecutionContext, factory: Factory, sources: Sequence[str]) -> str:
    """The run for this request. A retry of the step and of the whole run are the same request: what an attempt that
    died has started is gone on with, also when it has succeeded in the meantime and nobody has heard of it."""
    request = f"{context.run.root_run_id or context.run_id}/{context.op_execution_context.op.name}"
    if (run := factory.find(request)) and run not in _told(context):
        context.log.info(f"run {run} of the data factory was started by an attempt before and is gone on with")
        return run
    run = factory.start(sources, request)
    context.log.info(f"run {run} of the data factory lands {', '.join(sources)}: {factory.page(run)}")
    return run


def _told(context: dg.AssetExecutionContext) -> set[str]:
    """The runs of the factory whose end this Dagster run, or one that it repeats, has told of."""
    group = context.run.root_run_id or context.run_id
    repeated = context.instance.get_runs(dg.RunsFilter(tags={ROOT_RUN_ID_TAG: group}))
    first = context.instance.get_run_by_id(group)
    return {one.tags[TOLD_TAG] for one in (*repeated, *filter(None, [first])) if TOLD_TAG in one.tags}


def _log(context: dg.AssetExecutionContext, activities: Any, seen: set[str]) -> None:
    """Tell once of each activity that has ended."""
    one: Activity
    for one in activities:
        if one.status in OVER and one.id not in seen:
            seen.add(one.id)
            (context.log.error if one.status == "Failed" else context.log.info)(str(one))


def _about(factory: Factory, run: str, one: Landed) -> dict[str, Any]:
    return {
        "outcome": "delivered",
        "delivery": one.delivery,
        "file": one.file,
        "bytes": one.bytes,
        "seconds": one.seconds,
        "data_factory_run_id": run,
        "copy_run_id": one.run,
        "data_factory_run": dg.MetadataValue.url(factory.page(run)),
    }


def _too_long(factory: Factory, run: str) -> DataFactoryError:
    obeyed = "" if factory.cancel(run) else ", which it has not obeyed yet"
    return DataFactoryError(
        f"Run {run} of the data factory was still at work after {factory.settings.timeout_seconds:,} seconds"
        f" (NETFLIX_DATA_FACTORY_TIMEOUT_SECONDS) and was cancelled{obeyed}."
        f" What it had landed is whole; nothing else was changed. Look at {factory.page(run)}, then run again."
    )


def _failed(factory: Factory, run: str, status: str, why: Sequence[str], told: Sequence[Landed]) -> dg.Failure:
    done = ", ".join(f"{one.source} {one.delivery}" for one in told) or "nothing"
    more = f"\n- and {len(why) - MOST_REASONS} more" if len(why) > MOST_REASONS else ""
    return dg.Failure(
        f"Run {run} of the data factory ended as {status}. Landed: {done}. Everything else is as it was, and to run"
        f" again is safe.\n" + "\n".join(f"- {reason}" for reason in why[:MOST_REASONS]) + more,
        metadata={"data_factory_run": dg.MetadataValue.url(factory.page(run)), "data_factory_run_id": run},
        allow_retries=False,
    )
