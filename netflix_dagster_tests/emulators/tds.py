"""TDS, the protocol of SQL Server, as far as a client needs it that logs in with a token and sends batches.

As [MS-TDS] has it: PRELOGIN, TLS inside of PRELOGIN packets, LOGIN7 with a token of Entra, SQL batches; answers are
columns, rows and errors. A login without encryption or without a token that is known is refused.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, Protocol

BATCH, ANSWER, LOGIN, PRELOGIN = 0x01, 0x04, 0x10, 0x12
PACKET = 4096
COLLATION = bytes([0x09, 0x04, 0xD0, 0x00, 0x34])
FEDAUTH, UTF8 = 0x02, 0x0A
Answer = tuple[Sequence[str], Sequence[str], Sequence[Sequence[Any]]]
"""Names of columns, their types as DuckDB calls them, and rows."""


class TsqlError(Exception):
    """What a server says when it refuses: a number and a text."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


class Engine(Protocol):
    """What stands behind the protocol."""

    def enter(self, database: str, who: str | None) -> None:
        """Let somebody in to a database; None is the administrator. Raises ``TsqlError``."""

    def answer(self, database: str, sql: str, who: str | None) -> Answer:
        """Run one batch. Raises ``TsqlError``."""


class Server:
    """Listens on a port of its own until it is stopped. ``token`` is the administrator's; ``people`` has the names of
    others by their tokens."""

    def __init__(self, engine: Engine, certificate: Path, key: Path, token: str) -> None:
        self.engine = engine
        self.token, self.people = token, dict[str, str]()
        self.batches: list[str] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)
        self.tls.maximum_version = ssl.TLSVersion.TLSv1_2  # a ticket of TLS 1.3 would lie outside of any packet
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(ConnectionError, OSError):
            _Session(self, connection).run()

    def stop(self) -> None:
        self._socket.close()


@contextmanager
def serving(engine: Engine, certificate: Path, key: Path, token: str) -> Iterator[Server]:
    server = Server(engine, certificate, key, token)
    try:
        yield server
    finally:
        server.stop()


