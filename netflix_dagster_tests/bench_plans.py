"""What the plans of Apache Spark cost, table by table: jobs, shuffles, tasks, seconds.

``python -m netflix_dagster_tests.bench_plans LANDING [DATE]`` builds every table of the catalogue on ``local[*]``, from
the files of the split form in a landing folder, in a lake that it throws away. Two processes: the one that is told of
is fresh, so its seconds hold the start of Java, as a run's do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATE = "2020-02-01"


@dataclass
class Plans:
    """What the session has run so far, as its status store tells it, and which table each part of it was for."""

    spark: Any
    spent: dict[str, Counter[str]] = field(default_factory=dict)

    def so_far(self) -> Counter[str]:
        """Jobs, those of them that only read Delta's logs, stages that ran, those that shuffled, and tasks."""
        context = self.spark.sparkContext._jsc.sc()
        context.listenerBus().waitUntilEmpty()
        store = context.statusStore()
        none = self.spark._jvm.java.util.ArrayList()
        stages = store.stageList(none, False, False, getattr(store, "stageList$default$4")(), none)
        jobs = store.jobsList(none)
        found = Counter(jobs=jobs.size())
        for place in range(jobs.size()):
            said = jobs.apply(place).description()
            found["log_jobs"] += int(said.isDefined() and said.get().startswith("Delta:"))
        for place in range(stages.size()):
            stage = stages.apply(place)
            if str(stage.status()) == "COMPLETE":
                found += Counter(
                    stages=1,
                    tasks=stage.numCompleteTasks(),
                    shuffles=int(stage.shuffleWriteBytes() > 0),
                    tasks_cpu=stage.executorCpuTime() // 1_000_000,
                )
        return found

    def processor(self) -> int:
        """Milliseconds of processor time: of this process, of Java, and of the workers in Python that live."""
        ticks = 0
        for process in {os.getpid(), *_below(os.getpid())}:
            with suppress(OSError):
                said = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, said[11:15]))
        return ticks * 1000 // os.sysconf("SC_CLK_TCK")

    @contextmanager
    def of(self, table: str) -> Iterator[None]:
        before, started, used = self.so_far(), time.perf_counter(), self.processor()
        try:
            yield
        finally:
            took = Counter(wall=round(1000 * (time.perf_counter() - started)), cpu=self.processor() - used)
            more = self.so_far()
            more.subtract(before)
            self.spent[table] = self.spent.get(table, Counter()) + more + took

    def told(self, what: Callable[..., Any], named: Callable[..., str]) -> Callable[..., Any]:
        """A function whose plans are told of under a name that its arguments give."""

        def wrapped(*given: Any, **more: Any) -> Any:
            with self.of(named(*given, **more)):
                return what(*given, **more)

        return wrapped


def _below(process: int) -> Iterator[int]:
    """The processes that a process has started, and they."""
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                yield child
                yield from _below(child)


def measure(landing: Path, lake: Path, date: str) -> None:
    """Build the tables and print what each took."""
    started = time.perf_counter()
    from netflix_dagster import tables
    from netflix_dagster.build import judgement, runner
    from netflix_dagster.contracts.graph import feed_tables
    from netflix_dagster.engine import sessions
    from netflix_dagster.landing.sources import load_sources
    from netflix_dagster.settings import Settings

    settings = Settings(engine="spark", landing=landing, lake=lake)
    sources = load_sources()
    tables.declare(sources)
    plans = Plans(sessions.session(settings))
    say(f"the session: {time.perf_counter() - started:.1f} s")
    judged = plans.told(judgement.judge, lambda _, of, *__: of.name)
    judgement.judge = judged
    names = feed_tables("catalogue")
    with runner.Session(settings, sources, "plans", names, {"catalogue": [date]}) as session:
        rows = 0
        for name in session.tables:
            with plans.of(f"{name} (all)"):
                rows += session.build(name).total_rows
    took = time.perf_counter() - started
    for name, spent in plans.spent.items():
        say(
            f"{name:<45} "
            + " ".join(
                f"{what} {spent[what]:>6}"
                for what in ("wall", "cpu", "tasks_cpu", "jobs", "log_jobs", "stages", "shuffles", "tasks")
            )
        )
    say(f"rows {rows}, {took:.1f} s, processor {plans.processor() / 1000:.1f} s; {plans.so_far()}")


def main(landing: Path, date: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for split in landing.glob("netflix_*"):
            if (split / date).is_dir():
                here = Path(folder) / "landing" / split.name
                here.mkdir(parents=True)
                (here / date).symlink_to(split / date)
        call = [sys.executable, "-m", __spec__.name, "--measure", folder, date]
        subprocess.run(call, check=True)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        measure(Path(sys.argv[2]) / "landing", Path(sys.argv[2]) / "lake", sys.argv[3])
    else:
        main(Path(sys.argv[1]).absolute(), sys.argv[2] if len(sys.argv) > 2 else DATE)
