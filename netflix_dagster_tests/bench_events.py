"""What one hour of viewing events costs, from landing to gold: 1,000 small files, and the same rows in 4,000.

It prints CPU seconds and peak memory, for other processes of the machine change neither. Nothing is asserted here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_ONE_DELIVERY = """
import json, resource, sys, time
from pathlib import Path
from netflix_dagster import storage, tables
from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample.events import event_files
from netflix_dagster.settings import Settings
folder, files, a_file = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
settings = Settings(landing=folder / "landing", lake=folder / "lake")
for place, data in event_files(1, files, a_file=a_file):
    storage.write(settings.landing / place, data)
cpu, wall = time.process_time(), time.perf_counter()
done = build_pending(settings, load_sources())
assert done.exit_code == 0, done.failed or done.held
rows = next(report.total_rows for report in done.reports if report.table == "silver.viewing_events")
print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "rows": rows,
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""


def main(scratch: Path) -> None:
    """Run every measurement in a process of its own and print its line."""
    for files, a_file in ((1_000, 20), (4_000, 5), (4_000, 20)):
        found = one_delivery(scratch / f"{files}-{a_file}", files, a_file)
        target = "   (target 20)" if files == 1_000 else ""
        sys.stdout.write(
            f"{files:,} files of {a_file:2} events, landing to gold   {found['wall']:6.2f} s{target}\n"
            f"  CPU, all cores                           {found['cpu']:6.2f} s\n"
            f"  peak memory                              {found['memory']:6} MB\n"
        )


def one_delivery(folder: Path, files: int, a_file: int) -> dict[str, float]:
    """Seconds, CPU seconds, megabytes and events of one hour of so many files, in a process of its own."""
    call = [sys.executable, "-c", _ONE_DELIVERY, str(folder), str(files), str(a_file)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
