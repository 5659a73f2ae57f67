"""Rows conserve: what a table is given is kept, quarantined or counted as a copy. Nothing vanishes, nothing appears.

What a table must come to is counted in bronze by Arrow, apart from the function that builds it, as its contract says
(``takes``): its rows, and the sum of their record numbers, so that a row lost and another doubled do not cancel out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES, Table, Takes
from netflix_dagster.deliveries import attempts
from netflix_dagster.lake import store
from netflix_dagster.landing import keys

if TYPE_CHECKING:
    import pyarrow as pa

    from netflix_dagster.contracts.tallies import Tally
    from netflix_dagster.lake.staging import Staged

RULE = "rows_conserved"
HINT = "a fault of the code or the engine, not of the file; nothing of the delivery was written. Build it again"
_FORM = "form"


class NotConserved(RuntimeError):
    """Bronze holds another number of rows than records were read."""


@dataclass(frozen=True, slots=True)
class Sum:
    """Rows, and the sum of the numbers of the records that they come from."""

    rows: int = 0
    numbers: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.rows + other.rows, self.numbers + other.numbers)


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the rows of one delivery are conserved. ``wrong`` is how many are too few or too many, ``said`` the
    sum, or what is wrong with it."""

    rows: int
    wrong: int
    said: str


Place = tuple[str, str | None, str | None]
"""A delivery, the form of delivery where a table tells them apart, and a file."""


def described(table: Table) -> str | None:
    """What must be so of a table's rows, in words; None where it is not known how they are to be counted."""
    if table.layer == "bronze":
        return "every record of the files is a row, or the delivery is refused"
    if not table.per_delivery or not table.takes:
        return None
    counted = "; ".join(f"{_unit(takes)} of {takes.read}" for takes in table.takes)
    return f"every row is kept, quarantined or a copy, and there is one for {counted}"


def _unit(takes: Takes) -> str:
    unit = f"each item that {takes.items[0]} lists in a record" if takes.items else "each record"
    return f"{unit} (or two, {takes.halves})" if takes.halves else unit


def prove(
    lake: storage.Place,
    table: Table,
    judged: Staged,
    tallies: Mapping[str | None, Tally],
    picked: Mapping[str, attempts.Picked],
) -> dict[str, Proof]:
    """The proof for each delivery under trial, before anything is written.

    ``judged`` is all that the table's function made, ``tallies`` what became of it, ``picked`` the attempts of each
    bronze table that it was made from.
    """
    if not table.per_delivery or not table.takes:
        return {}
    given = _given(lake, table, picked)
    made, joined = _made(judged, table)
    proofs = {}
    for day in sorted({place[0] for place in (*given, *made)}):
        wrong = _compared(given, made, day)
        found = tallies.get(day)
        kept, refused, copies = (found.kept, found.refused, found.copies) if found else (0, 0, 0)
        rows = sum(total.rows for place, total in given.items() if place[0] == day)
        if not wrong and kept + refused + copies + joined.get(day, 0) != rows:
            lost = rows - kept - refused - copies - joined.get(day, 0)
            wrong = [(abs(lost), f"{lost:,} rows are neither kept nor refused nor copies")]
        halves = f" + {joined[day]:,} joined to another" if joined.get(day) else ""
        said = f"{rows:,} given = {kept:,} kept + {refused:,} quarantined + {copies:,} copies{halves}"
        if wrong:
            said = f"{'; '.join(words for _, words in wrong)}; {HINT}"
        proofs[day] = Proof(rows, sum(count for count, _ in wrong), said)
    return proofs


def prove_bronze(lake: storage.Place, table: Table, records: Mapping[str, int]) -> dict[str, Proof]:
    """The proof that bronze holds a row for every record that was read of the deliveries which it took.

    Raises ``NotConserved`` when it does not.
    """
    held = store.delivery_rows(lake, table.name) if records else {}
    lost = {day: (read, held.get(day, 0)) for day, read in records.items() if held.get(day, 0) != read}
    if lost:
        said = "; ".join(
            f"of {day} {read:,} records were read and {rows:,} rows written" for day, (read, rows) in lost.items()
        )
        raise NotConserved(
            f"{table.name}: {said}. A fault of the engine, or somebody else wrote the table just now. The files in"
            " landing are untouched and nothing was built from these rows; build the delivery again"
        )
    return {day: Proof(read, 0, f"{read:,} records read = {read:,} rows in bronze") for day, read in records.items()}


