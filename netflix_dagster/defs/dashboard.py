"""The dashboard as an asset, and gold at a glance: where everything that people open lies."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs.assets import FOLLOWS
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.serving import GOLD, SERVING, warehouse
from netflix_dagster.storage import Place, is_local

if TYPE_CHECKING:
    from netflix_dagster.serving.dashboard import TableBuilt


@dg.asset(
    key=[SERVING, "dashboard"],
    deps=GOLD,
    group_name=SERVING,
    kinds={"html"},
    owners=["team:platform"],
    automation_condition=FOLLOWS,
    description="Gold as pages that anyone opens in a browser, without a server or a network: catalogue, charts,"
    " engagement, titles, quality, runs, and where each number comes from. See docs/dashboard.md.",
)
def dashboard(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult[None]:
    from netflix_dagster.serving.dashboard import build, places

    made = build(lake.settings.lake, lake.sources, places(lake.settings), seconds_of_tables(context.instance))
    return dg.MaterializeResult(
        metadata={
            "dashboard": _link(made.site.index),
            "dagster/uri": str(made.site.index),
            "files": made.site.files,
            "bytes": made.site.size,
            "changed": made.site.changed,
            "made_from": dg.MetadataValue.json(made.versions),
            "seconds": round(made.seconds, 3),
        }
    )


@dg.asset(
    key=[SERVING, "gold"],
    deps=[warehouse, dashboard],
    group_name=SERVING,
    kinds={"markdown"},
    owners=["team:platform"],
    automation_condition=FOLLOWS,
    description="Gold at a glance: the dashboard, the warehouse, the dictionary, and every table with its rows.",
)
def gold_overview(lake: Lake) -> dg.MaterializeResult[None]:
    from netflix_dagster.lake import store
    from netflix_dagster.serving import dashboard as pages
    from netflix_dagster.serving.warehouse import FILE

    settings = lake.settings
    index = pages.places(settings)[0] / "index.html"
    file = settings.serving / FILE
    tables = [name for name, table in TABLES.items() if table.layer == "gold"]
    standing = store.standings(settings.lake, tables)
    rows = [
        f"| [{name}](/assets/gold/{name.split('.')[1]}) | {count:,} | {version} | {TABLES[name].grain} |"
        for name, (version, count) in standing.items()
        if version is not None
    ]
    text = [
        f"- **Dashboard**: `{index}` (or `make dashboard`)",
        f"- **Warehouse**: `{file}`, for any client of DuckDB",
        "- **Dictionary**: `docs/data-dictionary.md` (or `netflix-dagster contracts dictionary`)",
        "",
        "| table | rows | version | one row is |",
        "|---|---:|---:|---|",
        *rows,
    ]
    return dg.MaterializeResult(
        metadata={
            "overview": dg.MetadataValue.md("\n".join(text)),
            "dashboard": _link(index),
            "warehouse": dg.MetadataValue.path(str(file)),
            "tables": len(rows),
        }
    )


def seconds_of_tables(instance: dg.DagsterInstance) -> "list[TableBuilt]":
    """How long the newest build of each table took, as its materialisation tells."""
    return sorted(_built(instance), key=lambda built: built.table)


def _built(instance: dg.DagsterInstance) -> "Iterator[TableBuilt]":
    from datetime import UTC, datetime

    from netflix_dagster.serving.dashboard import TableBuilt

    names = {asset_key(name): name for name in TABLES}
    for key, entry in instance.get_latest_materialization_events(list(names)).items():
        event = entry.asset_materialization if entry else None
        if entry is None or event is None or "seconds" not in event.metadata:
            continue
        rows = event.metadata.get("dagster/row_count")
        yield TableBuilt(
            table=names[key],
            run_id=entry.run_id,
            seconds=float(str(event.metadata["seconds"].value)),
            rows=int(str(rows.value)) if rows else 0,
            at=datetime.fromtimestamp(entry.timestamp, UTC).isoformat(timespec="minutes"),
        )


def _link(index: Place) -> dg.MetadataValue:  # type: ignore[type-arg]
    return dg.MetadataValue.url(index.as_uri()) if is_local(index) else dg.MetadataValue.text(str(index))
