"""One column of an unknown file: what it holds, how often it is empty, what is odd about it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netflix_dagster.files.kinds import EITHER, Found, Kind, pattern_of, recognise

NULLS = frozenset(
    ("", "n/a", "na", "#n/a", "null", "none", "nil", "nan", "-", "--", "?", "\\n", "#null!", "(null)", "(blank)")
)
"""The words that files write for no value, in lower case."""
MOST_VALUES = 30
"""A column of at most this many different values, most of them repeated, is a set of values."""
MOST_PATTERN = 20_000
"""The different values, at most, from which a pattern is derived."""

_SPACE = re.compile(r"^\s|\s$|\s\s|[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MANGLED = re.compile(rf"(?:(?:{_MONTH})-\d{{2}}|\d{{1,2}}-(?:{_MONTH}))")
_SCIENTIFIC = re.compile(r"[+-]?\d(?:\.\d+)?E[+-]?\d{1,3}")
_ERROR = re.compile(r"#(?:REF!|NAME\?|VALUE!|DIV/0!|NUM!|SPILL!|#+)")
_MOJIBAKE = re.compile(
    "\u00c3[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]|\u00e2\u20ac|\ufffd"
)


KIND: dict[str, Kind] = {
    "bigint": "integer",
    "decimal": "decimal",
    "double": "decimal",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
"""What columns of these types hold; of all others it is text."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that a person should look at: in how many rows it is, where first, and what it may mean.

    ``column`` is None when it concerns the whole file.
    """

    column: str | None
    what: str
    rows: int
    line: int | None
    example: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What a column holds.

    ``nulls`` are the words for no value with their rows; ``values`` are all the values when they are a small set;
    ``longest`` is the length of the longest value.
    """

    name: str
    header: str
    rows: int
    filled: int
    nulls: Mapping[str, int]
    distinct: int
    found: Found
    values: tuple[str, ...]
    examples: tuple[str, ...]
    pattern: str | None
    longest: int

    @property
    def null_share(self) -> float:
        return 1 - self.filled / self.rows if self.rows else 0.0

    @property
    def says(self) -> str:
        """The column in a few words, for its description."""
        found = self.found
        if not self.filled:
            return "always empty"
        if found.kind in ("integer", "decimal", "date", "timestamp"):
            words = {"integer": "whole number", "decimal": "number", "date": "day", "timestamp": "moment"}[found.kind]
            formats = f", written as {' or '.join(found.formats)}" if found.formats else ""
            return f"{words} from {found.low} to {found.high}{formats}"
        if found.kind == "list":
            return f"list separated by {found.separator}, {found.items:,} different items"
        if found.kind == "boolean":
            return f"flag, {found.formats[0]}"
        if self.values:
            return (
                f"one of {len(self.values)} values"
                if len(self.values) > 5 or self.longest > 40
                else f"one of {', '.join(self.values)}"
            )
        return f"text, {self.distinct:,} different, such as {self.examples[0][:40]}"


def profile_column(
    name: str, header: str, values: Sequence[str], lines: Sequence[int], declared: str | None = None
) -> tuple[ColumnProfile, list[Oddity]]:
    """Profile all the values of a column; ``lines`` are the file lines of their rows. ``declared`` is the type that the
    file gives it: then only what its values say within that type counts."""
    counts = Counter(values)
    trimmed: Counter[str] = Counter()
    for value, count in counts.items():
        trimmed[_INVISIBLE.sub("", value).strip()] += count
    nulls, filled = _nulls(trimmed)
    found = recognise(filled)
    if declared is not None and KIND.get(declared.partition("(")[0], "text") not in _holds(found):
        found = Found("text")
    is_set = 0 < len(filled) <= MOST_VALUES and max(map(len, filled)) <= 100 and sum(filled.values()) >= 3 * len(filled)
    looked_at = list(filled)[:MOST_PATTERN]
    profile = ColumnProfile(
        name=name,
        header=header,
        rows=len(values),
        filled=sum(filled.values()),
        nulls=nulls,
        distinct=len(filled),
        found=found,
        values=tuple(sorted(filled)) if is_set else (),
        examples=tuple(value for value, _ in filled.most_common(3)),
        pattern=pattern_of(looked_at) if found.kind == "text" and len(filled) <= MOST_PATTERN else None,
        longest=max(map(len, counts), default=0),
    )
    odd = list(_oddities(name, counts, found, filled))
    if is_set and len(values) >= 1000 and (once := [value for value, count in filled.items() if count == 1]):
        odd.append(Oddity(name, "seen once", len(once), None, once[0], "in a column of few values: a slip, or rare"))
    if len(values) >= 1000 and 0 < len(values) - sum(filled.values()) <= len(values) // 200:
        odd.append(Oddity(name, "seldom empty", len(values) - sum(filled.values()), None, "", "was it to be filled?"))
    return profile, [_placed(oddity, values, lines) for oddity in odd]


