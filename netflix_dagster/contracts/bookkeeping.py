"""The contracts of the book-keeping tables, the layer ``quality``: what became of the deliveries, not what they hold.

They are contracts like those of every table, but no function builds these tables: the rooms that deal with deliveries
write them. So they are in ``BOOKKEEPING`` and not in ``TABLES``. Every writer takes its schema from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Column, Contract, ContractError
from netflix_dagster.landing.silver import digits

if TYPE_CHECKING:
    import pyarrow as pa

BOOKKEEPING: dict[str, Contract] = {}
"""Every book-keeping table by its name."""


def _declare(name: str, description: str, *, grain: str, key: Sequence[str], columns: Sequence[Column]) -> Contract:
    BOOKKEEPING[name] = declared = Contract(name, description, grain, tuple(key), tuple(columns))
    return declared


_HOUR = Column("delivery_hour", "int", "The hour of the delivery, 0 to 23; null for feeds that deliver by the day")

DELIVERIES = _declare(
    "quality.deliveries",
    "The life of every delivery, event by event, from its landing to the tables that are built from it. Rows are"
    " only ever added; the state of a delivery follows from its events.",
    grain="one event in the life of a delivery",
    key=("recorded_at", "nth"),
    columns=[
        Column("feed", "string", "The feed of the delivery", nullable=False),
        Column("source", "string", "The source that delivered; null for an event of a whole feed date, as a build is"),
        Column("delivery_date", "date", "The date of the delivery", nullable=False),
        _HOUR,
        Column("fingerprint", "string", "The attempt that the event is about: a hash of the bytes of its files"),
        Column(
            "mark",
            "string",
            "What lay in the landing folder: names, sizes and times of the files. An equal mark means that nothing has"
            " changed, without reading them",
        ),
        Column(
            "status",
            "string",
            "What happened: landed, refused, accepted, held, standing, superseded, withdrawn, decided, begun, ended",
            nullable=False,
        ),
        Column("decision", "string", "Of decided, what a person decided: accept, reopen, withdraw"),
        Column("table_name", "string", "The table that refused or held the attempt, or that a decision is about"),
        Column("rule", "string", "The rule that refused or held the attempt"),
        Column("reason", "string", "Why, in words"),
        Column("files", "bigint", "The files of the attempt"),
        Column("bytes", "bigint", "Their size together, in bytes"),
        Column("records", "bigint", "The records that were read in them"),
        Column("tables", "array<string>", "Of ended, the tables that were built"),
        Column("code_versions", "array<string>", "Of ended, the version of the code that built each of these tables"),
        Column("outcome", "string", "Of ended, the outcome of the build: built, held, failed"),
        Column("decided_by", "string", "Of decided, who decided"),
        Column("decided_because", "string", "Of decided, why, in the words of the person"),
        Column("run_id", "string", "The run that saw it happen"),
        Column("recorded_at", "timestamp", "When it was written; the same in all rows of one commit", False),
        Column("nth", "int", "The place of the event within its commit, from 0", nullable=False),
    ],
)

QUARANTINE = _declare(
    "quality.quarantine",
    "Every refused row and file, with all the rules it broke and how to mend it. Building a delivery again replaces"
    " what that table had refused of it: rows that pass now leave the quarantine. Of a file of which very many rows"
    " break the same rules the first ones are kept and the others counted, see refused_rows; they can be had again"
    " from bronze.",
    grain="one refused record at one table, or one refused file (record_number is null)",
    key=("table_name", "delivery_date", "delivery_hour", "attempt", "source_file", "record_number", "rules", "row"),
    columns=[
        Column("table_name", "string", "The table that did not take it", nullable=False),
        Column("delivery_date", "date", "The date of the delivery", nullable=False),
        _HOUR,
        Column("source", "string", "The source that delivered it; null when several could have"),
        Column("source_file", "string", "The file that it was delivered in"),
        Column("record_number", "bigint", "The place of the record in its file, from 1; null for a whole file"),
        Column("line_number", "bigint", "The line of the file where the record begins, from 1"),
        Column("raw", "string", "The record as it was delivered, no more than its first 32,000 characters"),
        Column("row", "string", "The row that a table after bronze had made of it, as JSON"),
        Column("rules", "array<string>", "The names of all the rules that it broke", nullable=False),
        Column("reasons", "array<string>", "Why, in words, rule by rule", nullable=False),
        Column("hints", "array<string>", "How to mend it, rule by rule", nullable=False),
        Column("refused_at", "timestamp", "When it was refused", nullable=False),
        Column("run_id", "string", "The run that refused it"),
        Column(
            "attempt",
            "string",
            "The attempt at the delivery that it was refused of, or the combination of attempts; null in rows of"
            " older lakes",
        ),
        Column(
            "refused_rows",
            "bigint",
            "The refused rows that this one stands for: 1, or itself and those after it of the same file and rules"
            " that are not kept; null, for 1, in rows of older lakes. The sum over it counts the refused rows",
        ),
    ],
)

RESULTS = _declare(
    "quality.results",
    "The result of every rule, each time a table was built: the history of a rule over deliveries. The newest build of"
    " a delivery counts.",
    grain="one rule, one delivery (null for tables that are evaluated as a whole), one build",
    key=("table_name", "delivery_date", "delivery_hour", "rule", "recorded_at"),
    columns=[
        Column("table_name", "string", "The table whose rule it is", nullable=False),
        Column("delivery_date", "date", "The delivery that was evaluated; null when all were evaluated together"),
        _HOUR,
        Column("rule", "string", "The name of the rule", nullable=False),
        Column("on_fail", "string", "What happens to rows that break it: warn, drop, fail", nullable=False),
        Column("rows", "bigint", "The rows that were evaluated"),
        Column("broken", "bigint", "The rows among them that broke the rule"),
        Column("share", "double", "Their share, 0 to 1"),
        Column("passed", "boolean", "Whether the rule holds", nullable=False),
        Column("measured", "string", "The value that a rule about the whole delivery measured, as JSON"),
        Column("message", "string", "The message of the check"),
        Column("run_id", "string", "The run that built the table"),
        Column("recorded_at", "timestamp", "When it was written", nullable=False),
        Column(
            "attempt",
            "string",
            "The attempt at the delivery that was evaluated, or the combination of attempts; null for tables that are"
            " evaluated as a whole, and in rows of older lakes",
        ),
    ],
)

COLUMNS = _declare(
    "quality.columns",
    "The columns of every delivery in bronze: the history of each source's schema. It is written with the delivery's"
    " rows, and building the delivery again replaces it. The check no_drift compares two deliveries by it.",
    grain="one column of one delivery of one source",
    key=("source", "delivery_date", "delivery_hour", "name"),
    columns=[
        Column("source", "string", "The source that delivered", nullable=False),
        Column("delivery_date", "date", "The date of the delivery", nullable=False),
        _HOUR,
        Column("name", "string", "The name of the column, or the header of one that the source does not know", False),
        Column("header", "string", "Its name in the file", nullable=False),
        Column("position", "bigint", "Its place in the file, from 1; null when the file lacks it"),
        Column("kept", "string", "Where bronze keeps it: contract, evolved (a column of its own), rescued", False),
        Column(
            "kind",
            "string",
            "The kind of its values: integer, decimal, boolean, text, nothing, a date's form; or the type that the file"
            " declares, such as type int64",
            False,
        ),
        Column("records", "bigint", "The records of the delivery", nullable=False),
        Column("null_share", "double", "The share of records with no value or a word for none such as N/A, 0 to 1"),
        Column("distinct_values", "bigint", "Different values among those looked at, at most 1,000 records of a file"),
        Column("min_length", "bigint", "The shortest value looked at, in characters"),
        Column("max_length", "bigint", "The longest value looked at, in characters"),
        Column("run_id", "string", "The run that wrote the delivery"),
    ],
)


def arrow_schema(contract: Contract) -> pa.Schema:
    """The columns of a contract as an Arrow schema, instants in UTC.

    Every field may be null: a column that a table gains later is null in the rows that it has already.
    """
    import pyarrow as pa

    types: dict[str, Any] = {
        "string": pa.string(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "bigint": pa.int64(),
        "int": pa.int32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "array<string>": pa.list_(pa.string()),
    }
    numbers = {column.type for column in contract.columns if column.type.startswith("decimal(")}
    types.update({kind: pa.decimal128(*digits(kind)) for kind in numbers})
    if unknown := [f"{column.name} {column.type}" for column in contract.columns if column.type not in types]:
        raise ContractError(f"{contract.name}: no Arrow type is known for {', '.join(unknown)}")
    return pa.schema([(column.name, types[column.type]) for column in contract.columns])


def as_arrow(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows in the schema of the contract. A column that a row does not name is null; dates may be ISO texts.

    Raises ``ContractError`` for a column that the contract does not know, and for a null where it promises a value.
    """
    import pyarrow as pa

    schema, known = arrow_schema(contract), set(contract.column_names)
    if unknown := sorted({name for row in rows for name in row} - known):
        raise ContractError(f"{contract.name} has no column {', '.join(unknown)}; nothing was written")
    dates = [column.name for column in contract.columns if column.type == "date"]
    read = [row | {name: _day(row.get(name)) for name in dates} for row in map(dict, rows)]
    return checked(contract, pa.Table.from_pylist(read, schema=schema))


def checked(contract: Contract, rows: pa.Table) -> pa.Table:
    """The rows themselves. Raises ``ContractError`` for a null where the contract promises a value."""
    empty = [c.name for c in contract.columns if not c.nullable and rows.column(c.name).null_count]
    if empty:
        raise ContractError(
            f"{contract.name}: {', '.join(empty)} must not be null, yet it is in a row; nothing was written"
        )
    return rows


def _day(value: date | str | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value
