"""Judged rows counted: what became of the rows of each delivery, and which rows break a rule.

Rows that lie aside (``expectations``) are counted by Arrow, as long as they are few enough to be brought here: an
engine is not asked again. More are counted by the engine (``by_engine``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Expectation, Table
from netflix_dagster.contracts.expectations import (
    BROKEN,
    COPY,
    KEY,
    MOST_SAMPLES,
    MOSTLY,
    MOSTLY_REFUSED,
    UNIQUE,
    all_rules,
    bit,
    breaks,
    dropped_bits,
    stays,
)
from netflix_dagster.landing import keys

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame


@dataclass(frozen=True, slots=True)
class Tally:
    """What one delivery's rows came to. ``broken`` counts the rows that break each rule, ``contested`` the kept
    rows whose key another kept row has as well: none, once they are settled. ``because`` is what the rows
    themselves say of a broken rule, ``measured`` what each rule about the delivery has measured."""

    rows: int
    kept: int
    copies: int
    refused: int
    broken: dict[str, int]
    contested: int = 0
    because: dict[str, str] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)


def columns_of(table: Table) -> list[str]:
    """The columns of judged rows that ``tally`` reads."""
    said = [rule.because for rule in table.rules if rule.because]
    return list(dict.fromkeys([*_place(table), BROKEN, COPY, KEY, *said]))


def tally(rows: pa.Table, table: Table) -> dict[str | None, Tally]:
    """Count judged rows: a ``Tally`` for every delivery, or under None for a whole table."""
    import pyarrow.compute as pc

    place = _place(table)
    groups = rows.select([*place, BROKEN, COPY]).group_by([*place, BROKEN, COPY]).aggregate([([], "count_all")])
    keys_of = rows.filter(stay(table)).group_by([*place, KEY]).aggregate([])
    because: Because = {}
    for rule in table.rules:
        if rule.because and rows.num_rows:
            broken = pc.not_equal(pc.bit_wise_and(rows[BROKEN], bit(table, rule.name)), 0)
            said = rows.select([*place, rule.because]).filter(broken)
            found = said.group_by(place).aggregate([(rule.because, "max")]).to_pylist()
            because[rule.name] = {_day(row, table): why for row in found if (why := row[f"{rule.because}_max"])}
    return _tallied(table, groups.to_pylist(), _counted(keys_of, table), because)


def by_engine(judged: DataFrame, table: Table) -> dict[str | None, Tally]:
    """``tally`` for more rows than are brought here: the engine counts where they lie, and tells keys apart by
    themselves, not by their hashes."""
    from pyspark.sql import functions as F

    place = _place(table)
    groups = judged.groupBy(*place, BROKEN, COPY).agg(F.count("*").alias("count_all")).toArrow()
    keys_of = judged.where(stays(table)).select(*dict.fromkeys((*place, *table.key))).distinct()
    counts = keys_of.groupBy(*place).agg(F.count("*").alias("count_all")).toArrow().to_pylist()
    because: Because = {}
    for rule in table.rules:
        if rule.because:
            said = judged.where(breaks(table, rule.name)).groupBy(*place).agg(F.max(rule.because).alias("why"))
            because[rule.name] = {_day(row, table): row["why"] for row in said.toArrow().to_pylist() if row["why"]}
    return _tallied(table, groups.to_pylist(), {_day(row, table): row["count_all"] for row in counts}, because)


Because = dict[str, dict[str | None, str]]
"""What the rows of each delivery say of a rule that they break, by rule."""


def _tallied(
    table: Table, groups: Iterable[Mapping[str, Any]], distinct: Mapping[str | None, int], because: Because
) -> dict[str | None, Tally]:
    """The tallies of counted ``groups`` of rows, and of the ``distinct`` keys of each delivery."""
    counted: dict[str | None, list[Mapping[str, Any]]] = {} if table.judged_by_delivery else {None: []}
    for row in groups:
        counted.setdefault(_day(row, table), []).append(row)
    return {
        day: _tally(
            table,
            of_day,
            distinct.get(day, 0),
            {name: said[day] for name, said in because.items() if day in said},
        )
        for day, of_day in counted.items()
    }


def _tally(table: Table, groups: Iterable[Mapping[str, Any]], distinct: int, because: dict[str, str]) -> Tally:
    rules = [rule for rule in all_rules(table) if rule.name != MOSTLY]
    drops, broken = dropped_bits(table), dict.fromkeys((rule.name for rule in rules), 0)
    rows = kept = copies = 0
    for group in groups:
        count = group["count_all"]
        rows += count
        copies += count if group[COPY] else 0
        kept += count if not group[COPY] and not group[BROKEN] & drops else 0
        for rule in rules:
            broken[rule.name] += count if group[BROKEN] & bit(table, rule.name) else 0
    refused, contested = rows - kept - copies, kept - distinct
    broken[MOSTLY] = refused if refused > MOSTLY_REFUSED * rows else 0
    if not table.per_delivery:
        broken[UNIQUE] = contested
    return Tally(rows, kept, copies, refused, broken, contested, because)


def claimed_twice(rows: pa.Table, table: Table) -> list[int]:
    """The hashes of the keys that more than one of the kept rows claims. Two keys may share a hash."""
    import pyarrow.compute as pc

    counts = rows.filter(stay(table)).group_by([KEY]).aggregate([([], "count_all")])
    found: list[int] = counts.filter(pc.greater(counts["count_all"], 1))[KEY].to_pylist()
    return sorted(found)


def shared(batches: Iterable[pa.RecordBatch]) -> list[int]:
    """The hashes, a column of batches, that more than one row has. They are put in order: a table of their counts would
    take ten times the memory."""
    import pyarrow as pa
    import pyarrow.compute as pc

    hashes = pa.chunked_array([batch.column(0) for batch in batches], pa.int64()).combine_chunks()
    hashes = hashes.take(pc.array_sort_indices(hashes))
    again = pc.equal(hashes[1:], hashes[:-1]) if len(hashes) else pa.array([], pa.bool_())
    found: list[int] = pc.unique(hashes[1:].filter(again)).to_pylist()
    return found


def with_measures(
    found: Mapping[str | None, Tally], measured: Mapping[str | None, dict[str, Any]]
) -> dict[str | None, Tally]:
    """The tallies with what each rule about deliveries has measured, by delivery."""
    return {day: replace(tally, measured=measured.get(day, {})) for day, tally in found.items()}


def recounted(found: Mapping[str | None, Tally], alike: pa.Table, table: Table) -> dict[str | None, Tally]:
    """The tallies of a table that settles nothing, once the keys themselves are told apart: ``alike`` are the keys of
    the rows that share a hash."""
    rows, keys_of = _counted(alike, table), alike.group_by([*dict.fromkeys((*_place(table), *table.key))]).aggregate([])
    distinct = _counted(keys_of, table)
    contested = {day: rows.get(day, 0) - distinct.get(day, 0) for day in found}
    return {
        day: replace(tally, contested=contested[day], broken=tally.broken | {UNIQUE: contested[day]})
        for day, tally in found.items()
    }


def broken_rules(rows: pa.Table, table: Table) -> pa.ChunkedArray:
    """The names of the rules that each row breaks, as lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [rule.name for rule in all_rules(table) if rule.name != MOSTLY]
    distinct = pc.unique(rows[BROKEN])
    lists = [[name for name in names if number & bit(table, name)] for number in distinct.to_pylist()]
    known = pa.array(lists, pa.list_(pa.string()))
    return pa.chunked_array([known.take(pc.index_in(rows[BROKEN].combine_chunks(), distinct))], known.type)


