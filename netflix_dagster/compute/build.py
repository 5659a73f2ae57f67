"""Build one table for some deliveries: read, run the table's function, judge, write.

Judging comes before writing. A delivery that breaks a blocking rule leaves the table as it was; the others of the
same call are written. Building again is always safe, and ends in the same rows.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netflix_dagster.compute import ingest
from netflix_dagster.compute.report import Check, Outcome, Report
from netflix_dagster.lake import carry, decisions, engines, expectations, ledger, quarantine, store
from netflix_dagster.lake.contract import TABLES, Table
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

    started = time.perf_counter()
    table = TABLES[name]
    if table.layer == "bronze":
        outcomes = ingest.ingest(table, deliveries, settings, run_id)
    else:
        outcomes = _transform(table, deliveries, settings, run_id)
    report = Report(name, tuple(deliveries), outcomes)
    report.version = store.version(settings.lake, name)
    report.total_rows = store.row_count(settings.lake, name)
    report.preview = _preview(settings, table)
    report.seconds = time.perf_counter() - started
    log.info("built %s in %.2f s", name, report.seconds, extra={"report": report})
    if all(report.outcome(day).held_back for day in deliveries or [""]):
        raise Blocked(report)
    return report


def _transform(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> dict[str | None, Outcome]:
    spark = engines.session(settings.engine)
    lake, only, before, note = settings.lake, None, [], None
    if table.per_delivery:
        only = list(deliveries)
    elif table.carried_on:
        going_on = carry.plan(lake, table)
        only, note = going_on.deliveries, going_on.note
        before = [spark.createDataFrame([], store.ddl(table)) if going_on.anew else store.read(spark, lake, table)]
    decided = [decisions.read(spark, lake, table.name)] if table.write == "verdicts" else []
    inputs = [store.read(spark, lake, TABLES[read], only) for read in table.reads]
    built = table.function(*before, *inputs, *decided)
    with store.staged(expectations.annotate(built, table), lake, table) as annotated:
        judged, tallies = expectations.judge(annotated, table)
        return _commit(judged, tallies, table, deliveries, settings, run_id, note)


def _commit(
    judged: DataFrame,
    tallies: Mapping[str | None, expectations.Tally],
    table: Table,
    deliveries: Sequence[str],
    settings: Settings,
    run_id: str,
    note: str | None,
) -> dict[str | None, Outcome]:
    outcomes = {day: _outcome(found, table) for day, found in tallies.items()}
    if table.judged_by_delivery:
        for day in deliveries:
            outcomes.setdefault(day, _outcome(expectations.Tally(0, 0, 0, 0, {}), table))
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
    return outcomes


def _outcome(found: expectations.Tally, table: Table) -> Outcome:
    outcome = Outcome(found.kept, found.refused, found.copies, delivered=found.rows > 0)
    for rule in expectations.all_rules(table):
        broken = found.broken.get(rule.name, 0)
        said = found.because.get(rule.name) or f"{broken} of {found.rows} rows break it"
        message = f"{said}; {rule.hint}" if broken else f"{found.rows} rows keep it"
        outcome.checks.append(Check(rule.name, rule.on_fail, rule.description, broken, found.rows, message))
    if found.rows:
        outcome.held_back = expectations.blocking_reason(found, table)
    if outcome.held_back:
        outcome.rows = 0
    return outcome


def _keep_refused(
    judged: DataFrame, table: Table, outcomes: dict[str | None, Outcome], settings: Settings, run_id: str
) -> None:
    if not table.per_delivery:
        return
    rows: list[quarantine.Refused] = []
    if any(outcome.quarantined for outcome in outcomes.values()):
        rows = _refused_rows(expectations.refused(judged, table), table)
    quarantine.replace(settings.lake, table.name, [str(day) for day in outcomes], rows, run_id)


def _refused_rows(refused: DataFrame, table: Table) -> list[quarantine.Refused]:
    rules = {rule.name: rule for rule in expectations.all_rules(table) if rule.on_fail == "drop"}
    found = []
    for row in refused.select(*table.column_names, expectations.BROKEN).toArrow().to_pylist():
        broken = [name for name in row.pop(expectations.BROKEN) if name in rules]
        found.append(
            quarantine.Refused(
                table_name=table.name,
                delivery_date=str(row["delivery_date"]),
                source_file=row.get("source_file"),
                record_number=row.get("record_number"),
                line_number=None,
                raw=json.dumps(row, ensure_ascii=False, default=str),
                rules=tuple(broken),
                reasons=tuple(rules[name].description for name in broken),
                hints=tuple(rules[name].hint for name in broken),
            )
        )
    return found


def _preview(settings: Settings, table: Table) -> list[dict[str, Any]]:
    rows = store.read_arrow(settings.lake, table.name, first=PREVIEW_ROWS)
    return rows.to_pylist() if rows is not None else []
