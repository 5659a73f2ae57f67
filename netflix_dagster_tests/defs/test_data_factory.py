"""Runs of the data factory from Dagster: the official client against a service that runs the real pipelines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.api import execute_run
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG

from netflix_dagster.azure import identity
from netflix_dagster.defs import data_factory as module
from netflix_dagster.defs.data_factory import (
    DataFactory,
    copied_by_data_factory,
    data_factory_assets,
    data_factory_key,
)
from netflix_dagster.landing.sources import load_sources
from netflix_dagster_tests.emulators.data_factory.engine import Web
from netflix_dagster_tests.emulators.data_factory.server import Fault, Service
from netflix_dagster_tests.emulators.data_factory.server import data_factory as a_data_factory
from netflix_dagster_tests.emulators.entra import Entra
from netflix_dagster_tests.emulators.serving import serving
from netflix_dagster_tests.emulators.tls import Authority
from netflix_dagster_tests.infra.adf.house import BODY, CAST, LANDED, URL, House

CREATE, CANCEL = "createRun", "/cancel"
SLEEP = time.sleep


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, url=URL)
    made.file(Last_Modified="Mon, 06 May 2024 10:00:00 GMT", Content_Type="text/csv")
    return made


@pytest.fixture
def service(house: House, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    entra = Entra()
    certificate = authority.issue("localhost")
    with serving(entra.managed_identity) as port, a_data_factory(house.factory, certificate) as running:
        own = {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}/msi/token", "IDENTITY_HEADER": entra.header}
        mine = {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", **authority.environment}
        for name, value in {**running.environment, **own, **mine}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("netflix_dagster.azure.data_factory.sleep", lambda seconds: SLEEP(min(seconds, 0.05)))
        identity.credential.cache_clear()
        yield running
    identity.credential.cache_clear()


class Dagster:
    """The asset of the house's source, run in this process; ``said`` is what the step logged."""

    def __init__(self, house: House) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        resources = {"data_factory": DataFactory()}
        defs = dg.Definitions(data_factory_assets(house.sources), jobs=[_EVERYTHING], resources=resources)
        self.job = defs.resolve_job_def("everything")

    def run(self, repeats: str | None = None) -> dg.DagsterRun:
        """A run to its end; ``repeats`` names the run of which it is a retry."""
        tags = {ROOT_RUN_ID_TAG: repeats, PARENT_RUN_ID_TAG: repeats} if repeats else {}  # as Dagster's retries have
        run = self.instance.create_run_for_job(self.job, root_run_id=repeats, parent_run_id=repeats, tags=tags)
        execute_run(InMemoryJob(self.job), run, self.instance, raise_on_error=False)
        found = self.instance.get_run_by_id(run.run_id)
        assert found
        return found

    def told(self, run: dg.DagsterRun) -> list[tuple[str, dict[str, Any]]]:
        """What was told of assets: materialized or observed, with the metadata."""
        found = []
        for entry in self.instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event and event.event_type_value in ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION"):
                data: Any = event.event_specific_data
                one = data.materialization if event.is_step_materialization else data.asset_observation
                assert one.asset_key == data_factory_key(CAST)
                kind = "materialized" if event.is_step_materialization else "observed"
                found.append((kind, {name: value.value for name, value in one.metadata.items()}))
        return found

    def said(self, run: dg.DagsterRun) -> str:
        return "\n".join(entry.user_message for entry in self.instance.all_logs(run.run_id))

    def why(self, run: dg.DagsterRun) -> str:
        (failure,) = [
            entry.dagster_event.step_failure_data
            for entry in self.instance.all_logs(run.run_id)
            if entry.dagster_event and entry.dagster_event.is_step_failure
        ]
        assert failure.error
        return str(failure.error.message)


_EVERYTHING = dg.define_asset_job(
    "everything", dg.AssetSelection.groups("data_factory"), executor_def=dg.in_process_executor
)


@pytest.fixture
def dagster(house: House, service: Service) -> Dagster:
    return Dagster(house)


