"""The report on the build of a table: rows, checks and outcome, delivery by delivery."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from netflix_dagster.contracts.delivery_rules import OnFail


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one rule on one delivery (or on a whole table)."""

    name: str
    on_fail: OnFail
    description: str
    broken: int
    rows: int
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    measured: Any = None

    @property
    def passed(self) -> bool:
        return self.broken == 0

    @property
    def share(self) -> float:
        """The share of the rows that break the rule; 1 for a delivery that breaks a rule about deliveries."""
        return self.broken / self.rows if self.rows else float(self.broken > 0)

    @property
    def blocking(self) -> bool:
        return self.on_fail == "fail"


@dataclass(slots=True)
class Outcome:
    """The outcome of one delivery in one table.

    ``held_back`` is the reason why this table holds it, ``behind`` the other table that holds it. In both cases nothing
    of it was written; what stood before still stands. ``written``: this build wrote its rows.
    """

    rows: int = 0
    quarantined: int = 0
    copies: int = 0
    held_back: str | None = None
    delivered: bool = True
    behind: str | None = None
    written: bool = False
    checks: list[Check] = field(default_factory=list)

    @property
    def rule(self) -> str | None:
        """The rule by which this table holds the delivery."""
        if not self.held_back:
            return None
        return next((check.name for check in self.checks if check.blocking and not check.passed), None)


@dataclass(slots=True)
class Report:
    """The report on one table, built for some deliveries. Whole tables have one outcome, under None."""

    table: str
    deliveries: tuple[str, ...]
    outcomes: dict[str | None, Outcome]
    version: int | None = None
    total_rows: int = 0
    seconds: float = 0.0
    preview: list[dict[str, Any]] = field(default_factory=list)
    run_id: str = ""
    idle: bool = False
    """Whether every table of the run stays as it is, because every delivery of it is refused or held."""
    built_by: dict[str, Any] = field(default_factory=dict)
    """Metadata of the machine that built it, when that was not this one."""

    def outcome(self, delivery: str) -> Outcome:
        """The outcome of a delivery, or of the whole table."""
        return self.outcomes.get(delivery) or self.outcomes.get(None) or Outcome(delivered=False)

    @property
    def held_back(self) -> dict[str, str]:
        """Deliveries of which nothing was written, and why."""
        return {day: o.held_back for day, o in self.outcomes.items() if day is not None and o.held_back}

    @property
    def blocked(self) -> bool:
        """Whether nothing was written because every delivery is held, here or at another table."""
        if any(outcome.written for outcome in self.outcomes.values()):
            return False
        return all(self.outcome(day).held_back or self.outcome(day).behind for day in self.deliveries or [""])

    def as_json(self) -> dict[str, Any]:
        """The report as JSON data; ``from_json`` makes it a report again. Values of rows become text."""
        fields = {**asdict(self), "outcomes": [[day, asdict(outcome)] for day, outcome in self.outcomes.items()]}
        plain: dict[str, Any] = json.loads(json.dumps(fields, default=str))
        return plain

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Report:
        """The report that ``as_json`` was made from."""
        return TypeAdapter(cls).validate_python({**fields, "outcomes": dict(fields["outcomes"])})
