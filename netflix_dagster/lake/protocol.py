"""What every table of the lake asks of its readers and writers: versions 1 and 2 of Delta's protocol, no feature.

Each reader that the platform serves (delta-rs, DuckDB, Synapse serverless, Power BI, Spark) knows that much. A program
that may write the tables can switch more on, and Databricks may do so by itself for new tables; then some readers fail,
or read rows that are deleted. ``PROPERTIES`` are set when a table is made, so that nobody's default applies to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import ContractError

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from netflix_dagster.storage import Place

PROPERTIES: Mapping[str, str | None] = {"delta.enableDeletionVectors": "false"}
READER, WRITER = 1, 2
_HARMLESS = ("appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns", "timestampNtz")
"""Features that name what the old versions know anyway, or that change no file."""
_FIRST = {
    "deletionVectors": (
        "ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'false');"
        " REORG TABLE {table} APPLY (PURGE); "
    ),
    "columnMapping": "ALTER TABLE {table} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'none'); ",
}
"""What has to be done before a feature can be dropped."""


def reader_features(found: DeltaTable) -> set[str]:
    """The features of Delta that a program has to know to read a table."""
    used = set(found.protocol().reader_features or ())
    if found.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        used.add("columnMapping")  # old versions of the protocol know it without naming it
    return used


def features(found: DeltaTable) -> list[str]:
    """The features of Delta that a table uses beyond what its readers know."""
    return sorted((reader_features(found) | set(found.protocol().writer_features or ())) - set(_HARMLESS))


def strange(found: DeltaTable, name: str, location: str) -> str | None:
    """What somebody has switched on in a table, with the way back; None when it is as the contract promises."""
    used = features(found)
    if not used:
        return None
    table = f"delta.`{location}`"
    way = " ".join(
        f"{_FIRST.get(feature, '').format(table=table)}ALTER TABLE {table} DROP FEATURE {feature};" for feature in used
    )
    return (
        f"{name} uses {' and '.join(used)} of Delta, which some of its readers do not know: another program has"
        f" switched that on. Its rows are whole, for Spark. The way back, with Spark: {way} or move {location} away"
        " and build all its deliveries again"
    )


def managed(name: str, location: str) -> str:
    """The refusal of a table to which only a catalog takes commits, as Databricks may make them."""
    return (
        f"{name} is managed by a catalog: only that catalog takes commits to it, so nothing was read or written. Move"
        f" {location} away, drop the table from the catalog, build all its deliveries again, and register it as an"
        " external table (netflix-dagster-register-tables)"
    )


def all_strange(lake: Place, names: Iterable[str]) -> list[str]:
    """``strange`` of several tables of a lake."""
    from netflix_dagster.lake import store

    said = []
    for name in names:
        try:
            found = store.delta(lake, name)
        except ContractError as error:
            said.append(str(error))
            continue
        if found is not None and (told := strange(found, name, store.location(lake, name))):
            said.append(told)
    return said
