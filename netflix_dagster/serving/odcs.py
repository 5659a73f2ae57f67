"""Every contract as a document of the Open Data Contract Standard, for catalogues and other tools.

https://bitol-io.github.io/open-data-contract-standard: one document a table, ``<layer>.<name>.odcs.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster import storage
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, Column, Contract, Expectation, Table
from netflix_dagster.contracts.delivery_rules import DeliveryRule
from netflix_dagster.contracts.expectations import UNIQUE, all_rules
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Sources
from netflix_dagster.storage import Place, at

API_VERSION = "v3.2.0"
PLATFORM = "platform"
"""The team that keeps the tables of no feed alone."""
SEVERITY = {"warn": "warning", "drop": "error", "fail": "critical"}
IMPACT = {
    "warn": "broken rows stay in the table and are counted",
    "drop": "broken rows go to quality.quarantine",
    "fail": "the delivery is held back and changes nothing downstream",
}
USAGE = {
    "bronze": "To find out what exactly a file said; every column is text.",
    "silver": "Typed and judged rows of every delivery, to build upon and to look into.",
    "gold": "Star schema and figures, for analysis and reports.",
    "quality": "What became of the deliveries, to look into and to alert on.",
}
DIMENSIONS = (
    ("_not_null", "completeness"),
    ("_stated", "completeness"),
    ("_known", "conformity"),
    ("_shaped", "conformity"),
    ("_readable", "conformity"),
    ("_plausible", "accuracy"),
)
"""The dimension of quality that a rule speaks of, by how the helpers of ``contracts/contract.py`` name it."""
_LOGICAL = {
    "string": "string",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp_ntz": "timestamp",
    "float": "number",
    "double": "number",
    "tinyint": "integer",
    "smallint": "integer",
    "int": "integer",
    "bigint": "integer",
    "binary": "string",
}


def export(tables: Sequence[str], folder: Path, sources: Sources, lake: Place, azure: str) -> list[Path]:
    """Write the documents of some tables (of all when none is named) and return where they went.

    Raises ``LookupError`` before anything is written when there is no such table.
    """
    known: dict[str, Contract] = {**TABLES, **BOOKKEEPING}
    unknown = [name for name in tables if name not in known]
    if unknown:
        raise LookupError(f"there is no table {', '.join(unknown)}; the tables are {', '.join(known)}")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in tables or known:
        path = folder / f"{name}.odcs.yaml"
        said = yaml.safe_dump(
            contract(known[name], sources, lake, azure), sort_keys=False, allow_unicode=True, width=120
        )
        path.write_text(said, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def contract(table: Contract, sources: Sources, lake: Place, azure: str) -> dict[str, Any]:
    """The contract of one table as the standard has it."""
    of_feed = _feed(table)
    feed = sources.feeds.get(of_feed) if of_feed else None
    owners = [owner.removeprefix("team:") for owner in feed.owners] if feed else [PLATFORM]
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"netflix-dagster.{table.name}",
        "name": table.name,
        "version": metadata.version("netflix-dagster"),
        "status": "active",
        "domain": of_feed or PLATFORM,
        "description": {"purpose": table.description, "usage": USAGE[table.layer]},
        "tags": _tags(table),
        "schema": [_schema(table)],
        "servers": list(_servers(table, lake, at(azure))),
        "team": {
            "name": owners[0] if owners else PLATFORM,
            "members": [{"username": o, "role": "owner"} for o in owners],
        },
    }
    if feed:
        document["slaProperties"] = list(_service_levels(table, feed.expected_every_days))
    said: list[tuple[str, Any]] = [("grain", table.grain)]
    if isinstance(table, Table):
        said += [
            ("feed", table.feed),
            ("writeMode", table.write),
            ("reads", list(table.reads)),
            ("provenance", list(table.provenance)),
            ("codeVersion", table.code_version),
        ]
    document["customProperties"] = [
        {"property": name, "value": value} for name, value in said if value not in (None, [])
    ]
    return document


def _feed(table: Contract) -> str | None:
    return table.feed if isinstance(table, Table) else None


def _servers(table: Contract, lake: Place, azure: Place) -> Iterator[dict[str, Any]]:
    """Where the table lies: in the lake that is set, and in ADLS if that is another."""
    if storage.is_local(lake):
        yield _server("local", {"type": "local", "path": store.location(lake, table.name)})
    else:
        azure = lake
    yield _server("azure", {"type": "azure", "location": store.location(azure, table.name)})


def _server(environment: str, where: dict[str, str]) -> dict[str, str]:
    return {"server": environment, "environment": environment, **where, "format": "delta"}


def _tags(table: Contract) -> list[str]:
    feed = [f"feed:{of_feed}"] if (of_feed := _feed(table)) else []
    own = table.tags if isinstance(table, Table) else {}
    return [f"layer:{table.layer}", *feed, *(f"{name}:{value}" for name, value in sorted(own.items()))]


def _service_levels(table: Contract, days: int) -> Iterator[dict[str, Any]]:
    """The feed is due every so many days; a table that says which delivery a row is of can be asked how old it is."""
    said = f"a delivery of the feed is expected at least every {days} days"
    yield {"property": "frequency", "value": days, "unit": "d", "driver": "operational", "description": said}
    if "delivery_date" in table.column_names:
        element = f"{table.short_name}.delivery_date"
        yield {"property": "freshness", "value": days, "unit": "d", "element": element, "driver": "operational"}


def _schema(table: Contract) -> dict[str, Any]:
    if not isinstance(table, Table):
        return _described(table, [_property(table, column) for column in table.columns], [])
    required = [column.name for column in table.columns if not column.nullable]
    rules = [rule for rule in all_rules(table) if rule.name != "required_columns"]
    of_column = {rule.name: name for rule in rules if (name := _must_be_filled(rule, table)) is not None}
    properties = []
    for column in table.columns:
        quality = [_filled(rule) for rule in rules if of_column.get(rule.name) == column.name]
        if column.name in required:
            quality.append(_filled(Expectation(f"{column.name}_required", "", "fail", "the value is always there")))
        properties.append(_property(table, column, quality))
    quality = [
        *(_quality(rule, table) for rule in rules if rule.name not in of_column),
        *(_about_deliveries(rule, table) for rule in table.delivery_rules),
    ]
    return _described(table, properties, quality)


def _described(table: Contract, properties: list[dict[str, Any]], quality: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": table.name.replace(".", "_"),
        "name": table.short_name,
        "physicalName": table.name,
        "physicalType": "table",
        "logicalType": "object",
        "description": table.description,
        "dataGranularityDescription": table.grain,
        "tags": _tags(table),
        "properties": properties,
        **({"quality": quality} if quality else {}),
    }


def _property(table: Contract, column: Column, quality: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": column.name,
        "name": column.name,
        **_type(column.type),
        "description": column.description,
        "required": not column.nullable,
    }
    if column.name in table.key:
        said |= {"primaryKey": True, "primaryKeyPosition": table.key.index(column.name) + 1}
        if table.key == (column.name,):
            said["unique"] = True
    if isinstance(table, Table):
        if table.per_delivery and column.name in (by := table.delivery_columns):
            said |= {"partitioned": True, "partitionKeyPosition": by.index(column.name) + 1}
        if sources := [f"{name}.{source}" for name, source in table.column_sources(column)]:
            said["transformSourceObjects"] = sources
    if quality:
        said["quality"] = list(quality)
    return said


def _type(physical: str) -> dict[str, Any]:
    """A Spark type as the standard has it, the types of an array's items and of a struct's fields as well."""
    name = physical.strip().lower()
    if name.startswith("array<"):
        return {"logicalType": "array", "physicalType": physical, "items": _type(physical.strip()[6:-1])}
    if name.startswith("map<"):
        key, value = _parts(physical.strip()[4:-1])
        return {"logicalType": "map", "physicalType": physical, "map": {"key": _type(key), "value": _type(value)}}
    if name.startswith("struct<"):
        fields = (part.split(":", 1) for part in _parts(physical.strip()[7:-1]))
        properties = [{"name": field.strip(), **_type(kind)} for field, kind in fields]
        return {"logicalType": "object", "physicalType": physical, "properties": properties}
    return {"logicalType": "number" if name.startswith("decimal") else _LOGICAL[name], "physicalType": physical}


def _parts(inside: str) -> list[str]:
    """``a,b<c,d>`` cut at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _must_be_filled(rule: Expectation, table: Table) -> str | None:
    """The column that a rule wants filled and nothing else, if it is one."""
    found = re.fullmatch(r"(\w+) IS NOT NULL", rule.condition)
    return found[1] if found and found[1] in table.column_names else None


