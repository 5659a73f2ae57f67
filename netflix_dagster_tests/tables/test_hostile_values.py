"""Hostile deliveries from the landing folder to silver: every record of a file is in bronze or refused, and every row
of bronze is in silver, in the quarantine, or a copy of one that is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from netflix_dagster import tables
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.report import Outcome
from netflix_dagster.deliveries import quarantine
from netflix_dagster.lake import store
from netflix_dagster.lake.query import query
from netflix_dagster.landing.sources import PACKAGED, load_sources
from netflix_dagster.settings import Settings

pytestmark = pytest.mark.usefixtures("spark")
Row = Mapping[str, str]
SOURCES = load_sources().sources
DAY = "2023-02-07"
GOOD = 40


def film(n: int, **other: str) -> Row:
    row = dict.fromkeys(SOURCES["netflix_catalogue"].columns, "")
    row |= {"show_id": f"s{n}", "type": "Movie", "title": f"Film {n}", "release_year": "2019", "duration": "90 min"}
    return (
        row | {"date_added": "September 9, 2019", "rating": "PG", "listed_in": "Dramas", "description": "So."} | other
    )


def place(n: int, **other: str) -> Row:
    row = {"week": str(date(2023, 1, 1) + timedelta(weeks=n // 10)), "category": "Films (English)"}
    row |= {"weekly_rank": str(1 + n % 10)}
    row |= {"show_title": f"Film {n}", "season_title": "N/A", "weekly_hours_viewed": str(1_000_000 + n)}
    row |= {"runtime": "", "weekly_views": ""}
    return row | {"cumulative_weeks_in_top_10": "1"} | other


def as_file(rows: Iterable[Row], delimiter: str) -> bytes:
    rows = list(rows)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


class Lake:
    """A lake with one delivery of one source, built to silver."""

    def __init__(self, root: Path, source: str, data: bytes, on_drift: str = "rescue") -> None:
        self.source, self.settings = SOURCES[source], Settings(landing=root / "landing", lake=root / "lake")
        if on_drift != "rescue":
            (root / "sources.yaml").write_text(
                PACKAGED.read_text().replace("    form: ", f"    on_drift: {on_drift}\n    form: ")
            )
            self.settings = self.settings.model_copy(update={"sources": root / "sources.yaml"})
        path = self.settings.landing / source / DAY / f"file.{self.source.format}"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)

    def build(self, *names: str) -> list[Outcome]:
        """Have the runner build some tables together."""
        sources = load_sources(self.settings.sources)
        tables.declare(sources)
        try:
            with Session(self.settings, sources, "test", names, {self.source.feed: [DAY]}) as session:
                return [session.build(name).outcome(DAY) for name in session.tables]
        finally:
            tables.declare(load_sources())

    def both(self, silver: str, records: int) -> Outcome:
        """Build bronze and silver, and see that no record is lost on the way."""
        bronze, outcome = self.build(self.source.bronze, silver)
        assert bronze.held_back is None
        assert bronze.rows == records
        assert store.row_count(self.settings.lake, self.source.bronze) == (0 if outcome.held_back else records)
        if not outcome.held_back:
            assert outcome.rows + outcome.quarantined + outcome.copies == records
            assert store.row_count(self.settings.lake, silver) == outcome.rows
        return outcome

    def values(self, table: str, *columns: str) -> list[tuple[object, ...]]:
        held = store.read_arrow(self.settings.lake, table, columns=list(columns))
        assert held is not None
        return list(zip(*(held.column(name).to_pylist() for name in columns), strict=True))

    def last(self, table: str, column: str) -> tuple[object, ...]:
        """What the table holds of a column in the last record of the file; nothing if it does not hold the record."""
        held = self.values(table, "record_number", column)
        records = self.values(self.source.bronze, "record_number")
        return tuple(value for number, value in held if (number,) == max(records))

    def refused(self, table: str) -> dict[str, int]:
        """What a table has refused: the rules, and how many rows broke each."""
        rows = quarantine.rows(self.settings.lake, quarantine.Selection(table=table))
        return {reason["rule"]: reason["rows"] for reason in quarantine.tallied(rows)}


def broken(outcome: Outcome) -> set[str]:
    """The checks that do not pass."""
    return {check.name for check in outcome.checks if not check.passed}


FORMULAS = ('=HYPERLINK("http://x","go")', "+cmd|' /C calc'!A0", "@SUM(1+1)", "-1+1")
TITLES = (
    *FORMULAS,
    "A\u202egnp.exe\u2069",
    "A\u200bB",
    "\u0410lien",
    "A\u2028B",
    "'; DROP TABLE titles; --",
    "null island",
    "{}",
    "\x1b[31mred",
    "\ufffd\uffff",
    "x" * 10_000,
)


def test_titles_of_every_sort_are_text_all_the_way(tmp_path: Path) -> None:
    rows = [*(film(n) for n in range(GOOD)), *(film(1000 + n, title=title) for n, title in enumerate(TITLES))]
    lake = Lake(tmp_path, "netflix_catalogue", as_file(rows, ","))
    assert lake.both("silver.titles", len(rows)).held_back is None
    delivered = {title for (title,) in lake.values("bronze.netflix_catalogue", "title")}
    assert delivered >= set(TITLES)
    silver = {title for (title,) in lake.values("silver.titles", "title")}
    assert silver >= {title for title in TITLES if title.isascii() and title.isprintable()}
    assert len(silver) == len(rows)


def test_a_query_gives_formulas_as_they_were_delivered(tmp_path: Path) -> None:
    """A reader that changed them would change negative numbers and names as well: it is the spreadsheet that must
    not take text for formulas."""
    rows = [film(n, title=title) for n, title in enumerate(FORMULAS)]
    lake = Lake(tmp_path, "netflix_catalogue", as_file(rows, ","))
    lake.build("bronze.netflix_catalogue")
    found = query(lake.settings.lake, "SELECT title FROM bronze.netflix_catalogue ORDER BY record_number").to_pylist()
    assert [row["title"] for row in found] == list(FORMULAS)


@pytest.mark.parametrize(
    ("column", "value", "told_by", "silver"),
    [
        ("release_year", "20l9", "release_year_not_null", ()),
        ("release_year", "1e400", "release_year_not_null", ()),
        ("release_year", "-2019", "release_year_plausible", (-2019,)),
        ("date_added", "February 30, 2019", "date_added_readable", (None,)),
        ("duration", "\u0669\u0660 min", "duration_stated", ("\u0669\u0660 min",)),
        ("duration", "9" * 40 + " min", "duration_stated", ("9" * 40 + " min",)),
    ],
)
def test_a_value_of_a_title_that_is_none_of_its_kind_is_told_and_loses_no_row(
    tmp_path: Path, column: str, value: str, told_by: str, silver: tuple[object, ...]
) -> None:
    rows = [*(film(n) for n in range(GOOD)), film(999, **{column: value})]
    lake = Lake(tmp_path, "netflix_catalogue", as_file(rows, ","))
    outcome = lake.both("silver.titles", len(rows))
    assert outcome.held_back is None
    assert told_by in broken(outcome)
    assert lake.refused("silver.titles") == ({} if silver else {told_by: 1})
    if column != "duration":  # silver keeps no text of it
        assert lake.last("silver.titles", column) == silver
    assert lake.last("bronze.netflix_catalogue", column) == (value,)


@pytest.mark.parametrize(
    ("column", "value", "told_by", "silver"),
    [
        ("weekly_rank", "-1", "weekly_rank_plausible", (-1,)),
        ("weekly_rank", "1e1", "weekly_rank_not_null", ()),
        ("weekly_rank", "NaN", "weekly_rank_not_null", ()),
        ("weekly_rank", "999999999999", "weekly_rank_not_null", ()),
        ("weekly_hours_viewed", "1,234,567", None, (1_234_567,)),
        ("weekly_hours_viewed", "1.2E+9", "weekly_hours_viewed_readable", ()),
        ("weekly_hours_viewed", "Infinity", "weekly_hours_viewed_readable", ()),
        ("weekly_hours_viewed", "1234.5", "weekly_hours_viewed_readable", ()),
        ("weekly_hours_viewed", "9" * 30, "weekly_hours_viewed_readable", ()),
        ("weekly_hours_viewed", "12,34", "weekly_hours_viewed_readable", ()),
        ("weekly_hours_viewed", "1 234 567", None, (1_234_567,)),
        ("weekly_hours_viewed", "-5", "weekly_hours_viewed_plausible", ()),
        ("weekly_hours_viewed", str(2**63 - 1), "weekly_hours_viewed_plausible", ()),
        ("weekly_views", "1,2,3", "weekly_views_readable", ()),
        ("runtime", "1,97", "runtime_readable", ()),
        ("runtime", "1:75", "runtime_readable", ()),
        ("runtime", "-1.5", "runtime_plausible", ()),
        ("runtime", "9" * 400, "runtime_plausible", ()),
        ("runtime", "0", None, (None,)),
        ("runtime", "1:30", None, (1.5,)),
        ("cumulative_weeks_in_top_10", "1.5", "cumulative_weeks_in_top_10_readable", ()),
        ("cumulative_weeks_in_top_10", "2147483647", "cumulative_weeks_in_top_10_plausible", ()),
        ("week", "2023-02-30", "week_not_null", ()),
        ("week", "9999-12-26", "week_plausible", ()),
        ("week", "01/02/2023", "week_ends_on_sunday", (date(2023, 1, 2),)),
    ],
)
def test_a_number_or_day_of_a_chart_that_is_none_is_told_and_loses_no_row(
    tmp_path: Path, column: str, value: str, told_by: str | None, silver: tuple[object, ...]
) -> None:
    rows = [*(place(n) for n in range(GOOD)), place(GOOD, **{column: value})]
    lake = Lake(tmp_path, "top10_global", as_file(rows, "\t"))
    outcome = lake.both("silver.top10_global", len(rows))
    assert outcome.held_back is None
    assert told_by is None or told_by in broken(outcome)
    assert lake.refused("silver.top10_global") == ({} if silver else {told_by: 1})
    assert lake.last("silver.top10_global", column) == silver
    assert lake.last("bronze.top10_global", column) == (value,)


def test_the_same_place_twice_is_told(tmp_path: Path) -> None:
    rows = [*(place(n) for n in range(GOOD)), place(0), place(1, show_title="Another")]
    outcome = Lake(tmp_path, "top10_global", as_file(rows, "\t")).both("silver.top10_global", len(rows))
    assert outcome.copies == 1
    assert outcome.quarantined == 1 or outcome.held_back


def refused_at_the_door() -> dict[str, tuple[Callable[[bytes], bytes], str]]:
    return {
        "cut short": (lambda data: data[:-30], "ends inside the quotes of record 40"),
        "joined": (lambda data: data + data, "is the header again"),
        "packed": (lambda data: b"\x1f\x8b\x08\0" + data, "packed with gzip"),
        "wide": (lambda data: data.decode().encode("utf-16-le"), "UTF-16 without a byte order mark"),
        "semicolons": (lambda data: data.replace(b",", b";"), "missing columns"),
        "an error": (lambda data: b'{"error": 404}', "is JSON"),
    }


@pytest.mark.parametrize(("spoil", "reason"), refused_at_the_door().values(), ids=refused_at_the_door())
def test_what_is_refused_at_the_door_reaches_no_table(
    tmp_path: Path, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    data = spoil(as_file((film(n) for n in range(GOOD)), ","))
    lake = Lake(tmp_path, "netflix_catalogue", data)
    (outcome,) = lake.build("bronze.netflix_catalogue")
    assert reason in (outcome.held_back or "")
    assert outcome.quarantined == sum(lake.refused("bronze.netflix_catalogue").values()) > 0
    assert not store.exists(lake.settings.lake, "bronze.netflix_catalogue")


def test_silver_is_the_same_whatever_columns_its_bronze_has_grown(tmp_path: Path) -> None:
    """Not even columns that are called like those that silver makes itself."""
    rows = [film(n) for n in range(GOOD)]
    names = ("title_key", "natural_key", "minutes", "seasons", "row_number", "broken", "short_title", "added_on")
    grown = [{**row, **dict.fromkeys(names, "X")} for row in rows]
    found: list[Sequence[tuple[object, ...]]] = []
    for policy, delivered in (("rescue", rows), ("evolve", grown)):
        (tmp_path / policy).mkdir()
        lake = Lake(tmp_path / policy, "netflix_catalogue", as_file(delivered, ","), policy)
        lake.both("silver.titles", len(rows))
        columns = store.read_arrow(lake.settings.lake, "silver.titles")
        assert columns is not None
        kept = columns.drop_columns([n for n in ("loaded_at", "run_id") if n in columns.column_names])
        found.append(sorted(map(str, kept.to_pylist())))  # type: ignore[arg-type]
    assert {value for (value,) in lake.values("bronze.netflix_catalogue", "title_key")} == {"X"}
    assert found[0] == found[1]
