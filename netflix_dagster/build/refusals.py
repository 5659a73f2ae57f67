"""Rows that the rules of a table refuse, as rows of the quarantine: with the record that each was delivered as."""

from __future__ import annotations

import json
from collections.abc import Mapping

from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import Table
from netflix_dagster.contracts.expectations import BROKEN, COPY
from netflix_dagster.contracts.report import Outcome
from netflix_dagster.deliveries import attempts, provenance, quarantine
from netflix_dagster.deliveries.refused import capped, counted
from netflix_dagster.lake.staging import Staged
from netflix_dagster.landing.keys import of_row
from netflix_dagster.landing.sources import Sources
from netflix_dagster.storage import Place


def refused_rows(
    judged: Staged,
    table: Table,
    outcomes: Mapping[str | None, Outcome],
    lake: Place,
    sources: Sources,
    picked: Mapping[str, attempts.Picked],
) -> list[quarantine.Refused]:
    """The refused rows of a table; ``picked`` are the attempts of its bronze tables that they were made from."""
    if not any(outcome.quarantined for outcome in outcomes.values()):
        return []
    import pyarrow as pa
    import pyarrow.compute as pc

    rules = {rule.name: rule for rule in expectations.all_rules(table) if rule.on_fail == "drop"}
    here = ~tallies.stay(table) & ~pc.field(COPY)
    kept: pa.Table | None = None
    for batch in judged.batches([*table.column_names, BROKEN], here):  # what is capped can be capped again
        refused = pa.Table.from_batches([batch])
        refused = refused.set_column(refused.num_columns - 1, BROKEN, tallies.broken_rules(refused, table))
        refused = counted(refused)  # as what is kept of the batches before
        kept = capped(refused if kept is None else pa.concat_tables([kept, refused]), rules=BROKEN)
    rows = kept.to_pylist() if kept is not None else []
    records = provenance.behind(lake, sources, table, rows, picked)
    found = []
    for row, record in zip(rows, records, strict=True):
        stands_for, broken = row.pop("refused_rows"), [name for name in row.pop(BROKEN) if name in rules]
        found.append(
            quarantine.Refused(
                table_name=table.name,
                delivery_date=of_row(row),
                source_file=row.get("source_file"),
                record_number=row.get("record_number"),
                line_number=record.line,
                raw=record.raw,
                rules=tuple(broken),
                reasons=tuple(rules[name].description for name in broken),
                hints=tuple(rules[name].hint for name in broken),
                source=record.source,
                row=json.dumps(row, ensure_ascii=False, default=str),
                refused_rows=stands_for,
            )
        )
    return found
