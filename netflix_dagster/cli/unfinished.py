"""Deliveries that were accepted and whose chain never reached the end: killed, crashed, or built in part."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING

from netflix_dagster.deliveries.ledger import Entry

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance


def held_back(step_failure: DagsterEvent) -> bool:
    """Whether a step failed because its table held everything back, which is how it should end then."""
    return step_failure.step_failure_data.user_failure_data is not None


def unfinished(instance: DagsterInstance, ledger: Mapping[tuple[str, str], Entry]) -> Callable[[str, str], bool]:
    """Whether something is left to do for the accepted sources of a feed's delivery date.

    It is when the run that took them in did not come to its own end, or when a table is older than one that it
    reads. What lies behind a refused file of the same date waits for that file and is not left to do.
    """
    from netflix_dagster.build.pending_work import touched_tables
    from netflix_dagster.contracts.contract import TABLES, downstream_of

    built_at = _Built(instance)
    ended = _Ended(instance, {entry.run_id for entry in ledger.values() if entry.status == "accepted"})
    chain = cache(touched_tables)
    behind = cache(lambda sources: frozenset(downstream_of(f"bronze.{source}" for source in sources)))
    entries: dict[tuple[str, str], list[Entry]] = {}
    for entry in ledger.values():
        entries.setdefault((entry.feed, entry.delivery_date), []).append(entry)

    def left_to_do(feed: str, date: str) -> bool:
        here = entries.get((feed, date), [])
        accepted = [entry for entry in here if entry.status == "accepted"]
        if any(not ended(entry.run_id) for entry in accepted):
            return True
        waiting = behind(tuple(entry.source for entry in here if entry.status == "refused"))
        for name in chain(feed, tuple(entry.source for entry in accepted)):
            at = built_at(name, date)
            if name not in waiting and (not at or any(built_at(read, date) > at for read in TABLES[name].reads)):
                return True
        return False

    return left_to_do


class _Built:
    """When a table was last built for a delivery, as a number that grows; 0 for never."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self.per_delivery: dict[str, Mapping[str, int]] = {}
        self.whole: dict[str, int] = {}

    def __call__(self, name: str, date: str) -> int:
        from dagster import DagsterEventType

        from netflix_dagster.contracts.contract import TABLES
        from netflix_dagster.defs.checks import asset_key

        if TABLES[name].feed is None:
            if name not in self.whole:
                found = self.instance.fetch_materializations(asset_key(name), limit=1).records
                self.whole[name] = found[0].storage_id if found else 0
            return self.whole[name]
        if name not in self.per_delivery:
            self.per_delivery[name] = self.instance.get_latest_storage_id_by_partition(
                asset_key(name), DagsterEventType.ASSET_MATERIALIZATION
            )
        return self.per_delivery[name].get(date, 0)


class _Ended:
    """Whether a run went as far as it could: to its end, or to a check that holds a delivery back."""

    def __init__(self, instance: DagsterInstance, run_ids: Collection[str]) -> None:
        from dagster import DagsterRunStatus, RunsFilter

        self.instance = instance
        asked = sorted(run_ids)  # Dagster's filter takes no empty list
        succeeded = instance.get_runs(RunsFilter(run_ids=asked, statuses=[DagsterRunStatus.SUCCESS])) if asked else []
        self.known = {run.run_id: True for run in succeeded}

    def __call__(self, run_id: str) -> bool:
        if run_id not in self.known:
            self.known[run_id] = self._look(run_id)
        return self.known[run_id]

    def _look(self, run_id: str) -> bool:
        from dagster import DagsterEventType, DagsterRunStatus

        run = self.instance.get_run_by_id(run_id)
        if run is None or run.status != DagsterRunStatus.FAILURE:
            return run is not None and run.status == DagsterRunStatus.SUCCESS
        events = [e.dagster_event for e in self.instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)]
        return bool(events) and all(event and held_back(event) for event in events)
