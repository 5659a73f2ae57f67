"""Why a run failed, in the words of its first step that did."""

from __future__ import annotations

import dagster as dg


def why_failed(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """What the first failed step of a run said; None when no step failed, as when the process was lost."""
    found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1, ascending=True)
    for record in found.records:
        event = record.event_log_entry.dagster_event
        data = event.step_failure_data if event else None
        said = data.user_failure_data.description if data and data.user_failure_data else None
        error = data.error.cause or data.error if data and data.error else None
        return said or (error.message.strip() if error else "a step failed")
    return None
