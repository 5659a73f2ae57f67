"""``make bench-scale``: how costs grow with deliveries, measured now on this machine, written to docs/performance.md.

The page has a part for each question. A part is written as soon as it is measured, with machine, date and load, and the
others stay as they are, so that parts can be measured alone, and a call that was ended can go on:
``NETFLIX_PARTS="door refused"``, or ``rest`` for those without a figure of this scale. ``NETFLIX_SCALE=0.1`` measures a
tenth of the sizes.

Each figure is of a process of its own: its CPU seconds, which other programs disturb less than the clock, and its peak
memory. The exponent of a cost says how it grows: 1 is in proportion, 2 with the square.
"""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import Any

from netflix_dagster_tests import scaled

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
SCALE = float(os.environ.get("NETFLIX_SCALE") or 1)
REST = "rest"
WORTH_NAMING = 0.3
"""Tables that take fewer seconds of the largest size are not named: their exponents are noise."""
BRONZE = f"bronze.{scaled.WHOLE}"
MEMORY, LIMIT = 1_500, 2_000
"""Megabytes that a bounded process is told to take at the most, and those at which the system refuses it more."""
_GROUPS, _GROUP = Path("/sys/fs/cgroup"), "netflix-dagster-"
_HEAD = """# How costs grow

Written by `make bench-scale`; every part says when, on what and at which scale. Deliveries are drawn from the sample
and built without Dagster, by the embedded engine unless a row names another. Seconds are of the CPU, all cores
together, of one process each; memory is its peak. The exponent is that of the seconds between the two largest sizes: 1
grows in proportion. Below a line are the tables that take most of it. `NETFLIX_PARTS="door refused" make bench-scale`
measures some parts again, `NETFLIX_PARTS=rest` those that have no figures of this scale, `NETFLIX_SCALE=0.1` a tenth
of the sizes."""
_TABLE = "| what | CPU seconds | MB | exponent |\n| --- | --- | --- | --- |"


@dataclass(frozen=True, slots=True)
class Work:
    """What a process builds: deliveries of one feed, all of them or those of some ``days``; ``only`` some tables.

    ``memory`` is the setting, ``limit`` the megabytes that the system allows the process, see ``limited``.
    """

    house: str
    feed: str = "catalogue"
    only: Sequence[str] = ()
    days: Sequence[str] = ()
    engine: str = "sail"
    memory: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call took: CPU seconds, also of each table, and megabytes at the most."""

    seconds: float
    memory: int
    tables: dict[str, float] = field(default_factory=dict)


def build(work: Work) -> Cost:
    """Build in this process."""
    with limited(work.limit):
        return _built(work)


@contextmanager
def limited(megabytes: int | None) -> Iterator[None]:
    """Have the system end this process when it holds more: by a control group of its own, as a container has one.

    Where none can be made, the limit is on data (``RLIMIT_DATA``): address space counts there that is only reserved.
    """
    if megabytes is None:
        yield
        return
    for root, limit in ((_GROUPS / "memory", "memory.limit_in_bytes"), (_GROUPS, "memory.max")):
        group, me = root / f"{_GROUP}{os.getpid()}", str(os.getpid())
        try:
            before = root / _group_in(root) / "cgroup.procs"
            group.mkdir()
            (group / limit).write_text(str(megabytes << 20))
            (group / "cgroup.procs").write_text(me)
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        try:
            yield
        finally:
            before.write_text(me)
            group.rmdir()
        return
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))
    yield


def _group_in(root: Path) -> str:
    """The control group that this process is in, below the folder of its kind."""
    kind = "memory" if root.name == "memory" else ""
    said = [line.strip().split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    return next((path.lstrip("/") for _, kinds, path in said if kind in kinds.split(",")), "")


def _built(work: Work) -> Cost:
    import deltalake  # noqa: F401  what any process imports once is not what grows

    from netflix_dagster.build.runner import Session
    from netflix_dagster.contracts.graph import feed_tables
    from netflix_dagster.engine import sessions
    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.landing.sources import load_sources
    from netflix_dagster.settings import Settings

    house = Path(work.house)
    settings = Settings(
        landing=house / "landing",
        lake=house / f"lake-{work.engine}",
        engine=work.engine,  # type: ignore[arg-type]
        memory=work.memory,
    )
    sources = load_sources()
    sessions.session(settings).range(1).toArrow()
    days = work.days or sorted({found.date for found in list_landing(settings.landing, sources).deliveries})
    java = work.engine == "spark"
    started, tables = _cpu(java), {}
    with Session(settings, sources, "bench", work.only or feed_tables(work.feed), {work.feed: days}) as session:
        for name in session.tables:
            before = _cpu(java)
            assert not (held := session.build(name).held_back), f"{name} is held back: {held}"
            tables[name] = _cpu(java) - before
    return Cost(_cpu(java) - started, peak_memory(), tables)


def peak_memory() -> int:
    """Megabytes that this process has held at the most; ``ru_maxrss`` knows its parent's."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


