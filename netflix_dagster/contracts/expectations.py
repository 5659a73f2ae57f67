"""Evaluates the rules of a table: which of them each row breaks, whether it is a copy, whether it stays.

``annotate`` adds to each row of a table's function the rules that it breaks, as bits of one number: twenty rules cost
little more than one. The annotated rows are staged. ``settle`` finds copies and clashing keys among them, and lets the
table identify the rows that stay; ``tallies`` counts everything, delivery by delivery. ``kept`` and ``refused`` are the
two parts; a row that is in neither is a counted copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import FOUND, Expectation, Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

UNIQUE, MOSTLY = "unique_key", "mostly_kept"
BROKEN, COPY, KEY, ALIKE = "_broken", "_copy", "_key", "_alike"
MOSTLY_REFUSED = 0.5
"""When more than this share of the rows would be refused, the delivery is bad, not the rows."""
MOST_SAMPLES = 5
MOST_NAMED = 1_000
"""So many hashes are named to the engine; of more it looks for the rows itself."""


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


def annotate(frame: DataFrame, table: Table, reads: Mapping[str, DataFrame] | None = None) -> DataFrame:
    """The frame with ``_broken``, the rules that each row breaks, ``_copy``, marked repeats, and ``_key``, a hash of
    the row's key: equal keys have equal hashes, and a hash costs a seventh of what a key costs to count.

    The function of a per_delivery table may mark rows that another form of the same delivery already brings, in a
    column ``is_duplicate``. ``reads`` are the tables in which foreign keys are looked up. Columns that ``identify``
    fills later are null here, and ``_alike`` is a hash of those by which it tells rows apart.
    """
    from pyspark.sql import functions as F

    names = frame.columns if table.per_delivery else []  # to ask costs a call of the engine
    if table.identify:
        later = [column for column in table.columns if column.name not in names]
        unknown = {column.name: F.lit(None).cast(column.type) for column in later}
        frame = frame.withColumns({**unknown, ALIKE: F.xxhash64(*table.alike)})
    for rule in table.rules:
        if rule.references:
            frame = _with_found(frame, rule, (reads or {})[rule.references[0]])
    bits = [_bit_if_broken(rule, place) for place, rule in enumerate(table.rules)]
    broken = _sum(bits) if bits else F.lit(0).cast("bigint")
    copy = F.coalesce(F.col("is_duplicate"), F.lit(False)) if "is_duplicate" in names else F.lit(False)
    marked = frame.withColumns({BROKEN: broken, COPY: copy, KEY: F.xxhash64(*table.key)})
    return marked.drop(*(f"{FOUND}{rule.name}" for rule in table.rules if rule.references))


def _with_found(frame: DataFrame, rule: Expectation, other: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    assert rule.references is not None
    keys = [
        F.col(theirs).alias(f"{FOUND}{name}") for name, theirs in zip(rule.foreign_key, rule.references[1], strict=True)
    ]
    known = other.select(*keys).distinct().withColumn(f"{FOUND}{rule.name}", F.lit(True))
    same = [F.col(name) == F.col(f"{FOUND}{name}") for name in rule.foreign_key]
    joined = F.broadcast(known).join(frame, reduce(lambda one, and_other: one & and_other, same), "right")
    found = F.coalesce(F.col(f"{FOUND}{rule.name}"), F.lit(False))
    return joined.drop(*(f"{FOUND}{name}" for name in rule.foreign_key)).withColumn(f"{FOUND}{rule.name}", found)


def settle(
    annotated: DataFrame,
    table: Table,
    claimed_twice: Sequence[int] | None = None,
    shared: Sequence[int] | None = None,
) -> DataFrame:
    """Of rows that claim one key the first stays; a repeat of it is a copy, a different row breaks ``unique_key``.
    Then the table identifies what is kept.

    Only rows that a per_delivery table would keep compete, and only those of the keys that are ``claimed_twice``, by
    their hashes, where that is known. Whole tables have nothing to settle: there a clash of keys is a fault of the code
    and blocks the write. ``shared`` are the hashes ``_alike`` that several rows have, where they are known.
    """
    if not table.per_delivery:
        return annotated
    if claimed_twice is None or claimed_twice:
        annotated = _settled(annotated, table, claimed_twice)
    return _identified(annotated, table, shared) if table.identify else annotated


def measure(judged: DataFrame, table: Table) -> dict[str | None, dict[str, Any]]:
    """What each rule about deliveries measures, by delivery. These are SQL, so an engine says it."""
    from pyspark.sql import functions as F

    figures = [F.expr(rule.measure).alias(rule.name) for rule in table.delivery_rules]
    rows = judged.groupBy(F.expr(table.delivery_key).alias("day")).agg(*figures).collect()
    return {row["day"]: {rule.name: row[rule.name] for rule in table.delivery_rules} for row in rows}


def _identified(settled: DataFrame, table: Table, shared: Sequence[int] | None) -> DataFrame:
    """The settled rows; those that are not refused went through ``identify``."""
    from pyspark.sql import functions as F

    assert table.identify is not None
    names = settled.columns
    named = shared is not None and len(shared) <= MOST_NAMED
    known = table.identify(
        settled.where(stays(table) | F.col(COPY)), F.col(ALIKE).isin(list(shared or ())) if named else F.lit(True)
    )
    if "is_duplicate" in known.columns:
        known = known.withColumn(COPY, F.col(COPY) | F.coalesce("is_duplicate", F.lit(False)))
    if KEY in names:
        known = known.withColumn(KEY, F.xxhash64(*table.key))
    return settled.where(~stays(table) & ~F.col(COPY)).unionByName(known.select(*names))


def _settled(annotated: DataFrame, table: Table, claimed_twice: Sequence[int] | None) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    names = annotated.columns
    clash = stays(table)
    if claimed_twice is not None and len(claimed_twice) <= MOST_NAMED:
        clash = clash & F.col(KEY).isin(list(claimed_twice))
    stated = [name for name in table.column_names if name not in table.provenance]
    content = F.xxhash64(
        *stated, *(F.isnull(name) for name in stated)
    )  # a hash passes over nulls: (5, null), (null, 5)
    order = [F.expr(part.strip()) for part in (table.order or "").split(",") if part.strip()]
    place = Window.partitionBy(*table.key).orderBy(*order, content)
    clashing = (
        annotated.where(clash)
        .withColumn("_nth", F.row_number().over(place))
        .withColumn("_repeat", content == F.first(content).over(place))
    )
    later = F.col("_nth") > 1
    settled = clashing.withColumn(COPY, later & F.col("_repeat")).withColumn(
        BROKEN, F.col(BROKEN) + F.when(later & ~F.col("_repeat"), bit(table, UNIQUE)).otherwise(0)
    )
    return annotated.where(~clash).unionByName(settled.select(*names))


def kept(judged: DataFrame, table: Table) -> DataFrame:
    """The rows that stay in the table."""
    return judged.where(stays(table))


def refused(judged: DataFrame, table: Table) -> DataFrame:
    """The rows that go to the quarantine, with the names of all the rules that each breaks in ``_broken``."""
    from pyspark.sql import functions as F

    rules = [rule.name for rule in all_rules(table) if rule.name != MOSTLY]
    names = F.array_compact(F.array(*(F.when(breaks(table, name), F.lit(name)) for name in rules)))
    return judged.where(~stays(table) & ~judged[COPY]).withColumn(BROKEN, names)


def stays(table: Table) -> Column:
    """Whether a judged row stays in the table."""
    from pyspark.sql import functions as F

    drops = dropped_bits(table)
    return (F.col(BROKEN).bitwiseAND(F.lit(drops)) == 0) & ~F.col(COPY) if drops else ~F.col(COPY)


def breaks(table: Table, rule: str) -> Column:
    """Whether a judged row breaks the rule."""
    from pyspark.sql import functions as F

    return F.col(BROKEN).bitwiseAND(F.lit(bit(table, rule))) != 0


def bit(table: Table, rule: str) -> int:
    """The bit that stands for a rule; that of the unique key is above those of the row rules."""
    names = [declared.name for declared in table.rules]
    return 1 << (len(names) if rule == UNIQUE else names.index(rule))


def dropped_bits(table: Table) -> int:
    """The bits of the rules that refuse a row."""
    return sum(bit(table, rule.name) for rule in all_rules(table) if rule.on_fail == "drop")


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