def shown_columns(table: Table, there: Sequence[str]) -> list[str]:
    """The columns that samples show or are found by, of those that there are."""
    spoken_of = [name for rule in all_rules(table) for name in _spoken_of(rule, there)]
    where = [name for name in ("source_file", "record_number") if name in there]
    return list(dict.fromkeys([*_place(table), *table.key, *spoken_of, *where, BROKEN]))


def samples(batches: Iterable[pa.RecordBatch], table: Table) -> dict[tuple[str | None, str], list[dict[str, Any]]]:
    """Some of the rows that break each rule, by delivery and rule: the key, and what the rule speaks of. Of rows that
    come batch by batch only those are held that may be shown."""
    import pyarrow as pa

    rules = {rule.name: rule for rule in all_rules(table) if rule.name != MOSTLY}
    shown: pa.Table | None = None
    for batch in batches:
        if batch.num_rows:
            rows = pa.Table.from_batches([batch])
            shown = _first_broken(rows if shown is None else pa.concat_tables([shown, rows]), table)
    found: dict[tuple[str | None, str], list[dict[str, Any]]] = {}
    for row in shown.to_pylist() if shown is not None else ():
        for name, rule in rules.items():
            if row[BROKEN] & bit(table, name):
                listed = found.setdefault((_day(row, table), name), [])
                if len(listed) < MOST_SAMPLES:
                    listed.append(_shown(row, rule, table))
    return found


def _first_broken(rows: pa.Table, table: Table) -> pa.Table:
    """The first rows, by key, of each delivery that break the same rules, in the order of the key."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = rows.filter(pc.not_equal(rows[BROKEN], 0))
    rows = rows.take(pc.sort_indices(rows, [(name, "ascending") for name in table.key]))
    alike = [*_place(table), BROKEN]
    numbered = rows.select(alike).append_column("_nth", pa.array(range(rows.num_rows), pa.int64()))
    groups = numbered.group_by(alike, use_threads=False).aggregate([("_nth", "list")])
    some = sorted(n for listed in groups["_nth_list"].to_pylist() for n in listed[:MOST_SAMPLES])
    return rows.take(pa.array(some, pa.int64()))


def _shown(row: Mapping[str, Any], rule: Expectation, table: Table) -> dict[str, Any]:
    where = [name for name in ("source_file", "record_number") if name in row]
    return {name: row[name] for name in dict.fromkeys((*table.key, *_spoken_of(rule, list(row)), *where))}


def _spoken_of(rule: Expectation, there: Sequence[str]) -> list[str]:
    """The columns that a rule names."""
    return [name for name in there if not name.startswith("_") and re.search(rf"\b{re.escape(name)}\b", rule.condition)]


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


def stay(table: Table) -> Any:
    """The Arrow condition that selects the judged rows which stay in the table, as ``expectations.stays`` does."""
    import pyarrow.compute as pc

    return (pc.bit_wise_and(pc.field(BROKEN), dropped_bits(table)) == 0) & ~pc.field(COPY)


def _place(table: Table) -> list[str]:
    """The columns by which rows are of one delivery or another."""
    return list(table.delivery_columns) if table.judged_by_delivery else []


def _day(row: Mapping[str, Any], table: Table) -> str | None:
    return keys.of_row(row) if table.judged_by_delivery else None


def _counted(rows: pa.Table, table: Table) -> dict[str | None, int]:
    """The rows of each delivery."""
    if not table.judged_by_delivery:
        return {None: rows.num_rows}
    counts = rows.group_by(_place(table)).aggregate([([], "count_all")])
    return {_day(row, table): row["count_all"] for row in counts.to_pylist()}
