"""One token flow for all that reads and writes the storage account, and what else may open it.

Every client here is the real one, on the addresses that it uses in Azure, over TLS that it verifies. The storage
account is Azurite, which looks at a token's audience, issuer and dates.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from netflix_dagster import storage
from netflix_dagster.azure import access, vault
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.azure.conftest import connect_anew, python
from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY
from netflix_dagster_tests.emulators.cloud import Cloud
from netflix_dagster_tests.emulators.entra import TENANT

STORAGE = "https://storage.azure.com"
ALL_THREE = """
import sys, time
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from netflix_dagster import storage
from netflix_dagster.azure import access
from netflix_dagster.engine import sessions
from netflix_dagster.settings import get_settings

settings = get_settings()
access.connect(settings)
lake = settings.lake

def all_three(name):
    storage.write(lake / "bronze" / name, b"by obstore")
    assert storage.read(lake / "bronze" / name) == b"by obstore"
    table = lake / "silver" / name
    write_deltalake(str(table), pa.table({"a": [1, 2]}), storage_options=storage.delta_options(table))
    spark = sessions.session(settings)
    assert spark.read.format("delta").load(str(table)).count() == 2
    spark.range(5).write.format("delta").save(str(lake / "gold" / name))
    written = DeltaTable(str(lake / "gold" / name), storage_options=storage.delta_options(lake / "gold" / name))
    assert written.to_pyarrow_table().num_rows == 5
