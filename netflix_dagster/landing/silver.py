"""What ``sources.yaml`` says of the silver table of a source that needs no code: types, key and rules.

With a section ``silver`` a source has a table ``silver.<source>``: every record of bronze, typed, one row a key, judged
by these rules. What cannot be read as its type, or breaks a rule that drops, goes to the quarantine.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Decimal = Annotated[str, Field(pattern=r"^decimal\(([1-9]|[12]\d|3[0-8]),([0-9]|[12]\d|3[0-8])\)$")]
"""A number with so many digits, so many of them behind the point."""
Type = Literal["string", "bigint", "double", "boolean", "date", "timestamp", "array<string>"] | Decimal
OnFail = Literal["warn", "drop", "fail"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SilverRule(_Strict):
    """One rule about a column; a value that is null keeps every rule but ``required``. Exactly one of ``required``,
    ``one_of``, ``between`` and ``matches`` says which rule it is."""

    column: str
    required: Literal[True] | None = None
    one_of: tuple[str, ...] | None = Field(None, min_length=1)
    between: tuple[float | date, float | date] | None = None
    matches: str | None = None
    on_fail: OnFail = "warn"

    @property
    def kind(self) -> str:
        return next(kind for kind in _RULES if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _is_one_rule(self) -> SilverRule:
        if sum(getattr(self, kind) is not None for kind in _RULES) != 1:
            raise ValueError(f"say one of {', '.join(_RULES)}: what must hold of {self.column}")
        if self.between and isinstance(self.between[0], date) != isinstance(self.between[1], date):
            raise ValueError("both bounds are numbers, or both are days")
        if self.between and self.between[0] > self.between[1]:  # type: ignore[operator]
            raise ValueError("the lower bound comes first")
        if self.matches is not None:
            try:
                re.compile(self.matches)
            except re.error as error:
                raise ValueError(f"{self.matches!r} is no regular expression: {error}") from error
        return self


_MOMENTS, _NUMBERS = ("date", "timestamp"), ("bigint", "double", "decimal")
_RULES = ("required", "one_of", "between", "matches")


INSERT = ("insert", "create", "read", "i", "c", "r")
PUT = (*INSERT, "update", "upsert", "update_postimage", "u")
DELETE = ("delete", "d")
BEFORE = ("update_preimage",)
"""Words for what a change did, in any case: of Debezium, of Delta's change data feed, and plain ones. A pre-image says
nothing that the change before it has not said."""


class Changes(_Strict):
    """For a source whose records are changes of rows.

    ``op`` is the column that says what each did, ``sequence`` the one by which they are in order. ``keep`` says what a
    further table makes of them: rows as they are now (SCD1), or every version of them (SCD2). ``about`` are columns
    that tell of a change and are no part of the row.
    """

    op: str = "op"
    sequence: str
    keep: Literal["current", "history"] = "current"
    about: tuple[str, ...] = ()


class Silver(_Strict):
    """The silver table of a source.

    ``types``: of columns that are not text. ``formats``: how the days or numbers of a column are written, as `profile`
    names it, where they are not written as 2019-09-30 or 1.5. ``separators``: of lists, where it is not a comma.
    ``nulls``: words that mean nothing, in any case. ``key``: the columns by which rows of one delivery are told apart;
    without it every record is a row. With ``changes`` every record is one change of the row with this key.
    """

    grain: str = "one record of a delivery"
    key: tuple[str, ...] = ()
    types: dict[str, Type] = {}
    formats: dict[str, tuple[str, ...]] = {}
    separators: dict[str, str] = {}
    nulls: tuple[str, ...] = ()
    rules: tuple[SilverRule, ...] = ()
    changes: Changes | None = None

    def faults(self, columns: frozenset[str]) -> list[tuple[str, str]]:
        """What it says of columns that the source does not have, or twice: the key where it stands, and why."""
        said: list[tuple[str, Any]] = [("key", self.key), ("types", self.types), ("formats", self.formats)]
        said += [("separators", self.separators), ("rules", [rule.column for rule in self.rules])]
        if self.changes:
            said += [("changes", (self.changes.op, self.changes.sequence, *self.changes.about))]
        found = [(where, f"there is no column {n!r}") for where, names in said for n in names if n not in columns]
        found += self._faults_of_changes()
        if len(set(self.key)) < len(self.key):
            found.append(("key", "a column is named twice"))
        lists = {name for name, kind in self.types.items() if kind == "array<string>"}
        found += [("key", f"{name!r} is a list, and lists tell no rows apart") for name in self.key if name in lists]
        kinds = [(rule.column, rule.kind) for rule in self.rules]
        found += [
            ("rules", f"{column} has two rules {kind}")
            for column, kind in set(kinds)
            if kinds.count((column, kind)) > 1
        ]
        for name, kind in self.types.items():
            if kind.startswith("decimal") and digits(kind)[1] > digits(kind)[0]:
                found.append(("types", f"{name}: {kind} has more digits behind the point than digits"))
        for rule in self.rules:
            kind = self.types.get(rule.column, "string")
            days = rule.between is not None and isinstance(rule.between[0], date)
            if rule.between and (kind not in _MOMENTS if days else not kind.startswith(_NUMBERS)):
                found.append(("rules", f"{rule.column} is {kind}, which cannot be between these bounds"))
            if (rule.one_of or rule.matches) and kind != "string":
                found.append(("rules", f"{rule.column} is {kind}; {rule.kind} is asked of text"))
        return found

    def _faults_of_changes(self) -> list[tuple[str, str]]:
        if self.changes is None:
            return []
        found = [] if self.key else [("key", "changes are of rows that have a key: say which columns")]
        ordered = ("bigint", "double", "decimal", "date", "timestamp")
        if not self.types.get(self.changes.sequence, "string").startswith(ordered):
            reason = f"{self.changes.sequence} is text, in which 10 comes before 9: say its type in `types`"
            found.append(("changes", reason))
        if twice := {self.changes.op, self.changes.sequence, *self.changes.about} & set(self.key):
            found.append(("changes", f"{', '.join(sorted(twice))} is of the key and cannot tell of a change"))
        return found


def digits(kind: str) -> tuple[int, int]:
    """Of ``decimal(12,2)`` 12 and 2: its digits, and those behind the point."""
    precision, scale = kind.removeprefix("decimal(").removesuffix(")").split(",")
    return int(precision), int(scale)
