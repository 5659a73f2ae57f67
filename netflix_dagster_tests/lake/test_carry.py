"""A carried_on table goes on where it stands when it may, and begins anew when it must."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from netflix_dagster.build.table import build
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import incremental, maintenance, store
from netflix_dagster.settings import Settings

pytestmark = pytest.mark.usefixtures("spark")
HISTORY = "silver.top10_global_history"
CHAIN = ("bronze.top10_global", "silver.top10_global", HISTORY)
HEADER = "week\tcategory\tweekly_rank\tshow_title\tseason_title\tweekly_hours_viewed\tcumulative_weeks_in_top_10"
DAYS = ("2022-01-04", "2022-01-11", "2022-01-18")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(landing=tmp_path / "landing", lake=tmp_path / "lake")


def deliver(settings: Settings, day: str, hours: int = 1000) -> None:
    folder = settings.landing / "top10_global" / day
    folder.mkdir(parents=True, exist_ok=True)
    weeks = ["2022-01-02", "2022-01-09", "2022-01-16"][: DAYS.index(day) + 1]
    rows = [f"{week}\tFilms (English)\t1\tThe Tin Heron\tN/A\t{hours}\t1" for week in weeks]
    (folder / "all.tsv").write_text("\n".join([HEADER, *rows]))


def make(settings: Settings, *days: str, tables: Iterable[str] = CHAIN) -> None:
    for name in tables:
        build(name, days, settings)


def plan(settings: Settings) -> tuple[bool, list[str]]:
    found = incremental.plan(settings.lake, TABLES[HISTORY])
    return found.anew, found.deliveries


def test_newer_deliveries_are_added_to_what_stands(settings: Settings) -> None:
    deliver(settings, DAYS[0])
    make(settings, DAYS[0], tables=CHAIN[:2])
    assert plan(settings) == (True, [DAYS[0]])
    make(settings, DAYS[0], tables=[HISTORY])
    assert plan(settings) == (False, [])
    make(settings, DAYS[0], tables=CHAIN[:2])
    assert plan(settings) == (True, [DAYS[0]]), "silver was written again"
    make(settings, DAYS[0], tables=[HISTORY])
    for day in DAYS[1:]:
        deliver(settings, day)
        make(settings, day, tables=CHAIN[:2])
    assert plan(settings) == (False, list(DAYS[1:]))
    make(settings, *DAYS[1:], tables=[HISTORY])
    assert plan(settings) == (False, [])
    assert store.row_count(settings.lake, HISTORY) == 3


def test_what_comes_late_or_again_begins_anew(settings: Settings) -> None:
    for day in (DAYS[0], DAYS[2]):
        deliver(settings, day)
        make(settings, day)
    make(settings, DAYS[2], tables=[HISTORY])
    assert plan(settings) == (False, [])
    deliver(settings, DAYS[1], hours=2000)
    make(settings, DAYS[1], tables=CHAIN[:2])
    assert plan(settings) == (True, list(DAYS))
    make(settings, DAYS[1], tables=[HISTORY])
    assert plan(settings) == (False, [])
    said = store.read_arrow(settings.lake, HISTORY)
    assert said is not None
    hours = {str(row["valid_from"]): row["weekly_hours_viewed"] for row in said.to_pylist() if row["weekly_rank"] == 1}
    assert hours == {DAYS[0]: 1000, DAYS[1]: 2000, DAYS[2]: 1000}


def test_upkeep_changes_nothing(settings: Settings) -> None:
    deliver(settings, DAYS[0])
    make(settings, DAYS[0])
    maintenance.maintain(settings.lake, 0)
    assert plan(settings) == (False, [])


def test_a_change_of_the_code_begins_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(settings, DAYS[0])
    make(settings, DAYS[0])
    assert plan(settings) == (False, [])
    monkeypatch.setattr(incremental.inspect, "getsource", lambda of: "other code")
    assert plan(settings) == (True, [DAYS[0]])
