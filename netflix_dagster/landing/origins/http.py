"""One file by HTTP, whole and within limits, or a ``FetchError`` in words.

The bytes go into a file aside (``<into>``), with what the server said of them beside it (``<into>.json``), so that
a download that was cut off goes on where it stopped, in this process or in a later one, as long as the server still
has the same file.
"""

from __future__ import annotations

import json
import logging
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from netflix_dagster.azure.redaction import redact
from netflix_dagster.landing.origins.errors import FetchError, PrivateAddressError
from netflix_dagster.landing.origins.hosts import guarded_transport
from netflix_dagster.landing.origins.model import shown

if TYPE_CHECKING:
    import httpx
    from stamina.instrumentation import RetryDetails

_log = logging.getLogger(__name__)

ATTEMPTS = 6
MOST_REDIRECTS = 5
_CONNECT, _READ = 10.0, 30.0
"""Seconds until a server that says nothing is given up, for this attempt."""
_PIECE = 64 * 1024
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NO_DATA = re.compile(r"text/html|application/xhtml\+xml|(image|audio|video|font)/|text/(css|javascript)|multipart/")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_UNIT = 1024 * 1024

Progress = Callable[[str, int, int | None], None]
"""Is told what is under way, how many bytes of it have come, and of how many, if that is known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much, for how long and of which content types; the hosts that may be in a private network."""

    bytes: int
    seconds: float
    types: tuple[str, ...] = ()
    private: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server says by which it is told later whether its file has changed."""

    etag: str | None = None
    modified: str | None = None

    def ask(self) -> dict[str, str]:
        """The headers of a conditional request."""
        return {
            **({"If-None-Match": self.etag} if self.etag else {}),
            **({"If-Modified-Since": self.modified} if self.modified else {}),
        }

    @property
    def strong(self) -> str | None:
        """By which a part of the file can be asked for: a weak ETag does not promise equal bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the validators, the content type, and the time of its last change as the server states it."""

    validators: Validators
    content_type: str | None
    size: int

    @property
    def modified(self) -> datetime | None:
        try:
            return parsedate_to_datetime(self.validators.modified or "").astimezone(UTC)
        except ValueError:
            return None


class _Retry(Exception):
    """An attempt that failed and may go better; ``after`` is how many seconds the server wants to be left alone."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


def _tell_of_retry(details: RetryDetails) -> None:
    reason = redact(str(details.caused_by))
    _log.warning("%s; attempt %d of %d in %.1f s", reason, details.retry_num + 1, ATTEMPTS, details.wait_for)


