"""``quality.columns``: what the columns of every delivery in bronze looked like; the history of each source's schema.

Its grain and its columns are in ``contracts.bookkeeping``. It is written with the delivery's bronze rows; building a
delivery again replaces its rows. Two deliveries are compared by it, see ``drift``.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar

from netflix_dagster.contracts.bookkeeping import COLUMNS, as_arrow
from netflix_dagster.files.header import place_columns
from netflix_dagster.files.parquet import DECLARED
from netflix_dagster.files.parsed import ParsedFile
from netflix_dagster.lake import books, store
from netflix_dagster.landing.keys import as_columns, joined, of_row
from netflix_dagster.landing.sources import EvolvedColumn, Source, fold_header
from netflix_dagster.storage import Place

T = TypeVar("T")
NAME = COLUMNS.name
Kept = Literal["contract", "evolved", "rescued"]
NOTHING = "nothing"
MOSTLY = 0.95
"""A column is of a kind when at least this share of its different values is."""
_SAMPLE = 100
"""So many different values, spread over the file, say of what kind a column is."""
_NULLS = frozenset(("n/a", "na", "#n/a", "null", "none", "nan", "-", "--"))
_LONGEST_NULL = 4
_LONGEST_NAME = 1000
_INTEGER = re.compile(r"[+-]?\d{1,30}")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_DECIMAL = re.compile(r"[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_FLAGS = frozenset(("true", "false", "yes", "no"))


@dataclass(frozen=True, slots=True)
class Seen:
    """One column of one delivery.

    ``name`` is its canonical name, or the header of a column that the source does not know; ``position`` counts from
    1; ``kept`` is where bronze keeps it: a column of the contract, one of its own that evolved, or ``rescued_data``.
    ``null_share`` counts empty values and spellings of nothing such as N/A. ``distinct_values`` and the lengths are
    of the filled values that were looked at, no more than a thousand of a file; of several files it is the number of
    the file with most.
    """

    name: str
    header: str
    position: int | None
    kept: Kept
    kind: str = NOTHING
    records: int = 0
    null_share: float = 0.0
    distinct_values: int = 0
    min_length: int | None = None
    max_length: int | None = None

    @property
    def key(self) -> str:
        """What makes it the same column in another delivery."""
        return fold_header(self.name)

    @property
    def filled(self) -> int:
        """Records that have a value."""
        return round(self.records * (1 - self.null_share))


def look(file: ParsedFile, source: Source) -> list[Seen]:
    """The columns of one file, by the sample of its rows; of a refused one the header is all that is known."""
    if not file.header:
        return []
    positions, _, rescued_at, _ = place_columns(file.header, source)
    looked_at = file.sample
    records = len(looked_at)
    columns = list(zip(*(row.values for row in looked_at), strict=True)) or [()] * len(positions)
    found = []
    for (name, column), place, values in zip(source.columns.items(), positions, columns, strict=True):
        if name in source.filled or (place is None and not any(values)):
            continue
        header = name if place is None else file.header[place]
        kept: Kept = "evolved" if isinstance(column, EvolvedColumn) else "contract"
        found.append(_shaped(Seen(name, header, _from_one(place), kept), values, records))
    rescued: dict[str, list[str]] = {name: [] for name in (*rescued_at.values(), *file.unknown_columns)}
    for row in looked_at if rescued else ():
        for name, value in json.loads(row.rescued or "{}").items():
            rescued[name].append(value)
    places = {name: place for place, name in rescued_at.items()}
    for name, filled in rescued.items():
        if name in places and not filled and name not in file.unknown_columns and records:
            continue  # a blank column of a workbook is no column
        short = name[:_LONGEST_NAME]
        found.append(_shaped(Seen(short, short, _from_one(places.get(name)), "rescued"), filled, records))
    if file.types:
        found = [
            seen if seen.position is None else replace(seen, kind=DECLARED + file.types[seen.position - 1])
            for seen in found
        ]
    found.sort(key=lambda seen: (seen.position or len(file.header) + 1, seen.name))
    return [replace(seen, records=file.taken) for seen in found]


def together(files: Iterable[Sequence[Seen]]) -> list[Seen]:
    """The columns of a delivery of several files, each once."""
    found: dict[str, Seen] = {}
    for seen in (seen for file in files for seen in file):
        before = found.get(seen.key)
        found[seen.key] = _joined(before, seen) if before else seen
    return list(found.values())


def settled(columns: Sequence[Seen], source: Source) -> list[Seen]:
    """The columns under the names by which a source keeps them that has evolved since they were looked at."""
    taken = {seen.name for seen in columns if seen.kept != "rescued"}
    found = []
    for seen in columns:
        name = source.canonical(seen.header)
        if seen.kept == "rescued" and name and name not in taken and isinstance(source.columns[name], EvolvedColumn):
            taken.add(name)
            seen = replace(seen, name=name, kept="evolved")
        found.append(seen)
    return found


def read(lake: Place, source: str) -> dict[str, list[Seen]]:
    """The columns of every delivery of a source in bronze, by delivery date."""
    import pyarrow.compute as pc

    rows = books.read(lake, COLUMNS, where=pc.field("source") == source)
    names = ("delivery_date", "delivery_hour", *(field.name for field in fields(Seen)))
    found: dict[str, list[Seen]] = {}
    for day, hour, *values in zip(*(rows[name].to_pylist() for name in names), strict=True):
        found.setdefault(joined(day, hour), []).append(Seen(*values))
    return found


def held(lake: Place, source: str, deliveries: Iterable[str]) -> set[str]:
    """Those of some deliveries of a source of which columns are written down."""
    import pyarrow.compute as pc

    of_these = (pc.field("source") == source) & store.delivery_filter(sorted(deliveries))
    rows = store.read_arrow(lake, NAME, where=of_these)
    return {of_row(row) for row in rows.to_pylist()} if rows is not None else set()


def record(lake: Place, source: str, columns: Mapping[str, Sequence[Seen]], held: Iterable[str], run_id: str) -> None:
    """Write down the columns of some deliveries, in place of what was ``held`` of them before."""
    books.create(lake)
    rows: list[dict[str, Any]] = [
        {"source": source, **as_columns(day), **asdict(seen), "run_id": run_id}
        for day, found in columns.items()
        for seen in found
    ]
    again = not columns.keys().isdisjoint(held)  # the condition must hold for every row that takes the place of others
    condition = f"source = '{source}' AND {store.delivery_condition(sorted(columns))}" if again else None
    store.write_arrow(lake, NAME, as_arrow(COLUMNS, rows), replace=condition)


def kind_of(values: Sequence[str]) -> str:
    """What filled values are: ``integer``, ``decimal``, ``boolean``, ``text``, ``nothing``, or a day or number with
    an example of how it is written, such as ``date like 30.9.2019``."""
    from netflix_dagster.files.kinds import DAY_FIRST, EITHER, MONTH_FIRST

    if not values:
        return NOTHING
    kinds = Counter(map(_kind, values))
    for slashed in (DAY_FIRST, MONTH_FIRST):  # of 9/9/2019 the others say which comes first; else the month
        if kinds[f"date like {slashed}"] or slashed == MONTH_FIRST:
            kinds[f"date like {slashed}"] += kinds.pop(f"date like {EITHER}", 0)
    enough = MOSTLY * len(values)
    dates = Counter({kind: count for kind, count in kinds.items() if kind.startswith("date")})
    if dates.total() >= enough:
        return dates.most_common(1)[0][0]
    if kinds["integer"] >= enough:
        return "integer"
    if kinds["integer"] + kinds["decimal"] >= enough:
        return "decimal"
    if kinds["integer"] + kinds["integer like 1,234"] >= enough:
        return "integer like 1,234"
    return "boolean" if kinds["boolean"] >= enough else "text"


def _kind(value: str) -> str:
    value = value.strip()
    if _INTEGER.fullmatch(value):
        return "integer"
    if _DECIMAL.fullmatch(value):
        return "decimal"
    if _GROUPED.fullmatch(value):
        return "integer like 1,234"
    if value.lower() in _FLAGS:
        return "boolean"
    if not value[-4:].strip().isdigit() and not value[:4].isdigit():
        return "text"
    if _TIME.fullmatch(value):
        return "date like 2019-09-30 23:59"
    from netflix_dagster.files.kinds import day_of

    day = day_of(value)
    return f"date like {day[0]}" if day else "text"


def _shaped(seen: Seen, values: Sequence[str | None], records: int) -> Seen:
    """The column with what its values say; ``values`` may leave out empty ones."""
    distinct = dict.fromkeys(values)
    distinct.pop(None, None)
    nulls = [value for value in distinct if value and len(value) <= _LONGEST_NULL and value.lower() in _NULLS]
    nothing = records - len(values) + values.count(None) + sum(values.count(value) for value in nulls)
    for value in nulls:
        del distinct[value]
    filled = [value for value in distinct if value]
    lengths = list(map(len, filled))
    return replace(
        seen,
        kind=kind_of(_spread(filled, _SAMPLE)),
        records=records,
        null_share=round(nothing / records, 4) if records else 0.0,
        distinct_values=len(filled),
        min_length=min(lengths, default=None),
        max_length=max(lengths, default=None),
    )


def _spread(values: Sequence[T], most: int) -> Sequence[T]:
    """So many of the values, the same ones each time. At random: files repeat themselves, and every twentieth record
    of a chart is a film."""
    if len(values) <= most:
        return values
    return [values[place] for place in sorted(random.Random(0).sample(range(len(values)), most))]


def _joined(one: Seen, other: Seen) -> Seen:
    kinds = {one.kind, other.kind} - {NOTHING}
    records = one.records + other.records
    nothing = one.null_share * one.records + other.null_share * other.records
    lows = [length for length in (one.min_length, other.min_length) if length is not None]
    highs = [length for length in (one.max_length, other.max_length) if length is not None]
    return replace(
        one,
        kind=min(kinds, default=NOTHING)
        if len(kinds) < 2
        else "decimal"
        if kinds == {"integer", "decimal"}
        else "text",
        records=records,
        null_share=round(nothing / records, 4) if records else 0.0,
        distinct_values=max(one.distinct_values, other.distinct_values),
        min_length=min(lows, default=None),
        max_length=max(highs, default=None),
    )


def _from_one(place: int | None) -> int | None:
    return None if place is None else place + 1
