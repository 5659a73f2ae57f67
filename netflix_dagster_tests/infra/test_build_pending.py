"""The job without Dagster, really run: its wheel, in a process of its own, on sample deliveries.

Its tables are those of ``netflix-dagster run``, whatever happens on the way.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from netflix_dagster import storage
from netflix_dagster.build.pending_work import FAILED, HELD_BACK, build_pending
from netflix_dagster.contracts.contract import TABLES, downstream_of
from netflix_dagster.deliveries import begun, ledger
from netflix_dagster.lake import store
from netflix_dagster.sample import write_sample
from netflix_dagster.settings import Settings
from netflix_dagster_tests.defs.house import DIFFERS
from netflix_dagster_tests.defs.test_architecture import PACKAGE, imports, roots
from netflix_dagster_tests.emulators.azurite import azurite, missing
from netflix_dagster_tests.infra.bundle import FOLDER
from netflix_dagster_tests.infra.wheel import Wheel, run

ENTRY = "netflix-dagster-build-pending"
OF_THE_RUNTIME = {"pyspark", "delta-spark", "pyarrow", "pandas", "numpy", "requests", "databricks-sdk"}
"""What Databricks Runtime brings itself; a cluster's own must not be replaced."""
NOT_THERE = {"pysail", "duckdb"}
"""What the package can use and the job on Databricks does not: another engine, and queries by hand."""
MANY = ("azure", "opentelemetry")
"""Names that several distributions share; those of the project's extra ``azure`` bring them all."""


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_sample(folder, garbage=True)
    return folder


