"""What must not matter: refused rows, the names of files, earlier attempts, the order of records."""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster_tests.lakehouse import Tables
from netflix_dagster_tests.model.compare import Both
from netflix_dagster_tests.model.engagement import Sheet
from netflix_dagster_tests.model.histories import ORDERS, Author, Step
from netflix_dagster_tests.model.platform import FEED
from netflix_dagster_tests.model.test_histories import seeds
from netflix_dagster_tests.model.text import words

pytestmark = pytest.mark.usefixtures("spark")
DAY = "2023-07-05"
CLASHES = {
    # dirt by which the first of several records counts, so that their order matters
    *("exact duplicate of a record", "duplicate that lists more", "two titles claim one show id"),
    *("a place stated twice alike", "a place stated twice otherwise", "a title in two cases", "a row stated twice"),
    *("a record broken in two", "duplicate in a list file", "a rank beyond ten", "an unknown category"),
    *("a week that ends on a Saturday", "one name with two codes", "two works of one name"),
    *("a member twice", "a member twice in two cases"),
}
Table = list[list[str]]


def deliveries(seed: int, without: set[str]) -> list[Step]:
    """One delivery of every kind, on one date."""
    author = Author(seed, without={*without, "a file that cannot be read", "a split file does not come"})
    titles = author.titles(DAY)
    split = seed % 2
    found = author.split(titles) if split else {"netflix_catalogue": author.whole(titles)}
    found |= {source: author.chart(source, DAY) for source in ("top10_global", "top10_countries", "most_popular")}
    found["engagement"] = author.report(DAY)
    return [Step("land", source, DAY, content) for source, content in found.items()]


def built(folder: Path, *attempts: list[Step]) -> Both:
    """A lakehouse in which these deliveries were built, one attempt after the other."""
    both = Both(folder)
    for steps in attempts:
        for step in [*steps, Step("build")]:
            both.apply(step)
    return both


def tables(both: Both, layers: tuple[str, ...], *aside: str) -> Tables:
    """What some layers hold, but for some columns."""
    names = [name for name, table in TABLES.items() if table.layer in layers]
    rows = {name: both.house.rows(name) for name in names}
    return {n: sorted(repr({k: v for k, v in r.items() if k not in aside}) for r in rs) for n, rs in rows.items()}


def changed(steps: list[Step], change: Callable[[str, Table], Table], sheets: Callable[[Sheet], Sheet]) -> list[Step]:
    """The deliveries with the records of each file, its header first, changed."""

    def file(source: str, data: Any) -> Any:
        if isinstance(data, tuple):
            return tuple(map(sheets, data))
        mark = "," if FEED[source] == "catalogue" else "\t"
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=mark))
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=mark, lineterminator="\n").writerows([lines[0], *change(source, lines)])
        return text.getvalue().encode()

    contents = ({name: file(s.source, data) for name, data in s.content.items()} for s in steps)
    return [replace(step, content=content) for step, content in zip(steps, contents, strict=True)]


@pytest.fixture(scope="module", params=range(int(os.environ.get("NETFLIX_RULES") or 1)))
def seed(request: pytest.FixtureRequest) -> int:
    return seeds(1)[0]


def test_a_refused_row_changes_nothing(seed: int, tmp_path: Path) -> None:
    def refused(source: str, lines: Table) -> Table:
        needed = "show_title" if FEED[source] == "charts" else "show_id"
        return [*lines[1:], ["" if name.lower() == needed else "x" for name in lines[0]]]

    def noted(sheet: Sheet) -> Sheet:
        return replace(sheet, rows=(*sheet.rows, ("A note below the table", *[""] * (len(sheet.header) - 1))))

    steps = deliveries(seed, set())
    same = changed(steps, lambda _, lines: lines[1:], lambda sheet: sheet)
    was, now = built(tmp_path / "was", same), built(tmp_path / "now", changed(steps, refused, noted))
    if all(d.status.value == "standing" for d in now.house.life.deliveries.values()):
        aside = ("record_number",)  # of the sheets behind the first
        assert tables(was, ("silver", "gold"), *aside) == tables(now, ("silver", "gold"), *aside), seed


def test_the_name_of_a_file_matters_to_nothing(seed: int, tmp_path: Path) -> None:
    steps = deliveries(seed, set())
    renamed = [replace(s, content={f"of {name}": data for name, data in s.content.items()}) for s in steps]
    was, now = built(tmp_path / "was", steps), built(tmp_path / "now", renamed)
    aside = ("source_file", "copies")
    assert tables(was, ("silver", "gold"), *aside) == tables(now, ("silver", "gold"), *aside), seed


def test_two_attempts_end_as_the_last(seed: int, tmp_path: Path) -> None:
    steps = deliveries(seed, set())
    others = deliveries(seed + 1, set())
    first = [step for step in others if step.source in {s.source for s in steps}]
    was, now = built(tmp_path / "was", steps), built(tmp_path / "now", first, steps)
    held = [p for p, d in was.house.life.deliveries.items() if d.status.value != "standing"]
    if not held:
        assert tables(was, ("bronze", "silver", "gold")) == tables(now, ("bronze", "silver", "gold")), seed


def test_the_order_of_records_matters_to_their_numbers_alone(seed: int, tmp_path: Path) -> None:
    author = random.Random(seed)

    def shuffled(_: str, lines: Table) -> Table:
        return author.sample(lines[1:], len(lines) - 1)

    def alike(sheet: Sheet) -> Sheet:
        named = {words(row[0]): row for row in sheet.rows}  # of a title in two cases the first spelling counts
        return replace(sheet, rows=tuple(named.values()))

    def mixed(sheet: Sheet) -> Sheet:
        rows = alike(sheet).rows
        return replace(sheet, rows=tuple(author.sample(rows, len(rows))))

    steps = deliveries(seed, CLASHES)
    same = changed(steps, lambda _, lines: lines[1:], alike)
    was, now = built(tmp_path / "was", same), built(tmp_path / "now", changed(steps, shuffled, mixed))
    aside = ("record_number", "copies", *(ORDERS if seed % 2 else ()))
    assert tables(was, ("silver", "gold"), *aside) == tables(now, ("silver", "gold"), *aside), seed
