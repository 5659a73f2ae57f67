"""``quality.quarantine``: every refused row and file, with all the rules it broke and how to mend it.

Its grain, its key and its columns are in ``contracts.bookkeeping``. Building a delivery again replaces what that table
had refused of the same attempt, and drops what it had refused of attempts that nobody needs any more.

Of very many rows that break the same rule in one file only the first ``refused.MOST_ROWS`` are kept. The first of the
others stays for all of them and says in ``refused_rows`` how many it stands for, so that every count is exact. The
records themselves can be had again from bronze.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.bookkeeping import QUARANTINE, arrow_schema, checked
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.deliveries import decisions, refused
from netflix_dagster.deliveries.life import Life
from netflix_dagster.lake import books, store
from netflix_dagster.landing.keys import COLUMNS, as_columns, is_key, parts
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa

NAME = QUARANTINE.name
WRITTEN = ("refused_at", "run_id", "attempt", "refused_rows")
"""The columns that the writer adds to a refused row."""
NOTHING: Mapping[str, Collection[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused record or file. ``table_name`` is the table that did not take it, ``source`` who delivered it,
    ``delivery_date`` the key of the delivery.

    ``raw`` is the record as delivered; ``row`` what a table after bronze had made of it, as JSON. ``attempt`` is the
    attempt at the delivery that it was refused of. ``refused_rows`` is how many refused rows it stands for, see
    ``refused.capped``.
    """

    table_name: str
    delivery_date: str
    source_file: str | None
    record_number: int | None
    line_number: int | None
    raw: str | None
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    hints: tuple[str, ...]
    source: str | None = None
    row: str | None = None
    attempt: str | None = None
    refused_rows: int = 1


class SelectionError(ValueError):
    """What is asked for cannot lie in the quarantine: a table or a date that there is not."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Some of the quarantine: everything, or what these say of table, delivery, rule, record and file."""

    table: str | None = None
    delivery: str | None = None
    rule: str | None = None
    record: int | None = None
    file: str | None = None

    def check(self) -> None:
        """Raise ``SelectionError`` for a table or a date that cannot be meant; a rule may have gone since."""
        if self.table is not None and self.table not in TABLES:
            close = difflib.get_close_matches(self.table, TABLES, 1, 0)
            raise SelectionError(f"there is no table {self.table!r}; did you mean {close[0]}?")
        if self.delivery is not None and not is_key(self.delivery):
            raise SelectionError(f"{self.delivery!r} is not a delivery date: write it as YYYY-MM-DD, or YYYY-MM-DDTHH")

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the quarantine is meant."""
        return (
            self.table in (None, row["table_name"])
            and self.delivery in (None, row["delivery_date"])
            and (self.rule is None or self.rule in row["rules"])
            and self.record in (None, row["record_number"])
            and self.file in (None, row["source_file"])
        )

    def among(self, held: pa.Table) -> pa.Table:
        """The rows of the quarantine that are meant."""
        import pyarrow.compute as pc

        wanted = {"table_name": self.table, "record_number": self.record, "source_file": self.file}
        for name, value in wanted.items():
            if value is not None:
                held = held.filter(pc.equal(held[name], value))
        if self.delivery is not None:
            held = held.filter(pc.equal(_keys(held), self.delivery))
        if self.rule is not None:
            rules = refused.each_rule(held)
            held = held.take(pc.unique(rules.filter(pc.equal(rules["rule"], self.rule))["place"]))
        return held

    def __str__(self) -> str:
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "everything"


Delivery = tuple[str, str]
"""A feed and a delivery date."""


def replace(
    lake: Place,
    table_name: str,
    rows: Sequence[Refused],
    *,
    attempts: Mapping[str, str | None],
    keep: Mapping[str, Collection[str]] = NOTHING,
    run_id: str,
) -> None:
    """Make ``rows`` all that ``table_name`` has refused of these deliveries, in the attempts that are judged now.

    ``attempts`` says which attempt of each delivery date that is. What was refused of the attempts in ``keep``, by
    delivery date, stays; what was refused of any other attempt at these deliveries goes, and so do rows of older
    lakes, which do not say their attempt. Raises ``ContractError`` for a row of a delivery or an attempt that is not
    judged now.
    """
    strange = {(row.delivery_date, row.attempt) for row in rows if row.delivery_date not in attempts}
    strange |= {(r.delivery_date, r.attempt) for r in rows if r.attempt not in (None, attempts.get(r.delivery_date))}
    if strange:
        said = ", ".join(f"{day} (attempt {attempt})" for day, attempt in sorted(strange, key=str))
        raise ContractError(
            f"{NAME}: {table_name} refuses rows of {said}, which it does not judge; nothing was written"
        )
    books.create(lake)
    if not attempts or (not rows and not _holds_any(lake, table_name, attempts)):
        return
    condition = f"table_name = '{table_name}' AND ({_judged(attempts, keep)})"
    store.write_arrow(lake, NAME, _arrow(rows, attempts, run_id), replace=condition)


def listed(lake: Place, selection: Selection | None = None) -> pa.Table:
    """What lies in the quarantine now, oldest delivery first, in the columns of its contract.

    ``number`` is the place of a row among all of the quarantine, from 1; it depends on nothing but the rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    held = refused.filled(books.read(lake, QUARANTINE))
    text = {name: pc.fill_null(held[name], "") for name in ("table_name", "source_file", "row", "raw")}
    order = pa.table(
        {
            "key": _keys(held),
            "table_name": text["table_name"],
            "source_file": text["source_file"],
            "record_number": pc.fill_null(held["record_number"], 0),
            "row": text["row"],
            "raw": text["raw"],
            "reasons": pc.binary_join(held["reasons"], "\n"),
            "rules": pc.binary_join(held["rules"], "\n"),
        }
    )
    held = held.take(pc.sort_indices(order, [(name, "ascending") for name in order.column_names]))
    held = held.add_column(0, "number", pa.array(range(1, held.num_rows + 1), pa.int64()))
    return selection.among(held) if selection is not None else held


