"""One table: the rows of some deliveries put in their place, or the whole of it built from what stands.

Judging comes before writing. A whole table that breaks a blocking rule stays as it was. Building again is always safe,
and ends in the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial, reduce
from math import ceil
from typing import TYPE_CHECKING, Any

from netflix_dagster.build import judgement
from netflix_dagster.build.gates import Rows, Trial
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import TABLES, GoesOn, Table
from netflix_dagster.contracts.report import Check, Outcome
from netflix_dagster.engine import sessions
from netflix_dagster.lake import incremental, parts, store
from netflix_dagster.lake.staging import staged
from netflix_dagster.landing import keys
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PREVIEW_ROWS = 5
ROWS_A_MEGABYTE = 500
"""So many rows of the largest table that is read are worked on at once for each megabyte that a process may take."""


def publish(table: Table, trial: Trial, settings: Settings) -> list[str]:
    """Write what is to stand of each date that has changed or was built again; returns these dates.

    A date of which nothing stands any more leaves the table. One commit: whole or not at all.
    """
    dates = trial.to_write(table.name)
    if dates:
        put_in_place(table, trial, dates, settings)
    return dates


def put_in_place(table: Table, trial: Trial, dates: Sequence[str], settings: Settings) -> None:
    """Write what is to stand of some dates."""
    _put(trial.to_stand(table.name, dates), settings, dates)


def publish_verdicts(table: Table, trial: Trial, settings: Settings) -> bool:
    """Write what a gate says of every delivery; False when it was not asked."""
    rows = trial.verdicts.get(table.name)
    if rows is None:
        return False
    _put(rows, settings)
    return True


def _put(
    rows: Rows,
    settings: Settings,
    dates: Sequence[str] = (),
    note: str | None = None,
    replacing: str | None = None,
) -> None:
    """Write rows in one commit: few from here, many by the engine."""
    if rows.few:
        store.write_batches(rows.batches, settings.lake, rows.table, dates, note, replacing)
    else:
        store.write(rows.frame(), settings.lake, rows.table, dates, note, replacing)


def build_whole(table: Table, settings: Settings) -> Outcome:
    """Build a table that is a function of all deliveries that stand."""
    lake, note, replacing = settings.lake, None, None
    with ExitStack() as aside:
        if table.is_incremental:
            plan = incremental.plan(lake, table)
            note = plan.note
            reads, built = _added(table, plan, settings, aside)
        elif table.part is not None:
            changed = parts.plan(lake, table)
            if changed.nothing:
                return Outcome(delivered=False)
            note, replacing = changed.note, None if changed.anew else changed.parts.condition
            reads, built = _in_parts(table, changed, settings, aside)
        elif table.goes_on:
            plan = incremental.plan(lake, table)
            note = plan.note
            reads, built, replacing = _gone_on(table, table.goes_on, plan, settings)
        else:
            reads = _reads(table, settings)
            built = table.function(*reads.values())
        annotated = expectations.annotate(built, table, reads)
        judged, counted = judgement.judge(annotated, table, lake, aside, _goes(table, settings))
        outcome = judgement.outcomes_of(judged, counted, table, ())[None]
        if not outcome.held_back:
            names, here = table.column_names, tallies.stay(table)
            rows = partial(judged.batches, names, here)
            kept = Rows(table, judged.count() <= store.FEW_ROWS, rows, lambda: expectations.kept(judged.frame, table))
            _put(kept, settings, (), note, replacing)
            outcome.written = True
    return outcome


def _goes(table: Table, settings: Settings) -> list[Column]:
    """The conditions that divide the rows of a table among so many goes that each fits the memory of the settings."""
    if table.divided_by is None or settings.memory is None or settings.engine != "sail":
        return []
    from pyspark.sql import functions as F

    rows = max(store.row_count(settings.lake, read) for read in table.reads)
    goes = ceil(rows / (settings.memory * ROWS_A_MEGABYTE))
    nth = F.pmod(F.xxhash64(table.divided_by), F.lit(goes))
    return [nth == n for n in range(goes)] if goes > 1 else []


def _reads(table: Table, settings: Settings, deliveries: Sequence[str] | None = None) -> dict[str, DataFrame]:
    spark = sessions.session(settings)
    return {read: store.read(spark, settings.lake, TABLES[read], deliveries) for read in table.reads}


def _gone_on(
    table: Table, goes_on: GoesOn, plan: incremental.Plan, settings: Settings
) -> tuple[dict[str, DataFrame], DataFrame, str | None]:
    """What a table that goes on reads, what is to be written, and which rows that replaces; None: the whole table."""
    if plan.since is None:
        reads = _reads(table, settings)
        return reads, table.function(*reads.values()), None
    reads = _reads(table, settings, [*plan.sees, *plan.deliveries])
    since = keys.parts(plan.since)[0]
    new = {name: f"{column} >= DATE'{since}'" for name, column in goes_on.narrowed.items()}
    built = table.function(*(frame.where(new[name]) if name in new else frame for name, frame in reads.items()))
    if goes_on.merge is None:
        replacing = store.slices_since(table, plan.since)
        return reads, built.where(replacing), replacing
    stands = store.read(sessions.session(settings), settings.lake, table)
    return reads, goes_on.merge(stands, built, since, *reads.values()), None


def _added(
    table: Table, plan: incremental.Plan, settings: Settings, aside: ExitStack
) -> tuple[dict[str, DataFrame], DataFrame]:
    """What the table comes to when deliveries are added to it, and what the last step reads; each step before lies
    aside."""
    spark, lake = sessions.session(settings), settings.lake
    so_far = store.nothing(spark, table) if plan.anew else store.read(spark, lake, table)
    *steps, last = plan.steps(lake, table)
    for step in steps:
        grown = table.function(so_far, *_reads(table, settings, step).values()).select(*table.column_names)
        so_far = aside.enter_context(staged(grown, lake, table.name)).frame
    reads = _reads(table, settings, last)
    return reads, table.function(so_far, *reads.values())


def _in_parts(
    table: Table, changed: parts.Plan, settings: Settings, aside: ExitStack
) -> tuple[dict[str, DataFrame], DataFrame]:
    """The rows of the parts that have changed, and what the last step reads; each step before lies aside."""
    spark, lake = sessions.session(settings), settings.lake

    def read(name: str, step: parts.Step) -> DataFrame:
        mine = step.parts if table.part in TABLES[name].column_names else None
        return store.read(spark, lake, TABLES[name], step.deliveries.get(name), mine)

    *steps, last = changed.steps(lake)
    done: list[DataFrame] = []
    for step in steps:
        rows = table.function(*(read(name, step) for name in table.reads)).select(*table.column_names)
        done.append(aside.enter_context(staged(rows, lake, table.name)).frame)
    reads = {name: read(name, last) for name in table.reads}
    rows = table.function(*reads.values()).select(*table.column_names)
    return reads, reduce(lambda one, other: one.unionByName(other), [*done, rows])


def preview(table: Table, deliveries: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Some rows, of the newest of the deliveries where each has files of its own: the others need not be opened."""
    newest = [max(deliveries)] if table.per_delivery and deliveries else None
    rows = store.read_arrow(settings.lake, table.name, first=PREVIEW_ROWS, deliveries=newest)
    return rows.to_pylist() if rows is not None else []


def checks_of(outcomes: Mapping[str | None, Outcome]) -> dict[str | None, list[Check]]:
    """The checks of each outcome, for the history of the rules."""
    return {day: outcome.checks for day, outcome in outcomes.items() if outcome.checks}
