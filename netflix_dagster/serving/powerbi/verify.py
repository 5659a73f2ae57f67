"""Whether the model in a workspace says what the lake says: every measure, where nothing is filtered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.serving import metric_sql
from netflix_dagster.serving.powerbi import dax, model

if TYPE_CHECKING:
    from netflix_dagster.serving.powerbi.service import Workspace
    from netflix_dagster.storage import Place


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric there and here; None: it is absent."""

    metric: str
    there: float | None
    here: float | None

    @property
    def equal(self) -> bool:
        if self.there is None or self.here is None:
            return self.there is self.here
        return math.isclose(self.there, self.here, rel_tol=1e-9, abs_tol=1e-12)


def compared(workspace: Workspace, lake: Place) -> list[Compared]:
    """Every metric whose fact is built. Raises ``PowerBIError`` when the workspace does not answer.

    Metrics differ while gold is newer than the last refresh.
    """
    from netflix_dagster.lake import query, store

    known = [metric for metric in METRICS.values() if store.exists(lake, metric.fact)]
    asked = ", ".join(f'"{metric.name}", [{dax.name(metric)}]' for metric in known)
    (there,) = workspace.evaluate(workspace.model_id(model.NAME), f"EVALUATE ROW({asked})")
    connection = query.connect(lake, only={metric.fact for metric in known})
    found = []
    for metric in known:
        rows = connection.execute(metric_sql.statement(metric)).fetchall()
        found.append(Compared(metric.name, there[f"[{metric.name}]"], rows[0][0] if rows else None))
    return found
