"""What Dagster's webserver answers, and the UI shows, when the tables of all feeds are one step on Databricks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster_tests.browser.conftest import CHROMIUM, QUIETLY
from netflix_dagster_tests.browser.dagster_dev import GOLD_WITHIN, DagsterDev
from netflix_dagster_tests.databricks.cloud import CLUSTER, Cloud, wait_for
from netflix_dagster_tests.emulators.azurite import Azurite
from netflix_dagster_tests.emulators.databricks import workspace
from netflix_dagster_tests.lakehouse import as_csv, title

DAY = "2020-01-01"
NODES = """{ assetNodes { assetKey { path } isPartitioned opNames partitionDefinition { name } partitionKeys
  partitionStats { numMaterialized numFailed } } }"""
LAUNCH = """mutation($run: ExecutionParams!) { launchPipelineExecution(executionParams: $run) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status assets { key { path } } } } }"


class OnDatabricks(DagsterDev):
    """``dagster dev`` whose sensors see a landing zone in ADLS and whose runs are jobs of the workspace."""

    def __init__(self, root: Path, cloud: Cloud, wheel: Path, zones: Azurite) -> None:
        super().__init__(root)
        self.cloud = cloud
        self.said = {
            **zones.environment,
            **cloud.environment,
            **cloud.settings,
            "NETFLIX_DATABRICKS_WHEEL": cloud.upload(wheel),
        }

    def _environment(self, home: Path) -> dict[str, str]:
        return super()._environment(home) | self.said

    def tables(self) -> dict[str, dict[str, Any]]:
        """What the UI knows of every table."""
        return {".".join(node["assetKey"]["path"]): node for node in self.ask(NODES)["assetNodes"]}


@pytest.fixture(scope="module")
def dev(zones: Azurite, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnDatabricks]:
    """One delivery has landed, and the sensors have brought it to gold."""
    with workspace(tmp_path_factory.mktemp("databricks")) as databricks:
        databricks.runs.clusters[CLUSTER] = {"spark_env_vars": zones.environment}
        cloud = Cloud(databricks)
        storage.write(cloud.landing / "netflix_catalogue" / DAY / "file.csv", as_csv(map(title, (1, 2, 3))).encode())
        dev = OnDatabricks(tmp_path_factory.mktemp("dev"), cloud, wheel, zones)
        with dev.running():
            wait_for(
                lambda: [run for run in dev.runs() if run["status"] == "SUCCESS"], "the run of the sensor", GOLD_WITHIN
            )
            yield dev


def test_every_table_has_the_deliveries_of_its_feed(dev: OnDatabricks) -> None:
    known = dev.tables()
    assert set(TABLES) <= set(known)
    for name, table in TABLES.items():
        assert known[name]["opNames"] == ["databricks"]
        definition = known[name]["partitionDefinition"]
        assert definition == ({"name": f"{table.feed}_deliveries"} if table.feed else None)
        assert known[name]["partitionKeys"] == ([DAY] if table.feed == "catalogue" else [])
    assert known["gold.kpi_catalogue"]["partitionStats"] == {"numMaterialized": 1, "numFailed": 0}


def test_one_delivery_of_some_tables_is_launched_as_the_ui_does(dev: OnDatabricks) -> None:
    names, jobs = (["bronze", "netflix_catalogue"], ["silver", "releases"]), len(dev.cloud.workspace.runs.by_id)
    said = dev.ask(
        LAUNCH,
        run={
            "selector": {
                "repositoryLocationName": "netflix_dagster",
                "repositoryName": "__repository__",
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": name} for name in names],
            },
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": DAY}]},
        },
    )["launchPipelineExecution"]
    assert said["__typename"] == "LaunchRunSuccess", said
    which = said["run"]["runId"]

    def run() -> dict[str, Any]:
        found: dict[str, Any] = dev.ask(RUN, id=which)["runOrError"]
        return found

    wait_for(lambda: run()["status"] in ("SUCCESS", "FAILURE", "CANCELED"), "the run's end", 120)
    assert run()["status"] == "SUCCESS"
    assert sorted(asset["key"]["path"] for asset in run()["assets"]) == sorted(names)
    assert len(dev.cloud.workspace.runs.by_id) == jobs + 1


@pytest.fixture
def page(dev: OnDatabricks) -> Iterator[Page]:
    """A window on the UI. No page of it may fail to answer or stumble over what it was answered."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        assert "CI" not in os.environ, "there is no chromium"
        pytest.skip("there is no chromium (Debian: apt-get install chromium)")
    stumbled: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(QUIETLY))
        page = browser.new_page(base_url=dev.url, viewport={"width": 1600, "height": 1000})
        page.on("pageerror", lambda error: stumbled.append(str(error)))
        page.on("response", lambda answer: stumbled.append(answer.url) if answer.status >= 400 else None)
        yield page
        browser.close()
    assert not stumbled


@pytest.mark.browser
def test_the_ui_shows_partitions_and_offers_one_to_build(page: Page) -> None:
    page.goto("/assets/silver/titles?view=partitions")
    expect(page.get_by_text("Materialized (1)")).to_be_visible()
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Confirm").click()  # one of the tables that it reads was never delivered
    dialog = page.get_by_role("dialog").filter(has_text="Launch runs to materialize silver / titles")
    dialog.get_by_role("button", name="All", exact=True).click()
    expect(dialog).to_contain_text("1 partition")
    expect(dialog.get_by_role("button", name="Launch", exact=False)).to_be_enabled()
    page.goto("/asset-groups")
    for group in ("bronze", "silver", "gold"):
        expect(page.locator("svg").get_by_text(group, exact=True)).to_be_visible()
