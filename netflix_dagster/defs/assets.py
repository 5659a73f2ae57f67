"""Every table of the contract as a Dagster asset.

The tables are alike in how they are built and told of, so one factory reads the contract. What a table means
stands in ``tables/``; the links in the UI lead there.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.compute.report import Outcome, Report
from netflix_dagster.defs.checks import asset_key, check_results, check_specs, evaluations
from netflix_dagster.defs.event_log import at_once
from netflix_dagster.defs.freshness import freshness
from netflix_dagster.defs.markdown import as_markdown
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.lake import store
from netflix_dagster.lake.contract import TABLES, Table
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings

FOLLOWS = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
"""How a table that belongs to no feed alone keeps up with those that it reads.

A delivery that was refused or blocked is a missing partition with a failed check until it is mended. What it would
have changed stays as it was, so nothing else has to wait for it.
"""


def table_asset(table: Table) -> dg.AssetsDefinition:
    """The asset of one table: builds it for the deliveries of the run, and says what came of it."""
    checks = check_specs(table)

    @dg.asset(
        key=asset_key(table.name),
        deps=[asset_key(read) for read in table.reads],
        partitions_def=feed_partitions(table.feed) if table.feed else None,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=None if table.feed else FOLLOWS,
        check_specs=checks,
        freshness_policy=freshness(table),
        group_name=table.layer,
        kinds={"deltalake", "pyspark"},
        owners=_owners(table),
        tags={"layer": table.layer, **({"feed": table.feed} if table.feed else {}), **table.tags},
        description=_description(table),
        metadata=_metadata(table),
        code_version=table.code_version,
        pool=f"{table.layer}_{table.short_name}",
    )
    def build_table(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[Any]:
        from netflix_dagster.compute.build import Blocked

        deliveries = context.partition_keys if table.feed else []
        one_by_one = table.judged_by_delivery and not context.has_partition_key
        try:
            report = lake.build(table.name, deliveries, context.run_id)
        except Blocked as blocked:
            held_back = evaluations if one_by_one else check_results
            yield from held_back(table, blocked.report)
            raise dg.Failure(_blocked_message(blocked.report), allow_retries=False) from None
        for day in deliveries if table.per_delivery else ():
            context.add_asset_metadata(_delivery_metadata(report.outcome(day)), partition_key=day)
        for day, reason in report.held_back.items():
            context.log.error(f"{table.name} of {day} is held back, what was there before stays: {reason}")
        yield dg.MaterializeResult(
            asset_key=asset_key(table.name),
            metadata=_result_metadata(report, lake),
            check_results=[] if one_by_one else check_results(table, report),
        )
        if one_by_one:  # a failed check that is logged, not yielded, does not stop what lies downstream
            with at_once(context.instance, context.run_id):
                for evaluation in evaluations(table, report, context.instance):
                    context.log_event(evaluation)
            yield from (dg.Output(None, spec.get_python_identifier()) for spec in checks)
        others = [str(day) for day in report.held_back if day not in deliveries]
        for evaluation in evaluations(table, report, context.instance, others):  # a delivery may hold back a later one
            context.log_event(evaluation)

    return build_table


def table_assets() -> list[dg.AssetsDefinition]:
    """The assets of all tables, in build order."""
    return [table_asset(table) for table in TABLES.values()]


def _blocked_message(report: Report) -> str:
    said = "; ".join(f"{day}: {why}" for day, why in report.held_back.items())
    said = said or "; ".join(o.held_back for o in report.outcomes.values() if o.held_back)
    stays = "Gold" if TABLES[report.table].write == "verdicts" else "Nothing was written; the table"
    return (
        f"{report.table} is held back. {said}. {stays} stays as it was. Mend the file and land it again, or see"
        " quality.quarantine for every fault."
    )


def _description(table: Table) -> str:
    return f"{table.description}\n\n**Grain**: {table.grain}.  \n**Key**: {', '.join(table.key)}."


def _owners(table: Table) -> Sequence[str]:
    feeds = load_sources(get_settings().sources).feeds
    return feeds[table.feed].owners if table.feed else ["team:platform"]


def _metadata(table: Table) -> Mapping[str, Any]:
    columns = [
        dg.TableColumn(c.name, c.type, c.description, dg.TableColumnConstraints(nullable=c.nullable))
        for c in table.columns
    ]
    lineage = {
        c.name: [dg.TableColumnDep(asset_key(read), column) for read, column in table.column_sources(c)]
        for c in table.columns
    }
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": dg.TableColumnLineage({name: deps for name, deps in lineage.items() if deps}),
        "dagster/table_name": table.name,
        "dagster/uri": store.location(get_settings().lake, table.name),
        "dagster/storage_kind": "deltalake",
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[_code_reference(table)]),
        "key": ", ".join(table.key),
    }


def _code_reference(table: Table) -> dg.LocalFileCodeReference:
    code = inspect.unwrap(table.function).__code__
    return dg.LocalFileCodeReference(file_path=code.co_filename, line_number=code.co_firstlineno, label=table.name)


def _delivery_metadata(outcome: Outcome) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": outcome.rows,
        "quarantined": outcome.quarantined,
        "copies_removed": outcome.copies,
    }
    if outcome.held_back:
        metadata["held_back"] = outcome.held_back
    elif not outcome.delivered:
        metadata["delivered"] = False
    return metadata


def _result_metadata(report: Report, lake: Lake) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": report.total_rows,
        "dagster/uri": store.location(lake.settings.lake, report.table),
        "delta_version": report.version if report.version is not None else -1,
        "seconds": round(report.seconds, 3),
    }
    if report.preview:
        metadata["preview"] = dg.MetadataValue.md(as_markdown(report.preview))
    return metadata
