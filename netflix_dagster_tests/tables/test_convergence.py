"""Chart deliveries in any order, alone or together, repeated, corrected, interrupted or garbage: the same tables.

Random deliveries are landed and built; after every step the gold tables must be what the oracle makes of what has
landed so far, and in the end every table must be as if it had been built at once from nothing.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.real.charts_oracle import Charts

pytestmark = pytest.mark.usefixtures("spark")
EXAMPLES = int(os.environ.get("NETFLIX_SOAK") or examples(2))
DAYS = [date(2026, 1, day) for day in (6, 13, 20, 27)]
WEEKS = ["2025-12-28", "2026-01-04"]
TITLES = ["Red", "Blue", "RED"]
SEASONS = ["", "N/A", "Red: Season 1", "Season 2"]
GARBAGE = [b"", b"null", b'<a href="https://charts.example">Moved Permanently</a>.\n\n', b"<html>\n</html>\n"]
CARRIED = {
    # column, or what it was called later: what stands there
    "weekly_hours_viewed": ["", "0", "100000", "250,000", "12,34", str(2**63 - 1)],
    "runtime": ["", "0", "1.5", "2:00", "1,97"],
    "weekly_views": ["", "N/A", "50000", "70000", "-1"],
    "views": ["", "60000"],
    "cumulative_weeks_in_top_10": ["", "1", "2"],
    "is_staggered_launch": ["", "false", "true"],
    "episode_launch_details": ["", '"[{""episodesLaunched"":1}]"', '"[{""episodesLaunched"":2}]"'],
}
# Few places, so that deliveries speak of the same ones.
PLACE = {
    "top10_global": {
        "week": WEEKS,
        "category": ["Films (English)", "TV (Non-English)"],
        "weekly_rank": ["1", "2", "3"],
    },
    "top10_countries": {
        "country_iso2": ["TR", "AR"],
        "week": WEEKS[:1],
        "category": ["Films (English)", "Films", "TV"],
        "weekly_rank": ["1", "2"],
    },
    "most_popular": {"category": ["Films (English)", "TV (English)"], "rank": ["1", "2"]},
}
ALWAYS = {
    "top10_global": {"show_title": TITLES},
    "top10_countries": {"show_title": TITLES, "country_name": ["Turkey", "Türkiye"]},
    "most_popular": {"show_title": TITLES},
}
SOMETIMES = {
    "top10_global": {"season_title": SEASONS, **CARRIED},
    "top10_countries": {"season_title": SEASONS, "cumulative_weeks_in_top_10": ["", "1", "2"]},
    "most_popular": {"season_title": SEASONS, "runtime": ["", "0", "1.5"]},
}
EXPECTED = (
    "gold.fact_top10_global_weekly",
    "gold.fact_top10_country_weekly",
    "gold.fact_top10_restatement",
    "gold.fact_most_popular",
    "gold.dim_week",
)
VERDICTS = ("silver.top10_global_deliveries", "silver.top10_countries_deliveries")
FIGURES = "gold.kpi_top10"


@dataclass(frozen=True)
class Landed:
    """A file that lands."""

    source: str
    day: date
    data: bytes

    @property
    def garbage(self) -> bool:
        return self.data in GARBAGE


@st.composite
def files(draw: st.DrawFn, source: str) -> bytes:
    """A readable file of a source: a few places, some of them twice, with the columns that it has. Some values are
    none, so that the record is refused.
    """
    place = PLACE[source]
    others = [name for name in sorted(SOMETIMES[source]) if draw(st.integers(0, 2))]
    if "weekly_views" in others and "views" in others:
        others.remove("views")
    said = {**ALWAYS[source], **{name: SOMETIMES[source][name] for name in others}}
    if source == "most_popular":
        for days in draw(st.sampled_from(((28,), (91,), (28, 91)))):
            said |= {f"hours_viewed_first_{days}_days": ["", "300000", "400000"]}
            if draw(st.booleans()):
                said |= {f"views_first_{days}_days": ["", "200000"]}
    places = draw(
        st.lists(
            st.fixed_dictionaries({name: st.sampled_from(values) for name, values in place.items()}),
            min_size=2,
            max_size=6,
            unique_by=lambda at: tuple(at[name].replace("Films (English)", "Films") for name in place),
        )
    )
    twice = draw(st.lists(st.sampled_from(places), max_size=len(places)))
    values = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in said.items()})
    records = [{**at, **draw(values)} for at in draw(st.permutations(places + twice))]
    seasonal = {"is_seasonal": "yes"} if draw(st.integers(0, 3)) == 3 else {}  # no column of the source
    records = [{**record, **seasonal} for record in records]
    names = draw(st.permutations([*place, *said, *seasonal]))
    lines = ["\t".join(names), *("\t".join(record[name] for name in names) for record in records)]
    return ("\n".join(lines) + draw(st.sampled_from(("", "\n")))).encode()


@st.composite
def landings(draw: st.DrawFn) -> Landed:
    """Mostly weekly charts, which say things anew."""
    source = draw(st.sampled_from(("top10_global", "top10_global", "top10_countries", "most_popular")))
    said = st.sampled_from(GARBAGE) if draw(st.integers(0, 5)) == 5 else files(source)
    return Landed(source, draw(st.sampled_from(DAYS)), draw(said))


cuts = st.one_of(st.none(), st.tuples(st.integers(0, 30), st.booleans()))
"""Where a build is interrupted: before which of its commits, or after it."""
steps = st.lists(st.tuples(st.lists(landings(), min_size=1, max_size=3), cuts), min_size=2, max_size=4)
"""What lands before each build, and where that is interrupted. A date may come again, with the same file or another."""


class Lake:
    """A landing folder and the tables of the charts that are built from it."""

    def __init__(self, root: Path, landing: Path | None = None) -> None:
        self.settings = Settings(landing=landing or root / "landing", lake=root / "lake")

    def land(self, file: Landed) -> None:
        folder = self.settings.landing / file.source / str(file.day)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "chart.tsv").write_bytes(file.data)

    def build(self, days: list[date]) -> None:
        """Build every table that the expected ones need. What is refused or held stays as it was."""
        keys = {"charts": [str(day) for day in days]}
        with Session(self.settings, SOURCES, "test", NEEDED, keys) as session:
            for name in session.tables:
                session.build(name)

    def build_interrupted(self, days: list[date], nth: int, after: bool) -> None:
        """Build, and lose the process before or after a commit."""
        commits = count()
        really = store.retrying

        def commit(work: Callable[[], Any]) -> Any:
            last = next(commits) == nth
            if last and not after:
                raise Interrupted
            done = really(work)
            if last:
                raise Interrupted
            return done

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Interrupted):
            patch.setattr(store, "retrying", commit)
            self.build(days)

    def rows(self, table: str, columns: list[str] | None = None) -> Counter[tuple[Any, ...]]:
        held = store.read_arrow(self.settings.lake, table)
        if held is None:
            return Counter()
        columns = columns or [name for name in held.column_names if name not in ("loaded_at", "run_id")]
        return Counter(zip(*(map(_hashable, held.column(name).to_pylist()) for name in columns), strict=True))


class Interrupted(BaseException):
    """The process is gone; nothing in it may catch this."""


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _needed() -> set[str]:
    found, ahead = set(), [*EXPECTED, *VERDICTS, FIGURES]
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead.extend(TABLES[name].reads)
    return found


NEEDED = _needed()
SOURCES = load_sources()


def expected(landed: list[Landed]) -> Charts:
    said = {source: [(f.day, f.data) for f in landed if f.source == source] for source in ALWAYS}
    return Charts.from_deliveries(said["top10_global"], said["top10_countries"], said["most_popular"])


def converges(folders: pytest.TempPathFactory, told: list[tuple[list[Landed], tuple[int, bool] | None]]) -> None:
    lake = Lake(folders.mktemp("steps"))
    landed: list[Landed] = []
    for batch, cut in told:
        readable = {(file.source, file.day) for file in [*landed, *batch] if not file.garbage}
        taken = [f for f in batch if not (f.garbage and (f.source, f.day) in readable)]  # what was accepted stays so
        for file in {(f.source, f.day): f for f in taken}.values():  # of two at once the door sees the last
            lake.land(file)
            landed.append(file)
        charts = expected(landed)
        days = list(dict.fromkeys(file.day for file in batch))
        if cut:
            lake.build_interrupted(days, *cut)
        lake.build(days)
        for table, rows in charts.rows.items():
            columns = list(rows[0]) if rows else None
            said = Counter(tuple(row[name] for name in columns) for row in rows) if columns else Counter()
            assert lake.rows(table, columns) == said, table
        figures = {key[:3]: key[3] for key in lake.rows(FIGURES, ["week", "kpi", "member", "value"])}
        assert figures == pytest.approx(charts.figures, rel=1e-9, abs=1e-12)
    restated = expected(landed).rows["gold.fact_top10_restatement"]
    event(f"restatements: {min(len(restated), 5)}")
    event(f"places that ended: {min(sum(r['field'] == 'show_title' and not r['said_now'] for r in restated), 5)}")
    if landed:
        lake.build([landed[0].day])  # once more, as it is
    anew = Lake(folders.mktemp("anew"))
    rounds: dict[int, list[Landed]] = {}
    for nth, file in enumerate(landed):
        again = sum((other.source, other.day) == (file.source, file.day) for other in landed[:nth])
        rounds.setdefault(again, []).append(file)
    for again in sorted(rounds):  # in another order, but what came again for a date comes after what it had
        for file in reversed(rounds[again]):
            anew.land(file)
        anew.build(sorted({file.day for file in rounds[again]}))
    for table in sorted(NEEDED):
        assert lake.rows(table) == anew.rows(table), table


@pytest.mark.parametrize("tried", [EXAMPLES, pytest.param(100, marks=pytest.mark.soak)])
def test_deliveries_in_any_order_end_in_the_same_tables(tmp_path_factory: pytest.TempPathFactory, tried: int) -> None:
    """What fails is not made smaller: that would take hours, and what lands is small already."""

    @settings(
        max_examples=tried,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(told=steps)
    def each(told: list[tuple[list[Landed], tuple[int, bool] | None]]) -> None:
        converges(tmp_path_factory, told)

    each()
