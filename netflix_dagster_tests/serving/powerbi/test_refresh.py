"""A refresh is followed to its own end, whatever that is, and loads what differs: over HTTP, with a strict server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from typer.testing import CliRunner

from netflix_dagster.azure import identity
from netflix_dagster.cli import app
from netflix_dagster.contracts.metrics import FACTS, METRICS
from netflix_dagster.lake import query
from netflix_dagster.serving.powerbi import dax, model, touched
from netflix_dagster.serving.powerbi import service as client
from netflix_dagster.serving.powerbi.service import NotCompleted, PowerBIError, Workspace
from netflix_dagster.settings import Settings
from netflix_dagster.storage import at
from netflix_dagster.verify import TARGETS
from netflix_dagster.verify.steps import Result, Trial, carry_out
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.emulators.powerbi import MODEL, WORKSPACE, PowerBI
from netflix_dagster_tests.emulators.serving import serving
from netflix_dagster_tests.serving.powerbi import judge

RANGED = {table.name: table.range is not None for table in model.tables()}
BODY = touched.Load((("dim_title", None),), policy=False).as_json()


@pytest.fixture
def service() -> PowerBI:
    return PowerBI(RANGED)


@pytest.fixture
def workspace(service: PowerBI) -> Iterator[Workspace]:
    """The workspace as our client has it; its clock goes on when it sleeps."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    with serving(service.answer) as port:
        root = f"http://127.0.0.1:{port}"
        yield Workspace(WORKSPACE, lambda: "token-1", root, sleep=sleep, now=lambda: clock[0])


def test_a_refresh_is_completed(service: PowerBI, workspace: Workspace) -> None:
    done = workspace.refresh(workspace.model_id("Netflix"), BODY)
    assert service.loaded == [("dim_title", None)] and done.request_id == service.refreshes[0].id
    assert done.waited == () and done.ended > done.started


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("Failed", r"failed: ModelRefresh_Failed the source is away"),
        ("TimedOut", "took longer than Power BI lets it"),
        ("Cancelled", "was cancelled in Power BI"),
        ("Disabled", "are disabled"),
    ],
)
def test_each_other_end_is_told_as_what_it_is(service: PowerBI, workspace: Workspace, state: str, told: str) -> None:
    service.scripts, service.messages = (
        [["NotStarted", "InProgress", state]],
        [{"code": "ModelRefresh_Failed", "message": "the source is away: pw Bearer eyJhbGciOi.eyJzdWIi.c2ln"}],
    )
    with pytest.raises(NotCompleted, match=told) as found:
        workspace.refresh(MODEL, BODY)
    assert found.value.state == state and "shows what it showed before" in str(found.value)
    assert "eyJ" not in str(found.value) and not service.loaded


def test_it_is_its_own_refresh_that_is_followed(service: PowerBI, workspace: Workspace) -> None:
    """A newer one that completes is not ours."""
    service.scripts = [["NotStarted", "InProgress", "InProgress", "Failed"]]
    looks = []

    def told(_: str) -> None:
        if not looks:
            service.elsewhere("Completed")
        looks.append(1)

    workspace.told = told
    with pytest.raises(NotCompleted, match="failed"):
        workspace.refresh(MODEL, BODY)


def test_another_refresh_is_waited_for_and_ours_comes_after_it(service: PowerBI, workspace: Workspace) -> None:
    other = service.elsewhere("InProgress", "InProgress", "InProgress", "Completed")
    assert workspace.refresh(MODEL, BODY).waited == (other.id,)
    assert service.loaded == [("dim_title", None)]


def test_one_that_hangs_is_cancelled(service: PowerBI, workspace: Workspace) -> None:
    service.scripts, workspace.patience = [["NotStarted", "InProgress"]], 60
    with pytest.raises(NotCompleted, match=r"has not ended after 60 s, so the refresh .* was cancelled") as found:
        workspace.refresh(MODEL, BODY)
    assert found.value.state == "Hanging" and service.refreshes[0].state == "Cancelled"
    service.elsewhere("InProgress")
    with pytest.raises(NotCompleted, match="so nothing was asked for"):
        workspace.refresh(MODEL, BODY)


def test_a_run_that_is_cancelled_cancels_its_refresh(service: PowerBI, workspace: Workspace) -> None:
    def interrupted(why: str) -> None:
        raise KeyboardInterrupt

    workspace.told = interrupted
    with pytest.raises(KeyboardInterrupt):
        workspace.refresh(MODEL, BODY)
    assert service.refreshes[0].state == "Cancelled"


def test_throttling_is_waited_out(service: PowerBI, workspace: Workspace) -> None:
    slept: list[float] = []
    inner = workspace.sleep
    workspace.sleep = lambda seconds: (slept.append(seconds), inner(seconds))[1]
    service.throttle = 3
    workspace.refresh(MODEL, BODY)
    assert slept[:3] == [7, 7, 7] and len(service.refreshes) == 1
    service.throttle = 99
    with pytest.raises(PowerBIError, match=r"429 TooManyRequests.*so many requests"):
        workspace.refresh(MODEL, BODY)


