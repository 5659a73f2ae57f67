"""Rules about a delivery as a whole: each kind kept and broken, and compared with the delivery before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from netflix_dagster.contracts.contract import TABLES, Column, Table
from netflix_dagster.contracts.delivery_rules import (
    DeliveryRule,
    null_share,
    recent,
    row_count_change,
    stability_index,
    stable,
)
from netflix_dagster.contracts.report import Check, Report
from netflix_dagster.deliveries import results
from netflix_dagster.deliveries.decisions import withdraw
from netflix_dagster.deliveries.life import Status, combination_id
from netflix_dagster.lake import store
from netflix_dagster_tests.lakehouse import Lakehouse

pytestmark = pytest.mark.usefixtures("spark")
DAYS = ("2022-01-04", "2022-01-11", "2022-01-18")
HEADER = "week\tcategory\tweekly_rank\tshow_title\tseason_title\tweekly_hours_viewed\tcumulative_weeks_in_top_10"
TRIAL = "silver.trial_of_rules"


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return Lakehouse(tmp_path)


@pytest.fixture
def trial() -> Iterator[Any]:
    """Declare a silver table of the charts with the rules to be tried, and have no other table but its bronze."""

    def declare(*rules: DeliveryRule) -> None:
        charts = TABLES["bronze.top10_global"]
        names = ("delivery_date", "week", "category", "weekly_rank", "weekly_hours_viewed")
        columns = tuple(Column(name, "date" if name in names[:2] else "string", "") for name in names)
        table = Table(
            TRIAL,
            "A trial",
            "one place",
            ("delivery_date", "category", "week", "weekly_rank"),
            columns,
            "charts",
            (charts.name,),
            lambda rows: rows.withColumn("week", rows["week"].cast("date")).select(*names),
            "per_delivery",
            delivery_rules=rules,
        )
        TABLES.clear()
        TABLES.update({charts.name: charts, TRIAL: table})

    with mock.patch.dict(TABLES):  # gives every table its place back: the dictionary and the build order depend on it
        yield declare


def deliver(house: Lakehouse, day: str, rows: list[tuple[str, str, int, str | None]]) -> None:
    """Rows of (week, category, rank, hours)."""
    lines = [f"{week}\t{category}\t{rank}\tTitle\tN/A\t{hours or ''}\t1" for week, category, rank, hours in rows]
    house.land("top10_global", day, "\n".join([HEADER, *lines]) + "\n", "all.tsv")


def make(house: Lakehouse, *days: str) -> Report:
    return house.build(*days, feed="charts")[TRIAL]


def check(report: Report, day: str, rule: DeliveryRule) -> Check:
    (found,) = (c for c in report.outcomes[day].checks if c.name == rule.name)
    return found


def places(count: int, category: str = "TV (English)", week: str = "2022-01-02", hours: str | None = "10") -> Any:
    return [(week, category, rank, hours) for rank in range(1, count + 1)]


def test_the_number_of_rows_is_compared_with_the_delivery_before(house: Lakehouse, trial: Any) -> None:
    rule = row_count_change(0.5)
    trial(rule)
    for day, count in zip(DAYS, (10, 14, 30), strict=True):
        deliver(house, day, places(count))
    report = make(house, *DAYS)
    assert [check(report, day, rule).passed for day in DAYS] == [True, True, False]
    said = check(report, DAYS[2], rule)
    assert said.message.startswith("30 rows, 14 in the delivery before (+114%)") and not report.held_back
    deliver(house, DAYS[1], places(4))
    report = make(house, DAYS[1])
    assert "4 rows, 10 in the delivery before (-60%)" in check(report, DAYS[1], rule).message, "from quality.results"
    report = make(house, DAYS[2])
    assert "30 rows, 4 in the delivery before" in check(report, DAYS[2], rule).message, "the newest build of it counts"


def test_the_share_of_nulls(house: Lakehouse, trial: Any) -> None:
    rule = null_share("weekly_hours_viewed", 0.4)
    trial(rule)
    deliver(house, DAYS[0], places(6) + places(4, "Films (English)", hours=None))
    deliver(house, DAYS[1], places(5) + places(5, "Films (English)", hours=None))
    report = make(house, *DAYS[:2])
    assert check(report, DAYS[0], rule).passed
    assert check(report, DAYS[1], rule).message.startswith("50.0% of the rows state nothing")


def test_a_rule_about_a_delivery_can_block_it(house: Lakehouse, trial: Any) -> None:
    rule = recent("week", 7, "fail")
    trial(rule)
    deliver(house, DAYS[0], places(3))
    deliver(house, DAYS[2], places(3))
    make(house, DAYS[0], DAYS[2])
    newest = house.delivery("top10_global", DAYS[2]).newest
    assert (newest.status, newest.table, newest.rule) == (Status.HELD, TRIAL, rule.name)
    assert "week_recent: the newest is 16 days older than the delivery" in newest.why
    assert house.days(TRIAL) == house.days("bronze.top10_global") == {DAYS[0]}


def test_a_delivery_is_compared_with_the_one_before_it_that_stands(house: Lakehouse, trial: Any) -> None:
    rule = replace(row_count_change(0.5), on_fail="fail")
    trial(rule)
    for day, count in zip(DAYS, (10, 30, 12), strict=True):
        deliver(house, day, places(count))
    report = make(house, *DAYS)
    assert [check(report, day, rule).passed for day in DAYS] == [True, False, True]
    assert house.days(TRIAL) == {DAYS[0], DAYS[2]}
    deliver(house, DAYS[2], places(14))
    assert check(make(house, DAYS[2]), DAYS[2], rule).passed, "30 places were measured, and are held"
    withdraw(house.tables, "top10_global", DAYS[0], "sent by mistake", "ravik")
    make(house, DAYS[0])
    assert check(make(house, DAYS[1]), DAYS[1], rule).passed, "nothing stands before it any more"
    assert house.days(TRIAL) == {DAYS[1], DAYS[2]}


def test_the_spread_of_values(house: Lakehouse, trial: Any) -> None:
    rule = stable("category", ("TV (English)", "Films (English)"))
    trial(rule)
    deliver(house, DAYS[0], places(10) + places(10, "Films (English)"))
    deliver(house, DAYS[1], places(10) + places(8, "Films (English)"))
    deliver(house, DAYS[2], places(10) + places(1, "Films (English)") + places(9, "Opera"))
    report = make(house, *DAYS)
    assert [check(report, day, rule).passed for day in DAYS] == [True, True, False]
    assert check(report, DAYS[1], rule).measured == [18, 10, 8]


def test_the_stability_index() -> None:
    assert stability_index([100, 50, 50], [200, 100, 100]) == 0
    assert 0.1 < stability_index([100, 60, 40], [100, 40, 60]) < 0.25
    assert stability_index([10, 10, 0], [10, 0, 10]) > 10


def test_results_are_the_history_of_a_rule(house: Lakehouse, trial: Any) -> None:
    rule = row_count_change()
    trial(rule)
    for day in DAYS:
        deliver(house, day, places(5))
        make(house, day)
    rows = store.read_arrow(house.tables, results.NAME)
    assert rows is not None
    told = rows.sort_by("recorded_at").to_pylist()
    listed = [row for row in told if (row["table_name"], row["rule"]) == (TRIAL, rule.name)]
    assert [(str(row["delivery_date"]), row["passed"], json.loads(row["measured"])) for row in listed] == [
        (day, True, 5) for day in DAYS
    ]
    every = {(row["table_name"], row["rule"]) for row in told}
    assert (TRIAL, "unique_key") in every
    for row in told:
        standing = house.life.standing("charts", str(row["delivery_date"]))
        of_bronze = row["table_name"].startswith("bronze.")
        assert row["attempt"] == (standing["top10_global"] if of_bronze else combination_id(standing))
