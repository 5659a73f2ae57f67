"""Landing to bronze: judge the files of each delivery, take the good deliveries, refuse the others whole.

The door is strict: one file that cannot be read, or one record that does not fit its header, and the delivery is
held back with every fault in the quarantine. What the table held of that date before stays. Columns that are not
those of the delivery before are told, and handled as the source says (``on_drift``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from netflix_dagster.build import telemetry
from netflix_dagster.contracts.contract import Table
from netflix_dagster.contracts.report import Check, Outcome
from netflix_dagster.deliveries import columns, drift, ledger, quarantine
from netflix_dagster.deliveries.columns import Seen
from netflix_dagster.engine import sessions
from netflix_dagster.files.parsing import ParsedFile, Refusal, parse_file
from netflix_dagster.lake import store
from netflix_dagster.landing.deliveries import Delivery, LandedFile, delivery_at
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster.settings import Settings

READABLE, KNOWN_COLUMNS, COMPLETE = "readable", "known_columns", "delivery_complete"
NO_DRIFT = "no_drift"
CHECKS: tuple[tuple[str, str, str], ...] = (
    (READABLE, "fail", "every file can be read, and every record fits its header"),
    (KNOWN_COLUMNS, "warn", "the columns are those that sources.yaml names"),
    (NO_DRIFT, "warn", "the columns are as in the delivery before"),
    (COMPLETE, "warn", "every file of a split delivery has arrived"),
)
MOST_REFUSALS = 1000


@dataclass(frozen=True, slots=True)
class Inspected:
    """A delivery, what its files turned out to be, and what their columns look like."""

    delivery: Delivery
    files: tuple[ParsedFile, ...]
    columns: tuple[Seen, ...] = ()

    @property
    def refusals(self) -> list[tuple[str, Refusal]]:
        return [(os.path.basename(file.path), refusal) for file in self.files for refusal in file.refusals]

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)

    @property
    def unknown_columns(self) -> list[str]:
        """Headers that the source does not know, in the order of the files."""
        return list(dict.fromkeys(name for file in self.files for name in file.unknown_columns))


def inspect(delivery: Delivery, source: Source) -> Inspected:
    """Read every file of a delivery and judge it. Its rows are not kept: a hundred deliveries may be asked for."""
    files, seen = [], []
    with telemetry.landed(delivery, source):
        for landed in delivery.files:
            file = _parse(landed, source)
            seen.append(columns.look(file, source))
            files.append(replace(file, rows=()))
    return Inspected(delivery, tuple(files), tuple(columns.together(seen)))


def _parse(file: LandedFile, source: Source) -> ParsedFile:
    if file.problem:
        hint = "put a readable file in its place"
        return ParsedFile(file.path, "", refusals=(Refusal(READABLE, f"{file.name} {file.problem}", hint),))
    return parse_file(file.path, source)


def ingest(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> dict[str | None, Outcome]:
    """Build a bronze table for some deliveries, as they lie in the landing folder now."""
    sources = load_sources(settings.sources)
    source = drift.as_held(sources.sources[table.short_name], settings.lake)
    found = {day: delivery_at(settings.landing, source, day) for day in deliveries}
    inspected = {day: inspect(delivery, source) for day, delivery in found.items() if delivery}
    known = columns.read(settings.lake, source.name) if inspected else {}
    held = list(known)
    outcomes: dict[str | None, Outcome] = dict.fromkeys(deliveries, Outcome())
    for day in sorted(deliveries):
        item = inspected.get(day)
        outcomes[day] = _outcome(item, source, sources, day, settings, known)
        if item and not outcomes[day].held_back:
            known[day] = list(item.columns)
    accepted = [item for day, item in inspected.items() if not outcomes[day].held_back]
    if accepted:
        _write(table, source, accepted, held, settings, run_id)
    refused = [row for day, item in inspected.items() for row in _quarantined(table, item, outcomes[day])]
    quarantine.replace(settings.lake, table.name, list(inspected), refused, run_id)
    ledger.record(settings.lake, [_entry(item, source, outcomes[day], run_id) for day, item in inspected.items()])
    return outcomes


def _write(
    table: Table, source: Source, accepted: list[Inspected], held: list[str], settings: Settings, run_id: str
) -> None:
    """Write the rows, then what their columns look like; ``held`` are the deliveries whose columns are known."""
    from netflix_dagster.tables.bronze import FILES, bronze_table

    spark = sessions.session(settings.engine)
    now = datetime.now(UTC).replace(tzinfo=None)
    files = [
        (file.path, date.fromisoformat(item.delivery.date), file.hash, now, run_id)
        for item in accepted
        for file in item.files
    ]
    if source.on_drift == "evolve":
        source = drift.grown(source, (item.unknown_columns for item in accepted))
        table = bronze_table(source)
    rows = table.function(spark.createDataFrame(files, FILES))
    store.write(rows, settings.lake, table, [item.delivery.date for item in accepted])
    seen = {item.delivery.date: columns.settled(item.columns, source) for item in accepted}
    columns.record(settings.lake, source.name, seen, held, run_id)


def _outcome(
    item: Inspected | None,
    source: Source,
    sources: Sources,
    day: str,
    settings: Settings,
    known: Mapping[str, Sequence[Seen]],
) -> Outcome:
    if item is None:
        message = f"{source.name} delivered nothing on {day}"
        checks = [Check(name, on_fail, what, 0, 0, message) for name, on_fail, what in CHECKS]  # type: ignore[arg-type]
        return Outcome(delivered=False, checks=checks)
    refusals = item.refusals
    outcome = Outcome(rows=item.records, delivered=True)
    if refusals:
        name, first = refusals[0]
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        outcome.held_back = f"{name}: {first.reason}{more}; {first.hint}"
        outcome.rows, outcome.quarantined = 0, len(refusals)
    readable = _check(READABLE, len(refusals), item.records, outcome.held_back or f"{item.records} records read")
    drifted = _drift_check(item, source, known, whole=not refusals)
    if drifted.blocking:
        outcome.held_back, outcome.rows, outcome.quarantined = drifted.message, 0, 1
    complete = _complete_check(source, sources, day, settings, item.records)
    outcome.checks = [readable, _columns_check(item, source), drifted, complete]
    return outcome


def _drift_check(item: Inspected, source: Source, known: Mapping[str, Sequence[Seen]], *, whole: bool) -> Check:
    """How the columns differ from those of the delivery before; it blocks where the source refuses drift."""
    since = drift.before(item.delivery.date, known)
    if not item.columns:
        return _check(NO_DRIFT, 0, item.records, "nothing to compare: no column could be read")
    found = drift.compare(since, known[since], item.columns) if since else drift.Drift("")
    message = found.message if since else "there is no earlier delivery to compare with"
    check = _check(NO_DRIFT, found.changes, item.records, message)
    check = replace(check, details={kind: list(changes) for kind, changes in found.kinds.items()})
    unknown = item.unknown_columns
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


def _columns_check(item: Inspected, source: Source) -> Check:
    unknown = item.unknown_columns
    evolved = drift.grown(source, [unknown])
    new = [name for name in unknown if source.canonical(name) is None and evolved.canonical(name)]
    own = {evolved.canonical(name): name for name in reversed(new)}.values()  # the first of each
    rescued = [name for name in unknown if name not in own]
    absent = sorted({name for file in item.files for name in file.absent_columns})
    said = [f"kept in rescued_data: {drift.named(sorted(rescued))}"] if rescued else []
    said += [f"kept in columns of their own: {drift.named(sorted(own))}"] if own else []
    said += [f"not delivered: {', '.join(absent)}"] if absent else []
    message = "; ".join(said) or "the columns are as expected"
    return _check(KNOWN_COLUMNS, len(rescued), item.records, message)


def _complete_check(source: Source, sources: Sources, day: str, settings: Settings, records: int) -> Check:
    parts = [s for s in sources.of_feed(source.feed) if s.form == "split"] if source.form == "split" else []
    lacking = [part.name for part in parts if delivery_at(settings.landing, part, day) is None]
    message = f"still lacking on {day}: {', '.join(lacking)}" if lacking else "nothing is lacking"
    return _check(COMPLETE, len(lacking), records, message)


def _check(name: str, broken: int, rows: int, message: str) -> Check:
    _, on_fail, description = next(check for check in CHECKS if check[0] == name)
    return Check(name, on_fail, description, broken, rows, message)  # type: ignore[arg-type]


def _quarantined(table: Table, item: Inspected, outcome: Outcome) -> list[quarantine.Refused]:
    refusals = item.refusals
    if outcome.held_back and not refusals:  # for its columns, which are those of all its files
        header = item.files[0].header_line
        reason = outcome.held_back.removesuffix(f"; {_WHEN_REFUSED}")
        refusals = [(item.delivery.files[0].name, Refusal(NO_DRIFT, reason, _WHEN_REFUSED, raw=header))]
    return [
        quarantine.Refused(
            table_name=table.name,
            delivery_date=item.delivery.date,
            source_file=name,
            record_number=refusal.record,
            line_number=refusal.line,
            raw=refusal.raw,
            rules=(refusal.rule,),
            reasons=(refusal.reason,),
            hints=(refusal.hint,),
        )
        for name, refusal in refusals[:MOST_REFUSALS]
    ]


def _entry(item: Inspected, source: Source, outcome: Outcome, run_id: str) -> ledger.Entry:
    return ledger.Entry(
        feed=source.feed,
        source=source.name,
        delivery_date=item.delivery.date,
        fingerprint=item.delivery.fingerprint,
        status="refused" if outcome.held_back else "accepted",
        reason=outcome.held_back,
        files=len(item.files),
        bytes=sum(file.size for file in item.delivery.files),
        records=item.records,
        run_id=run_id,
    )
