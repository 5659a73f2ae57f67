"""The screen of the dashboard: a window on it, and its figures beside those of gold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from netflix_dagster.lake.query import query

COMPUTED = """async (release) => {
  const { releases } = dashboard.catalogue.open(await dashboard.load("catalogue"));
  return dashboard.catalogue.measure(dashboard.catalogue.titlesOf(releases.indexOf(release), () => true));
}"""


@contextmanager
def window(browser: Browser) -> Iterator[Page]:
    """A window without a network. Nothing in it may fail, be asked for elsewhere, or offend the content policy."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True, offline=True)
    context.set_default_timeout(20_000)
    page, wrong = context.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(("file:", "blob:")) else None)
    yield page
    assert page.evaluate("window.harmed") is None
    context.close()
    assert not wrong


MEMBERS = {
    "genres": "titles_by_genre",
    "countries": "titles_by_country",
    "ratings": "titles_by_rating",
    "people": "top_cast",
    "pairs": "co_production_pairs",
}
"""The cards that list members, and the figures that they show."""


def table_of(page: Page, card: str) -> list[list[str]]:
    """The rows of the table beside a chart, as they are read on the screen."""
    summary = page.locator(f"#{card} summary")
    if summary.count() and page.locator(f"#{card} details[open]").count() == 0:
        summary.click()
    page.locator(f"#{card} tbody tr").first.wait_for()
    read = "rows => rows.map((row) => [...row.children].map((cell) => cell.innerText))"
    found: list[list[str]] = page.eval_on_selector_all(f"#{card} tbody tr", read)
    return found


def number(said: str) -> float:
    return float(said.replace(",", ""))


def show(page: Page, site: Path, address: str) -> None:
    """Open a page and wait until all of it is drawn."""
    page.goto("about:blank")
    page.goto(f"{(site / 'index.html').as_uri()}#/{address}")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function("document.documentElement.dataset.ready")
    expect(page.locator("[role=status]", has_text="Loading")).to_have_count(0)


def catalogue_is_gold(page: Page, site: Path, lake: Path) -> None:
    """Every tile of every release is the figure of ``gold.kpi_catalogue``, and so is what filters would compute."""
    gold = _figures(lake, "gold.kpi_catalogue", "delivery_date")
    kpis = {"changed_titles": "titles_by_change"}
    for release in sorted({when for when, *_ in gold}):
        show(page, site, f"catalogue?release={release}")
        shown = _shown(page)
        assert set(shown) >= {("titles", "all"), ("movie_minutes_median", "all"), ("co_production_share", "all")}
        for (metric, member), value in shown.items():
            assert value == gold.get((release, kpis.get(metric, metric), member), 0 if value == 0 else None), metric
        computed = page.evaluate(COMPUTED, release)
        for metric, value in computed.items():  # what filters compute comes to gold's figure without one
            assert value == pytest.approx(gold[release, metric, "all"], rel=1e-12), metric
    newest = max(when for when, *_ in gold)
    show(page, site, f"catalogue?release={newest}")
    for card, kpi in MEMBERS.items():
        counted = {name: count for name, count, *_ in table_of(page, card)}
        assert len(counted) > 2, card
        wrong = {name: said for name, said in counted.items() if number(said) != gold.get((newest, kpi, name))}
        assert not wrong, (card, list(wrong.items())[:3])


def charts_are_gold(page: Page, site: Path, lake: Path) -> None:
    """Every tile of the newest weeks is the figure of ``gold.kpi_top10``."""
    weeks = _figures(lake, "gold.kpi_top10", "week")
    newest = sorted({when for when, *_ in weeks})
    for week in newest[-3:]:
        show(page, site, f"charts?week={week}&category=TV (English)")
        shown = _shown(page)
        assert {"hours", "retention", "concentration", "leader_share"} <= {metric for metric, _ in shown}
        for (metric, member), value in shown.items():
            assert value == weeks.get((week, metric, member)), (week, metric, member)


def engagement_is_gold(page: Page, site: Path, lake: Path) -> None:
    """The titles and hours of every report are those of ``gold.fact_engagement``."""
    reports = "SELECT period, kind, count(*), sum(hours_viewed)::DOUBLE FROM gold.fact_engagement GROUP BY ALL"
    for period, kind, titles, hours in select(lake, reports):
        show(page, site, f"engagement?period={period}&kind={kind}")
        shown = _shown(page)
        assert shown["engagement_titles", f"{period}|{kind}"] == titles
        assert shown["engagement_hours", f"{period}|{kind}"] == hours


def select(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in query(lake, sql).to_pylist()]


def _figures(lake: Path, table: str, period: str) -> dict[tuple[str, str, str], float]:
    found = select(lake, f"SELECT CAST({period} AS VARCHAR), kpi, member, value FROM {table}")
    return {(when, kpi, member): value for when, kpi, member, value in found}


def _shown(page: Page) -> dict[tuple[str, str], float | None]:
    """The figures of the tiles, by metric and member."""
    found = page.eval_on_selector_all(
        "b[data-metric]", "all => all.map((b) => [b.dataset.metric, b.dataset.member ?? 'all', b.dataset.value])"
    )
    return {(metric, member): float(value) if value else None for metric, member, value in found}
