"""One, many or all deliveries, in any order, alone or as a range: the tables come out the same."""

from __future__ import annotations

import random
import shutil

import pytest

from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster_tests.defs.conftest import FIRST, SECOND, SPLIT
from netflix_dagster_tests.defs.house import PARTITIONS, House


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


@pytest.mark.parametrize("seed", [1])
def test_deliveries_one_by_one_in_any_order_end_in_the_tables_of_one_range(
    original: House, landed: House, seed: int
) -> None:
    order = random.Random(seed).sample([FIRST, SECOND, SPLIT], 3)
    assert order != sorted(order)
    for day in order:
        add(landed, day)
        assert landed.run(day).success
    assert landed.contents("silver", "gold") == original.contents("silver", "gold")


def test_some_then_all_deliveries_end_in_the_tables_of_one_range(original: House, landed: House) -> None:
    add(landed, SECOND, SPLIT, FIRST)
    assert landed.run(SECOND, SPLIT).success
    partly = landed.contents("gold")
    assert landed.run(SECOND, FIRST).success
    assert landed.contents("silver", "gold") == original.contents("silver", "gold")
    assert landed.contents("gold") != partly
