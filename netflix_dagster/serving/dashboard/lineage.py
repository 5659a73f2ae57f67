"""The page *Where does this number come from?*: from a card to its metric, to columns of gold, silver and bronze, to
the files. It is the contracts' own lineage, nothing is said twice."""

from __future__ import annotations

from typing import Any

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import build_order
from netflix_dagster.landing.sources import Sources


def chunks(sources: Sources) -> dict[str, Any]:
    """``lineage``: every table with its columns and what they are made from, every source with its files."""
    tables = {}
    for name in build_order():
        table = TABLES[name]
        tables[name] = {
            "layer": table.layer,
            "feed": table.feed,
            "grain": table.grain,
            "description": table.description.split("\n\n")[0].replace("\n", " "),
            "columns": {
                column.name: {
                    "type": column.type,
                    "meaning": column.description,
                    "from": sorted({f"{read}.{source}" for read, source in table.column_sources(column)}),
                }
                for column in table.columns
            },
            "rules": [{"rule": rule.name, "on_fail": rule.on_fail, "what": rule.description} for rule in table.rules],
        }
    files = {
        f"bronze.{source.name}": {"source": source.name, "files": source.files} for source in sources.sources.values()
    }
    return {"lineage": {"tables": tables, "files": files}}
