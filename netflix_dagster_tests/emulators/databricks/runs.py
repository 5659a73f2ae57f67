"""Submitted runs: each task in a process of its own, with an environment of its own."""

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import invalid
from netflix_dagster_tests.emulators.databricks.files import Files
from netflix_dagster_tests.emulators.databricks.specs import KINDS, judge, wheels

LAUNCH = Path(__file__).parent / "launch.py"
BASE = {name: os.environ[name] for name in ("PATH", "LANG", "HOME", "TMPDIR", "JAVA_HOME") if name in os.environ}
"""What every process has, as every machine has it."""
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
    output: dict[str, str] = field(default_factory=dict)

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
        failed = [task for task in self.tasks if task.result != "SUCCESS"]
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
        run = self._run(run_id)
        return {
            "job_id": run.run_id,
            "run_id": run.run_id,
            "run_name": run.said.get("run_name", "Untitled"),
            "run_type": "SUBMIT_RUN",
            "run_page_url": f"{host}/?o=1#job/{run.run_id}/run/{run.run_id}",
            "state": run.state,
            "tasks": [self._task(run, task) for task in run.tasks],
        }

    def output(self, run_id: int) -> dict[str, Any]:
        for run in self.by_id.values():
            for task in run.tasks:
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
        done: set[str] = set()
        limit = run.said.get("timeout_seconds")  # absent or 0: the run may take for ever
        clock = threading.Timer(limit, _time_out, args=(run,)) if limit else None
        try:
            if clock:
                clock.start()
            for task in run.tasks:
                needed = {needed["task_key"] for needed in task.said.get("depends_on") or []}
                if task.said.get("run_if", "ALL_SUCCESS") == "ALL_SUCCESS" and not needed <= done:
                    task.end("UPSTREAM_FAILED", "An upstream task failed.")
                elif run.cancelled or run.timed_out:
                    task.end("CANCELED", "Run cancelled.")
                else:
                    self._work_on(run, task)
                if task.result == "SUCCESS":
                    done.add(task.key)
        except Exception as error:
            for task in run.tasks:
                if task.result is None:
                    task.end("FAILED", f"{type(error).__name__}: {error}")
        finally:
            if clock:
                clock.cancel()
            run.ended = time.time()
            run.over.set()

    def _work_on(self, run: Run, task: Task) -> None:
        until = time.monotonic() + self.start_seconds
        while time.monotonic() < until and not run.cancelled:
            time.sleep(0.05)
        folder = run.folder / task.key
        folder.mkdir(parents=True)
        libraries = self._install(run, task, folder / "libraries")
        if run.cancelled:
            task.end("CANCELED", "Run cancelled.")
            return
        task.started, failure, log = time.time(), folder / "failure.json", folder / "output.txt"
        with log.open("wb") as output:
            run.process = subprocess.Popen(
                [sys.executable, str(LAUNCH), str(failure), *self._command(task)],
                cwd=folder,
                env={**BASE, **self.environment, **self._environment(task, folder), "PYTHONPATH": str(libraries)},
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

    def _command(self, task: Task) -> list[str]:
        kind = next(name for name in KINDS if name in task.said)
        said = task.said[kind]
        parameters = [str(word) for word in said.get("parameters") or []]
        if kind == "python_wheel_task":
            return ["wheel", said["package_name"], said["entry_point"], *parameters]
        return ["file", str(self.files.path(said["python_file"])), *parameters]

    def _environment(self, task: Task, folder: Path) -> dict[str, str]:
        """The environment of the task's cluster, whose Spark has the cluster's configuration."""
        cluster = task.said.get("new_cluster") or self.clusters.get(task.said.get("existing_cluster_id", ""), {})
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
