"""Finds out what the values of a text column are: numbers, days in one or more formats, flags, lists, plain text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Literal

Kind = Literal["integer", "decimal", "boolean", "date", "timestamp", "list", "text", "nothing"]

MOSTLY = 0.95
"""A column is of a kind when at least this share of its filled rows is; the other rows are outliers."""
_SAMPLE = 1_000
"""Half of this many different values must fit a kind; otherwise the others are not tested."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_NAME = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_MONTH = rf"(?P<name>{MONTH_NAME})"
_DAY, _YEAR = r"(?P<day>\d{1,2})", r"(?P<year>[12]\d{3})"
_TIME = r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
_DATES: tuple[tuple[str, str], ...] = (
    ("2019-09-30", rf"{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)"),
    ("September 30, 2019", rf"{_MONTH}\.? {_DAY},? {_YEAR}"),
    ("30 September 2019", rf"{_DAY}\.? {_MONTH}\.?,? {_YEAR}"),
    ("30-Sep-2019", rf"{_DAY}-{_MONTH}-{_YEAR}"),
    ("30.9.2019", rf"{_DAY}\.(?P<month>\d{{1,2}})\.{_YEAR}"),
    ("2019/09/30", rf"{_YEAR}/(?P<month>\d{{1,2}})/{_DAY}"),
    ("30-9-2019", rf"{_DAY}-(?P<month>\d{{1,2}})-{_YEAR}"),
    ("20190930", r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)"),
)
DATES = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _DATES}
MONTH_FIRST, DAY_FIRST, EITHER = "9/30/2019", "30/9/2019", "9/9/2019 (month or day first?)"
_SLASHED = re.compile(rf"(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})/{_YEAR}")
_TIMESTAMP = re.compile(rf"{_DATES[0][1]}{_TIME}")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,18})")
"""What a column of whole numbers may hold: one digit more than a text that is taken for a number unasked."""
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3}){1,5}")
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})?\.\d+|[+-]?(?:0|[1-9]\d{0,17})")
_COMMA = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})?,\d+|[+-]?(?:0|[1-9]\d{0,17})")
_FLAGS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"})
_SEPARATORS = (",", ";", "|", "//")


@dataclass(frozen=True, slots=True)
class Found:
    """What a column holds.

    ``outliers`` are the values of another kind, ``far`` the numbers that lie far from all others. The rest lies between
    ``low`` and ``high``; days are written as YYYY-MM-DD.
    """

    kind: Kind
    formats: tuple[str, ...] = ()
    outliers: tuple[str, ...] = ()
    far: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    separator: str | None = None
    items: int = 0


def recognise(values: Mapping[str, int]) -> Found:
    """The kind of filled, trimmed values, each with its number of rows."""
    if not values:
        return Found("nothing")
    for look in (_flags, _whole_numbers, _timestamps, _days, _numbers, _list):
        found = look(values)
        if found is not None:
            return found
    return Found("text")


def day_of(value: str) -> tuple[str, date] | None:
    """The format of a value that is a day, and the day. 9/10/2019 is read as month first."""
    if not 8 <= len(value) <= 20:
        return None
    for name, pattern in DATES.items():
        if (match := pattern.fullmatch(value)) and (day := _valid(match)):
            return name, day
    match = _SLASHED.fullmatch(value)
    if match is None:
        return None
    first, second, year = int(match["a"]), int(match["b"]), int(match["year"])
    for name, month, number in ((MONTH_FIRST, first, second), (DAY_FIRST, second, first)):
        if day := _date(year, month, number):
            return (EITHER if first <= 12 and second <= 12 else name), day
    return None


def _valid(match: re.Match[str]) -> date | None:
    parts = match.groupdict()
    month = MONTHS.index(parts["name"][:3].lower()) + 1 if parts.get("name") else int(parts["month"])
    return _date(int(parts["year"]), month, int(parts["day"]))


def _date(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number)
    except ValueError:
        return None


def _outliers(values: Mapping[str, int], fits: Callable[[str], object]) -> tuple[str, ...] | None:
    """The values that do not fit, the most frequent first; None when they are too many."""
    sample = list(islice(values, _SAMPLE))
    if sum(not fits(value) for value in sample) > _SAMPLE / 2:
        return None
    odd = {value: count for value, count in values.items() if not fits(value)}
    if sum(odd.values()) > (1 - MOSTLY) * sum(values.values()):
        return None
    return tuple(sorted(odd, key=lambda value: (-odd[value], value)))


def _flags(values: Mapping[str, int]) -> Found | None:
    different = {value.lower() for value in values}
    flags = any(len(different) == 2 and different == pair for pair in _FLAGS)
    return Found("boolean", ("/".join(sorted(values)),)) if flags else None


def _whole_numbers(values: Mapping[str, int]) -> Found | None:
    compact = _compact_days(values)
    if compact is not None:
        return compact
    for pattern, formats in ((_INTEGER, ()), (_GROUPED, ("1,234,567",))):
        grouped = pattern is _GROUPED
        odd = _outliers(values, lambda v: _INTEGER.fullmatch(v) or (grouped and _GROUPED.fullmatch(v)))  # noqa: B023
        if odd is not None:
            numbers = {value: int(value.replace(",", "")) for value in values.keys() - set(odd)}
            far = _far(numbers, values)
            near = [number for value, number in numbers.items() if value not in far]
            return Found("integer", formats, odd, far, str(min(near)), str(max(near)))
    return None


def _compact_days(values: Mapping[str, int]) -> Found | None:
    days = []
    for value in values:
        if (found := day_of(value)) is None or found[0] != "20190930":
            return None
        days.append(found[1])
    return Found("date", ("20190930",), (), (), *_bounds(days)) if len(days) >= 3 else None


