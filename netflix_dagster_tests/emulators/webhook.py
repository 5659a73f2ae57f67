"""A channel that people are told in: keeps the messages it took, and can refuse them with any status of HTTP ("Create
Incoming Webhooks" of Teams: 28 KB a message, 429 when there are too many)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from netflix_dagster_tests.emulators.serving import Asked, Said, serving


@dataclass
class Channel:
    """``status`` is how messages are answered; only those answered 200 are kept. ``asked`` counts all."""

    port: int = 0
    status: int = 200
    unfit: str = ""
    """A text for which messages that hold it are refused for ever."""
    asked: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0/B0/s3cr3tpath"

    def take(self, asked: Asked) -> Said:
        """Take a message, or refuse it."""
        self.asked += 1
        if self.unfit and self.unfit in asked.body.decode():
            return Said.json({}, 400)
        if self.status == 200:
            self.messages.append(json.loads(asked.body))
        return Said.json({}, self.status)


@contextmanager
def channel() -> Iterator[Channel]:
    """A channel on a random port."""
    made = Channel()
    with serving(made.take) as made.port:
        yield made