"""


def account_sas(*, key: str = KEY, hours: float = 1) -> str:
    """A shared access signature for the whole account."""
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    everything = AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True)
    until = datetime.now(UTC) + timedelta(hours=hours)
    return generate_account_sas(ACCOUNT, key, ResourceTypes(True, True, True), everything, until)


def test_the_managed_identity_opens_the_lake_for_every_client(azure: Cloud, tmp_path: Path) -> None:
    done = python(azure, f"{ALL_THREE}\nall_three('managed')", tmp_path)
    assert done.returncode == 0, done.stderr
    assert azure.entra.issued.keys() == {STORAGE}
    assert azure.entra.issued[STORAGE] <= 3, "a token is kept until it expires"


def test_a_process_that_outlives_its_tokens_goes_on(azure: Cloud, tmp_path: Path) -> None:
    azure.entra.lifetime = 3
    done = python(azure, f"{ALL_THREE}\nall_three('before')\ntime.sleep(4)\nall_three('after')", tmp_path)
    assert done.returncode == 0, done.stderr
    assert azure.entra.issued[STORAGE] > 3


def test_a_workload_identity_opens_it(azure: Cloud, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("written by the cluster")
    azure.entra.federated["workload"] = "written by the cluster"
    azure.entra.refusing = True
    names = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": "workload"}
    file = {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")}
    hosted = {"IDENTITY_ENDPOINT": "", "IDENTITY_HEADER": ""}
    done = python(azure, f"{ALL_THREE}\nall_three('workload')", tmp_path, **names, **file, **hosted)
    assert done.returncode == 0, done.stderr


def test_az_login_opens_it(azure: Cloud, tmp_path: Path) -> None:
    token, expires = azure.entra.token(STORAGE, "a person")
    when = datetime.fromtimestamp(expires).strftime("%Y-%m-%d %H:%M:%S.000000")
    said = {"accessToken": token, "expiresOn": when, "expires_on": expires, "subscription": TENANT, "tenant": TENANT}
    (tmp_path / "said.json").write_text(json.dumps({**said, "tokenType": "Bearer"}))
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\ncat {tmp_path / 'said.json'}\n")
    az.chmod(0o755)
    azure.entra.refusing = True
    here = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "IDENTITY_ENDPOINT": "", "IDENTITY_HEADER": ""}
    chosen = {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}
    done = python(azure, f"{ALL_THREE}\nall_three('az')", tmp_path, **here, **chosen)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ["principal", "signature", "key"])
def test_what_the_vault_holds_opens_it(azure: Cloud, tmp_path: Path, kind: str) -> None:
    azure.entra.principals["app-1"] = "planted-password"
    principal = {"appId": "app-1", "displayName": "netflix", "password": "planted-password", "tenant": TENANT}
    held = {"principal": json.dumps(principal), "signature": account_sas(), "key": KEY}
    azure.vault.put("storage", held[kind])
    done = python(azure, f"{ALL_THREE}\nall_three({kind!r})", tmp_path, NETFLIX_STORAGE_CREDENTIAL="secret://storage")
    assert done.returncode == 0, done.stderr
    by_token = azure.entra.issued[STORAGE] > 0
    assert by_token == (kind == "principal"), "the identity of the process opens the vault and not the storage"


def test_an_expired_token_is_told_of(inside: Cloud) -> None:
    """The clock of the host that asks is wrong, or the token was revoked: what is kept as good is not."""
    place = get_settings().lake / "bronze" / "f"
    token, _ = inside.entra.token(STORAGE, "late", lifetime=-60)
    until = datetime.now(UTC) + timedelta(hours=1)
    from obstore.store import AzureStore

    late = AzureStore("bronze", account_name=ACCOUNT, credential_provider=lambda: {"token": token, "expires_at": until})
    refused = pytest.raises(storage.StorageError, match=r"bronze@\S+: AuthenticationFailed: .* No file was harmed")
    with refused, storage.asked(place):
        late.get("f")


def test_a_rotated_signature_is_taken_up_after_the_refusal(inside: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    place = get_settings().lake / "bronze" / "rotated"
    monkeypatch.setenv("NETFLIX_STORAGE_CREDENTIAL", "secret://storage")
    connect_anew()
    inside.vault.put("storage", account_sas(hours=-1))
    with pytest.raises(storage.StorageError, match="No file was harmed") as refused:
        storage.write(place, b"x")
    assert "sig=" not in str(refused.value)
    inside.vault.put("storage", account_sas())
    storage.write(place, b"x")  # at once, not when what is kept expires
    assert storage.read(place) == b"x"


def test_a_missing_secret_is_said_as_such(inside: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETFLIX_STORAGE_CREDENTIAL", "secret://nosuch")
    connect_anew()
    with pytest.raises(storage.StorageError, match=r"abfss://bronze@\S+/f: secret://nosuch cannot be had"):
        storage.read(get_settings().lake / "bronze" / "f")


def test_nobody_is_told_how_to_become_somebody(inside: Cloud) -> None:
    inside.entra.refusing = True
    with pytest.raises(storage.StorageError, match=r"no identity in Azure .* az login.* assign a managed identity"):
        storage.read(get_settings().lake / "bronze" / "f")


@pytest.mark.parametrize("held", ["{}", "{not json", '{"appId": "planted-1", "password": "planted-2"}'])
def test_half_a_service_principal_is_refused_and_not_repeated(inside: Cloud, held: str) -> None:
    inside.vault.put("storage", held)
    with pytest.raises(vault.SecretError, match="`az ad sp create-for-rbac`") as refused:
        access.recognised("secret://storage", held)
    assert "planted" not in str(refused.value)


def test_a_key_of_a_real_account_has_no_place_in_the_environment(
    inside: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(access.KEY, KEY)
    with pytest.raises(storage.StorageError, match="belongs in the Key Vault") as refused:
        storage.read(get_settings().lake / "bronze" / "f")
    assert KEY not in str(refused.value)


def test_a_lake_on_this_machine_asks_nobody(inside: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ENV": "local", "LAKE": "lake", "LANDING": "landing"}.items():
        monkeypatch.setenv(f"NETFLIX_{name}", value)
    monkeypatch.setenv("NETFLIX_STORAGE_CREDENTIAL", "secret://nosuch")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")
    connect_anew()
    assert storage.engine_environment(get_settings().landing, get_settings().lake) == {}


def test_azures_libraries_load_only_where_they_are_used(azure: Cloud, tmp_path: Path) -> None:
    code = "import sys, netflix_dagster.build.runner, netflix_dagster.azure.access; print('azure.core' in sys.modules)"
    assert python(azure, code, tmp_path).stdout.split() == ["False"]