class _Session:
    """One connection: in the clear until PRELOGIN is done, then through TLS."""

    def __init__(self, server: Server, connection: socket.socket) -> None:
        self.server, self.socket = server, connection
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        self.read = b""
        self.database = ""
        self.who: str | None = None

    def run(self) -> None:
        kind, body = self._message()
        assert kind == PRELOGIN, kind
        asked = _options(body)
        if asked[1][0] == 2:
            raise ConnectionError("the client does not encrypt")
        self._send(ANSWER, _prelogin({0: bytes([16, 0, 0, 0, 0, 0]), 1: b"\x03", 4: b"\x00", 6: b"\x01"}))
        self._shake_hands()
        kind, body = self._message()
        assert kind == LOGIN, kind
        if not self._let_in(body):
            return
        while True:
            kind, body = self._message()
            if kind != BATCH:
                self._send(ANSWER, _error(TsqlError(8179, f"messages of type {kind:#x} are not spoken here")))
                continue
            (headers,) = struct.unpack_from("<I", body)
            sql = body[headers:].decode("utf-16-le")
            self.server.batches.append(sql)
            try:
                self._send(ANSWER, _rows(*self.server.engine.answer(self.database, sql, self.who)))
            except TsqlError as error:
                self._send(ANSWER, _error(error))

    def _shake_hands(self) -> None:
        tls = self.server.tls.wrap_bio(self.into, self.out, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if said := self.out.read():
                    self._send(PRELOGIN, said)
                kind, body = self._message()
                assert kind == PRELOGIN, kind
                self.into.write(body)
        if said := self.out.read():
            self._send(PRELOGIN, said)
        self.tls = tls

    def _let_in(self, body: bytes) -> bool:
        fields = struct.unpack_from("<26H", body, 36)
        self.database = _text(body, fields[16], fields[17])
        (features,) = struct.unpack_from("<I", body, fields[10])
        asked = _features(body, features)
        data = asked.get(FEDAUTH, b"")
        token = data[5:].decode("utf-16-le") if data and data[0] >> 1 == 1 else ""
        try:
            self.who = self.server.people.get(token)
            if self.who is None and token != self.server.token:
                raise TsqlError(18456, "Login failed for user '<token-identified principal>'.")
            self.server.engine.enter(self.database, self.who)
        except TsqlError as error:
            self._send(ANSWER, _error(error))
            return False
        acknowledged = b"\xae" + bytes([FEDAUTH]) + struct.pack("<I", 0)
        if UTF8 in asked:
            acknowledged += bytes([UTF8]) + struct.pack("<I", 1) + b"\x01"
        into = _b_text(self.database) + _b_text("master")
        size = _b_text(str(PACKET)) + _b_text(str(PACKET))
        name = "Microsoft SQL Server"
        login = struct.pack(">BI", 1, 0x74000004) + _b_text(name) + bytes([16, 0, 0, 0])
        said = b"".join(
            (
                _token(0xE3, b"\x01" + into),
                _token(0xE3, b"\x07" + bytes([5]) + COLLATION + b"\x00"),
                _token(0xAD, login),
                _token(0xE3, b"\x04" + size),
                acknowledged + b"\xff",
                _done(0),
            )
        )
        self._send(ANSWER, said)
        return True

    # Packets

    def _message(self) -> tuple[int, bytes]:
        kind, whole, last = 0, b"", False
        while not last:
            kind, status, length = struct.unpack(">BBH", self._take(8)[:4])
            whole += self._take(length - 8)
            last = bool(status & 1)
        return kind, whole

    def _take(self, size: int) -> bytes:
        while len(self.read) < size:
            if self.tls:
                try:
                    self.read += self.tls.read(1 << 16)
                    continue
                except ssl.SSLWantReadError:
                    pass
            said = self.socket.recv(1 << 16)
            if not said:
                raise ConnectionError("the client is gone")
            if self.tls:
                self.into.write(said)
            else:
                self.read += said
        taken, self.read = self.read[:size], self.read[size:]
        return taken

    def _send(self, kind: int, body: bytes) -> None:
        pieces = [body[at : at + PACKET - 8] for at in range(0, len(body), PACKET - 8)] or [b""]
        packets = b"".join(
            struct.pack(">BBHHBB", kind, int(nth == len(pieces)), len(piece) + 8, 0, nth % 256, 0) + piece
            for nth, piece in enumerate(pieces, 1)
        )
        if self.tls:
            self.tls.write(packets)
            packets = self.out.read()
        self.socket.sendall(packets)


def _options(body: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while body[at] != 0xFF:
        option, offset, length = struct.unpack_from(">BHH", body, at)
        found[option] = body[offset : offset + length]
        at += 5
    return found


def _prelogin(options: dict[int, bytes]) -> bytes:
    head, data, offset = b"", b"", len(options) * 5 + 1
    for option, value in options.items():
        head += struct.pack(">BHH", option, offset + len(data), len(value))
        data += value
    return head + b"\xff" + data


def _features(body: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while body[at] != 0xFF:
        feature, length = struct.unpack_from("<BI", body, at)
        found[feature] = body[at + 5 : at + 5 + length]
        at += 5 + length
    return found


def _text(body: bytes, offset: int, characters: int) -> str:
    return body[offset : offset + characters * 2].decode("utf-16-le")


def _b_text(said: str) -> bytes:
    return bytes([len(said)]) + said.encode("utf-16-le")


def _us_text(said: str) -> bytes:
    return struct.pack("<H", len(said)) + said.encode("utf-16-le")


def _token(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + struct.pack("<H", len(body)) + body


def _done(status: int, rows: int = 0) -> bytes:
    return struct.pack("<BHHQ", 0xFD, status, 0xC1, rows)


def _error(error: TsqlError) -> bytes:
    said = str(error)
    body = (
        struct.pack("<IBB", error.number, 1, 16) + _us_text(said[:2000]) + _b_text("pool") + _b_text("") + b"\1\0\0\0"
    )
    return _token(0xAA, body) + _done(2)


_NUMBERS = {
    "BIGINT": (0x26, "<q", 8),
    "INTEGER": (0x26, "<i", 4),
    "DOUBLE": (0x6D, "<d", 8),
    "BOOLEAN": (0x68, "<B", 1),
}


def _rows(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    if not names:
        return _done(0)
    said = b"\x81" + struct.pack("<H", len(names))
    for name, kind in zip(names, types, strict=True):
        said += struct.pack("<IH", 0, 0x0009) + _type(kind) + _b_text(name)
    for row in rows:
        said += b"\xd1" + b"".join(_value(kind, value) for kind, value in zip(types, row, strict=True))
    return said + _done(0x10, len(rows))


def _type(kind: str) -> bytes:
    if kind in _NUMBERS:
        code, _, size = _NUMBERS[kind]
        return bytes([code, size])
    if kind == "DATE":
        return b"\x28"
    if kind == "VARCHAR":
        return b"\xe7\xff\xff" + COLLATION
    raise AssertionError(f"no wire type for {kind}")


def _value(kind: str, value: Any) -> bytes:
    if kind == "VARCHAR":
        if value is None:
            return b"\xff" * 8
        data = value.encode("utf-16-le")
        chunks = struct.pack("<I", len(data)) + data if data else b""
        return struct.pack("<Q", len(data)) + chunks + struct.pack("<I", 0)
    if value is None:
        return b"\x00"
    if kind == "DATE":
        return b"\x03" + (value - date(1, 1, 1)).days.to_bytes(3, "little")
    _, form, size = _NUMBERS[kind]
    return bytes([size]) + struct.pack(form, value)
