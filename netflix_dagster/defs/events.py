"""What building a table came to, as Dagster tells it: materialisations, metadata, check results, failures.

One report is told in one way, wherever the table was built.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.report import Outcome, Report
from netflix_dagster.defs.checks import asset_key, check_results, check_specs, evaluations
from netflix_dagster.defs.event_log import at_once
from netflix_dagster.defs.markdown import as_markdown
from netflix_dagster.defs.resources import Lake
from netflix_dagster.lake import store
from netflix_dagster.storage import is_local

logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)
"""Else it warns of every blocking check whose outcome is logged, not yielded, as of those that must not stop a run."""


def events_of(context: dg.AssetExecutionContext, report: Report, lake: Lake) -> Iterator[Any]:
    """The events of one table. When all that was asked for is refused or held there are checks and no materialisation,
    so that the partition stays as it was."""
    table, key, deliveries = TABLES[report.table], asset_key(report.table), report.deliveries
    if report.idle:
        _log(context, evaluations(table, report))
        if key in context.selected_asset_keys:
            yield from _check_outputs(table)
        return
    failed = any(check.blocking and not check.passed for o in report.outcomes.values() for check in o.checks)
    one_by_one = table.judged_by_delivery and (failed or not context.has_partition_key)
    if report.blocked and not table.judged_by_delivery:
        yield from check_results(table, report)
        return
    for day in deliveries if table.per_delivery else ():
        shared = {
            "seconds_of_delivery": round(report.seconds / len(deliveries), 3)
        }  # one build may be of many deliveries
        context.add_asset_metadata(_delivery_metadata(report.outcome(day)) | shared, asset_key=key, partition_key=day)
    for day, reason in report.held_back.items():
        context.log.error(f"{table.name} of {day} is held back, what was there before stays: {reason}")
    yield dg.MaterializeResult(
        asset_key=key,
        metadata=_metadata(report, lake),
        check_results=[] if one_by_one else check_results(table, report),
    )
    if one_by_one:  # a failed check that is logged, not yielded, does not stop what lies downstream
        _log(context, evaluations(table, report, context.instance))
        yield from _check_outputs(table)
    others = [str(day) for day in report.outcomes if day is not None and day not in deliveries]
    _log(context, evaluations(table, report, context.instance, others))  # a delivery may hold a later one


def _check_outputs(table: Table) -> Iterator[dg.Output[None]]:
    """What a step must hand over for checks whose outcome is in the log already."""
    return (dg.Output(None, spec.get_python_identifier()) for spec in check_specs(table))


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
    if outcome.held_back or outcome.behind:
        metadata["held_back"] = outcome.held_back or f"{outcome.behind} holds it"
    elif not outcome.delivered:
        metadata["delivered"] = False
    return metadata


def _metadata(report: Report, lake: Lake) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": report.total_rows,
        "dagster/uri": store.location(lake.settings.lake, report.table),
        "delta_version": report.version if report.version is not None else -1,
        "seconds": round(report.seconds, 3),
        **{name: _link(said) for name, said in report.built_by.items()},
    }
    if report.preview:
        metadata["preview"] = dg.MetadataValue.md(as_markdown(report.preview))
    if TABLES[report.table].layer == "gold" and is_local(lake.settings.lake):
        from netflix_dagster.serving.pictures import picture

        if drawn := picture(lake.settings.lake, report.table):
            metadata["chart"] = dg.MetadataValue.md(drawn)
    return metadata


def _link(said: Any) -> Any:
    return dg.MetadataValue.url(said) if str(said).startswith(("https://", "http://")) else said
