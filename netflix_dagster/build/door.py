"""The door: read what lies in landing, take what can be read, refuse the rest whole.

The door is strict: one file that cannot be read, or one record that does not fit its header, and the attempt is refused
with every fault in the quarantine. What stands of that date still stands. What is taken lies aside (``attempts``) until
the gates have judged it. Columns that are not those of the delivery before are told, and handled as the source says
(``on_drift``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from netflix_dagster import storage
from netflix_dagster.build import telemetry
from netflix_dagster.contracts.report import Check, Outcome
from netflix_dagster.deliveries import attempts, columns, drift, quarantine
from netflix_dagster.deliveries.attempts import Facts
from netflix_dagster.deliveries.columns import Seen
from netflix_dagster.deliveries.life import Attempt, Event, Life, Status
from netflix_dagster.files.parsed import ParsedFile, Refusal
from netflix_dagster.files.reading import open_file
from netflix_dagster.landing.deliveries import Delivery, LandedFile, deliveries_at, delivery_at
from netflix_dagster.landing.sources import Source, Sources
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

READABLE, KNOWN_COLUMNS, COMPLETE = "readable", "known_columns", "delivery_complete"
NO_DRIFT = "no_drift"
CHECKS: tuple[tuple[str, str, str], ...] = (
    (READABLE, "fail", "every file can be read, and every record fits its header"),
    (KNOWN_COLUMNS, "warn", "the columns are those that sources.yaml names"),
    (NO_DRIFT, "warn", "the columns are as in the delivery before"),
    (COMPLETE, "warn", "every file of a split delivery has arrived"),
)
_PIECE = 1024 * 1024
Key = tuple[str, str]
"""A source and a delivery date."""


class FileChanged(RuntimeError):
    """A file was replaced while it was being read; the delivery is to be built again."""


@dataclass(frozen=True, slots=True)
class Received:
    """What the door made of one delivery: its fingerprint, its facts when it is taken, its faults when it is not."""

    delivery: Delivery
    fingerprint: str
    facts: Facts
    refusals: tuple[tuple[str, Refusal], ...] = ()
    refused: str | None = None
    rule: str | None = None
    drift: Check | None = None


@dataclass(slots=True)
class Door:
    """The door of one build: what it received, by source and date, and what is known of columns."""

    settings: Settings
    sources: Sources
    run_id: str
    received: dict[Key, Received] = field(default_factory=dict)
    _known: dict[str, dict[str, list[Seen]]] = field(default_factory=dict)

    def receive(self, life: Life, places: Iterable[Key], *, again: bool = False) -> list[Event]:
        """Look at some deliveries in landing and read what is new of them. Returns the events, not recorded yet.

        What was refused is read again, since ``sources.yaml`` may have been mended; ``again`` reads all the same.
        """
        places = [place for place in places if place not in self.received]
        if not places:
            return []
        events: list[Event] = []
        for delivery in deliveries_at(self.settings.landing, self.sources, places).deliveries:
            known = life.deliveries.get((delivery.source, delivery.date))
            newest = known.newest if known and known.attempts else None
            new = newest is None or newest.mark != delivery.fingerprint or newest.status is Status.REFUSED
            if new or again or (known is not None and (known.gone or known.reopened)):
                events.append(self._read(delivery, known.attempts if known else {}))
        return events

    def _read(self, delivery: Delivery, known: Mapping[str, Attempt]) -> Event:
        source = self.sources.sources[delivery.source]
        found = self.received[delivery.source, delivery.date] = self._judge(delivery, self.as_held(source))
        about = {
            "feed": source.feed,
            "key": delivery.date,
            "source": source.name,
            "fingerprint": found.fingerprint,
            "mark": delivery.fingerprint,
            "files": len(delivery.files),
            "bytes": sum(file.size for file in delivery.files),
            "records": found.facts.records,
            "run_id": self.run_id,
        }
        if found.refused:
            name = source.bronze
            return Event(Status.REFUSED, table_name=name, rule=found.rule, reason=found.refused, **about)  # type: ignore[arg-type]
        before = known.get(found.fingerprint)
        same = before is not None and before.status is not Status.REFUSED
        return Event(Status.LANDED if same else Status.ACCEPTED, **about)  # type: ignore[arg-type]

    def _judge(self, delivery: Delivery, source: Source) -> Received:
        """Read every file of a delivery once, batch by batch: its rows go aside while they are judged."""
        files: list[ParsedFile] = []
        seen: list[list[Seen]] = []
        refusals: list[tuple[str, Refusal]] = []
        set_aside: list[tuple[str, Refusal]] = []
        with telemetry.landed(delivery, source), attempts.writing() as out:
            for landed in delivery.files:
                file, source, malformed = self._read_file(landed, source, delivery.date, None if refusals else out)
                seen.append(columns.look(file, source))
                refusals += [(landed.name, refusal) for refusal in file.refusals]
                set_aside += [(landed.name, refusal) for refusal in malformed]
                files.append(replace(file, rows=(), sample=()))
            facts = _facts(files, columns.together(seen))
            found = Received(
                delivery, fingerprint(delivery, [file.hash for file in files]), facts, tuple(refusals or set_aside)
            )
            found = self._refused(found, source, files, bool(refusals))
            if not found.refused:
                known = self.known(source.name)
                known[delivery.date] = list(found.facts.columns)
                out.keep(self.settings.lake, source.name, delivery.date, found.fingerprint, found.facts)
        return found

    def _read_file(
        self, landed: LandedFile, source: Source, key: str, out: attempts.Writer | None
    ) -> tuple[ParsedFile, Source, list[Refusal]]:
        """One file, its source as it is after the file, and the records of it that are set aside."""
        from netflix_dagster.tables.bronze import completed

        if landed.problem:
            hint = "put a readable file in its place"
            fault = Refusal(READABLE, f"{landed.name} {landed.problem}", hint)
            return ParsedFile(landed.path, "", refusals=(fault,)), source, []
        now, content = datetime.now(UTC), content_hash(landed)
        malformed: list[Refusal] = []

        def grow(source: Source, unknown: Sequence[str]) -> Source:
            return drift.grown(source, [unknown])

        with open_file(landed.path, source, grow=grow) as reading:
            for batch in reading:
                malformed += reading.take_malformed()
                if out is not None:
                    out.write(completed(batch, key, content, now, self.run_id))
            file = reading.result
            malformed += reading.take_malformed()
        if content and file.hash and file.hash != content:
            raise FileChanged(f"{landed.path} was replaced while it was being read; nothing was written, run it again")
        return file, reading.source, [] if file.refusals else malformed

    def _refused(self, found: Received, source: Source, files: Sequence[ParsedFile], unreadable: bool) -> Received:
        drifted = drift_check(found.facts, source, found.delivery.date, self.known(source.name), not unreadable)
        found = replace(found, drift=drifted)
        if unreadable:
            name, first = found.refusals[0]
            more = f" (and {len(found.refusals) - 1} more)" if len(found.refusals) > 1 else ""
            return replace(found, refused=f"{name}: {first.reason}{more}; {first.hint}", rule=READABLE)
        if drifted.blocking:
            reason = drifted.message.removesuffix(f"; {_WHEN_REFUSED}")
            header = files[0].header_line if files else None
            refusal = (found.delivery.files[0].name, Refusal(NO_DRIFT, reason, _WHEN_REFUSED, raw=header))
            return replace(found, refused=drifted.message, rule=NO_DRIFT, refusals=(refusal,))
        return found

    def known(self, source: str) -> dict[str, list[Seen]]:
        """The columns of every delivery of a source in bronze, and of those received here."""
        if source not in self._known:
            self._known[source] = columns.read(self.settings.lake, source)
        return self._known[source]

    def as_held(self, source: Source) -> Source:
        """The source with the columns that its bronze table has grown."""
        return drift.as_held(source, self.settings.lake)

    def quarantined(self, place: Key) -> list[quarantine.Refused]:
        """The faults of a refused delivery, or the records that are set aside of one, as rows of the quarantine."""
        found, table = self.received[place], self.sources.sources[place[0]].bronze
        return [
            quarantine.Refused(
                table_name=table,
                delivery_date=place[1],
                source_file=name,
                record_number=refusal.record,
                line_number=refusal.line,
                raw=refusal.raw,
                rules=(refusal.rule,),
                reasons=(refusal.reason,),
                hints=(refusal.hint,),
                attempt=found.fingerprint,
            )
            for name, refusal in found.refusals
        ]

    def outcome(self, life: Life, place: Key, attempt: str | None) -> Outcome:
        """What the door says of a delivery: of what it has just received, or of an attempt that it took before."""
        source, day = self.sources.sources[place[0]], place[1]
        found = self.received.get(place)
        if found and found.refused:
            outcome = Outcome(0, len(found.refusals), held_back=found.refused)
            outcome.checks = self._checks(source, day, found.facts, found.refusals, found.refused, found.drift)
            return outcome
        if attempt is None:
            message = f"{source.name} delivered nothing on {day}"
            checks = [Check(name, on_fail, what, 0, 0, message) for name, on_fail, what in CHECKS]  # type: ignore[arg-type]
            return Outcome(delivered=False, checks=checks)
        facts = found.facts if found else self.facts(life, place, attempt)
        drifted = found.drift if found else None
        return Outcome(
            facts.records - facts.quarantined,
            facts.quarantined,
            checks=self._checks(source, day, facts, (), None, drifted),
        )

    def facts(self, life: Life, place: Key, attempt: str) -> Facts:
        """What is known of an attempt. Of one that stands since before attempts were kept it is what bronze says."""
        kept = attempts.facts(self.settings.lake, *place, attempt)
        if kept is not None:
            return kept
        seen = self.known(place[0]).get(place[1], [])
        return Facts(life.attempt(*place, attempt).records, tuple(seen))

    def _checks(
        self,
        source: Source,
        day: str,
        facts: Facts,
        refusals: Collection[object],
        refused: str | None,
        drifted: Check | None,
    ) -> list[Check]:
        drifted = drifted or drift_check(facts, source, day, self.known(source.name), True)
        broken = 0 if drifted.blocking else len(refusals)
        aside = f", {facts.quarantined} set aside in the quarantine" if facts.quarantined else ""
        readable = refused if refused and broken else f"{facts.records} records read{aside}"
        return [
            _check(READABLE, broken, facts.records, readable),
            _columns_check(facts, source),
            drifted,
            _complete_check(source, self.sources, day, self.settings.landing, facts.records),
        ]


def fingerprint(delivery: Delivery, hashes: Sequence[str]) -> str:
    """The identity of what was delivered: the names and the bytes of its files, wherever and whenever they lay."""
    digest = hashlib.sha256()
    for landed, content in zip(delivery.files, hashes, strict=True):
        digest.update(f"{landed.name}\0{content or f'{landed.size} {landed.problem}'}\n".encode())
    return digest.hexdigest()[:16]


def content_hash(file: LandedFile) -> str:
    """The SHA-256 of a file, which every row of it tells."""
    digest = hashlib.sha256()
    try:
        for piece in storage.pieces(storage.at(file.path), _PIECE):
            digest.update(piece)
    except OSError:
        return ""  # reading it says why
    return digest.hexdigest()


def _facts(files: Sequence[ParsedFile], seen: Sequence[Seen]) -> Facts:
    return Facts(
        sum(file.records for file in files),
        tuple(seen),
        tuple(dict.fromkeys(name for file in files for name in file.unknown_columns)),
        tuple(sorted({name for file in files for name in file.absent_columns})),
        sum(file.set_aside for file in files),
    )


def drift_check(facts: Facts, source: Source, day: str, known: Mapping[str, Sequence[Seen]], whole: bool) -> Check:
    """How the columns differ from those of the delivery before; it blocks where the source refuses drift."""
    since = drift.before(day, known)
    if not facts.columns:
        return _check(NO_DRIFT, 0, facts.records, "nothing to compare: no column could be read")
    found = drift.compare(since, known[since], facts.columns) if since else drift.Drift("")
    message = found.message if since else "there is no earlier delivery to compare with"
    check = _check(NO_DRIFT, found.changes, facts.records, message)
    check = replace(check, details={kind: list(changes) for kind, changes in found.kinds.items()})
    unknown = list(facts.unknown)
    if source.on_drift != "refuse" or not whole or not (unknown or found.unforeseen):
        return check
    if not since:
        message = f"sources.yaml does not name {drift.named(sorted(unknown))}"
    reason = f"{message}; {source.name} refuses such changes; {_WHEN_REFUSED}"
    return replace(check, on_fail="fail", broken=max(found.changes, len(unknown)), message=reason)


_WHEN_REFUSED = (
    "nothing was written and the file waits where it landed. Land one with the columns of before; or name the new"
    " columns in sources.yaml, as columns or aliases; or set on_drift: rescue there to take it as it is. Then"
    " `netflix-dagster run --again`"
)


def _columns_check(facts: Facts, source: Source) -> Check:
    own = [seen.header for seen in facts.columns if seen.kept == "evolved" and source.canonical(seen.header) is None]
    rescued = sorted(facts.unknown)
    said = [f"kept in rescued_data: {drift.named(rescued)}"] if rescued else []
    said += [f"kept in columns of their own: {drift.named(sorted(own))}"] if own else []
    said += [f"not delivered: {', '.join(facts.absent)}"] if facts.absent else []
    message = "; ".join(said) or "the columns are as expected"
    return _check(KNOWN_COLUMNS, len(rescued), facts.records, message)


def _complete_check(source: Source, sources: Sources, day: str, landing: Place, records: int) -> Check:
    siblings = [s for s in sources.of_feed(source.feed) if s.form == "split"] if source.form == "split" else []
    lacking = [part.name for part in siblings if delivery_at(landing, part, day) is None]
    message = f"still lacking on {day}: {', '.join(lacking)}" if lacking else "nothing is lacking"
    return _check(COMPLETE, len(lacking), records, message)


def _check(name: str, broken: int, rows: int, message: str) -> Check:
    _, on_fail, description = next(check for check in CHECKS if check[0] == name)
    return Check(name, on_fail, description, broken, rows, message)  # type: ignore[arg-type]
