"""What must not matter: refused rows, the names of files, earlier attempts, the order of records."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster_tests.lakehouse import Tables
from netflix_dagster_tests.model.catalogue import COUNTRIES, LISTS
from netflix_dagster_tests.model.compare import Both
from netflix_dagster_tests.model.engagement import Sheet
from netflix_dagster_tests.model.histories import ORDERS, Author, Step
from netflix_dagster_tests.model.platform import FEED, Platform
from netflix_dagster_tests.model.test_histories import seeds
from netflix_dagster_tests.model.text import tidy, words

pytestmark = pytest.mark.usefixtures("spark")
DAY, MOST_TRIED = "2023-07-05", 50
CLASHES = {
    # dirt by which the first of several records counts, so that their order matters
    *("exact duplicate of a record", "duplicate that lists more", "two titles claim one show id"),
    *("a place stated twice alike", "a place stated twice otherwise", "a title in two cases", "a row stated twice"),
    *("a record broken in two", "duplicate in a list file", "a rank beyond ten", "an unknown category"),
    "a week in another form",  # and that of another chart
    *("a week that ends on a Saturday", "one name with two codes", "two works of one name"),
    *("a member twice", "a member twice in two cases", "minutes and as many seasons under one show id"),
}
Table = list[list[str]]
SILVER_AND_GOLD = ("silver", "gold")


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
    with Both(folder) as both:
        for steps in attempts:
            for step in [*steps, Step("build")]:
                both.apply(step)
    return both


def tables(both: Both, layers: tuple[str, ...], *aside: str) -> Tables:
    """What some layers hold, but for some columns."""
    names = [name for name, table in TABLES.items() if table.layer in layers]
    rows = {name: both.house.rows(name) for name in names}
    return {n: sorted(repr({k: v for k, v in r.items() if k not in aside}) for r in rs) for n, rs in rows.items()}


def told(folder: Path, aside: tuple[str, ...], *attempts: list[Step]) -> Tables:
    """What silver and gold hold after these attempts, but for some columns."""
    return tables(built(folder, *attempts), SILVER_AND_GOLD, *aside)


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


def as_it_is(_: str, lines: Table) -> Table:
    return lines[1:]


def refused(source: str, lines: Table) -> Table:
    """The records, and one that the rules refuse."""
    needed = "show_title" if FEED[source] == "charts" else "show_id"
    return [*lines[1:], ["" if name.lower() == needed else "x" for name in lines[0]]]


def noted(sheet: Sheet) -> Sheet:
    """The sheet, and a note below its table."""
    return replace(sheet, rows=(*sheet.rows, ("A note below the table", *[""] * (len(sheet.header) - 1))))


def spelled_once(sheet: Sheet) -> Sheet:
    """The sheet without further spellings of a title: of these the first counts."""
    return replace(sheet, rows=tuple({words(row[0]): row for row in sheet.rows}.values()))


def renamed(steps: list[Step]) -> list[Step]:
    return [replace(s, content={f"of {name}": data for name, data in s.content.items()}) for s in steps]


def shuffled(steps: list[Step], seed: int) -> list[Step]:
    """The deliveries with the records of each file in another order."""
    author = random.Random(seed)

    def mixed(sheet: Sheet) -> Sheet:
        return replace(sheet, rows=tuple(author.sample(sheet.rows, len(sheet.rows))))

    return changed(steps, lambda _, lines: author.sample(lines[1:], len(lines) - 1), mixed)


def listed_once(source: str, lines: Table) -> Table:
    """The records; of a list file without further spellings of a member: of these the first counts."""
    if source not in {of for _, of, _, _ in LISTS.values()}:
        return lines[1:]
    item = next(place for place, name in enumerate(lines[0]) if name.lower() != "show_id")
    found: dict[tuple[str, str], list[str]] = {}
    for line in lines[1:]:
        member = (tidy(line[item]) or "").strip(", ").lower()
        found.setdefault((line[1 - item], COUNTRIES.get(member, (member,))[0]), line)
    return list(found.values())


def without_order(steps: list[Step]) -> list[Step]:
    """The deliveries without what counts only where it comes first."""
    return changed(steps, listed_once, spelled_once)


def others(steps: list[Step], seed: int) -> list[Step]:
    """Other contents of the same deliveries."""
    return [step for step in deliveries(seed + 2, set()) if step.source in {s.source for s in steps}]


def all_stand(*attempts: list[Step]) -> bool:
    """Whether all of the last attempt stands, as the model says: of what is held another attempt may stand."""
    model = Platform()
    for steps in attempts:
        for step in steps:
            model.land(step.source, step.key, step.content)
        model.build()
    return all(model.status(*place) == "standing" for place in model.deliveries)


def seed_of(attempts: Callable[[int], list[list[Step]]]) -> int:
    """A seed of deliveries that all stand, whether each of these attempts is all that ever comes or the last."""
    for seed in seeds(MOST_TRIED):
        tried = attempts(seed)
        if all_stand(*tried) and all(all_stand(steps) for steps in tried):
            return seed
    return pytest.skip("of no seed tried all deliveries stand")


def test_nothing_of_it_matters(tmp_path: Path) -> None:
    """All of it at once: an earlier attempt, other names, another order, refused rows."""

    def attempts(seed: int) -> list[list[Step]]:
        steps = without_order(deliveries(seed, CLASHES))
        return [others(steps, seed), steps, shuffled(changed(renamed(steps), refused, noted), seed)]

    earlier, steps, now = attempts(seed := seed_of(attempts))
    aside = ("record_number", "source_file", "copies", *(ORDERS if seed % 2 else ()))
    assert told(tmp_path / "was", aside, steps) == told(tmp_path / "now", aside, earlier, now), seed


# One by one

EACH = pytest.mark.parametrize("nth", range(10))


@EACH
@pytest.mark.soak
def test_a_refused_row_changes_nothing(nth: int, tmp_path: Path) -> None:
    def attempts(seed: int) -> list[list[Step]]:
        steps = deliveries(seed, set())
        return [changed(steps, as_it_is, lambda sheet: sheet), changed(steps, refused, noted)]

    was, now = attempts(seed := seed_of(attempts))
    aside = ("record_number",)  # that of the sheets behind the first
    assert told(tmp_path / "was", aside, was) == told(tmp_path / "now", aside, now), seed


@EACH
@pytest.mark.soak
def test_the_name_of_a_file_matters_to_nothing(nth: int, tmp_path: Path) -> None:
    (seed,) = seeds(1)
    steps, aside = deliveries(seed, set()), ("source_file", "copies")
    assert told(tmp_path / "was", aside, steps) == told(tmp_path / "now", aside, renamed(steps)), seed


@EACH
@pytest.mark.soak
def test_two_attempts_end_as_the_last(nth: int, tmp_path: Path) -> None:
    def attempts(seed: int) -> list[list[Step]]:
        steps = deliveries(seed, set())
        return [others(steps, seed), steps]

    earlier, steps = attempts(seed := seed_of(attempts))
    was, now = built(tmp_path / "was", steps), built(tmp_path / "now", earlier, steps)
    assert tables(was, ("bronze", *SILVER_AND_GOLD)) == tables(now, ("bronze", *SILVER_AND_GOLD)), seed


@EACH
@pytest.mark.soak
def test_the_order_of_records_matters_to_their_numbers_alone(nth: int, tmp_path: Path) -> None:
    (seed,) = seeds(1)
    steps = without_order(deliveries(seed, CLASHES))
    aside = ("record_number", "copies", *(ORDERS if seed % 2 else ()))
    assert told(tmp_path / "was", aside, steps) == told(tmp_path / "now", aside, shuffled(steps, seed)), seed