@pytest.fixture(scope="module")
def dagsters(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that Dagster builds of the same deliveries."""
    lake = tmp_path_factory.mktemp("dagsters") / "lake"
    command = [sys.executable, "-m", "netflix_dagster.cli", "run", "--landing", str(landing), "--lake", str(lake)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, cwd=lake.parent)
    assert done.returncode == HELD_BACK, done.stderr
    assert json.loads(done.stdout)["deliveries"]["built"] > 0
    return lake


def contents(lake: storage.Place) -> dict[str, list[str]]:
    """Every row of every table, but for what may differ between two builds of the same bytes."""
    found = {}
    for name in (*TABLES, "quality.quarantine"):
        rows = store.read_arrow(lake, name)
        listed = rows.to_pylist() if rows is not None else []
        found[name] = sorted(repr({k: v for k, v in row.items() if k not in DIFFERS}) for row in listed)
    return found


def standings(lake: Path) -> dict[tuple[str, str], tuple[str, str | None]]:
    return {key: (entry.status, entry.reason) for key, entry in ledger.latest(lake).items()}


def accepted(lake: Path) -> set[tuple[str, str]]:
    return {(entry.feed, entry.delivery_date) for entry in ledger.latest(lake).values() if entry.status == "accepted"}


def test_the_wheel_builds_what_dagster_builds(wheel: Wheel, landing: Path, dagsters: Path, tmp_path: Path) -> None:
    installed, lake = wheel.install(tmp_path / "installed"), tmp_path / "lake"
    places = [f"--landing={landing}", f"--lake={lake}"]
    done = run(installed, wheel.package, ENTRY, places, {}, tmp_path)
    assert done.returncode == HELD_BACK, done.stderr
    assert contents(lake) == contents(dagsters)
    assert all(contents(lake).values())
    assert standings(lake) == standings(dagsters)
    assert begun.unfinished(lake) == set()
    assert "top10_global of 2026-02-10 is refused: " in done.stdout

    loaded = next(line for line in done.stderr.splitlines() if line.startswith("loaded ")).split()
    assert "dagster" not in loaded
    assert f"from {installed}" in done.stderr

    versions = {name: store.version(lake, name) for name in TABLES}
    again = run(installed, wheel.package, ENTRY, places, {}, tmp_path)
    assert again.returncode == HELD_BACK, again.stderr  # what was refused lies there still
    assert "0 delivery dates to build" in again.stdout
    assert {name: store.version(lake, name) for name in TABLES} == versions


def test_it_builds_from_the_zones_of_a_storage_account(wheel: Wheel, landing: Path, tmp_path: Path) -> None:
    """With the places and the variables that the bundle gives it, but for the identity, which is a key here."""
    if why := missing():
        assert "CI" not in os.environ, why
        pytest.skip(why)
    few = sorted((landing / "top10_global").glob("*/*"))[:2]
    with azurite() as account:
        name = account.environment["AZURE_STORAGE_ACCOUNT_NAME"]
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in account.environment.items():
                patch.setenv(variable, value)
            zone = storage.at(f"abfss://landing@{name}.dfs.core.windows.net")
            lake = storage.at(f"abfss://{{zone}}@{name}.dfs.core.windows.net")
            for file in few:
                storage.write(zone / "top10_global" / file.parent.name / file.name, file.read_bytes())
            places = [f"--landing={zone}", f"--lake={lake}"]
            done = run(wheel.install(tmp_path / "here"), wheel.package, ENTRY, places, account.environment, tmp_path)
            assert done.returncode == 0, done.stderr
            found = contents(lake)
            assert begun.unfinished(lake) == set()
    for file in few:
        shutil.copytree(file.parent, tmp_path / "landing" / "top10_global" / file.parent.name)
    build_pending(Settings(landing=tmp_path / "landing", lake=tmp_path / "lake"))
    assert unplaced(found) == unplaced(contents(tmp_path / "lake"))
    assert found["gold.fact_top10_global_weekly"]


def unplaced(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same rows without the folder that their files lay in."""
    return {name: sorted(re.sub(r"'[^']*/(?=[^/']*\.tsv')", "'", row) for row in rows) for name, rows in found.items()}


def test_all_is_well_returns_without_an_exit(wheel: Wheel, tmp_path: Path) -> None:
    done = run(wheel.install(tmp_path / "installed"), wheel.package, ENTRY, [f"--landing={tmp_path}"], {}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 deliveries" in done.stdout


def test_a_job_that_is_killed_is_finished_by_the_next(landing: Path, dagsters: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    started = subprocess.Popen(
        [sys.executable, "-c", "from netflix_dagster.build.pending_work import main; main()"],
        env={**os.environ, "NETFLIX_LANDING": str(landing), "NETFLIX_LAKE": str(lake)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not store.exists(lake, "silver.title_cast"):
            assert started.poll() is None
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    finally:
        started.kill()
        started.wait()
    assert not store.exists(lake, "gold.kpi_catalogue")
    assert accepted(lake) and accepted(lake) <= begun.unfinished(lake)
    done = build_pending(Settings(landing=landing, lake=lake))
    assert done.exit_code == HELD_BACK
    assert accepted(lake) & begun.unfinished(lake) == set()
    assert contents(lake) == contents(dagsters)


def test_a_table_that_fails_stops_what_is_made_of_it_and_nothing_else(
    landing: Path, dagsters: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    wall = lake / "silver" / "title_cast"
    wall.parent.mkdir(parents=True)
    wall.write_text("a file where the table should be")
    settings = Settings(landing=landing, lake=lake)
    done = build_pending(settings)
    assert (done.exit_code, set(done.failed)) == (FAILED, {"silver.title_cast"})
    left_out = {name for name in downstream_of(["silver.title_cast"]) if TABLES[name].feed == "catalogue"}
    assert len(left_out) > 1
    assert {report.table for report in done.reports} == set(TABLES) - left_out
    assert {feed for feed, _ in begun.unfinished(lake)} == {"catalogue"}
    wall.unlink()
    done = build_pending(settings)
    assert (done.exit_code, done.failed, begun.unfinished(lake)) == (HELD_BACK, {}, set())
    assert {piece.feed for piece in done.work} == {"catalogue"}
    assert contents(lake) == contents(dagsters)


def test_the_wheel_asks_for_all_that_it_uses_and_for_nothing_that_the_cluster_has(wheel: Wheel) -> None:
    asked = {canonicalize_name(Requirement(text).name): Requirement(text) for text in wheel.requires}
    assert not set(asked) & OF_THE_RUNTIME
    rooms = ("lake", "landing", "tables", "compute", "azure")
    files = [path for room in rooms for path in (PACKAGE / room).rglob("*.py")]
    files += [PACKAGE / "settings.py", PACKAGE / "storage.py", PACKAGE / "serving" / "unity.py"]
    used = set[str]().union(*(roots(imports(ast.parse(path.read_text()).body)) for path in files)) - set(MANY)
    known = packages_distributions()
    needed = {canonicalize_name(known[name][0]) for name in used if name in known} - {"netflix-dagster"}
    assert {"deltalake", "obstore", "pydantic"} <= needed
    assert needed - set(asked) - OF_THE_RUNTIME - NOT_THERE == set()


def test_the_wheel_is_of_the_same_project() -> None:
    ours, whole = (
        tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        for folder in (FOLDER / "wheel", PACKAGE.parent)
    )
    assert (ours["name"], ours["version"]) == (whole["name"], whole["version"])
    said = {re.sub(r"\[.*?\]", "", text) for text in whole["dependencies"]}
    said |= set(whole["optional-dependencies"]["azure"])
    said |= {text.replace("dagster==", "dagster-pipes==") for text in said if text.startswith("dagster==")}
    assert set(ours["dependencies"]) <= said
    assert set(whole["optional-dependencies"]["azure"]) <= set(ours["dependencies"])
