"""A lakehouse of its own under ``dagster dev``, and a browser that looks at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from netflix_dagster_tests.browser.dagster_dev import REPO, DagsterDev

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
QUIETLY = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LONGEST_WAIT_MS = 30_000
expect.set_options(timeout=LONGEST_WAIT_MS)

Shoot = Callable[[str], Path]
_LOG = pytest.StashKey[Path]()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The chromium of this machine."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        _cannot(f"there is no browser: none of {', '.join(CHROMIUM)} is on the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(QUIETLY))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lakehouse(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[DagsterDev]:
    """``dagster dev`` on a new lake with the sample deliveries, brought to gold by nobody but its own sensors."""
    root = tmp_path_factory.mktemp("lakehouse")
    dagster = DagsterDev(root)
    request.session.stash[_LOG] = dagster.log
    with dagster.running():
        dagster.wait_for_gold()
        yield dagster


@pytest.fixture
def page(browser: Browser, lakehouse: DagsterDev) -> Iterator[Page]:
    """A window on the lakehouse. No page of it may fail to answer or stumble over what it was answered."""
    context = browser.new_context(
        base_url=lakehouse.url, viewport={"width": 1600, "height": 1000}, device_scale_factor=1.5
    )
    context.set_default_timeout(LONGEST_WAIT_MS)
    page = context.new_page()
    stumbled: list[str] = []
    page.on("pageerror", lambda error: stumbled.append(f"error on the page: {error}"))
    page.on(
        "response", lambda answer: stumbled.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
    )
    yield page
    context.close()
    assert not stumbled


@pytest.fixture
def shoot(page: Page) -> Shoot:
    """Takes a picture of the page and keeps it under a name, for people to look at."""
    folder = Path(os.environ.get("NETFLIX_SCREENSHOTS") or REPO / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str) -> Path:
        picture = folder / f"{name}.png"
        page.mouse.move(1, 1)
        page.screenshot(path=picture, animations="disabled")
        return picture

    return take


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show what Dagster said when a test fails."""
    report = yield
    log = item.session.stash.get(_LOG, None)
    if report.failed and log is not None:
        report.sections.append(("dagster dev", last_lines(log)))
    return report


def last_lines(log: Path, count: int = 40) -> str:
    """The end of Dagster's output without its events, of which there are hundreds a run."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([line for line in lines if " - DEBUG - " not in line][-count:])


def _cannot(reason: str) -> NoReturn:
    """Without what a test needs it is skipped on a desk, but never in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
