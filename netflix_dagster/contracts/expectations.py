"""Evaluates the rules of a table: which of them each row breaks, whether it is a copy, whether it stays.

``annotate`` adds to each row of a table's function the rules that it breaks, as bits of one number: twenty rules cost
little more than one. The annotated rows are staged once. ``settle`` finds copies and clashing keys among them, and lets
the table identify the rows that stay. ``tally`` counts everything in one query, one row a delivery. ``kept`` and
``refused`` are the two parts; a row that is in neither is a counted copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import FOUND, Expectation, Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

UNIQUE, MOSTLY = "unique_key", "mostly_kept"
BROKEN, COPY = "_broken", "_copy"
MOSTLY_REFUSED = 0.5
"""When more than this share of the rows would be refused, the delivery is bad, not the rows."""
MOST_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one delivery. ``broken`` counts the rows that break each rule, ``contested`` the kept rows whose
    key another kept row has as well: none, once they are settled. ``because`` is the reason that rows themselves give
    for a broken rule, ``measured`` the figure of each rule about the delivery."""

    rows: int
    kept: int
    copies: int
    refused: int
    broken: dict[str, int]
    contested: int = 0
    because: dict[str, str] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)


def unique_key(table: Table) -> Expectation:
    """The rule that no two rows have the same key: later ones are refused, or in whole tables block the write."""
    on_fail = "drop" if table.per_delivery else "fail"
    described = f"no two rows have the same {', '.join(table.key)}"
    return Expectation(UNIQUE, "", on_fail, described, "two different rows claim one key; mend the file")  # type: ignore[arg-type]


def mostly_kept() -> Expectation:
    """The rule that blocks a delivery when most of its rows would be refused: then the file is wrong, not some rows."""
    described = f"no more than {MOSTLY_REFUSED:.0%} of the rows are refused"
    return Expectation(MOSTLY, "", "fail", described, "see the quarantine for what the rows have in common")


def all_rules(table: Table) -> list[Expectation]:
    """The row rules of the contract, the unique key and, where rows can be refused, that most are kept."""
    rules = [*table.rules, unique_key(table)]
    return [*rules, mostly_kept()] if any(rule.on_fail == "drop" for rule in rules) else rules


def judge(annotated: DataFrame, table: Table) -> tuple[DataFrame, dict[str | None, Tally]]:
    """The annotated rows, settled and identified, and their tally. One query is enough when no key is contested and
    the table identifies rows by its key alone, which is the usual case."""
    found = tally(annotated, table)
    if table.per_delivery and any(delivery.contested for delivery in found.values()):
        judged = settle(annotated, table)
    elif table.identify:
        judged = _identified(annotated, table)
    else:
        return annotated, found
    return judged, tally(judged, table)


def annotate(frame: DataFrame, table: Table, reads: Mapping[str, DataFrame] | None = None) -> DataFrame:
    """The frame with ``_broken``, the rules that each row breaks, and ``_copy``, marked repeats.

    A function may mark rows that another form of the same delivery already brings, in a column ``is_duplicate``.
    ``reads`` are the tables in which foreign keys are looked up. Columns that ``identify`` fills later are null here.
    """
    from pyspark.sql import functions as F

    if table.identify:
        later = [column for column in table.columns if column.name not in frame.columns]
        frame = frame.withColumns({column.name: F.lit(None).cast(column.type) for column in later})
    for rule in table.rules:
        if rule.references:
            frame = _with_found(frame, rule, (reads or {})[rule.references[0]])
    bits = [_bit_if_broken(rule, place) for place, rule in enumerate(table.rules)]
    broken = _sum(bits) if bits else F.lit(0).cast("bigint")
    brought = F.col("is_duplicate") if "is_duplicate" in frame.columns else F.lit(None).cast("boolean")
    marked = frame.withColumn(BROKEN, broken).withColumn(COPY, F.coalesce(brought, F.lit(False)))
    return marked.drop(*(name for name in marked.columns if name.startswith(FOUND)))