def test_a_copy_is_a_materialisation_and_an_unchanged_origin_an_observation(
    house: House, service: Service, dagster: Dagster
) -> None:
    run = dagster.run()
    assert run.is_success, dagster.why(run)
    ((kind, metadata),) = dagster.told(run)
    (there,) = service.started()
    assert kind == "materialized" and house.listed() == LANDED
    assert (metadata["delivery"], metadata["bytes"]) == ("2024-05-06", len(BODY))
    assert metadata["data_factory_run_id"] == there.id and there.id in metadata["data_factory_run"]
    assert there.parameters["sources"] == [CAST] and there.parameters["any_day"] is True
    said = dagster.said(run)
    assert f"{CAST}: Copy public: Succeeded" in said and f"{len(BODY)} bytes" in said
    assert said.count("Copy public: Succeeded") == 1 and f"run {there.id} of the data factory lands {CAST}" in said
    again = dagster.run()
    assert again.is_success and dagster.told(again) == [("observed", {"outcome": "unchanged"})]


def test_what_fails_is_told_in_the_words_of_the_pipeline(house: House, service: Service, dagster: Dagster) -> None:
    house.world.web[URL].headers["Content-Type"] = "text/html"
    run = dagster.run()
    why = dagster.why(run)
    assert not run.is_success and dagster.told(run) == []
    assert "ended as Failed. Landed: nothing." in why and "to run again is safe" in why
    assert f"- Not the file of {CAST}: The origin of {CAST} answers with {len(BODY)} bytes of text/html" in why
    assert why.count("\n- ") == 1, "what failed for another one's sake is not told"
    assert len(service.started()) == 1, "a pipeline that failed is not started again by itself"


def test_what_landed_before_the_failure_is_told(house: House, service: Service, dagster: Dagster) -> None:
    table = house.factory.contents["pipeline"]["land_sources"]["parameters"]["table"]["defaultValue"]
    table.append({**table[0], "file": "other.csv", "name": "other.csv"})
    run = dagster.run()
    assert not run.is_success and house.listed() == LANDED
    assert f"Landed: {CAST} 2024-05-06." in dagster.why(run) and "status code: 404" in dagster.why(run)
    assert [kind for kind, _ in dagster.told(run)] == ["materialized"]


