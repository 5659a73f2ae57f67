"""``verify databricks`` and ``verify unity`` in the emulated workspace: green, and with each right taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.azure.rights import LOCATIONS, grants, load
from netflix_dagster.verify import unity
from netflix_dagster_tests.databricks.cloud import CLUSTER, VOLUME, Cloud
from netflix_dagster_tests.databricks.conftest import databricks, wheel
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite
from netflix_dagster_tests.emulators.databricks import Workspace
from netflix_dagster_tests.emulators.databricks.rights import ACCESS, ATTACH, CREDENTIAL, ME, SCOPE
from netflix_dagster_tests.emulators.entra import Entra
from netflix_dagster_tests.emulators.faulty import Door
from netflix_dagster_tests.verify.conftest import LAKE, Verify, lacking, left

__all__ = ["databricks", "wheel"]
CATALOG = "netflix"
DELIVERY = f"a delivery to gold, by {CLUSTER}"


@pytest.fixture
def there(
    account: Azurite, door: Door, databricks: Workspace, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """A workspace with a cluster, a secret scope and the wheel in a volume."""
    cloud = Cloud(databricks)
    databricks.runs.clusters[CLUSTER] = {"cluster_name": "shared", "spark_env_vars": account.environment}
    databricks.scopes["netflix"] = {"netflix-probe": "of no use"}
    said = {**cloud.settings, "NETFLIX_DATABRICKS_WHEEL": cloud.upload(wheel)}
    said |= {"NETFLIX_DATABRICKS_SECRETS": "netflix", "NETFLIX_DATABRICKS_SERVICE_CREDENTIAL": "netflix-jobs"}
    databricks.credentials["netflix-jobs"] = lambda resource: Entra().token(resource, "access connector")
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    yield databricks
    cloud.instance.dispose()


def test_a_workspace_builds_a_delivery_and_cancels_a_run(there: Workspace, account: Azurite, verify: Verify) -> None:
    results = verify("databricks")
    assert lacking(results) == {}
    assert results["identity"].found.startswith(ME)
    assert "gold.dim_genre" in results[DELIVERY].found
    assert [run.state["result_state"] for run in there.runs.by_id.values()] == ["SUCCESS", "CANCELED"]
    assert left(account) == []


@pytest.mark.parametrize(
    ("right", "step", "named", "command"),
    [
        (ACCESS, "identity", "access to the workspace", "databricks auth login"),
        (SCOPE, "secret scope", "READ on the secret scope netflix", f"databricks secrets put-acl netflix {ME} READ"),
        (
            CREDENTIAL,
            "service credential",
            "ACCESS on the service credential netflix-jobs",
            f"GRANT ACCESS ON SERVICE CREDENTIAL `netflix-jobs` TO `{ME}`",
        ),
        (ATTACH, "cluster", f"CAN ATTACH TO on the cluster {CLUSTER}", "databricks clusters update-permissions"),
    ],
)
def test_a_right_of_the_workspace_that_is_missing_is_named(
    there: Workspace, verify: Verify, right: str, step: str, named: str, command: str
) -> None:
    there.rights.lacking.add(right)
    results = verify("databricks")
    ((found, how),) = lacking(results).values()
    assert results[step].right == found == named
    assert str(how).startswith(command)
    assert results[DELIVERY].status == "skipped"
    assert not there.runs.by_id


def test_a_wheel_that_may_not_be_read_needs_read_volume(there: Workspace, verify: Verify) -> None:
    there.rights.granted = {}
    volume = ".".join(VOLUME.split("/")[2:])
    assert lacking(verify("databricks")) == {
        "wheel": (f"READ VOLUME on {volume}", f"GRANT READ VOLUME ON VOLUME {volume} TO `{ME}`")
    }


def test_a_run_that_fails_is_told_with_its_reason(
    there: Workspace, account: Azurite, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETFLIX_DATABRICKS_ENGINE", "remote")  # nothing answers there
    results = verify("databricks")
    assert "EngineError" in results[DELIVERY].found
    assert left(account) == []


@pytest.fixture
def catalog(databricks: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Unity Catalog as `infra/access.yaml` sets it up for the identity of jobs."""
    granted = {
        (grant.kind, _full(grant.kind, grant.name)): set(grant.privileges)
        for grant in grants(load())
        if grant.principal == "databricks"
    }
    databricks.rights.granted = granted
    for name, value in {**databricks.environment, "NETFLIX_DATABRICKS_CATALOG": CATALOG}.items():
        monkeypatch.setenv(name, value)
    databricks.locations = [
        {"name": f"netflix_{zone}", "url": f"abfss://{zone}@{ACCOUNT}.dfs.core.windows.net/"} for zone in LOCATIONS
    ]
    return databricks


