"""Rows are judged aside; from what is counted follow the checks of each delivery, and whether it is held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netflix_dagster.build import conservation
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import Table
from netflix_dagster.contracts.expectations import ALIKE, BROKEN, KEY
from netflix_dagster.contracts.report import Check, Outcome
from netflix_dagster.contracts.tallies import Tally
from netflix_dagster.lake import store
from netflix_dagster.lake.staging import Staged, staged
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

Measured = Mapping[str, Mapping[str, Any]]
"""What rules about deliveries have measured, by rule and delivery date."""
NOTHING: Measured = MappingProxyType({})


def judge(
    annotated: DataFrame, table: Table, lake: Place, aside: ExitStack, goes: Sequence[Column] = ()
) -> tuple[Staged, dict[str | None, Tally]]:
    """The annotated rows, settled, identified and kept aside until ``aside`` ends, and their tally. They are computed
    in some ``goes``, see ``staged``.

    Most deliveries contest no key, and most tables tell their rows apart by it: then the engine computes them once.
    """
    with ExitStack() as only_here:
        rows = only_here.enter_context(staged(annotated, lake, table.name, goes))
        found, claimed_twice = _counted(rows, table)
        if table.per_delivery and (claimed_twice != [] or table.identify):
            shared = tallies.shared(rows.batches([ALIKE])) if table.identify else None
            settled = expectations.settle(rows.frame, table, claimed_twice, shared)
            rows = aside.enter_context(staged(settled, lake, table.name))
            found, _ = _counted(rows, table)
        else:
            aside.enter_context(only_here.pop_all())
    measured = expectations.measure(rows.frame, table) if table.delivery_rules else {}
    return rows, tallies.with_measures(found, measured)


def _counted(rows: Staged, table: Table) -> tuple[dict[str | None, Tally], list[int] | None]:
    """The tallies of rows that lie aside, and the hashes of the keys that several rows claim: None when they are too
    many to be brought here, and the engine is to look for them itself."""
    import pyarrow.compute as pc

    if rows.count() > store.FEW_ROWS:
        found = tallies.by_engine(rows.frame, table)
        return found, None if any(tally.contested for tally in found.values()) else []
    at_hand = rows.rows(tallies.columns_of(table))
    found = tallies.tally(at_hand, table)
    contested = any(tally.contested for tally in found.values())
    claimed_twice = tallies.claimed_twice(at_hand, table) if contested else []
    if claimed_twice and not table.per_delivery:
        alike = rows.rows(
            [*dict.fromkeys((*table.delivery_columns, *table.key))],
            pc.field(KEY).isin(claimed_twice) & tallies.stay(table),
        )
        found = tallies.recounted(found, alike, table)
    return found, claimed_twice


def outcomes_of(
    judged: Staged,
    found: Mapping[str | None, Tally],
    table: Table,
    deliveries: Sequence[str],
    known: Measured = NOTHING,
) -> dict[str | None, Outcome]:
    """The outcome of every delivery, from what was counted: its checks with some rows, and whether it is held back.

    ``known`` is what its rules have measured of the deliveries that stand, with which these are compared.
    """
    import pyarrow.compute as pc

    samples = {}
    if any(any(tally.broken.values()) for tally in found.values()):
        shown = tallies.shown_columns(table, judged.column_names)
        samples = tallies.samples(judged.batches(shown, pc.field(BROKEN) != 0), table)
    wrong = _wrong_deliveries(found, table, known)
    outcomes = {day: _outcome(day, tally, table, samples, wrong) for day, tally in found.items()}
    if table.judged_by_delivery:
        for day in deliveries:
            outcomes.setdefault(day, Outcome(delivered=False))
    return outcomes


def note_conserved(outcomes: dict[str | None, Outcome], proofs: Mapping[str, conservation.Proof], table: Table) -> None:
    """Add to each outcome whether rows are conserved; a delivery of which they are not is held back."""
    described = conservation.described(table) or ""
    for day, proof in proofs.items():
        outcome = outcomes.setdefault(day, Outcome())
        check = Check(conservation.RULE, "fail", described, proof.wrong, proof.rows, proof.said)
        outcome.checks.append(check)
        if proof.wrong:
            outcome.rows, outcome.delivered = 0, True
            outcome.held_back = outcome.held_back or f"{conservation.RULE}: {proof.said}"


def _wrong_deliveries(
    found: Mapping[str | None, Tally], table: Table, known: Measured
) -> dict[tuple[str | None, str], str]:
    """What is wrong with deliveries as a whole, by delivery and rule. Each is compared with the one before it that is
    not held: here, or by whatever has judged it earlier."""
    before = {name: dict(measured) for name, measured in known.items()}
    wrong: dict[tuple[str | None, str], str] = {}
    for day, tally in sorted(found.items(), key=lambda tallied: str(tallied[0])) if table.delivery_rules else ():
        held = tallies.blocking_reason(tally, table) is not None
        for rule in table.delivery_rules:
            earlier = [other for other in before.get(rule.name, {}) if other < str(day)]
            if said := rule.wrong(tally.measured[rule.name], before[rule.name][max(earlier)] if earlier else None):
                wrong[day, rule.name] = said
                held = held or rule.blocking
        for name, measured in tally.measured.items() if not held else ():
            before.setdefault(name, {})[str(day)] = measured
    return wrong


def _outcome(
    day: str | None,
    found: Tally,
    table: Table,
    samples: Mapping[tuple[str | None, str], list[dict[str, Any]]],
    wrong: Mapping[tuple[str | None, str], str],
) -> Outcome:
    outcome = Outcome(found.kept, found.refused, found.copies)
    for rule in expectations.all_rules(table):
        broken = found.broken.get(rule.name, 0)
        said = found.because.get(rule.name) or f"{broken} of {found.rows} rows break it"
        message = f"{said}; {rule.hint}" if broken else f"{found.rows} rows keep it"
        check = Check(rule.name, rule.on_fail, rule.description, broken, found.rows, message)
        check.samples.extend(samples.get((day, rule.name), ()))
        outcome.checks.append(check)
    outcome.held_back = tallies.blocking_reason(found, table)
    for about in table.delivery_rules:
        said = wrong.get((day, about.name), "")
        message = f"{said}; {about.hint}" if said else "the delivery keeps it"
        measured = found.measured[about.name]
        check = Check(about.name, about.on_fail, about.description, int(bool(said)), 1, message, measured=measured)
        outcome.checks.append(check)
        if said and about.blocking:
            outcome.held_back = outcome.held_back or f"{about.name}: {message}"
    if outcome.held_back:
        outcome.rows = 0
    return outcome
