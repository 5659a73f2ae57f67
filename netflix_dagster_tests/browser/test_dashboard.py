"""The dashboard as people see it: from a folder, by a browser without a network. Every page leaves pictures."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import duckdb
import pytest
from deltalake import DeltaTable
from playwright.sync_api import Browser, Page, expect

from netflix_dagster.lake.query import query
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving.dashboard import build
from netflix_dagster_tests.browser.dagster_dev import REPO
from netflix_dagster_tests.cli.conftest import built, first_run  # noqa: F401  the sample lake, built once
from netflix_dagster_tests.cli.shell import Shell

pytestmark = pytest.mark.browser

PAGES = ("catalogue", "charts", "engagement", "title", "quality", "runs", "lineage")
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
_VIOLATIONS = {"resultTypes": ["violations"], "preload": False}
AXE_OPTIONS = {
    "light": _VIOLATIONS,
    "dark": {**_VIOLATIONS, "runOnly": ["color-contrast", "scrollable-region-focusable", "target-size"]},
}
"""All rules once; of another theme and width only those that colours and sizes can break."""
HOSTILE = (
    "<script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 1'>",
    "</script><svg onload=window.harmed=1>",
    "\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd",
    '=HYPERLINK("http://harm.test","x")',
    "+1-2@SUM(A1)\t\r\n\u2028\u2029\x00-",
    "javascript:window.harmed=1",
    "x" * 10_000,
)
COMPUTED = """async (release) => {
  const { releases } = dashboard.catalogue.open(await dashboard.load("catalogue"));
  return dashboard.catalogue.measure(dashboard.catalogue.titlesOf(releases.indexOf(release), () => true));
}"""
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture(scope="module")
def site(built: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The dashboard of the sample lake."""
    return _site(built.cwd / "data" / "lake", tmp_path_factory.mktemp("dashboard"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
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


def show(page: Page, site: Path, address: str) -> None:
    """Open a page and wait until all of it is drawn."""
    page.goto("about:blank")
    page.goto(f"{(site / 'index.html').as_uri()}#/{address}")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function("document.documentElement.dataset.ready")
    expect(page.locator("[role=status]", has_text="Loading")).to_have_count(0)


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_page_is_drawn_and_accessible(page: Page, site: Path, width: int, theme: Any) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    folder = Path(os.environ.get("NETFLIX_SCREENSHOTS") or REPO / "screenshots")
    for name in PAGES:
        show(page, site, name)
        expect(page.locator("h1")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"
        picture = folder / f"dashboard-{name}-{width}-{theme}.png"
        page.screenshot(path=picture, full_page=True, animations="disabled", mask=[page.locator(".clock")])
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.evaluate(
            "document.querySelectorAll('tbody tr:nth-child(n+4)').forEach((row) => row.remove())"
        )  # all alike
        page.evaluate(AXE)
        found = page.evaluate("(options) => axe.run(document, options)", AXE_OPTIONS[theme])["violations"]
        assert [(rule["id"], [node["html"][:200] for node in rule["nodes"][:3]]) for rule in found] == []


def test_figures_on_the_screen_are_those_of_gold(page: Page, site: Path, built: Shell) -> None:  # noqa: F811
    lake = built.cwd / "data" / "lake"
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
    weeks = _figures(lake, "gold.kpi_top10", "week")
    for week in sorted({when for when, *_ in weeks})[-3:]:
        show(page, site, f"charts?week={week}&category=TV (English)")
        shown = _shown(page)
        assert {"hours", "retention", "concentration", "leader_share"} <= {metric for metric, _ in shown}
        for (metric, member), value in shown.items():
            assert value == weeks.get((week, metric, member)), (week, metric, member)
    reports = "SELECT period, kind, count(*), sum(hours_viewed)::DOUBLE FROM gold.fact_engagement GROUP BY ALL"
    for period, kind, titles, hours in _rows(lake, reports):
        show(page, site, f"engagement?period={period}&kind={kind}")
        shown = _shown(page)
        assert shown["engagement_titles", f"{period}|{kind}"] == titles
        assert shown["engagement_hours", f"{period}|{kind}"] == hours


def test_which_titles_left_takes_two_clicks(page: Page, site: Path, built: Shell) -> None:  # noqa: F811
    lake = built.cwd / "data" / "lake"
    newest = "SELECT max(release_date) FROM gold.fact_catalogue_change"
    left = _rows(
        lake,
        "SELECT t.title FROM gold.fact_catalogue_change c JOIN gold.dim_title t USING (title_sk)"
        f" WHERE c.change = 'removed' AND c.release_date = ({newest})",
    )
    show(page, site, "")
    page.get_by_role("link", name=re.compile("^Left ")).click()
    table = page.locator("#changes table")
    expect(table).to_be_in_viewport()
    expect(table.locator("tbody tr")).to_have_count(len(left))
    assert sorted(table.locator("tbody th").all_inner_texts()) == sorted(title for (title,) in left)


def test_filters_reach_every_card_and_the_address_keeps_them(page: Page, site: Path, built: Shell) -> None:  # noqa: F811
    lake = built.cwd / "data" / "lake"
    show(page, site, "catalogue")
    for _ in range(40):  # with the keyboard alone
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "filter-type":
            break
    page.keyboard.press("M")
    expect(page.locator("#filter-type")).to_have_value("Movie")
    page.wait_for_function("location.hash.includes('type=Movie')")
    expect(page.locator("#filter-type")).to_be_focused()
    movies = "NOT t.is_inferred AND t.is_current AND t.type = 'Movie'"
    ((count,),) = _rows(lake, f"SELECT count(*) FROM gold.dim_title t WHERE {movies}")
    expect(page.locator("[data-metric=titles]")).to_have_attribute("data-value", str(count))
    genres = _rows(
        lake,
        "SELECT g.genre, count(*) AS n FROM gold.dim_title t JOIN gold.bridge_title_genre USING (title_sk)"
        f" JOIN gold.dim_genre g USING (genre_sk) WHERE {movies} GROUP BY 1 ORDER BY n DESC, 1",
    )
    page.locator("#genres summary").click()
    rows = page.locator("#genres tbody tr")
    shown = [(row.locator("th").inner_text(), int(row.locator("td").first.inner_text())) for row in rows.all()]
    assert shown == genres
    address = page.url
    page.locator("#clear").click()
    expect(page.locator("#filter-type")).to_have_value("")
    page.go_back()
    expect(page.locator("#filter-type")).to_have_value("Movie")
    show(page, site, address.partition("#/")[2])  # somebody else opens what was shared
    expect(page.locator("[data-metric=titles]")).to_have_attribute("data-value", str(count))


def test_hostile_values_harm_no_page_and_no_export(
    page: Page,
    built: Shell,  # noqa: F811
    tmp_path: Path,
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(built.cwd / "data" / "lake", lake, ignore=shutil.ignore_patterns("serving", ".dagster", "bronze"))
    keys = _rows(lake, "SELECT DISTINCT title_key FROM gold.dim_title WHERE is_current ORDER BY 1")
    for (key,), text in zip(keys, HOSTILE, strict=False):
        _set(lake, "gold.dim_title", f"title_key = {_text(key)}", title=text, rating=text, description=text)
    for rank, text in enumerate(HOSTILE, 1):
        _set(lake, "gold.fact_top10_global_weekly", f"weekly_rank = {rank}", show_title=text, season_title=text)
    _set(lake, "gold.dim_genre", "true", genre=HOSTILE[0])
    _set(lake, "gold.dim_country", "true", country=HOSTILE[1])
    _set(lake, "gold.dim_person", "is_director", name=HOSTILE[4])
    _set(lake, "gold.fact_engagement", "kind = 'tv'", show_title=HOSTILE[4], title_delivered=HOSTILE[2])
    _set(lake, "quality.quarantine", "true", raw=HOSTILE[1], source_file=HOSTILE[0])
    site = _site(lake, tmp_path / "site")
    width = "document.documentElement.scrollWidth <= innerWidth"
    addresses = [*PAGES, *(f"title?key={key.replace('&', '%26')}" for (key,) in keys[: len(HOSTILE)])]
    for address in addresses:
        show(page, site, address)
        assert page.evaluate(width), address
        assert (
            page.evaluate("document.querySelectorAll('main script, main img, main [onload], main [onerror]').length")
            == 0
        )
    for address, card in (
        ("catalogue", "changes"),
        ("charts", "top10"),
        ("engagement", "most"),
        ("quality", "quarantine"),
    ):
        show(page, site, address)
        with page.expect_download() as waiting:
            page.locator(f"#{card} [data-csv]").click()
        text = Path(waiting.value.path()).read_bytes().decode("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert not [cell for cell in cells if cell.strip("\u202e\u2066 ").startswith(FORMULAS) and not _is_number(cell)]


def test_what_has_not_landed_is_said(page: Page, built: Shell, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "none").mkdir()
    nothing = _site(tmp_path / "none", tmp_path / "nothing")
    for name in PAGES:
        show(page, nothing, name)
        assert page.locator("main").inner_text().strip()
    lake = tmp_path / "charts"
    for table in ("fact_top10_global_weekly", "fact_top10_country_weekly", "kpi_top10", "dim_week"):
        shutil.copytree(built.cwd / "data" / "lake" / "gold" / table, lake / "gold" / table)
    one_feed = _site(lake, tmp_path / "one")
    show(page, one_feed, "charts")
    expect(page.locator("#top10 tbody tr")).to_have_count(10)
    for name, said in (
        ("catalogue", "No release of the catalogue has landed yet"),
        ("engagement", "No engagement report"),
    ):
        show(page, one_feed, name)
        expect(page.locator(".empty h2")).to_contain_text(said)


def _site(lake: Path, to: Path) -> Path:
    build(lake, load_sources(), [to])
    return to


def _rows(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in query(lake, sql).to_pylist()]


def _figures(lake: Path, table: str, period: str) -> dict[tuple[str, str, str], float]:
    found = _rows(lake, f"SELECT CAST({period} AS VARCHAR), kpi, member, value FROM {table}")
    return {(when, kpi, member): value for when, kpi, member, value in found}


def _shown(page: Page) -> dict[tuple[str, str], float | None]:
    """The figures of the tiles, by metric and member."""
    found = page.eval_on_selector_all(
        "b[data-metric]", "all => all.map((b) => [b.dataset.metric, b.dataset.member ?? 'all', b.dataset.value])"
    )
    return {(metric, member): float(value) if value else None for metric, member, value in found}


def _set(lake: Path, table: str, where: str, **values: str) -> None:
    """Change values in a table of a copied lake, as a delivery could that no rule refuses."""
    held = DeltaTable(str(lake / table.replace(".", "/")))
    rows = held.to_pyarrow_table()
    changed = {name: f"CASE WHEN {where} THEN ${name} ELSE {name} END AS {name}" for name in values}
    listed = ", ".join(changed.get(name, name) for name in rows.column_names)
    with duckdb.connect() as connection:
        connection.register("rows_of_table", rows)
        made = connection.sql(f"SELECT {listed} FROM rows_of_table", params=values).to_arrow_table()
    from deltalake import write_deltalake

    write_deltalake(held, made.cast(rows.schema), mode="overwrite")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
