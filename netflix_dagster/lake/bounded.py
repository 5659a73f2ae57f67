"""Rows that are brought into this process: some columns of them, bounded, whatever lies in the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import AT_HAND
from netflix_dagster.lake.remote import RemoteDataset

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset


class TooManyRows(RuntimeError):
    """Rows that do not fit into the memory that one process may take."""


def rows(held: Dataset | RemoteDataset, what: str, columns: list[str] | None = None, where: Any = None) -> pa.Table:
    """Some columns of the rows that a condition selects, in order. Raises ``TooManyRows`` above ``AT_HAND`` bytes.

    ``what`` names the rows in that error.
    """
    import pyarrow as pa

    found, size = [], 0
    for batch in held.to_batches(columns=columns, filter=where):
        if batch.num_rows:
            found.append(batch)
            size += batch.nbytes
        if size > AT_HAND:
            raise TooManyRows(
                f"{what}: the rows that must be counted here take more than {AT_HAND / 1024**3:.0f} GB of memory, so"
                " nothing was written and every table is as it was. Land the delivery in several smaller ones, or see"
                " why so many of its rows are refused"
            )
    names = columns if columns is not None else held.schema.names
    return pa.Table.from_batches(found, pa.schema([held.schema.field(name) for name in names]))