def _cpu(java: bool = False) -> float:
    """CPU seconds of this process, and of the Java that it has started."""
    if not java:
        return time.process_time()
    ticks = os.sysconf("SC_CLK_TCK")
    used, me = 0.0, os.getpid()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue
        said = rest.rpartition(") ")[2].split()
        if int(pid) == me or (int(said[1]) == me and rest.startswith("java")):
            used += (int(said[11]) + int(said[12])) / ticks
    return used


def measured(work: Work) -> Cost:
    """``build`` in a process of its own."""
    left_out = ("DAGSTER_HOME", "NETFLIX_LANDING", "NETFLIX_LAKE", "NETFLIX_ENGINE", "NETFLIX_MEMORY")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    if work.limit:
        environment["MIMALLOC_ARENA_EAGER_COMMIT"] = "0"  # reserved only, it is no data for ``RLIMIT_DATA``
    done = subprocess.run(
        [sys.executable, "-m", "netflix_dagster_tests.bench_scale", json.dumps(asdict(work))],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    if done.returncode:
        for left in (group for root in (_GROUPS / "memory", _GROUPS) for group in root.glob(f"{_GROUP}*")):
            with suppress(OSError):  # another process is in it
                left.rmdir()
        raise RuntimeError(done.stderr or f"ended by signal {-done.returncode}, limited to {work.limit} MB")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """How a cost grows from the second largest size to the largest."""
    return log(costs[-1] / costs[-2]) / log(sizes[-1] / sizes[-2])


def line(what: str, costs: Sequence[Cost], sizes: Sequence[int] = ()) -> str:
    """One row of the page: a cost at some sizes, and its exponent."""
    cells = " / ".join(f"{cost.seconds:.1f}" for cost in costs)
    memory = " / ".join(f"{cost.memory:,}" for cost in costs)
    grows = f"{exponent(sizes, [cost.seconds for cost in costs]):.2f}" if sizes else ""
    return f"| {what} | {cells} | {memory} | {grows} |"


def growing(costs: Sequence[Cost], sizes: Sequence[int]) -> Iterator[str]:
    """The tables that take longest at the largest size, and how each grows."""
    slow = {name: cost for name, cost in costs[-1].tables.items() if cost >= WORTH_NAMING}
    for name in sorted(slow, key=lambda name: -slow[name])[:8]:
        took = [max(cost.tables[name], 0.01) for cost in costs]
        yield f"| {name} | {' / '.join(f'{one:.2f}' for one in took)} | | {exponent(sizes, took):.2f} |"


def titles(scratch: Path) -> Iterator[str]:
    """A release of a catalogue, and a second one"""
    sizes, costs = _sized(8_000, 80_000, 400_000), []
    for n in sizes:
        scaled.release(scratch / f"{n}" / "landing", n)
        costs.append(measured(Work(str(scratch / f"{n}"))))
    yield line(f"one release of {_said(sizes)} titles", costs, sizes)
    yield from growing(costs, sizes)
    last = sizes[-1]
    scaled.release(scratch / f"{last}" / "landing", last, 1)
    second = measured(Work(str(scratch / f"{last}"), days=[scaled.day(1)]))
    yield line(f"a second release of {last:,} titles, {scaled.CHANGED:.0%} changed", [second])


def engines(scratch: Path) -> Iterator[str]:
    """The same release by Sail and by Apache Spark"""
    from netflix_dagster.engine.sessions import missing
    from netflix_dagster.settings import Settings

    sizes = _sized(8_000, 80_000)
    for n in sizes:
        scaled.release(scratch / f"{n}" / "landing", n)
    for engine in ("sail", "spark"):
        why = missing(Settings(engine=engine))  # type: ignore[arg-type]
        if why:
            yield f"| {engine}: not measured, {why.splitlines()[0]} | | | |"
            continue
        costs = [measured(Work(str(scratch / f"{n}"), engine=engine)) for n in sizes]
        yield line(f"{engine}: one release of {_said(sizes)} titles (memory without Java)", costs, sizes)


def releases(scratch: Path) -> Iterator[str]:
    """Many deliveries in one call, and the next one after them"""
    numbers, together, following = _sized(1, 50, 200, 1000), [], []
    for n in numbers:
        house = scratch / f"{n}"
        for number in range(n):
            scaled.release(house / "landing", 500, number)
        together.append(measured(Work(str(house))))
        scaled.release(house / "landing", 500, n)
        following.append(measured(Work(str(house), days=[scaled.day(n)])))
    yield line(f"{_said(numbers)} releases of 500 titles in one call", together, numbers)
    yield line("the next one after them", following, numbers)


def scattered(scratch: Path) -> Iterator[str]:
    """Dates that are not neighbours"""
    for number in range(51):
        scaled.release(scratch / "landing", 500, number)
    yield line("51 releases of 500 titles", [measured(Work(str(scratch)))])
    for what, numbers in (("11 of them in a row", range(11)), ("11 scattered ones of them", range(0, 51, 5))):
        for number in numbers:
            scaled.release(scratch / "landing", 501, number)
        yield line(f"{what}, changed", [measured(Work(str(scratch), days=[scaled.day(n) for n in numbers]))])


def places(scratch: Path) -> Iterator[str]:
    """The first delivery of a chart"""
    sizes, costs = _sized(30_000, 300_000, 3_000_000), []
    for n in sizes:
        scaled.charts(scratch / f"{n}" / "landing", n)
        costs.append(measured(Work(str(scratch / f"{n}"), "charts")))
    yield line(f"{_said(sizes)} places", costs, sizes)
    yield from growing(costs, sizes)


def weekly(scratch: Path) -> Iterator[str]:
    """Many deliveries of a chart, each of all its weeks, in one call, and the next one after them"""
    numbers, together, following = _sized(1, 8, 40), [], []
    for n in numbers:
        house = scratch / f"{n}"
        for number in range(n):
            scaled.charts(house / "landing", 10_000, number)
        together.append(measured(Work(str(house), "charts")))
        scaled.charts(house / "landing", 10_000, n)
        following.append(measured(Work(str(house), "charts", days=[scaled.chart_day(n)])))
    yield line(f"{_said(numbers)} deliveries of 10,000 places in one call", together, numbers)
    yield from growing(together, numbers)
    yield line("the next one after them", following, numbers)
    yield from growing(following, numbers)


def door(scratch: Path) -> Iterator[str]:
    """A large file through the door and its gates into bronze, in bounded memory"""
    sizes, costs, bytes_ = _sized(34_000, 340_000, 3_400_000), [], []
    for n in sizes:
        bytes_.append(scaled.release(scratch / f"{n}" / "landing", n).stat().st_size)
        costs.append(measured(Work(str(scratch / f"{n}"), only=[BRONZE], memory=MEMORY, limit=LIMIT)))
    megabytes = " / ".join(f"{size / 1e6:,.0f}" for size in bytes_)
    what = f"{megabytes} MB, `NETFLIX_MEMORY={MEMORY}`, the process limited to {LIMIT:,} MB"
    yield line(what, costs, bytes_)


def bounded(scratch: Path) -> Iterator[str]:
    """A large file through every table of the catalogue, in bounded memory"""
    sizes, costs, bytes_ = _sized(34_000, 340_000, 3_400_000), [], []
    for n in sizes:
        bytes_.append(scaled.release(scratch / f"{n}" / "landing", n).stat().st_size)
        costs.append(measured(Work(str(scratch / f"{n}"), memory=MEMORY, limit=LIMIT)))
    megabytes = " / ".join(f"{size / 1e6:,.0f}" for size in bytes_)
    what = f"{megabytes} MB, `NETFLIX_MEMORY={MEMORY}`, the process limited to {LIMIT:,} MB"
    yield line(what, costs, bytes_)
    yield from growing(costs, bytes_)


def wide(scratch: Path) -> Iterator[str]:
    """Many columns that nobody named"""
    sizes, costs = _sized(10_000, 100_000), []
    for n in sizes:
        scaled.release(scratch / f"{n}" / "landing", n, columns=300)
        costs.append(measured(Work(str(scratch / f"{n}"), only=[BRONZE])))
    yield line(f"{_said(sizes)} records of 300 columns into bronze", costs, sizes)


def refused(scratch: Path) -> Iterator[str]:
    """Rows that are refused"""
    from netflix_dagster.deliveries import quarantine

    (n,) = _sized(100_000)
    for share, what in ((0.0, "none"), (0.4, "40%")):
        house = scratch / f"{share}"
        scaled.release(house / "landing", n, refused=share)
        yield line(f"{what} of {n:,} titles refused", [measured(Work(str(house)))])
    lake = scratch / "0.4" / "lake-sail"
    before = _cpu()
    listed = quarantine.rows(lake)
    what = f"`quarantine list`: {len(listed):,} rows that stand for {quarantine.size(listed):,}"
    yield line(what, [Cost(_cpu() - before, peak_memory())])


def files(scratch: Path) -> Iterator[str]:
    """Many files on one date"""
    numbers, costs = _sized(1, 100, 1000, 5000), []
    for n in numbers:
        for number in range(n):
            scaled.release(scratch / f"{n}" / "landing", 20, name=f"part-{number}.csv", first=20 * number)
        costs.append(measured(Work(str(scratch / f"{n}"))))
    yield line(f"{_said(numbers)} files of 20 titles", costs, numbers)


Part = Callable[[Path], Iterator[str]]
PARTS: dict[str, Part] = {
    part.__name__: part
    for part in (titles, engines, releases, scattered, places, weekly, door, bounded, wide, refused, files)
}


def _sized(*sizes: int) -> list[int]:
    """The sizes at this scale, those that are the same once."""
    return list(dict.fromkeys(max(1, round(n * SCALE)) for n in sizes))


def _said(sizes: Sequence[int]) -> str:
    return " / ".join(f"{size:,}" for size in sizes)


def written(page: str, name: str, rows: Sequence[str]) -> str:
    """The page with what was measured now of one part; the parts are in the order of ``PARTS``."""
    kept = sections(page)
    kept[name] = f"{measured_on()}\n\n{_TABLE}\n" + "\n".join(rows)
    said = [f"## {PARTS[part].__doc__}\n\n`{part}`: {kept[part]}" for part in PARTS if part in kept]
    return "\n\n".join([_HEAD, *said]) + "\n"


def sections(page: str) -> dict[str, str]:
    """What the page says of each part."""
    found = re.finditer(r"^## .*\n\n`(\w+)`: ((?:.|\n)*?)(?=\n## |\Z)", page, re.MULTILINE)
    return {part[1]: part[2].strip() for part in found}


def measured_on() -> str:
    """When and on what; the load says how many others wanted the cores meanwhile."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}"
    return f"{_at_scale()} on {datetime.now(UTC):%Y-%m-%d}, {machine}, load {os.getloadavg()[1]:.0f}."


def _at_scale() -> str:
    return f"measured at scale {SCALE:g}"


def wanted(page: str, asked: str) -> list[str]:
    """The parts to measure: those that are asked for, all, or those without figures of this scale."""
    if asked == REST:
        known = sections(page)
        return [part for part in PARTS if not known.get(part, "").startswith(f"{_at_scale()} ")]
    if unknown := sorted(set(asked.split()) - set(PARTS)):
        sys.exit(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}, and {REST}")
    return asked.split() or list(PARTS)


def main() -> None:
    """Measure the parts and write each to the page; or, called with what to build, build it and print what it took."""
    if len(sys.argv) > 1:
        said: dict[str, Any] = json.loads(sys.argv[1])
        sys.stdout.write(json.dumps(asdict(build(Work(**said)))) + "\n")
        return
    failed = []
    for name in wanted(PAGE.read_text(), os.environ.get("NETFLIX_PARTS", "")):
        rows: list[str] = []
        with tempfile.TemporaryDirectory() as folder:
            try:
                for row in PARTS[name](Path(folder)):
                    rows.append(row)
                    sys.stdout.write(f"{row}\n")
                    sys.stdout.flush()
            except RuntimeError as error:
                sys.stderr.write(f"{name}: {error}\n")
                failed.append(name)
                continue
        PAGE.write_text(written(PAGE.read_text(), name, rows))
    sys.exit(f"not measured: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
