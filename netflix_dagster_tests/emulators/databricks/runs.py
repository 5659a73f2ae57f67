"""Runs: each task in a process of its own, with an environment of its own.

After "Get a single job run", "Get the output for a single run" (not of a run with several tasks) and "Cancel a run" of
the Jobs API; where a method follows another page, it names that.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netflix_dagster_tests.emulators.databricks import workflows
from netflix_dagster_tests.emulators.databricks.errors import invalid
from netflix_dagster_tests.emulators.databricks.files import Files
from netflix_dagster_tests.emulators.databricks.specs import KINDS, judge, judge_job, wheels

LAUNCH = Path(__file__).parent / "launch.py"
BASE = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TMPDIR", "JAVA_HOME") if name in os.environ}
"""What every process has, as every machine has it."""
KEPT = ("SUCCESS", "EXCLUDED")
"""Results that a repair leaves as they are."""
MOST_OUTPUT = 5 * 1024 * 1024
_numbers = itertools.count(int(time.time()) * 1000)


@dataclass
class Task:
    """One task of a run."""

    said: dict[str, Any]
    run_id: int = field(default_factory=lambda: next(_numbers))
    life: str = "PENDING"
    result: str | None = None
    message: str = ""
    started: float = 0
    output: dict[str, Any] = field(default_factory=dict)
    outcome: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    iterations: dict[str, Task] = field(default_factory=dict)
    """Of a loop: the last attempt at each input."""
    attempt: int = 0

    @property
    def key(self) -> str:
        return str(self.said["task_key"])

    def end(self, result: str, message: str = "") -> None:
        self.life, self.result, self.message = "TERMINATED", result, message


@dataclass
class Run:
    """One submission: its tasks, one after the other."""

    said: dict[str, Any]
    folder: Path
    tasks: list[Task]
    run_id: int = field(default_factory=lambda: next(_numbers))
    cancelled: bool = False
    timed_out: bool = False
    process: subprocess.Popen[bytes] | None = None
    ended: float = 0
    over: threading.Event = field(default_factory=threading.Event)
    parameters: dict[str, str] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    job_id: int = 0
    repairs: list[int] = field(default_factory=list)

    @property
    def values(self) -> dict[str, str]:
        """What tasks of this run may refer to."""
        of_tasks = {
            f"tasks.{task.key}.values.{name}": value for task in self.tasks for name, value in task.values.items()
        }
        said = {name: value if isinstance(value, str) else json.dumps(value) for name, value in of_tasks.items()}
        states = {f"tasks.{task.key}.result_state": task.result.lower() for task in self.tasks if task.result}
        return {**workflows.job_values(self.parameters, self.started, len(self.repairs)), **said, **states}

    @property
    def state(self) -> dict[str, Any]:
        """The state of the whole: as bad as that of its worst *leaf*, a task on which no other depends.

        "How the run state is determined" in the documentation of Lakeflow Jobs: a failed task on which one depends
        that runs all the same (``run_if: ALL_DONE``) and succeeds leaves the run a success, "with failures".
        """
        if not self.over.is_set():
            running = any(task.life == "RUNNING" for task in self.tasks)
            life = "TERMINATING" if self.cancelled else "RUNNING" if running else "PENDING"
            return {"life_cycle_state": life, "state_message": "In run" if life == "RUNNING" else ""}
        followed = {needed["task_key"] for task in self.tasks for needed in task.said.get("depends_on") or []}
        failed = [task for task in self.tasks if task.result not in ("SUCCESS", "EXCLUDED")]
        bad = next((task for task in failed if task.key not in followed), None)
        if self.cancelled or self.timed_out:
            result = "CANCELED" if self.cancelled else "TIMEDOUT"
        elif bad:
            result = "FAILED" if bad.result == "UPSTREAM_FAILED" else str(bad.result)
        else:
            result = "SUCCESS_WITH_FAILURES" if failed else "SUCCESS"
        message = bad.message if bad else ""
        return {"life_cycle_state": "TERMINATED", "result_state": result, "state_message": message}


@dataclass
class Runs:
    """All runs of a workspace. ``environment`` is what the runtime gives to every task: how to reach the workspace."""

    root: Path
    files: Files
    environment: dict[str, str]
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    start_seconds: float = 0
    """How long a cluster takes to start."""
    by_id: dict[int, Run] = field(default_factory=dict)
    by_token: dict[str, Run] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    deployed: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The settings of the jobs that were deployed, by their number."""

    def deploy(self, job_id: int, settings: dict[str, Any]) -> None:
        """Make or replace a job, as the deployment of a bundle does."""
        judge_job(settings, self.files)
        self.deployed[job_id] = settings

    def run_now(self, said: dict[str, Any]) -> dict[str, Any]:
        """Start a job. A parameter that it does not have is refused ("Trigger a new job run")."""
        job_id = int(said.get("job_id", 0))
        if job_id not in self.deployed:
            raise invalid(f"Job {job_id} does not exist.")
        settings = self.deployed[job_id]
        parameters = {each["name"]: str(each["default"]) for each in settings.get("parameters") or []}
        given = said.get("job_parameters") or {}
        if unknown := sorted(set(given) - set(parameters)):
            raise invalid(f"Job {job_id} has no parameter {', '.join(unknown)}.")
        with self.lock:
            folder = self.root / f"run-{len(self.by_id)}"
            run = Run(settings, folder, [Task(task) for task in settings["tasks"]], parameters=parameters | given)
            run.job_id = job_id
            self.by_id[run.run_id] = run
        threading.Thread(target=self._work, args=(run,), daemon=True).start()
        return {"run_id": run.run_id}

    def repair(self, said: dict[str, Any]) -> dict[str, Any]:
        """Run tasks of an ended run again, within that run ("Repair a job run"): the failed ones and what they kept
        from running; of a loop the inputs that failed. What succeeded keeps its result and its values."""
        run = self._run(int(said.get("run_id", 0)))
        if not run.over.is_set():
            raise invalid(f"Run {run.run_id} is in progress.")
        if bool(said.get("rerun_tasks")) == bool(said.get("rerun_all_failed_tasks")):
            raise invalid("Exactly one of rerun_tasks and rerun_all_failed_tasks must be given.")
        if run.repairs and said.get("latest_repair_id") != run.repairs[-1]:
            raise invalid("The latest repair ID needs to be provided in order to create a new repair.")
        again = set(said.get("rerun_tasks") or ()) or {t.key for t in run.tasks if t.result not in KEPT}
        if unknown := again - {task.key for task in run.tasks}:
            raise invalid(f"Run {run.run_id} has no task {', '.join(sorted(unknown))}.")
        for task in run.tasks:
            if task.key in again:
                task.life, task.result, task.message, task.attempt = "PENDING", None, "", task.attempt + 1
                task.iterations = {each: done for each, done in task.iterations.items() if done.result == "SUCCESS"}
        run.repairs.append(next(_numbers))
        run.cancelled = run.timed_out = False
        run.over.clear()
        threading.Thread(target=self._work, args=(run,), daemon=True).start()
        return {"repair_id": run.repairs[-1]}

    def submit(self, said: dict[str, Any]) -> dict[str, Any]:
        judge(said, self.clusters, self.files)
        token = said.get("idempotency_token")
        with self.lock:
            if token and token in self.by_token:
                return {"run_id": self.by_token[token].run_id}
            run = Run(said, self.root / f"run-{len(self.by_id)}", [Task(task) for task in said["tasks"]])
            self.by_id[run.run_id] = run
            if token:
                self.by_token[token] = run
        threading.Thread(target=self._work, args=(run,), daemon=True).start()
        return {"run_id": run.run_id}

    def get(self, run_id: int, host: str) -> dict[str, Any]:
        for looped in (task for each in self.by_id.values() for task in each.tasks if task.run_id == run_id):
            iterations = [self._task(self._of(looped), done) for done in looped.iterations.values()]
            return {**self._task(self._of(looped), looped), "iterations": iterations}
        run = self._run(run_id)
        return {
            "job_id": run.job_id or run.run_id,
            "repair_history": [{"id": number, "type": "REPAIR"} for number in run.repairs],
            "run_id": run.run_id,
            "run_name": run.said.get("run_name", "Untitled"),
            "run_type": "SUBMIT_RUN",
            "run_page_url": f"{host}/?o=1#job/{run.run_id}/run/{run.run_id}",
            "state": run.state,
            "tasks": [self._task(run, task) for task in run.tasks],
        }

    def output(self, run_id: int) -> dict[str, Any]:
        for run in self.by_id.values():
            for task in [*run.tasks, *(done for each in run.tasks for done in each.iterations.values())]:
                if run_id == task.run_id or (run_id == run.run_id and len(run.tasks) == 1):
                    return {"metadata": self._task(run, task), **task.output}
            if run_id == run.run_id:
                raise invalid("Retrieving the output of runs with multiple tasks is not supported.")
        raise invalid(f"Run {run_id} does not exist.")

    def cancel(self, run_id: int) -> dict[str, Any]:
        run = self._run(run_id)
        if not run.over.is_set():
            run.cancelled = True
            threading.Thread(target=_stop, args=(run,), daemon=True).start()
        return {}

    def stop_all(self) -> None:
        for run in self.by_id.values():
            run.cancelled = run.cancelled or not run.over.is_set()
            kill(run)
            run.over.wait(20)

    def _of(self, task: Task) -> Run:
        return next(run for run in self.by_id.values() if task in run.tasks)

    def _run(self, run_id: int) -> Run:
        if run_id not in self.by_id:
            raise invalid(f"Run {run_id} does not exist.")
        return self.by_id[run_id]

    def _task(self, run: Run, task: Task) -> dict[str, Any]:
        state = {"life_cycle_state": task.life, "result_state": task.result, "state_message": task.message}
        cluster = task.said.get("existing_cluster_id") or f"cluster-{run.run_id}"
        return {
            **{name: value for name, value in task.said.items() if name != "environments"},
            "run_id": task.run_id,
            "state": {name: value for name, value in state.items() if value is not None},
            **({"cluster_instance": {"cluster_id": cluster}} if "environment_key" not in task.said else {}),
        }

    def _work(self, run: Run) -> None:
        limit = run.said.get("timeout_seconds")  # absent or 0: the run may take for ever
        clock = threading.Timer(limit, _time_out, args=(run,)) if limit else None
        try:
            if clock:
                clock.start()
            for task in run.tasks:
                if task.result is None:
                    self._take_up(run, task)
        except Exception as error:
            for task in run.tasks:
                if task.result is None:
                    task.end("FAILED", f"{type(error).__name__}: {error}")
        finally:
            if clock:
                clock.cancel()
            run.ended = time.time()
            run.over.set()

    def _take_up(self, run: Run, task: Task) -> None:
        outcomes = {other.key: other.outcome for other in run.tasks if other.outcome is not None}
        left_out = workflows.way(task.said, {other.key: other.result for other in run.tasks}, outcomes)
        if left_out:
            task.end(left_out, "An upstream task failed." if left_out == "UPSTREAM_FAILED" else "")
        elif run.cancelled or run.timed_out:
            task.end("CANCELED", "Run cancelled.")
        elif "condition_task" in task.said:
            said = workflows.resolved(task.said["condition_task"], run.values)
            task.outcome = str(workflows.COMPARE[said["op"]](said["left"], said["right"])).lower()
            task.end("SUCCESS")
        elif "for_each_task" in task.said:
            self._loop(run, task)
        else:
            self._work_on(run, task)

    def _loop(self, run: Run, task: Task) -> None:
        """Every input, also after one that failed; then the loop has failed."""
        loop = task.said["for_each_task"]
        for each in workflows.inputs_of(loop, run.values):
            if each not in task.iterations:
                done = task.iterations[each] = Task({**loop["task"]}, attempt=task.attempt)
                self._work_on(run, done, {"input": each})
        failed = [each for each, done in task.iterations.items() if done.result != "SUCCESS"]
        task.end("FAILED" if failed else "SUCCESS", f"{len(failed)} iterations failed." if failed else "")

    def _work_on(self, run: Run, task: Task, more: Mapping[str, str] = MappingProxyType({})) -> None:
        until = time.monotonic() + self.start_seconds
        while time.monotonic() < until and not run.cancelled:
            time.sleep(0.05)
        folder = run.folder / "-".join([task.key, *more.values(), str(task.attempt)])
        folder.mkdir(parents=True)
        values, exits = {**run.values, **more}, folder / "exits.json"
        libraries = self._install(run, task, folder / "libraries")
        if run.cancelled:
            task.end("CANCELED", "Run cancelled.")
            return
        task.started, failure, log = time.time(), folder / "failure.json", folder / "output.txt"
        with log.open("wb") as output:
            run.process = subprocess.Popen(
                [sys.executable, str(LAUNCH), str(failure), *self._command(run, task, values, exits)],
                cwd=folder,
                env={**BASE, **self.environment, **self._environment(run, task, folder), "PYTHONPATH": str(libraries)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            task.life = "RUNNING"
            code = run.process.wait()
        kill(run)  # what it left behind
        task.output["logs"] = log.read_bytes()[-MOST_OUTPUT:].decode(errors="replace")
        if run.cancelled:
            task.end("CANCELED", "Run cancelled.")
        elif run.timed_out:
            task.end("TIMEDOUT", "Run timed out.")
        elif code == 0:
            if exits.exists():
                said = json.loads(exits.read_text())
                task.values, task.output["notebook_output"] = said["values"], {"result": said["result"]}
            task.end("SUCCESS")
        elif failure.exists():
            task.output.update(json.loads(failure.read_text()))
            task.end("FAILED", "Workload failed, see run output for details")
        else:
            task.output["error"] = f"Python process exited with code {code}"
            task.end("FAILED", f"The Python process exited with exit code {code}")

    def _install(self, run: Run, task: Task, target: Path) -> Path:
        target.mkdir()
        environments = {each["environment_key"]: each for each in run.said.get("environments") or []}
        for wheel in wheels(task.said, environments):
            uv = str(Path(sys.executable).parent / "uv")
            command = [uv if Path(uv).exists() else shutil.which("uv") or "uv", "pip", "install", "--quiet"]
            options = ["--no-deps", "--offline", "--python", sys.executable, "--target", str(target)]
            subprocess.run([*command, *options, str(self.files.path(wheel))], check=True, capture_output=True)
        return target

    def _command(self, run: Run, task: Task, values: Mapping[str, str], exits: Path) -> list[str]:
        """What to launch. "Access parameter values from a task": parameters of the job are pushed down to notebooks,
        and to wheels with named parameters, and prevail over those of the task."""
        kind = next(name for name in KINDS if name in task.said)
        said = workflows.resolved(task.said[kind], values)
        of_job = {name: values[f"job.parameters.{name}"] for name in run.parameters}
        if kind == "notebook_task":
            given = {**(said.get("base_parameters") or {}), **of_job}
            return ["notebook", str(self.files.path(said["notebook_path"])), json.dumps(given), str(exits)]
        parameters = [str(word) for word in said.get("parameters") or []]
        if named := said.get("named_parameters"):
            parameters = [f"--{name}={value}" for name, value in {**named, **of_job}.items()]
        if kind == "python_wheel_task":
            return ["wheel", said["package_name"], said["entry_point"], *parameters]
        return ["file", str(self.files.path(said["python_file"])), *parameters]

    def _environment(self, run: Run, task: Task, folder: Path) -> dict[str, str]:
        """The environment of the task's cluster, whose Spark has the cluster's configuration."""
        shared = {each["job_cluster_key"]: each["new_cluster"] for each in run.said.get("job_clusters") or []}
        cluster = (
            task.said.get("new_cluster")
            or shared.get(task.said.get("job_cluster_key", ""))
            or self.clusters.get(task.said.get("existing_cluster_id", ""), {})
        )
        said = {name: str(value) for name, value in (cluster.get("spark_env_vars") or {}).items()}
        if conf := cluster.get("spark_conf"):
            defaults = folder / "conf" / "spark-defaults.conf"
            defaults.parent.mkdir()
            defaults.write_text("".join(f"{name} {value}\n" for name, value in conf.items()))
            said["SPARK_CONF_DIR"] = str(defaults.parent)
        return said


def kill(run: Run) -> None:
    """End the process of a run and all that it started, at once."""
    if run.process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.process.pid, signal.SIGKILL)


def _time_out(run: Run) -> None:
    """Its ``timeout_seconds`` are over: the run ends."""
    run.timed_out = True
    _stop(run)


def _stop(run: Run) -> None:
    """As Databricks cancels: asked first, then made to."""
    if run.process is not None and run.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.process.pid, signal.SIGTERM)
    run.over.wait(2)
    while not run.over.is_set():
        kill(run)
        run.over.wait(0.2)
