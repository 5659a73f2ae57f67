"""``verify access``: each system as the file says, then with one right taken away and one too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from netflix_dagster.azure import directory as azure_directory
from netflix_dagster.azure import identity, rights
from netflix_dagster.serving.powerbi import service
from netflix_dagster.settings import Settings
from netflix_dagster.storage import ZONE, AzureFolder
from netflix_dagster.verify import TARGETS, access
from netflix_dagster.verify.steps import Result, Trial, carry_out
from netflix_dagster_tests.databricks.conftest import databricks
from netflix_dagster_tests.emulators.databricks import Workspace
from netflix_dagster_tests.emulators.directory import GROUP, SCOPES, SUBSCRIPTION, Directory, object_id
from netflix_dagster_tests.emulators.entra import Entra
from netflix_dagster_tests.emulators.powerbi import WORKSPACE, PowerBI
from netflix_dagster_tests.emulators.serving import serving

__all__ = ["databricks"]
ACCESS = rights.load()
LAKE = AzureFolder("stacmenetflixdev", ZONE)
JOBS = "4c1d2a9e-0000-4000-8000-0000000000aa"
CREDENTIAL = "jobs-netflix-dev-weu"
"""The application id of the jobs: Unity Catalog knows a service principal by nothing else."""


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is somebody to whom Entra gives tokens."""
    entra = Entra()

    class Token:
        def __init__(self, scope: str) -> None:
            self.token, self.expires_on = entra.token(scope.removesuffix("/.default"), "me")

    monkeypatch.setattr(identity, "token", lambda scope, tenant=None: Token(scope))


def called(principal: str) -> str:
    said = ACCESS.principals[principal]
    return said.group or str(said.identity).format(stack="dev", region="weu").replace("*", "acme")


@pytest.fixture
def directory(tokens: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Directory]:
    """A resource group in which everybody holds what the file says, and what the platform needs for itself."""
    there = Directory()
    for said in rights.assignments(ACCESS):
        there.gives(called(said.principal), said.role, said.kind, said.name)
    there.held.append((called("builder"), "7f951dda-4ed3-4680-a7ca-43fe172d538d", "/registry"))  # AcrPull
    for door, right in access.DOORS.items():
        groups = [ACCESS.groups()[name] for name in ACCESS.logins(right)]
        there.logins[f"dagster-netflix-{door}-dev-weu"] = groups
    with serving(there.answer) as port:
        there.url = f"http://127.0.0.1:{port}"
        # Where they are asked changes, and for whom the tokens are does not.
        asked = azure_directory._asked

        def here(method: str, url: str, service: str, body: Any = None) -> dict[str, Any]:
            return asked(method, url.replace(service, there.url), service, body)

        monkeypatch.setattr(azure_directory, "_asked", here)
        monkeypatch.setenv(access.GROUP, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}")
        yield there


def verified(**said: Any) -> dict[str, Result]:
    settings = Settings(landing=AzureFolder("stacmenetflixdev", "landing"), lake=LAKE, **said)
    return {one.step: one for one in carry_out([TARGETS["access"]], Trial(settings, 1), lambda _: None)}


def test_azure_and_dagster_are_as_the_file_says(directory: Directory) -> None:
    found = verified()
    assert {one.status for one in found.values()} == {"passed"}, found
    assert found[access.ROLES].found.startswith(f"{len(list(rights.assignments(ACCESS)))} rights, each")
    assert found[access.LOGINS].found.startswith("4 rights")


def test_a_role_that_is_missing_and_one_too_many_are_told_with_what_mends_them(directory: Directory) -> None:
    gone = ("data-engineers", "Storage Blob Data Contributor", SCOPES["container"] + "landing")
    directory.held.remove(gone)
    directory.gives("data-analysts", "Storage Blob Data Reader", "container", "gold")
    directory.held.append(("jane.doe", access.WIDER["Storage Blob Data Owner"], f"/subscriptions/{SUBSCRIPTION}"))
    directory.gives("deleted one", "Key Vault Secrets User", "vault")
    result = verified()[access.ROLES]
    assert result.status == "failed" and result.found.startswith("4 rights are not as")
    commands = str(result.command).splitlines()
    (missing,) = [one for one in commands if " create " in one]
    assert "--group data-engineers " in missing and "--role 'Storage Blob Data Contributor'" in missing
    assert missing.endswith('/blobServices/default/containers/landing"')
    surplus = [one.rpartition("/")[2] for one in commands if one.startswith("az role assignment delete --ids ")]
    assert object_id(f"data-analysts Storage Blob Data Reader {SCOPES['container']}gold") in surplus
    assert len(surplus) == 3 and "jane.doe has Storage Blob Data Owner" in result.found
    assert f"somebody who was deleted ({object_id('deleted one')})" in result.found