def _compared(given: Mapping[Place, Sum], made: Mapping[Place, Sum], day: str) -> list[tuple[int, str]]:
    """What is too little or too much, file by file."""
    wrong = []
    for place in sorted({p for p in (*given, *made) if p[0] == day}, key=str):
        was, now = given.get(place, Sum()), made.get(place, Sum())
        if was == now:
            continue
        lost = was.rows - now.rows
        which = f", that of record {abs(was.numbers - now.numbers)}" if abs(lost) == 1 else ""
        what = f"{lost:,} vanished{which}" if lost > 0 else f"{-lost:,} appeared{which}"
        what = what if lost else "some vanished and as many appeared"
        wrong.append((abs(lost) or 1, f"{place[2]} gives {was.rows:,} rows and {now.rows:,} are accounted for: {what}"))
    return wrong


def _given(lake: storage.Place, table: Table, picked: Mapping[str, attempts.Picked]) -> dict[Place, Sum]:
    given: dict[Place, Sum] = {}
    for takes in table.takes:
        column = [takes.items[0]] if takes.items else []
        bronze = TABLES[takes.read]
        names = [*bronze.delivery_columns, "source_file", "record_number", *column]
        for rows in attempts.pieces(lake, bronze, picked.get(takes.read, {}), names):
            for day, file, total in _summed(rows, takes) if rows.num_rows else ():
                place = (day, takes.form, file)
                given[place] = given.get(place, Sum()) + total
    return given


def _summed(records: pa.Table, takes: Takes) -> Iterable[tuple[str, str, Sum]]:
    """How many rows the records of each delivery and file make, and the sum of their numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    number = records.column("record_number")
    if takes.items:
        column, pattern = takes.items
        times = pc.fill_null(pc.count_substring_regex(records.column(column).cast(pa.string()), pattern), 0)
        times = times.cast(pa.int64())
        records = records.append_column("_rows", times).append_column("_numbers", pc.multiply(number, times))
    else:
        one = pa.chunked_array([pa.repeat(pa.scalar(1, pa.int64()), len(number))])
        records = records.append_column("_rows", one).append_column("_numbers", number)
    by = [name for name in (*keys.COLUMNS, "source_file") if name in records.column_names]
    grouped = records.group_by(by).aggregate([("_rows", "sum"), ("_numbers", "sum")])
    for row in grouped.to_pylist():
        if row["_rows_sum"]:
            yield keys.of_row(row), row["source_file"], Sum(row["_rows_sum"], row["_numbers_sum"])


def _made(judged: Staged, table: Table) -> tuple[dict[Place, Sum], dict[str, int]]:
    """What the function made, counted as ``_given`` counts, and how many rows of each delivery joined two records."""
    import pyarrow as pa
    import pyarrow.compute as pc

    told_apart = {takes.form for takes in table.takes} != {None}
    halves = {takes.halves for takes in table.takes if takes.halves}
    by = [*table.delivery_columns, *([_FORM] if told_apart else []), "source_file"]
    counts = [([], "count_all"), ("record_number", "sum"), ("_joined", "sum"), ("_tails", "sum")]
    made: dict[Place, Sum] = {}
    doubled: dict[str, int] = {}
    for batch in judged.batches([*by, "record_number", *(["repairs"] if halves else [])]):
        rows = pa.Table.from_batches([batch])
        joined = _holds_any(rows["repairs"], halves) if halves else pa.repeat(pa.scalar(0, pa.int64()), rows.num_rows)
        rows = rows.append_column("_joined", joined)
        rows = rows.append_column("_tails", pc.multiply(joined, pc.add(rows["record_number"], 1)))
        for row in rows.group_by(by).aggregate(counts).to_pylist():
            day, tails = keys.of_row(row), row["_joined_sum"] or 0
            numbers = (row["record_number_sum"] or 0) + (row["_tails_sum"] or 0)
            place = (day, row.get(_FORM), row["source_file"])
            made[place] = made.get(place, Sum()) + Sum(row["count_all"] + tails, numbers)
            doubled[day] = doubled.get(day, 0) + tails
    return made, doubled


def _holds_any(lists: pa.ChunkedArray, items: Collection[str]) -> pa.Array:
    """1 for every list that holds one of the items, 0 for every other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = lists.combine_chunks()
    found = pc.is_in(pc.list_flatten(lists), pa.array(sorted(items), pa.string()))
    places = pc.unique(pc.list_parent_indices(lists).filter(found))
    here = pc.is_in(pa.array(range(len(lists)), pa.int64()), places.cast(pa.int64()))
    return here.cast(pa.int64())
