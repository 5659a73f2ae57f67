"""The dashboard as people see it: from a folder, by a browser without a network. Every page leaves pictures."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import axe_playwright_python
import duckdb
import pytest
from deltalake import DeltaTable
from playwright.sync_api import Browser, Page, expect

from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving.dashboard import build
from netflix_dagster_tests.browser.dagster_dev import REPO
from netflix_dagster_tests.browser.screen import (
    catalogue_is_gold,
    charts_are_gold,
    engagement_is_gold,
    ready,
    select,
    show,
    window,
)
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
EXPORTED = """() => {
  const { createObjectURL } = URL, { click } = HTMLAnchorElement.prototype, files = [];
  URL.createObjectURL = (file) => { files.push(file.text()); return "blob:kept"; };
  HTMLAnchorElement.prototype.click = () => {};
  const names = [...document.querySelectorAll("[data-csv]")].map((one) => { one.click(); return one.dataset.csv; });
  URL.createObjectURL = createObjectURL;
  HTMLAnchorElement.prototype.click = click;
  return Promise.all(files.map(async (text, number) => [names[number], await text]));
}"""
"""The names and texts of all files that a page gives to the browser, which would drop the eleventh of a second."""
FORMULA = re.compile("[\\s\\x00-\\x1f\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff]*[=+\\-@\\t\\r]")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with window(browser) as page:
        yield page


@pytest.fixture(scope="module")
def site(built: Shell, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The dashboard of the sample lake."""
    return _site(built.cwd / "data" / "lake", tmp_path_factory.mktemp("dashboard"))


def test_figures_on_the_screen_are_those_of_gold(page: Page, site: Path, built: Shell) -> None:  # noqa: F811
    lake = built.cwd / "data" / "lake"
    catalogue_is_gold(page, site, lake)
    charts_are_gold(page, site, lake)
    engagement_is_gold(page, site, lake)


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


def test_which_titles_left_takes_two_clicks(page: Page, site: Path, built: Shell) -> None:  # noqa: F811
    lake = built.cwd / "data" / "lake"
    newest = "SELECT max(release_date) FROM gold.fact_catalogue_change"
    left = select(
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
    ((count,),) = select(lake, f"SELECT count(*) FROM gold.dim_title t WHERE {movies}")
    expect(page.locator("[data-metric=titles]")).to_have_attribute("data-value", str(count))
    genres = select(
        lake,
        "SELECT g.genre, count(*) AS n FROM gold.dim_title t JOIN gold.bridge_title_genre USING (title_sk)"
        f" JOIN gold.dim_genre g USING (genre_sk) WHERE {movies} GROUP BY 1 ORDER BY n DESC, 1",
    )
    page.locator("#genres summary").click()
    expect(page.locator("#genres tbody th")).to_have_text([genre for genre, _ in genres])
    expect(page.locator("#genres tbody th + td")).to_have_text([str(titles) for _, titles in genres])
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
    """In titles, categories, names, file names and reasons; on every page, and in the CSV of every card."""
    lake = tmp_path / "lake"
    shutil.copytree(built.cwd / "data" / "lake", lake, ignore=shutil.ignore_patterns("serving", ".dagster", "bronze"))
    keys = select(lake, "SELECT DISTINCT title_key FROM gold.dim_title WHERE is_current ORDER BY 1")
    for (key,), text in zip(keys, HOSTILE, strict=False):
        _set(lake, "gold.dim_title", f"title_key = {_text(key)}", title=text, rating=text, description=text)
    for rank, text in enumerate(HOSTILE, 1):
        _set(lake, "gold.fact_top10_global_weekly", f"weekly_rank = {rank}", show_title=text, season_title=text)
    _set(lake, "gold.fact_top10_global_weekly", "category = 'Films (English)'", category=HOSTILE[4])
    _set(lake, "gold.fact_top10_restatement", "true", said_before=HOSTILE[4], said_now=HOSTILE[5])
    _set(lake, "gold.dim_genre", "true", genre=HOSTILE[0])
    _set(lake, "gold.dim_country", "true", country=HOSTILE[1])
    _set(lake, "gold.dim_person", "is_director", name=HOSTILE[4])
    _set(lake, "gold.fact_engagement", "kind = 'tv'", show_title=HOSTILE[4], title_delivered=HOSTILE[2])
    of_a_list = {name: [HOSTILE[5]] for name in ("reasons", "hints")}
    _set(lake, "quality.quarantine", "true", raw=HOSTILE[1], source_file=HOSTILE[4], **of_a_list)
    _set(lake, "quality.results", "true", message=HOSTILE[5])
    _set(lake, "quality.deliveries", "reason IS NOT NULL", reason=HOSTILE[4])
    site = _site(lake, tmp_path / "site")
    width = "document.documentElement.scrollWidth <= innerWidth"
    categories = [f"charts?category={quote(HOSTILE[4])}", f"charts?category={quote(HOSTILE[0])}"]
    titles = [f"title?key={quote(key)}" for (key,) in keys[: len(HOSTILE)]]
    walked = set()
    for address in [*PAGES, *categories, *titles]:
        show(page, site, address)
        assert page.evaluate(width), address
        harm = "main script, main img, main [onload], main [onerror], main [href^='javascript:']"
        assert page.locator(harm).count() == 0, address
        for name, text in page.evaluate(EXPORTED):
            walked.add(name)
            cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
            assert cells and not [cell for cell in cells if FORMULA.match(cell) and not _is_number(cell)], name
    assert len(walked) > 25, walked
    with page.expect_download() as waiting:
        page.locator("[data-csv]").first.click()
    exported = dict(page.evaluate(EXPORTED))
    assert Path(waiting.value.path()).read_bytes().decode("utf-8-sig") in exported.values(), "the file has the same"


def test_a_static_host_with_the_headers_of_static_web_apps_serves_every_page(browser: Browser, site: Path) -> None:
    """The policy of the host counts beside that of the page: a page keeps both, and every file is there."""
    hosted = json.loads((REPO / "infra/dashboard/staticwebapp.config.json").read_text())

    class Host(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in hosted["globalHeaders"].items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    page, wrong = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    try:
        for name in PAGES:
            page.goto(f"http://127.0.0.1:{server.server_port}/#/{name}")
            page.reload()
            ready(page)
            expect(page.locator("h1")).to_have_count(1)
        assert not wrong
    finally:
        page.close()
        server.shutdown()
        server.server_close()


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


def _set(lake: Path, table: str, where: str, **values: str | list[str]) -> None:
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
