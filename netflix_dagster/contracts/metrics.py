"""What a figure is, said once: its meaning, its unit, the fact it is made of, and an expression in a closed algebra.

The gold KPI tables, the views of the warehouse and of Synapse, measures and dictionaries are all rendered from here. ::

    titles = Metric(
        "titles", "Titles in a release of the catalogue", unit="titles", owner="team:catalogue",
        fact="gold.fact_release_title", expression=Count(), by=("type", "rating"), over_time="last",
    )

**SQL.** Columns are written in lower case, everything else in capitals, a text in single quotes; texts are joined by
``||``, and ``DATEDIFF(later, earlier)`` counts days. ``WORDS`` is all the SQL there is: what every dialect has.

**What cannot be known is absent, never 0.** A figure speaks of the rows of its fact for which ``where`` is true. It is
absent when there are none, when a single one of them does not state what is summed, counted or compared, and when it
is a part of nothing. Figures are computed in decimals and doubles: no sum overflows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from netflix_dagster.contracts.contract import TABLES, ContractError, Table

NOT_STATED = "(not stated)"
"""The member under which a dimension counts the rows that do not state it."""
ALL = "all"
"""The member of a figure that is not cut."""
WORDS = frozenset(
    {
        *("AND", "OR", "NOT", "IN", "IS", "NULL", "TRUE", "FALSE", "CASE", "WHEN", "THEN", "ELSE", "END", "BETWEEN"),
        *("CAST", "AS", "BIGINT", "INT", "STRING", "DOUBLE", "DECIMAL", "DATE"),
        *("COALESCE", "NULLIF", "YEAR", "MONTH", "DATEDIFF", "SUBSTRING", "CHR"),
        *("COUNT", "SUM", "LAG", "OVER", "PARTITION", "BY", "ORDER"),
    }
)
"""The words of SQL that a definition may use. LAG, and SUM and COUNT, only OVER rows of the fact, in a ``Derived``."""


# The algebra


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are, or for how many of them the condition is true."""

    when: str | None = None


@dataclass(frozen=True, slots=True)
class CountDistinct:
    """How many different values the rows have, or those of them for which the condition is true."""

    of: str
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum, exact to so many decimals: the same in whatever order the rows come."""

    of: str
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Average:
    """The mean of whole numbers."""

    of: str


@dataclass(frozen=True, slots=True)
class Median:
    """The middle value, or the mean of the two in the middle."""

    of: str


@dataclass(frozen=True, slots=True)
class Minimum:
    """The smallest value."""

    of: str


@dataclass(frozen=True, slots=True)
class Maximum:
    """The largest value."""

    of: str


@dataclass(frozen=True, slots=True)
class Share:
    """The share of the rows for which the condition is true."""

    when: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure as a part of another; of nothing there is no part."""

    part: Expression
    whole: Expression


@dataclass(frozen=True, slots=True)
class Minus:
    """What one figure is more than another."""

    one: Expression
    other: Expression


@dataclass(frozen=True, slots=True)
class Previous:
    """The figure of the period before, see ``Fact.step``."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Difference:
    """What the figure is more than in the period before."""

    of: Expression


Leaf = Count | CountDistinct | Sum | Median | Minimum | Maximum
"""What is aggregated over rows. Everything else is arithmetic on these."""
Expression = Leaf | Average | Share | Ratio | Minus | Previous | Difference
LEAVES = (Count, CountDistinct, Sum, Median, Minimum, Maximum)
CORE = (*LEAVES, Ratio, Minus, Previous)
"""What renderers have to say; the rest of the algebra is an abbreviation of it, see ``core``."""


def core(expression: Expression) -> Expression:
    """The expression without abbreviations."""
    match expression:
        case Average(of):
            return Ratio(Sum(of), Count())
        case Share(when):
            return Ratio(Count(when), Count())
        case Difference(of):
            return Minus(core(of), Previous(core(of)))
        case Ratio(part, whole):
            return Ratio(core(part), core(whole))
        case Minus(one, other):
            return Minus(core(one), core(other))
        case Previous(of):
            return Previous(core(of))
        case _:
            return expression


def parts(expression: Expression) -> Iterator[Expression]:
    """The expression and all that it is made of."""
    yield expression
    for field in fields(expression):
        inner = getattr(expression, field.name)
        if isinstance(inner, (*CORE, Average, Share, Difference)):
            yield from parts(inner)


def leaves(expression: Expression) -> list[Leaf]:
    """What is aggregated for an expression, each once."""
    found = (part for part in parts(core(expression)) if isinstance(part, LEAVES))
    return list(dict.fromkeys(found))


def looks_back(expression: Expression) -> bool:
    """Whether the figure needs the period before."""
    return any(isinstance(part, Previous) for part in parts(core(expression)))


def in_words(expression: Expression) -> str:
    """The expression as people read it."""

    def counted(what: str, when: str | None) -> str:
        return f"number of {what}" + (f" with `{when}`" if when else "")

    match expression:
        case Count(when):
            return counted("rows", when)
        case CountDistinct(of, when):
            return counted(f"different `{of}`", when)
        case Ratio(part, whole):
            return f"{in_words(part)} / {in_words(whole)}"
        case Minus(one, other):
            return f"{in_words(one)} - {in_words(other)}"
        case Previous(of):
            return f"({in_words(of)}, in the period before)"
        case Difference(of):
            return f"({in_words(of)}, more than in the period before)"
        case Share(when):
            return f"share of rows with `{when}`"
        case Sum(of) | Average(of) | Median(of) | Minimum(of) | Maximum(of):
            return f"{type(expression).__name__.lower()} of `{of}`"


# What it is made of, and what it is


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that the rows of a fact gain for metrics, from their own columns or from rows beside them."""

    name: str
    type: str
    meaning: str
    sql: str