def test_an_identity_of_another_stack_is_a_stranger(directory: Directory) -> None:
    directory.gives("id-netflix-builder-prod-weu", "Storage Blob Data Contributor", "container", "gold")
    found = verified()[access.ROLES].found
    assert "1 rights are not" in found and "id-netflix-builder-prod-weu has Storage Blob Data Contributor" in found


def test_who_may_log_in_to_dagster_is_compared(directory: Directory) -> None:
    launch = directory.logins["dagster-netflix-webserver-dev-weu"]
    launch.remove("data-engineers")
    launch.append("data-analysts")
    result = verified()[access.LOGINS]
    assert "data-engineers may not log in to dagster-netflix-webserver" in result.found
    assert "data-analysts may log in to dagster-netflix-webserver-dev-weu, surplus" in result.found
    assert "--method delete" in str(result.command) and "--method post" in str(result.command)


@pytest.mark.parametrize(
    ("service", "step"), [("management.azure.com", access.ROLES), ("graph.microsoft.com", access.LOGINS)]
)
def test_who_may_not_ask_is_told_what_that_needs(directory: Directory, service: str, step: str) -> None:
    directory.forbidden.add(service)
    result = verified()[step]
    assert result.status == "failed" and "Reader" in str(result.right)


@pytest.fixture
def catalog(databricks: Workspace, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], dict[str, set[str]]]:
    """Unity Catalog as the file says it; two tables stand in gold."""
    there: dict[tuple[str, str], dict[str, set[str]]] = {}
    for said in rights.grants(ACCESS):
        full = {"catalog": "netflix", "external_location": f"lake-{said.name}", "credential": CREDENTIAL}.get(said.kind)
        full = full or ("netflix.landing." if said.kind == "volume" else "netflix.") + said.name
        name = ACCESS.groups().get(said.principal, JOBS)
        there.setdefault((said.kind, full), {}).setdefault(name, set()).update(said.privileges)
    for name in ("kpi_top10", "dim_title"):
        there.setdefault(("table", f"netflix.gold.{name}"), {})
        databricks.tables.append({"schema_name": "gold", "full_name": f"netflix.gold.{name}", "name": name})
    databricks.locations = [
        {"name": f"lake-{zone}", "url": f"abfss://{zone}@stacmenetflixdev.dfs.core.windows.net/"}
        for zone in rights.LOCATIONS
    ]
    databricks.rights.of_all = there
    told = {"NETFLIX_DATABRICKS_CATALOG": "netflix", "NETFLIX_DATABRICKS_SERVICE_CREDENTIAL": CREDENTIAL}
    for name, value in {**databricks.environment, **told}.items():
        monkeypatch.setenv(name, value)
    return there


def test_unity_catalog_is_compared_grant_by_grant(catalog: dict[tuple[str, str], dict[str, set[str]]]) -> None:
    assert verified()[access.CATALOG].status == "passed", verified()[access.CATALOG]
    catalog["schema", "netflix.gold"]["data-analysts"].remove("SELECT")
    catalog["schema", "netflix.gold"][JOBS].add("APPLY_TAG")
    catalog["table", "netflix.gold.dim_title"]["data-readers"] = {"SELECT"}
    del catalog["table", "netflix.gold.kpi_top10"]  # it is not there any more: nor is the right to it
    result = verified()[access.CATALOG]
    assert set(str(result.command).splitlines()) == {
        "GRANT SELECT ON SCHEMA `netflix`.`gold` TO `data-analysts`",
        "REVOKE APPLY TAG ON SCHEMA `netflix`.`gold` FROM `<application id of the jobs>`",
        "REVOKE SELECT ON TABLE `netflix`.`gold`.`dim_title` FROM `data-readers`",
        "GRANT SELECT ON TABLE `netflix`.`gold`.`kpi_top10` TO `data-readers`",
    }


def test_who_may_not_see_grants_is_told(catalog: Any, databricks: Workspace) -> None:
    databricks.rights.of_all = None
    assert "MANAGE on the catalog" in str(verified()[access.CATALOG].right)


def test_power_bi_is_compared(tokens: None, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [("data-platform", "Group", "Admin"), ("data-analysts", "Group", "Viewer"), ("b", "App", "Contributor")]
    with serving(PowerBI({}, members=[*members, ("jane", "User", "Viewer")]).answer) as port:
        there = service.Workspace(WORKSPACE, lambda: "token-1", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(service, "opened", lambda _: there)
        result = verified(powerbi_workspace=WORKSPACE)[access.POWERBI]
    assert "data-engineers is not there: make it Contributor" in result.found and "user jane is Viewer" in result.found
    assert len(str(result.command).splitlines()) == 2


def test_a_platform_that_is_nowhere_has_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (access.GROUP, "NETFLIX_DATABRICKS_CATALOG"):
        monkeypatch.delenv(name, raising=False)
    assert access.GROUP in str(TARGETS["access"].lacks(Settings(synapse=None, powerbi_workspace=None)))
