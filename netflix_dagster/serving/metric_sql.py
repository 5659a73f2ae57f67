"""Metrics as SQL: for DuckDB (the warehouse, ``query``, Python), for T-SQL (Synapse) and for Databricks.

Definitions are in the words of Databricks; DuckDB understands all of them but one function, and for T-SQL sqlglot turns
each part of a definition into the dialect. The parts are put together here. ::

    statement(METRICS["hours"], ["week", "category"])
    -> SELECT week, category, ... AS value FROM gold.fact_top10_global_weekly GROUP BY week, category
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.metrics import (
    ALL,
    CORE,
    NOT_STATED,
    Count,
    CountDistinct,
    Leaf,
    Maximum,
    Median,
    Metric,
    Minimum,
    Minus,
    Previous,
    Ratio,
    Sum,
)

Dialect = Literal["duckdb", "tsql", "databricks"]
SCHEMA = "metrics"
"""The schema of the views."""
DAYS = "DATEDIFF("
EPOCH = "2000-01-01"
"""The day that days are counted from."""

metrics.renderer("SQL", CORE)


def statement(metric: Metric, by: Sequence[str] = (), dialect: Dialect = "duckdb") -> str:
    """The SELECT that computes a metric, cut by some of its dimensions: a column for each, and ``value``.

    Members of which the figure is unknown have no row. Without the period among the dimensions a metric that is a stock
    is that of the newest period. Raises ``LookupError`` for a dimension that it is not cut by.
    """
    if unknown := [name for name in by if name not in metric.dimensions]:
        raise LookupError(f"{metric.name} is not cut by {', '.join(unknown)}; it is by {', '.join(metric.dimensions)}")
    return _Statements(metric, dialect).of(list(dict.fromkeys(by)))


def view(metric: Metric, dialect: Dialect = "duckdb") -> str:
    """The view ``metrics.<name>``: its value in each period, whole and by every dimension.

    ``dimension`` says what the row is cut by (``all``: not at all), ``member`` of what it is the figure.
    """
    period, statements, cuts = metric.of.period, _Statements(metric, dialect), []
    for nth, by in enumerate((None, *metric.by)):
        cut = statements.of([period, by] if by else [period])
        said = f"SELECT {period}, '{by or ALL}' AS dimension, {by or repr(ALL)} AS member, value"
        cuts.append(f"{said} FROM ({cut}) AS cut_{nth}")
    create = "CREATE OR ALTER VIEW" if dialect == "tsql" else "CREATE OR REPLACE VIEW"
    return f"{create} {SCHEMA}.{metric.name} AS {' UNION ALL '.join(cuts)}"


def aggregation(metric: Metric) -> str:
    """The metric as one expression over its fact, to be grouped by whatever it may be cut by, as Databricks says it.

    It is null, not 0, of rows of which the metric speaks of none. There is none of a metric that looks back a period.
    """
    said = _Statements(metric, "databricks")
    said.terms = {leaf: said.aggregate(leaf, "", metric.where) for leaf in metrics.leaves(metric.expression)}
    rows, value = said.aggregate(Count(), "", metric.where), said.value(metrics.core(metric.expression))
    return f"CASE WHEN {rows} > 0 THEN {value} END"


def said(dialect: Dialect, sql: str) -> str:
    """A part of a definition, such as a derived column, in the dialect."""
    return _in(dialect, sql)


@cache
def _in(dialect: Dialect, sql: str) -> str:
    """A part of a definition in the dialect."""
    if dialect == "databricks" or (dialect == "duckdb" and DAYS not in sql):
        return sql
    if dialect == "duckdb":
        return _days_counted(sql)
    import sqlglot

    said: str = sqlglot.transpile(sql, read="databricks", write=dialect)[0]
    return said


class _Statements:
    """The statements of one metric in one dialect, nested: a part of a UNION has no WITH in T-SQL."""

    def __init__(self, metric: Metric, dialect: Dialect) -> None:
        self.metric, self.fact, self.dialect = metric, metric.of, dialect
        self.double = "FLOAT" if dialect == "tsql" else "DOUBLE"
        leaves = dict.fromkeys((Count(), *metrics.leaves(metric.expression)))
        self.terms: dict[Leaf, str] = {leaf: f"term_{nth}" for nth, leaf in enumerate(leaves)}

    def of(self, by: list[str]) -> str:
        period = self.fact.period
        newest = self.metric.over_time == "last" and period not in by
        groups = [period, *by] if newest else by
        grouped = self._grouped(groups)
        if metrics.looks_back(self.metric.expression):
            grouped = self._with_period_before(grouped, groups)
        value = self.value(metrics.core(self.metric.expression))
        known = f"SELECT {_listed(groups)}{value} AS value FROM ({grouped}) AS grouped WHERE term_0 > 0"
        said = f"SELECT {_listed(by)}value FROM ({known}) AS known WHERE value IS NOT NULL"
        if newest:
            said += (
                f" AND {period} = (SELECT MAX({self._said(self.fact.dimension(period).sql)}) FROM {self.fact.table})"
            )
        return said

    def _said(self, sql: str) -> str:
        return _in(self.dialect, sql)

    def _grouped(self, groups: list[str]) -> str:
        rows = self._rows(groups)
        if self.dialect == "tsql":
            rows = self._with_medians(rows, groups)
        members = "".join(f"{_group(name)} AS {name}, " for name in groups)
        aggregates = ", ".join(f"{self.aggregate(leaf, name)} AS {name}" for leaf, name in self.terms.items())
        by = f" GROUP BY {', '.join(map(_group, groups))}" if groups else ""
        return f"SELECT {members}{aggregates} FROM ({rows}) AS counted{by}"

    def _rows(self, groups: list[str]) -> str:
        """The rows that the metric speaks of, with derived columns, and their members under names of no column."""
        derived = "".join(f", {self._said(column.sql)} AS {column.name}" for column in self.fact.derived)
        members = "".join(f", {self._member(name)} AS {_group(name)}" for name in groups)
        source = f"(SELECT *{derived} FROM {self.fact.table})" if derived else self.fact.table
        where = f" WHERE {self._condition(self.metric.where)}" if self.metric.where else ""
        return f"SELECT *{members} FROM {source} AS fact{where}"

    def _condition(self, sql: str) -> str:
        """A condition; T-SQL has no booleans, and sqlglot compares them where it sees that one is meant."""
        return self._said(f"SELECT 1 WHERE {sql}").partition(" WHERE ")[2]

    def _member(self, name: str) -> str:
        sql = self.fact.dimension(name).sql
        return self._said(sql if name == self.fact.period else f"COALESCE(CAST({sql} AS STRING), '{NOT_STATED}')")

    def _with_medians(self, rows: str, groups: list[str]) -> str:
        """T-SQL has no median of a group, but one beside every row of it."""
        over = f"PARTITION BY {', '.join(map(_group, groups))}" if groups else ""
        medians = "".join(
            f", PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY {self._said(leaf.of)}) OVER ({over}) AS middle_{name}"
            for leaf, name in self.terms.items()
            if isinstance(leaf, Median)
        )
        return f"SELECT *{medians} FROM ({rows}) AS members" if medians else rows

    def aggregate(self, leaf: Leaf, name: str, only: str | None = None) -> str:
        """What a leaf comes to over a group, or over those of its rows for which a condition is true."""

        def of_rows(sql: str) -> str:
            return sql if only is None else f"CASE WHEN {only} THEN {sql} END"

        rows = "COUNT(*)" if only is None else f"COUNT({of_rows('1')})"

        def if_stated(stated: str, value: str) -> str:
            return f"CASE WHEN COUNT({stated}) = {rows} THEN {value} END"

        if isinstance(leaf, Count):
            if leaf.when is None:
                return rows
            when = self._condition(leaf.when)
            told = of_rows(f"CASE WHEN {when} THEN 1 WHEN NOT ({when}) THEN 0 END")
            return if_stated(told, f"SUM({told})")
        of = of_rows(self._said(leaf.of))
        match leaf:
            case CountDistinct():
                counted = f"CASE WHEN {self._condition(leaf.when)} THEN {of} END" if leaf.when else of
                return if_stated(of, f"COUNT(DISTINCT {counted})")
            case Sum(_, decimals):
                digits = 20 if decimals == 0 else decimals + 1
                return if_stated(of, f"CAST(SUM(CAST({of} AS DECIMAL({digits}, {decimals}))) AS {self.double})")
            case Median():
                return if_stated(of, f"MAX(middle_{name})" if self.dialect == "tsql" else f"MEDIAN({of})")
            case Minimum():
                return if_stated(of, f"MIN({of})")
            case Maximum():
                return if_stated(of, f"MAX({of})")

    def _with_period_before(self, grouped: str, groups: list[str]) -> str:
        """The groups, each with the terms of its members in the period before."""
        period = self.fact.period
        if self.fact.step is None:
            nth, step = f"DENSE_RANK() OVER (ORDER BY {period})", 1
        else:
            nth, step = self._said(f"DATEDIFF({period}, CAST('{EPOCH}' AS DATE))"), self.fact.step
        of_member = [name for name in groups if name != period]
        over = f"OVER ({'PARTITION BY ' + ', '.join(of_member) + ' ' if of_member else ''}ORDER BY nth)"
        before = ", ".join(
            f"CASE WHEN LAG(nth) {over} = nth - {step} THEN LAG({term}) {over} END AS {term}_before"
            for term in self.terms.values()
        )
        return f"SELECT *, {before} FROM (SELECT *, {nth} AS nth FROM ({grouped}) AS periods) AS numbered"

    def value(self, expression: metrics.Expression, suffix: str = "") -> str:
        match expression:
            case Ratio(part, whole):
                return f"{self.value(part, suffix)} / NULLIF({self.value(whole, suffix)}, 0)"
            case Minus(one, other):
                return f"({self.value(one, suffix)} - {self.value(other, suffix)})"
            case Previous(of):
                return self.value(of, "_before")
            case Count() | CountDistinct() | Sum() | Median() | Minimum() | Maximum():
                return f"CAST({self.terms[expression]}{suffix} AS {self.double})"
        raise AssertionError(f"{expression} is an abbreviation")


def _days_counted(sql: str) -> str:
    """``DATEDIFF(later, earlier)`` as DuckDB has it. The first comma outside of brackets parts them."""
    before, _, rest = sql.partition(DAYS)
    depth, comma, end = 0, 0, len(rest)
    for place, sign in enumerate(rest):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0 and sign == "," and not comma:
            comma = place
        if depth < 0:
            end = place
            break
    later, earlier = rest[:comma], rest[comma + 1 : end].strip()
    return f"{before}DATE_DIFF('day', {earlier}, {later}){_in('duckdb', rest[end + 1 :])}"


def _listed(names: Sequence[str]) -> str:
    return "".join(f"{name}, " for name in names)


def _group(name: str) -> str:
    return f"by_{name}"
