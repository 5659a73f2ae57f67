"""One, many or all deliveries, in any order, alone or as a range: the tables come out the same."""

from __future__ import annotations

import shutil
from itertools import permutations

import pytest

from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster_tests.defs.conftest import FIRST, SECOND, SPLIT
from netflix_dagster_tests.defs.house import PARTITIONS, House

DAYS = (FIRST, SECOND, SPLIT)


@pytest.fixture
def landed(original: House, house: House) -> House:
    """The deliveries of ``original`` have landed, nothing is built and no partition is known."""
    shutil.copytree(original.landing, house.landing)
    return house


def add(house: House, *days: str) -> None:
    house.instance.add_dynamic_partitions(PARTITIONS, list(days))


def test_there_is_something_to_compare(original: House) -> None:
    held = original.contents()
    without_charts = {"gold.bridge_title_chart"}
    assert {name for name, rows in held.items() if rows} == set(feed_tables("catalogue")) - without_charts
    changes = {(row["change"], row["is_return"]) for row in original.rows("gold.fact_catalogue_change")}
    assert changes == {("added", False), ("added", True), ("changed", False), ("removed", False)}


def test_deliveries_alone_and_as_ranges_in_any_order_end_in_the_tables_of_one_range(
    original: House, landed: House
) -> None:
    """The newest comes first, then a range in which it is built once more, then the earliest alone."""
    add(landed, SPLIT, SECOND)
    assert landed.run(SPLIT).success
    assert landed.run(SPLIT, SECOND).success
    partly = landed.contents("gold")
    add(landed, FIRST)
    assert landed.run(FIRST).success
    assert landed.contents("silver", "gold") == original.contents("silver", "gold")
    assert landed.contents("gold") != partly


@pytest.mark.soak
@pytest.mark.parametrize("order", [order for order in permutations(DAYS) if order != DAYS], ids="-".join)
def test_deliveries_one_by_one_in_any_order_end_in_the_tables_of_one_range(
    original: House, landed: House, order: tuple[str, ...]
) -> None:
    for day in order:
        add(landed, day)
        assert landed.run(day).success
    assert landed.contents("silver", "gold") == original.contents("silver", "gold")
