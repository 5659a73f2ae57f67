"""Every row judged: which rules it breaks, whether it is a copy, whether it may stay.

``annotate`` adds to what a table's function returned the names of the rules that each row breaks. The annotated
rows are staged once; ``settle`` finds copies and clashing keys among them, ``tally`` counts everything in one
query, one row a delivery; ``kept`` and ``refused`` are the two sides. What is not kept is either counted (a copy)
or quarantined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netflix_dagster.lake.contract import Expectation, Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

UNIQUE, MOSTLY = "unique_key", "mostly_kept"
BROKEN, COPY = "_broken", "_copy"
MOSTLY_REFUSED = 0.5
"""A delivery of whose rows more than this share would be refused is not a delivery with bad rows but a bad one."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one delivery's rows came to. ``broken`` counts the rows that break each rule, ``contested`` the kept
    rows whose key another kept row has as well: none, once they are settled."""

    rows: int
    kept: int
    copies: int
    refused: int
    broken: dict[str, int]
    contested: int = 0
    because: dict[str, str] = field(default_factory=dict)


def unique_key(table: Table) -> Expectation:
    """The rule that no two rows have the same key: later ones are refused, or in whole tables block the write."""
    on_fail = "drop" if table.per_delivery else "fail"
    described = f"no two rows have the same {', '.join(table.key)}"
    return Expectation(UNIQUE, "", on_fail, described, "two different rows claim one key; mend the file")  # type: ignore[arg-type]


def mostly_kept() -> Expectation:
    """The rule that blocks a delivery of which little would be left: then the file is wrong, not some rows."""
    described = f"no more than {MOSTLY_REFUSED:.0%} of the rows are refused"
    return Expectation(MOSTLY, "", "fail", described, "see the quarantine for what the rows have in common")


def all_rules(table: Table) -> list[Expectation]:
    """The row rules of the contract, the uniqueness of its key and, where rows can be refused, that most are not."""
    rules = [*table.rules, unique_key(table)]
    return [*rules, mostly_kept()] if any(rule.on_fail == "drop" for rule in rules) else rules


def judge(annotated: DataFrame, table: Table) -> tuple[DataFrame, dict[str | None, Tally]]:
    """The annotated rows with contested keys settled, and their tally. Most deliveries contest no key, and one
    query is all that it takes."""
    found = tally(annotated, table)
    if not table.per_delivery or not any(delivery.contested for delivery in found.values()):
        return annotated, found
    settled = settle(annotated, table)
    return settled, tally(settled, table)


def annotate(frame: DataFrame, table: Table) -> DataFrame:
    """The frame with ``_broken``, the names of the rules that each row breaks, and ``_copy``, marked repeats.

    A function may mark rows that another form of the same delivery already brings, in a column ``is_duplicate``.
    """
    from pyspark.sql import functions as F

    broken = F.array_compact(F.array(*(_if_broken(rule) for rule in table.rules))) if table.rules else F.array()
    brought = F.col("is_duplicate") if "is_duplicate" in frame.columns else F.lit(None).cast("boolean")
    return frame.withColumn(BROKEN, broken.cast("array<string>")).withColumn(COPY, F.coalesce(brought, F.lit(False)))


def settle(annotated: DataFrame, table: Table) -> DataFrame:
    """Of rows that claim one key the first stays; a repeat of it is a copy, a different row breaks ``unique_key``.

    Only rows that a per_delivery table would keep compete. Whole tables have nothing to settle: there a clash of
    keys is a fault of the code and blocks the write.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    if not table.per_delivery:
        return annotated
    names = annotated.columns
    competing = annotated.where(_stays(table))
    key = list(table.key)
    claimed_twice = competing.groupBy(*key).count().where("count > 1").drop("count")
    content = F.xxhash64(*(c for c in table.column_names if c not in table.provenance))
    order = [F.expr(part.strip()) for part in (table.order or "").split(",") if part.strip()]
    place = Window.partitionBy(*key).orderBy(*order, content)
    clashing = (
        competing.join(claimed_twice, key, "left_semi")
        .withColumn("_nth", F.row_number().over(place))
        .withColumn("_repeat", content == F.first(content).over(place))
    )
    later = F.col("_nth") > 1
    settled = clashing.withColumn(COPY, later & F.col("_repeat")).withColumn(
        BROKEN, F.when(later & ~F.col("_repeat"), F.array_append(BROKEN, F.lit(UNIQUE))).otherwise(F.col(BROKEN))
    )
    others = competing.join(claimed_twice, key, "left_anti").select(*names)
    return annotated.where(~_stays(table)).unionByName(others).unionByName(settled.select(*names))


