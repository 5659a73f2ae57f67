"""A server of this machine that answers as it is told to, honest or hostile, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Asked"], None]


@dataclass
class Asked:
    """One request, and the means to answer it."""

    path: str
    headers: Mapping[str, str]
    handler: BaseHTTPRequestHandler
    number: int

    def answer(self, body: bytes = b"", status: int = 200, *, length: int | None = None, **headers: str) -> None:
        """Send an answer; ``length`` is what it says of itself, when that is not so."""
        self.head(status, {"Content-Length": str(len(body) if length is None else length)} | _dashed(headers))
        self.send(body)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def send(self, body: bytes) -> None:
        self.handler.wfile.write(body)
        self.handler.wfile.flush()


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Server:
    """``answers`` by path; ``asked`` are the requests so far."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def file(self, path: str, body: bytes, kind: str = "text/csv", **headers: str) -> None:
        """An honest file: conditional requests and ranges are answered as they should be."""
        headers = {"Content_Type": kind, **headers}
        etag, modified = headers.get("ETag"), headers.get("Last_Modified")

        def answer(asked: Asked) -> None:
            if (etag and asked.headers.get("If-None-Match") == etag) or (
                not etag and modified and asked.headers.get("If-Modified-Since") == modified
            ):
                asked.head(304, {})
                return
            wanted, still = asked.headers.get("Range"), asked.headers.get("If-Range")
            if wanted and still in (etag, modified):
                begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                said = f"bytes {begin}-{len(body) - 1}/{len(body)}"
                asked.answer(body[begin:], 206, Content_Range=said, **headers)
                return
            asked.answer(body, **headers)

        self.answers[path] = answer


@contextmanager
def serving() -> Iterator[Server]:
    """The server, for as long as the block lasts."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = Asked(self.path, self.headers, self, len(server.asked) + 1)  # type: ignore[arg-type]
            server.asked.append(asked)
            self.close_connection = True
            with suppress(OSError):  # whoever asked went away
                server.answers.get(self.path.partition("?")[0], lambda a: a.answer(b"", 404))(asked)

        def log_message(self, *_: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    running.block_on_close = False
    server.port = running.server_port
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        running.shutdown()
        running.server_close()
