"""The life of every delivery, folded from ``quality.deliveries``: what has landed, what stands, what is still to do.

A delivery is one source and one date. Each content that lands for it is an *attempt*, known by the fingerprint of its
bytes. ::

    landed ─► refused (file, rule)                      the door
       └────► accepted ─► held (table, rule)            a gate
                   └────► standing ─► superseded        every gate is passed: the tables hold it
                                  └─► withdrawn         its file left landing; its rows stay until somebody decides

The table is append-only and every runner writes it; all others ask ``Life``. A *combination* is what the sources of
one date say together: one attempt of each. Gates judge combinations, so that new titles are not shown with the cast
of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from netflix_dagster.contracts.bookkeeping import DELIVERIES, as_arrow
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import downstream_of, touched_tables
from netflix_dagster.lake import books, store
from netflix_dagster.landing.keys import joined, parts
from netflix_dagster.storage import Place

NAME = DELIVERIES.name
Combination = Mapping[str, str]
"""One attempt, by its fingerprint, of each source that delivered on a date."""


class Status(StrEnum):
    """What happens to an attempt, or to the builds of a feed's date."""

    LANDED = "landed"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    HELD = "held"
    STANDING = "standing"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    DECIDED = "decided"
    BEGUN = "begun"
    ENDED = "ended"


class Decision(StrEnum):
    """What a person decides about one attempt."""

    ACCEPT = "accept"
    REOPEN = "reopen"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class Event:
    """One row of ``quality.deliveries``. ``key`` is the date of the delivery, or its date and hour."""

    status: Status
    feed: str
    key: str
    source: str | None = None
    fingerprint: str | None = None
    mark: str | None = None
    decision: Decision | None = None
    table_name: str | None = None
    rule: str | None = None
    reason: str | None = None
    files: int | None = None
    bytes: int | None = None
    records: int | None = None
    tables: tuple[str, ...] | None = None
    code_versions: tuple[str, ...] | None = None
    outcome: str | None = None
    decided_by: str | None = None
    decided_because: str | None = None
    run_id: str | None = None
    at: datetime | None = None


@dataclass(slots=True)
class Attempt:
    """One content of a delivery. ``stands``: the tables hold it. ``accepted`` is who overruled the gates, and why."""

    feed: str
    source: str
    key: str
    fingerprint: str
    status: Status = Status.LANDED
    mark: str = ""
    table: str | None = None
    rule: str | None = None
    reason: str | None = None
    files: int = 0
    bytes: int = 0
    records: int = 0
    run_id: str = ""
    at: datetime | None = None
    stands: bool = False
    accepted: tuple[str, str] | None = None
    withdrawn: bool = False

    @property
    def why(self) -> str:
        """Why it is refused or held, in words."""
        return f"{self.table}: {self.reason}" if self.status is Status.HELD else self.reason or ""

    @property
    def waits(self) -> bool:
        """Whether it is refused or held: its file, a rule or a decision must change before it can stand."""
        return self.status in (Status.REFUSED, Status.HELD)


@dataclass(slots=True)
class Delivery:
    """One source on one date. ``attempts`` are in the order in which they landed; ``gone``: its file left landing."""

    feed: str
    source: str
    key: str
    attempts: dict[str, Attempt] = field(default_factory=dict)
    gone: bool = False
    reopened: bool = False

    @property
    def newest(self) -> Attempt:
        return next(reversed(self.attempts.values()))

    @property
    def standing(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts.values() if attempt.stands), None)

    @property
    def status(self) -> Status:
        """What is to be said of the delivery in one word."""
        newest = self.newest
        return Status.WITHDRAWN if newest.withdrawn or (self.gone and not newest.waits) else newest.status


@dataclass(slots=True)
class Build:
    """One run at work on a feed's date."""

    run_id: str
    begun: datetime
    tables: tuple[str, ...]


@dataclass(slots=True)
class FeedDate:
    """All sources of a feed on one date: the combinations seen, the builds, and since when which tables are due."""

    feed: str
    key: str
    current: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[datetime, dict[str, str]]] = field(default_factory=list)
    builds: int = 0
    open: dict[str, Build] = field(default_factory=dict)
    failed: int = 0
    source_due: dict[str, datetime] = field(default_factory=dict)
    table_due: dict[str, datetime] = field(default_factory=dict)
    done: dict[str, datetime] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    settled: datetime | None = None
    ended: datetime | None = None
    outcome: str | None = None
    ended_by: str | None = None


