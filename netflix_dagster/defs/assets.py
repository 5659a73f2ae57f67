"""Every table of the contract as a Dagster asset.

The tables are alike in how they are built and told of, so one factory reads the contract. What a table means
stands in ``tables/``; the links in the UI lead there.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.graph import build_order
from netflix_dagster.defs import several
from netflix_dagster.defs.checks import asset_key, check_specs
from netflix_dagster.defs.data_factory import copied_by_data_factory
from netflix_dagster.defs.events import events_of, held_back
from netflix_dagster.defs.external import landed_by
from netflix_dagster.defs.markdown import as_markdown
from netflix_dagster.defs.origins import fetched_from
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings

FOLLOWS = dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
"""How a table that belongs to no feed alone keeps up with those that it reads.

A delivery that was refused or blocked is a missing partition with a failed check until it is mended. What it would
have changed stays as it was, so nothing else has to wait for it.
"""


_NOT_ALONE = (
    "The checks of a table are evaluated when a delivery of it is built. Nothing was done. Materialize the partition of"
    " the delivery instead: building it again is safe."
)


def table_assets(compute: str = "local") -> list[dg.AssetsDefinition]:
    """The assets of all tables, in build order.

    Here a table is a step of its own. On Databricks the tables of a run are one step, which is one job: a cluster
    takes minutes to start.
    """
    if compute == "databricks":
        return [_assets("databricks", [TABLES[name] for name in build_order()])]
    return [_assets("__".join(name.split(".")), [TABLES[name]]) for name in build_order()]


def _assets(name: str, tables: Sequence[Table]) -> dg.AssetsDefinition:
    """One step that builds the selected ones of some tables for the deliveries of the run, and tells of each."""

    @dg.multi_asset(
        name=name,
        specs=[_spec(table) for table in tables],
        check_specs=[check for table in tables for check in check_specs(table)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,  # the jobs of the feeds leave the checks out: they are logged, see ``events``
    )
    def build_tables(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[Any]:
        selected = [table for table in tables if asset_key(table.name) in context.selected_asset_keys]
        if not selected:
            raise dg.Failure(_NOT_ALONE, allow_retries=False)
        deliveries = several.deliveries(context) if any(table.feed for table in selected) else []
        for table in selected if several.named(context) else ():
            several.plan(context, table)
        blocked = []
        for report in lake.reports(context, [table.name for table in selected], deliveries):
            yield from events_of(context, report, lake)
            if report.blocked and not report.idle and not TABLES[report.table].judged_by_delivery:
                blocked.append(report)
        if blocked:
            raise held_back(blocked)

    return build_tables


def _spec(table: Table) -> dg.AssetSpec:
    sources = load_sources(get_settings().sources)
    return dg.AssetSpec(
        key=asset_key(table.name),
        deps=[
            *map(asset_key, table.reads),
            *landed_by(sources, table.name),
            *fetched_from(sources, table.name),
            *copied_by_data_factory(sources, table.name),
        ],
        partitions_def=feed_partitions(table.feed) if table.feed else None,
        automation_condition=None if table.feed else FOLLOWS,
        group_name=table.layer,
        kinds={"deltalake", "pyspark"},
        owners=_owners(table),
        skippable=True,
        tags={"layer": table.layer, **({"feed": table.feed} if table.feed else {}), **table.tags},
        description=_description(table),
        metadata=_metadata(table),
        code_version=table.code_version,
    )


def _description(table: Table) -> str:
    return f"{table.description}\n\n**Grain**: {table.grain}.  \n**Key**: {', '.join(table.key)}."


def _owners(table: Table) -> Sequence[str]:
    """Those of the feed; the packaged sources have what a file of one's own does not say of feeds that code builds."""
    feeds = {**load_sources().feeds, **load_sources(get_settings().sources).feeds}
    return feeds[table.feed].owners if table.feed else ["team:platform"]


def _metadata(table: Table) -> Mapping[str, Any]:
    columns = [
        dg.TableColumn(c.name, c.type, c.description, dg.TableColumnConstraints(nullable=c.nullable))
        for c in table.columns
    ]
    # Dagster keeps the lineage of columns and its open-source UI does not show it; what shows is `made_from`
    lineage = {
        c.name: [dg.TableColumnDep(asset_key(read), column) for read, column in table.column_sources(c)]
        for c in table.columns
    }
    made_from = [
        {"column": name, "made from": ", ".join(f"{'.'.join(dep.asset_key.path)}.{dep.column_name}" for dep in deps)}
        for name, deps in lineage.items()
        if deps
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": dg.TableColumnLineage({name: deps for name, deps in lineage.items() if deps}),
        "dagster/table_name": table.name,
        "dagster/uri": store.location(get_settings().lake, table.name),
        "dagster/storage_kind": "deltalake",
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[_code_reference(table)]),
        "key": ", ".join(table.key),
        **({"made_from": dg.MetadataValue.md(as_markdown(made_from, longest=10_000))} if made_from else {}),
    }


def _code_reference(table: Table) -> dg.LocalFileCodeReference:
    code = inspect.unwrap(table.function).__code__
    return dg.LocalFileCodeReference(file_path=code.co_filename, line_number=code.co_firstlineno, label=table.name)
