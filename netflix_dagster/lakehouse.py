"""The lakehouse from Python: tables and metrics as pandas, Arrow, Polars or DuckDB, without an engine. ::

    from netflix_dagster import lakehouse

    lakehouse.open().table("gold.dim_title").to_pandas()
    lakehouse.metric("hours", by=["week", "category"]).to_pandas()

Everything is read from the Delta tables as they stand, on disk or in ADLS, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from netflix_dagster.settings import Settings
    from netflix_dagster.storage import Place

Instant = datetime | date | str
"""A moment: a datetime, a date or an ISO text. What says no time zone is UTC, and a day is its beginning."""


class LakehouseError(LookupError):
    """What was asked for is not there; the message says what is."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What was asked for; it is read when it is turned into something, and each time anew."""

    _lake: Place
    _sql: str
    _reads: tuple[str, ...] | None
    _as_of: datetime | None

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table."""
        from netflix_dagster.lake import query

        try:
            return query.ask(self.to_duckdb(), self._sql, lambda: query.known(self._lake, self._as_of))
        except query.QueryError as error:
            raise LakehouseError(str(error)) from error

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a pandas DataFrame."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> Any:
        """All rows as a Polars DataFrame, if Polars is installed."""
        try:
            import polars
        except ImportError as error:
            raise LakehouseError("Polars is not installed here: pip install polars, or ask to_arrow()") from error
        return polars.from_arrow(self.to_arrow())

    def to_duckdb(self) -> duckdb.DuckDBPyConnection:
        """A DuckDB connection that sees the tables that are read here, to go on with in SQL: see ``sql``."""
        from netflix_dagster.lake import query
        from netflix_dagster.serving.warehouse import asked_for

        return query.connect(self._lake, self._as_of, asked_for(self._sql), self._reads)

    @property
    def sql(self) -> str:
        """The statement that reads them."""
        return self._sql


@dataclass(frozen=True, slots=True)
class Lakehouse:
    """One lake, in a folder or in ADLS."""

    settings: Settings

    @property
    def lake(self) -> Place:
        return self.settings.lake

    def tables(self) -> list[str]:
        """The names of all tables, gold first."""
        from netflix_dagster.lake import store

        return [f"{layer}.{name}" for layer in store.LAYERS for name in store.tables(self.lake, layer)]

    def metrics(self) -> Mapping[str, str]:
        """The metrics: name and meaning."""
        return {metric.name: f"{metric.meaning} ({metric.unit})" for metric in _metrics().values()}

    def table(self, name: str, as_of: Instant | None = None) -> Rows:
        """One table, now or as it stood at an instant. Without a layer it is looked for in gold first.

        Raises ``LakehouseError`` when there is none of this name.
        """
        from netflix_dagster.lake import store

        named = [name] if "." in name else [f"{layer}.{name}" for layer in store.LAYERS]
        found = next((full for full in named if store.exists(self.lake, full)), None)
        if found is None:
            raise LakehouseError(f"there is no table {name} in {self.lake}; there are: {', '.join(self.tables())}")
        return Rows(self.lake, f"SELECT * FROM {found}", (found,), _instant(as_of))

    def sql(self, statement: str, as_of: Instant | None = None) -> Rows:
        """The answer to a SELECT over the tables by their names, and over the views ``metrics.<name>``."""
        return Rows(self.lake, statement, None, _instant(as_of))

    def metric(self, name: str, by: Sequence[str] = (), where: str | None = None, as_of: Instant | None = None) -> Rows:
        """A metric, cut by some of its dimensions: a column for each, and ``value``.

        ``where`` is a SQL condition on these columns, such as ``"category = 'TV (English)'"``. Without its period among
        the dimensions a stock, such as ``titles``, is that of the newest one. Raises ``LakehouseError`` for a metric
        or a dimension that is not known.
        """
        from netflix_dagster.contracts import metrics
        from netflix_dagster.lake import store
        from netflix_dagster.serving import metric_sql

        _metrics()
        try:
            metric = metrics.metric(name)
            statement = metric_sql.statement(metric, [by] if isinstance(by, str) else by)
        except LookupError as error:
            raise LakehouseError(str(error)) from error
        if not store.exists(self.lake, metric.fact):
            raise LakehouseError(
                f"{name} is made of {metric.fact}, which is not in {self.lake} yet: netflix-dagster run"
            )
        if where is not None:
            statement = f"SELECT * FROM ({statement}) AS metric WHERE {where}"
        order = " ORDER BY ALL" if by else ""
        return Rows(self.lake, statement + order, (metric.fact,), _instant(as_of))


def open(lake: str | Path | None = None) -> Lakehouse:
    """The lakehouse in this folder or ``abfss://`` URL; without one that of ``NETFLIX_LAKE``."""
    from netflix_dagster.azure import access
    from netflix_dagster.settings import Settings

    settings = Settings() if lake is None else Settings(lake=str(lake))
    access.connect(settings)
    return Lakehouse(settings)


def metric(name: str, by: Sequence[str] = (), where: str | None = None, as_of: Instant | None = None) -> Rows:
    """``Lakehouse.metric`` of the lakehouse of ``NETFLIX_LAKE``."""
    return open().metric(name, by, where, as_of)


def _metrics() -> Mapping[str, Any]:
    import netflix_dagster.tables  # noqa: F401  declares them
    from netflix_dagster.contracts.metrics import METRICS

    return METRICS


def _instant(said: Instant | None) -> datetime | None:
    if said is None:
        return None
    try:
        found = datetime.fromisoformat(said) if isinstance(said, str) else said
    except ValueError as error:
        raise LakehouseError(f"{said!r} is no instant: write it as 2026-01-31 or 2026-01-31T12:00") from error
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