def _holds(found: Found) -> tuple[Kind, ...]:
    """The kinds of which these values may be: whole numbers may be decimals that happen to have no fraction."""
    return ("integer", "decimal") if found.kind == "integer" else (found.kind,)


def _nulls(trimmed: Counter[str]) -> tuple[dict[str, int], Counter[str]]:
    """The words for no value, and the rest. In a column of names that hardly repeat, a single Null is a name."""
    spelled = {value: count for value, count in trimmed.items() if value.lower() in NULLS}
    rest = Counter({value: count for value, count in trimmed.items() if value not in spelled})
    names = {value for value, count in spelled.items() if count == 1 and value.isalpha()}
    if names and len(rest) > 0.5 * rest.total() and recognise(rest).kind == "text":
        rest.update({value: spelled.pop(value) for value in names})
    return dict(sorted(spelled.items())), rest


def _oddities(name: str, counts: Counter[str], found: Found, filled: Counter[str]) -> Iterator[Oddity]:
    text = found.kind in ("text", "list")
    looks: list[tuple[str, Callable[[str], object], str]] = [
        ("line break", lambda v: "\n" in v or "\r" in v, "a line break inside a value; was a record broken in two?"),
        ("odd space", _SPACE.search, "space at an end, doubled, or of an unusual kind: trim before comparing"),
        ("invisible character", _INVISIBLE.search, "values that look equal are not: remove it before comparing"),
        ("spreadsheet error", _ERROR.fullmatch, "a spreadsheet could not compute or show the value"),
        ("scientific notation", _SCIENTIFIC.fullmatch, "a spreadsheet shortened a number; its last digits are lost"),
        ("wrong encoding", _MOJIBAKE.search, "text was read in the wrong encoding before it was saved"),
    ]
    if text:
        looks += [
            ("day made by a spreadsheet", lambda v: _MANGLED.fullmatch(v.strip()), "a name turned into a day"),
            ("formula", lambda v: re.match(r"[=@]\w+\(", v), "a formula where a value should be"),
        ]
    if found.kind == "list" or (found.kind == "text" and len(filled) <= 0.5 * filled.total()):
        ends = found.separator or ","
        looks.append(
            (
                "stray separator",
                lambda v: v.strip().startswith(ends) or v.strip().endswith(ends) or f"{ends}{ends}" in v,
                "the rest of a list, or an empty item in it",
            )
        )
    for what, look, meaning in looks:
        odd = [value for value in counts if value and look(value)]
        if odd:
            yield Oddity(name, what, sum(counts[value] for value in odd), None, odd[0], meaning)
    yield from _of_kind(name, found, filled)
    if found.kind == "text":
        yield from _spellings(name, filled)


def _of_kind(name: str, found: Found, filled: Counter[str]) -> Iterator[Oddity]:
    if found.outliers:
        rows = sum(filled[value] for value in found.outliers)
        yield Oddity(
            name,
            f"not a {found.kind}".replace("a i", "an i"),
            rows,
            None,
            found.outliers[0],
            "nearly all other rows are",
        )
    if found.far:
        rows = sum(filled[value] for value in found.far)
        yield Oddity(name, "far from the others", rows, None, found.far[0], "a slip, or a shifted record?")
    if found.kind == "date" and len(found.formats) > 1:
        yield Oddity(name, "several date formats", 0, None, "; ".join(found.formats), "read each on its own")
    if found.kind == "date" and EITHER in found.formats:
        meaning = "no value shows whether the month or the day of the month comes first: ask the sender"
        yield Oddity(name, "ambiguous days", 0, None, EITHER, meaning)
    zeros = [value for value in filled if re.fullmatch(r"0\d+", value)]
    if zeros and sum(value.isdigit() for value in filled) > len(filled) / 2:
        rows = sum(filled[value] for value in zeros)
        yield Oddity(name, "leading zero", rows, None, zeros[0], "a code, not a number: keep it as text")


def _spellings(name: str, filled: Counter[str]) -> Iterator[Oddity]:
    """Values that differ in upper and lower case only, in a column where values repeat."""
    if len(filled) > 0.5 * filled.total():
        return
    folded: dict[str, list[str]] = {}
    for value in filled:
        folded.setdefault(value.casefold(), []).append(value)
    several = [sorted(spelled, key=lambda v: -filled[v]) for spelled in folded.values() if len(spelled) > 1]
    if several:
        rows = sum(filled[value] for spelled in several for value in spelled[1:])
        yield Oddity(name, "upper and lower case", rows, None, " / ".join(several[0]), "one value spelled in two ways")


def _placed(oddity: Oddity, values: Sequence[str], lines: Sequence[int]) -> Oddity:
    """The oddity with the file line where its example stands first."""
    try:
        place = next(i for i, value in enumerate(values) if value == oddity.example or value.strip() == oddity.example)
    except StopIteration:
        return oddity
    return Oddity(oddity.column, oddity.what, oddity.rows, lines[place], oddity.example, oddity.meaning)
