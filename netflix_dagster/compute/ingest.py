"""Landing to bronze: judge the files of each delivery, take the good deliveries, refuse the others whole.

The door is strict: one file that cannot be read, or one record that does not fit its header, and the delivery is
held back with every fault in the quarantine. What the table held of that date before stays.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from netflix_dagster.compute.report import Check, Outcome
from netflix_dagster.lake import engines, ledger, quarantine, store
from netflix_dagster.lake.contract import Table
from netflix_dagster.lake.parsing import ParsedFile, Refusal, parse_file
from netflix_dagster.landing.deliveries import Delivery, LandedFile, delivery_at
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster.settings import Settings

READABLE, KNOWN_COLUMNS, COMPLETE = "readable", "known_columns", "delivery_complete"
CHECKS: tuple[tuple[str, str, str], ...] = (
    (READABLE, "fail", "every file can be read, and every record fits its header"),
    (KNOWN_COLUMNS, "warn", "the columns are those that sources.yaml names"),
    (COMPLETE, "warn", "every file of a split delivery has arrived"),
)
MOST_REFUSALS = 1000


@dataclass(frozen=True, slots=True)
class Inspected:
    """A delivery and what its files turned out to be."""

    delivery: Delivery
    files: tuple[ParsedFile, ...]

    @property
    def refusals(self) -> list[tuple[str, Refusal]]:
        return [(os.path.basename(file.path), refusal) for file in self.files for refusal in file.refusals]

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)


def inspect(delivery: Delivery, source: Source) -> Inspected:
    """Read every file of a delivery and judge it. Its rows are not kept: a hundred deliveries may be asked for."""
    return Inspected(delivery, tuple(replace(_parse(file, source), rows=()) for file in delivery.files))


def _parse(file: LandedFile, source: Source) -> ParsedFile:
    if file.problem:
        hint = "put a readable file in its place"
        return ParsedFile(file.path, "", refusals=(Refusal(READABLE, f"{file.name} {file.problem}", hint),))
    return parse_file(file.path, source)


def ingest(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> dict[str | None, Outcome]:
    """Build a bronze table for some deliveries, as they lie in the landing folder now."""
    sources = load_sources(settings.sources)
    source = sources.sources[table.short_name]
    found = {day: delivery_at(settings.landing, source, day) for day in deliveries}
    inspected = {day: inspect(delivery, source) for day, delivery in found.items() if delivery}
    outcomes: dict[str | None, Outcome] = {}
    for day in deliveries:
        outcomes[day] = _outcome(inspected.get(day), source, sources, day, settings)
    accepted = [day for day in inspected if not outcomes[day].held_back]
    if accepted:
        _write(table, [inspected[day] for day in accepted], settings, run_id)
    refused = [row for day in inspected for row in _quarantined(table, inspected[day])]
    quarantine.replace(settings.lake, table.name, list(inspected), refused, run_id)
    ledger.record(settings.lake, [_entry(item, source, outcomes[day], run_id) for day, item in inspected.items()])
    return outcomes


def _write(table: Table, accepted: list[Inspected], settings: Settings, run_id: str) -> None:
    spark = engines.session(settings.engine)
    now = datetime.now(UTC).replace(tzinfo=None)
    files = [
        (file.path, date.fromisoformat(item.delivery.date), file.hash, now, run_id)
        for item in accepted
        for file in item.files
    ]
    from netflix_dagster.tables.bronze import FILES

    rows = table.function(spark.createDataFrame(files, FILES))
    store.write(rows, settings.lake, table, [item.delivery.date for item in accepted])


def _outcome(item: Inspected | None, source: Source, sources: Sources, day: str, settings: Settings) -> Outcome:
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
    outcome.checks = [
        _check(READABLE, len(refusals), item.records, outcome.held_back or f"{item.records} records read"),
        _columns_check(item),
        _complete_check(source, sources, day, settings, item.records),
    ]
    return outcome


def _columns_check(item: Inspected) -> Check:
    unknown = sorted({name for file in item.files for name in file.unknown_columns})
    absent = sorted({name for file in item.files for name in file.absent_columns})
    said = [f"kept in rescued_data: {', '.join(unknown)}"] if unknown else []
    said += [f"not delivered: {', '.join(absent)}"] if absent else []
    message = "; ".join(said) or "the columns are as expected"
    return _check(KNOWN_COLUMNS, len(unknown), item.records, message)


def _complete_check(source: Source, sources: Sources, day: str, settings: Settings, records: int) -> Check:
    parts = [s for s in sources.of_feed(source.feed) if s.form == "split"] if source.form == "split" else []
    lacking = [part.name for part in parts if delivery_at(settings.landing, part, day) is None]
    message = f"still lacking on {day}: {', '.join(lacking)}" if lacking else "nothing is lacking"
    return _check(COMPLETE, len(lacking), records, message)


def _check(name: str, broken: int, rows: int, message: str) -> Check:
    _, on_fail, description = next(check for check in CHECKS if check[0] == name)
    return Check(name, on_fail, description, broken, rows, message)  # type: ignore[arg-type]


def _quarantined(table: Table, item: Inspected) -> list[quarantine.Refused]:
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
        for name, refusal in item.refusals[:MOST_REFUSALS]
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
