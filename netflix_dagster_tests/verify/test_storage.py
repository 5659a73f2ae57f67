"""``verify storage`` on Azurite: green, and with each right taken away."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from netflix_dagster import storage
from netflix_dagster.cli import app
from netflix_dagster.settings import get_settings
from netflix_dagster.verify import storage as of_storage
from netflix_dagster.verify.steps import CLEAN_UP
from netflix_dagster_tests.emulators.account import LANDING
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite
from netflix_dagster_tests.emulators.cloud import Cloud
from netflix_dagster_tests.emulators.dfs import Hierarchy
from netflix_dagster_tests.emulators.faulty import Door
from netflix_dagster_tests.verify.conftest import LAKE, Verify, lacking, left

WRITTEN = ("quarantine", "bronze", "silver", "gold", "checkpoints")
DELIVERY = "a delivery to gold, on this machine by sail"


def test_the_command_verifies_an_account_and_leaves_a_report_and_nothing_else(
    account: Azurite, folders: Hierarchy, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETFLIX_LANDING", str(LANDING))
    monkeypatch.setenv("NETFLIX_LAKE", str(LAKE))
    get_settings.cache_clear()
    called = ["verify", "storage", "--to", str(reports)]
    asked = CliRunner().invoke(app, called)
    assert asked.exit_code == 2
    assert "below 0.01 EUR" in asked.stderr
    assert not reports.exists(), "without --yes nothing is tried"

    done = CliRunner().invoke(app, [*called, "--yes", "--json"])
    said = json.loads(done.stdout)
    assert done.exit_code == 0, done.stderr
    assert (said["counts"]["failed"], said["counts"]["skipped"]) == (0, 0)
    found = {result["step"]: result["found"] for result in said["results"]}
    assert "gold.dim_genre" in found[DELIVERY]
    assert {f"{zone}: write, read, list, remove" for zone in WRITTEN} <= found.keys()
    assert any(name.startswith(CLEAN_UP) for name in found)
    assert left(account) == []
    assert not [folder for zone in WRITTEN for folder in folders.folders(zone) if "verify" in folder]
    page, document = sorted(reports.iterdir(), key=lambda file: file.suffix, reverse=True)
    assert json.loads(document.read_text()) == said
    assert page.read_text().count("| storage |") == len(said["results"])
    assert said["versions"]["deltalake"] in page.read_text()


@pytest.mark.parametrize("zone", WRITTEN)
def test_a_container_that_may_not_be_written_is_named_with_the_role_and_the_command(
    door: Door, verify: Verify, zone: str
) -> None:
    door.fault("forbidden", f"PUT /{ACCOUNT}/{zone}/")
    results = verify("storage")
    (right, command), *more = lacking(results).values()
    assert not more
    assert right == f"Storage Blob Data Contributor on the container {zone} of {ACCOUNT}"
    assert command is not None
    assert "--role 'Storage Blob Data Contributor'" in command
    assert command.endswith(f'/blobServices/default/containers/{zone}"')
    assert results[DELIVERY].status == "skipped"


def test_landing_that_may_not_be_listed_needs_the_reader_s_role(door: Door, verify: Verify) -> None:
    door.fault("forbidden", f"GET /{ACCOUNT}/landing")
    door.fault("forbidden", f"PUT /{ACCOUNT}/gold/")  # so that no delivery is built
    right, command = lacking(verify("storage"))["landing: list"]
    assert right == f"Storage Blob Data Reader on the container landing of {ACCOUNT}"
    assert command is not None and command.startswith("az role assignment create ")


def test_an_account_that_commits_unsafely_fails(door: Door, verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands behind the lake: a create that overwrites is noticed."""
    door.fault("forbidden", f"PUT /{ACCOUNT}/gold/")

    def overwrites(place: storage.Place, data: bytes) -> str:
        storage.write(place, data)
        return str(storage.tag(place))

    monkeypatch.setattr(storage, "create", overwrites)
    assert "where one may" in verify("storage")["conditional put"].found


def test_credentials_that_are_never_asked_for_again_fail(
    door: Door, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.fault("forbidden", f"PUT /{ACCOUNT}/gold/")
    assert "asked for again (" in verify("storage")["token refresh"].found
    monkeypatch.setattr(of_storage, "_SHORT", 60.0)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # for a moment, in which nothing expires
    assert verify("storage")["token refresh"].status == "failed"


def test_nobody_is_told_to_sign_in_and_nothing_else_is_tried(inside: Cloud, verify: Verify) -> None:
    inside.entra.refusing = True
    results = verify("storage")
    assert lacking(results).keys() == {"identity"}
    right, command = lacking(results)["identity"]
    assert (right, str(command)[:8]) == ("an identity in Azure", "az login")
    assert {said.status for name, said in results.items() if not name.startswith((CLEAN_UP, "identity"))} == {"skipped"}


def test_a_folder_is_removed_with_the_folders_in_it(folders: Hierarchy, verify: Verify) -> None:
    """An account with folders keeps those whose blobs are deleted one by one; maintenance would drown in them."""
    place = LAKE / "_staging" / "some"
    for name in ("a/b/1", "a/2"):
        storage.write(place / name, b"x")
    assert {"_staging/some", "_staging/some/a/b"} <= folders.folders("checkpoints")
    storage.remove(place)
    assert not [name for name in folders.folders("checkpoints") if name.startswith("_staging/some")]
    storage.remove(place)  # what is not there does no harm
    assert [asked for asked in folders.asked if asked.startswith("DELETE")] == ["DELETE checkpoints/_staging/some"] * 2
