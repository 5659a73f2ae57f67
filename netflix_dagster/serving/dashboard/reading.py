"""The lake as the dashboard reads it: SQL over its gold and quality tables, answers as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import duckdb

Columns = dict[str, list[Any]]
"""An answer, column by column: in JSON it is less than half as large as row by row."""


class Reader:
    """Tables of one lake under their own names. A table is opened when it is first asked for, and what was opened
    stays as it stood then."""

    def __init__(self, lake: Place, connection: duckdb.DuckDBPyConnection) -> None:
        self.lake = lake
        self.versions: dict[str, int] = {}
        self._connection = connection
        self._absent: set[str] = set()

    def has(self, *names: str) -> bool:
        """Whether all of these tables were ever written."""
        return len([name for name in names if self._open(name)]) == len(names)

    def columns(self, sql: str) -> Columns:
        """The answer to a question about tables that ``has`` has opened."""
        found = self._connection.execute(sql)
        names = [column[0] for column in found.description]
        rows = found.fetchall()
        return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {n: [] for n in names}

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The same, row by row."""
        found = self._connection.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _open(self, name: str) -> bool:
        if name in self.versions or name in self._absent:
            return name in self.versions
        held = store.snapshot(self.lake, name)
        if held is None:
            self._absent.add(name)
            return False
        self.versions[name], found = held
        layer, short = name.split(".")
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
        self._connection.execute(f"SET schema = '{layer}'")
        self._connection.from_arrow(found).create_view(short)
        return True


@contextmanager
def reader(lake: Place) -> Iterator[Reader]:
    """A reader of this lake, closed in the end."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        yield Reader(lake, connection)


def coded(values: Sequence[Any]) -> dict[str, Any]:
    """A column of few different values: each said once, in the order of their first use, and where it stands."""
    places: dict[Any, int] = {}
    return {"codes": [places.setdefault(value, len(places)) for value in values], "values": list(places)}


def figures(reader: Reader, table: str, period: str, but: str, **places: Mapping[str, int]) -> dict[str, Any]:
    """The figures of a KPI table but for one of them, coded. The one keyword names the column of the period on the
    pages, and says which place each period has there."""
    ((name, place),) = places.items()
    found = reader.columns(
        f"SELECT CAST({period} AS VARCHAR) AS period, kpi, member, value FROM {table} WHERE kpi != '{but}'"
        f" ORDER BY {table}.{period}, kpi, member"
    )
    return {
        name: [place[day] for day in found["period"]],
        "kpi": coded(found["kpi"]),
        "member": coded(found["member"]),
        "value": found["value"],
    }
