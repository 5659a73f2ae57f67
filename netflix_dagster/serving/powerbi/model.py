"""The semantic model: which tables of gold it has, how they are related, and how they are shown.

Columns, types and meanings are those of the contracts, measures those of the metrics; the KPI tables are not in it,
because each of their figures is a measure. What is said here is what neither a contract nor a metric knows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts.contract import TABLES, ContractError, Table
from netflix_dagster.contracts.metrics import METRICS, Metric, in_words
from netflix_dagster.serving.powerbi import dax, source
from netflix_dagster.serving.powerbi.source import CALENDARS, Loaded, loaded

NAME = "Netflix"
"""What the model and the report are called in a workspace."""
DATES = ("dim_date", "date")
"""The table that is marked as a date table, and the column with its days."""
RANGES = {
    "fact_release_title": "release_date",
    "fact_release_listing": "release_date",
    "fact_catalogue_change": "release_date",
    "fact_top10_global_weekly": "week",
    "fact_top10_country_weekly": "week",
    "fact_top10_restatement": "week",
    "fact_most_popular": "delivery_date",
    "fact_engagement": "period_start",
    "fact_viewing_hourly": "event_date",
}
"""The facts are refreshed year by year: by this column, which every row states."""
ALSO_UNIQUE = {("dim_date", "date"), ("dim_week", "week"), ("bridge_title_chart", "chart_title_key")}
"""Columns that tell the rows of a table apart, besides its key."""
SORTED_BY = {
    ("dim_date", "month_name"): "month",
    ("dim_date", "day_name"): "day_of_week",
    ("dim_rating", "rating"): "severity",
}
HIERARCHIES: dict[str, dict[str, tuple[str, ...]]] = {
    "dim_date": {"Calendar": ("year", "quarter", "month_name", "date")},
    "dim_week": {"Weeks": ("year", "quarter", "month", "week")},
    "dim_rating": {"Ratings": ("rating_family", "rating")},
}
_PROVENANCE = {"first_stated", "last_changed", "stated_on", "source_file", "record_number", "loaded_at"}
_NOT_COUNTED = re.compile(r"(^|_)(year|key|sk)$|^year")
_FORMAT = re.compile(r"(?P<sign>\+?)(?P<thousands>,?)\.(?P<digits>\d)(?P<kind>[f%])")
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://netflix-dagster/powerbi")


@dataclass(frozen=True, slots=True)
class Relationship:
    """Many rows of one table belong to one row of another. An inactive one is used where a measure says so."""

    many: tuple[str, str]
    one: tuple[str, str]
    active: bool = True

    @property
    def tag(self) -> str:
        return tag("relationship", *self.many, *self.one)


RELATIONSHIPS = (
    Relationship(("fact_release_title", "release_date"), DATES),
    Relationship(("fact_release_title", "date_added"), DATES, active=False),
    Relationship(("fact_release_title", "rating"), ("dim_rating", "rating")),
    Relationship(("fact_release_listing", "release_date"), DATES),
    Relationship(("fact_catalogue_change", "release_date"), DATES),
    Relationship(("fact_catalogue_change", "title_sk"), ("dim_title", "title_sk")),
    Relationship(("fact_top10_global_weekly", "week_key"), ("dim_week", "week_key")),
    Relationship(("fact_top10_global_weekly", "chart_title_key"), ("bridge_title_chart", "chart_title_key")),
    Relationship(("fact_top10_country_weekly", "week_key"), ("dim_week", "week_key")),
    Relationship(("fact_top10_country_weekly", "chart_title_key"), ("bridge_title_chart", "chart_title_key")),
    Relationship(("fact_top10_restatement", "week"), ("dim_week", "week")),
    Relationship(("fact_most_popular", "chart_title_key"), ("bridge_title_chart", "chart_title_key")),
    Relationship(("fact_engagement", "chart_title_key"), ("bridge_title_chart", "chart_title_key")),
    Relationship(("fact_engagement", "period_start"), DATES, active=False),
    Relationship(("fact_viewing_hourly", "event_date"), DATES, active=False),
    # the days of gold are those of the catalogue, and charts go on: a filter of days must not drop newer weeks
    Relationship(("dim_week", "week"), DATES, active=False),
    *(
        Relationship((f"bridge_title_{name}", "title_sk"), ("dim_title", "title_sk"))
        for name in ("cast", "director", "country", "genre")
    ),
    *(
        Relationship((f"bridge_title_{name}", f"{member}_sk"), (f"dim_{member}", f"{member}_sk"))
        for name, member in (("cast", "person"), ("director", "person"), ("country", "country"), ("genre", "genre"))
    ),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of the model."""

    of: Loaded
    table: str
    hidden: bool
    folder: str | None

    @property
    def type(self) -> str:
        return source.TYPES[self.of.type]

    @property
    def format(self) -> str | None:
        if self.of.type == "date":
            return "yyyy-mm-dd"
        if self.of.type == "double":
            return "#,0.0##"
        if self.type == "int64":
            return "0" if _NOT_COUNTED.search(self.of.name) else "#,0"
        return None

    @property
    def tag(self) -> str:
        return tag("column", self.table, self.of.name)


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric as a measure of the table of its fact."""

    metric: Metric
    expression: str

    @property
    def name(self) -> str:
        return dax.name(self.metric)

    @property
    def description(self) -> str:
        return f"{self.metric.meaning} ({self.metric.unit}). {in_words(self.metric.expression).capitalize()}."

    @property
    def format(self) -> str:
        return format_of(self.metric)

    @property
    def folder(self) -> str:
        return self.metric.owner.partition(":")[2].capitalize()

    @property
    def tag(self) -> str:
        return tag("measure", self.metric.name)


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A table of the model: its contract, what of it is shown, and its measures."""

    contract: Table
    columns: tuple[Shown, ...]
    measures: tuple[Measure, ...]

    @property
    def name(self) -> str:
        return self.contract.short_name

    @property
    def range(self) -> str | None:
        """The column by which it is refreshed year by year; None: as a whole."""
        return RANGES.get(self.name)

    @property
    def tag(self) -> str:
        return tag("table", self.name)


