"""Names, texts and types, as T-SQL says them."""

from __future__ import annotations

from netflix_dagster.contracts.contract import Column

COLLATION = "Latin1_General_100_BIN2_UTF8"
"""Of texts in UTF-8, as Parquet has them: compared by their bytes, so that files can be passed over by their figures.
Another collation converts each text, and loses what its code page does not have."""
WIDEST = 4000
"""Characters of the widest NVARCHAR that is not MAX."""
_TYPES = {"int": "INT", "bigint": "BIGINT", "double": "FLOAT", "boolean": "BIT", "date": "DATE"}


def quoted(name: str) -> str:
    return f"[{name.replace(']', ']]')}]"


def text(said: str) -> str:
    return "N'" + said.replace("'", "''") + "'"


def of_files(column: Column) -> str:
    """The type of a column of Delta files, for the serverless pool. An array is read as JSON."""
    return _TYPES.get(column.type) or f"VARCHAR({_length(column)}) COLLATE {COLLATION}"


def of_tables(column: Column) -> str:
    """The type of a column of a table of a dedicated pool, which has no UTF-8: texts are UTF-16 there."""
    return _TYPES.get(column.type) or f"NVARCHAR({_length(column)})"


def _length(column: Column) -> int:
    if column.type != "string" and not column.type.startswith("array<"):
        raise TypeError(f"{column.name} is {column.type}, for which T-SQL has no word here: add it to {__name__}")
    if not 0 < column.length <= WIDEST:
        raise ValueError(f"{column.name} may take {column.length} bytes; Synapse takes 1 to {WIDEST} of a text")
    return column.length
