"""What steps print goes to the storage account, and is shown from there: with the identity, without a key."""

from __future__ import annotations

from pathlib import Path

import yaml

from netflix_dagster_tests.azure.conftest import python
from netflix_dagster_tests.emulators.cloud import Cloud

A_RUN = """
import os, sys, dagster as dg
from netflix_dagster.cli.home import ensure_home
from netflix_dagster.settings import get_settings

os.environ["DAGSTER_HOME"] = str(ensure_home(get_settings()))

@dg.op
def talkative():
    print("said on stdout")
    print("said on stderr", file=sys.stderr)

@dg.job(executor_def=dg.in_process_executor)
def talk():
    talkative()

if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        assert talk.execute_in_process(instance=instance).success
"""
ANOTHER_HOST = """
import dagster as dg, requests
with dg.DagsterInstance.get() as instance:
    run, = instance.get_run_ids()
    logs = instance.compute_log_manager
    captured, = [entry.dagster_event for entry in instance.all_logs(run, of_type=dg.DagsterEventType.LOGS_CAPTURED)]
    key = [run, "compute_logs", captured.logs_captured_data.file_key]
    data = logs.get_log_data(key)
    print("OUT", data.stdout.decode())
    print("ERR", data.stderr.decode())
    print("LINK", requests.get(logs.get_log_metadata(key).stdout_download_url).text)
"""


def test_a_steps_output_is_kept_in_the_storage_account_and_shown(azure: Cloud, tmp_path: Path) -> None:
    home = tmp_path / "home"
    where = {"DAGSTER_HOME": str(home)}
    done = python(azure, A_RUN, tmp_path, **where)
    assert done.returncode == 0, done.stderr
    for captured in (home / "storage").rglob("*.out"):
        captured.unlink()  # another host has only what was stored
    shown = python(azure, ANOTHER_HOST, tmp_path, **where)
    assert shown.returncode == 0, shown.stderr
    assert "OUT said on stdout" in shown.stdout and "LINK said on stdout" in shown.stdout
    assert "said on stderr" in shown.stdout


def test_the_home_of_azure_names_no_secret(azure: Cloud, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = python(azure, A_RUN, tmp_path, DAGSTER_HOME=str(home))
    assert done.returncode == 0, done.stderr
    config = yaml.safe_load((home / "dagster.yaml").read_text())
    logs = config["compute_logs"]
    assert logs["class"] == "AzureBlobComputeLogManager"
    assert logs["config"]["storage_account"] == {"env": "NETFLIX_ACCOUNT"}
    assert not {"access_key_or_sas_token", "secret_credential"} & logs["config"].keys()
    assert config["concurrency"] and config["event_log_storage"], "and all of dagster.yaml is there"
