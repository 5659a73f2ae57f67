"""``make bench-scale``: how costs grow with deliveries, measured now on this machine, written to docs/performance.md.

Each figure is of a process of its own: its CPU seconds, which other programs disturb less than the clock, and its peak
memory. The exponent of a cost says how it grows: 1 is in proportion, 2 with the square. ``NETFLIX_SCALE=4`` measures
four times the sizes.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import log
from pathlib import Path

from netflix_dagster_tests import scaled

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
SCALE = float(os.environ.get("NETFLIX_SCALE") or 1)
TITLES, PLACES, RECORDS = (2_000, 8_000, 32_000), (10_000, 40_000, 160_000), (25_000, 100_000)
RELEASES, OF_TITLES = (1, 10, 40), 200
WORTH_NAMING = 0.3
"""Tables that take fewer seconds of the largest size are not named: their exponents are noise."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call took: CPU seconds, also of each table, and megabytes at the most."""

    seconds: float
    memory: int
    tables: dict[str, float] = field(default_factory=dict)


def build(landing: Path, lake: Path, feed: str, only: Sequence[str], last: int) -> Cost:
    """Build the newest ``last`` deliveries of a feed in this process; all of them for 0."""
    import deltalake  # noqa: F401  what any process imports once is not what grows

    from netflix_dagster.build.runner import Session
    from netflix_dagster.contracts.graph import feed_tables
    from netflix_dagster.engine import sessions
    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.landing.sources import load_sources
    from netflix_dagster.settings import Settings

    settings, sources = Settings(landing=landing, lake=lake), load_sources()
    sessions.session(settings).range(1).toArrow()
    days = sorted({found.date for found in list_landing(landing, sources).deliveries})[-last:]
    started, tables = _cpu(), {}
    with Session(settings, sources, "bench", only or feed_tables(feed), {feed: days}) as session:
        for name in session.tables:
            before = _cpu()
            assert not session.build(name).held_back, f"{name} is held back"
            tables[name] = _cpu() - before
    return Cost(_cpu() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, tables)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(scratch: Path, feed: str = "catalogue", only: Sequence[str] = (), last: int = 0) -> Cost:
    """``build`` in a process of its own."""
    call = json.dumps([str(scratch / "landing"), str(scratch / "lake"), feed, list(only), last])
    left_out = ("DAGSTER_HOME", "NETFLIX_LANDING", "NETFLIX_LAKE")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        [sys.executable, "-m", __name__ if __name__ != "__main__" else "netflix_dagster_tests.bench_scale", call],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """How a cost grows from the second largest size to the largest."""
    return log(costs[-1] / costs[-2]) / log(sizes[-1] / sizes[-2])


def line(what: str, sizes: Sequence[int], costs: Sequence[Cost]) -> str:
    """One row of the page: a cost at some sizes, and its exponent."""
    cells = " / ".join(f"{cost.seconds:.1f}" for cost in costs)
    memory = " / ".join(f"{cost.memory:,}" for cost in costs)
    grows = f"{exponent(sizes, [cost.seconds for cost in costs]):.2f}" if len(costs) > 1 else ""
    return f"| {what} | {cells} | {memory} | {grows} |"


def growing(sizes: Sequence[int], costs: Sequence[Cost]) -> list[str]:
    """The tables that take longest at the largest size, and how each grows."""
    slow = {name: cost for name, cost in costs[-1].tables.items() if cost >= WORTH_NAMING}
    named = sorted(slow, key=lambda name: -slow[name])[:8]
    return [
        f"| {name} | {' / '.join(f'{cost.tables[name]:.2f}' for cost in costs)} | |"
        f" {exponent(sizes, [cost.tables[name] for cost in costs]):.2f} |"
        for name in named
    ]


def lines(scratch: Path) -> Iterable[str]:
    """Every measurement, one after the other."""
    titles, places, records = ([round(n * SCALE) for n in sizes] for sizes in (TITLES, PLACES, RECORDS))
    costs = []
    for n in titles:
        scaled.release(scratch / f"titles-{n}" / "landing", n)
        costs.append(measured(scratch / f"titles-{n}"))
    yield line(f"one release of {_sizes(titles)} titles", titles, costs)
    yield from growing(titles, costs)
    largest = scratch / f"titles-{titles[-1]}"
    scaled.release(largest / "landing", titles[-1], 1)
    second = measured(largest, last=1)
    yield line(f"a second release of {titles[-1]:,} titles, {scaled.CHANGED:.0%} changed", titles[-1:], [second])

    together, following = [], []
    for n in RELEASES:
        house = scratch / f"releases-{n}"
        for number in range(n):
            scaled.release(house / "landing", OF_TITLES, number)
        together.append(measured(house))
        scaled.release(house / "landing", OF_TITLES, n)
        following.append(measured(house, last=1))
    yield line(f"{_sizes(RELEASES)} releases of {OF_TITLES} titles in one call", RELEASES, together)
    yield line("the next one after them", RELEASES, following)

    costs = []
    for n in places:
        scaled.charts(scratch / f"places-{n}" / "landing", n)
        costs.append(measured(scratch / f"places-{n}", "charts"))
    yield line(f"a first delivery of {_sizes(places)} chart places", places, costs)
    yield from growing(places, costs)

    costs, sizes = [], []
    for n in records:
        file = scaled.release(scratch / f"records-{n}" / "landing", n)
        sizes.append(file.stat().st_size)
        costs.append(measured(scratch / f"records-{n}", only=[f"bronze.{scaled.WHOLE}"]))
    megabytes = " / ".join(f"{size / 1e6:.0f}" for size in sizes)
    yield line(f"a file of {megabytes} MB through the door into bronze", sizes, costs)


def _sizes(sizes: Sequence[int]) -> str:
    return " / ".join(f"{size:,}" for size in sizes)


def page(rows: Iterable[str]) -> str:
    """docs/performance.md."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"
    return "\n".join(
        [
            "# How costs grow",
            "",
            f"Written by `make bench-scale` on {datetime.now(UTC):%Y-%m-%d}, on {machine}; scale {SCALE:g}.",
            "Deliveries are drawn from the sample and built by the embedded engine, without Dagster. Seconds are of",
            "the CPU, all cores together, of one process each; memory is its peak. The exponent is that of the seconds",
            "between the two largest sizes: 1 grows in proportion. Below a line are the tables that take most of it.",
            "",
            "| what | CPU seconds | MB | exponent |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Measure everything and write the page; or, called with what to build, build it and print what it took."""
    if len(sys.argv) > 1:
        landing, lake, feed, only, last = json.loads(sys.argv[1])
        sys.stdout.write(json.dumps(asdict(build(Path(landing), Path(lake), feed, only, last))) + "\n")
        return

    def told(rows: Iterable[str]) -> Iterable[str]:
        for row in rows:
            sys.stdout.write(row + "\n")
            sys.stdout.flush()
            yield row

    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(told(lines(Path(folder)))))


if __name__ == "__main__":
    main()
