"""Asset checks: every expectation of a contract as a check on the asset, told apart by delivery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from netflix_dagster.build import conservation
from netflix_dagster.build.door import CHECKS
from netflix_dagster.contracts.contract import Table
from netflix_dagster.contracts.expectations import MOST_SAMPLES, all_rules
from netflix_dagster.contracts.report import Check, Report
from netflix_dagster.defs.markdown import as_markdown
from netflix_dagster.defs.partitions import feed_partitions


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


def check_results(table: Table, report: Report) -> list[dg.AssetCheckResult]:
    """The outcome of every check over all deliveries that the report was asked for together."""
    results = []
    for name, on_fail, _ in _rules(table):
        broken = {day: check for day, check in _of_rule(report, name) if not check.passed}
        rows = sum(check.rows for _, check in _of_rule(report, name))
        results.append(
            dg.AssetCheckResult(
                asset_key=asset_key(table.name),
                check_name=name,
                passed=not broken,
                severity=_severity(on_fail),
                description="; ".join(_said(day, check) for day, check in broken.items()) or f"{rows} rows keep it",
                metadata=_metadata(_together([check for _, check in _of_rule(report, name)])),
            )
        )
    return results


def evaluations(
    table: Table, report: Report, instance: dg.DagsterInstance | None = None, days: Iterable[str] | None = None
) -> list[dg.AssetCheckEvaluation]:
    """The outcome of every check on each delivery, for a run that builds several; a source that delivered nothing
    on a date has nothing to judge.

    Given the instance, each names the materialisation that it judges; without one the UI counts it as missing.
    """
    judged = [day for day in (report.deliveries if days is None else days) if report.outcome(day).delivered]
    targets = _targets(instance, table, judged) if instance else {}
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
        for day in judged
        for check in report.outcome(day).checks
    ]


def _targets(
    instance: dg.DagsterInstance, table: Table, days: Sequence[str]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    """The newest materialisation of each delivery."""
    wanted = dg.AssetRecordsFilter(asset_key=asset_key(table.name), asset_partitions=list(days))
    found: dict[str, AssetCheckEvaluationTargetMaterializationData] = {}
    for record in instance.fetch_materializations(wanted, limit=_MOST_RECORDS).records if days else ():
        found.setdefault(
            str(record.partition_key),
            AssetCheckEvaluationTargetMaterializationData(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            ),
        )
    return found


def asset_key(table: str) -> dg.AssetKey:
    """``[layer, name]``."""
    return dg.AssetKey(table.split("."))


_MOST_RECORDS = 1000
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


def _together(checks: Sequence[Check]) -> Check | None:
    """One rule's outcomes on several deliveries as one."""
    if len(checks) < 2:
        return next(iter(checks), None)
    samples = [sample for check in checks for sample in check.samples][:MOST_SAMPLES]
    rows, broken = sum(check.rows for check in checks), sum(check.broken for check in checks)
    return replace(checks[0], rows=rows, broken=broken, samples=samples, measured=None)


def _metadata(check: Check | None) -> dict[str, Any]:
    """Counts, share and some of the rows, for the UI."""
    if check is None:
        return {"rows": 0, "broken": 0}
    metadata: dict[str, Any] = {"rows": check.rows, "broken": check.broken, "share": check.share, **check.details}
    if check.samples:
        metadata["samples"] = dg.MetadataValue.md(as_markdown(check.samples))
    if check.measured is not None:
        number_or_text = isinstance(check.measured, int | float | str)
        metadata["measured"] = check.measured if number_or_text else dg.MetadataValue.json(check.measured)
    return metadata


def _of_rule(report: Report, name: str) -> list[tuple[str | None, Check]]:
    asked = {None, *report.deliveries}
    outcomes = [(day, outcome) for day, outcome in report.outcomes.items() if day in asked]
    return [(day, check) for day, outcome in outcomes for check in outcome.checks if check.name == name]


def _said(day: str | None, check: Check) -> str:
    return f"{day}: {check.message}" if day else check.message
