"""What every test can ask for, and which tests run on another engine than the embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netflix_dagster.engine import sessions
from netflix_dagster.settings import Settings, get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HERE = Path(__file__).parent
CLOUD = tuple(
    HERE / name
    for name in (
        "azure",
        "databricks",
        "faults",
        "storage",
        "verify",
        "defs/test_landing_in_adls.py",
        "infra/test_build_pending.py",
        "infra/test_every_role.py",
        "real/test_azure_chain.py",
    )
)
"""Tests that go over the protocols of Azure and Databricks and take their time."""
RUNS = ("automation", "backfill", "bad_deliveries", "delivery", "interruptions", "jobs", "landing_sensor", "replay")
END_TO_END = tuple(HERE / name for name in ("browser", "cli", "docs", "real", *(f"defs/test_{n}.py" for n in RUNS)))
"""Tests that go through what people use: commands, runs of Dagster, pages in a browser, real deliveries."""
TESTED_ON_EVERY_ENGINE = tuple(HERE / name for name in ("build", "contracts", "engine", "lake", "tables"))
"""Folders of tests of which each that touches the engine asks for the fixture ``spark``."""


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    """The engine that builds the tables (``NETFLIX_ENGINE``), started once for all tests."""
    return sessions.session(get_settings())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what goes over protocols; on another engine than the embedded one run only what touches the engine."""
    for item in items:
        if any(map(item.path.is_relative_to, CLOUD)):
            item.add_marker(pytest.mark.cloud)
        elif any(map(item.path.is_relative_to, END_TO_END)):
            item.add_marker(pytest.mark.end_to_end)
    if get_settings().engine == "sail":
        return
    untouched = [item for item in items if "spark" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=untouched)
    items[:] = [item for item in items if item not in untouched]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Refuse the engine to a test that does not ask for it: it would be left out where another engine is tried."""
    if "spark" in getattr(item, "fixturenames", ()) or not any(map(item.path.is_relative_to, TESTED_ON_EVERY_ENGINE)):
        return (yield)

    def refused(_settings: Settings) -> SparkSession:
        pytest.fail("this test uses the engine: ask for the fixture spark, so that it is run on every engine")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sessions, "session", refused)
        return (yield)