def _full(kind: str, name: str) -> str:
    if kind == "external_location":
        return f"netflix_{name}"
    return ".".join(
        filter(
            None, (CATALOG, {"deliveries": "landing.deliveries", "checkpoints": "landing.checkpoints"}.get(name, name))
        )
    )


def test_the_rights_that_are_asked_for_are_those_that_the_one_file_grants() -> None:
    granted = {
        (grant.kind, f"landing.{grant.name}" if grant.kind == "volume" else grant.name): set(grant.privileges)
        for grant in grants(load())
        if grant.principal == "databricks" and grant.kind != "credential"  # which `verify databricks` tries
    }
    assert {what: set(rights) for what, rights in unity.RIGHTS.items()} == granted


@pytest.mark.parametrize("groups", [(), ("netflix-builders",)], ids=["its own", "those of a group"])
def test_a_catalog_that_is_set_up_is_green(catalog: Workspace, verify: Verify, groups: tuple[str, ...]) -> None:
    catalog.rights.groups = groups
    results = verify("unity")
    assert lacking(results) == {}
    assert results["a file in landing.checkpoints"].status == "passed"
    assert not [path for path in catalog.files.root.rglob("verify-*") if path.is_file()]


@pytest.mark.parametrize(("kind", "name"), unity.RIGHTS, ids=[" ".join(filter(None, what)) for what in unity.RIGHTS])
def test_every_right_that_is_taken_away_is_named_with_its_grant(
    catalog: Workspace, verify: Verify, kind: str, name: str
) -> None:
    assert catalog.rights.granted is not None
    full = _full(kind, name)
    del catalog.rights.granted[kind, full]
    results = verify("unity")
    what, quoted = kind.replace("_", " "), ".".join(f"`{part}`" for part in full.split("."))
    taken = {f"{right} on {kind} {name or CATALOG}": right.replace("_", " ") for right in unity.RIGHTS[kind, name]}
    for step, words in taken.items():
        assert (results[step].right, results[step].command) == (
            f"{words} on the {what} {full}",
            f"GRANT {words} ON {what.upper()} {quoted} TO `{ME}`",
        )
    if kind != "catalog":  # without which nothing else is seen
        assert lacking(results).keys() == taken.keys()


def test_a_container_without_an_external_location_is_told(catalog: Workspace, verify: Verify) -> None:
    catalog.locations = [location for location in catalog.locations if "gold" not in location["name"]]
    failed = lacking(verify("unity"))
    assert set(failed) == {f"{right} on external_location gold" for right in unity.RIGHTS["external_location", "gold"]}
    assert all("CREATE EXTERNAL LOCATION `gold`" in str(command) for _, command in failed.values())


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"table_type": "MANAGED"}, "a managed table"),
        ({"table_type": "EXTERNAL", "properties": {unity.MANAGED[0]: "supported"}}, unity.MANAGED[0]),
        ({"table_type": "EXTERNAL", "storage_location": "abfss://else@where.dfs.core.windows.net/t"}, "lies in"),
    ],
)
def test_a_table_that_is_not_the_lake_s_is_told(
    catalog: Workspace, verify: Verify, about: dict[str, object], said: str
) -> None:
    good = {"catalog_name": CATALOG, "schema_name": "gold", "full_name": f"{CATALOG}.gold.t", "table_type": "EXTERNAL"}
    catalog.tables.append({**good, "storage_location": f"{LAKE / 'gold'}/t"})
    assert lacking(verify("unity")) == {}
    catalog.tables.append({**good, "storage_location": f"{LAKE / 'gold'}/t", **about})
    failed = verify("unity")["tables are external, and in the lake"]
    assert (failed.status, said in failed.found) == ("failed", True)
