"""``quality.quarantine``: every refused row and file, with all the rules it broke and how to mend it.

Grain: one refused record at one table, or one refused file (``record_number`` null). Building a delivery again
replaces what that table had refused of it: rows that pass now leave the quarantine.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import ledger
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "quality.quarantine"
MOST_RAW = 32_000


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused record or file. ``table_name`` is the table that did not take it, ``source`` who delivered it.

    ``raw`` is the record as delivered; ``row`` what a table after bronze had made of it, as JSON.
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
        if self.delivery is not None and not _is_date(self.delivery):
            raise SelectionError(f"{self.delivery!r} is not a delivery date: write it as YYYY-MM-DD")

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the quarantine is meant."""
        return (
            self.table in (None, row["table_name"])
            and self.delivery in (None, row["delivery_date"])
            and (self.rule is None or self.rule in row["rules"])
            and self.record in (None, row["record_number"])
            and self.file in (None, row["source_file"])
        )

    def __str__(self) -> str:
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return ", ".join(f"{name} {value}" for name, value in said.items()) or "everything"


Delivery = tuple[str, str]
"""A feed and a delivery date."""


def replace(lake: Place, table_name: str, deliveries: Iterable[str], rows: Sequence[Refused], run_id: str) -> None:
    """Make ``rows`` all that ``table_name`` has refused of these deliveries."""
    days = sorted(deliveries)
    if not days or (not rows and not _holds_any(lake, table_name, days)):
        return
    condition = f"table_name = '{table_name}' AND {store.delivery_condition(days)}"
    store.write_arrow(lake, NAME, _arrow(rows, run_id), replace=condition)


def rows(lake: Place, selection: Selection | None = None) -> list[dict[str, Any]]:
    """What lies in the quarantine now, oldest delivery first. ``number`` is the place among all of it, from 1."""
    found = store.read_arrow(lake, NAME)
    listed = [_listed(row) for row in found.to_pylist()] if found is not None else []
    listed.sort(key=_place)
    return [
        {"number": number, **row} for number, row in enumerate(listed, 1) if selection is None or selection.takes(row)
    ]


def deliveries(found: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """The deliveries that rows of the quarantine came with; those of tables that are no more are left out."""
    return sorted(
        {
            (feed, row["delivery_date"])
            for row in found
            if row["table_name"] in TABLES and (feed := TABLES[row["table_name"]].feed)
        }
    )


def sources_of(lake: Place, delivery: Delivery) -> list[ledger.Entry]:
    """What has been taken up of a delivery, source by source: what is to be taken up again to judge its rows anew."""
    return [entry for entry in ledger.latest(lake).values() if (entry.feed, entry.delivery_date) == delivery]


def reopen(lake: Place, selection: Selection) -> dict[Delivery, int]:
    """Have the deliveries of the selected rows taken up again, and say how many rows of each are selected."""
    selection.check()
    found = rows(lake, selection)
    again = deliveries(found)
    ledger.reopen(lake, [entry for delivery in again for entry in sources_of(lake, delivery)])
    return {delivery: sum(deliveries([row]) == [delivery] for row in found) for delivery in again}


def identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a refused row the same one after its delivery was built again: where it was delivered."""
    return tuple(row[name] for name in ("table_name", "delivery_date", "source_file", "record_number"))


def reasons(lake: Place) -> list[dict[str, Any]]:
    """What lies in the quarantine now: table, rule, one reason and the number of rows or files, most first."""
    held = store.read_arrow(lake, NAME, columns=["table_name", "rules", "reasons", "hints"])
    return tallied(held.to_pylist()) if held is not None else []


def tallied(held: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the quarantine counted by table and rule, most first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in held:
        for rule, reason, hint in zip(row["rules"], row["reasons"], row["hints"], strict=True):
            new = {"table": row["table_name"], "rule": rule, "rows": 0, "reason": reason, "hint": hint}
            found.setdefault((row["table_name"], rule), new)["rows"] += 1
    return sorted(found.values(), key=lambda entry: (-entry["rows"], entry["table"], entry["rule"]))


def count(lake: Place) -> int:
    """Rows and files in the quarantine."""
    return store.row_count(lake, NAME)


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is shown; one that was written before there were ``source`` and ``row`` has them too."""
    return {
        **row,
        "source": row.get("source") or _source(row["table_name"]),
        "row": row.get("row"),
        "delivery_date": row["delivery_date"].isoformat(),
    }


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The order in which rows are numbered: it depends on nothing but the rows."""
    where = (row["delivery_date"], row["table_name"], row["source_file"] or "", row["record_number"] or 0)
    return (*where, row["row"] or "", row["raw"] or "", row["reasons"])


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _source(table_name: str) -> str | None:
    return table_name.removeprefix("bronze.") if table_name.startswith("bronze.") else None


def _holds_any(lake: Place, table_name: str, days: list[str]) -> bool:
    import pyarrow.compute as pc

    held = store.read_arrow(lake, NAME, columns=["delivery_date"], where=pc.field("table_name") == table_name)
    return held is not None and bool({value.isoformat() for value in held.column(0).to_pylist()} & set(days))


def _shortened(text: str | None) -> str | None:
    """A text of a length that a table can hold; what was cut off is said."""
    if text is None or len(text) <= MOST_RAW:
        return text
    return f"{text[:MOST_RAW]}… ({len(text) - MOST_RAW:,} characters more: see the file)"


def refused_schema() -> pa.Schema:
    """The columns of a refused row or file, as Arrow has them."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    return pa.schema(
        [
            ("table_name", pa.string()),
            ("delivery_date", pa.date32()),
            ("source", pa.string()),
            ("source_file", pa.string()),
            ("record_number", pa.int64()),
            ("line_number", pa.int64()),
            ("raw", pa.string()),
            ("row", pa.string()),
            ("rules", texts),
            ("reasons", texts),
            ("hints", texts),
        ]
    )


def _arrow(rows: Sequence[Refused], run_id: str) -> pa.Table:
    import pyarrow as pa

    schema = refused_schema().append(pa.field("refused_at", pa.timestamp("us", "UTC")))
    schema = schema.append(pa.field("run_id", pa.string()))
    now = datetime.now(UTC)
    entries = [
        {
            **asdict(row),
            "delivery_date": date.fromisoformat(row.delivery_date),
            "source": row.source or _source(row.table_name),
            "raw": _shortened(row.raw),
            "row": _shortened(row.row),
            "refused_at": now,
            "run_id": run_id,
        }
        for row in rows
    ]
    return pa.Table.from_pylist(entries, schema=schema)