def test_a_cancelled_step_cancels_the_run_and_all_that_it_started(
    house: House, service: Service, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.world.slow = Event()
    _in_the_first_pause(monkeypatch, service, DagsterExecutionInterruptedError())
    assert dagster.run().is_failure_or_canceled
    (there,) = service.started()
    assert {one.status for one in there.everything()} == {"Cancelled"} and len(there.everything()) == 3
    assert house.listed() == {}
    assert any(CANCEL in asked for asked in service.asked)


@pytest.mark.parametrize("ended", [False, True], ids=["at work", "ended meanwhile"])
def test_a_retry_goes_on_with_what_the_lost_run_had_started(
    house: House, service: Service, dagster: Dagster, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    house.world.slow = Event()
    with monkeypatch.context() as patched:
        _in_the_first_pause(patched, service, RuntimeError("the process is lost, and says nothing to the factory"))
        killed = dagster.run()
    (there,) = service.started()
    assert there.status == "InProgress"
    house.world.slow.set()
    if ended:
        service.threads[0].join(10)
    retry = dagster.run(repeats=killed.run_id)
    assert retry.is_success and service.started() == [there]
    ((kind, metadata),) = dagster.told(retry)
    assert (kind, metadata["data_factory_run_id"]) == ("materialized", there.id)
    assert "was started by an attempt before and is gone on with" in dagster.said(retry)
    # a run that is repeated by hand, and whose end was told, is asked for anew
    assert dagster.run(repeats=killed.run_id).is_success and len(service.started()) == 2


def _in_the_first_pause(patched: pytest.MonkeyPatch, service: Service, error: BaseException) -> None:
    """Raise an error once in the first pause between two looks, when a copy has begun."""
    left, until = [error], time.monotonic() + 20

    def pause(seconds: float) -> None:
        while len(service.factory.runs) < 3 and time.monotonic() < until:
            SLEEP(0.01)
        if left:
            raise left.pop()
        assert time.monotonic() < until, "the run was to be over by now"
        SLEEP(0.02)

    patched.setattr(module, "sleep", pause)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("where", [CREATE, "queryPipelineRuns", "pipelineruns/", "queryActivityruns"])
def test_a_service_that_is_busy_is_asked_again(
    service: Service, dagster: Dagster, house: House, where: str, status: int
) -> None:
    service.faults.append(Fault(status, where, times=3, wait=None if status == 503 else 0))
    assert dagster.run().is_success and house.listed() == LANDED
    assert len(service.started()) == 1 and not service.faults[0].times


def test_an_answer_that_got_lost_starts_no_second_run(service: Service, dagster: Dagster, house: House) -> None:
    service.faults.append(Fault(503, CREATE, after=True))
    assert dagster.run().is_success and len(service.started()) == 1 and house.listed() == LANDED


def test_a_run_that_takes_too_long_is_cancelled(
    service: Service, dagster: Dagster, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETFLIX_DATA_FACTORY_TIMEOUT_SECONDS", "1")
    house.world.slow = Event()
    run = dagster.run()
    assert not run.is_success and "still at work after 1 seconds" in dagster.why(run)
    assert {one.status for one in service.started()[0].everything()} == {"Cancelled"}


def test_an_identity_without_rights_is_told_which_it_needs(service: Service, dagster: Dagster) -> None:
    service.forbidden = True
    run = dagster.run()
    assert "needs the role Data Factory Contributor" in dagster.why(run) and len(service.asked) == 1


def test_a_factory_without_the_pipelines_is_told(service: Service, dagster: Dagster) -> None:
    service.factory.contents["pipeline"].pop("land_sources")  # type: ignore[attr-defined]
    assert "the pipelines of infra/adf have to be in it" in dagster.why(dagster.run())


def test_a_service_that_stays_away_fails_the_step_in_words(
    service: Service, dagster: Dagster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETFLIX_DATA_FACTORY_URL", "https://localhost:9")
    monkeypatch.setenv("NETFLIX_DATA_FACTORY_PATIENCE_SECONDS", "0.1")
    run = dagster.run()
    assert "is busy or cannot be reached" in dagster.why(run) and "run again to go on with it" in dagster.why(run)


def test_the_copies_lie_between_the_origins_and_bronze(service: Service) -> None:
    sources = load_sources()
    (assets,) = data_factory_assets(sources)
    assert len(assets.keys) == 10
    spec = assets.get_asset_spec(data_factory_key("top10_global"))
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["origin", "top10_global"])]
    assert copied_by_data_factory(sources, "bronze.top10_global") == [data_factory_key("top10_global")]
    assert copied_by_data_factory(sources, "silver.top10_global") == []
    assert service.asked == [], "loading asks nobody"


def test_without_a_factory_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETFLIX_DATA_FACTORY_NAME", raising=False)
    sources = load_sources()
    assert data_factory_assets(sources) == copied_by_data_factory(sources, "bronze.top10_global") == []


def test_a_name_without_its_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETFLIX_DATA_FACTORY_NAME", "adf")
    with pytest.raises(ValueError, match="also needs NETFLIX_DATA_FACTORY_GROUP"):
        data_factory_assets(load_sources())


def test_a_large_history_is_found_page_by_page(service: Service, house: House, dagster: Dagster) -> None:
    """Older runs of others stand before the one that is looked for."""
    for _ in range(7):
        house.factory.run("land_sources", sources=["netflix_kast"])
    house.world.web[URL] = Web(BODY, headers={"Last-Modified": "Mon, 06 May 2024 10:00:00 GMT"})
    service.faults.append(Fault(503, CREATE, after=True))
    assert dagster.run().is_success and len(service.started()) == 8