def _filled(rule: Expectation) -> dict[str, Any]:
    return {**_about(rule), "dimension": "completeness", "type": "library", "metric": "nullValues", "mustBe": 0}


def _quality(rule: Expectation, table: Table) -> dict[str, Any]:
    """A rule of the rows. What no query over the finished table can ask is said as this platform's own."""
    said = _about(rule)
    if rule.name == UNIQUE:
        keys = {"properties": list(table.key)}
        return {
            **said,
            "dimension": "uniqueness",
            "type": "library",
            "metric": "duplicateValues",
            "mustBe": 0,
            "arguments": keys,
        }
    if not rule.condition:
        return {**said, "type": "text"}
    if rule.references:
        parent, theirs = rule.references
        found_in = {"columns": list(rule.foreign_key), "table": parent, "theirColumns": list(theirs)}
        custom = {"type": "custom", "engine": "netflix-dagster", "implementation": {"references": found_in}}
        return {**said, "dimension": "consistency", **custom}
    dimension = next((d for suffix, d in DIMENSIONS if rule.name.endswith(suffix)), "consistency")
    said["dimension"] = dimension
    if _columns_of(rule.condition) <= set(table.column_names):
        query = f"SELECT count(*) FROM {table.name} WHERE NOT coalesce({rule.condition}, true)"
        dialect = [{"property": "dialect", "value": "spark"}]
        return {
            **said,
            "type": "sql",
            "query": query,
            "mustBe": 0,
            "customProperties": [*said["customProperties"], *dialect],
        }
    return {**said, "type": "custom", "engine": "netflix-dagster", "implementation": {"condition": rule.condition}}