def test_a_token_that_ends_meanwhile_is_renewed(service: PowerBI, workspace: Workspace) -> None:
    issued = iter(["token-1", "token-1", "token-1", "token-2", "token-2", "token-2"])
    workspace.token = lambda: next(issued)
    workspace.told = lambda _: service.tokens.__init__({"token-2"})  # type: ignore[misc]
    workspace.refresh(MODEL, BODY)
    service.tokens, workspace.token = {"token-3"}, lambda: "old"
    with pytest.raises(PowerBIError, match="401 TokenExpired"):
        workspace.model_id("Netflix")


def test_what_the_model_does_not_have_is_refused(service: PowerBI, workspace: Workspace) -> None:
    with pytest.raises(PowerBIError, match=r"has no partition 2024.*See that the model is deployed"):
        service.partitions["fact_engagement"] = {"2023"}
        workspace.refresh(MODEL, touched.Load((("fact_engagement", "2024"),), policy=False).as_json())
    with pytest.raises(PowerBIError, match="has 0 semantic models called Another"):
        workspace.model_id("Another")
    workspace.workspace_id = MODEL
    with pytest.raises(PowerBIError, match="404 PowerBIFolderNotFound"):
        workspace.model_id("Netflix")


def test_only_what_differs_is_loaded(service: PowerBI, workspace: Workspace, built: Shell) -> None:
    now = touched.contents(at(built.lake), today=date(2026, 1, 1))
    assert now.keys() == RANGED.keys() and len(now["fact_release_title"]) > 1 and now["dim_title"].keys() == {"all"}
    for load in touched.plan(None, now):
        workspace.refresh(MODEL, load.as_json())
    assert sorted(service.loaded) == sorted((table, None) for table in RANGED)
    assert touched.plan(now, now) == []

    service.loaded.clear()
    year = max(now["fact_top10_global_weekly"])
    before: dict[str, Any] = {table: dict(rows) for table, rows in now.items()}
    before["fact_top10_global_weekly"][year] = "other rows"
    before["dim_title"]["all"] = "other rows"
    for load in touched.plan(before, now):
        workspace.refresh(MODEL, load.as_json())
    assert service.loaded == [("dim_title", None), ("fact_top10_global_weekly", year)]

    service.loaded.clear()
    del before["fact_top10_global_weekly"][year]  # a new year: its partition is made, then loaded
    for load in touched.plan(before, now):
        workspace.refresh(MODEL, load.as_json())
    assert service.loaded == [
        ("dim_title", None),
        ("fact_top10_global_weekly", None),
        ("fact_top10_global_weekly", year),
    ]


@pytest.fixture
def figures(
    service: PowerBI, workspace: Workspace, built: Shell, monkeypatch: pytest.MonkeyPatch
) -> dict[str, float | None]:
    """What the model says of every measure: what is in the sample lake, until a test changes it."""
    with query.connect(at(built.lake), only=FACTS) as database:
        tables = judge.load(database, list(FACTS))
    found = {dax.name(metric): judge.value(metric, tables, {}) for metric in METRICS.values()}
    service.measure = found.__getitem__
    monkeypatch.setattr(client, "opened", lambda _: workspace)
    return found


def test_the_measures_of_a_workspace_are_compared_with_the_lake(figures: dict[str, float | None], built: Shell) -> None:
    call = ["powerbi", "verify", "--workspace", WORKSPACE, "--lake", str(built.lake)]
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 0 and told.stdout.count("equal") == len(METRICS), told.stdout + told.stderr
    figures["Titles"] = None
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 1 and told.stdout.count("DIFFERS titles: None there") == 1
    assert told.stdout.count("DIFFERS") == 1 and "refresh the model" in told.stderr


def test_a_workspace_is_verified_and_names_the_right_that_is_missing(
    figures: dict[str, float | None], service: PowerBI, built: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(lake=built.lake, powerbi_workspace=WORKSPACE)
    monkeypatch.setattr(identity, "token", lambda *_: AccessToken("token-1", 9_999_999_999))

    def verified() -> dict[str, Result]:
        return {one.step: one for one in carry_out([TARGETS["powerbi"]], Trial(settings), lambda _: None)}

    assert {one.status for one in verified().values()} == {"passed"}
    figures["Titles"] = 1.0
    found = verified()["measures"]
    assert found.status == "failed" and "titles is 1.0 there" in found.found and "refresh the model" in found.found
    service.outside = True
    found = verified()
    assert "Contributor of the workspace" in str(found["enter"].right) and WORKSPACE in str(found["enter"].command)
    assert found["measures"].status == "skipped"


def test_the_stock_client_follows_whichever_refresh_is_the_newest(
    service: PowerBI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the refresh is ours: dagster-powerbi's takes another's success for its own."""
    import dagster as dg
    import dagster_powerbi.resource as stock
    from dagster_powerbi import PowerBIToken, PowerBIWorkspace

    with serving(service.answer) as port:
        monkeypatch.setattr(stock, "BASE_API_URL", f"http://127.0.0.1:{port}")
        client = PowerBIWorkspace(
            credentials=PowerBIToken(api_token="token-1"), workspace_id=WORKSPACE, refresh_poll_interval=0
        )
        with dg.build_init_resource_context() as context, client.yield_for_execution(context) as opened:
            seen = opened.fetch_powerbi_workspace_data(use_workspace_scan=False)
            assert list(seen.semantic_models_by_id) == [MODEL]
            service.scripts = [["NotStarted", "InProgress", "Failed"]]
            opened.trigger_refresh(MODEL)
            service.elsewhere("Completed")
            opened.poll_refresh(MODEL)  # it failed
