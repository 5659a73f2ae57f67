"""Silver without code: the table of a source whose entry in ``sources.yaml`` has a section ``silver``.

It promises what every table of silver promises: typed, one row a key, every record of bronze in it, in the
quarantine or a counted copy, with lineage, checks and a place in the dictionary.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, Expectation, Table, Takes
from netflix_dagster.landing.silver import SilverRule
from netflix_dagster.landing.sources import Source
from netflix_dagster.tables import changes
from netflix_dagster.tables.text import tidy
from netflix_dagster.tables.typed import TEXT, converted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FROM_DATA = {"declared_in": "sources.yaml"}
"""The tag of a table that no code declares."""
_RECORD = (
    Column("source_file", "string", "File that the row came in"),
    Column("record_number", "bigint", "Record of that file"),
)


def silver_tables(source: Source) -> list[Table]:
    """The tables of a source that has a section ``silver``: its records, and what its changes come to."""
    folded = source.silver is not None and source.silver.changes is not None
    return [silver_table(source), *([changes.folded_table(source)] if folded else [])]


def silver_table(source: Source) -> Table:
    """The table ``silver.<source>``. The source must have a section ``silver``."""
    silver = source.silver
    assert silver is not None

    def typed(rows: DataFrame) -> DataFrame:
        """Every record, tidied and typed."""
        names = [*(column.name for column in days), *source.columns, *(column.name for column in _RECORD)]
        kept = tidy(rows.select(*names))
        fields = []
        for field in kept.schema.fields:
            kind = silver.types.get(field.name, field.dataType.simpleString())
            fields.append(f"`{field.name}` {kind}")
            if field.name in silver.types and kind != "string":
                fields.append(f"`{TEXT}{field.name}` string")
        return kept.mapInArrow(converted(silver, tuple(source.columns)), ", ".join(fields))

    days = [Column("delivery_date", "date", "Date of the delivery that says so")]
    if source.every == "hour":
        days.append(Column("delivery_hour", "int", "Hour of the delivery, 0 to 23 (UTC)"))
    columns = [
        Column(name, silver.types.get(name, "string"), said.description) for name, said in source.columns.items()
    ]
    keyed = silver.key and not silver.changes
    key = silver.key if keyed else tuple(column.name for column in _RECORD)
    return Table(
        name=f"silver.{source.name}",
        feed=source.feed,
        description=f"{source.description}. Typed and judged as sources.yaml says.",
        grain="one change, as delivered" if silver.changes else silver.grain,
        key=(*(column.name for column in days), *key),
        columns=(*days, *columns, *_RECORD),
        reads=(source.bronze,),
        function=typed,
        write="per_delivery",
        expectations=(
            *_readable(source),
            *(changes.rules(source) if silver.changes else ()),
            *(_expectation(rule) for rule in silver.rules),
        ),
        provenance=tuple(column.name for column in _RECORD) if keyed else (),
        order="source_file, record_number",
        takes=(Takes(source.bronze),),
        tags=FROM_DATA,
        variant=repr(silver),
    )


def _readable(source: Source) -> list[Expectation]:
    """What is stated can be read as its type. Else the row is refused: null would say that nothing was stated."""
    assert source.silver is not None
    return [
        Expectation(
            f"{name}_readable",
            f"`{TEXT}{name}` IS NULL OR `{name}` IS NOT NULL",
            "drop",
            f"{name} can be read as {kind} where it is stated",
            f"write it as the others are, or change silver.types or silver.formats of {source.name} in sources.yaml",
        )
        for name, kind in source.silver.types.items()
        if kind not in ("string", "array<string>")
    ]


def _expectation(rule: SilverRule) -> Expectation:
    name = rule.column
    if rule.required:
        return Expectation(
            f"{name}_not_null", f"`{name}` IS NOT NULL", rule.on_fail, f"{name} must not be null", "the row needs it"
        )
    if rule.one_of is not None:
        listed = ", ".join(map(_quoted, rule.one_of))
        return Expectation(
            f"{name}_known", f"`{name}` IN ({listed})", rule.on_fail, f"{name} must be one of {listed}", "a new value?"
        )
    if rule.between is not None:
        low, high = map(_bound, rule.between)
        return Expectation(
            f"{name}_plausible",
            f"`{name}` BETWEEN {low} AND {high}",
            rule.on_fail,
            f"{name} must lie in {rule.between[0]}..{rule.between[1]}",
            "implausible",
        )
    condition = f"`{name}` RLIKE {_quoted(str(rule.matches))}"
    return Expectation(
        f"{name}_well_formed", condition, rule.on_fail, f"{name} must match {rule.matches}", "another form?"
    )


def _bound(bound: float | date) -> str:
    if isinstance(bound, date):
        return f"DATE '{bound.isoformat()}'"
    return str(int(bound)) if float(bound).is_integer() else repr(bound)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
