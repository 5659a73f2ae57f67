"""What a submission may ask for. Whatever cannot be run here is refused."""

from __future__ import annotations

import json
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import invalid
from netflix_dagster_tests.emulators.databricks.files import Files

KINDS = ("python_wheel_task", "spark_python_task")
MOST_PARAMETERS = 10_000
"""Bytes of JSON that a task's parameters may take."""
LONGEST_TOKEN = 64
RUN_IF = ("ALL_SUCCESS", "ALL_DONE")
"""Of Databricks' six conditions those that are followed here."""


def judge(said: dict[str, Any], clusters: dict[str, dict[str, Any]], files: Files) -> None:
    """Raise the refusal that a submission deserves."""
    tasks = said.get("tasks") or []
    if not tasks:
        raise invalid("At least one task must be specified.")
    if len(said.get("idempotency_token") or "") > LONGEST_TOKEN:
        raise invalid(f"idempotency_token must have at most {LONGEST_TOKEN} characters.")
    environments = {each["environment_key"]: each for each in said.get("environments") or []}
    earlier: set[str] = set()
    for task in tasks:
        _judge_task(task, clusters, environments, files, earlier)
        earlier.add(task["task_key"])


def _judge_task(
    task: dict[str, Any],
    clusters: dict[str, dict[str, Any]],
    environments: dict[str, dict[str, Any]],
    files: Files,
    earlier: set[str],
) -> None:
    key = task.get("task_key")
    if not key or key in earlier:
        raise invalid(f"task_key must be given and unique, found {key!r}.")
    kinds = [name for name in task if name.endswith("_task")]
    if len(kinds) != 1:
        raise invalid(f"Task {key} must have exactly one task type, found {', '.join(kinds) or 'none'}.")
    if kinds[0] not in KINDS:
        raise invalid(f"Task {key}: this workspace does not run a {kinds[0]}; it runs {' and '.join(KINDS)}.")
    for needed in task.get("depends_on") or []:
        if needed["task_key"] not in earlier:
            raise invalid(f"Task {key} depends on {needed['task_key']}, which is not an earlier task.")
    if task.get("run_if", RUN_IF[0]) not in RUN_IF:
        raise invalid(f"Task {key}: run_if {task['run_if']} is not followed here; {' and '.join(RUN_IF)} are.")
    where = [name for name in ("existing_cluster_id", "new_cluster", "environment_key") if task.get(name)]
    if len(where) != 1:
        raise invalid(f"Task {key} needs one of existing_cluster_id, new_cluster and environment_key.")
    if "existing_cluster_id" in where and task["existing_cluster_id"] not in clusters:
        raise invalid(f"Cluster {task['existing_cluster_id']} does not exist")
    if "environment_key" in where:
        if task["environment_key"] not in environments:
            raise invalid(f"Task {key} refers to environment {task['environment_key']}, which is not defined.")
        if task.get("libraries"):
            raise invalid(f"Libraries field is not supported for serverless task {key}; use an environment.")
    if "new_cluster" in where:
        for name in ("spark_version", "node_type_id"):
            if not task["new_cluster"].get(name):
                raise invalid(f"Task {key}: new_cluster.{name} must be specified.")
    if len(json.dumps(task[kinds[0]].get("parameters") or [])) > MOST_PARAMETERS:
        raise invalid(f"Task {key}: the parameters exceed {MOST_PARAMETERS} bytes.")
    for wheel in wheels(task, environments):
        if not files.path(wheel).is_file():
            raise invalid(f"Task {key}: the library {wheel} does not exist.")


def wheels(task: dict[str, Any], environments: dict[str, dict[str, Any]]) -> list[str]:
    """The wheels that a task needs; another kind of library is refused."""
    if task.get("environment_key"):
        return list((environments[task["environment_key"]].get("spec") or {}).get("dependencies") or [])
    found = []
    for library in task.get("libraries") or []:
        if set(library) != {"whl"}:
            raise invalid(f"Task {task['task_key']}: only whl libraries are installed here, found {library}.")
        found.append(library["whl"])
    return found
