"""Rows as they are now, or as they were at any time, folded from changes: SCD1 and SCD2 without code.

The fold is a function of all changes in silver, so changes and deliveries may come late, twice and in any order. Of
changes of one key the one with the greater sequence is later. Of those with the same sequence the one that was
delivered last counts alone: by delivery, then file, then record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, Expectation, Table, holds, not_null
from netflix_dagster.landing.silver import BEFORE, DELETE, PUT, Changes
from netflix_dagster.landing.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

DELIVERED = ("delivery_date", "delivery_hour", "source_file", "record_number")
"""By these a change was delivered before another."""


def rules(source: Source) -> list[Expectation]:
    """What must hold of changes: a delivery with one that is not understood is held, for no fold with it is right."""
    assert source.silver is not None and source.silver.changes is not None
    said = source.silver.changes
    words = ", ".join(f"'{word}'" for word in (*PUT, *DELETE, *BEFORE))
    condition = f"`{said.op}` IS NOT NULL AND lower(`{said.op}`) IN ({words})"
    known = "what a change does must be known: insert, update, delete, or as Debezium and Delta say it"
    asked = {rule.column for rule in source.silver.rules if rule.required}
    return [
        holds("change_known", condition, known, "fail", f"name the column with it as silver.changes.op: {said.op}?"),
        *(not_null(name) for name in dict.fromkeys((*source.silver.key, said.sequence)) if name not in asked),
    ]


def folded_table(source: Source) -> Table:
    """The table ``silver.<source>_current`` or ``silver.<source>_history``. The source must say ``changes``."""
    silver = source.silver
    assert silver is not None and silver.changes is not None
    said = silver.changes
    read = f"silver.{source.name}"
    apart = {*silver.key, said.op, said.sequence, *said.about}
    attributes = [name for name in source.columns if name not in apart]
    is_history = said.keep == "history"

    def fold(changes: DataFrame) -> DataFrame:
        last = _last(changes, silver.key, said)
        return (
            _history(last, silver.key, attributes, said) if is_history else _current(last, silver.key, attributes, said)
        )

    columns = [
        Column(name, silver.types.get(name, "string"), source.columns[name].description)
        for name in (*silver.key, *attributes)
    ]
    moment, order, done = silver.types[said.sequence], (f"{read}.{said.sequence}",), (f"{read}.{said.op}",)
    if is_history:
        columns += [
            Column("valid_from", moment, f"{said.sequence} of the change since which it is so", False, order),
            Column(
                "valid_to", moment, "That of the change that ended it (exclusive); null while it is so", True, order
            ),
            Column("is_current", "boolean", "Whether it is so now", False, order),
            Column("ended_by", "string", "What ended it: update or delete; null while it is so", True, done),
        ]
    else:
        columns.append(Column("changed_at", moment, f"{said.sequence} of its last change", False, order))
    of_what = "every version of each row" if is_history else "each row as it is now"
    return Table(
        name=f"{read}_{said.keep}",
        feed=source.feed,
        description=f"{source.description}: {of_what}.",
        grain="one version of one row, over which nothing of it changed"
        if is_history
        else "one row that is not deleted",
        key=(*silver.key, "valid_from") if is_history else silver.key,
        columns=tuple(columns),
        reads=(read,),
        function=fold,
        write="whole",
        tags={"declared_in": "sources.yaml"},
        variant=repr(silver),
    )


def _last(changes: DataFrame, key: tuple[str, ...], said: Changes) -> DataFrame:
    """Of changes with one key and one sequence the last that was delivered, with ``_gone``: whether it is a delete."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    op = F.lower(_column(said.op))
    delivered = [name for name in DELIVERED if name in changes.columns]
    same = Window.partitionBy(*map(_column, (*key, said.sequence)))
    later = same.orderBy(*(F.col(name).desc() for name in delivered))
    changes = changes.where(~op.isin(*BEFORE)).withColumn("_gone", op.isin(*DELETE))
    return changes.withColumn("_place", F.row_number().over(later)).where("_place = 1").drop("_place")


def _current(last: DataFrame, key: tuple[str, ...], attributes: list[str], said: Changes) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    newest = Window.partitionBy(*map(_column, key)).orderBy(_column(said.sequence).desc())
    now = last.withColumn("_place", F.row_number().over(newest)).where("_place = 1 AND NOT _gone")
    return now.select(*map(_column, (*key, *attributes)), _column(said.sequence).alias("changed_at"))


def _history(last: DataFrame, key: tuple[str, ...], attributes: list[str], said: Changes) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    in_order = Window.partitionBy(*map(_column, key)).orderBy(_column(said.sequence))
    stated = F.when(~F.col("_gone"), _as_text([(name, dict(last.dtypes)[name]) for name in attributes]))
    marked = last.withColumn("_is", stated)
    begins = marked.withColumn("_was", F.lag("_is").over(in_order)).where("NOT (_is <=> _was)")
    return (
        begins.withColumn("valid_to", F.lead(_column(said.sequence)).over(in_order))
        .withColumn("_next", F.lead("_gone").over(in_order))
        .where("NOT _gone")
        .select(
            *map(_column, (*key, *attributes)),
            _column(said.sequence).alias("valid_from"),
            "valid_to",
            F.col("valid_to").isNull().alias("is_current"),
            F.when(F.col("_next"), "delete").when(~F.col("_next"), "update").alias("ended_by"),
        )
    )


def _as_text(columns: list[tuple[str, str]]) -> Expression:
    """All values as one text, which is the same for the same values only: each has its length before it."""
    from pyspark.sql import functions as F

    parts: list[Expression] = [F.lit("")]
    for name, kind in columns:
        items = kind.startswith("array<")
        text = F.to_json(_column(name)) if items else _column(name).cast("string")
        parts.append(F.coalesce(F.concat(F.length(text).cast("string"), F.lit(":"), text), F.lit("-")))
    return F.concat(*parts)


def _column(name: str) -> Expression:
    from pyspark.sql import functions as F

    return F.col(f"`{name}`")
