"""A door to a local server that counts the requests that pass."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Counter:
    """The requests so far: method and path with query."""

    url: str = ""
    seen: list[str] = field(default_factory=list)

    def take(self) -> list[str]:
        """The requests since the last time."""
        seen, self.seen = self.seen, []
        return seen


@contextmanager
def counting(port: int) -> Iterator[Counter]:
    """A server on a port of its own that hands every request on to another one of this machine."""
    counter = Counter()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *said: object) -> None:
            pass

        def pass_on(self) -> None:
            counter.seen.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            inside = http.client.HTTPConnection("127.0.0.1", port)
            inside.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                inside.putheader(name, value)
            inside.endheaders(body)
            answer = inside.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            inside.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    counter.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        server.server_close()