@dataclass
class Download:
    """One file to be had. ``secrets`` are headers that go to the host of ``url`` and to no other."""

    url: str
    into: Path
    limits: Limits
    known: Validators = field(default_factory=Validators)
    secrets: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = lambda what, done, of: None
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or shown(self.url)
        self._ends = time.monotonic() + self.limits.seconds
        self._noted = self.into.with_name(self.into.name + ".json")

    def run(self) -> Answer | None:
        """Download the file; None when the server says that it has not changed. Raises ``FetchError``."""
        import stamina
        from stamina.instrumentation import set_on_retry_hooks

        set_on_retry_hooks([_tell_of_retry])  # its own would write to stdout, which is for --json
        reason = ""
        with self._client() as client:
            try:
                for attempt in stamina.retry_context(
                    on=self._wait,
                    attempts=ATTEMPTS,
                    timeout=self.limits.seconds,
                    wait_initial=0.5,
                    wait_max=30.0,
                ):
                    with attempt:
                        return self._attempt(client)
            except _Retry as error:
                reason = str(error)
        raise FetchError(f"{self.name} cannot be had: {redact(reason)}. Landing is as it was; fetch it again later")

    def _wait(self, error: Exception) -> bool | float:
        """Whether to try again; after how long, where the server says so."""
        if not isinstance(error, _Retry):
            return False
        left = self._ends - time.monotonic()
        if error.after is None:
            return left > 0
        return error.after if error.after < left else False

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        import httpx

        for name, level in (("httpx", logging.WARNING), ("httpcore", logging.INFO)):
            logging.getLogger(name).setLevel(level)  # they would log whole URLs, with the tokens of signed ones
        with httpx.Client(
            transport=guarded_transport(self.limits.private),
            timeout=httpx.Timeout(_READ, connect=_CONNECT),
            headers={"User-Agent": "netflix-dagster", "Accept": "*/*", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        ) as client:
            yield client

    def _attempt(self, client: httpx.Client) -> Answer | None:
        import httpx

        have, validators = self._part()
        headers = {"Range": f"bytes={have}-", "If-Range": validators.strong or ""} if have else self.known.ask()
        try:
            with self._final(client, headers) as response:
                return self._taken(response, have, validators)
        except (httpx.InvalidURL, UnicodeError):
            raise self._refused("it redirects to something that is no address") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            behind: BaseException | None = error
            while behind is not None:
                if isinstance(behind, PrivateAddressError):
                    raise FetchError(str(behind)) from None
                behind = behind.__cause__ or behind.__context__
            if isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error):
                raise self._refused("it redirects to something that is no address") from None
            raise _Retry(_in_words(error)) from None

    @contextmanager
    def _final(self, client: httpx.Client, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The answer behind all redirects."""
        url, seen = self.url, {self.url}
        home = _host(self.url)
        while True:
            mine = self.secrets if _host(url) == home else {}
            with client.stream("GET", url, headers={**headers, **mine}) as response:
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                location = response.headers.get("Location", "")
            try:
                target = urljoin(url, location)
                where = urlsplit(target)
                _host(target)
            except ValueError:
                raise self._refused("it redirects to something that is no address") from None
            if where.scheme not in ("http", "https") or not where.hostname:
                raise self._refused(f"it redirects to something that is no page of the web ({where.scheme}:)")
            if urlsplit(url).scheme == "https" and where.scheme == "http":
                raise self._refused(f"it redirects from https to http, to {where.hostname}: anybody could change it")
            if target in seen or len(seen) > MOST_REDIRECTS:
                raise self._refused(f"it redirects in a circle, or more than {MOST_REDIRECTS} times")
            seen.add(target)
            url = target

    def _taken(self, response: httpx.Response, have: int, before: Validators) -> Answer | None:
        status = response.status_code
        if status == 304:
            return None
        if status in _AGAIN:
            after = _retry_after(response.headers.get("Retry-After"))
            asks = f", and asks to be left alone for {after:.0f} seconds" if after else ""
            raise _Retry(f"the server answers {status}{asks}", after)
        if status == 416 and have:
            self.forget()
            raise _Retry("the server does not go on with what was downloaded before")
        if status not in (200, 206):
            hint = {401: "is its token right", 403: "is its token right", 404: "has it moved"}.get(status, "look at it")
            raise self._refused(f"the server answers {status}; {hint}?", "")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower() or None
        self._judge_type(kind)
        validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        begin = have if status == 206 else 0
        total = self._total(response, begin)
        if status == 206 and before.etag and validators.etag and validators.etag != before.etag:
            self.forget()
            raise _Retry("the file changed while it was downloaded")
        if total is not None and total > self.limits.bytes:
            self.forget()
            raise self._too_large(f"states {total:,} bytes")
        if not begin:
            self._note(validators if "Content-Encoding" not in response.headers else Validators())
        size = self._write(response, begin, total)
        if total is not None and size != total:
            raise _Retry(f"{size:,} of {total:,} bytes came")
        return Answer(validators, kind, size)

    def _judge_type(self, kind: str | None) -> None:
        if kind is None:
            return
        if self.limits.types and kind not in self.limits.types:
            raise self._refused(f"it is {kind}, and {' or '.join(self.limits.types)} was expected")
        if not self.limits.types and _NO_DATA.match(kind):
            raise self._refused(f"it is {kind}, and a file with data was expected")

    def _total(self, response: httpx.Response, begin: int) -> int | None:
        """How many bytes the whole file has, as far as the server states it."""
        if response.status_code == 206:
            said = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not said or int(said[1]) != begin:
                self.forget()
                raise _Retry("the server goes on at another place than it was asked to")
            return None if said[3] == "*" else int(said[3])
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None

    def _write(self, response: httpx.Response, begin: int, total: int | None) -> int:
        size = begin
        with self.into.open("ab" if begin else "wb") as file:
            for piece in self._decoded(response):
                size += len(piece)
                if size > self.limits.bytes:
                    file.close()
                    self.forget()
                    raise self._too_large(f"sends more than {self.limits.bytes:,} bytes")
                if time.monotonic() > self._ends:
                    raise self._refused(
                        f"it did not come whole within {self.limits.seconds:,.0f} seconds ({size:,} bytes did)",
                        "Fetch it again: it goes on from there. Or raise max_seconds",
                    )
                file.write(piece)
                self.progress(self.name, size, total)
        return size

    def _decoded(self, response: httpx.Response) -> Iterator[bytes]:
        """The bytes of the file, in small pieces. Packing was not asked for; gzip is unpacked piece by piece."""
        coding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if coding in ("identity", ""):
            yield from response.iter_raw()
            return
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise self._refused(f"it is packed with {coding[:20]!r}, which was not asked for")
        packed = zlib.decompressobj(zlib.MAX_WBITS | 32 if coding != "deflate" else zlib.MAX_WBITS)
        try:
            for piece in response.iter_raw():
                while piece and not packed.eof:
                    yield packed.decompress(piece, _PIECE)
                    piece = packed.unconsumed_tail
        except zlib.error as error:
            raise _Retry(f"what came is not {coding}: {error}") from None
        if not packed.eof:
            raise _Retry(f"what came as {coding} was cut short")

    def _part(self) -> tuple[int, Validators]:
        """How much lies there from before and can be gone on with."""
        try:
            noted = json.loads(self._noted.read_text("utf-8"))
            validators = Validators(noted["etag"], noted["modified"])
            size = self.into.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return 0, Validators()
        return (size, validators) if size and validators.strong and noted.get("of") == self.name else (0, Validators())

    def _note(self, validators: Validators) -> None:
        self.into.parent.mkdir(parents=True, exist_ok=True)
        self._noted.unlink(missing_ok=True)
        self.into.write_bytes(b"")
        said = {"etag": validators.etag, "modified": validators.modified, "of": self.name}
        self._noted.write_text(json.dumps(said), "utf-8")

    def forget(self) -> None:
        """Throw away what was downloaded."""
        self.into.unlink(missing_ok=True)
        self._noted.unlink(missing_ok=True)

    def _refused(self, reason: str, hint: str = "Look at what lies there; nothing of it was landed") -> FetchError:
        return FetchError(f"{self.name} was not taken: {redact(reason)}. {hint}".rstrip(". "))

    def _too_large(self, said: str) -> FetchError:
        limit = f"{self.limits.bytes / _UNIT:,.0f} MB"
        return self._refused(f"the server {said}, the limit is {limit}", "If that is right, raise max_mb")


def _host(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _retry_after(said: str | None) -> float | None:
    """The seconds of a Retry-After, which states them or a time."""
    if not said:
        return None
    if said.strip().isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _in_words(error: Exception) -> str:
    import httpx

    words: dict[type[Exception], str] = {
        httpx.ConnectTimeout: "the host does not answer",
        httpx.ReadTimeout: f"the server said nothing for {_READ:.0f} seconds",
        httpx.RemoteProtocolError: "the server closed the connection before the file was whole",
    }
    return words.get(type(error), str(error) or type(error).__name__)
