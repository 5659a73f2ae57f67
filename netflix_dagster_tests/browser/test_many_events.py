"""Dagster's UI after years: 5,000 partitions and 100,000 events in PostgreSQL, a real webserver and browser.

The events are made by Dagster once for each table and multiplied in the database, so that they are its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Browser, expect

from netflix_dagster_tests.emulators.azurite import free_port
from netflix_dagster_tests.infra.house import COMPOSE, CONTAINERS, ROOT, postgres

pytestmark = [pytest.mark.soak, pytest.mark.browser]
PARTITIONS, EVENTS = 5_000, 100_000
TABLES = [
    *(f"bronze.{name}" for name in ("netflix_catalogue", "netflix_titles", "netflix_cast", "netflix_category")),
    *(f"silver.{name}" for name in ("titles", "title_cast", "title_directors", "title_countries", "title_genres")),
    *(f"gold.{name}" for name in ("dim_title", "dim_person", "dim_country", "dim_genre", "bridge_title_cast")),
    *(f"gold.bridge_title_{name}" for name in ("director", "country", "genre")),
    *(f"gold.{name}" for name in ("fact_release_title", "fact_catalogue_change", "kpi_catalogue")),
]
DAYS = [str(date(2012, 1, 1) + timedelta(n)) for n in range(PARTITIONS)]
PAGES = {
    "all tables": ("/assets", f"{PARTITIONS:,} partitions"),
    "the partitions of a table": ("/assets/silver/titles?view=partitions", f"Materialized ({PARTITIONS:,})"),
    "the events of a table": ("/assets/silver/titles?view=events", "Materialized"),
    "lineage of all tables": ("/asset-groups", "bronze"),
    "runs": ("/runs", "catalogue"),
}
"""Where somebody looks, and what is seen there when the page is whole."""
LONGEST = 60.0
"""Seconds that any page may take, on a machine that does nothing else."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Dagster whose PostgreSQL holds all that."""
    folder = tmp_path_factory.mktemp("years")
    with postgres(folder) as (port, _), pytest.MonkeyPatch.context() as patched:
        said = {name: str(value) for name, value in COMPOSE["services"]["webserver"]["environment"].items()}
        ours = {name: value for name, value in said.items() if name.startswith("DAGSTER_")}
        ours |= {"DAGSTER_PG_HOST": "127.0.0.1", "DAGSTER_PG_PORT": str(port)}
        ours |= {"DAGSTER_HOME": str(folder / "home"), "DAGSTER_COMPUTE_LOGS": str(folder / "logs")}
        ours |= {"NETFLIX_LANDING": str(folder / "landing"), "NETFLIX_LAKE": str(folder / "lake")}
        (folder / "home").mkdir()
        parts = [(CONTAINERS / f"instance{which}.yaml").read_text() for which in ("", ".compose")]
        (folder / "home" / "dagster.yaml").write_text("".join(parts))
        for name, value in ours.items():
            patched.setenv(name, value)
        with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
            instance.add_dynamic_partitions("catalogue_deliveries", DAYS)
            for table in TABLES:
                key = dg.AssetKey(table.split("."))
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(key, partition=DAYS[0], metadata={"dagster/row_count": 8807})
                )
            run = dg.DagsterRun("catalogue", status=dg.DagsterRunStatus.SUCCESS, tags={"dagster/partition": DAYS[0]})
            instance.add_run(run)
        _multiply(port, run.run_id)
        yield ours


def _multiply(port: int, run_id: str) -> None:
    """Each event and the run once for each other day. What is text in them says another day."""
    import psycopg2

    with closing(
        psycopg2.connect(host="127.0.0.1", port=port, user="dagster", password="on-this-machine-only", dbname="dagster")
    ) as there:
        with there, there.cursor() as cursor:
            cursor.execute(
                "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)"
                " SELECT run_id, replace(event, partition, day), dagster_event_type,"
                " timestamp + n * interval '1 second', step_key, asset_key, day"
                " FROM event_logs, unnest(%s::text[]) WITH ORDINALITY AS days(day, n)"
                " WHERE dagster_event_type = 'ASSET_MATERIALIZATION'",
                (DAYS[1:],),
            )
            cursor.execute(
                "INSERT INTO runs (run_id, snapshot_id, pipeline_name, mode, status, run_body, partition,"
                " partition_set, create_timestamp, update_timestamp, start_time, end_time)"
                " SELECT left(run_id, 24) || lpad(n::text, 12, '0'), snapshot_id, pipeline_name, mode, status,"
                " replace(replace(run_body, %s, day), run_id, left(run_id, 24) || lpad(n::text, 12, '0')), partition,"
                " partition_set, create_timestamp, update_timestamp, start_time, end_time"
                " FROM runs, unnest(%s::text[]) WITH ORDINALITY AS days(day, n)",
                (DAYS[0], DAYS[1:]),
            )
            cursor.execute("SELECT count(*), count(DISTINCT partition) FROM event_logs")
            assert cursor.fetchall() == [(EVENTS, PARTITIONS)]
        there.autocommit = True
        with there.cursor() as cursor:
            cursor.execute("ANALYZE")


@contextmanager
def webserver(environment: dict[str, str]) -> Iterator[str]:
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("dagster-webserver")),
        "-p",
        str(port),
        "-m",
        "netflix_dagster.definitions",
    ]
    log = Path(environment["DAGSTER_HOME"]) / "webserver.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment, "PYTHONPATH": str(ROOT)}, stdout=out, stderr=out
        )
        try:
            url, ends = f"http://127.0.0.1:{port}", time.monotonic() + 300
            while True:
                try:
                    with urllib.request.urlopen(f"{url}/server_info", timeout=5) as answer:
                        assert json.load(answer)["dagster_version"]
                    break
                except OSError as error:
                    assert process.poll() is None and time.monotonic() < ends, f"{error}: {log.read_text()[-2000:]}"
                    time.sleep(1)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


def test_every_page_opens_with_5000_partitions_and_100000_events(home: dict[str, str], browser: Browser) -> None:
    """Each page shows what it is about. Its seconds are printed (`pytest -s`) and stand in docs/deploy.md."""
    slow = float(os.environ.get("NETFLIX_SLOW_MACHINE", "1"))
    took = {}
    with webserver(home) as url:
        context = browser.new_context(base_url=url, viewport={"width": 1600, "height": 1000})
        context.set_default_timeout(LONGEST * slow * 1000)
        page = context.new_page()
        page.goto("/overview")
        expect(page.get_by_text("Overview").first).to_be_visible()  # the page's own scripts are loaded once
        for name, (path, text) in PAGES.items():
            began = time.monotonic()
            page.goto(path)
            shown = page.get_by_text(text).locator("visible=true").first
            expect(shown, name).to_be_visible(timeout=LONGEST * slow * 1000)
            took[name] = round(time.monotonic() - began, 1)
            sys.stderr.write(f"{name}: {took[name]} s\n")
        context.close()
    assert max(took.values()) < LONGEST * slow, took
