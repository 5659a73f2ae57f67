"""A door to blob storage where things go wrong on demand: busy, throttled, slow, cut off.

Requests pass to Azurite unless a ``Fault`` takes them. What a fault answers is what Azure answers: the status, the
code and the XML body that clients look at, as "Common REST API error codes" and "Blob Storage error codes" list them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["busy", "throttled", "forbidden", "misplaced", "slow", "dropped", "unanswered", "cut"]
_ANSWERS = {
    "busy": (503, "ServerBusy", "The server is busy.", ""),
    "throttled": (429, "TooManyRequests", "Too many requests were received.", "Retry-After: 1\r\n"),
    # Azure Storage with a hierarchical namespace, asked for what lies below a file
    "misplaced": (409, "ResourceTypeMismatch", "The specified resource type does not match the type of the path.", ""),
    # "Common REST API error codes" of Azure Storage: a token whose holder lacks the role
    "forbidden": (
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
        "",
    ),
}
_ENDLESS = 1_000_000_000
_BODY = 64


@dataclass
class Fault:
    """What becomes of some requests: those whose ``METHOD /path?query`` matches, after the first ``skip`` of them.

    ``busy``, ``throttled``, ``forbidden`` and ``misplaced`` are refused, ``slow`` wait first. Of ``dropped`` nothing
    reaches the storage, of ``unanswered`` the storage does what it is asked and nobody hears of it, of ``cut`` half an
    answer comes. With ``each`` one request is taken for each text that the group of ``matching`` finds.
    """

    kind: Kind
    matching: str = ""
    skip: int = 0
    times: int = _ENDLESS
    each: bool = False
    seconds: float = 0.2
    met: list[str] = field(default_factory=list)
    """The requests, or texts, that it has taken so far."""

    def takes(self, request: str) -> bool:
        """Whether this request is one of them."""
        found = re.search(self.matching, request)
        if not found or len(self.met) >= self.times:
            return False
        what = found[1] if self.each else request
        if self.each and what in self.met:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.met.append(what)
        return True


@dataclass
class Door:
    """Where clients are sent; ``seen`` are the requests so far, ``faults`` what becomes of the next ones."""

    port: int
    seen: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    url: str = ""

    def fault(
        self, kind: Kind, matching: str = "", *, skip: int = 0, times: int = _ENDLESS, each: bool = False
    ) -> Fault:
        """From now on some requests go wrong."""
        self.faults.append(Fault(kind, matching, skip, times, each))
        return self.faults[-1]

    def mend(self) -> None:
        """From now on nothing goes wrong."""
        self.faults.clear()

    def take(self) -> list[str]:
        """The requests since the last time."""
        seen, self.seen = self.seen, []
        return seen

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        inside: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, EOFError):
            answers: asyncio.StreamReader | None = None
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request = b"".join([head, await _body(reader, head)])
                said = " ".join(head.decode("latin-1").split(" ", 2)[:2])
                self.seen.append(said)
                fault = next((fault for fault in self.faults if fault.takes(said)), None)
                kind = fault.kind if fault else None
                if kind and kind in _ANSWERS:
                    writer.write(_answer(kind, bodyless=said.startswith("HEAD")))
                    continue
                if fault and kind == "slow":
                    await asyncio.sleep(fault.seconds)
                if kind == "dropped":
                    break
                if inside is None or answers is None:
                    answers, inside = await asyncio.open_connection("127.0.0.1", self.port)
                inside.write(request)
                answer = await answers.readuntil(b"\r\n\r\n")
                bodyless = said.startswith("HEAD") or answer.split(b" ", 2)[1] in (b"204", b"304")
                body = b"" if bodyless else await _body(answers, answer)
                if kind == "unanswered":
                    break
                if kind == "cut" and len(body) > _BODY:
                    writer.write(answer + body[: len(body) // 2])
                    await writer.drain()
                    break
                writer.write(answer + body)
                await writer.drain()
        for one in (inside, writer):
            if one is not None:
                one.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The body that follows a head, as it was sent."""
    fields = head.lower()
    if found := re.search(rb"\r\ncontent-length: *(\d+)", fields):
        return await reader.readexactly(int(found[1]))
    if not re.search(rb"\r\ntransfer-encoding: *chunked", fields):
        return b""
    chunks = []
    while True:
        size = await reader.readuntil(b"\r\n")
        chunks += [size, await reader.readexactly(int(size, 16) + 2)]
        if int(size, 16) == 0:
            return b"".join(chunks)


def _answer(kind: str, *, bodyless: bool) -> bytes:
    """A refusal as Azure says it."""
    status, code, message, fields = _ANSWERS[kind]
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    head = (
        f"HTTP/1.1 {status} {code}\r\n{fields}x-ms-error-code: {code}\r\nx-ms-version: 2024-08-04\r\n"
        f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head if bodyless else head + body).encode()


@contextmanager
def faulty(port: int) -> Iterator[Door]:
    """A door, on a port of its own, to the blob storage at a port of this machine."""
    door, loop = Door(port), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(door.serve, "127.0.0.1", 0, limit=2**20))
    door.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for left in asyncio.all_tasks(loop):
            left.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
