"""``verify events``: that a file that lands is told in the storage queue, and that the queue can be read."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from netflix_dagster import storage
from netflix_dagster.landing import events
from netflix_dagster.settings import Settings
from netflix_dagster.verify import identity
from netflix_dagster.verify.identity import WHO
from netflix_dagster.verify.steps import Grant, Lacking, Step, Target, Trial

_ROLE = "Storage Queue Data Contributor"
_SHOWN = 32


def lacks(settings: Settings) -> str | None:
    if not settings.landing_events or not storage.has_events(settings.landing):
        return "no queue: set NETFLIX_LANDING_EVENTS to its name, and NETFLIX_LANDING to a folder in ADLS"
    return None


def cost(settings: Settings) -> str:
    return f"a file of some bytes in {settings.landing}, and requests to two queues, for minutes: below 0.01 EUR"


def steps(trial: Trial) -> Iterator[Step]:
    landing: Any = trial.settings.landing
    name = str(trial.settings.landing_events)
    yield identity.step(trial)
    for queue, act in ((name, _peeked), (f"{name}-poison", _sent)):
        grant = partial(_role, trial, landing.account, queue)
        yield Step(f"queue {queue}", partial(act, landing.account, queue), grant, (WHO,))
    file = landing / f"_{trial.name}" / "probe"
    below = f"blobServices/default/containers/{landing.container}"
    writer = partial(identity.role, trial, "Storage Blob Data Contributor", landing.account, below)
    yield Step("land a file", lambda: _landed(trial, file), writer, (WHO,))
    yield Step(
        "its event comes", lambda: _told(trial, landing.account, name, file), None, ("land a file", f"queue {name}")
    )


def _role(trial: Trial, account: str, queue: str) -> Grant:
    return identity.role(trial, _ROLE, account, f"queueServices/default/queues/{queue}")


def _peeked(account: str, name: str) -> str:
    with events.client(account, name) as queue:
        shown = len(queue.peek_messages(_SHOWN))
        count = queue.get_queue_properties().approximate_message_count
    return f"about {count} messages, {shown} of them shown"


def _sent(account: str, name: str) -> str:
    with events.client(account, name) as queue:
        sent = queue.send_message(json.dumps({"reason": "netflix-dagster verify events"}), time_to_live=600)
        queue.delete_message(sent)
    return "a message was put there and deleted"


def _landed(trial: Trial, file: storage.Place) -> str:
    """The name begins with ``_``, so listings and sensors pass it over."""
    trial.leaves(f"the file {file}", lambda: storage.remove(trial.settings.landing / f"_{trial.name}"))
    storage.write(file, b"probe")
    return str(file)


def _told(trial: Trial, account: str, name: str, file: Any) -> str:
    """Look at the queue without taking anything from it, until the event is there."""
    began = time.monotonic()
    with events.client(account, name) as queue:
        while time.monotonic() - began < trial.wait:
            if any(trial.name in _text(message.content) for message in queue.peek_messages(_SHOWN)):
                return f"after {time.monotonic() - began:.0f} s"
            time.sleep(min(1.0, trial.wait / 10))
    kinds = "Microsoft.Storage.BlobCreated Microsoft.Storage.BlobRenamed Microsoft.Storage.BlobDeleted"
    raise Lacking(
        f"no event of {file} in {trial.wait:.0f} s: nobody sends events to the queue {name}; or a sensor that runs took"
        f" it, or {_SHOWN} older messages are before it (stop the sensor, or empty the queue, and try again)",
        Grant(
            f"an event subscription of the account {account} to the queue {name}",
            "az eventgrid system-topic event-subscription create --name landing --system-topic-name <topic>"
            f" --resource-group <group> --endpoint-type storagequeue --included-event-types {kinds}"
            f" Microsoft.Storage.DirectoryRenamed Microsoft.Storage.DirectoryDeleted --endpoint"
            f' "$(az storage account show --name {account} --query id --output tsv)'
            f'/queueservices/default/queues/{name}"',
        ),
    )


def _text(content: Any) -> str:
    try:
        return base64.b64decode(str(content)).decode(errors="replace")
    except ValueError:
        return ""


TARGET = Target("events", "the queue with the events of landing", cost, lacks, steps)
