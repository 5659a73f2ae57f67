"""A program: the landing sensors tick as the daemon lets them, and what they request runs, until nothing is left.

It lives in the environment that it is started in. What the lake holds then, as a number of rows and a
digest of them for each table, is written to the file that it is told.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg

from netflix_dagster.definitions import by_events, defs, landing
from netflix_dagster.defs.landing_events import Cursor
from netflix_dagster.defs.resources import Lake
from netflix_dagster.deliveries.life import Life
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.defs.house import QUIET
from netflix_dagster_tests.storage.likeness import contents


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[dg.RunRequest], str | None]:
    """One tick: partitions are added, and the requests and the cursor come back."""
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources={"lake": Lake.from_settings()}) as context:
        found = sensor(context)
    if not isinstance(found, dg.SensorResult):
        return [], cursor
    for request in found.dynamic_partitions_requests or ():
        instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
    return list(found.run_requests or ()), found.cursor


def run(request: dg.RunRequest, instance: dg.DagsterInstance) -> dict[str, Any]:
    """Run what was requested in this process; the errors are those of no delivery's fault."""
    started = time.monotonic()
    result = defs.resolve_job_def(str(request.job_name)).execute_in_process(
        run_config={"loggers": QUIET},
        instance=instance,
        partition_key=request.partition_key,
        tags=dict(request.tags),
        asset_selection=list(request.asset_selection or ()),
        raise_on_error=False,
    )
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    errors = [data.error_display_string for data in failed if data.user_failure_data is None]
    return {"job": request.job_name, "errors": errors, "seconds": round(time.monotonic() - started, 1)}


def main(answer: Path) -> None:
    """All ticks, all runs, and what the lake holds in the end."""
    # a sensor of events that has looked at everything a moment ago: what it does is what the events tell it
    seen = Cursor(looked=time.time()).dump() if by_events else None
    cursors: dict[str, str | None] = {sensor.name: seen for sensor in landing}
    runs: list[dict[str, Any]] = []
    with dg.DagsterInstance.get() as instance:
        busy = True
        while busy:
            busy = False
            for sensor in landing:
                requests, cursors[sensor.name] = tick(sensor, instance, cursors[sensor.name])
                runs += [run(request, instance) for request in requests]
                busy = busy or bool(requests)
    lake = get_settings().lake
    said = {
        f"{source} {day}": {k: v for k, v in asdict(delivery.newest).items() if k not in ("run_id", "mark", "at")}
        for (source, day), delivery in Life.read(lake).deliveries.items()
    }
    tables = {name: (len(rows), _digest(rows)) for name, rows in contents(lake).items()}
    answer.write_text(json.dumps({"runs": runs, "deliveries": said, "tables": tables}))


def _digest(rows: list[str]) -> str:
    """Differs when a row does."""
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
