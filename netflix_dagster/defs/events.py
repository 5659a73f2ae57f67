"""What building a table came to, as events of Dagster: materialisations, metadata, check evaluations, failures.

The same report makes the same events, wherever the table was built. Checks are logged, not handed over as outputs of
the step: the gates have decided already what is written, and an output is an event of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.report import Outcome, Report
from netflix_dagster.defs import several
from netflix_dagster.defs.checks import asset_key, check_specs, evaluations, materializations
from netflix_dagster.defs.event_rows import at_once, keeps_together, together
from netflix_dagster.defs.markdown import as_markdown
from netflix_dagster.defs.resources import Lake
from netflix_dagster.lake import store

MOST_SAID = 20
"""Of so many dates without a delivery a step says why it has built nothing."""


def events_of(context: dg.AssetExecutionContext, report: Report, lake: Lake) -> Iterator[Any]:
    """The events of one table. When all that was asked for is refused or held there are checks and no materialisation,
    so that the partition stays as it was."""
    table, instance = TABLES[report.table], context.instance
    key = asset_key(table.name)
    if not report.idle or key in context.selected_asset_keys:
        for day, reason in report.held_back.items():
            context.log.error(f"{table.name} of {day} is held back, what was there before stays: {reason}")
    if report.idle or (report.blocked and not table.judged_by_delivery):
        _say_what_is_absent(context, table, report, lake)
        _log(context, evaluations(table, report))
        yield from _check_outputs(context, table)
        return
    with at_once(instance, context.run_id):  # the lock of the database is held for as long as the events need
        metadata = _of_deliveries(context, table, report, lake) | _metadata(report, lake)
        if several.named(context):
            several.materialize(context, table, lake.standing(report), metadata)
            metadata = {}
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        days = report.deliveries if table.judged_by_delivery else (None,)
        alone = [day for day in days if not keeps_together(instance) or len(days) == 1 or _failed(report.outcome(day))]
        judged = evaluations(table, report, materializations(instance, table, alone))
        _log(context, together(instance, judged))
        others = [day for day in report.outcomes if day is not None and day not in report.deliveries]
        _log(context, evaluations(table, report, materializations(instance, table, others), others))
        yield from _check_outputs(context, table)


def _say_what_is_absent(context: dg.AssetExecutionContext, table: Table, report: Report, lake: Lake) -> None:
    """A step that was asked for dates on which nothing has landed shows as *Skipped*: in its log, and on the page of
    the partition, stands why, and what to do."""
    if not table.judged_by_delivery or asset_key(table.name) not in context.selected_asset_keys:
        return
    absent = [day for day in report.deliveries if not (outcome := report.outcome(day)).delivered and not outcome.stays]
    sources = (
        [table.short_name] if table.layer == "bronze" else [s.name for s in lake.sources.of_feed(table.feed or "")]
    )
    landing = lake.settings.landing
    for day in absent[:MOST_SAID]:
        said = (
            f"Nothing was built for {day}, and {table.name} has not changed: no file of {' or '.join(sources)} lies in"
            f" {landing} for that date. Land one, `netflix-dagster land FILE --source {sources[0]} --date {day}`: the"
            " sensor then builds it. If none is to come, delete the partition."
        )
        context.log.warning(said)
        context.log_event(dg.AssetObservation(asset_key(table.name), said, {"nothing_built": said}, day))


def _of_deliveries(context: dg.AssetExecutionContext, table: Table, report: Report, lake: Lake) -> dict[str, Any]:
    """Log what belongs to a delivery with that delivery, and return what belongs to all.

    Of several deliveries only the newest shows rows and a chart: Dagster keeps a copy of what it is given for each.
    """
    key, keys = asset_key(table.name), report.deliveries
    shared = {"seconds_of_delivery": round(report.seconds / max(len(keys), 1), 3)}  # one build may be of several
    for day in keys if table.per_delivery else ():
        context.add_asset_metadata(_delivery_metadata(report.outcome(day)) | shared, asset_key=key, partition_key=day)
    shown = _pictures(table, report, lake)
    if shown and len(keys) > 1:
        context.add_asset_metadata(shown, asset_key=key, partition_key=max(keys))
        return {}
    return shown


def _pictures(table: Table, report: Report, lake: Lake) -> dict[str, Any]:
    """Some rows of the table; of a gold table a small chart as well."""
    shown: dict[str, Any] = {}
    if report.preview:
        shown["preview"] = dg.MetadataValue.md(as_markdown(report.preview))
    if table.layer == "gold":
        from netflix_dagster.serving.pictures import picture

        if drawn := picture(lake.settings.lake, report.table):
            shown["chart"] = dg.MetadataValue.md(drawn)
    return shown


def _failed(outcome: Outcome) -> bool:
    return not all(check.passed for check in outcome.checks)


def _check_outputs(context: dg.AssetExecutionContext, table: Table) -> Iterator[dg.Output[None]]:
    """What the step must hand over for checks that the run was told to execute, such as by a click in the UI."""
    asked = context.selected_asset_check_keys
    return (dg.Output(None, spec.get_python_identifier()) for spec in check_specs(table) if spec.key in asked)


def _log(context: dg.AssetExecutionContext, found: Sequence[dg.AssetCheckEvaluation]) -> None:
    with at_once(context.instance, context.run_id):
        for evaluation in found:
            context.log_event(evaluation)


def held_back(reports: Sequence[Report]) -> dg.Failure:
    """The failure of a run in which tables were held back."""
    return dg.Failure(" ".join(_said(report) for report in reports), allow_retries=False)


def _said(report: Report) -> str:
    said = "; ".join(f"{day}: {why}" for day, why in report.held_back.items())
    said = said or "; ".join(o.held_back for o in report.outcomes.values() if o.held_back)
    stays = "Gold" if TABLES[report.table].write == "gate" else "Nothing was written; the table"
    return (
        f"{report.table} is held back. {said}. {stays} stays as it was. Mend the file and land it again, or see"
        " quality.quarantine for every fault."
    )


def _delivery_metadata(outcome: Outcome) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": outcome.rows,
        "quarantined": outcome.quarantined,
        "copies_removed": outcome.copies,
    }
    if outcome.stays:
        metadata["held_back"] = outcome.held_back or f"{outcome.behind} holds it"
    elif not outcome.delivered:
        metadata["delivered"] = False
    return metadata


def _metadata(report: Report, lake: Lake) -> dict[str, Any]:
    return {
        "dagster/row_count": report.total_rows,
        "dagster/uri": store.location(lake.settings.lake, report.table),
        "delta_version": report.version if report.version is not None else -1,
        "seconds": round(report.seconds, 3),
        **{name: _link(said) for name, said in report.built_by.items()},
    }


def _link(said: Any) -> Any:
    return dg.MetadataValue.url(said) if str(said).startswith(("https://", "http://")) else said
