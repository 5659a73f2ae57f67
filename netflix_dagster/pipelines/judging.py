"""Evaluates the rules of a table as a plan, without a query.

The rows of a per_delivery table are evaluated in a table of their own (``judged``); the kept rows, the rows of the
quarantine and the deliveries that are held back follow from it. Any other table is whole or fails: ``or_fail``.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts import expectations
from netflix_dagster.contracts.contract import Expectation, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

JUDGED = f"`{expectations.BROKEN}` bigint, `{expectations.COPY}` boolean"
"""The columns of an evaluated row besides those of its table."""
NATIVE = {"warn": "expect_all", "drop": "expect_all_or_drop", "fail": "expect_all_or_fail"}
"""Lakeflow's name for each ``on_fail``."""


def judged(built: DataFrame, table: Table, reads: Mapping[str, DataFrame]) -> DataFrame:
    """Every row with the rules that it breaks; the rule of the unique key follows when contested keys are settled."""
    annotated = expectations.annotate(built, table, reads)
    return annotated.select(*table.column_names, expectations.BROKEN, expectations.COPY)


def taken(judged: DataFrame, table: Table, native: bool) -> DataFrame:
    """The kept rows of the evaluated ones, of deliveries that are not held back.

    With ``native`` rules, rows that break a rule of the contract stay, for the engine to drop and count.
    """
    from pyspark.sql import functions as F

    judged = expectations.settle(judged, table)
    stay = expectations.stays(table)
    if native:
        stay = ~F.col(expectations.COPY) & ~expectations.breaks(table, expectations.UNIQUE)
        for rule in table.rules:
            if rule.references and rule.on_fail == "drop":
                stay = stay & ~expectations.breaks(table, rule.name)
    rows = judged.where(stay).select(*table.column_names)
    return rows.join(F.broadcast(_held_back(judged, table)), list(table.delivery_columns), "left_anti")


def _held_back(judged: DataFrame, table: Table) -> DataFrame:
    """The dates of the settled deliveries that break a blocking rule, or of which most rows would be refused."""
    from pyspark.sql import functions as F

    refused = F.sum(F.when(~expectations.stays(table) & ~F.col(expectations.COPY), 1).otherwise(0))
    wrong = [refused > F.count("*") * expectations.MOSTLY_REFUSED]
    blocking = [rule.name for rule in table.rules if rule.blocking]
    wrong += [F.max(expectations.breaks(table, name)) for name in blocking]
    wrong += [
        F.coalesce(F.expr(rule.measure) > rule.limit, F.lit(False)) for rule in table.delivery_rules if rule.blocking
    ]
    days = judged.groupBy(*table.delivery_columns).agg(reduce(lambda one, other: one | other, wrong).alias("wrong"))
    return days.where("wrong").select(*table.delivery_columns)


def refused(judged: DataFrame, table: Table) -> DataFrame:
    """The refused rows, as rows of the quarantine."""
    from pyspark.sql import functions as F

    rules = {rule.name: rule for rule in expectations.all_rules(table) if rule.on_fail == "drop"}
    names = F.filter(expectations.BROKEN, lambda name: name.isin(*rules))
    about = F.create_map(*(F.lit(text) for rule in rules.values() for text in (rule.name, rule.description)))
    hints = F.create_map(*(F.lit(text) for rule in rules.values() for text in (rule.name, rule.hint)))
    there = set(table.column_names)
    return expectations.refused(expectations.settle(judged, table), table).select(
        F.lit(table.name).alias("table_name"),
        "delivery_date",
        (F.col("delivery_hour") if "delivery_hour" in there else F.lit(None).cast("int")).alias("delivery_hour"),
        F.lit(None).cast("string").alias("source"),
        (F.col("source_file") if "source_file" in there else F.lit(None).cast("string")).alias("source_file"),
        (F.col("record_number") if "record_number" in there else F.lit(None).cast("bigint")).alias("record_number"),
        F.lit(None).cast("bigint").alias("line_number"),
        F.lit(None).cast("string").alias("raw"),
        F.to_json(F.struct(*table.column_names)).alias("row"),
        names.alias("rules"),
        F.transform(names, lambda name: about[name]).alias("reasons"),
        F.transform(names, lambda name: hints[name]).alias("hints"),
    )


def or_fail(built: DataFrame, table: Table, reads: Mapping[str, DataFrame], native: bool) -> DataFrame:
    """The rows of a whole table, or an error that names the rule when one row breaks a blocking one.

    With ``native`` rules it evaluates only those that the engine cannot evaluate on a single row.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    marked = expectations.annotate(built, table, reads)
    rules = [rule for rule in table.rules if rule.blocking and not (native and rule in row_conditions(table))]
    checks = [_error(table, rule, expectations.breaks(table, rule.name)) for rule in rules]
    twice = F.count("*").over(Window.partitionBy(*table.key)) > 1
    checks.append(_error(table, expectations.unique_key(table), twice))
    return marked.withColumn("_sound", reduce(lambda one, other: one & other, checks)).where("_sound")


def row_conditions(table: Table) -> list[Expectation]:
    """The rules that are a condition on one row, which an engine with expectations of its own can evaluate."""
    return [rule for rule in table.rules if not rule.references]


def conditions(table: Table) -> dict[str, dict[str, str]]:
    """The row conditions for Lakeflow: its name for ``on_fail``, then name and condition. Null counts as kept."""
    found: dict[str, dict[str, str]] = {}
    for rule in row_conditions(table):
        found.setdefault(NATIVE[rule.on_fail], {})[rule.name] = f"coalesce({rule.condition}, true)"
    return found


def _error(table: Table, rule: Expectation, broken: Column) -> Column:
    from pyspark.sql import functions as F

    message = f"{table.name}: a row breaks {rule.name} ({rule.description}); the table stays as it was. {rule.hint}"
    return F.when(broken, F.raise_error(F.lit(message)).cast("boolean")).otherwise(F.lit(True))
