"""What a message of the queue is about, what becomes of one that cannot be understood, and that none is lost."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from netflix_dagster.landing import events
from netflix_dagster.landing.events import MOST_ATTEMPTS, Events, Message, Poison, touched
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.storage import AzureFolder, StorageError
from netflix_dagster_tests.emulators.account import LANDING, empty, storage_account
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite
from netflix_dagster_tests.emulators.eventgrid import Queue, cloud_event, encoded, event

SOURCES = load_sources()
DAY = "2020-02-01"
FILE = f"netflix_cast/{DAY}/x.csv"
THERE = {("netflix_cast", DAY)}


def about(said: object, landing: AzureFolder = LANDING) -> set[tuple[str, str]]:
    return touched(Message("1", "r", encoded(said), 1), landing, SOURCES)


# What an event is about


@pytest.mark.parametrize("api", ["PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose", "SftpCommit"])
@pytest.mark.parametrize("schema", [event, cloud_event])
def test_a_file_that_came_is_its_delivery(api: str, schema: Any) -> None:
    assert about(schema(FILE, api=api)) == THERE


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("BlobRenamed", FILE),
        ("BlobDeleted", FILE),
        ("DirectoryRenamed", f"netflix_cast/{DAY}"),
        ("DirectoryDeleted", f"netflix_cast/{DAY}"),
    ],
)
def test_what_moved_or_went_is_a_change_of_its_delivery(kind: str, path: str) -> None:
    assert about(event(path, kind)) == THERE


def test_several_events_of_one_message_are_all_looked_at() -> None:
    found = about([event(FILE), event("netflix_titles/2021-01-01/a b#.csv"), event(FILE)])
    assert found == {*THERE, ("netflix_titles", "2021-01-01")}


def test_a_landing_folder_below_a_container_is_cut_off() -> None:
    assert about(event(f"in/here/{FILE}"), replace(LANDING, path="in/here")) == THERE


@pytest.mark.parametrize(
    "said",
    [
        event(FILE, api="CreateFile"),
        event(FILE, api="SftpCreate"),
        event(FILE, "BlobTierChanged"),
        event(f"netflix_cast/{DAY}", "DirectoryCreated"),
        event("netflix_cast", "DirectoryRenamed"),
        event(f"{FILE}.part"),
        event(f"netflix_cast/{DAY}/_SUCCESS"),
        event(f"_staging/{DAY}/x.csv"),
    ],
    ids=lambda said: f"{said['eventType']} {said['data']['api']} {said['subject']}",
)
def test_what_is_not_complete_or_passed_over_is_of_no_concern(said: dict[str, Any]) -> None:
    assert about(said) == set()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([1], "not an event"),
        ("text", "not an event"),
        (None, "not an event"),
        ({}, "its type is None"),
        ({**event(FILE), "eventType": 7}, "its type is 7"),
        ({**event(FILE), "eventType": "Contoso.Items.Received"}, "its type is 'Contoso"),
        ({**event(FILE), "subject": None}, "its subject is None"),
        ({**event(FILE), "subject": "/blobServices/default/containers/landing"}, "names no file"),
        ({**event(FILE), "topic": f"/x/storageAccounts/not{ACCOUNT}"}, "not the landing folder"),
        ({**event(FILE), "topic": None}, "not the landing folder"),
        (event(FILE, container="bronze"), "of bronze in .* not the landing folder"),
        (event(f"netflix_trailers/{DAY}/x.csv"), "there is no source 'netflix_trailers'"),
        (event("readme.txt"), "there is no source 'readme.txt'"),
        (event("netflix_cast"), "not <source>/<delivery date>/<file>"),
        (event("netflix_cast/x.csv"), "not <source>/<delivery date>/<file>"),
        (event("netflix_cast/2020-2-1/x.csv"), "not <source>/<delivery date>/<file>"),
        (event(f"netflix_cast/{DAY}T13/x.csv"), "this feed delivers by the day; rename the folder to YYYY-MM-DD"),
        (event(f"netflix_cast/{DAY}"), "not one of netflix_cast's files"),
        (event(f"netflix_cast/{DAY}/notes.txt"), "not one of netflix_cast's files"),
        ([event(FILE), 1], "not an event"),
    ],
)
def test_what_cannot_be_understood_says_why(said: object, why: str) -> None:
    with pytest.raises(Poison, match=why):
        about(said)


def test_a_path_outside_of_the_landing_folder_is_poison() -> None:
    with pytest.raises(Poison, match="is not in the landing folder"):
        about(event(FILE), replace(LANDING, path="in/here"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "not base64"),
        ("", "not JSON"),
        ("é", "not base64"),
        ("abc", "not base64"),
        (base64.b64encode(b"<html>").decode(), "not JSON"),
        (base64.b64encode(b"\xff\xfe").decode(), "not JSON"),
        (base64.b64encode(b"[" * 45_000).decode(), "not JSON"),
    ],
)
def test_a_text_that_is_no_event_says_why(text: str, why: str) -> None:
    with pytest.raises(Poison, match=why):
        touched(Message("1", "r", text, 1), LANDING, SOURCES)


def test_a_message_that_comes_too_often_is_poison() -> None:
    message = Message("1", "r", encoded(event(FILE)), MOST_ATTEMPTS)
    assert touched(message, LANDING, SOURCES) == THERE
    with pytest.raises(Poison, match="never finished"):
        touched(replace(message, attempts=MOST_ATTEMPTS + 1), LANDING, SOURCES)


# The queue


@pytest.fixture(scope="module")
def account() -> Iterator[Azurite]:
    with storage_account() as running:
        yield running


@pytest.fixture
def queue(account: Azurite) -> Queue:
    empty(account, "arrivals", "arrivals-poison")
    return Queue(account, "arrivals")


def test_messages_are_received_up_to_a_number_and_stay_until_deleted(queue: Queue) -> None:
    for number in range(40):
        queue.send(event(f"netflix_cast/{DAY}/{number}.csv"))
    arrivals = Events(ACCOUNT, "arrivals")
    first, rest = arrivals.receive(33), arrivals.receive(100)
    assert (len(first), len(rest), len(queue)) == (33, 7, 40)
    assert {message.attempts for message in first} == {1}
    arrivals.delete((message.id, message.receipt) for message in (*first, *rest))
    assert len(queue) == 0


def test_a_message_that_is_not_deleted_comes_again_and_its_old_receipt_is_no_error(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HIDDEN_FOR", 1)
    queue.send(event(FILE))
    arrivals = Events(ACCOUNT, "arrivals")
    (first,) = arrivals.receive(10)
    again: list[Message] = []
    while not again:
        again = arrivals.receive(10)
    assert (again[0].id, again[0].attempts) == (first.id, 2)
    arrivals.delete([(first.id, first.receipt)])
    assert len(queue) == 1
    arrivals.delete([(again[0].id, again[0].receipt)] * 2)
    assert len(queue) == 0


def test_a_buried_message_lies_in_the_dead_letter_queue_with_the_reason(account: Azurite, queue: Queue) -> None:
    queue.send_text("<html> é ]]> & \t")
    arrivals = Events(ACCOUNT, "arrivals")
    (message,) = arrivals.receive(10)
    arrivals.bury(message, "not base64")
    (letter,) = Queue(account, "arrivals-poison").letters()
    assert letter == {
        "reason": "not base64",
        "queue": "arrivals",
        "id": message.id,
        "attempts": 1,
        "message": "<html> é ]]> & \t",
    }
    assert len(queue) == 0


@pytest.mark.parametrize("character", ["x", "é", "<"])
def test_a_message_as_long_as_can_be_is_buried_cut(account: Azurite, queue: Queue, character: str) -> None:
    arrivals = Events(ACCOUNT, "arrivals")
    queue.send_text("y")
    (message,) = arrivals.receive(10)
    arrivals.bury(replace(message, text=character * (65_536 // len(character.encode()))), "z" * 70_000)
    (letter,) = Queue(account, "arrivals-poison").letters()
    assert letter["cut"] is True
    assert set(letter["message"]) == {character}
    assert len(queue) == 0


def test_a_queue_that_is_not_there_is_an_error_that_names_it(account: Azurite, queue: Queue) -> None:
    with pytest.raises(StorageError, match=r"queue nowhere: The specified queue does not exist.*No event was lost"):
        Events(ACCOUNT, "nowhere").receive(1)


def test_without_a_dead_letter_queue_a_message_stays_where_it_is(account: Azurite, queue: Queue) -> None:
    empty(account, "lonely")
    lonely = Queue(account, "lonely")
    lonely.send_text("?")
    arrivals = Events(ACCOUNT, "lonely")
    (message,) = arrivals.receive(1)
    with pytest.raises(StorageError, match="queue lonely-poison: "):
        arrivals.bury(message, "not base64")
    assert len(lonely) == 1
