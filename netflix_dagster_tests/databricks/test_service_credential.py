"""A job on Databricks without any secret: Unity Catalog gives it tokens of a managed identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.azure import access, identity
from netflix_dagster.azure.service_credential import PATH, ServiceCredential, ServiceCredentialError
from netflix_dagster_tests.azure.conftest import azure, inside, running_cloud
from netflix_dagster_tests.databricks.cloud import CHAIN, Cloud, reason
from netflix_dagster_tests.databricks.conftest import connect_anew
from netflix_dagster_tests.defs.house import materialized
from netflix_dagster_tests.emulators.azurite import KEY
from netflix_dagster_tests.emulators.cloud import Cloud as Azure
from netflix_dagster_tests.emulators.databricks import Workspace
from netflix_dagster_tests.emulators.databricks.rights import CREDENTIAL
from netflix_dagster_tests.lakehouse import title

__all__ = ["azure", "inside", "running_cloud"]
NAME, DAY = "netflix-jobs", "2020-01-01"
VAULT, STORAGE = "https://vault.azure.net", "https://storage.azure.com"


@pytest.fixture
def known(azure: Azure, databricks: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace whose metastore keeps a managed identity; this process is logged in there."""
    databricks.credentials[NAME] = lambda resource: azure.entra.token(resource, "access connector")
    for name, value in databricks.environment.items():
        monkeypatch.setenv(name, value)
    yield databricks
    identity.use(None)


def test_serverless_compute_opens_storage_and_vault_without_a_secret(
    inside: Azure, known: Workspace, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job reads its order with a token, and gets what opens the tables from the vault, with another."""
    inside.vault.put("lake", KEY)
    known.runs.environment |= inside.network  # it reaches Azure, as nobody
    cloud = Cloud(known)
    said = {**cloud.settings, "NETFLIX_DATABRICKS_WHEEL": cloud.upload(wheel)}
    said |= {"NETFLIX_DATABRICKS_CLUSTER": "serverless", "NETFLIX_DATABRICKS_SERVICE_CREDENTIAL": NAME}
    for name, value in {**said, "NETFLIX_STORAGE_CREDENTIAL": "secret://lake"}.items():
        monkeypatch.setenv(name, value)
    connect_anew()
    cloud.release(DAY, *map(title, (1, 2, 3)))
    given = set(inside.entra.tokens)
    result = cloud.run(DAY, only=CHAIN[:2])
    assert result.success, reason(result)
    assert {name for name, _ in materialized(result)} == set(CHAIN[:2])
    (run,) = known.runs.by_id.values()
    (task,) = run.said["tasks"]
    assert task["python_wheel_task"]["parameters"][:2] == ["--service-credential", NAME]
    assert known.secrets_read == [] and known.asked.count(f"POST {PATH}") >= 2
    assert not [token for token in set(inside.entra.tokens) - given if token in run.tasks[0].output["logs"]]
    cloud.instance.dispose()
    known.rights.lacking.add(CREDENTIAL)
    refused = Cloud(known)
    refused.release(DAY, title(1))
    result = refused.run(DAY, only=CHAIN[:1])
    assert not result.success
    assert f"GRANT ACCESS ON SERVICE CREDENTIAL `{NAME}`" in reason(result)
    refused.instance.dispose()


def test_a_token_is_kept_until_it_is_about_to_end(azure: Azure, known: Workspace) -> None:
    credential = ServiceCredential(NAME)
    first = credential.get_token(f"{VAULT}/.default")
    assert credential.get_token(f"{VAULT}/.default", tenant_id="t") == first
    assert credential.get_token(f"{STORAGE}/.default") != first, "each resource has a token of its own"
    azure.entra.lifetime = 200
    short = ServiceCredential(NAME)
    assert short.get_token(f"{VAULT}/.default") != short.get_token(f"{VAULT}/.default")
    assert azure.entra.issued == {VAULT: 3, STORAGE: 1}


def test_a_process_of_a_job_is_what_the_catalog_says_it_is(azure: Azure, known: Workspace) -> None:
    identity.use(NAME)
    assert access.Access().delta_options()["bearer_token"] in azure.entra.tokens
    identity.use(None)
    assert not isinstance(identity.credential(), ServiceCredential)


@pytest.mark.parametrize(
    ("name", "lacking", "said"),
    [
        (NAME, {CREDENTIAL}, "GRANT ACCESS ON SERVICE CREDENTIAL"),
        ("another", set(), "none of that name"),
    ],
)
def test_a_credential_that_gives_no_token_says_who_can_mend_it(
    known: Workspace, name: str, lacking: set[str], said: str
) -> None:
    known.rights.lacking |= lacking
    with pytest.raises(ServiceCredentialError, match=said):
        ServiceCredential(name).get_token(f"{STORAGE}/.default")
