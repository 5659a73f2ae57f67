"""A delivery goes from landing to gold in one job on Databricks."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster_tests.databricks.cloud import CHAIN, CLUSTER, Cloud, reason
from netflix_dagster_tests.defs.house import House, checks, materialized
from netflix_dagster_tests.emulators.azurite import Azurite
from netflix_dagster_tests.lakehouse import title

DAY, NEXT, LAST = "2020-01-01", "2020-02-01", "2020-03-01"
RELEASE = (*map(title, (1, 2, 3, 4)), title(9, release_year="soon"))
SUBMIT = "POST /api/2.2/jobs/runs/submit"


def submitted(cloud: Cloud) -> int:
    return cloud.workspace.asked.count(SUBMIT)


def columns_shown(event: dg.AssetMaterialization) -> str:
    """The head of the preview; which rows are under it is for the engine to choose."""
    preview = event.metadata.get("preview")
    return str(preview.value).partition("\n")[0] if preview else ""


def told(result: dg.ExecuteInProcessResult) -> dict[str, dict[tuple[str, str | None], tuple[bool, str | None]]]:
    """What the checks of every table said."""
    return {
        table: {which: (said.passed, said.description) for which, said in checks(result, table).items()}
        for table in feed_tables("catalogue")
    }


def test_the_whole_chain_is_one_job_and_ends_as_a_build_on_this_machine_does(cloud: Cloud, tmp_path: Path) -> None:
    cloud.release(DAY, *RELEASE)
    there = cloud.run(DAY)
    assert there.success, reason(there)
    assert submitted(cloud) == 1
    (run,) = cloud.workspace.runs.by_id.values()
    events = cloud.instance.all_logs(there.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert min(event.timestamp for event in events) < run.ended  # results come while the job is still at work

    house = House(tmp_path)
    house.release(DAY, *RELEASE)
    here = house.run(DAY)
    assert materialized(there).keys() == materialized(here).keys()
    assert told(there) == told(here)
    assert {name: rows for name, rows in cloud.contents().items() if rows} == {
        name: sorted(rows, key=repr) for name in feed_tables("catalogue") if (rows := house.rows(name))
    }
    for which, event in materialized(there).items():
        local = materialized(here)[which].metadata
        for name in ("dagster/row_count", "dagster/partition_row_count", "delta_version", "quarantined"):
            assert event.metadata.get(name) == local.get(name), f"{which}: {name}"
        assert columns_shown(event) == columns_shown(materialized(here)[which])
        assert str(event.metadata["databricks_run"].value).startswith(cloud.workspace.url)
        assert event.metadata["databricks_cluster"].value == CLUSTER
        assert json.loads(str(event.metadata["databricks_cost_tags"].value))["costcentre"] == "4711"


def test_a_range_of_deliveries_is_one_job(cloud: Cloud) -> None:
    for day, numbers in ((DAY, (1, 2, 3)), (NEXT, (1, 2, 3, 4)), (LAST, (1, 2, 3, 4, 5))):
        cloud.release(day, *map(title, numbers))
    result = cloud.run(DAY, LAST, only=CHAIN)
    assert result.success, reason(result)
    assert submitted(cloud) == 1
    found = materialized(result)
    counts = {
        day: found["silver.titles", day].metadata["dagster/partition_row_count"].value for day in (DAY, NEXT, LAST)
    }
    assert counts == {DAY: 3, NEXT: 4, LAST: 5}
    assert {day for _, day in checks(result, "silver.titles")} == {DAY, NEXT, LAST}


def test_a_refused_delivery_changes_nothing_and_its_failed_checks_come_back(cloud: Cloud) -> None:
    cloud.release(DAY, *RELEASE)
    assert cloud.run(DAY, only=CHAIN).success
    before = cloud.contents(CHAIN)
    cloud.release(NEXT, {"show_id": "s1", "a": "b"})
    result = cloud.run(NEXT, only=CHAIN)
    assert result.success, reason(result)
    assert not checks(result, CHAIN[0])["readable", NEXT].passed
    assert materialized(result) == {}
    assert cloud.contents(CHAIN) == before


def test_in_a_range_the_good_deliveries_go_on_without_the_bad_one(cloud: Cloud) -> None:
    cloud.release(DAY, *RELEASE)
    cloud.release(NEXT, {"show_id": "s1", "a": "b"})
    cloud.release(LAST, title(1), title(2))
    result = cloud.run(DAY, LAST, only=CHAIN)
    assert result.success, reason(result)
    readable = {day: said.passed for (name, day), said in checks(result, CHAIN[0]).items() if name == "readable"}
    assert readable == {DAY: True, NEXT: False, LAST: True}
    assert {str(row["delivery_date"]) for row in cloud.rows("silver.titles")} == {DAY, LAST}
    assert [day for (_, day), event in materialized(result).items() if "held_back" in event.metadata] == [NEXT]


def test_a_cluster_of_its_own_bears_the_cost_tags(
    cloud: Cloud, zones: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"spark_version": "17.3.x-scala2.13", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
    monkeypatch.setenv("NETFLIX_DATABRICKS_CLUSTER", json.dumps({**spec, "spark_env_vars": zones.environment}))
    cloud.release(DAY, *RELEASE)
    result = cloud.run(DAY, only=CHAIN[:1])
    assert result.success, reason(result)
    (run,) = cloud.workspace.runs.by_id.values()
    assert run.said["tasks"][0]["new_cluster"]["custom_tags"]["costcentre"] == "4711"
    assert "cluster" in str(materialized(result)[CHAIN[0], DAY].metadata["databricks_cluster"].value)


def test_serverless_compute_gets_its_identity_from_a_secret_scope(
    cloud: Cloud, zones: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.workspace.scopes["netflix"] = {
        name.lower().replace("_", "-"): value for name, value in zones.environment.items()
    }
    names = list(cloud.workspace.scopes["netflix"])
    monkeypatch.setenv("NETFLIX_DATABRICKS_SECRET_NAMES", json.dumps([*names, "azure-client-id"]))  # one is not there
    cloud.workspace.scopes["netflix"] |= {"pythonpath": "/of/somebody/else", "other-team-s-password": "planted"}
    monkeypatch.setenv("NETFLIX_DATABRICKS_CLUSTER", "serverless")
    monkeypatch.setenv("NETFLIX_DATABRICKS_SECRETS", "netflix")
    cloud.release(DAY, *RELEASE)
    result = cloud.run(DAY, only=CHAIN)
    assert result.success, reason(result)
    assert {name for name, _ in materialized(result)} == set(CHAIN)
    assert sorted(set(cloud.workspace.secrets_read)) == sorted(names), "a scope shows more than a job may take"
    (run,) = cloud.workspace.runs.by_id.values()
    assert run.said["environments"][0]["spec"]["dependencies"][0].endswith(".whl")
