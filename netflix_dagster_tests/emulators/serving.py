"""A small HTTP server in a thread, for the stand-ins that are written here."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``query`` holds the parameters of the URL and of a form, ``body`` what was sent."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: its status and a JSON document, or bytes as they are."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @classmethod
    def json(cls, body: Any, status: int = 200, **headers: str) -> Said:
        return cls(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class Server(ThreadingHTTPServer):
    """Waits for no connection that a client keeps open."""

    daemon_threads = True
    block_on_close = False


@contextmanager
def serving(
    answer: Callable[[Asked], Said], certificate: tuple[Path, Path] | None = None, port: int = 0
) -> Iterator[int]:
    """Answer requests on a port of this machine until the end of the block; with a certificate over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_form = "form" in (self.headers.get("Content-Type") or "")
            query = dict(parse_qsl(url.query) + (parse_qsl(sent.decode()) if is_form else []))
            said = answer(Asked(self.command, url.path, query, self.headers, sent))  # type: ignore[arg-type]
            is_bytes = isinstance(said.body, bytes)
            body = said.body if is_bytes else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/octet-stream" if is_bytes else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_args: Any) -> None:
            pass

    server = Server(("127.0.0.1", port), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
