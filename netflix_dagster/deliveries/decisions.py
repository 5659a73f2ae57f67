"""``quality.decisions``: what a person has decided about a delivery that a rule holds back.

Grain: one decision. It speaks of one delivery at one table, and the newest counts. The rule goes on to hold for
every other delivery.
"""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import ledger
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

NAME = "quality.decisions"
READ_AS = "delivery_date date, decided_by string, decided_because string"


class DecisionError(ValueError):
    """There is nothing to decide about this delivery; the message says what there is."""


def accept(lake: Place, feed: str, delivery_date: str, because: str, by: str = "") -> str:
    """Take a delivery in although a rule holds it back, and have it built again. Returns the reason that it
    was held back for.

    Raises ``DecisionError`` unless the delivery is held back by a rule that a person may overrule.
    """
    import pyarrow as pa

    held = [e for e in ledger.latest(lake).values() if (e.feed, e.delivery_date) == (feed, delivery_date)]
    held = [entry for entry in held if entry.status != "accepted"]
    open_to = [name for name, table in TABLES.items() if table.write == "verdicts" and table.feed == feed]
    tables = {name for name in open_to for entry in held if (entry.reason or "").startswith(f"{name}: ")}
    if not held:
        raise DecisionError(f"no delivery of {feed} on {delivery_date} is held back; there is nothing to accept")
    if not tables:
        raise DecisionError(
            f"the delivery of {feed} on {delivery_date} is held back by a rule that nobody can overrule"
            f" ({held[0].reason}); mend the file and land it again"
        )
    if not because.strip():
        raise DecisionError("say why the delivery is right all the same; the reason is kept with the decision")
    schema = pa.schema(
        [
            ("table_name", pa.string()),
            ("delivery_date", pa.date32()),
            ("decided_by", pa.string()),
            ("decided_because", pa.string()),
            ("decided_at", pa.timestamp("us", "UTC")),
        ]
    )
    rows: list[dict[str, Any]] = [
        {
            "table_name": name,
            "delivery_date": date.fromisoformat(delivery_date),
            "decided_by": by or getpass.getuser(),
            "decided_because": because.strip(),
            "decided_at": datetime.now(UTC),
        }
        for name in sorted(tables)
    ]
    store.write_arrow(lake, NAME, pa.Table.from_pylist(rows, schema=schema))
    ledger.reopen(lake, held)
    return held[0].reason or ""


def read(spark: SparkSession, lake: Place, table: str) -> DataFrame:
    """The decisions that stand for a table: one row a delivery that a person has accepted."""
    rows = store.read_arrow(lake, NAME)
    found: dict[Any, tuple[Any, ...]] = {}
    for row in rows.sort_by("decided_at").to_pylist() if rows is not None else ():
        if row["table_name"] == table:
            found[row["delivery_date"]] = (row["delivery_date"], row["decided_by"], row["decided_because"])
    return spark.createDataFrame(list(found.values()), READ_AS)
