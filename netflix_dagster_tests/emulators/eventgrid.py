"""What Event Grid writes into a storage queue, which Azurite does not do by itself."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, Azurite

TOPIC = f"/subscriptions/{uuid.UUID(int=1)}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"


def event(path: str, kind: str = "BlobCreated", api: str = "PutBlob", container: str = "landing") -> dict[str, Any]:
    """An event of the Event Grid schema about a path below a container."""
    return {
        "topic": TOPIC,
        "subject": f"/blobServices/default/containers/{container}/blobs/{path}",
        "eventType": f"Microsoft.Storage.{kind}",
        "id": str(uuid.uuid4()),
        "data": {"api": api, "url": f"https://{ACCOUNT}.blob.core.windows.net/{container}/{path}"},
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": "2026-01-01T00:00:00.0000000Z",
    }


def cloud_event(path: str, kind: str = "BlobCreated", api: str = "PutBlob") -> dict[str, Any]:
    """The same event of the CloudEvents schema."""
    said = event(path, kind, api)
    names = {"source": "topic", "subject": "subject", "type": "eventType", "id": "id", "data": "data"}
    return {"specversion": "1.0", "time": said["eventTime"], **{name: said[old] for name, old in names.items()}}


def encoded(said: object) -> str:
    """The text of a message."""
    return base64.b64encode(json.dumps(said).encode()).decode()


class Queue:
    """A queue as its writer and its keeper see it."""

    def __init__(self, account: Azurite, name: str) -> None:
        from azure.storage.queue import QueueClient

        self.client = QueueClient(account.queue_url, name, credential=KEY)

    def send(self, *said: dict[str, Any]) -> None:
        """Send events, a message each."""
        for one in said:
            self.send_text(encoded(one))

    def send_text(self, text: str) -> None:
        self.client.send_message(text)

    def __len__(self) -> int:
        """How many messages there are, those that are hidden included."""
        return self.client.get_queue_properties().approximate_message_count or 0

    def letters(self) -> list[dict[str, Any]]:
        """What a dead letter queue holds."""
        return [json.loads(message.content) for message in self.client.peek_messages(32)]
