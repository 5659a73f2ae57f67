"""What somebody else holds, and identities that end in the middle of the work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.blob import BlobLeaseClient, ContainerClient

from netflix_dagster.lake import maintenance, store
from netflix_dagster_tests.azure.conftest import azure, environment, running_cloud  # noqa: F401  fixtures
from netflix_dagster_tests.defs.house import failures
from netflix_dagster_tests.emulators.azurite import KEY, Azurite
from netflix_dagster_tests.emulators.cloud import Cloud
from netflix_dagster_tests.faults.house import DAY, RELEASE, TABLES, CloudHouse, state
from netflix_dagster_tests.lakehouse import as_csv


def leased(account: Azurite, container: str, below: str) -> list[BlobLeaseClient]:
    """Take a lease on every file below a folder, but for the pointer to a checkpoint, which is written over."""
    client = ContainerClient(account.blob_url, container, credential=KEY)
    names = [name for name in client.list_blob_names(name_starts_with=below) if not name.endswith("_last_checkpoint")]
    return [client.get_blob_client(name).acquire_lease(-1) for name in names]


def test_leases_on_the_files_of_tables_do_not_stop_a_build(
    account: Azurite, house: CloudHouse, undisturbed: dict[str, list[str]]
) -> None:
    """Tables grow by new files."""
    assert failures(house.run(DAY, only=TABLES)) == []
    leases = [lease for zone in ("silver", "gold", "quarantine") for lease in leased(account, zone, house.folder)]
    assert len(leases) > len(TABLES)
    try:
        assert failures(house.run(DAY, only=TABLES)) == []
        assert state(house) == undisturbed
    finally:
        for lease in leases:
            lease.release()


def test_a_lease_on_an_old_file_stops_its_removal_and_nothing_else(account: Azurite, house: CloudHouse) -> None:
    for _ in range(2):
        assert failures(house.run(DAY, only=TABLES)) == []
    before = house.contents()
    leases = leased(account, "silver", f"{house.folder}/titles")
    try:
        with pytest.raises(Exception, match=r"(?s)LeaseIdMissing|lease"):
            maintenance.maintain(house.tables, retention_hours=0, nobody_works=True)
        assert house.contents() == before
    finally:
        for lease in leases:
            lease.release()
    maintenance.maintain(house.tables, retention_hours=0, nobody_works=True)
    assert house.contents() == before
    assert store.version(house.tables, "silver.titles") is not None


PROGRAM = """
import json, sys
from netflix_dagster.azure import access, outage
from netflix_dagster.build.runner import Session
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings
import netflix_dagster.tables

outage.PAUSES = (0.1, 0.1)
settings = get_settings()
access.connect(settings)
tables = ("bronze.netflix_catalogue", "silver.titles")
with Session(settings, load_sources(), "one", tables, {"catalogue": [sys.argv[1]]}) as session:
    session.build(tables[0])
    print("built", flush=True)
    sys.stdin.readline()
    try:
        session.build(tables[1])
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]), flush=True)
    else:
        print(json.dumps(["", ""]), flush=True)
    sys.stdin.readline()
    session.build(tables[1])
print(json.dumps(store.delivery_rows(settings.lake, tables[1])))
"""


def test_a_token_that_cannot_be_renewed_is_told_of_and_the_process_goes_on_when_it_can(
    azure: Cloud,  # noqa: F811
    tmp_path: Path,
) -> None:
    verify = str(azure.authority.ca)
    with ContainerClient(azure.storage.blob_url, "landing", credential=KEY, connection_verify=verify) as landing:
        landing.upload_blob(f"netflix_catalogue/{DAY}/file.csv", as_csv(RELEASE).encode())
    azure.entra.lifetime = 5
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, DAY],
        cwd=tmp_path,
        env=environment(azure),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        try:
            assert process.stdout.readline() == "built\n", process.stderr.read()
            azure.entra.refusing = True
            time.sleep(6)
            process.stdin.write("\n")
            process.stdin.flush()
            kind, said = json.loads(process.stdout.readline())
            azure.entra.refusing = False
            process.stdin.write("\n")
            process.stdin.flush()
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert kind == "StorageError", said
    assert "no identity in Azure that gets a token" in said
    assert "assign a managed identity" in said
    assert "Nothing was written" in said
    assert (json.loads(out), process.returncode) == ({DAY: 4}, 0), err