def rows(lake: Place, selection: Selection | None = None) -> list[dict[str, Any]]:
    """What ``listed`` gives, as Python has it, the key of each delivery as its date."""
    held = listed(lake, selection)
    place = held.schema.get_field_index("delivery_date")
    held = held.set_column(place, "delivery_date", _keys(held)).drop_columns("delivery_hour")
    found: list[dict[str, Any]] = held.to_pylist()
    return found


def _keys(held: pa.Table) -> pa.ChunkedArray:
    """The key of the delivery that each row came with."""
    import pyarrow as pa
    import pyarrow.compute as pc

    day, hour = (held[name].cast(pa.string()) for name in COLUMNS)
    return pc.coalesce(pc.binary_join_element_wise(day, pc.utf8_lpad(hour, 2, "0"), "T"), day)


def delivery_of(row: Mapping[str, Any]) -> Delivery | None:
    """The delivery that a row of the quarantine came with; None when its table is no more or is of no feed."""
    table = TABLES.get(row["table_name"])
    return (table.feed, row["delivery_date"]) if table and table.feed else None


def deliveries(found: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """The deliveries that rows of the quarantine came with; those of tables that are no more are left out."""
    return sorted({delivery for row in found if (delivery := delivery_of(row))})


def sources_of(lake: Place, delivery: Delivery) -> list[str]:
    """The sources that came with a delivery: what is to be taken up again to judge its rows anew."""
    return [found.source for found in Life.read(lake).of_date(*delivery)]


def reopen(lake: Place, selection: Selection) -> dict[Delivery, int]:
    """Have the deliveries of the selected rows taken up again, and say how many rows of each are selected."""
    selection.check()
    found = rows(lake, selection)
    again: Counter[Delivery] = Counter()
    for row in found:
        if delivery := delivery_of(row):
            again[delivery] += row["refused_rows"]
    life = Life.read(lake)
    decisions.reopen(lake, [found for delivery in sorted(again) for found in life.of_date(*delivery)])
    return {delivery: again[delivery] for delivery in sorted(again)}


def stayed(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of ``after`` that were refused ``before``, too, with how many of their ``refused_rows`` were.

    A row that is kept is the same one when it was delivered in the same place. Of rows that are only counted no more
    is known than their table, delivery, file and rules: any of those may be the same.
    """
    named = Counter(map(_place, before))
    counted: Counter[tuple[Any, ...]] = Counter()
    for row in before:
        counted[_kind(row)] += row["refused_rows"] - 1
    found = []
    for row in after:
        again = min(1, named[_place(row)])
        named[_place(row)] -= again
        found.append(again)
    gone: Counter[tuple[Any, ...]] = Counter()
    for row in before:
        if named[_place(row)] > 0:
            named[_place(row)] -= 1
            gone[_kind(row)] += 1
    for nth, row in enumerate(after):
        kind = _kind(row)
        same = min(row["refused_rows"] - found[nth], counted[kind])
        counted[kind] -= same
        others = min(row["refused_rows"] - 1, row["refused_rows"] - found[nth] - same, gone[kind])
        gone[kind] -= others
        found[nth] += same + others
    return [{**row, "refused_rows": count} for row, count in zip(after, found, strict=True) if count]


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a refused row was delivered, and which table did not take it."""
    return tuple(row[name] for name in ("table_name", "delivery_date", "source_file", "record_number"))


def _kind(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is known of rows that are only counted."""
    return row["table_name"], row["delivery_date"], row["source_file"], tuple(row["rules"])


def size(found: Iterable[Mapping[str, Any]]) -> int:
    """The refused rows and files: those that are kept, and those that are only counted."""
    return sum(row["refused_rows"] for row in found)


def reasons(lake: Place) -> list[dict[str, Any]]:
    """What lies in the quarantine now: table, rule, one reason and the number of rows or files, most first."""
    return refused.tallied(books.read(lake, QUARANTINE, columns=refused.TALLIED))


def tallied(held: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the quarantine counted by table and rule, most first."""
    import pyarrow as pa

    schema = pa.schema([arrow_schema(QUARANTINE).field(name) for name in refused.TALLIED])
    return refused.tallied(pa.Table.from_pylist([dict(row) for row in held], schema=schema))


def count(lake: Place) -> int:
    """Refused rows and files: those that the quarantine holds, and those that it only counts."""
    import pyarrow.compute as pc

    held = books.read(lake, QUARANTINE, columns=["refused_rows"])
    return pc.sum(pc.fill_null(held["refused_rows"], 1)).as_py() or 0


def _source(table_name: str) -> str | None:
    return table_name.removeprefix("bronze.") if table_name.startswith("bronze.") else None


def _judged(attempts: Mapping[str, str | None], keep: Mapping[str, Collection[str]]) -> str:
    """The SQL condition that selects what is replaced of the deliveries: all but the other attempts that are kept."""
    others = {day: sorted(set(keep.get(day, ())) - {attempt}) for day, attempt in attempts.items()}
    whole = [day for day, kept in others.items() if not kept]
    parts = [store.delivery_condition(whole)] if whole else []
    for day, kept in others.items():
        if kept:
            listed = ", ".join("'" + attempt.replace("'", "''") + "'" for attempt in kept)
            parts.append(f"({store.delivery_condition([day])} AND (attempt IS NULL OR attempt NOT IN ({listed})))")
    return " OR ".join(parts)


def _holds_any(lake: Place, table_name: str, keys: Collection[str]) -> bool:
    import pyarrow.compute as pc

    of_days = pc.field("delivery_date").isin([parts(key)[0] for key in keys])
    where = (pc.field("table_name") == table_name) & of_days
    held = books.read(lake, QUARANTINE, columns=[*COLUMNS], where=where)
    return not set(keys).isdisjoint(_keys(held).unique().to_pylist())


def refused_schema() -> pa.Schema:
    """The columns of a refused row or file, as Arrow has them."""
    import pyarrow as pa

    return pa.schema([field for field in arrow_schema(QUARANTINE) if field.name not in WRITTEN])


def _arrow(rows: Sequence[Refused], attempts: Mapping[str, str | None], run_id: str) -> pa.Table:
    import pyarrow as pa

    schema = arrow_schema(QUARANTINE)
    said: dict[str, Any] = {field.name: [getattr(row, field.name) for row in rows] for field in fields(Refused)}
    said["attempt"] = [attempts[key] for key in said["delivery_date"]]
    placed = [as_columns(key) for key in said["delivery_date"]]
    said |= {name: [row[name] for row in placed] for name in COLUMNS}
    said["refused_at"] = [datetime.now(UTC)] * len(rows)
    said["run_id"] = [run_id] * len(rows)
    held = refused.capped(refused.filled(pa.table(said, schema=schema)))
    for name in ("raw", "row"):
        held = held.set_column(held.schema.get_field_index(name), name, refused.shortened(held[name]))
    return checked(QUARANTINE, held)
