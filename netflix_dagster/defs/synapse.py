"""Synapse as assets: only where the settings name an endpoint."""

from collections.abc import Iterator

import dagster as dg

from netflix_dagster.defs.assets import FOLLOWS
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.serving import GOLD, SERVING
from netflix_dagster.settings import Settings


@dg.asset(
    key=[SERVING, "synapse"],
    deps=GOLD,
    group_name=SERVING,
    kinds={"synapse", "sql"},
    owners=["team:platform"],
    automation_condition=FOLLOWS,
    description="Gold and metrics as views of Synapse's serverless pool, with what they mean and who may read them: see"
    " docs/synapse.md. The views read the tables where they lie, so this only changes something when a contract does.",
)
def synapse(lake: Lake) -> dg.MaterializeResult[None]:
    from netflix_dagster.serving.synapse.applying import apply

    done = apply(lake.settings)
    return dg.MaterializeResult(
        metadata={
            "changed": dg.MetadataValue.md("\n".join(f"- {step}" for step in done.steps) or "nothing"),
            "objects_changed": len(done.steps),
            "objects_unchanged": done.unchanged,
            "endpoint": str(lake.settings.synapse),
            "database": lake.settings.synapse_database,
        }
    )


@dg.asset(
    key=[SERVING, "synapse_pool"],
    deps=GOLD,
    group_name=SERVING,
    kinds={"synapse", "table"},
    owners=["team:platform"],
    automation_condition=FOLLOWS,
    description="Copies of gold in a dedicated pool: see docs/synapse.md. Only what has changed is loaded.",
)
def synapse_pool(lake: Lake) -> dg.MaterializeResult[None]:
    from netflix_dagster.serving.synapse.pool import load

    loaded = list(load(lake.settings))
    return dg.MaterializeResult(
        metadata={
            "loaded": ", ".join(f"{table.table} {table.version}" for table in loaded) or "nothing",
            "rows": sum(table.rows for table in loaded),
            "pool": str(lake.settings.synapse_pool),
        }
    )


def synapse_assets(settings: Settings) -> Iterator[dg.AssetsDefinition]:
    """What of Synapse the settings name."""
    if settings.synapse is not None:
        yield synapse
        if settings.synapse_pool is not None:
            yield synapse_pool