def _about_deliveries(rule: DeliveryRule, table: Table) -> dict[str, Any]:
    """A rule about a delivery: what it measures, and what that may come to."""
    said = {
        **_about(rule),
        "unit": "deliveries",
        "dimension": "timeliness" if rule.kind == "recent" else "completeness",
    }
    if rule.compares:
        compared = {"measure": rule.measure, "limit": rule.limit, "comparedWith": "the delivery before"}
        return {**said, "type": "custom", "engine": "netflix-dagster", "implementation": compared}
    measured = f"SELECT {rule.measure} AS measured FROM {table.name} GROUP BY {', '.join(table.delivery_columns)}"
    query = f"SELECT count(*) FROM ({measured}) WHERE measured > {rule.limit}"
    dialect = [{"property": "dialect", "value": "spark"}]
    own = [*said["customProperties"], *dialect]
    return {**said, "type": "sql", "query": query, "mustBe": 0, "customProperties": own}


def _about(rule: Expectation | DeliveryRule) -> dict[str, Any]:
    return {
        "id": rule.name,
        "name": rule.name,
        "description": f"{rule.description} ({rule.hint})",
        "severity": SEVERITY[rule.on_fail],
        "businessImpact": IMPACT[rule.on_fail],
        "unit": "rows",
        "customProperties": [{"property": "onFail", "value": rule.on_fail}],
    }


def _columns_of(condition: str) -> set[str]:
    """The columns that a SQL condition names: what is written in lower case, neither quoted nor called.

    A rule may speak of columns that a function made for it and that are not kept; the finished table cannot be
    asked about those.
    """
    unquoted = re.sub(r"'(?:[^'\\]|\\.)*'", "''", condition)
    bound = set(re.findall(r"\b([a-z_]\w*)\s*->", unquoted))
    return set(re.findall(r"\b[a-z_]\w*\b(?!\s*[(.])", unquoted)) - bound - {"true", "false", "null"}