@dataclass(frozen=True, slots=True)
class Dimension:
    """What figures are cut by. Rows that do not state it count under ``NOT_STATED``. The period is a dimension."""

    name: str
    meaning: str
    sql: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A gold table as metrics see it: with derived columns, dimensions, and what its periods are.

    ``step``: the period before is so many days before; None: it is the one before in the table, whenever that was.
    """

    table: str
    period: str
    dimensions: tuple[Dimension, ...]
    step: int | None = None
    derived: tuple[Derived, ...] = ()

    @property
    def name(self) -> str:
        return self.table.split(".")[1]

    @property
    def contract(self) -> Table:
        return TABLES[self.table]

    @property
    def columns(self) -> list[str]:
        """The columns that definitions may speak of."""
        return [*self.contract.column_names, *(column.name for column in self.derived)]

    def dimension(self, name: str) -> Dimension:
        """One dimension by its name. Raises ``LookupError`` with those there are."""
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        raise LookupError(f"{self.table} has no dimension {name}; it has {', '.join(d.name for d in self.dimensions)}")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. ``by`` are the dimensions that it may be cut by, besides the period of its fact.

    ``over_time`` says what it is of several periods together: ``any``, computed from all their rows, or ``last``: it
    is a stock, and the newest period speaks (semi-additive). ``format`` is a format that Python and d3 both know.
    """

    name: str
    meaning: str
    unit: str
    owner: str
    fact: str
    expression: Expression
    by: tuple[str, ...] = ()
    where: str | None = None
    over_time: Literal["any", "last"] = "any"
    format: str = ",.0f"

    @property
    def of(self) -> Fact:
        return FACTS[self.fact]

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Everything that it may be cut by, the period first."""
        return (self.of.period, *self.by)


@dataclass(frozen=True, slots=True)
class Figure:
    """One name in a KPI table: a metric of each period, whole or for each member of one dimension.

    ``top`` keeps so many of the largest members of a period (ties included), ``within`` those of each of another
    dimension apart.
    """

    table: str
    kpi: str
    metric: str
    by: str | None = None
    top: int | None = None
    within: str | None = None


FACTS: dict[str, Fact] = {}
METRICS: dict[str, Metric] = {}
FIGURES: list[Figure] = []
_SAYS: dict[str, tuple[type, ...]] = {}
"""What of the algebra each renderer can say."""
_REFUSES: dict[str, Callable[[Metric], Iterable[str]]] = {}
"""What each renderer cannot say of a metric for its SQL."""


def renderer(name: str, says: tuple[type, ...], refuses: Callable[[Metric], Iterable[str]] = lambda metric: ()) -> None:
    """A renderer says what it can say, when its module is loaded. Raises ``ContractError`` for a metric beyond that.

    ``refuses`` tells what it cannot say in the SQL of a metric, of a fact that is declared.
    """
    _SAYS[name], _REFUSES[name] = says, refuses
    if faults := [fault for metric in METRICS.values() for fault in _of_renderers(metric)]:
        raise ContractError("; ".join(faults))


def declare(facts: Iterable[Fact], metrics: Iterable[Metric], figures: Iterable[Figure]) -> None:
    """Put facts, metrics and figures into the registries. Raises ``ContractError`` with all that is wrong with them."""
    new_facts, new_metrics, new_figures = list(facts), list(metrics), list(figures)
    every = {**FACTS, **{fact.table: fact for fact in new_facts}}
    named = {**METRICS, **{metric.name: metric for metric in new_metrics}}
    faults = [
        *_twice("fact", [*FACTS, *(fact.table for fact in new_facts)]),
        *_twice("metric", [*METRICS, *(metric.name for metric in new_metrics)]),
        *(f"{fact.table}: {fault}" for fact in new_facts for fault in _of_fact(fact)),
        *(f"metric {metric.name}: {fault}" for metric in new_metrics for fault in _of_metric(metric, every)),
        *(fault for metric in new_metrics for fault in _of_renderers(metric)),
        *(f"{f.table} {f.kpi}: {fault}" for f in new_figures for fault in _of_figure(f, every, named)),
    ]
    if faults:
        raise ContractError("; ".join(faults))
    FACTS.update(every)
    METRICS.update(named)
    FIGURES.extend(new_figures)


def figures_of(table: str) -> list[Figure]:
    """The figures that a KPI table holds."""
    return [figure for figure in FIGURES if figure.table == table]


def metric(name: str) -> Metric:
    """One metric by its name. Raises ``LookupError`` with those there are."""
    if name not in METRICS:
        raise LookupError(f"there is no metric {name}; the metrics are {', '.join(METRICS)}")
    return METRICS[name]


def _twice(what: str, names: Sequence[str]) -> Iterator[str]:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        yield f"the {what} {', '.join(repeated)} is declared twice"


def _of_fact(fact: Fact) -> Iterator[str]:
    if fact.table not in TABLES:
        yield "there is no such table"
        return
    if taken := [column.name for column in fact.derived if column.name in fact.contract.column_names]:
        yield f"it has columns {', '.join(taken)} already"
    if fact.period not in (dimension.name for dimension in fact.dimensions):
        yield f"its period {fact.period} is not one of its dimensions"
    yield from _twice("dimension", [dimension.name for dimension in fact.dimensions])
    for column in fact.derived:
        yield from _of_sql(column.sql, fact.contract.column_names, f"the column {column.name}")
    for dimension in fact.dimensions:
        yield from _of_sql(dimension.sql, fact.columns, f"the dimension {dimension.name}")


def _of_metric(metric: Metric, facts: Mapping[str, Fact]) -> Iterator[str]:
    if metric.fact not in facts:
        yield f"there is no fact {metric.fact}"
        return
    fact = facts[metric.fact]
    known = [dimension.name for dimension in fact.dimensions]
    if unknown := [name for name in metric.by if name not in known or name == fact.period]:
        yield f"{fact.table} has no dimension {', '.join(unknown)} besides its period"
    if not metric.meaning or not metric.unit or not metric.owner:
        yield "it has a meaning, a unit and an owner"
    if looks_back(metric.expression) and metric.over_time != "last":
        yield "it looks back a period, so of several periods the last one speaks"
    try:
        format(1.0, metric.format)
    except ValueError:
        yield f"{metric.format!r} is not a format"
    for part in parts(metric.expression):
        if isinstance(part, Previous) and any(isinstance(inner, Previous) for inner in parts(core(part.of))):
            yield "it looks back more than one period"
        texts = (getattr(part, field.name) for field in fields(part) if field.name in ("of", "when"))
        for text in (text for text in texts if isinstance(text, str)):
            yield from _of_sql(text, fact.columns, "its expression", rows=False)
    if metric.where is not None:
        yield from _of_sql(metric.where, fact.columns, "its filter", rows=False)


def _of_renderers(metric: Metric) -> Iterator[str]:
    """What of a metric some renderer cannot say."""
    for name, says in _SAYS.items():
        for part in parts(core(metric.expression)):
            if not isinstance(part, says):
                yield f"metric {metric.name}: {name} cannot say {type(part).__name__}"
        if metric.fact in FACTS:
            yield from (f"metric {metric.name}: {fault}" for fault in _REFUSES[name](metric))


def _of_figure(figure: Figure, facts: Mapping[str, Fact], metrics: Mapping[str, Metric]) -> Iterator[str]:
    if figure.table not in TABLES:
        yield "there is no such table"
    if figure.metric not in metrics:
        yield f"there is no metric {figure.metric}"
        return
    metric = metrics[figure.metric]
    if figure.by is not None and figure.by not in metric.by:
        yield f"{metric.name} is not cut by {figure.by}"
    if metric.fact in facts and figure.table in TABLES and metric.fact not in TABLES[figure.table].reads:
        yield f"{metric.name} is made of {metric.fact}, which the table does not read"
    within = [dimension.name for dimension in facts[metric.fact].dimensions] if metric.fact in facts else []
    if figure.within is not None and (figure.top is None or figure.within not in within):
        yield f"within {figure.within} says of what the largest are kept"


_TEXT = re.compile(r"'[^']*'")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OVER_ROWS = re.compile(r"\b(COUNT|SUM|LAG|OVER)\b")


def _of_sql(sql: str, columns: Sequence[str], what: str, rows: bool = True) -> Iterator[str]:
    """What of a definition is not in the language; ``rows``: whether it may look at rows beside its own."""
    words = _WORD.findall(_TEXT.sub("", sql))
    if unknown := sorted({word for word in words if word.upper() != word and word not in columns}):
        yield f"{what} speaks of {', '.join(unknown)}, which the fact does not have"
    if others := sorted({word for word in words if word.upper() == word and word not in WORDS}):
        yield f"{what} says {', '.join(others)}, which not every dialect knows"
    if not rows and _OVER_ROWS.search(_TEXT.sub("", sql)):
        yield f"{what} aggregates; declare a derived column, or use the algebra"
