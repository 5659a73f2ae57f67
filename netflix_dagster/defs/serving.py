"""What consumers open, as assets: they follow gold, and one job makes all of them."""

import dagster as dg

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs.assets import FOLLOWS
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.resources import Lake

SERVING = "serving"
"""The group, the first part of the keys, and the job that makes all of it."""
GOLD = [asset_key(name) for name, table in TABLES.items() if table.layer == "gold"]


@dg.asset(
    key=[SERVING, "warehouse"],
    deps=GOLD,
    group_name=SERVING,
    kinds={"duckdb"},
    owners=["team:platform"],
    automation_condition=FOLLOWS,
    description="Gold, metrics and quality as one DuckDB file that anyone can open: see docs/warehouse.md. What has not"
    " changed is not written again; who has the file open goes on reading the old one.",
)
def warehouse(lake: Lake) -> dg.MaterializeResult[None]:
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
        }
    )


refresh_serving = dg.define_asset_job(
    f"refresh_{SERVING}",
    selection=dg.AssetSelection.groups(SERVING),
    description="The warehouse and the dashboard, as gold stands now.",
    executor_def=dg.in_process_executor,
)
