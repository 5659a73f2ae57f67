"""Metrics as DAX measures.

SQL knows three truths and DAX two, and for DAX a blank equals 0, an empty text and FALSE. So each condition is said as
two: when it is true, and when it is false; a row for which neither holds does not state it. A measure counts the rows
of its fact in the context that it is asked in (slicers, axes, filters), and is blank where the metric is absent.

Window functions and dimensions that are computed stand in the query that loads a fact, see ``source``: every source
has them, and DAX would compute them at every refresh of every table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.contract import ContractError
from netflix_dagster.contracts.metrics import (
    CORE,
    Count,
    CountDistinct,
    Fact,
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
from netflix_dagster.serving.powerbi import source

_COMPARED = {"EQ": ("=", "<>"), "NEQ": ("<>", "="), "GT": (">", "<="), "GTE": (">=", "<"), "LT": ("<", ">=")} | {
    "LTE": ("<=", ">")
}
_ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*", "DPipe": "&"}
"""Of something that is not stated they come to nothing."""


def name(metric: Metric) -> str:
    """What the measure is called: names of measures are read by people."""
    return metric.name.replace("_", " ").capitalize()


def measure(metric: Metric, around: Sequence[str] = ()) -> str:
    """The measure's expression. ``around`` are the tables that filter the fact, those of its dates apart: a stock is
    that of the newest period of the fact, whatever is filtered there. Raises ``ContractError`` for what DAX cannot say.
    """
    return _Measure(metric, around).expression()


def _refusals(metric: Metric) -> Iterator[str]:
    try:
        measure(metric)
    except ContractError as refused:
        yield str(refused)


class _Measure:
    def __init__(self, metric: Metric, around: Sequence[str]) -> None:
        self.metric, self.fact, self.around = metric, metric.of, around
        self.words = Words(metric.of)
        self.period = self.words.column(source.column_of(self.fact, self.fact.period))
        self.table = f"'{self.fact.name}'"
        self.terms: dict[tuple[Leaf, bool], str] = {}

    def expression(self) -> str:
        metric, where = self.metric, self.words.true(self.metric.where) if self.metric.where else None
        steps: list[tuple[str, str]] = []
        of_newest = None
        if metric.over_time == "last":
            steps.append(("_newest", f"CALCULATE(MAX({self.period}){self._whoever()})"))
            of_newest = f"{self.period} = _newest"
        conditions = [said for said in (of_newest, where) if said]
        rows = f"FILTER({self.table}, {' && '.join(conditions)})" if conditions else self.table
        steps += [("_counted", rows), ("_rows", "COUNTROWS(_counted)")]
        if metrics.looks_back(metric.expression):
            steps += self._before(where)
        value = self._value(metrics.core(metric.expression), before=False)
        steps += [(term, self._term(leaf, back)) for (leaf, back), term in self.terms.items()]
        said = "\n".join(f"VAR {step} = {what}" for step, what in steps)
        return f"{said}\nRETURN IF(_rows > 0, {value})"

    def _whoever(self) -> str:
        """Lifts every filter of the fact but those of its periods."""
        cuts = dict.fromkeys(source.column_of(self.fact, cut.name) for cut in self.fact.dimensions)
        period = source.column_of(self.fact, self.fact.period)
        lifted = [self.words.column(cut) for cut in cuts if cut != period]
        return "".join(f", REMOVEFILTERS({what})" for what in (*lifted, *(f"'{table}'" for table in self.around)))

    def _before(self, where: str | None) -> list[tuple[str, str]]:
        fact = self.fact
        if fact.step is not None:
            before = f"_newest - {fact.step}"
        else:
            of_any = " && ".join(said for said in (f"{self.period} < _newest", where) if said)
            before = f"MAXX(FILTER(ALL({self.table}), {of_any}), {self.period})"
        # the period is compared row by row: a filter on a date that joins a calendar clears the other filters as well
        of_before = " && ".join(said for said in (f"{self.period} = _before", where) if said)
        dates = "".join(f", REMOVEFILTERS('{table}')" for table in source.CALENDARS)
        members = f"CALCULATETABLE(FILTER({self.table}, {of_before}), REMOVEFILTERS({self.period}){dates})"
        return [
            ("_before", before),
            ("_counted_before", members),
            ("_rows_before", "COUNTROWS(_counted_before)"),
        ]

    def _value(self, expression: metrics.Expression, before: bool) -> str:
        match expression:
            case Ratio(part, whole):
                return f"DIVIDE({self._value(part, before)}, {self._value(whole, before)})"
            case Minus(one, other):
                left, right = self._value(one, before), self._value(other, before)
                return f"IF(NOT ISBLANK({left}) && NOT ISBLANK({right}), {left} - {right})"
            case Previous(of):
                return self._value(of, before=True)
            case Count() | CountDistinct() | Sum() | Median() | Minimum() | Maximum():
                return self.terms.setdefault((expression, before), f"_term_{len(self.terms)}")
        raise AssertionError(f"{expression} is an abbreviation")

    def _term(self, leaf: Leaf, before: bool) -> str:
        """What a leaf comes to over the rows: blank if one of them does not state it."""
        counted, rows = ("_counted_before", "_rows_before") if before else ("_counted", "_rows")
        words = self.words

        def if_stated(stated: str | None, value: str) -> str:
            told = f"COUNTROWS(FILTER({counted}, {stated})) = {rows}" if stated else ""
            return f"IF({rows} > 0{' && ' if told else ''}{told}, {value})"

        match leaf:
            case Count(None):
                return rows
            case Count(when):
                true = words.true(str(when))
                stated = f"({true}) || ({words.false(str(when))})"
                return if_stated(stated, f"COUNTROWS(FILTER({counted}, {true})) + 0")
            case CountDistinct(of, when):
                chosen = f"FILTER({counted}, {words.true(when)})" if when else counted
                different = f'COUNTROWS(DISTINCT(SELECTCOLUMNS({chosen}, "value", {words.value(of)}))) + 0'
                return if_stated(words.stated(of), different)
            case Sum(of, decimals):
                value = f"ROUND({words.value(of)}, {decimals})" if decimals else words.value(of)
                return if_stated(words.stated(of), f"SUMX({counted}, {value})")
            case Median(of):
                return if_stated(words.stated(of), f"MEDIANX({counted}, {words.value(of)})")
            case Minimum(of):
                return if_stated(words.stated(of), f"MINX({counted}, {words.value(of)})")
            case Maximum(of):
                return if_stated(words.stated(of), f"MAXX({counted}, {words.value(of)})")


class Words:
    """The SQL of definitions in DAX, in the context of a row of the fact."""

    def __init__(self, fact: Fact) -> None:
        self.fact = fact

    def column(self, name: str) -> str:
        return f"'{self.fact.name}'[{name}]"

    def value(self, sql: str) -> str:
        """A value, blank where SQL says null."""
        return self._value(self._parsed(sql))

    def stated(self, sql: str) -> str | None:
        """When the value is not null; None: always."""
        return self._stated(self._parsed(sql))

    def true(self, sql: str) -> str:
        """When a condition is true."""
        return self._truth(self._parsed(sql), True)

    def false(self, sql: str) -> str:
        """When a condition is false, which is not whenever it is not true."""
        return self._truth(self._parsed(sql), False)

    def _parsed(self, sql: str) -> Any:
        import sqlglot

        return sqlglot.parse_one(sql, read="databricks")

    def _cannot(self, node: Any) -> ContractError:
        return ContractError(f"{self.fact.table}: DAX cannot say {node.sql(dialect='databricks')!r}")

    def _truth(self, node: Any, wanted: bool) -> str:
        kind = type(node).__name__
        match kind:
            case "Paren":
                return f"({self._truth(node.this, wanted)})"
            case "Not":
                return self._truth(node.this, not wanted)
            case "And" | "Or":
                both = (kind == "And") == wanted
                sides = (self._truth(node.left, wanted), self._truth(node.right, wanted))
                return "(" + (" && " if both else " || ").join(sides) + ")"
            case "Is":
                said = self._stated(node.this)
                if type(node.expression).__name__ != "Null":
                    raise self._cannot(node)
                return _not(said) if wanted else (said or "TRUE()")
            case "In":
                equal = [self._compared(node.this, "=" if wanted else "<>", one) for one in node.expressions]
                if not equal:
                    raise self._cannot(node)
                return "(" + (" || " if wanted else " && ").join(equal) + ")"
            case "Between":
                low, high = node.args["low"], node.args["high"]
                if wanted:
                    return f"({self._compared(node.this, '>=', low)} && {self._compared(node.this, '<=', high)})"
                return f"({self._compared(node.this, '<', low)} || {self._compared(node.this, '>', high)})"
            case "Boolean":
                return "TRUE()" if bool(node.this) == wanted else "FALSE()"
            case "Column":
                return _all(self._stated(node), f"{self._value(node)} = {'TRUE()' if wanted else 'FALSE()'}")
            case _ if kind in _COMPARED:
                return self._compared(node.left, _COMPARED[kind][0 if wanted else 1], node.right)
        raise self._cannot(node)

    def _compared(self, left: Any, sign: str, right: Any) -> str:
        said = f"{self._value(left)} {sign} {self._value(right)}"
        return "(" + _all(self._stated(left), self._stated(right), said) + ")"

    def _stated(self, node: Any) -> str | None:
        match type(node).__name__:
            case "Literal" | "Boolean" | "Chr":
                return None
            case "Paren":
                return self._stated(node.this)
            case "Coalesce":
                said = [self._stated(one) for one in (node.this, *node.expressions)]
                return None if None in said else "(" + " || ".join(map(str, said)) + ")"
            case kind if kind in _ARITHMETIC:
                return _all(self._stated(node.left), self._stated(node.right)) or None
            case "Cast" | "Year" | "Month" | "Neg" | "TsOrDsToDate":
                return self._stated(node.this)
        return f"NOT ISBLANK({self._value(node)})"

    def _value(self, node: Any) -> str:
        kind = type(node).__name__
        match kind:
            case "Column":
                if node.name not in self.fact.columns:
                    raise self._cannot(node)
                return self.column(node.name)
            case "Literal":
                return _text(node.this) if node.is_string else str(node.this)
            case "Boolean":
                return "TRUE()" if node.this else "FALSE()"
            case "Null":
                return "BLANK()"
            case "Paren":
                return f"({self._value(node.this)})"
            case "TsOrDsToDate":
                return self._value(node.this)
            case "Neg":
                return f"-{self._value(node.this)}"
            case _ if kind in _ARITHMETIC:
                return self._if_stated(node, self._operation(node))
            case "Div":
                return f"DIVIDE({self._value(node.left)}, {self._value(node.right)})"
            case "Chr":
                return f"UNICHAR({self._character(node)})"
            case "Coalesce":
                return f"COALESCE({', '.join(map(self._value, (node.this, *node.expressions)))})"
            case "Nullif":
                same = self._compared(node.this, "=", node.expression)
                return f"IF(NOT {same}, {self._value(node.this)})"
            case "Case":
                return self._case(node)
            case "Year" | "Month":
                return self._if_stated(node, f"{kind.upper()}({self._value(node.this)})")
            case "Cast":
                return self._cast(node)
        raise self._cannot(node)

    def _operation(self, node: Any) -> str:
        """An operation on values that are stated."""
        if (sign := _ARITHMETIC.get(type(node).__name__)) is None:
            return self._value(node)
        return f"({self._operation(node.left)} {sign} {self._operation(node.right)})"

    def _character(self, node: Any) -> int:
        """DAX has no control characters: their pictures stand for them."""
        (code,) = node.expressions
        if type(code).__name__ != "Literal" or code.is_string:
            raise self._cannot(node)
        return int(code.this) if int(code.this) >= 32 else 0x2400 + int(code.this)

    def _case(self, node: Any) -> str:
        if node.this is not None:
            raise self._cannot(node)
        other = node.args.get("default")
        said = self._value(other) if other is not None else "BLANK()"
        for choice in reversed(node.args["ifs"]):
            said = f"IF({self._truth(choice.this, True)}, {self._value(choice.args['true'])}, {said})"
        return said

    def _cast(self, node: Any) -> str:
        value, to = self._value(node.this), node.to.this.name
        if to in ("DOUBLE", "DECIMAL"):
            return f"({value} + 0.0)" if self._stated(node.this) is None else self._if_stated(node, f"({value} + 0.0)")
        if to in ("BIGINT", "INT"):
            return self._if_stated(node, f"INT({value})")
        raise self._cannot(node)

    def _if_stated(self, node: Any, value: str) -> str:
        stated = self._stated(node)
        return f"IF({stated}, {value})" if stated else value


def _all(*conditions: str | None) -> str:
    return " && ".join(dict.fromkeys(condition for condition in conditions if condition))


def _not(condition: str | None) -> str:
    if condition is None:
        return "FALSE()"
    return condition.removeprefix("NOT ") if condition.startswith("NOT ISBLANK(") else f"NOT ({condition})"


def _text(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


metrics.renderer("DAX", CORE, _refusals)
