"""The job without Dagster, really run: its wheel, in a process of its own, on sample deliveries.

Its tables are those of ``netflix-dagster run``, whatever happens on the way.
"""

from __future__ import annotations

import ast
import logging
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import pins
from netflix_dagster import storage
from netflix_dagster.build import pending_work
from netflix_dagster.build.pending_work import FAILED, HELD_BACK, OK, Done, build_pending
from netflix_dagster.contracts.contract import TABLES, holds
from netflix_dagster.contracts.graph import built_from, feed_tables
from netflix_dagster.deliveries.life import Life, Status
from netflix_dagster.lake import store
from netflix_dagster.sample import sample_files, write_events, write_sample
from netflix_dagster.settings import get_settings
from netflix_dagster.storage import adls
from netflix_dagster_tests.defs.test_architecture import PACKAGE, ROOMS, imports, roots
from netflix_dagster_tests.emulators.account import storage_account
from netflix_dagster_tests.emulators.azurite import ACCOUNT
from netflix_dagster_tests.infra.bundle import FOLDER
from netflix_dagster_tests.infra.wheel import Wheel, run
from netflix_dagster_tests.lakehouse import Lakehouse, everything, title

ENTRY = "netflix-dagster-build-pending"
OF_THE_RUNTIME = {"pyspark", "delta-spark", "pyarrow", "pandas", "numpy", "requests", "databricks-sdk"}
"""What Databricks Runtime brings itself; a cluster's own must not be replaced."""
AT_LEAST = ("pyarrow",)
"""What a runtime may bring in a version that is too old: only then is another one installed."""
NOT_THERE = {"pysail", "duckdb", "sqlalchemy"}
"""What the package can use and the job there does not: another engine, queries by hand, databases as origins."""
NOT_OF_THE_JOB = ("serving", "pipelines", "sample", "verify")
"""Rooms that none of the wheel's entry points opens, but for what registers tables."""
MANY = ("azure", "opentelemetry")
"""Names that several distributions share; those of the project's extra ``azure`` bring them all."""


D1, D2, D3 = "2020-01-01", "2020-02-01", "2020-03-01"
WHOLE = "netflix_catalogue"
TITLES = [title(n) for n in range(8)]
MANGLED = [title(n, release_year="soon") for n in range(6)] + [title(9)]
"""Most of these are refused by silver.titles, which therefore holds the delivery."""
GARBAGE = "<html><body>Moved Permanently</body></html>"


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return Lakehouse(tmp_path / "house")


def job(house: Lakehouse) -> Done:
    """What the job does in a process that is set up already."""
    return build_pending(house.settings, house.sources)


def standings(lake: storage.Place) -> dict[tuple[str, str], tuple[Status, str]]:
    """What has become of each delivery, and why."""
    return {place: (found.status, found.newest.why) for place, found in Life.read(lake).deliveries.items()}


def due(lake: storage.Place) -> dict[tuple[str, str], set[str]]:
    """The feeds' dates whose tables are still to be built."""
    life = Life.read(lake)
    return {place: tables for place in life.dates if (tables := life.due(*place))}


# What it builds


