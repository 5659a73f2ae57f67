"""The real deliveries: where they lie, a lake built from them, and what the oracle says of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.contract import LAYERS, TABLES
from netflix_dagster.contracts.report import Report
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.real.oracle import RELEASES, Catalogue

ROOT = Path(__file__).parents[2]
LANDING = ROOT.parent / "shared" / "data" / "landing"


def found(landing: Path, environment: Mapping[str, str]) -> Path:
    """The landing folder if it is there; else the tests are skipped, but in CI they fail.

    A CI that has no access to the deliveries says so with ``NETFLIX_REAL_DELIVERIES=none``.
    """
    if (landing / "netflix_catalogue").is_dir():
        return landing
    said = f"no real deliveries: looked for netflix_catalogue/<delivery date>/*.csv in {landing}"
    if environment.get("CI") and environment.get("NETFLIX_REAL_DELIVERIES") != "none":
        pytest.fail(f"{said}; in CI they must be there", pytrace=False)
    pytest.skip(said)


def built_by_the_runner(
    settings: Settings, tables: Iterable[str], deliveries: Mapping[str, Sequence[str]]
) -> dict[str, Report]:
    """The reports of some tables, built in one session; that one raises fails the test."""
    with Session(settings, load_sources(), "real", tables, deliveries) as session:
        reports = {report.table: report for report in session.run()}
        assert not session.failed, session.failed
    return reports


class Lake:
    """A lake of its own, built in this process from a landing folder."""

    def __init__(self, landing: Path, root: Path) -> None:
        self.settings = Settings(landing=landing, lake=root, engine="sail")

    @property
    def root(self) -> Path:
        return self.settings.lake

    def deliver(self, *days: date, layers: Iterable[str] = LAYERS) -> dict[str, Report]:
        """Have the runner build the catalogue's tables for some deliveries."""
        names = [name for name, table in TABLES.items() if table.feed in ("catalogue", None) and table.layer in layers]
        return built_by_the_runner(self.settings, names, {"catalogue": [str(day) for day in days]})

    def arrow(self, table: str, columns: Iterable[str] | None = None) -> pa.Table:
        return DeltaTable(store.location(self.root, table)).to_pyarrow_table(columns=columns and list(columns))

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Some columns of a table, row by row."""
        held = self.arrow(table, columns)
        return list(zip(*(held.column(name).to_pylist() for name in columns), strict=True))

    def contents(self) -> dict[str, pa.Table]:
        """Every row of silver and gold, in the order of the keys."""
        held = {name: table for name, table in TABLES.items() if table.layer != "bronze"}
        return {
            name: self.arrow(name).sort_by([(column, "ascending") for column in table.key])
            for name, table in held.items()
            if store.exists(self.root, name)
        }


@pytest.fixture(scope="session")
def landing() -> Path:
    return found(LANDING, os.environ)


@pytest.fixture(scope="session")
def catalogue(landing: Path) -> Catalogue:
    """What the oracle makes of the four deliveries."""
    return Catalogue.of(landing)


@pytest.fixture(scope="module")
def built(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Report]]:
    lake = Lake(landing, tmp_path_factory.mktemp("real") / "lake")
    return lake, lake.deliver(*RELEASES)


@pytest.fixture(scope="module")
def lake(built: tuple[Lake, dict[str, Report]]) -> Lake:
    """A lake with the four deliveries, built once."""
    return built[0]


@pytest.fixture(scope="module")
def reports(built: tuple[Lake, dict[str, Report]]) -> dict[str, Report]:
    """What building each of its tables came to."""
    return built[1]
