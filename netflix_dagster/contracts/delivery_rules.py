"""Rules about all rows of a delivery together: their number, completeness, freshness and spread.

Each rule measures one figure with a SQL aggregate, in the same query that counts the row rules. Some rules compare the
figure with that of the delivery before, by date, among those that have arrived. These only warn: a rule that decided
would make the tables depend on the order of arrival.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

OnFail = Literal["warn", "drop", "fail"]
Kind = Literal["row_count", "null_share", "recent", "stable"]
_LEAST_SHARE = 1e-4
"""The share that an empty bucket counts as, so that a shift into or out of it can be measured."""


@dataclass(frozen=True, slots=True)
class DeliveryRule:
    """One rule about a delivery. ``measure`` is a SQL aggregate over its rows, ``limit`` the highest value allowed;
    with ``compares`` the change since the delivery before is limited."""

    name: str
    kind: Kind
    measure: str
    limit: float
    on_fail: OnFail
    description: str
    hint: str
    compares: bool = False

    @property
    def blocking(self) -> bool:
        return self.on_fail == "fail"

    def wrong(self, measured: Any, before: Any = None) -> str | None:
        """What is wrong, in words; None when the rule is kept, or there is nothing to compare with."""
        if measured is None or (self.compares and before is None):
            return None
        return _WRONG[self.kind](self, measured, before)


def row_count_change(at_most: float = 0.5) -> DeliveryRule:
    """The number of rows differs from that of the delivery before by no more than this share of it."""
    described = f"the number of rows changes by no more than {at_most:.0%} from one delivery to the next"
    hint = "was the file cut short, or delivered twice over?"
    return DeliveryRule("row_count_change", "row_count", "count(*)", at_most, "warn", described, hint, True)


def null_share(column: str, at_most: float, on_fail: OnFail = "warn") -> DeliveryRule:
    """No more than this share of the rows has null in the column."""
    measure = f"avg(CASE WHEN {column} IS NULL THEN 1.0D ELSE 0.0D END)"
    described = f"{column} is null in no more than {at_most:.0%} of the rows"
    return DeliveryRule(
        f"{column}_mostly_stated",
        "null_share",
        measure,
        at_most,
        on_fail,
        described,
        "has the column another name now?",
    )


def recent(column: str, days: int, on_fail: OnFail = "warn") -> DeliveryRule:
    """The newest day in the column is no more than this many days before the delivery."""
    measure = f"datediff(max(delivery_date), max({column}))"
    described = f"the newest {column} is no more than {days} days older than the delivery"
    return DeliveryRule(
        f"{column}_recent", "recent", measure, days, on_fail, described, "was an old file delivered anew?"
    )


def stable(column: str, values: Sequence[str], at_most: float = 0.25) -> DeliveryRule:
    """The shares of these values (and of all others together) are much as in the delivery before.

    Measured by the population stability index: 0 the same, above 0.1 moved, above 0.25 another population.
    """
    counts = [f"sum(CASE WHEN {column} = '{_quoted(value)}' THEN 1 ELSE 0 END)" for value in values]
    measure = f"array(count(*), {', '.join(counts)})"
    described = f"the shares of {', '.join(values)} in {column} shift by no more than {at_most} (stability index)"
    hint = "is part of the delivery missing, or are values spelled in another way?"
    return DeliveryRule(f"{column}_stable", "stable", measure, at_most, "warn", described, hint, True)


def stability_index(now: Sequence[float], before: Sequence[float]) -> float:
    """The population stability index of two lists of counts: the number of all rows, then of each value."""
    pairs = zip(_shares(now), _shares(before), strict=True)
    return sum((one - other) * math.log(one / other) for one, other in pairs)


def _shares(counts: Sequence[float]) -> list[float]:
    every, *known = counts
    return [max(count / every, _LEAST_SHARE) if every else _LEAST_SHARE for count in (*known, every - sum(known))]


def _quoted(value: str) -> str:
    return value.replace("'", "\\'")


def _row_count(rule: DeliveryRule, now: Any, before: Any) -> str | None:
    change = (now - before) / before if before else 0.0
    return f"{now:,} rows, {before:,} in the delivery before ({change:+.0%})" if abs(change) > rule.limit else None


def _null_share(rule: DeliveryRule, now: Any, _before: Any) -> str | None:
    return f"{now:.1%} of the rows state nothing" if now > rule.limit else None


def _recent(rule: DeliveryRule, now: Any, _before: Any) -> str | None:
    return f"the newest is {now} days older than the delivery" if now > rule.limit else None


def _stable(rule: DeliveryRule, now: Any, before: Any) -> str | None:
    if len(now) != len(before):
        return None  # the rule had other values then
    index = stability_index(now, before)
    return f"the stability index is {index:.2f}, {rule.limit} is allowed" if index > rule.limit else None


_WRONG = {"row_count": _row_count, "null_share": _null_share, "recent": _recent, "stable": _stable}
