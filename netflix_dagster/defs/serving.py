"""What consumers open, as assets: they follow gold, and one job makes all of them."""

from typing import TYPE_CHECKING

import dagster as dg

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs.assets import FOLLOWS
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.resources import Lake

if TYPE_CHECKING:
    from netflix_dagster.serving.warehouse import Warehouse

SERVING = "serving"
"""The group, the first part of the keys, and the job that makes all of it."""
READ = "read_by_everyone"
"""The check that every table of gold is one that all readers read alike."""
GOLD = [asset_key(name) for name, table in TABLES.items() if table.layer == "gold"]


@dg.asset(
    key=[SERVING, "warehouse"],
    deps=GOLD,
    group_name=SERVING,
    kinds={"duckdb"},
    owners=["team:platform"],
    automation_condition=FOLLOWS,
    check_specs=[
        dg.AssetCheckSpec(
            READ,
            asset=[SERVING, "warehouse"],
            description="Protocol, features, types, lengths and rows of every table of gold are such that delta-rs,"
            " DuckDB, Synapse and Power BI read the same",
        )
    ],
    description="Gold, metrics and quality as one DuckDB file that anyone can open: see docs/warehouse.md. What has not"
    " changed is not written again; who has the file open goes on reading the old one.",
)
def warehouse(lake: Lake) -> dg.MaterializeResult:  # type: ignore[type-arg] # with a check Dagster reads no parameter
    from netflix_dagster.serving.warehouse import refresh

    made = refresh(lake.settings)
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": str(made.place),
            "path": dg.MetadataValue.path(str(made.file)),
            "tables": len(made.versions),
            "written": ", ".join(made.written) or "nothing",
            "bytes": made.file.stat().st_size,
            "seconds": round(made.seconds, 3),
        },
        check_results=[_read_by_everyone(lake, made)],
    )


def _read_by_everyone(lake: Lake, made: "Warehouse") -> dg.AssetCheckResult:
    """Every table by its log; those that were just read by their rows as well."""
    from netflix_dagster.serving.readers import GOLD as TABLES_OF_GOLD
    from netflix_dagster.serving.readers import faults, faults_of_rows

    settings, read = lake.settings, [name for name in made.written if name in TABLES_OF_GOLD]
    found = [*faults(settings.lake), *faults_of_rows(settings.lake, made.file, read)]
    said = "\n".join(f"- {fault}" for fault in found)
    return dg.AssetCheckResult(
        check_name=READ,
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        description=said or "every table is read alike by all",
        metadata={"tables": len(TABLES_OF_GOLD), "rows_counted_of": ", ".join(read) or "nothing new"},
    )


refresh_serving = dg.define_asset_job(
    f"refresh_{SERVING}",
    selection=dg.AssetSelection.groups(SERVING),
    description="The warehouse and the dashboard, as gold stands now.",
    executor_def=dg.in_process_executor,
)
