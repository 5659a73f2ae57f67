"""Tables that go on from what stands come to the same rows as built at once, and do begin where the change does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import downstream_of, touched_tables, upstream_of
from netflix_dagster.deliveries import decisions
from netflix_dagster.lake import maintenance, store
from netflix_dagster_tests.lakehouse import Lakehouse, Row, title

pytestmark = pytest.mark.usefixtures("spark")
DAYS = ["2020-01-01", "2020-02-01", "2020-03-01", "2020-03-02"]
"""The last comes on the day after the one before it: what began there is not built again."""
GOING_ON = {name for name, table in TABLES.items() if table.goes_on and table.write == "whole"}
NEWER_ONLY = {name for name in GOING_ON if not TABLES[name].goes_on.back}  # type: ignore[union-attr]
WHOLE = [name for name in touched_tables("catalogue", ["netflix_catalogue"]) if name in upstream_of(GOING_ON)]
"""What a whole release goes through until these tables."""
RENAMED = downstream_of(["gold.fact_release_listing"])


def begun(house: Lakehouse) -> dict[str, str]:
    """When each table was last built from the beginning, as its note marks it."""
    return {name: json.loads(store.last_note(house.tables, name) or "")["begun"] for name in GOING_ON}


def anew(
    house: Lakehouse,
    day: str,
    *titles: Row,
    without: tuple[str, ...] = (),
    split: bool = False,
    only: list[str] | None = None,
) -> set[str]:
    """Deliver and build a release; the tables that this has built from the beginning."""
    before = begun(house)
    house.split(day, *titles, without=without) if split else house.release(day, *titles)
    house.build(day, only=only)
    now = begun(house)
    return {name for name in GOING_ON if now[name] != before[name]}


def test_a_build_goes_on_from_the_first_change_and_comes_to_the_same(tmp_path: Path) -> None:
    house = Lakehouse(tmp_path / "grown")
    plain = [title(n) for n in range(1, 7)]
    house.release(DAYS[0], *plain, title(8))
    house.build(DAYS[0])
    newer = [*plain[:4], title(5, rating="R"), title(7), title(8, cast="Pelle Oskwith 8, Corvin Wexcombe")]
    assert anew(house, DAYS[2], *newer) == set(), "a newer one is added"
    assert store.row_count(house.tables, "gold.fact_release_title") == 14
    late = [*plain, title(8, listed_in="Comedies")]
    assert anew(house, DAYS[1], *late, split=True, without=("netflix_cast",)) == NEWER_ONLY, (
        "a late one is gone back to"
    )
    maintenance.maintain(house.tables, 0, nobody_works=True)
    loud = [title(n, country="FRANCE, India") for n in range(1, 8)]
    assert anew(house, DAYS[3], *loud) == set(), "upkeep takes away nothing that is needed, and most still say France"
    assert anew(house, DAYS[3], *loud, *(title(n, country="FRANCE") for n in range(20, 40))) == {
        *NEWER_ONLY,
        *GOING_ON.intersection(RENAMED),
    }, "earlier rows have the name that is used most"
    at_once = Lakehouse(tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "landing").symlink_to(house.landing)
    at_once.build(*DAYS)
    grown, whole = house.contents("silver", "gold"), at_once.contents("silver", "gold")
    assert {name for name in whole if grown[name] != whole[name]} == set()
    assert any(row["is_return"] for row in house.rows("gold.fact_catalogue_change")), "title 6 is back"


def test_a_release_that_is_taken_away_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "FEW_ROWS", 0)  # as many rows: the engine replaces them
    house = Lakehouse(tmp_path)
    plain = [title(n) for n in range(1, 4)]
    house.release(DAYS[0], *plain)
    house.build(DAYS[0], only=WHOLE)
    first = house.contents("gold")
    assert anew(house, DAYS[1], *plain, title(4), only=WHOLE) == set()
    decisions.withdraw(house.tables, "netflix_catalogue", DAYS[1], "a test")
    house.build(DAYS[1], only=WHOLE)
    assert house.contents("gold") == first
