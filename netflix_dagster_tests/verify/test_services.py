"""``verify`` of the vault, the events of landing and the telemetry: green, and with each right taken away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.azure import access, telemetry
from netflix_dagster.azure.redaction import HIDDEN
from netflix_dagster.settings import get_settings
from netflix_dagster.verify import telemetry as of_telemetry
from netflix_dagster_tests.emulators.account import in_use
from netflix_dagster_tests.emulators.appinsights import Insights, insights
from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, Azurite
from netflix_dagster_tests.emulators.cloud import Cloud
from netflix_dagster_tests.emulators.eventgrid import Queue, event
from netflix_dagster_tests.emulators.faulty import Door, faulty
from netflix_dagster_tests.verify.conftest import Verify, lacking, left

QUEUE = "landing-events"


def test_a_vault_that_lets_in_gives_the_secrets_that_settings_name(inside: Cloud, verify: Verify) -> None:
    inside.vault.put("hook", "https://hooks.invalid/planted")
    results = verify("vault", vault=inside.vault.name, alert_webhook="secret://hook")
    assert lacking(results) == {}
    assert results["the secret of NETFLIX_ALERT_WEBHOOK"].found == "secret://hook is there, 29 characters"
    assert "planted" not in str(results)
    assert "the secret of NETFLIX_STORAGE_CREDENTIAL" not in results, "it is no reference"


def test_a_secret_that_is_not_there_is_no_missing_right(inside: Cloud, verify: Verify) -> None:
    results = verify("vault", vault=inside.vault.name, alert_webhook="secret://hook")
    assert lacking(results) == {"the secret of NETFLIX_ALERT_WEBHOOK": (None, None)}
    assert "it is not in the Key Vault" in results["the secret of NETFLIX_ALERT_WEBHOOK"].found


def test_a_vault_that_refuses_is_named_with_the_role(
    inside: Cloud, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inside.vault, "forbidden", Everything())
    results = verify("vault", vault=inside.vault.name, alert_webhook="secret://hook")
    ((right, command),) = lacking(results).values()
    assert right == f"Key Vault Secrets User on the vault {inside.vault.name}"
    assert "--assignee-object-id managed " in str(command)
    assert results["the secret of NETFLIX_ALERT_WEBHOOK"].status == "skipped"


class Everything(set[str]):
    def __contains__(self, _: object) -> bool:
        return True


@pytest.fixture
def queues(door: Door, account: Azurite) -> Iterator[Door]:
    """The way to the queues of the account, with both queues of landing."""
    from azure.storage.queue import QueueServiceClient

    with QueueServiceClient(account.queue_url, credential=KEY) as service:
        for name in (QUEUE, f"{QUEUE}-poison"):
            service.create_queue(name)
        with faulty(account.queue_port) as way, in_use({"AZURE_STORAGE_QUEUE_ENDPOINT": f"{way.url}/{ACCOUNT}"}):
            yield way
        for name in (QUEUE, f"{QUEUE}-poison"):
            service.delete_queue(name)


def test_a_file_that_lands_is_told_and_the_queue_is_left_as_it_was(
    account: Azurite, door: Door, queues: Door, verify: Verify
) -> None:
    queue = Queue(account, QUEUE)
    queue.send(event("netflix_cast/2020-01-01/x.csv"))

    def tell() -> None:
        while not (written := [seen for seen in list(door.seen) if seen.startswith(f"PUT /{ACCOUNT}/landing/_verify")]):
            time.sleep(0.05)
        queue.send(event(written[0].split("/landing/")[1].split("?")[0]))

    beside = threading.Thread(target=tell, daemon=True)
    beside.start()
    results = verify("events", landing_events=QUEUE, wait=20)
    beside.join(5)
    assert lacking(results) == {}
    assert results["its event comes"].found.startswith("after ")
    assert len(queue) == 2, "nothing was taken from the queue"
    assert len(Queue(account, f"{QUEUE}-poison")) == 0
    assert left(account) == []


def test_without_a_subscription_no_event_comes_and_the_command_makes_one(queues: Door, verify: Verify) -> None:
    (name,) = lacking(results := verify("events", landing_events=QUEUE, wait=1))
    assert name == "its event comes"
    assert "az eventgrid system-topic event-subscription create" in str(results[name].command)


@pytest.mark.parametrize(
    ("method", "queue"), [("GET", QUEUE), ("POST", f"{QUEUE}-poison")], ids=["no events", "no dead letters"]
)
def test_a_queue_that_refuses_is_named_with_the_role(queues: Door, verify: Verify, method: str, queue: str) -> None:
    queues.fault("forbidden", f"{method} /{ACCOUNT}/{queue}/messages")
    right, command = lacking(verify("events", landing_events=QUEUE, wait=0.2))[f"queue {queue}"]
    assert right == f"Storage Queue Data Contributor on the queue {queue} of {ACCOUNT}"
    assert str(command).endswith(f'/queueServices/default/queues/{queue}"')


def test_landing_that_may_not_be_written_to_needs_the_contributor_s_role(
    door: Door, queues: Door, verify: Verify
) -> None:
    door.fault("forbidden", f"PUT /{ACCOUNT}/landing/")
    results = verify("events", landing_events=QUEUE, wait=0.2)
    right, _ = lacking(results)["land a file"]
    assert right == f"Storage Blob Data Contributor on the container landing of {ACCOUNT}"
    assert results["its event comes"].status == "skipped"


@pytest.fixture
def told(inside: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Insights]:
    """Application Insights, also where it is asked."""
    with insights() as here:
        monkeypatch.setenv(telemetry.CONNECTION, f"{here.connection};ApplicationId=app-1")
        monkeypatch.setattr(of_telemetry, "QUERIES", f"http://127.0.0.1:{here.port}")
        access.connect(get_settings())
        yield here


def test_a_trace_is_taken_and_found(told: Insights, verify: Verify) -> None:
    results = verify("telemetry")
    assert lacking(results) == {}
    assert len(told.rows("dependencies")) == 1
    assert "00000000abcd" not in str(results).replace(HIDDEN, ""), "the key is not in the report"


def test_a_connection_that_is_refused_fails(told: Insights, verify: Verify) -> None:
    told.status = 401
    results = verify("telemetry")
    assert "FAILURE" in results["a trace is taken"].found
    assert "disableLocalAuth" in str(results["a trace is taken"].command)
    assert results["a query finds it"].status == "skipped"


def test_who_may_not_ask_needs_monitoring_reader(told: Insights, verify: Verify) -> None:
    told.readers = ()
    right, command = lacking(verify("telemetry"))["a query finds it"]
    assert right == "Monitoring Reader on Application Insights"
    assert "--assignee-object-id managed --role 'Monitoring Reader'" in str(command)
