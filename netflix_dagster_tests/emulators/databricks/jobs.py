"""The jobs that exist in a workspace, and their runs, as "List jobs" and "List job runs" of the Jobs API describe them:
by pages, the newest run first. A test says what a run does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import invalid

PAGE = 2
"""Entries on a page: few, so that a test turns pages."""


@dataclass
class Jobs:
    """``names`` of the jobs by their number, ``runs`` as the API shows them."""

    names: dict[int, str] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)

    def started(self, job_id: int, run_id: int, at: int) -> None:
        """A run begins, at milliseconds since 1970."""
        url = f"https://adb.invalid/?o=1#job/{job_id}/run/{run_id}"
        run = {"job_id": job_id, "run_id": run_id, "start_time": at, "end_time": 0, "run_page_url": url}
        self.runs.append(run | {"state": {"life_cycle_state": "RUNNING", "state_message": ""}})

    def ended(self, run_id: int, at: int, result: str, message: str = "") -> None:
        """A run comes to its end."""
        run = next(run for run in self.runs if run["run_id"] == run_id)
        run["end_time"] = at
        run["state"] = {"life_cycle_state": "TERMINATED", "result_state": result, "state_message": message}

    def list(self, said: dict[str, Any]) -> dict[str, Any]:
        """One page of the jobs, of those with a name if one is given."""
        found = [
            {"job_id": number, "settings": {"name": name}}
            for number, name in self.names.items()
            if name.lower() == said.get("name", name).lower()
        ]
        return _page("jobs", found, said)

    def list_runs(self, said: dict[str, Any]) -> dict[str, Any]:
        """One page of the runs of a job, the newest first."""
        wanted, since = int(said["job_id"]), int(said.get("start_time_from", 0))
        if wanted not in self.names:
            raise invalid(f"Job {wanted} does not exist.")
        found = [run for run in self.runs if run["job_id"] == wanted and run["start_time"] >= since]
        found.sort(key=lambda run: (run["start_time"], run["run_id"]), reverse=True)
        return _page("runs", found, said)


def _page(name: str, rows: Sequence[dict[str, Any]], said: dict[str, Any]) -> dict[str, Any]:
    """A page as the API gives it: without the list when it is empty."""
    first = int(said.get("page_token", 0))
    page: dict[str, Any] = {"has_more": first + PAGE < len(rows)}
    if rows[first : first + PAGE]:
        page[name] = [*rows[first : first + PAGE]]
    if page["has_more"]:
        page["next_page_token"] = str(first + PAGE)
    return page
