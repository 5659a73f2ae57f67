"""Deliveries from origins: what lies there is fetched, judged, and lands whole, once, under the date that it has.

An origin that has not changed makes no delivery, one that has makes exactly one, wherever a fetch is killed: its
content and date are written down before it lands (``Known.intended``), and what lies in landing already, byte for
byte, is not written again.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from netflix_dagster import storage
from netflix_dagster.azure import vault
from netflix_dagster.azure.redaction import hide
from netflix_dagster.landing import keys
from netflix_dagster.landing.listing import check_landing, misdated
from netflix_dagster.landing.origins import archive, database, git
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.http import Download, Limits, Progress
from netflix_dagster.landing.origins.model import Origin
from netflix_dagster.landing.origins.state import FOLDER, Book, Known
from netflix_dagster.landing.sources import Source
from netflix_dagster.storage import Place, StorageError

Judge = Callable[[bytes, Source], str | None]
"""Says of the beginning of a file why it cannot be one of the source's; None when it may be."""
_BEGINS = 64 * 1024
_PIECE = 1024 * 1024
_KAGGLE = "https://www.kaggle.com/api/v1/datasets/download"
_SAFE = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one origin: a delivery, or nothing because nothing has changed there."""

    source: str
    origin: str
    outcome: Literal["delivered", "unchanged"]
    date: str | None = None
    file: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    etag: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A file in the staging folder. ``dated`` is when it was last changed, as its origin says."""

    file: Path
    known: Known
    dated: datetime | None = None
    revision: str | None = None