@cache
def tables() -> tuple[ModelTable, ...]:
    """The tables of the model. Raises ``ContractError`` with all that does not fit contracts and metrics."""
    found = tuple(_table(table) for table in _in_model())
    if faults := [*_faults({table.name: table for table in found})]:
        raise ContractError("the model of Power BI: " + "; ".join(faults))
    return found


def tag(*path: str) -> str:
    """The identity of a thing in the model, the same at every build: reports refer to it."""
    return str(uuid.uuid5(_SPACE, "/".join(path)))


def format_of(metric: Metric) -> str:
    """The format of a metric as Power BI writes it. Raises ``ContractError`` for one that it has no word for."""
    said = _FORMAT.fullmatch(metric.format)
    if said is None:
        raise ContractError(f"metric {metric.name}: Power BI has no word for the format {metric.format}")
    digits = "0" if said["digits"] == "0" else "0." + "0" * int(said["digits"])
    number = ("#," if said["thousands"] else "") + digits + ("%" if said["kind"] == "%" else "")
    return f"+{number};-{number};{number}" if said["sign"] else number


def _in_model() -> list[Table]:
    return [
        table
        for table in sorted(TABLES.values(), key=lambda table: table.short_name)
        if table.layer == "gold" and not table.short_name.startswith("kpi_")
    ]


def _table(table: Table) -> ModelTable:
    name = table.short_name
    joined = {r.many for r in RELATIONSHIPS} | {r.one for r in RELATIONSHIPS}
    cuts = {source.column_of(m.of, by) for m in METRICS.values() if m.fact == table.name for by in m.dimensions}
    columns = tuple(
        Shown(
            of=column,
            table=name,
            hidden=column.name not in cuts and (name, column.name) in joined | _keys(name) and column.type != "date",
            folder="Provenance" if column.name in _PROVENANCE else None,
        )
        for column in loaded(table)
    )
    around = [r.one[0] for r in RELATIONSHIPS if r.active and r.many[0] == name and r.one[0] not in CALENDARS]
    measures = tuple(
        Measure(metric, dax.measure(metric, list(dict.fromkeys(around))))
        for metric in METRICS.values()
        if metric.fact == table.name
    )
    return ModelTable(table, columns, measures)


def _keys(table: str) -> set[tuple[str, str]]:
    return {(table, column.name) for column in TABLES[f"gold.{table}"].columns if column.name.endswith(("_sk", "_key"))}


def _faults(known: dict[str, ModelTable]) -> Iterator[str]:
    columns = {(name, c.of.name): c for name, table in known.items() for c in table.columns}
    for relationship in RELATIONSHIPS:
        for side in (relationship.many, relationship.one):
            if side not in columns:
                yield f"a relationship uses {'.'.join(side)}, which is not there"
        table, column = relationship.one
        if table in known and known[table].contract.key != (column,) and (table, column) not in ALSO_UNIQUE:
            yield f"{table}.{column} does not tell the rows of {table} apart"
    for name, column in RANGES.items():
        if (name, column) not in columns or columns[name, column].of.type != "date":
            yield f"{name} is refreshed by {column}, which is no date of it"
    yield from (
        f"{name} is a fact that no column refreshes"
        for name in known
        if name.startswith("fact_") and name not in RANGES
    )
    for (name, column), by in SORTED_BY.items():
        yield from (f"{name}.{one} is not there to be sorted" for one in (column, by) if (name, one) not in columns)
    for name, hierarchies in HIERARCHIES.items():
        for hierarchy, levels in hierarchies.items():
            yield from (
                f"{name}.{one}, a level of {hierarchy}, is not there" for one in levels if (name, one) not in columns
            )
    names = [measure.name.casefold() for table in known.values() for measure in table.measures]
    yield from (f"two measures are called {name}" for name in sorted({n for n in names if names.count(n) > 1}))
    for table_ in known.values():
        own = {column.of.name.casefold() for column in table_.columns}
        yield from (
            f"{table_.name} has a column and a measure {m.name}" for m in table_.measures if m.name.casefold() in own
        )