def _numbers(values: Mapping[str, int]) -> Found | None:
    for pattern, name in ((_DECIMAL, "."), (_COMMA, ",")):
        odd = _outliers(values, pattern.fullmatch)
        if odd is not None and any(name in value for value in values.keys() - set(odd)):
            numbers = {value: float(value.replace(",", ".")) for value in values.keys() - set(odd)}
            formats = ("decimal comma",) if name == "," else ()
            far = _far(numbers, values)
            near = [number for value, number in numbers.items() if value not in far]
            return Found("decimal", formats, odd, far, f"{min(near):g}", f"{max(near):g}")
    return None


def _far(numbers: Mapping[str, float], rows: Mapping[str, int]) -> tuple[str, ...]:
    """Numbers in a few rows that are more than a hundred times the largest of nearly all others."""
    total = sum(rows[value] for value in numbers)
    seen, usual = 0, 0.0
    for value in sorted(numbers, key=lambda v: abs(numbers[v])):
        seen += rows[value]
        usual = abs(numbers[value])
        if seen >= 0.995 * total:
            break
    return tuple(value for value, number in numbers.items() if abs(number) > 100 * max(usual, 1))


def _timestamps(values: Mapping[str, int]) -> Found | None:
    odd = _outliers(values, lambda value: _TIMESTAMP.fullmatch(value) or day_of(value))
    stamps = sorted(value for value in values if _TIMESTAMP.fullmatch(value))
    if odd is None or not stamps:
        return None
    return Found("timestamp", ("2019-09-30 23:59:59",), odd, (), stamps[0][:10], stamps[-1][:10])


def _days(values: Mapping[str, int]) -> Found | None:
    odd = _outliers(values, day_of)
    if odd is None:
        return None
    days = {value: day_of(value) for value in values}
    formats: Counter[str] = Counter()
    for value, day in days.items():
        if day:
            formats[day[0]] += values[value]
    slashed = [name for name in (MONTH_FIRST, DAY_FIRST) if formats[name]]
    if len(slashed) == 1:
        formats[slashed[0]] += formats.pop(EITHER, 0)
    readable = [_settled(value, day, slashed) for value, day in days.items() if day]
    return Found("date", tuple(name for name, count in formats.most_common() if count), odd, (), *_bounds(readable))


def _settled(value: str, day: tuple[str, date], slashed: list[str]) -> date:
    """The day; the other values of its column decide whether the day of the month comes first."""
    if day[0] == EITHER and slashed == [DAY_FIRST]:
        return date(day[1].year, day[1].day, day[1].month)
    return day[1]


def _bounds(days: Iterable[date]) -> tuple[str, str]:
    every = sorted(days)
    return every[0].isoformat(), every[-1].isoformat()


def _list(values: Mapping[str, int]) -> Found | None:
    """A list differs from a sentence by its items: they are short and repeat in other rows."""
    if sum(value.endswith((".", "!", "?", "…")) for value in values) > len(values) / 2:
        return None
    for separator in _SEPARATORS:
        several = {value: count for value, count in values.items() if separator in value.strip(f" {separator}")}
        if sum(several.values()) < 0.01 * sum(values.values()) or not several:
            continue
        rows = Counter(item for value in values for item in set(items(value, separator)))
        listed = [item for value in several for item in items(value, separator)]
        again = sum(rows[item] > 1 for item in listed)
        if again >= 0.2 * len(listed) and sum(len(item) > 60 for item in listed) <= 0.01 * len(listed):
            return Found("list", separator=separator, items=len(rows))
    return None


def whole_number(value: str) -> int | None:
    """The number that a value is, with or without separators of thousands; None when it is none."""
    plain = value.replace(",", "") if _GROUPED.fullmatch(value) else value
    return int(plain) if _WHOLE.fullmatch(plain) else None


def items(value: str, separator: str) -> Iterator[str]:
    """The items of a list, trimmed, without the empty ones."""
    return (item.strip() for item in value.split(separator) if item.strip())


def pattern_of(values: Iterable[str]) -> str | None:
    """A regular expression that every value matches, when all have the same shape: s1, 90 min, TV-MA.

    It has no backslash and no quote, so SQL takes it as it is. Words alone are no pattern.
    """
    parts: list[set[str]] | None = None
    kinds: list[str] = []
    for value in values:
        runs = re.findall(r"[0-9]+|[A-Za-z]+|[^0-9A-Za-z]", value)
        made = ["9" if run[0].isdigit() else "a" if run[0].isalpha() else run for run in runs]
        if parts is None:
            parts, kinds = [set() for _ in runs], made
        if made != kinds or len(runs) > 12 or not re.fullmatch(r"[0-9A-Za-z _:/#.@+-]+", value):
            return None
        for variants, run in zip(parts, runs, strict=True):
            if len(variants) <= 8:
                variants.add(str(len(run)) if run[0].isdigit() else run)
    if parts is None or "9" not in kinds or len(kinds) < 2:
        return None
    return "^" + "".join(map(_part, kinds, parts)) + "$"


def _part(kind: str, variants: set[str]) -> str:
    if kind == "9":
        return f"[0-9]{{{next(iter(variants))}}}" if len(variants) == 1 else "[0-9]+"
    if kind == "a":
        if len(variants) == 1:
            return next(iter(variants))
        return f"({'|'.join(sorted(variants))})" if len(variants) <= 8 else "[A-Za-z]+"
    return kind if kind in " _:/#@-" else f"[{kind}]"
