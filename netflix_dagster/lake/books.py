"""The book-keeping tables in a lake: made with it, empty, so that a query finds them before anything is in them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING, arrow_schema
from netflix_dagster.contracts.contract import Contract
from netflix_dagster.lake import bounded, store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa

_MADE: set[str] = set()
"""The lakes in which this process has looked for them."""


def create(lake: Place) -> None:
    """Make the book-keeping tables that the lake does not have yet. A process looks once for each lake.

    Tables that are there stay as they are; a column that their contract has gained since comes with the next row
    written, and ``read`` shows it as null until then.
    """
    if str(lake) in _MADE:
        return

    def make(contract: Contract) -> None:
        if not store.exists(lake, contract.name):
            store.retrying(partial(store.create, lake, contract, store.BOOK))

    with ThreadPoolExecutor(len(BOOKKEEPING)) as side_by_side:
        list(side_by_side.map(make, BOOKKEEPING.values()))
    _MADE.add(str(lake))


def read(lake: Place, contract: Contract, *, columns: list[str] | None = None, where: Any = None) -> pa.Table:
    """A book-keeping table, or some columns of it, in the schema of its contract; empty when it was never written.

    A column that an older lake does not have yet is null. ``where`` names columns that every lake has.
    """
    import pyarrow as pa

    schema = arrow_schema(contract)
    schema = pa.schema([schema.field(name) for name in columns or schema.names])

    def rows() -> pa.Table:
        found = store.dataset(lake, contract.name)
        if found is None:
            return schema.empty_table()
        there = [name for name in schema.names if name in found.schema.names]
        held = bounded.rows(found, contract.name, there, where)
        absent = {name: pa.nulls(held.num_rows, schema.field(name).type) for name in schema.names}
        return pa.table(absent | dict(zip(held.column_names, held.columns, strict=True))).cast(schema)

    with ThreadPoolExecutor(1) as aside:  # delta-rs drops what is raised in it, see ``store.read_arrow``
        return aside.submit(rows).result()
