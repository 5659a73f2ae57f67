"""The jobs that exist in a Databricks workspace, and their runs, as the Jobs API lists them.

Bearer tokens, filters, pages and errors are as ``databricks-sdk`` meets them; what a run does is for the test to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from netflix_dagster_tests.emulators.serving import Asked, Said, serving

TOKEN = "a-token"  # of the emulator; it opens nothing else
PAGE = 2
"""Runs on a page: few, so that a test turns pages."""


@dataclass
class WorkspaceJobs:
    """A workspace: ``jobs`` by their number, ``runs`` as the API shows them. ``failures`` answers are errors first."""

    port: int = 0
    jobs: dict[int, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which ``databricks-sdk`` takes this for its workspace."""
        return {"DATABRICKS_HOST": f"http://127.0.0.1:{self.port}", "DATABRICKS_TOKEN": TOKEN}

    def started(self, job_id: int, run_id: int, at: int) -> dict[str, Any]:
        """A run begins, at milliseconds since 1970."""
        url = f"http://127.0.0.1:{self.port}/#job/{job_id}/run/{run_id}"
        run = {"job_id": job_id, "run_id": run_id, "start_time": at, "end_time": 0, "run_page_url": url}
        self.runs.append(run | {"state": {"life_cycle_state": "RUNNING", "state_message": ""}})
        return self.runs[-1]

    def ended(self, run_id: int, at: int, result: str, message: str = "") -> None:
        """A run comes to its end."""
        run = next(run for run in self.runs if run["run_id"] == run_id)
        run["end_time"] = at
        run["state"] = {"life_cycle_state": "TERMINATED", "result_state": result, "state_message": message}

    def answer(self, asked: Asked) -> Said:
        """What the API says."""
        self.asked.append(asked.path)
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(403, "PERMISSION_DENIED", "Invalid access token.")
        if self.failures:
            status, code = self.failures.pop(0)
            return _error(status, code, "for a while")
        if asked.path.endswith("/jobs/list"):
            named = [
                {"job_id": number, "settings": {"name": name}}
                for number, name in self.jobs.items()
                if name.lower() == asked.query.get("name", name).lower()
            ]
            return Said.json(_page("jobs", named, asked))
        if asked.path.endswith("/jobs/runs/list"):
            wanted, since = int(asked.query["job_id"]), int(asked.query.get("start_time_from", 0))
            if wanted not in self.jobs:
                return _error(400, "INVALID_PARAMETER_VALUE", f"Job {wanted} does not exist.")
            found = [run for run in self.runs if run["job_id"] == wanted and run["start_time"] >= since]
            found.sort(key=lambda run: (run["start_time"], run["run_id"]), reverse=True)
            return Said.json(_page("runs", found, asked))
        return _error(404, "ENDPOINT_NOT_FOUND", f"No API found for '{asked.method} {asked.path}'")


def _page(name: str, rows: Sequence[dict[str, Any]], asked: Asked) -> dict[str, Any]:
    """A page as the API gives it: without the list when it is empty."""
    first = int(asked.query.get("page_token", 0))
    page: dict[str, Any] = {"has_more": first + PAGE < len(rows)}
    if rows[first : first + PAGE]:
        page[name] = list(rows[first : first + PAGE])
    if page["has_more"]:
        page["next_page_token"] = str(first + PAGE)
    return page


def _error(status: int, code: str, message: str) -> Said:
    return Said.json({"error_code": code, "message": message}, status)


@contextmanager
def workspace_jobs() -> Iterator[WorkspaceJobs]:
    """A workspace on a port of this machine until the end of the block."""
    made = WorkspaceJobs()
    with serving(made.answer) as made.port:
        yield made