def test_the_wheel_builds_what_dagster_builds(wheel: Wheel, tmp_path: Path) -> None:
    landing, dagsters, lake = tmp_path / "landing", tmp_path / "dagsters", tmp_path / "lake"
    write_sample(landing, garbage=True)
    write_events(landing, hours=1, files=3, seed=1)
    command = [sys.executable, "-m", "netflix_dagster", "run", f"--landing={landing}", f"--lake={dagsters}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == HELD_BACK, ran.stderr

    installed, places = wheel.install(tmp_path / "installed"), [f"--landing={landing}", f"--lake={lake}"]
    done = run(installed, wheel.package, ENTRY, places, {}, tmp_path)
    assert done.returncode == HELD_BACK, done.stderr
    found = everything(lake)
    assert found == everything(dagsters)
    assert all(found[name] for name in TABLES)
    assert standings(lake) == standings(dagsters)
    assert due(lake) == {}
    assert "top10_global of 2026-02-10 is refused: " in done.stdout

    loaded = next(line for line in done.stderr.splitlines() if line.startswith("loaded ")).split()
    assert "dagster" not in loaded
    assert f"from {installed}" in done.stderr

    versions = {name: store.version(lake, name) for name in TABLES}
    again = run(installed, wheel.package, ENTRY, places, {}, tmp_path)
    assert again.returncode == HELD_BACK, again.stderr  # what was refused lies there still
    assert "0 delivery dates to build" in again.stdout
    assert {name: store.version(lake, name) for name in TABLES} == versions


def test_it_builds_from_the_zones_of_a_storage_account(wheel: Wheel, house: Lakehouse, tmp_path: Path) -> None:
    """With the places and the variables that the bundle gives it, but for the identity, which is a key here."""
    few = {place: data for place, data in sorted(sample_files().items()) if place.startswith("top10_global/")}
    few = dict(list(few.items())[:2])
    with storage_account() as account:
        zone = storage.at(f"abfss://landing@{ACCOUNT}.dfs.core.windows.net")
        lake = storage.at(f"abfss://{{zone}}@{ACCOUNT}.dfs.core.windows.net")
        for place, data in few.items():
            storage.write(zone / place, data)
        places = [f"--landing={zone}", f"--lake={lake}"]
        done = run(wheel.install(tmp_path / "here"), wheel.package, ENTRY, places, account.environment, tmp_path)
        assert done.returncode == OK, done.stderr
        found = everything(lake)
        assert due(lake) == {}
    for place, data in few.items():
        source, day, file = place.split("/")
        house.land(source, day, data, file)
    assert job(house).exit_code == OK
    assert unplaced(found) == unplaced(everything(house.tables))
    assert found["gold.fact_top10_global_weekly"]


def unplaced(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same rows without the folder that their files lay in."""
    return {name: sorted(re.sub(r"'[^']*/(?=[^/']*\.tsv')", "'", row) for row in rows) for name, rows in found.items()}


def test_all_is_well_returns_without_an_exit(wheel: Wheel, tmp_path: Path) -> None:
    done = run(wheel.install(tmp_path / "installed"), wheel.package, ENTRY, [f"--landing={tmp_path}"], {}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 deliveries" in done.stdout


# What goes wrong


@pytest.fixture
def called(house: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line of a call of the job, and the settings of before after it."""
    places = [f"--landing={house.landing}", f"--lake={house.tables}"]
    monkeypatch.setattr(sys, "argv", [ENTRY, *places])
    for place in ("LANDING", "LAKE"):
        monkeypatch.setenv(f"NETFLIX_{place}", "")  # so that it is put back
    opened = adls.opened_with()
    yield
    get_settings.cache_clear()
    adls.open_with(opened)


def call(caplog: pytest.LogCaptureFixture) -> tuple[int, str]:
    """Call the job: its exit code, and what it says."""
    caplog.clear()
    with caplog.at_level(logging.INFO, pending_work.log.name):
        try:
            pending_work.main()
        except SystemExit as ended:
            return int(str(ended.code)), caplog.text
    return OK, caplog.text


def test_one_garbage_file_as_the_only_work(house: Lakehouse, called: None, caplog: pytest.LogCaptureFixture) -> None:
    house.land(WHOLE, D1, GARBAGE)
    code, said = call(caplog)
    assert (code, house.delivery(WHOLE, D1).status) == (HELD_BACK, Status.REFUSED)
    assert f"{WHOLE} of {D1} is refused: file.csv: " in said
    assert "failed" not in said
    assert not any(house.contents().values())
    assert len(house.quarantined(f"bronze.{WHOLE}", D1)) == 1

    code, said = call(caplog)  # the file must change; until then there is nothing to do, and it is told again
    assert code == HELD_BACK
    assert "0 delivery dates to build" in said
    assert f"{WHOLE} of {D1} is refused: " in said
    house.release(D1, *TITLES)
    assert call(caplog)[0] == OK
    assert len(house.rows("silver.titles")) == len(TITLES)


def test_a_date_that_silver_holds_is_in_no_table_behind_it_and_the_others_go_on(
    house: Lakehouse, tmp_path: Path
) -> None:
    without = Lakehouse(tmp_path / "without")
    for each in (house, without):
        each.release(D1, *TITLES)
        each.release(D3, *TITLES, title(20))
    house.release(D2, *MANGLED)
    done, undisturbed = job(house), job(without)
    assert (done.exit_code, undisturbed.exit_code, done.failed) == (HELD_BACK, OK, {})
    assert house.contents() == without.contents()
    (held,) = done.held
    assert (held.source, held.key, held.status, held.table) == (WHOLE, D2, Status.HELD, "silver.titles")
    assert due(house.tables) == {}
    assert job(house).work == ()


def test_a_whole_table_that_is_held_ends_with_1_and_a_word_and_is_due_again(
    house: Lakehouse, called: None, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    table = "silver.title_history"
    never = holds("never", "false", "no row is right", "fail")
    broken = replace(TABLES[table], expectations=(*TABLES[table].expectations, never))
    house.release(D1, *TITLES)
    behind = built_from("catalogue", [table])
    assert len(behind) > 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLES, table, broken)
        for _ in (1, 2):
            code, said = call(caplog)
            assert code == FAILED
            assert f"{table} failed: it is held back: never: " in said
            assert "it is built by the next call" in said
            assert due(house.tables) == {("catalogue", D1): set(behind)}
    assert [name for name in behind if house.versions()[name] is not None] == []
    assert house.rows("gold.dim_genre"), "what is not built from it goes on"
    assert call(caplog)[0] == OK
    assert due(house.tables) == {}
    undisturbed = Lakehouse(tmp_path / "undisturbed")
    undisturbed.release(D1, *TITLES)
    undisturbed.build(D1)
    assert house.contents() == undisturbed.contents()


def test_a_job_that_is_killed_is_finished_by_the_next(house: Lakehouse, tmp_path: Path) -> None:
    undisturbed = Lakehouse(tmp_path / "undisturbed")
    for each in (house, undisturbed):
        each.release(D1, *TITLES)
        each.release(D2, *TITLES, title(20))
    started = subprocess.Popen(
        [sys.executable, "-c", "from netflix_dagster.build.pending_work import main; main()"],
        env={**os.environ, "NETFLIX_LANDING": str(house.landing), "NETFLIX_LAKE": str(house.tables)},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not store.exists(house.tables, "silver.title_cast"):
            assert started.poll() is None
            time.sleep(0.01)
        started.send_signal(signal.SIGKILL)
    finally:
        started.kill()
        started.wait()
    assert not store.exists(house.tables, "gold.kpi_catalogue")
    assert {key for _, key in due(house.tables)} == {D1, D2}
    done = job(house)
    assert (done.exit_code, due(house.tables)) == (OK, {})
    undisturbed.build(D1, D2)
    assert house.contents() == undisturbed.contents()


def test_a_table_that_fails_stops_what_is_made_of_it_and_nothing_else(house: Lakehouse) -> None:
    charts = next(place for place in sorted(sample_files()) if place.startswith("top10_global/"))
    source, week, file = charts.split("/")
    house.land(source, week, sample_files()[charts], file)
    house.release(D1, *TITLES)
    wall = house.tables / "silver" / "title_cast"
    wall.parent.mkdir(parents=True)
    wall.write_text("a file where the table should be")
    done = job(house)
    assert (done.exit_code, set(done.failed)) == (FAILED, {"silver.title_cast"})
    left_out = set(built_from("catalogue", ["silver.title_cast"]))
    assert len(left_out) > 1
    assert {report.table for report in done.reports}.isdisjoint(left_out)
    left = due(house.tables)
    assert left["catalogue", D1] == left_out
    assert left.get(("charts", week), set()) == {name for name in left_out if TABLES[name].feed is None}
    assert house.rows("gold.fact_top10_global_weekly")
    wall.unlink()
    done = job(house)
    assert (done.exit_code, done.failed, due(house.tables)) == (OK, {}, {})
    assert {name for piece in done.work for name in piece.tables} == left_out
    assert all(house.rows(name) for name in feed_tables("catalogue") if name in left_out)


# What the wheel is


def test_the_wheel_asks_for_all_that_it_uses_and_for_nothing_that_the_cluster_has(wheel: Wheel) -> None:
    asked = {canonicalize_name(Requirement(text).name): Requirement(text) for text in wheel.requires}
    assert set(asked) & OF_THE_RUNTIME == set(AT_LEAST)
    files = [path for room in ROOMS if room not in NOT_OF_THE_JOB for path in (PACKAGE / room).rglob("*.py")]
    files += [PACKAGE / "settings.py", PACKAGE / "serving" / "unity.py"]
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
    assert ours["name"] == whole["name"]
    said = {*whole["dependencies"], *whole["optional-dependencies"]["azure"]}
    wanted = {canonicalize_name(Requirement(text).name): Requirement(text).specifier for text in said}
    wanted["dagster-pipes"] = wanted["dagster"]
    asked = {canonicalize_name(Requirement(text).name): Requirement(text).specifier for text in ours["dependencies"]}
    for name, specifier in asked.items():
        if name in AT_LEAST:
            continue
        ((version,),) = [[pin.version] for pin in specifier]
        assert wanted[name].contains(version), f"{name}: the wheel asks for {version}, the project for {wanted[name]}"
    assert {canonicalize_name(Requirement(t).name) for t in whole["optional-dependencies"]["azure"]} <= set(asked)


def test_a_cluster_installs_the_versions_that_the_tests_ran_with() -> None:
    lock = (PACKAGE.parent / "uv.lock").read_text()
    assert pins.WHEEL.read_text() == pins.pinned(pins.WHEEL.read_text(), lock), "run python -m infra.pins"
    asked = tomllib.loads(pins.WHEEL.read_text())["project"]["dependencies"]
    loose = [text for text in asked if not re.fullmatch(r"[\w-]+==[\w.]+", text)]
    assert [canonicalize_name(Requirement(text).name) for text in loose] == list(AT_LEAST)


def test_another_content_is_another_version(wheel: Wheel, tmp_path: Path) -> None:
    """A cluster does not install a version again that it has."""
    _, _, content = wheel.version.partition("+")
    assert re.fullmatch(r"[0-9a-f]{12}", content)
    for folder in ("infra/databricks/wheel", "netflix_dagster"):
        shutil.copytree(
            PACKAGE.parent / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "dist")
        )
    version = tmp_path / "infra" / "databricks" / "wheel" / "version.py"
    assert runpy.run_path(str(version))["__version__"].endswith(f"+{content}")
    (tmp_path / "netflix_dagster" / "sources.yaml").write_text("feeds: {}\n")
    assert not runpy.run_path(str(version))["__version__"].endswith(f"+{content}")
