"""Build one table for some deliveries: read, run the table's function, judge, write.

Judging comes before writing. A delivery that breaks a blocking rule leaves the table as it was; the others of the
same call are written. Building again is always safe, and ends in the same rows.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure import access, outage
from netflix_dagster.build import conservation, door, telemetry
from netflix_dagster.build.judgement import note_conserved, told
from netflix_dagster.contracts import expectations
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.report import Outcome, Report
from netflix_dagster.deliveries import decisions, ledger, provenance, quarantine, results
from netflix_dagster.engine import sessions
from netflix_dagster.lake import incremental, store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger("netflix_dagster.build")
PREVIEW_ROWS = 5


class Blocked(Exception):
    """Nothing was written: every delivery that was asked for is held back. Carries the report."""

    def __init__(self, report: Report) -> None:
        self.report = report
        reasons = [f"{report.table} of {day}: {why}" for day, why in report.held_back.items()]
        if not reasons:
            reasons = [f"{report.table}: {o.held_back}" for o in report.outcomes.values() if o.held_back]
        super().__init__("; ".join(reasons))


def build(name: str, deliveries: Sequence[str], settings: Settings, run_id: str = "") -> Report:
    """Build the table ``<layer>.<name>`` for these deliveries and say what it came to.

    Raises ``Blocked`` when every one of them is held back; the table is then as it was.
    """
    import netflix_dagster.tables  # noqa: F401  declares the tables

    table = TABLES[name]
    with telemetry.building(table, deliveries, settings, run_id) as tell:
        report = _outlasting(table, deliveries, settings, run_id)
        tell(report)
    if report.blocked:
        raise Blocked(report)
    return report


def _outlasting(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> Report:
    """Build, again and again while a storage account is in trouble; what lies on this machine has no such trouble."""
    if isinstance(settings.lake, Path) and isinstance(settings.landing, Path):
        return _build(table, deliveries, settings, run_id)
    days = sorted(deliveries)
    of = f" of {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else ""
    return outage.outlast(lambda: _build(table, deliveries, settings, run_id), f"{table.name}{of}")


@access.guarded()
def _build(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> Report:
    started, name = time.perf_counter(), table.name
    if table.layer == "bronze":
        outcomes = door.ingest(table, deliveries, settings, run_id)
        read = {str(day): o.rows for day, o in outcomes.items() if o.delivered and not o.held_back}
        note_conserved(outcomes, conservation.prove_bronze(settings.lake, table, read), table)
    else:
        outcomes = _transform(table, deliveries, settings, run_id)
    results.record(settings.lake, name, {day: outcome.checks for day, outcome in outcomes.items()}, run_id)
    report = Report(name, tuple(deliveries), outcomes)
    report.version, report.total_rows = store.standing(settings.lake, name)
    report.preview = _preview(settings, table, deliveries)
    report.seconds = time.perf_counter() - started
    log.info("built %s in %.2f s", name, report.seconds, extra={"report": report})
    return report


def _transform(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> dict[str | None, Outcome]:
    spark = sessions.session(settings.engine)
    lake, only, before, note = settings.lake, None, [], None
    if table.per_delivery:
        only = list(deliveries)
    elif table.carried_on:
        going_on = incremental.plan(lake, table)
        only, note = going_on.deliveries, going_on.note
        before = [spark.createDataFrame([], store.ddl(table)) if going_on.anew else store.read(spark, lake, table)]
    decided = [decisions.read(spark, lake, table.name)] if table.write == "verdicts" else []
    reads = {read: store.read(spark, lake, TABLES[read], only) for read in table.reads}
    built = table.function(*before, *reads.values(), *decided)
    with store.staged(expectations.annotate(built, table, reads), lake, table) as annotated:
        judged, tallies = expectations.judge(annotated, table)
        outcomes = told(judged, tallies, table, deliveries, lake)
        note_conserved(outcomes, conservation.prove(lake, table, annotated, tallies, deliveries), table)
        _commit(judged, outcomes, table, settings, run_id, note)
    return outcomes


def _commit(
    judged: DataFrame,
    outcomes: dict[str | None, Outcome],
    table: Table,
    settings: Settings,
    run_id: str,
    note: str | None,
) -> None:
    _keep_refused(judged, table, outcomes, settings, run_id)
    rows = expectations.kept(judged, table)
    written = [day for day, outcome in outcomes.items() if not outcome.held_back or table.write == "verdicts"]
    if written:
        if len(written) < len(outcomes):
            rows = rows.where(store.delivery_condition(str(day) for day in written))
        store.write(rows, settings.lake, table, [str(day) for day in written], note)
    if table.judged_by_delivery and table.feed:
        verdicts = {str(day): outcome.held_back for day, outcome in outcomes.items()}
        ledger.judge(settings.lake, table.feed, table.name, verdicts, run_id)


def _keep_refused(
    judged: DataFrame, table: Table, outcomes: dict[str | None, Outcome], settings: Settings, run_id: str
) -> None:
    if not table.per_delivery:
        return
    rows: list[quarantine.Refused] = []
    if any(outcome.quarantined for outcome in outcomes.values()):
        rows = _refused_rows(expectations.refused(judged, table), table, settings)
    quarantine.replace(settings.lake, table.name, [str(day) for day in outcomes], rows, run_id)


def _refused_rows(refused: DataFrame, table: Table, settings: Settings) -> list[quarantine.Refused]:
    rules = {rule.name: rule for rule in expectations.all_rules(table) if rule.on_fail == "drop"}
    found = []
    rows = refused.select(*table.column_names, expectations.BROKEN).toArrow().to_pylist()
    records = provenance.behind(settings.lake, load_sources(settings.sources), table, rows)
    for row, record in zip(rows, records, strict=True):
        broken = [name for name in row.pop(expectations.BROKEN) if name in rules]
        found.append(
            quarantine.Refused(
                table_name=table.name,
                delivery_date=str(row["delivery_date"]),
                source_file=row.get("source_file"),
                record_number=row.get("record_number"),
                line_number=record.line,
                raw=record.raw,
                rules=tuple(broken),
                reasons=tuple(rules[name].description for name in broken),
                hints=tuple(rules[name].hint for name in broken),
                source=record.source,
                row=json.dumps(row, ensure_ascii=False, default=str),
            )
        )
    return found


def _preview(settings: Settings, table: Table, deliveries: Sequence[str]) -> list[dict[str, Any]]:
    """Some rows, of the newest of the deliveries where each has files of its own: the others need not be opened."""
    import pyarrow.compute as pc

    newest = date.fromisoformat(max(deliveries)) if table.per_delivery and deliveries else None
    where = pc.field("delivery_date") == newest if newest else None
    rows = store.read_arrow(settings.lake, table.name, first=PREVIEW_ROWS, where=where)
    return rows.to_pylist() if rows is not None else []
