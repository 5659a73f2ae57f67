"""The graph of tables: one order for every runner, whatever the order of declaration."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import LAYERS, TABLES, ContractError, Table
from netflix_dagster.contracts.graph import (
    build_order,
    downstream_of,
    feed_tables,
    left_out,
    touched_tables,
    upstream_of,
)


def position(order: list[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(order)}


def test_every_table_comes_after_what_it_reads_and_layer_by_layer() -> None:
    order = build_order()
    place = position(order)
    assert sorted(order) == sorted(TABLES)
    assert all(place[read] < place[name] for name in order for read in TABLES[name].reads)
    assert [TABLES[name].layer for name in order] == sorted((TABLES[n].layer for n in order), key=LAYERS.index)


def test_the_order_of_declaration_only_decides_between_tables_that_do_not_read_each_other() -> None:
    names = list(TABLES)
    for seed in range(20):
        random.Random(seed).shuffle(names)
        place = position(build_order(tables={name: TABLES[name] for name in names}))
        assert all(place[read] < place[name] for name in names for read in TABLES[name].reads)
    assert build_order(reversed(names)) == build_order(), "the order of the question does not matter"


def test_a_circle_is_refused_by_name() -> None:
    tables = dict(TABLES)
    tables["silver.titles"] = replace(TABLES["silver.titles"], reads=("gold.dim_genre",))
    with pytest.raises(ContractError, match=r"circle.*gold\.dim_genre.*silver\.titles"):
        build_order(tables=tables)


def test_upstream_and_downstream_are_each_others_mirror() -> None:
    for name in TABLES:
        assert {other for other in TABLES if name in upstream_of([other])} == set(downstream_of([name]))


def test_names_that_are_not_declared_are_passed_over() -> None:
    assert build_order(["silver.titles", "silver.nothing"]) == ["silver.titles"]
    assert downstream_of(["bronze.nothing"]) == upstream_of(["bronze.nothing"]) == []


@pytest.mark.parametrize("feed", sorted({table.feed for table in TABLES.values() if table.feed}))
def test_a_feed_is_what_all_its_sources_touch_together(feed: str) -> None:
    sources = [name.partition(".")[2] for name, table in TABLES.items() if table.feed == feed and not table.reads]
    assert touched_tables(feed, sources) == feed_tables(feed)
    assert {TABLES[name].feed for name in feed_tables(feed)} <= {feed, None}


def test_only_what_reads_a_blocked_table_is_left_out() -> None:
    def chain(table: Table) -> bool:
        return table.name in downstream_of(["silver.title_cast"]) and table.name != "silver.title_cast"

    assert left_out(TABLES, ["silver.title_cast"]) == {table.name for table in TABLES.values() if chain(table)}
    assert left_out(["gold.dim_genre"], ["bronze.netflix_catalogue"]) == set(), "what stands between is not built"