@dataclass(slots=True)
class Life:
    """All that is known of the deliveries. ``version`` is that of the table it was folded from.

    ``whole`` says when a table of all deliveries was built, ``code`` by which version of the code.
    """

    deliveries: dict[tuple[str, str], Delivery] = field(default_factory=dict)
    dates: dict[tuple[str, str], FeedDate] = field(default_factory=dict)
    whole: dict[str, datetime] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    version: int | None = None
    _chains: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, lake: Place) -> Life:
        """The life of all deliveries of a lake. A lake of the version before is opened by migrating it first."""
        from netflix_dagster.deliveries import migration

        migration.ensure(lake)
        version = store.version(lake, NAME)
        life = cls.of(events(lake))
        life.version = version
        return life

    @classmethod
    def of(cls, told: Iterable[Event]) -> Life:
        """What some events, oldest first, come to."""
        life = cls()
        for event in told:
            life.add(event)
        return life

    def add(self, event: Event) -> None:
        """Fold one more event."""
        date = self.date(event.feed, event.key)
        at = event.at or datetime.now(UTC)
        if event.status is Status.BEGUN:
            date.builds += (event.run_id or "") not in date.open  # after an outage a build begins again
            date.open[event.run_id or ""] = Build(event.run_id or "", at, event.tables or ())
            date.table_due.update(dict.fromkeys(event.tables or (), at))
        elif event.status is Status.ENDED:
            self._ended(date, event, at)
        elif event.source is not None:
            _Fold(self, date, event, at).apply()

    def _ended(self, date: FeedDate, event: Event, at: datetime) -> None:
        build = date.open.pop(event.run_id or "", None)
        begun = build.begun if build else at
        for run_id in [run_id for run_id, other in date.open.items() if other.begun <= begun]:
            del date.open[run_id]  # one build at a time: what began before was lost
        date.ended, date.outcome, date.ended_by = at, event.outcome, event.run_id
        date.failed = date.failed + 1 if event.outcome == "failed" else 0
        for name in event.tables or ():
            if name in TABLES and not TABLES[name].per_delivery:
                self.whole[name] = max(begun, self.whole.get(name, begun))
            date.done[name] = begun
        versions = dict(zip(event.tables or (), event.code_versions or (), strict=False))
        date.code |= versions
        self.code |= versions
        if event.outcome != "failed" and self._chain(date).issubset(event.tables or ()):
            date.settled = begun
        for delivery in self.of_date(date.feed, date.key):
            delivery.reopened = False

    def date(self, feed: str, key: str) -> FeedDate:
        """All that is known of a feed's date."""
        return self.dates.setdefault((feed, key), FeedDate(feed, key))

    def of_date(self, feed: str, key: str) -> list[Delivery]:
        """The deliveries of a feed on one date."""
        sources = self.dates[feed, key].current.keys() if (feed, key) in self.dates else ()
        found = (self.deliveries.get((source, key)) for source in sources)
        return [delivery for delivery in found if delivery]

    def attempt(self, source: str, key: str, fingerprint: str) -> Attempt:
        return self.deliveries[source, key].attempts[fingerprint]

    def standing(self, feed: str, key: str, sources: Collection[str] | None = None) -> dict[str, str]:
        """The combination that the tables hold, of all sources or of some."""
        return {
            delivery.source: attempt.fingerprint
            for delivery in self.of_date(feed, key)
            if (attempt := delivery.standing) and (sources is None or delivery.source in sources)
        }

    def candidates(self, feed: str, key: str, sources: Collection[str]) -> list[dict[str, str]]:
        """The combinations of some sources that were seen and not withdrawn, the newest first."""
        date = self.dates.get((feed, key))
        found: list[dict[str, str]] = []
        for _, combination in reversed(date.seen if date else ()):
            some = {source: attempt for source, attempt in sorted(combination.items()) if source in sources and attempt}
            withdrawn = any(self.attempt(source, key, attempt).withdrawn for source, attempt in some.items())
            if some and not withdrawn and some not in found:
                found.append(some)
        if not (date and any(attempt for source, attempt in date.current.items() if source in sources)):
            return []
        return found

    def _chain(self, date: FeedDate) -> frozenset[str]:
        return frozenset(name for source in date.source_due for name in self._touched(date.feed, source))

    def _touched(self, feed: str, source: str) -> list[str]:
        if (feed, source) not in self._chains:
            self._chains[feed, source] = touched_tables(feed, [source])
        return self._chains[feed, source]

    def due(self, feed: str, key: str) -> set[str]:
        """The tables that some event asks for and that no build has ended with since."""
        date = self.dates.get((feed, key))
        if date is None or _is_settled(date):
            return set()
        since = dict(date.table_due)
        for source, at in date.source_due.items():
            for name in self._touched(feed, source):
                since[name] = max(at, since.get(name, at))
        return {name for name, at in since.items() if name in TABLES and not self._is_done(date, name, at)}

    def to_build(self, feed: str, key: str) -> set[str]:
        """The tables that are due, and those whose code has changed."""
        return self.due(feed, key) | self.outdated(feed, key)

    def outdated(self, feed: str, key: str) -> set[str]:
        """The tables that other code has built than there is now, and all that is built from them.

        Bronze is what the door has read of a file, so other code changes nothing of it. Of what was built before
        versions were written down nothing is known: it counts as up to date.
        """
        date = self.dates.get((feed, key))
        if date is None:
            return set()
        chain = self._chain(date)
        built = {name: (date.code if TABLES[name].judged_by_delivery else self.code).get(name) for name in chain}
        return set(chain).intersection(
            downstream_of(
                name
                for name, version in built.items()
                if version and TABLES[name].layer != "bronze" and version != TABLES[name].code_version
            )
        )

    def whole_due(self) -> set[str]:
        """The whole tables that any date asks for, or that other code has built. A build that ends with one of them is
        done with it for every date, so it may not leave it as it is."""
        due = {name for place in self.dates for name in self.due(*place)}
        due |= {name for name, version in self.code.items() if name in TABLES and version != TABLES[name].code_version}
        return {name for name in due if not TABLES[name].judged_by_delivery}

    def _is_done(self, date: FeedDate, name: str, since: datetime) -> bool:
        done = date.done.get(name)
        if not TABLES[name].per_delivery:
            done = max(filter(None, (done, self.whole.get(name))), default=None)
        return done is not None and done >= since

    def held(self, listed: Collection[tuple[str, str]] | None = None) -> list[Delivery]:
        """The deliveries (of those listed) whose newest attempt is refused or held, in order of date and source."""
        found = (d for key, d in self.deliveries.items() if listed is None or key in listed)
        return sorted((d for d in found if d.newest.waits and not d.newest.withdrawn), key=lambda d: (d.key, d.source))


