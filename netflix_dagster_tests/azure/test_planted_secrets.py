"""No secret in a file, a log, an event, a run config or on a screen: all of them are planted, then looked for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from deltalake import DeltaTable

from netflix_dagster_tests.azure.conftest import environment
from netflix_dagster_tests.azure.test_access import account_sas
from netflix_dagster_tests.cli.shell import COMMAND
from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY
from netflix_dagster_tests.emulators.cloud import Cloud

SPARK_TOKEN = "planted-spark-token-81c2"
WRONG_KEY = KEY.replace("Eby8", "Abc0")
SOURCE = ("--source", "engagement")
LEAKS = """
import os, sys, requests
from netflix_dagster.build.door import Door
def refused(*_, **__): requests.get(os.environ["SIGNED"]).raise_for_status()
Door.receive = refused
from netflix_dagster.cli import app
app(sys.argv[1:])
"""
"""The command, but that the first step of a build is refused by a client which repeats the signed address."""


def test_no_planted_secret_is_found_anywhere(inside: Cloud, tmp_path: Path) -> None:
    azure = inside
    lapsed, wrong, good = account_sas(hours=-1), account_sas(key=WRONG_KEY), account_sas()
    signed = f"{azure.storage.blob_url}/bronze/f?{lapsed}"
    home = tmp_path / "home"
    env = environment(
        azure,
        DAGSTER_HOME=str(home),
        NETFLIX_STORAGE_CREDENTIAL="secret://storage",
        NETFLIX_SPARK_REMOTE=f"sc://elsewhere:15002/;token={SPARK_TOKEN}",
        SIGNED=signed,
    )
    said = []

    def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, cwd=tmp_path, env=env | more, capture_output=True, encoding="utf-8", timeout=300)
        said.extend([done.stdout, done.stderr])
        return done

    azure.vault.put("storage", good)
    landing = f"abfss://landing@{ACCOUNT}.dfs.core.windows.net"
    assert run(COMMAND, "sample", landing).returncode == 0
    leaking = run(str(Path(COMMAND).with_name("python")), "-c", LEAKS, "run", *SOURCE)
    assert leaking.returncode == 1 and "sig=[hidden]" in leaking.stdout + leaking.stderr, leaking
    built = run(COMMAND, "run", *SOURCE, "--json")
    assert built.returncode in (0, 3) and json.loads(built.stdout)["tables"]["gold.fact_engagement"]["rows"], (
        built.stderr
    )
    azure.vault.put("storage", wrong)
    assert run(COMMAND, "run", *SOURCE, "--again").returncode == 1
    assert run(COMMAND, "run", *SOURCE, NETFLIX_STORAGE_CREDENTIAL=good).returncode != 0  # a secret for its name
    assert run(COMMAND, "run", *SOURCE, NETFLIX_STORAGE_CREDENTIAL="default", AZURE_STORAGE_ACCOUNT_KEY=KEY).returncode
    run(COMMAND, "doctor")
    azure.vault.put("storage", good)

    assert "could not be removed" not in "".join(said), "a lock that stays is waited for by the next run"

    signatures = [sas.split("sig=")[1].split("&")[0] for sas in (lapsed, wrong, good)]
    planted = [*signatures, *map(unquote, signatures), SPARK_TOKEN, azure.entra.header, KEY, *azure.entra.tokens]
    assert azure.entra.tokens, "tokens were used, else there is nothing to look for"
    kept = [(str(path), path.read_bytes()) for path in home.rglob("*") if path.is_file()]
    stored = list(blobs(azure))
    kept += [("the screen", "\n".join(said).encode()), *stored, *rows((name for name, _ in stored), good)]
    assert found(["sig=[hidden]"], kept), "the refusal was kept, without its secret"
    assert any("compute_logs" in name for name, _ in kept), "what steps print is looked through as well"
    assert found(planted, kept) == []


def found(secrets: Iterable[str], kept: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Which secrets stand where."""
    wanted = [secret.encode() for secret in secrets]
    return [(name, secret.decode()) for name, data in kept for secret in wanted if secret in data]


def blobs(azure: Cloud) -> Iterable[tuple[str, bytes]]:
    """Every file of the storage account."""
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient(
        azure.storage.blob_url, credential=KEY, connection_verify=str(azure.authority.ca)
    ) as service:
        for container in service.list_containers():
            client = service.get_container_client(container.name)
            for blob in client.list_blobs():
                yield f"{container.name}/{blob.name}", client.download_blob(blob.name).readall()


def rows(files: Iterable[str], sas: str) -> Iterable[tuple[str, bytes]]:
    """The rows of the lake's tables, which lie compressed in their files."""
    options = {"account_name": ACCOUNT, "sas_token": sas}
    tables = {name.split("/_delta_log/")[0] for name in files if "/_delta_log/" in name}
    assert "quarantine/deliveries" in tables
    for name in tables:
        container, _, path = name.partition("/")
        table = DeltaTable(f"abfss://{container}@{ACCOUNT}.dfs.core.windows.net/{path}", storage_options=options)
        yield name, json.dumps(table.to_pyarrow_table().to_pylist(), default=str).encode()
