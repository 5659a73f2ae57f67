"""What a submission may ask for. Whatever cannot be run here is refused.

Limits are those of "Create and trigger a one-time run" in the Jobs API: a task has a key of its own, one kind and one
compute; a token has at most 64 characters, parameters 10,000 bytes. Serverless tasks have an environment in place of
libraries ("Run your Lakeflow Jobs with serverless compute").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import invalid
from netflix_dagster_tests.emulators.databricks.files import Files
from netflix_dagster_tests.emulators.databricks.workflows import COMPARE, judge_loop

KINDS = ("python_wheel_task", "spark_python_task", "notebook_task")
CONTROL = ("condition_task", "for_each_task")
"""Tasks without compute of their own."""
WHERE = ("existing_cluster_id", "new_cluster", "environment_key", "job_cluster_key")
MOST_PARAMETERS = 10_000
"""Bytes of JSON that a task's parameters may take."""
LONGEST_TOKEN = 64
RUN_IF = ("ALL_SUCCESS", "ALL_DONE")
"""Of Databricks' six conditions those that are followed here."""


def judge_job(settings: dict[str, Any], files: Files) -> None:
    """Raise the refusal that the settings of a job deserve. Its tasks share ``job_clusters``."""
    shared = {each["job_cluster_key"]: each["new_cluster"] for each in settings.get("job_clusters") or []}
    earlier: set[str] = set()
    for task in settings.get("tasks") or []:
        _judge_task(task, {}, {}, files, earlier, shared)
        earlier.add(task["task_key"])


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
    shared: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    key = task.get("task_key")
    if not key or key in earlier:
        raise invalid(f"task_key must be given and unique, found {key!r}.")
    kinds = [name for name in task if name.endswith("_task")]
    if len(kinds) != 1:
        raise invalid(f"Task {key} must have exactly one task type, found {', '.join(kinds) or 'none'}.")
    if kinds[0] not in (*KINDS, *CONTROL):
        raise invalid(f"Task {key}: this workspace does not run a {kinds[0]}; it runs {' and '.join(KINDS)}.")
    for needed in task.get("depends_on") or []:
        if needed["task_key"] not in earlier:
            raise invalid(f"Task {key} depends on {needed['task_key']}, which is not an earlier task.")
    if task.get("run_if", RUN_IF[0]) not in RUN_IF:
        raise invalid(f"Task {key}: run_if {task['run_if']} is not followed here; {' and '.join(RUN_IF)} are.")
    where = [name for name in WHERE if task.get(name)]
    if kinds[0] in CONTROL:
        if where or task.get("libraries"):
            raise invalid(f"Task {key}: a {kinds[0]} has no compute of its own.")
        if kinds[0] == "for_each_task":
            _judge_task(judge_loop(key, task[kinds[0]]), clusters, environments, files, earlier - {key}, shared)
        elif task[kinds[0]].get("op") not in COMPARE:
            raise invalid(f"Task {key}: op must be one of {', '.join(COMPARE)} here.")
        return
    if "job_cluster_key" in where and task["job_cluster_key"] not in shared:
        raise invalid(f"Task {key} refers to job cluster {task['job_cluster_key']}, which is not defined.")
    if kinds[0] == "notebook_task":
        _judge_notebook(key, task[kinds[0]], files)
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


def _judge_notebook(key: str, said: dict[str, Any], files: Files) -> None:
    """ "Workspace files": a notebook has no extension in the workspace, and is not a file that merely lies there."""
    path = said.get("notebook_path", "")
    if not path.startswith("/Workspace/") or path.endswith(".py"):
        raise invalid(f"Task {key}: notebook_path must be absolute and without an extension, found {path}.")
    if not files.path(path).is_file():
        raise invalid(f"Task {key}: the notebook {path} does not exist.")


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