@dataclass(slots=True)
class _Fold:
    """One event of one source's delivery, applied."""

    life: Life
    date: FeedDate
    event: Event
    at: datetime

    def apply(self) -> None:
        event = self.event
        place = (event.source or "", event.key)
        delivery = self.life.deliveries.setdefault(place, Delivery(event.feed, *place))
        self.date.current.setdefault(delivery.source, "")
        if event.status is Status.WITHDRAWN and event.fingerprint is None:
            delivery.gone = True
        elif event.status is Status.DECIDED:
            self._decided(delivery)
        elif event.status in (Status.LANDED, Status.REFUSED, Status.ACCEPTED):
            self._landed(delivery)
        elif event.fingerprint in delivery.attempts:
            self._judged(delivery, delivery.attempts[event.fingerprint])

    def _landed(self, delivery: Delivery) -> None:
        event, fingerprint = self.event, self.event.fingerprint or ""
        was_newest = next(reversed(delivery.attempts), None) == fingerprint
        attempt = delivery.attempts.pop(fingerprint, None)
        known = attempt is not None
        attempt = attempt or Attempt(event.feed, delivery.source, event.key, fingerprint)
        delivery.attempts[fingerprint] = attempt
        delivery.gone = False
        attempt.mark, attempt.run_id, attempt.at = event.mark or attempt.mark, event.run_id or "", self.at
        for name in ("files", "bytes", "records"):
            if getattr(event, name) is not None:
                setattr(attempt, name, getattr(event, name))
        if event.status is Status.REFUSED:
            attempt.status = Status.REFUSED
            attempt.table, attempt.rule, attempt.reason = event.table_name, event.rule, event.reason
        elif event.status is Status.ACCEPTED or not (
            was_newest or attempt.withdrawn or attempt.status is Status.REFUSED
        ):
            self._accepted(attempt, again=known and was_newest and attempt.status is not Status.REFUSED)

    def _accepted(self, attempt: Attempt, *, again: bool) -> None:
        attempt.status = Status.STANDING if attempt.stands else Status.ACCEPTED
        attempt.table = attempt.rule = attempt.reason = None
        if not again or self.date.current.get(attempt.source) != attempt.fingerprint:
            self.date.source_due[attempt.source] = self.at
        self.date.current[attempt.source] = attempt.fingerprint
        self._see()

    def _see(self) -> None:
        now = dict(self.date.current)
        if self.date.seen and self.date.seen[-1][0] == self.at:
            self.date.seen[-1] = (self.at, now)
        else:
            self.date.seen.append((self.at, now))

    def _decided(self, delivery: Delivery) -> None:
        event = self.event
        attempt = delivery.attempts.get(event.fingerprint or "")
        if attempt is None:
            return
        if event.decision is Decision.ACCEPT:
            attempt.accepted = (event.decided_by or "", event.decided_because or "")
        elif event.decision is Decision.REOPEN:
            delivery.reopened = True
            if attempt.withdrawn:
                attempt.withdrawn = False
                self._accepted(attempt, again=False)
        elif event.decision is Decision.WITHDRAW:
            for other in delivery.attempts.values():
                other.withdrawn = True
            self.date.current[delivery.source] = ""
            self._see()
        self.date.source_due[delivery.source] = self.at

    def _judged(self, delivery: Delivery, attempt: Attempt) -> None:
        event = self.event
        attempt.status, attempt.run_id = event.status, event.run_id or attempt.run_id
        attempt.table, attempt.rule, attempt.reason = event.table_name, event.rule, event.reason
        if event.status is Status.STANDING:
            for other in delivery.attempts.values():
                if other.stands and other is not attempt:
                    other.stands, other.status = False, Status.SUPERSEDED
        attempt.stands = event.status is Status.STANDING


