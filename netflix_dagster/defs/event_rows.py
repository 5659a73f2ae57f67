"""One event for many deliveries: what Dagster is told of them together, and the row of each in its index.

Dagster's UI takes the state of a partition from rows: of its materialisations, of runs that are to materialise it, of
its checks. The events of a run need not be as many. A check that a hundred deliveries keep is one event that names
them; that a run is to build a hundred partitions of a table is another. The event log (``event_log``) then writes the
row of each partition, as Dagster's own would for a hundred events. What fails is always an event of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, runtime_checkable

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.events.log import EventLogEntry
from dagster._serdes import serialize_value
from dagster_shared.record import replace

DELIVERIES = "deliveries"
"""The metadata of a check evaluation that names the deliveries for which it speaks."""
_ANY, _ANY_ID = "<a delivery>", 2**53 - 1
"""What stands for a delivery, and for the id of its materialisation, in the text of an event before it is known."""


@runtime_checkable
class Together(Protocol):
    """An event log that writes many events in one transaction, and takes one event for many deliveries.

    It is asked for what it can, not for its class: the code location loads without SQLAlchemy.
    """

    def at_once(self, run_id: str) -> AbstractContextManager[None]: ...


def keeps_together(instance: dg.DagsterInstance) -> bool:
    """Whether one event may speak of many deliveries."""
    return isinstance(instance.event_log_storage, Together)


def at_once(instance: dg.DagsterInstance, run_id: str) -> AbstractContextManager[None]:
    """Write many events of a run together where the instance's event log can."""
    storage = instance.event_log_storage
    return storage.at_once(run_id) if isinstance(storage, Together) else nullcontext()


def together(instance: dg.DagsterInstance, found: Sequence[dg.AssetCheckEvaluation]) -> list[dg.AssetCheckEvaluation]:
    """The evaluations of a table, those that passed as one event where the instance's event log can index it."""
    return passed_together(found) if keeps_together(instance) else list(found)


def passed_together(found: Sequence[dg.AssetCheckEvaluation]) -> list[dg.AssetCheckEvaluation]:
    """The evaluations of some deliveries, where those of one check that passed are one; what failed stays alone."""
    passed: dict[dg.AssetCheckKey, list[dg.AssetCheckEvaluation]] = {}
    for evaluation in found:
        if evaluation.passed and evaluation.partition is not None:
            passed.setdefault(evaluation.asset_check_key, []).append(evaluation)
    several = {key: alike for key, alike in passed.items() if len(alike) > 1}
    alone = [e for e in found if not (e.passed and e.partition is not None and e.asset_check_key in several)]
    return [*alone, *(_one(alike) for alike in several.values())]


def _one(alike: Sequence[dg.AssetCheckEvaluation]) -> dg.AssetCheckEvaluation:
    first, days = alike[0], [str(evaluation.partition) for evaluation in alike]
    rows = sum(_rows(evaluation) for evaluation in alike)
    return dg.AssetCheckEvaluation(
        asset_key=first.asset_key,
        check_name=first.check_name,
        passed=True,
        severity=first.severity,
        description=f"{len(days)} deliveries with {rows} rows keep it",
        metadata={"rows": rows, "broken": 0, DELIVERIES: dg.MetadataValue.json(days)},
        blocking=first.blocking,
    )


def _rows(evaluation: dg.AssetCheckEvaluation) -> int:
    counted = evaluation.metadata.get("rows")
    return (counted.value or 0) if isinstance(counted, dg.IntMetadataValue) else 0


def spoken_for(evaluation: AssetCheckEvaluation) -> list[str]:
    """The deliveries for which one evaluation speaks together; none if it speaks for one, or for a whole table."""
    named = evaluation.metadata.get(DELIVERIES)
    return list(named.value) if isinstance(named, dg.JsonMetadataValue) and isinstance(named.value, list) else []


def evaluation_texts(entry: EventLogEntry, targets: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Each delivery that an evaluation speaks for, with the event as it would be for that delivery alone.

    ``targets`` are the ids of the materialisations that this run has logged before.
    """
    event = entry.get_dagster_event()
    evaluation: Any = event.event_specific_data
    target = AssetCheckEvaluationTargetMaterializationData(
        storage_id=_ANY_ID, run_id=entry.run_id, timestamp=entry.timestamp
    )
    about = {name: value for name, value in evaluation.metadata.items() if name != DELIVERIES}
    alone = replace(evaluation, partition=_ANY, metadata=about, target_materialization_data=target)
    text, days = _text(entry, alone), spoken_for(evaluation)
    for day in days:
        yield day, text.replace(_ANY, _in_json(day)).replace(str(_ANY_ID), str(targets.get(day, 0)))


def planned_texts(entry: EventLogEntry) -> Iterator[tuple[str, str]]:
    """Each partition that a run is to materialise, with the event as it would be for that partition alone."""
    planned: Any = entry.get_dagster_event().event_specific_data
    text = _text(entry, AssetMaterializationPlannedData(planned.asset_key, partition=_ANY, partitions_subset=None))
    for day in planned.partitions_subset.get_partition_keys():
        yield day, text.replace(_ANY, _in_json(day))


def _text(entry: EventLogEntry, about: Any) -> str:
    event = entry.get_dagster_event()._replace(event_specific_data=about)
    return serialize_value(entry._replace(dagster_event=event))


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]
