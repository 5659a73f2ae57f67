"""Jobs with branches and loops: references to values, if/else, for each, and which tasks a repair runs again.

Each rule names the page of Databricks' documentation that it follows. What a page leaves open is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import invalid

REFERENCE = re.compile(r"{{\s*([^{}]+?)\s*}}")
MOST_AT_ONCE, MOST_INPUTS = 100, 5000
COMPARE: Mapping[str, Callable[[str, str], bool]] = {
    "EQUAL_TO": lambda left, right: left == right,
    "NOT_EQUAL": lambda left, right: left != right,
}
"""Of the operators of "Add branching logic to a job with the If/else task" those that compare as strings; the others
compare as numbers, and are not followed here."""


def resolved(said: Any, values: Mapping[str, str]) -> Any:
    """The same with references replaced. "What is a dynamic value reference?": one of a known namespace that is not
    there is refused, any other text in braces stays as it is."""
    if isinstance(said, dict):
        return {key: resolved(value, values) for key, value in said.items()}
    if isinstance(said, list):
        return [resolved(value, values) for value in said]
    if not isinstance(said, str):
        return said

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in values:
            return values[name]
        if name.split(".")[0] in ("job", "tasks", "input"):
            raise invalid(f"The reference {found[0]} does not exist.")
        return found[0]

    return REFERENCE.sub(value, said)


def job_values(parameters: Mapping[str, str], started: datetime, repairs: int) -> dict[str, str]:
    """What a run says of itself: "Dynamic value references", UTC. Parameters may refer to the others of these."""
    here = {
        "job.repair_count": str(repairs),
        "job.start_time.iso_weekday": str(started.isoweekday()),
        "job.start_time.iso_date": started.date().isoformat(),
    }
    return here | {f"job.parameters.{name}": resolved(said, here) for name, said in parameters.items()}


def inputs_of(loop: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """What a loop goes through: "Use a For each task to run another task in a loop": a JSON array. Whether an empty one
    is a success is not said there."""
    try:
        found = json.loads(resolved(loop["inputs"], values))
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or len(found) > MOST_INPUTS:
        raise invalid(
            f"The inputs of a for each task must be a JSON array of 1 to {MOST_INPUTS} elements, found {found}"
        )
    return [each if isinstance(each, str) else json.dumps(each) for each in found]


def judge_loop(key: str, loop: Mapping[str, Any]) -> dict[str, Any]:
    """The task in a loop. "A For each task can contain one task", which is no loop itself."""
    nested = loop.get("task")
    if not loop.get("inputs") or not isinstance(nested, dict) or nested.get("for_each_task"):
        raise invalid(f"Task {key}: for_each_task needs inputs, and one task that is no for_each_task.")
    if not 1 <= loop.get("concurrency", 1) <= MOST_AT_ONCE:
        raise invalid(f"Task {key}: concurrency is 1 to {MOST_AT_ONCE}.")
    return nested


def way(said: Mapping[str, Any], results: Mapping[str, str | None], outcomes: Mapping[str, str]) -> str | None:
    """Why a task is not run; None when it is. "Configure task dependencies": a branch that is not taken excludes what
    depends on it, and what depends on excluded tasks alone is excluded too, whatever its Run if says."""
    needed = said.get("depends_on") or []
    excluded = [
        each
        for each in needed
        if results[each["task_key"]] == "EXCLUDED"
        or (each.get("outcome") and outcomes.get(each["task_key"]) not in (None, each["outcome"]))
    ]
    if needed and len(excluded) == len(needed):
        return "EXCLUDED"
    if excluded:
        raise invalid(f"Task {said['task_key']}: some of its dependencies are excluded, which is not followed here.")
    failed = [each for each in needed if results[each["task_key"]] != "SUCCESS"]
    return "UPSTREAM_FAILED" if failed and said.get("run_if", "ALL_SUCCESS") == "ALL_SUCCESS" else None
