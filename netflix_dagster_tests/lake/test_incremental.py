"""An incremental table goes on where it stands when it may, and begins anew when it must."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import incremental, maintenance, store
from netflix_dagster_tests.lakehouse import Lakehouse

pytestmark = pytest.mark.usefixtures("spark")
HISTORY = "silver.top10_global_history"
CHAIN = ("bronze.top10_global", "silver.top10_global", HISTORY)
HEADER = "week\tcategory\tweekly_rank\tshow_title\tseason_title\tweekly_hours_viewed\tcumulative_weeks_in_top_10"
DAYS = ("2022-01-04", "2022-01-11", "2022-01-18")


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return Lakehouse(tmp_path)


def deliver(house: Lakehouse, day: str, hours: int = 1000) -> None:
    weeks = ["2022-01-02", "2022-01-09", "2022-01-16"][: DAYS.index(day) + 1]
    rows = [f"{week}\tFilms (English)\t1\tThe Tin Heron\tN/A\t{hours}\t1" for week in weeks]
    house.land("top10_global", day, "\n".join([HEADER, *rows]), "all.tsv")


def make(house: Lakehouse, *days: str, tables: Iterable[str] = CHAIN) -> None:
    house.build(*days, feed="charts", only=tables)


def plan(house: Lakehouse) -> tuple[bool, list[str]]:
    found = incremental.plan(house.tables, TABLES[HISTORY])
    return found.anew, found.deliveries


def test_newer_deliveries_are_added_to_what_stands(house: Lakehouse) -> None:
    deliver(house, DAYS[0])
    make(house, DAYS[0], tables=CHAIN[:2])
    assert plan(house) == (True, [DAYS[0]])
    make(house, DAYS[0], tables=[HISTORY])
    assert plan(house) == (False, [])
    make(house, DAYS[0], tables=CHAIN[:2])
    assert plan(house) == (True, [DAYS[0]]), "silver was written again"
    make(house, DAYS[0], tables=[HISTORY])
    for day in DAYS[1:]:
        deliver(house, day)
        make(house, day, tables=CHAIN[:2])
    assert plan(house) == (False, list(DAYS[1:]))
    make(house, *DAYS[1:], tables=[HISTORY])
    assert plan(house) == (False, [])
    assert store.row_count(house.tables, HISTORY) == 3


def test_many_deliveries_are_added_in_steps(house: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for day, hours in zip(DAYS, (1000, 2000, 1000), strict=True):
        deliver(house, day, hours)
    make(house, *DAYS)
    at_once = house.rows(HISTORY)
    assert len(at_once) == 6, "the first week has three statements, the second two"
    make(house, *DAYS, tables=CHAIN[:2])  # written again: the history begins anew
    monkeypatch.setattr(incremental, "MOST_ROWS", 3)
    found = incremental.plan(house.tables, TABLES[HISTORY])
    assert found.anew and found.steps(house.tables, TABLES[HISTORY]) == [list(DAYS[:2]), [DAYS[2]]]
    make(house, *DAYS, tables=[HISTORY])
    assert sorted(map(repr, house.rows(HISTORY))) == sorted(map(repr, at_once))


def test_what_comes_late_or_again_begins_anew(house: Lakehouse) -> None:
    for day in (DAYS[0], DAYS[2]):
        deliver(house, day)
        make(house, day)
    make(house, DAYS[2], tables=[HISTORY])
    assert plan(house) == (False, [])
    deliver(house, DAYS[1], hours=2000)
    make(house, DAYS[1], tables=CHAIN[:2])
    assert plan(house) == (True, list(DAYS))
    make(house, DAYS[1], tables=[HISTORY])
    assert plan(house) == (False, [])
    said = store.read_arrow(house.tables, HISTORY)
    assert said is not None
    hours = {str(row["valid_from"]): row["weekly_hours_viewed"] for row in said.to_pylist() if row["weekly_rank"] == 1}
    assert hours == {DAYS[0]: 1000, DAYS[1]: 2000, DAYS[2]: 1000}


def test_upkeep_changes_nothing(house: Lakehouse) -> None:
    deliver(house, DAYS[0])
    make(house, DAYS[0])
    maintenance.maintain(house.tables, 0, nobody_works=True)
    assert plan(house) == (False, [])


def test_a_change_of_the_code_begins_anew(house: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(house, DAYS[0])
    make(house, DAYS[0])
    assert plan(house) == (False, [])
    monkeypatch.setattr(incremental.inspect, "getsource", lambda of: "other code")
    assert plan(house) == (True, [DAYS[0]])