def _is_settled(date: FeedDate) -> bool:
    """Whether nothing has happened since a build ended with every table: so it is with nearly all dates."""
    asked = max((*date.source_due.values(), *date.table_due.values()), default=None)
    return date.settled is not None and asked is not None and asked <= date.settled


def combination_id(combination: Combination) -> str:
    """The identity of a combination of attempts."""
    said = "\n".join(f"{source} {attempt}" for source, attempt in sorted(combination.items()))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def events(lake: Place) -> Iterator[Event]:
    """Every event, oldest first."""
    for row in books.read(lake, DELIVERIES).sort_by([("recorded_at", "ascending"), ("nth", "ascending")]).to_pylist():
        yield _event(row)


def record(lake: Place, told: Sequence[Event]) -> list[Event]:
    """Write some events down in one commit, and return them with the time that they are given."""
    if not told:
        return []
    now = datetime.now(UTC)
    rows = []
    for nth, event in enumerate(told):
        row = {name: value for name, value in asdict(event).items() if name not in ("key", "at")}
        row["delivery_date"], row["delivery_hour"] = parts(event.key)
        for name in _LISTS:
            said = getattr(event, name)
            row[name] = list(said) if said is not None else None
        rows.append({**row, "recorded_at": now, "nth": nth})
    books.create(lake)
    store.write_arrow(lake, NAME, as_arrow(DELIVERIES, rows))
    return [replace(event, at=now) for event in told]


def _event(row: Mapping[str, Any]) -> Event:
    said = {name: row.get(name) for name in _AS_IS}
    lists: Mapping[str, Any] = {name: tuple(row[name]) for name in _LISTS if row.get(name) is not None}
    return Event(
        status=Status(row["status"]),
        key=joined(row["delivery_date"], row.get("delivery_hour")),
        decision=Decision(row["decision"]) if row.get("decision") else None,
        at=row["recorded_at"],
        **lists,
        **said,  # type: ignore[arg-type]
    )


_LISTS = ("tables", "code_versions")
_AS_IS = tuple(name for name in Event.__dataclass_fields__ if name not in ("status", "key", "decision", *_LISTS, "at"))
