"""What a person sees in Dagster's UI once the sample deliveries have travelled to gold. Every test leaves a picture."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from playwright.sync_api import Locator, Page, expect

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.expectations import all_rules
from netflix_dagster.defs.origins import GROUP as ORIGINS
from netflix_dagster.defs.serving import SERVING
from netflix_dagster_tests.browser.conftest import Shoot
from netflix_dagster_tests.browser.dagster_dev import DagsterDev

pytestmark = pytest.mark.browser

SENSOR = "catalogue_landing_sensor"
TITLES = TABLES["silver.titles"]
BESIDE_GRAPH, ABOVE_GRAPH_OF_ALL, ABOVE_GRAPH_OF_ASSET = 80, 120, 170
NOTHING_THERE = "([x, y]) => !document.elementFromPoint(x, y).closest('foreignObject, button')"
HEALTHY = "[style*='--minimal-border: var(--color-accent-green)']"
"""The box of a table that is there and whose partitions are all there, seen from far."""
SERVED_WITHIN_MS = 90_000
"""What is served is made when gold has come to rest."""


def test_the_sensors_have_done_it_alone(lakehouse: DagsterDev) -> None:
    runs = lakehouse.runs()
    asked = {run["tags"].get("dagster/sensor_name") for run in runs}
    assert asked - {"lake_automation", "quality_sensor"} == {f"{feed}_landing_sensor" for feed in lakehouse.feeds}
    assert {run["status"] for run in runs} == {"SUCCESS"}
    said = lakehouse.log.read_text(errors="replace")
    assert "built gold.kpi_catalogue in " in said and " - DEBUG - " not in said, "a terminal that can be read"


def test_a_table_is_described(page: Page, shoot: Shoot) -> None:
    page.goto("/assets/silver/titles")
    expect(page.get_by_text(TITLES.description.split("\n\n")[0])).to_be_visible()
    expect(page.get_by_text(f"Grain: {TITLES.grain}")).to_be_visible()
    for column in TITLES.columns:
        expect(page.get_by_text(column.name, exact=True).first).to_be_visible()
        expect(page.get_by_text(column.description, exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name=SENSOR)).to_be_visible()
    shoot("asset")


def test_the_partitions_of_a_table_are_its_deliveries(page: Page, lakehouse: DagsterDev, shoot: Shoot) -> None:
    page.goto("/assets/silver/titles?view=partitions")
    for delivery in lakehouse.deliveries:
        expect(page.get_by_text(delivery, exact=True).first).to_be_visible()
    expect(page.get_by_text(f"Materialized ({len(lakehouse.deliveries)})")).to_be_visible()
    for none in ("Failed (0)", "Missing (0)"):
        expect(page.get_by_text(none)).to_be_visible()
    page.get_by_text(lakehouse.deliveries[-1], exact=True).first.click()
    expect(page.get_by_text("dagster/partition_row_count")).to_be_visible()
    shoot("partitions")


def test_checks_say_what_they_found(page: Page, shoot: Shoot) -> None:
    page.goto("/assets/silver/titles?view=checks&checkDetail=title_not_mangled")
    rules = {rule.name: rule for rule in all_rules(TITLES)}
    for name in rules:
        expect(_check(page, name)).to_contain_text(re.compile("Succeeded|Failed"))
    expect(_check(page, "title_not_mangled")).to_contain_text("Failed")
    expect(_check(page, "title_not_null")).to_contain_text("Succeeded")
    expect(page.get_by_text(rules["title_not_mangled"].description)).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ of \d+ rows break it")).first).to_be_visible()
    shoot("checks")


def test_checks_are_told_apart_by_delivery(page: Page, lakehouse: DagsterDev, shoot: Shoot) -> None:
    page.goto("/assets/silver/titles?view=checks&checkDetail=title_not_mangled")
    expect(page.get_by_role("tab", name="Execution history")).to_be_visible()
    page.get_by_role("tab", name="Partitions").last.click()
    for delivery in lakehouse.deliveries:
        expect(page.get_by_text(delivery, exact=True).first).to_be_visible()
    shoot("check_partitions")
    expect(page.get_by_text("Missing (0)")).to_be_visible(timeout=10_000)
    expect(page.get_by_text(re.compile(rf"^Failed \({len(lakehouse.deliveries)}\)"))).to_be_visible()


def test_lineage_of_a_table_shows_its_neighbours(page: Page, shoot: Shoot) -> None:
    dim_title = TABLES["gold.dim_title"]
    readers = [table.name for table in TABLES.values() if dim_title.name in table.reads]
    tables = (*dim_title.reads, dim_title.name, *readers)
    neighbours = [name.split(".")[1] for name in tables]
    _facets(page, "status", "checks", "partitions")
    page.goto("/assets/gold/dim_title?view=lineage")
    expect(_graph(page).get_by_text("dim_title", exact=True)).to_be_visible()
    _grow_to_fit(page, 0.75, ABOVE_GRAPH_OF_ASSET)
    for name in neighbours:
        expect(_graph(page).get_by_text(name, exact=True).first).to_be_in_viewport(ratio=1)
    filled = [name for name in tables if TABLES[name].feed not in (None, "viewing")]  # the sample has no viewing events
    expect(_graph(page).get_by_text("100% filled")).to_have_count(len(filled))
    shoot("dim_title_lineage")


def test_the_sensor_is_running(page: Page, shoot: Shoot) -> None:
    page.goto("/automation")
    row = page.locator("[data-index]").filter(has_text=SENSOR)
    expect(row).to_be_visible()
    expect(row.get_by_role("checkbox").last).to_be_checked()
    expect(row).to_contain_text("ago")
    shoot("automation")

    page.get_by_text(SENSOR, exact=True).click()
    expect(page.get_by_text("catalogue_delivery", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d runs? requested$")).first).to_be_visible()
    expect(page.get_by_text("View logs").first).to_be_visible()
    expect(page.get_by_text("Loading ticks")).to_be_hidden()
    shoot("sensor")


def test_lineage_shows_all_tables_of_all_layers(page: Page, lakehouse: DagsterDev, shoot: Shoot) -> None:
    """Every table is healthy, and what is served from them; the origins are there, but nobody has asked them.

    It comes last: what is served is made some time after gold has come to rest.
    """
    groups = lakehouse.assets()
    assert {ORIGINS, "bronze", "silver", "gold", SERVING} == set(groups)
    _facets(page, "status")
    page.goto("/asset-groups")
    for group in groups:
        expect(_graph(page).get_by_text(group, exact=True)).to_be_visible()
    page.locator("body").press("Alt+e")
    any_name = "|".join(name for names in groups.values() for name in names)
    expect(_graph(page).get_by_text(re.compile(f"^({any_name})$")).first).to_be_visible()
    page.get_by_role("button", name="panel_show_right", exact=True).click()
    _grow_to_fit(page, 0.5, ABOVE_GRAPH_OF_ALL)
    healthy = sum(len(names) for group, names in groups.items() if group != ORIGINS)
    expect(_graph(page).locator(HEALTHY)).to_have_count(healthy, timeout=SERVED_WITHIN_MS)

    labels = _graph(page).locator("foreignObject > div").all_inner_texts()
    assert set(groups) <= set(labels)
    boxes = Counter(name for names in groups.values() for name in names)  # a source and its origin have one name
    assert {name for name, of in boxes.items() if sum(_is_label_of(name, label) for label in labels) < of} == set()
    for name in ("netflix_catalogue", "titles", "dim_title", "kpi_catalogue", "warehouse"):
        shown = _graph(page).get_by_text(name, exact=True)
        expect(shown).to_have_count(boxes[name])
        for box in shown.all():
            expect(box).to_be_in_viewport(ratio=1)
    shoot("lineage")


def _facets(page: Page, *facets: str) -> None:
    """Choose what the boxes of a graph say, as its menu does."""
    page.add_init_script(f"localStorage.setItem('asset-node-facets', {json.dumps(json.dumps(facets))})")


def _graph(page: Page) -> Locator:
    return page.locator("svg", has=page.locator("foreignObject"))


def _check(page: Page, name: str) -> Locator:
    """The entry of a check in the list of checks: its name and what came of it."""
    return page.get_by_title(name, exact=True).locator("xpath=..")


def _grow_to_fit(page: Page, scale: float, above: int) -> None:
    """Make the window as large as the whole graph needs at a scale at which it can be read, and show all of it."""
    page.get_by_role("button", name="Hide navigation").click()
    _settle(_graph(page))
    width, height = (int(float(_graph(page).get_attribute(side) or 0) * scale) for side in ("width", "height"))
    page.set_viewport_size({"width": width + BESIDE_GRAPH, "height": height + above})
    _settle(_graph(page))
    left, right, top, bottom = BESIDE_GRAPH + 10, BESIDE_GRAPH + width - 80, above + 10, above + height - 10
    corners = [(left, bottom), (left, top), (right, top), (right, bottom)]
    page.mouse.dblclick(*next(corner for corner in corners if page.evaluate(NOTHING_THERE, corner)))
    _settle(_graph(page))


def _settle(moving: Locator) -> None:
    """Wait until something has come to rest."""
    before, now = None, moving.bounding_box()
    while now != before:
        moving.page.wait_for_timeout(250)
        before, now = now, moving.bounding_box()


def _is_label_of(name: str, label: str) -> bool:
    """Whether a box shows a name; where it is narrow the middle of the name is left out."""
    said = label.split("\n")[0]
    begins, cut, ends = said.partition("…")
    return name == said if not cut else name.startswith(begins) and name.endswith(ends)