def _with_found(frame: DataFrame, rule: Expectation, other: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    assert rule.references is not None
    keys = [
        F.col(theirs).alias(f"{FOUND}{name}") for name, theirs in zip(rule.foreign_key, rule.references[1], strict=True)
    ]
    known = other.select(*keys).distinct().withColumn(f"{FOUND}{rule.name}", F.lit(True))
    same = [F.col(name) == F.col(f"{FOUND}{name}") for name in rule.foreign_key]
    joined = frame.join(F.broadcast(known), reduce(lambda one, and_other: one & and_other, same), "left")
    found = F.coalesce(F.col(f"{FOUND}{rule.name}"), F.lit(False))
    return joined.drop(*(f"{FOUND}{name}" for name in rule.foreign_key)).withColumn(f"{FOUND}{rule.name}", found)


def settle(annotated: DataFrame, table: Table) -> DataFrame:
    """Of several rows with one key the first stays; an equal row is a copy, a different row breaks ``unique_key``.
    Then the table identifies the kept rows.

    Only rows that a per_delivery table would keep take part. Whole tables are returned as they are: there two rows with
    one key are a fault of the code and block the write.
    """
    if not table.per_delivery:
        return annotated
    settled = _settled(annotated, table)
    return _identified(settled, table) if table.identify else settled


def _identified(settled: DataFrame, table: Table) -> DataFrame:
    """The settled rows; those that are not refused went through ``identify``."""
    from pyspark.sql import functions as F

    assert table.identify is not None
    names = settled.columns
    known = table.identify(settled.where(stays(table) | F.col(COPY)))
    if "is_duplicate" in known.columns:
        known = known.withColumn(COPY, F.col(COPY) | F.coalesce("is_duplicate", F.lit(False)))
    return settled.where(~stays(table) & ~F.col(COPY)).unionByName(known.select(*names))


def _settled(annotated: DataFrame, table: Table) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    names = annotated.columns
    competing = annotated.where(stays(table))
    key = list(table.key)
    claims = [f"_claims_{name}" for name in key]
    same = reduce(
        lambda one, and_other: one & and_other,
        (F.col(name).eqNullSafe(F.col(claim)) for name, claim in zip(key, claims, strict=True)),
    )
    claimed = competing.select(*(F.col(name).alias(claim) for name, claim in zip(key, claims, strict=True)))
    claimed_twice = claimed.groupBy(*claims).count().where("count > 1").drop("count")
    said = [name for name in table.column_names if name not in table.provenance]
    content = F.xxhash64(*said, *(F.isnull(name) for name in said))  # a hash passes over nulls: (5, null) is (null, 5)
    order = [F.expr(part.strip()) for part in (table.order or "").split(",") if part.strip()]
    place = Window.partitionBy(*key).orderBy(*order, content)
    clashing = (
        competing.join(claimed_twice, same, "left_semi")
        .withColumn("_nth", F.row_number().over(place))
        .withColumn("_repeat", content == F.first(content).over(place))
    )
    later = F.col("_nth") > 1
    settled = clashing.withColumn(COPY, later & F.col("_repeat")).withColumn(
        BROKEN, F.col(BROKEN) + F.when(later & ~F.col("_repeat"), _bit(table, UNIQUE)).otherwise(0)
    )
    others = competing.join(claimed_twice, same, "left_anti").select(*names)
    return annotated.where(~stays(table)).unionByName(others).unionByName(settled.select(*names))


def tally(judged: DataFrame, table: Table) -> dict[str | None, Tally]:
    """Count the judged rows in one query: a ``Tally`` for every delivery, or under None for a whole table."""
    from pyspark.sql import functions as F

    rules = [rule for rule in all_rules(table) if rule.name != MOSTLY]
    counts = [
        F.count("*").alias("rows"),
        _count_if(stays(table)).alias("kept"),
        _count_if(F.col(COPY)).alias("copies"),
        *(_count_if(breaks(table, rule.name)).alias(f"rule_{i}") for i, rule in enumerate(rules)),
    ]
    # Distinct hashes cost a seventh of distinct keys. Equal keys have equal hashes, so no clash is missed; when two
    # keys share a hash, settling or a second count by the keys themselves finds that out.
    counts.append(F.count_distinct(F.when(stays(table), F.xxhash64(*table.key))).alias("keys"))
    reasoned = [rule for rule in rules if rule.because]
    counts += [
        F.max(F.when(breaks(table, rule.name), F.col(rule.because or ""))).alias(f"because_{rule.name}")
        for rule in reasoned
    ]
    counts += [F.expr(rule.measure).alias(f"measured_{rule.name}") for rule in table.delivery_rules]
    if table.judged_by_delivery:
        rows = judged.groupBy(F.expr(table.delivery_key).alias("day")).agg(*counts).collect()
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
        because = {rule.name: row[f"because_{rule.name}"] for rule in reasoned if row[f"because_{rule.name}"]}
        measured = {rule.name: row[f"measured_{rule.name}"] for rule in table.delivery_rules}
        found[row["day"]] = Tally(row["rows"], kept, copies, refused, broken, contested, because, measured)
    return found


def kept(judged: DataFrame, table: Table) -> DataFrame:
    """The rows that stay in the table."""
    return judged.where(stays(table))


def refused(judged: DataFrame, table: Table) -> DataFrame:
    """The rows that go to the quarantine, with the names of all the rules that each breaks in ``_broken``."""
    from pyspark.sql import functions as F

    rules = [rule.name for rule in all_rules(table) if rule.name != MOSTLY]
    names = F.array_compact(F.array(*(F.when(breaks(table, name), F.lit(name)) for name in rules)))
    return judged.where(~stays(table) & ~judged[COPY]).withColumn(BROKEN, names)


def samples(judged: DataFrame, table: Table) -> dict[tuple[str | None, str], list[dict[str, Any]]]:
    """Some of the rows that break each rule, by delivery and rule: the key, and the columns of the rule."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    rules = {rule.name: rule for rule in all_rules(table) if rule.name != MOSTLY}
    day = F.expr(table.delivery_key) if table.judged_by_delivery else F.lit(None).cast("string")
    alike = Window.partitionBy("_day", BROKEN).orderBy(*table.key)
    broken = judged.where(F.col(BROKEN) != 0).withColumn("_day", day)
    some = broken.withColumn("_nth", F.row_number().over(alike)).where(F.col("_nth") <= MOST_SAMPLES)
    found: dict[tuple[str | None, str], list[dict[str, Any]]] = {}
    for row in some.drop("_nth", COPY).toArrow().to_pylist():
        for place, (name, rule) in enumerate(rules.items()):
            if row[BROKEN] >> place & 1:
                listed = found.setdefault((row["_day"], name), [])
                if len(listed) < MOST_SAMPLES:
                    listed.append(_shown(row, rule, table))
    return found


def _shown(row: Mapping[str, Any], rule: Expectation, table: Table) -> dict[str, Any]:
    of_rule = [
        name for name in row if not name.startswith("_") and re.search(rf"\b{re.escape(name)}\b", rule.condition)
    ]
    where = [name for name in ("source_file", "record_number") if name in row]
    return {name: row[name] for name in dict.fromkeys((*table.key, *of_rule, *where))}


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


def stays(table: Table) -> Column:
    """Whether a judged row stays in the table."""
    from pyspark.sql import functions as F

    drops = [rule.name for rule in all_rules(table) if rule.on_fail == "drop"]
    if not drops:
        return ~F.col(COPY)
    return (F.col(BROKEN).bitwiseAND(F.lit(sum(_bit(table, name) for name in drops))) == 0) & ~F.col(COPY)


def breaks(table: Table, rule: str) -> Column:
    """Whether a judged row breaks the rule."""
    from pyspark.sql import functions as F

    return F.col(BROKEN).bitwiseAND(F.lit(_bit(table, rule))) != 0


def _bit(table: Table, rule: str) -> int:
    """The bit that stands for a rule; that of the unique key is above those of the row rules."""
    names = [declared.name for declared in table.rules]
    return 1 << (len(names) if rule == UNIQUE else names.index(rule))


def _bit_if_broken(rule: Expectation, place: int) -> Column:
    from pyspark.sql import functions as F

    kept = F.coalesce(F.expr(rule.condition), F.lit(True))
    return F.when(kept, F.lit(0).cast("bigint")).otherwise(F.lit(1 << place).cast("bigint"))


def _sum(terms: Sequence[Column]) -> Column:
    """The sum as a tree of the least depth: engines refuse deeply nested expressions."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return _sum(terms[:half]) + _sum(terms[half:])


def _count_if(condition: Column) -> Column:
    from pyspark.sql import functions as F

    return F.sum(F.when(condition, 1).otherwise(0))
