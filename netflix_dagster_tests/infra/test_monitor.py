"""The workbook and the alert rules ask for what telemetry tells: every query is KQL, runs on it and finds it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb_kql
import pytest

import netflix_dagster
from netflix_dagster.build import telemetry
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.emulators.appinsights import Insights, insights, telling
from netflix_dagster_tests.lakehouse import title

MONITOR = Path(netflix_dagster.__file__).parents[1] / "infra" / "monitor"
WORKBOOK = json.loads((MONITOR / "workbook.json").read_text())
TEMPLATE = json.loads((MONITOR / "monitor.json").read_text())
RULES: dict[str, dict[str, Any]] = {rule["name"]: rule for rule in TEMPLATE["variables"]["rules"]}
PARTS: dict[str, str] = {
    item["name"]: item["content"]["query"]
    for item in WORKBOOK["items"]
    if item["content"].get("resourceType") == "microsoft.insights/components" and "query" in item["content"]
}
QUERIES = {**PARTS, **{name: rule["query"] for name, rule in RULES.items()}}
GOOD, BAD = "2020-01-01", "2020-02-01"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Insights]:
    """What a good and a refused delivery told, a run that failed, and a feed that was measured as late."""
    house = House(tmp_path_factory.mktemp("house"))
    with insights() as stub, telling(stub.connection, tmp_path_factory.mktemp("kept")):
        house.release(GOOD, *map(title, (1, 2, 3, 4)), title(9, release_year="soon"))
        chain = ["bronze.netflix_catalogue", "silver.titles"]
        assert house.run(GOOD, only=chain).success
        house.land("netflix_catalogue", BAD, "<!DOCTYPE html><html></html>")
        assert house.run(BAD, only=chain).success  # a refused delivery is no failure of the run
        wall = house.tables / "gold" / "dim_genre"
        wall.parent.mkdir()
        wall.write_text("a file where the table should be")
        assert not house.run(BAD, only=["gold.dim_genre"]).success
        telemetry.fresh("catalogue", 1.0, 400)
        telemetry.fresh("charts", 12.0, 10)
        telemetry.flush()
        yield stub
    house.instance.dispose()


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_kql(name: str) -> None:
    assert duckdb_kql.validate(QUERIES[name]) == []


def test_the_check_of_syntax_finds_mistakes() -> None:
    assert duckdb_kql.validate("requests | wher success == false | summarize by") != []


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_names_only_what_is_told(name: str) -> None:
    query = QUERIES[name]
    attributes = set(re.findall(r'customDimensions\["([^"]+)"\]', query))
    metrics = set(re.findall(r'name == "([^"]+)"', query))
    messages = set(re.findall(r'message == "([^"]+)"', query))
    kinds = set(re.findall(r'type == "([^"]+)"', query))
    assert attributes <= set(telemetry.ATTRIBUTES)
    assert metrics <= set(telemetry.METRICS)
    assert messages <= {telemetry.DELIVERED} and kinds <= {telemetry.HELD_BACK}
    assert attributes | metrics


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_the_workbook_shows_what_was_told(told: Insights, name: str) -> None:
    assert told.kql(PARTS[name].replace("{Delivery}", GOOD))


def test_the_workbook_shows_the_right_numbers(told: Insights) -> None:
    deliveries = {(row["delivery"], row["stage"]): row for row in told.kql(PARTS["deliveries"])}
    assert deliveries[GOOD, "silver"]["rows_built"] == 4 and deliveries[GOOD, "silver"]["refused"] == 1
    assert deliveries[BAD, "bronze"]["held_back"] == 1 and (BAD, "silver") not in deliveries
    one = told.kql(PARTS["one delivery"].replace("{Delivery}", GOOD))
    assert {row["name"] for row in one} == {
        "catalogue_delivery",
        "bronze.netflix_catalogue",
        "landing",
        "silver.titles",
    }
    (runs,) = told.kql(PARTS["runs"])
    assert (runs["runs"], runs["failed"]) == (3, 1)
    shares = {row["table_name"]: row["share"] for row in told.kql(PARTS["quarantine"])}
    assert shares["silver.titles"] == pytest.approx(1 / 5)
    assert {row["feed"]: row["days"] for row in told.kql(PARTS["freshness"])} == {"catalogue": 1.0, "charts": 12.0}


def fires(rule: dict[str, Any], rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """The dimensions for which a rule tells somebody, as Azure evaluates it."""
    said = rule["threshold"]
    limit = float(said if not said.startswith("[") else TEMPLATE["parameters"]["mostQuarantined"]["defaultValue"])
    over = {"GreaterThan": lambda value: value > limit, "LessThan": lambda value: value < limit}[rule["operator"]]
    return {tuple(row[name] for name in rule["dimensions"]) for row in rows if over(row[rule["measure"]])}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("netflix-run-failed", {("catalogue_delivery",)}),
        ("netflix-delivery-held-back", {("bronze.netflix_catalogue", BAD)}),
        ("netflix-feed-late", {("charts",)}),
        ("netflix-silent", set()),
    ],
)
def test_a_rule_tells_of_what_happened_and_of_nothing_else(
    told: Insights, name: str, expected: set[tuple[str, ...]]
) -> None:
    assert fires(RULES[name], told.kql(RULES[name]["query"])) == expected


def test_a_rule_tells_when_more_than_the_usual_share_is_refused(told: Insights) -> None:
    rule = RULES["netflix-much-quarantined"]
    rows = told.kql(rule["query"])
    assert {row["table_name"]: row["share"] for row in rows}["silver.titles"] == pytest.approx(0.2)
    assert fires(rule, rows) == set()
    assert fires({**rule, "threshold": "0.19"}, rows) == {("silver.titles",)}


def test_when_nothing_is_told_only_the_silence_is() -> None:
    nothing = Insights()
    fired = {name for name, rule in RULES.items() if fires(rule, nothing.kql(rule["query"]))}
    assert fired == {"netflix-silent"}


def test_every_rule_says_what_is_safe_or_what_to_do() -> None:
    assert RULES.keys() == {
        "netflix-run-failed",
        "netflix-delivery-held-back",
        "netflix-feed-late",
        "netflix-much-quarantined",
        "netflix-silent",
    }
    durations = {"PT5M": 5, "PT15M": 15, "PT1H": 60, "PT2H": 120, "P1D": 1440}
    for rule in RULES.values():
        assert len(rule["description"]) > 60 and rule["severity"] in range(5)
        assert durations[rule["every"]] <= durations[rule["window"]] <= 2 * 1440  # Azure looks back two days at most


def test_the_template_uses_all_that_it_declares_and_declares_all_that_it_uses() -> None:
    text = (MONITOR / "monitor.json").read_text()
    for kind in ("parameters", "variables"):
        used = set(re.findall(rf"{kind}\('(\w+)'\)", text))
        assert used == set(TEMPLATE[kind])
    kinds = {resource["type"] for resource in TEMPLATE["resources"]}
    assert kinds == {
        "Microsoft.Insights/actionGroups",
        "Microsoft.Insights/scheduledQueryRules",
        "Microsoft.Insights/workbooks",
    }
    fields = set(re.findall(r"variables\('rules'\)\[copyIndex\(\)\]\.(\w+)", text))
    assert all(fields == rule.keys() for rule in RULES.values())


def test_a_secret_parameter_is_none_that_azure_would_show() -> None:
    assert TEMPLATE["parameters"]["webhook"]["type"] == "securestring"
    assert "outputs" not in TEMPLATE


def test_the_workbook_is_one_that_azure_opens() -> None:
    assert WORKBOOK["version"] == "Notebook/1.0"
    names = [item["name"] for item in WORKBOOK["items"]]
    assert len(names) == len(set(names))
    parameters = {p["name"] for item in WORKBOOK["items"] for p in item["content"].get("parameters", ())}
    for item in WORKBOOK["items"]:
        assert set(re.findall(r"\{(\w+)\}", "".join(item["content"].get("crossComponentResources", ())))) <= parameters
        if item["type"] == 3:
            assert item["content"]["timeContextFromParameter"] in parameters
            assert set(re.findall(r"\{(\w+)\}", item["content"]["query"])) <= parameters
