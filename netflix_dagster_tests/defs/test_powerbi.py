"""Power BI in Dagster: there when the settings name a workspace, and refreshed with what differs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest

from netflix_dagster.defs import powerbi as in_dagster
from netflix_dagster.defs.powerbi import MODEL, REPORT, PowerBI, Wanted, powerbi_definitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.serving.powerbi import model, service, touched
from netflix_dagster.settings import Settings
from netflix_dagster_tests.emulators import powerbi as emulated
from netflix_dagster_tests.emulators.serving import serving

RANGED = {table.name: table.range is not None for table in model.tables()}
SETTINGS = Settings(powerbi_workspace=emulated.WORKSPACE)


def test_without_a_workspace_there_is_nothing() -> None:
    assert powerbi_definitions(Settings()) == dg.Definitions()


def test_model_and_report_stand_behind_gold() -> None:
    lake = dg.Definitions(resources={"lake": Lake.from_settings()})
    graph = dg.Definitions.merge(lake, powerbi_definitions(SETTINGS)).resolve_asset_graph()
    assert {key.path[0] for key in graph.get(MODEL).parent_keys} == {"gold"}
    assert len(graph.get(MODEL).parent_keys) == len(RANGED) and graph.get(REPORT).parent_keys == {MODEL}
    assert graph.get(MODEL).tags["dagster-powerbi/asset_type"] == "semantic_model"
    assert graph.get(MODEL).is_executable and not graph.get(REPORT).is_executable


@contextmanager
def opened(said: emulated.PowerBI, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with serving(said.answer) as port:
        workspace = service.Workspace(
            emulated.WORKSPACE, lambda: "token-1", f"http://127.0.0.1:{port}", sleep=lambda _: None
        )
        monkeypatch.setattr(PowerBI, "opened", lambda _: workspace)
        yield


def test_a_failed_refresh_is_made_good_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    gold = {"dim_title": {"all": "1"}, "fact_engagement": {"2023": "1", "2024": "1"}}
    monkeypatch.setattr(touched, "contents", lambda _: {table: dict(rows) for table, rows in gold.items()})
    said = emulated.PowerBI(RANGED)
    (asset,) = (one for one in powerbi_definitions(SETTINGS).assets or () if isinstance(one, dg.AssetsDefinition))
    resources = {"lake": Lake.from_settings(), "powerbi": PowerBI(workspace=emulated.WORKSPACE)}
    with dg.DagsterInstance.ephemeral() as instance, opened(said, monkeypatch):

        def run(**wanted: bool) -> dg.ExecuteInProcessResult:
            config = {"ops": {"powerbi_model": {"config": wanted}}}
            return dg.materialize([asset], config, instance, resources, raise_on_error=False)

        assert run().success and said.loaded == [("dim_title", None), ("fact_engagement", None)]
        gold["fact_engagement"]["2024"] = "2"
        said.scripts, said.loaded = [["InProgress", "Failed"]], []
        failed = run()
        (event,) = [event for event in failed.all_events if event.event_type_value == "STEP_FAILURE"]
        assert "shows what it showed before" in str(event.step_failure_data.user_failure_data)
        assert run().success and said.loaded == [("fact_engagement", "2024")]
        before = len(said.asked)
        done = run()
        assert done.success and len(said.asked) == before
        (made,) = done.asset_materializations_for_node("powerbi_model")
        assert made.metadata["loaded"].value == "nothing: the model has what gold has"
        said.loaded = []
        assert run(everything=True).success and said.loaded == [("dim_title", None), ("fact_engagement", None)]
        resources["powerbi"] = PowerBI(workspace=emulated.MODEL)  # another workspace has nothing of it
        said.loaded = []
        assert run().success and len(said.loaded) == 2


def test_somebody_elses_cancellation_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched, "contents", lambda _: {"dim_title": {"all": "1"}})
    said = emulated.PowerBI(RANGED, scripts=[["InProgress", "Cancelled"]])
    resource = PowerBI(workspace=emulated.WORKSPACE)
    with opened(said, monkeypatch), pytest.raises(dg.Failure, match="was cancelled in Power BI") as found:
        in_dagster.refreshed(dg.build_asset_context(), Wanted(), Lake.from_settings(), resource)
    assert found.value.allow_retries is False and found.value.metadata["state"].value == "Cancelled"