def tally(judged: DataFrame, table: Table) -> dict[str | None, Tally]:
    """Count the judged rows in one query: a ``Tally`` for every delivery, or under None for a whole table."""
    from pyspark.sql import functions as F

    rules = all_rules(table)
    counts = [
        F.count("*").alias("rows"),
        _count_if(_stays(table)).alias("kept"),
        _count_if(F.col(COPY)).alias("copies"),
        *(_count_if(F.array_contains(BROKEN, rule.name)).alias(f"rule_{i}") for i, rule in enumerate(rules)),
    ]
    # Distinct hashes cost a seventh of distinct keys. Equal keys have equal hashes, so no clash is missed; that two
    # keys share a hash is settled, or counted again, by the keys themselves.
    counts.append(F.count_distinct(F.when(_stays(table), F.xxhash64(*table.key))).alias("keys"))
    said = [rule for rule in rules if rule.because]
    counts += [
        F.max(F.when(_any_of([rule.name]), F.col(rule.because or ""))).alias(f"said_{rule.name}") for rule in said
    ]
    if table.judged_by_delivery:
        rows = judged.groupBy(F.col("delivery_date").cast("string").alias("day")).agg(*counts).collect()
    else:
        rows = judged.agg(F.lit(None).cast("string").alias("day"), *counts).collect()
    found: dict[str | None, Tally] = {}
    for row in rows:
        broken = {rule.name: row[f"rule_{i}"] or 0 for i, rule in enumerate(rules)}
        kept, copies = row["kept"] or 0, row["copies"] or 0
        refused, contested = row["rows"] - kept - copies, kept - row["keys"]
        broken[MOSTLY] = refused if refused > MOSTLY_REFUSED * row["rows"] else 0
        if not table.per_delivery and contested:
            contested = row["rows"] - judged.select(*table.key).distinct().count()
            broken[UNIQUE] = contested
        because = {rule.name: row[f"said_{rule.name}"] for rule in said if row[f"said_{rule.name}"]}
        found[row["day"]] = Tally(row["rows"], kept, copies, refused, broken, contested, because)
    return found


def kept(judged: DataFrame, table: Table) -> DataFrame:
    """The rows that stay in the table."""
    return judged.where(_stays(table))


def refused(judged: DataFrame, table: Table) -> DataFrame:
    """The rows that go to the quarantine."""
    return judged.where(~_stays(table) & ~judged[COPY])


def blocking_reason(found: Tally, table: Table) -> str | None:
    """Why a delivery must not be written at all, or None."""
    for rule in all_rules(table):
        count = found.broken[rule.name]
        if rule.blocking and count and rule.name != MOSTLY:
            if rule.name in found.because:
                return f"{rule.name}: {found.because[rule.name]}; {rule.hint}"
            return f"{rule.name}: {count} of {found.rows} rows break it ({rule.description})"
    if found.broken[MOSTLY]:
        worst = max((name for name in found.broken if name != MOSTLY), key=found.broken.__getitem__)
        return f"{found.refused} of {found.rows} rows would be refused, most of them by {worst}"
    return None


def _stays(table: Table) -> Column:
    from pyspark.sql import functions as F

    drops = [rule.name for rule in all_rules(table) if rule.on_fail == "drop"]
    return ~_any_of(drops) & ~F.col(COPY)


def _any_of(names: Sequence[str]) -> Column:
    from pyspark.sql import functions as F

    if not names:
        return F.lit(False)
    return F.arrays_overlap(F.col(BROKEN), F.array(*(F.lit(name) for name in names)))


def _if_broken(rule: Expectation) -> Column:
    from pyspark.sql import functions as F

    return F.when(~F.coalesce(F.expr(rule.condition), F.lit(True)), F.lit(rule.name))


def _count_if(condition: Column) -> Column:
    from pyspark.sql import functions as F

    return F.sum(F.when(condition, 1).otherwise(0))
