"""Reads the events of the landing folder that Event Grid puts into a storage queue: files that came, moved or went.

An event only names the delivery to look at. What to do is decided as ever, by comparing that delivery with its life in
the lake. So events may come twice, late, in any order or not at all, and the tables are the same.

A message that cannot be understood goes to the dead letter queue ``<queue>-poison``, unchanged, with the reason.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from netflix_dagster.landing.keys import is_key
from netflix_dagster.landing.listing import misdated, passed_over
from netflix_dagster.landing.sources import Sources
from netflix_dagster.storage import AzureFolder, StorageError, adls

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient

log = logging.getLogger("netflix_dagster.landing.events")
HIDDEN_FOR = 120
"""Seconds until a message that was received and not deleted shows up again."""
MOST_ATTEMPTS = 5
_BATCH = 32
_AT_ONCE = 8
_MOST_BYTES = 60_000
"""A queue hardly takes longer messages. A dead letter holds a message and the reason; a longer message is cut."""
_SUBJECT = re.compile(r"/blobServices/default/containers/(?P<container>[^/]+)/blobs/(?P<path>.+)", re.DOTALL)
_FILES = ("Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobRenamed", "Microsoft.Storage.BlobDeleted")
_FOLDERS = ("Microsoft.Storage.DirectoryRenamed", "Microsoft.Storage.DirectoryDeleted")
_NOT_COMPLETE = ("CreateFile", "SftpCreate")
"""Calls that create a file of no bytes; another event follows when it is complete."""

Place = tuple[str, str]
"""A source and a delivery date."""


class Poison(ValueError):
    """A message that cannot be understood, however often it comes; the text says why."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as received. ``receipt`` allows to delete it, until it is received again."""

    id: str
    receipt: str
    text: str
    attempts: int


class Events:
    """The storage queue that Event Grid writes to, and its dead letter queue."""

    def __init__(self, account: str, name: str) -> None:
        self._queue, self._poison = client(account, name), client(account, f"{name}-poison")
        self.name = name

    def receive(self, most: int) -> list[Message]:
        """The next messages. The queue hides them for a while, and shows them again unless they are deleted."""
        with _asked(self.name):
            found = list(
                self._queue.receive_messages(
                    messages_per_page=min(_BATCH, most), max_messages=most, visibility_timeout=HIDDEN_FOR
                )
            )
        return [Message(m.id, m.pop_receipt or "", str(m.content), m.dequeue_count or 0) for m in found]

    def delete(self, messages: Iterable[tuple[str, str]]) -> None:
        """Delete messages by (id, receipt). One that was received again since stays: its next receipt deletes it."""
        from azure.core.exceptions import HttpResponseError

        def gone(message: tuple[str, str]) -> None:
            try:
                self._queue.delete_message(*message)
            except HttpResponseError as error:
                if getattr(error, "error_code", None) not in ("PopReceiptMismatch", "MessageNotFound"):
                    raise
                log.info("message %s of %s was received again or is deleted already", message[0], self.name)

        with _asked(self.name), ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(gone, messages))

    def bury(self, message: Message, reason: str) -> None:
        """Move a message to the dead letter queue, with the reason. It is put there first, so that it is never lost."""
        about = {"reason": reason[:1000], "queue": self.name, "id": message.id, "attempts": message.attempts}
        letter = json.dumps({**about, "message": message.text})
        if len(letter) > _MOST_BYTES:
            letter = json.dumps({**about, "message": message.text[: _MOST_BYTES // 8], "cut": True})
        with _asked(f"{self.name}-poison"):
            self._poison.send_message(letter, time_to_live=-1)
        self.delete([(message.id, message.receipt)])
        log.warning("a message of %s was moved to %s-poison: %s", self.name, self.name, reason)


def touched(message: Message, landing: AzureFolder, sources: Sources) -> set[Place]:
    """The deliveries that the events of a message concern, perhaps none. Raises ``Poison``."""
    if message.attempts > MOST_ATTEMPTS:
        raise Poison(f"received {message.attempts} times and never finished; the ticks that took it failed")
    return {place for event in _events(message.text) for place in _touched(event, landing, sources)}


def _events(text: str) -> Iterator[dict[str, Any]]:
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Poison(f"not base64: {error}") from error
    try:
        content = json.loads(decoded)
    except (ValueError, RecursionError) as error:
        raise Poison(f"not JSON: {error}") from error
    for event in content if isinstance(content, list) else [content]:
        if not isinstance(event, dict):
            raise Poison(f"not an event: {event!r:.100}")
        yield event


def _touched(event: dict[str, Any], landing: AzureFolder, sources: Sources) -> Iterator[Place]:
    """One event, of the Event Grid schema (eventType, topic) or of CloudEvents (type, source)."""
    kind, account = event.get("eventType") or event.get("type"), event.get("topic") or event.get("source")
    if not isinstance(kind, str) or not kind.startswith("Microsoft.Storage."):
        raise Poison(f"not an event of a storage account: its type is {kind!r:.100}")
    data = event.get("data")
    if kind not in (*_FILES, *_FOLDERS) or (isinstance(data, dict) and data.get("api") in _NOT_COMPLETE):
        return
    subject = event.get("subject")
    found = _SUBJECT.fullmatch(subject) if isinstance(subject, str) else None
    if not found:
        raise Poison(f"names no file: its subject is {subject!r:.200}")
    ours = f"/storageaccounts/{landing.account}"
    if not str(account).lower().endswith(ours) or found["container"] != landing.container:
        raise Poison(f"of {found['container']} in {account}, which is not the landing folder {landing}")
    below = f"{landing.path}/" if landing.path else ""
    if not found["path"].startswith(below):
        raise Poison(f"{found['path']} is not in the landing folder {landing}")
    yield from _place(found["path"].removeprefix(below), sources, folder=kind in _FOLDERS)


def _place(path: str, sources: Sources, *, folder: bool) -> Iterator[Place]:
    names = path.split("/")
    if any(passed_over(name) for name in names[:3]):
        return
    source = sources.sources.get(names[0])
    if source is None:
        raise Poison(f"{path}: there is no source {names[0]!r} in sources.yaml")
    if folder and len(names) == 1:
        return  # it concerns all deliveries of the source; the occasional listing finds what is new
    if len(names) < 2 or not is_key(names[1]):
        raise Poison(f"{path}: not <source>/<delivery date>/<file>")
    if reason := misdated(names[1], source.every):
        raise Poison(f"{path}: {reason}")
    if not folder and (len(names) < 3 or not fnmatch(names[2], source.files)):
        raise Poison(f"{path}: not one of {source.name}'s files ({source.files})")
    yield source.name, names[1]


def client(account: str, name: str) -> QueueClient:
    """A queue of the storage account, or of the emulator that ``AZURE_STORAGE_QUEUE_ENDPOINT`` names."""
    from azure.storage.queue import QueueClient

    url = os.environ.get("AZURE_STORAGE_QUEUE_ENDPOINT") or f"https://{account}.queue.core.windows.net"
    return QueueClient(url, name, credential=adls.credentials(url).sdk(account))


@contextmanager
def _asked(queue: str) -> Iterator[None]:
    """Raise errors of the queue as a ``StorageError`` that names it."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise StorageError(
            f"queue {queue}: {error.message.splitlines()[0].rstrip('.')}. No event was lost: messages that are not done"
            " with come again, and files without an event are found by the occasional listing. Look whether the queue"
            " exists and this identity has the role Storage Queue Data Contributor on it"
        ) from error
