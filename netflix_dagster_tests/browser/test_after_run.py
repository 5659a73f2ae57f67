"""What Dagster's UI shows of the runs of ``netflix-dagster run``: they are of their code location as all others are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from netflix_dagster_tests.browser.conftest import Shoot
from netflix_dagster_tests.browser.dagster_dev import DagsterDev
from netflix_dagster_tests.cli.conftest import built, first_run
from netflix_dagster_tests.cli.shell import Shell

__all__ = ["built", "first_run"]
pytestmark = pytest.mark.browser

JOB = "catalogue_delivery"
OF_THE_LOCATION = """{ runsOrError { ... on Runs { results {
  jobName tags { key value } repositoryOrigin { repositoryName repositoryLocationName } } } } }"""
OF_THE_JOB = """query($job: String!) { pipelineOrError(params: {
    pipelineName: $job, repositoryName: "__repository__", repositoryLocationName: "netflix_dagster" }) {
  ... on Pipeline { runs { status } } } }"""


@pytest.fixture(scope="module")
def lakehouse(built: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """``dagster dev`` on a copy of the lake that the command has built from the sample."""
    root = tmp_path_factory.mktemp("after_run")
    shell = built.copy(root)
    dagster = DagsterDev(root, (shell.landing, shell.lake))
    with dagster.running():
        yield dagster


def test_the_runs_of_the_command_are_in_the_history_of_their_jobs(lakehouse: DagsterDev) -> None:
    runs = lakehouse.ask(OF_THE_LOCATION)["runsOrError"]["results"]
    mine = [run for run in runs if {"key": "started_by", "value": "netflix-dagster run"} in run["tags"]]
    assert {run["jobName"] for run in mine} >= {f"{feed}_delivery" for feed in lakehouse.feeds}
    location = {"repositoryName": "__repository__", "repositoryLocationName": "netflix_dagster"}
    assert all(run["repositoryOrigin"] == location for run in mine)
    assert lakehouse.ask(OF_THE_JOB, job=JOB)["pipelineOrError"]["runs"] == [{"status": "SUCCESS"}]


def test_overview_and_timeline_show_them(page: Page, shoot: Shoot) -> None:
    page.goto("/overview/activity/timeline")
    expect(page.get_by_text(JOB).first).to_be_visible()
    shoot("timeline_after_run")
    page.goto(f"/locations/netflix_dagster/jobs/{JOB}/runs")
    expect(page.get_by_text("Success").first).to_be_visible()
    shoot("job_after_run")
    page.goto("/assets/silver/titles?view=partitions")
    expect(page.get_by_text("Missing (0)")).to_be_visible()
    shoot("partitions_after_run")