class Fetch:
    """Fetching the origins of one source. ``staging`` is a folder of this machine for what is not whole yet."""

    def __init__(
        self,
        source: Source,
        landing: Place,
        judge: Judge,
        progress: Progress = lambda what, done, of: None,
        staging: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.source, self.landing, self.judge, self.progress = source, landing, judge, progress
        self.clock = clock
        self.staging = (staging or staging_of(landing)) / source.name

    def newest(self) -> Iterator[Fetched]:
        """What lies at each origin now: at most one delivery each. One that cannot be had does not stop the others; in
        the end ``FetchError`` tells of all of them."""
        failed: list[str] = []
        with self._alone() as book:
            for origin in self._origins():
                try:
                    fetched = self._one(origin, book)
                except FetchError as error:
                    failed.append(str(error))
                else:
                    yield fetched
                finally:
                    self._clear()
        if failed:
            raise FetchError("\n".join(failed))

    def history(self) -> Iterator[Fetched]:
        """Every state of a file in git as a delivery of the day (UTC) on which it was committed, oldest first; of
        several on one day the last. Of a table with a cursor the rows of each day. What was delivered before is passed
        over."""
        with self._alone() as book:
            origins = [origin for origin in self._origins() if origin.has_history]
            if not origins:
                raise FetchError(
                    f"{self.source.name} has no origin with a history: that is a file in a git repository without a"
                    " date of its own, or a table with a cursor. Run it without --history"
                )
            try:
                for origin in origins:
                    yield from self._commits(origin, book) if origin.of_git else self._days(origin, book)
            finally:
                self._clear()

    def _origins(self) -> Sequence[Origin]:
        if not self.source.origin:
            raise FetchError(f"{self.source.name} has no origin: its files are landed by others. Say `origin:` of it")
        return self.source.origin

    def _one(self, origin: Origin, book: Book) -> Fetched:
        known = book.of(origin.name)
        if (
            origin.pinned
            and origin.date
            and self._key(datetime.combine(origin.date, datetime.min.time())) in (known.deliveries)
        ):
            return Fetched(self.source.name, origin.name, "unchanged")
        if origin.database:
            return self._rows(origin, book)
        found = self._by_git(origin, known) if origin.of_git else self._by_storage(origin, known)
        if found is None:
            return Fetched(self.source.name, origin.name, "unchanged", etag=known.etag)
        content = self._checked(origin, found.file, known)
        if content == known.sha256 and known.intended is None:
            book.record(origin.name, found.known)
            return Fetched(self.source.name, origin.name, "unchanged", etag=found.known.etag)
        return self._delivered(origin, found, content, book)

    def _delivered(self, origin: Origin, found: _Found, content: str, book: Book) -> Fetched:
        before, size = book.of(origin.name), found.file.stat().st_size
        if before.intended and before.intended[1] == content:
            date = before.intended[0]
        else:
            date = self._date(origin, found.dated)
            book.record(origin.name, before.intending(date, content))
        self._land(origin, found.file, date, content)
        known = replace(found.known, sha256=content, deliveries=before.deliveries)
        book.record(origin.name, known.delivered(date, str(found.known.etag) if origin.of_git else content))
        return Fetched(
            self.source.name,
            origin.name,
            "delivered",
            date,
            origin.lands_as,
            size,
            content,
            found.known.etag,
            found.revision,
        )

    def _commits(self, origin: Origin, book: Book) -> Iterator[Fetched]:
        repository = git.Repository(origin, self.staging, self.progress)
        repository.update()
        by_date = {self._key(revision.time): revision for revision in repository.revisions()}
        known = book.of(origin.name)
        new = {date: one for date, one in by_date.items() if known.deliveries.get(date) != one.blob}
        dates = sorted(new)
        for start in range(0, len(dates), git.AT_ONCE):
            chunk = dates[start : start + git.AT_ONCE]
            repository.fetch_blobs(sorted({new[date].blob for date in chunk}))
            for place, date in enumerate(chunk, start + 1):
                revision = new[date]
                into = self.staging / "whole"
                repository.write(revision.blob, into)
                size, content = into.stat().st_size, _sha256(into)
                # Every state is landed, also one that is no data: what stood there that day is judged at the door.
                self._land(origin, into, date, content)
                known = book.of(origin.name)
                latest = replace(known, sha256=content, etag=revision.blob, modified=None)
                book.record(origin.name, latest.delivered(date, revision.blob))
                self.progress(origin.name, place, len(dates))
                yield Fetched(
                    self.source.name,
                    origin.name,
                    "delivered",
                    date,
                    origin.lands_as,
                    size,
                    content,
                    revision.blob,
                    revision.commit,
                )
        if not dates:
            yield Fetched(self.source.name, origin.name, "unchanged")

    def _rows(self, origin: Origin, book: Book) -> Fetched:
        """A table: all its rows, or by its cursor those since the delivery before. What came in the meantime belongs to
        the delivery of its day; that one is made anew, whole, until the day is over."""
        known, date = book.of(origin.name), self._key(self.clock())
        said = known.cursor if known.cursor.get("by") == origin.cursor else {}
        with self._reader(origin) as reader:
            if not said:
                low, before = None, known.etag
            elif said["date"] == date:
                low, before = reader.position(said["low"]) if said["low"] else None, known.etag
            else:
                low, before = reader.before(reader.position(said["high"])), said["window"]
            found = reader.extract(self.staging / "whole", database.Span(low))
            if not found.rows and low is None:
                raise FetchError(f"{origin.name} has no rows: nothing was landed, and what landed before stands")
            if not found.rows or found.content == before:
                return Fetched(self.source.name, origin.name, "unchanged", etag=known.etag)
            return self._rows_landed(origin, reader, found, low, date, book)

    def _days(self, origin: Origin, book: Book) -> Iterator[Fetched]:
        """The rows of each day by the cursor; what lies in the future is of today."""
        with self._reader(origin) as reader:
            today, bounds, landed = self._key(self.clock()), reader.bounds(), False
            if bounds and isinstance(bounds[0], int):
                raise FetchError(f"{origin.name}: its cursor is a number, which says no days. Run it without --history")
            for begin, span in database.days(*bounds, self.source.every) if bounds else ():
                date = min(self._key(begin), today)
                if date not in book.of(origin.name).deliveries:
                    span = database.Span(span.low) if date == today else span
                    found = reader.extract(self.staging / "whole", span)
                    if found.rows:
                        landed = True
                        yield self._rows_landed(origin, reader, found, span.low, date, book)
                if date == today:
                    break
        if not landed:
            yield Fetched(self.source.name, origin.name, "unchanged")

    def _reader(self, origin: Origin) -> AbstractContextManager[database.Reader]:
        return database.opened(origin, secret(str(origin.database)), self.progress)

    def _rows_landed(
        self,
        origin: Origin,
        reader: database.Reader,
        found: database.Extracted,
        low: database.Position | None,
        date: str,
        book: Book,
    ) -> Fetched:
        file = self.staging / "whole"
        content, size, known = _sha256(file), file.stat().st_size, book.of(origin.name)
        self._land(origin, file, date, content)
        said = known.cursor if known.cursor.get("by") == origin.cursor else {}
        newest = not said or (found.high is not None and found.high >= reader.position(said["high"]))  # type: ignore[operator]
        if newest:
            marks = {"date": date, "low": low, "high": found.high, "window": found.window}
            said = {name: database.written(mark) for name, mark in marks.items()}
            said = {"by": origin.cursor, **said} if origin.cursor else {}
        later = replace(known, etag=found.content if newest else known.etag, sha256=content, cursor=said)
        book.record(origin.name, later.delivered(date, content))
        rows = f"{found.rows:,} rows" + (f" to {database.written(found.high)}" if found.high is not None else "")
        return Fetched(
            self.source.name, origin.name, "delivered", date, origin.lands_as, size, content, found.content, rows
        )

    def _by_git(self, origin: Origin, known: Known) -> _Found | None:
        repository = git.Repository(origin, self.staging, self.progress)
        repository.update()
        newest = repository.revisions()[-1]
        if newest.blob == known.etag and known.intended is None:
            return None
        into = self.staging / "whole"
        repository.fetch_blobs([newest.blob])
        repository.write(newest.blob, into)
        return _Found(into, replace(known, etag=newest.blob, modified=None), newest.time, newest.commit)

    def _by_storage(self, origin: Origin, known: Known) -> _Found | None:
        return self._by_http(origin, known) if origin.kind in ("url", "kaggle") else self._by_place(origin, known)

    def _by_http(self, origin: Origin, known: Known) -> _Found | None:
        url = _url(origin)
        host = urlsplit(url)
        port = host.port or (443 if host.scheme == "https" else 80)
        private = frozenset({(str(host.hostname), port)}) if origin.private else frozenset()
        download = Download(
            url=url,
            into=self.staging / f"{_SAFE.sub('-', origin.name)[-80:]}.part",
            limits=Limits(origin.max_mb * 1024 * 1024, origin.max_seconds, origin.types, private),
            known=known.validators if known.intended is None and known.sha256 else Known().validators,
            secrets=_authorization(origin),
            progress=self.progress,
            name=origin.name,
        )
        answer = download.run()
        if answer is None:
            return None
        whole = self.staging / "whole"
        os.replace(download.into, whole)
        download.forget()
        if origin.member or (origin.kaggle and _is_zip(whole) and self.source.format != "xlsx"):
            packed = whole.rename(self.staging / "packed")
            member = origin.member or str(origin.path)
            archive.take_out(packed, member, whole, origin.max_mb * 1024 * 1024, origin.name)
        said = replace(
            known, etag=answer.validators.etag, modified=answer.validators.modified, content_type=answer.content_type
        )
        return _Found(whole, said, answer.modified)

    def _by_place(self, origin: Origin, known: Known) -> _Found | None:
        place = storage.at(str(origin.storage))
        try:
            tag = storage.tag(place)
            if tag is None:
                raise FetchError(f"{origin.name}: there is no such file. Landing is as it was; is the path right?")
            if tag == known.etag and known.intended is None:
                return None
            whole, most = self.staging / "whole", origin.max_mb * 1024 * 1024
            size = 0
            with whole.open("wb") as file:
                for piece in storage.pieces(place, _PIECE):
                    size += len(piece)
                    if size > most:
                        raise FetchError(f"{origin.name} was not taken: it has more than {origin.max_mb:,} MB (max_mb)")
                    file.write(piece)
                    self.progress(origin.name, size, None)
            dated = datetime.fromtimestamp(storage.modified_file(place), UTC)
            if storage.tag(place) != tag:
                raise FetchError(f"{origin.name} was replaced while it was read. Nothing landed; fetch it again")
        except (OSError, StorageError) as error:
            raise FetchError(f"{origin.name} cannot be read: {error}. Landing is as it was") from None
        return _Found(whole, replace(known, etag=tag, modified=None), dated)

    def _checked(self, origin: Origin, file: Path, known: Known) -> str:
        """The SHA-256 of a file that is what was expected. Raises ``FetchError`` with what was found instead."""
        content = _sha256(file)
        if origin.checksum:
            kind, _, expected = origin.checksum.partition(":")
            found = content if kind == "sha256" else _git_id(file)
            if found != expected:
                raise FetchError(
                    f"{origin.name} was not taken: its checksum should be {kind}:{expected} and is {kind}:{found}. What"
                    " lies there is not what was pinned; landing is as it was"
                )
        with file.open("rb") as opened:
            reason = self.judge(opened.read(_BEGINS), self.source)
        if reason:
            before = f" (the last one came as {known.content_type})" if known.content_type else ""
            raise FetchError(
                f"{origin.name} was not taken: a {self.source.format} file was expected{before}, and {reason}."
                " Landing is as it was, and so are the tables; the next fetch looks again"
            )
        return content

    def _date(self, origin: Origin, dated: datetime | None) -> str:
        """The key of the delivery: the date that the configuration says, or the origin; today when neither can be."""
        if origin.date:
            return self._key(datetime.combine(origin.date, datetime.min.time()))
        now = self.clock()
        said = self._key(dated) if dated and dated <= now else None
        return said if said and not misdated(said, self.source.every) else self._key(now)

    def _key(self, instant: datetime) -> str:
        return keys.at(instant, self.source.every)

    def _land(self, origin: Origin, file: Path, date: str, content: str) -> None:
        try:
            check_landing(origin.lands_as, self.source, date)
        except ValueError as error:
            raise FetchError(f"{origin.name} cannot land: {error}, or say `file:` of the origin") from None
        target = self.landing / self.source.name / date / origin.lands_as
        if storage.is_file(target) and _sha256_of(target) == content:
            return
        storage.put(target, file)

    @contextmanager
    def _alone(self) -> Iterator[Book]:
        """The book of the source, while nobody else on this machine fetches it."""
        self.staging.mkdir(parents=True, exist_ok=True)
        with (self.staging / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchError(f"{self.source.name} is being fetched by another process; wait for it") from None
            yield Book(self.landing, self.source.name)

    def _clear(self) -> None:
        for name in ("whole", "packed"):
            with suppress(FileNotFoundError):
                (self.staging / name).unlink()


def staging_of(landing: Place) -> Path:
    """Where downloads wait until they are whole: below a landing folder of this machine, where they are passed over;
    of one in an object store in ``data/.origins``."""
    if storage.is_local(landing):
        return landing / FOLDER / "staging"
    return Path("data/.origins").absolute() / storage.as_name(landing)


def _url(origin: Origin) -> str:
    if origin.kaggle:
        version = f"?datasetVersionNumber={origin.version}" if origin.version else ""
        return f"{_KAGGLE}/{origin.kaggle}/{quote(str(origin.path))}{version}"
    parts = urlsplit(str(origin.url))
    query = [*parse_qsl(parts.query, keep_blank_values=True), *((k, secret(v)) for k, v in origin.query.items())]
    return urlunsplit(
        (parts.scheme, parts.netloc, parts.path or "/", urlencode(query) if origin.query else parts.query, "")
    )


def _authorization(origin: Origin) -> dict[str, str]:
    """The header with the token of an origin. Kaggle's older keys are ``user:key``."""
    if not origin.token:
        return {}
    token = secret(origin.token)
    if origin.kaggle and ":" in token:
        basic = base64.b64encode(token.encode()).decode()
        hide(basic)
        return {"Authorization": f"Basic {basic}"}
    return {"Authorization": f"Bearer {token}"}


def secret(reference: str) -> str:
    """The value of ``secret://name`` (Key Vault) or ``env://NAME`` (environment); any other text is itself."""
    if vault.is_reference(reference):
        try:
            return vault.resolve(reference)
        except vault.SecretError as error:
            raise FetchError(str(error)) from None
    if not reference.startswith("env://"):
        return reference
    value = os.environ.get(name := reference.removeprefix("env://"))
    if not value:
        raise FetchError(f"{reference} cannot be had: the environment variable {name} is not set")
    hide(value)
    return value


def _is_zip(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sha256_of(place: Place) -> str:
    digest = hashlib.sha256()
    for piece in storage.pieces(place, _PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _git_id(file: Path) -> str:
    """The id that git gives to a file of these bytes."""
    digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
