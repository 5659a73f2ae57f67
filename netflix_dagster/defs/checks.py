"""Asset checks: every expectation of a contract as a check on the asset, told apart by delivery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from netflix_dagster.build import conservation
from netflix_dagster.build.door import CHECKS
from netflix_dagster.contracts.contract import Table
from netflix_dagster.contracts.expectations import all_rules
from netflix_dagster.contracts.report import Check, Report
from netflix_dagster.defs.markdown import as_markdown
from netflix_dagster.defs.partitions import feed_partitions

Targets = dict[str | None, AssetCheckEvaluationTargetMaterializationData]
"""The materialisation that the checks of each delivery judge, or under None those of a whole table."""


def check_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """The checks of a table. A rule that blocks a delivery blocks what lies downstream as well.

    Tables that hold deliveries side by side are judged delivery by delivery, whole tables as a whole.
    """
    partitions = feed_partitions(table.feed) if table.feed and table.judged_by_delivery else None
    return [
        dg.AssetCheckSpec(
            name=name,
            asset=asset_key(table.name),
            description=f"{description} ({_MEANS[on_fail]})",
            blocking=on_fail == "fail",
            partitions_def=partitions,
            metadata={"on_fail": on_fail},
        )
        for name, on_fail, description in _rules(table)
    ]


def evaluations(
    table: Table, report: Report, targets: Targets | None = None, days: Iterable[str | None] | None = None
) -> list[dg.AssetCheckEvaluation]:
    """The outcome of every check on each delivery, or on a table as a whole; a source that delivered nothing on a date
    has nothing to judge.

    Given the materialisations that are judged, each names its own; without, the UI counts it as missing.
    """
    whole: list[str | None] = [None]
    asked = (report.deliveries if table.judged_by_delivery else whole) if days is None else days
    targets = targets or {}
    return [
        dg.AssetCheckEvaluation(
            asset_key=asset_key(table.name),
            check_name=check.name,
            passed=check.passed,
            severity=_severity(check.on_fail),
            description=check.message,
            metadata=_metadata(check),
            blocking=check.blocking,
            partition=day,
            target_materialization_data=targets.get(day),
        )
        for day in asked
        if report.outcome(day).delivered
        for check in report.outcome(day).checks
    ]


def materializations(instance: dg.DagsterInstance, table: Table, days: Sequence[str | None]) -> Targets:
    """The newest materialisation of each delivery, also of those that another run has built; of None the very newest
    of the table."""
    key, found = asset_key(table.name), Targets()
    if None in days:
        for record in instance.fetch_materializations(key, limit=1).records:
            found[None] = _target(record)
    wanted, cursor = {day for day in days if day is not None}, None
    while not wanted <= found.keys():
        of_these = dg.AssetRecordsFilter(asset_key=key, asset_partitions=sorted(wanted - found.keys()))
        page = instance.fetch_materializations(of_these, limit=min(len(wanted), _PAGE), cursor=cursor)
        for record in page.records:
            found.setdefault(record.partition_key, _target(record))
        if not page.has_more:
            break
        cursor = page.cursor
    return found


def _target(record: dg.EventLogRecord) -> AssetCheckEvaluationTargetMaterializationData:
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
    )


def asset_key(table: str) -> dg.AssetKey:
    """``[layer, name]``."""
    return dg.AssetKey(table.split("."))


_PAGE = 500
"""Materialisations that are asked for at a time."""
_MEANS = {"warn": "warns", "drop": "broken rows go to the quarantine", "fail": "blocks the delivery"}


def _severity(on_fail: str) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if on_fail == "fail" else dg.AssetCheckSeverity.WARN


def _rules(table: Table) -> list[tuple[str, str, str]]:
    conserved = conservation.described(table)
    counted = [(conservation.RULE, "fail", conserved)] if conserved else []
    if table.layer == "bronze":
        return [*CHECKS, *counted]
    about_rows = [(rule.name, rule.on_fail, rule.description) for rule in all_rules(table)]
    about_deliveries = [(rule.name, rule.on_fail, rule.description) for rule in table.delivery_rules]
    return [*about_rows, *about_deliveries, *counted]


def _metadata(check: Check) -> dict[str, Any]:
    """Counts, share and some of the rows, for the UI."""
    metadata: dict[str, Any] = {"rows": check.rows, "broken": check.broken, "share": check.share, **check.details}
    if check.samples:
        metadata["samples"] = dg.MetadataValue.md(as_markdown(check.samples))
    if check.measured is not None:
        number_or_text = isinstance(check.measured, int | float | str)
        metadata["measured"] = check.measured if number_or_text else dg.MetadataValue.json(check.measured)
    return metadata
