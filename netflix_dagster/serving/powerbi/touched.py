"""What a refresh has to load: the tables, and the years of facts, that differ from what was loaded last.

Rows are compared, not deliveries: whatever changed gold (a delivery, a restatement of an old week, a repair) and
however often a refresh has failed since, the next one loads just what differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.serving.powerbi import model, source, tmdl

if TYPE_CHECKING:
    from netflix_dagster.storage import Place

Contents = Mapping[str, Mapping[str, str]]
"""By table and year what its rows come to, and how they are loaded: a table that is loaded otherwise is loaded anew. A
table that is refreshed as a whole has one entry, ``ALL``."""
ALL = "all"


@dataclass(frozen=True, slots=True)
class Load:
    """One refresh: tables as a whole, or the partition of a year. With ``policy`` Power BI makes the partitions of the
    years first, and loads those that it makes."""

    objects: tuple[tuple[str, str | None], ...]
    policy: bool

    def as_json(self) -> dict[str, Any]:
        """The body of the request."""
        objects = [{"table": table, **({"partition": year} if year else {})} for table, year in self.objects]
        return {
            "type": "full",
            "commitMode": "transactional",
            "applyRefreshPolicy": self.policy,
            "objects": objects,
        }


def contents(lake: Place, today: date | None = None) -> dict[str, dict[str, str]]:
    """What the rows of each table of the model come to, as gold stands now. A table that is not built yet is absent,
    and so are years that the model does not keep."""
    oldest = (today or datetime.now(UTC).date()).year - tmdl.YEARS
    from netflix_dagster.lake import query, store

    known = [table for table in model.tables() if store.exists(lake, table.contract.name)]
    connection = query.connect(lake, None, None, [table.contract.name for table in known])
    found = {}
    for table in known:
        own = ", ".join(column.of.name for column in table.columns if column.of.name in table.contract.column_names)
        year = f"CAST(YEAR({table.range}) AS VARCHAR)" if table.range else f"'{ALL}'"
        kept = f" WHERE YEAR({table.range}) > {oldest}" if table.range else ""
        how = hashlib.sha256(source.query(table.contract, "databricks").encode()).hexdigest()[:8]
        come_to = f"SELECT {year}, '{how} ' || COUNT(*) || ' ' || SUM(HASH({own})) FROM {table.contract.name}"
        rows = connection.execute(f"{come_to}{kept} GROUP BY 1 ORDER BY 1").fetchall()
        found[table.name] = dict(rows)
    return found


def plan(before: Contents | None, now: Contents) -> list[Load]:
    """The refreshes that bring the model from what it was loaded with to what gold holds. ``before`` None: nothing."""
    whole: list[tuple[str, str | None]] = []
    unknown: list[tuple[str, str | None]] = []
    years: list[tuple[str, str | None]] = []
    ranged = {table.name for table in model.tables() if table.range}
    for table, rows in now.items():
        loaded = (before or {}).get(table, {})
        changed = sorted(part for part in loaded.keys() | rows.keys() if loaded.get(part) != rows.get(part))
        if table not in ranged:
            whole += [(table, None)] if changed or before is None else []
            continue
        if before is None or rows.keys() - loaded.keys():
            unknown.append((table, None))
        years += [(table, year) for year in changed if table in (before or {})]
    if unknown:
        partitions = [Load(tuple(years), policy=False)] if years else []
        return [Load((*whole, *unknown), policy=True), *partitions]
    return [Load((*whole, *years), policy=False)] if whole or years else []
