"""What stands is what a model of a page says: random deliveries, replacements, refusals, holds, decisions and kills.

The model knows nothing of the code: it keeps which contents were seen of each date, in which order, and what people
decided, and works out what stands by going through the dates.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.graph import touched_tables, upstream_of
from netflix_dagster.deliveries import decisions, life
from netflix_dagster.deliveries.life import Status
from netflix_dagster.deliveries.pending import gone, pending
from netflix_dagster.lake import store
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.lakehouse import Lakehouse, title

WHOLE = "netflix_catalogue"
DAYS = ("2020-01-01", "2020-02-01", "2020-03-01")
LISTS = ("cast", "directors", "countries", "genres")
JUDGED = [f"bronze.{WHOLE}", "silver.titles", *(f"silver.title_{name}" for name in LISTS), "silver.releases"]
GOLD = ("gold.dim_genre", "gold.dim_rating", "gold.fact_catalogue_change", "gold.kpi_catalogue")
WITH_GOLD = [name for name in touched_tables("catalogue", [WHOLE]) if name in upstream_of(GOLD)]
MOST_LOST, FEW = 0.2, 10
CONTENTS = {
    "thirty": range(30),
    "thirty others": range(20, 50),
    "twenty-nine": range(29),
    "twelve": range(12),
    "two": range(2),
    "garbage": None,
    "mangled": None,
}
"""Titles that a file names. Garbage is no table at all; of the mangled one most rows are refused."""


WHAT = ["land", "build all", "build one", "withdraw", "remove", *["land and build", "kill", "accept"] * 2]
"""What may happen next; some of it more often than the rest."""
KILLS = st.tuples(st.integers(0, 20), st.booleans())


class Killed(BaseException):
    """The process is gone."""


class Model:
    """What stands, by the book."""

    def __init__(self) -> None:
        self.landed: dict[str, str] = {}
        self.seen: dict[str, list[str]] = {day: [] for day in DAYS}
        self.accepted: set[tuple[str, str]] = set()
        self.withdrawn: set[tuple[str, str]] = set()

    def see(self, days: list[str]) -> None:
        """A build looks at what lies in landing on some days."""
        for day in days:
            content = self.landed.get(day)
            if content and (not self.seen[day] or self.seen[day][-1] != content):
                if content in self.seen[day]:
                    self.seen[day].remove(content)
                self.seen[day].append(content)

    def verdicts(self) -> dict[str, tuple[str | None, str | None]]:
        """Of every day what stands, and why the newest content does not: refused, or held by rows or release."""
        found = {}
        before: set[int] = set()
        for day in DAYS:
            stands, newest = None, None
            for place, content in enumerate(reversed(self.seen[day])):
                why = self._why_not(day, content, before)
                if place == 0:
                    newest = why
                if why is None:
                    stands = content
                    break
            found[day] = (stands, newest)
            if stands:
                before = set(CONTENTS[stands] or ())
        return found

    def _why_not(self, day: str, content: str, before: set[int]) -> str | None:
        if (day, content) in self.withdrawn:
            return "withdrawn"
        if CONTENTS[content] is None:
            return "refused" if content == "garbage" else "rows"
        lost = before - set(CONTENTS[content] or ())
        cut_short = len(lost) >= FEW and len(lost) > MOST_LOST * len(before)
        return "release" if cut_short and (day, content) not in self.accepted else None


class Deliveries(RuleBasedStateMachine):
    """Deliveries come, are built, decided upon and killed; after every build the tables are what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.house, self.model, self.runs = Lakehouse(self.folder), Model(), 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(day=st.sampled_from(DAYS))
    def first(self, day: str) -> None:
        self.land(day, "thirty")
        self.build_all()

    @rule(what=st.sampled_from(WHAT), day=st.sampled_from(DAYS), content=st.sampled_from(sorted(CONTENTS)), at=KILLS)
    def step(self, what: str, day: str, content: str, at: tuple[int, bool]) -> None:
        """One rule for all: of several, Hypothesis leaves most out of most histories."""
        if what in ("land", "land and build"):
            self.land(day, content)
        if what in ("build all", "land and build"):
            self.build_all()
        elif what == "build one":
            self.build_one(day)
        elif what == "kill":
            self.land(day, content)
            self.build_and_be_killed(day, *at)
        elif what == "accept":
            self.accept(day)
        elif what == "withdraw":
            self.withdraw(day)
        elif what == "remove":
            self.remove_file(day)

    def land(self, day: str, content: str) -> None:
        numbers = CONTENTS[content]
        if content == "garbage":
            self.house.land(WHOLE, day, "null")
        elif numbers is None:
            self.house.release(day, *(title(n, release_year="soon") for n in range(5)), title(60))
        else:
            self.house.release(day, *map(title, numbers))
        self.model.landed[day] = content

    def build_all(self) -> None:
        """Everything that is pending, as ``run`` and the sensors build it."""
        listing = list_landing(self.house.landing, self.house.sources)
        now = self.house.life
        life.record(self.house.tables, gone(listing, now))
        days = [piece.date for piece in pending(listing, self.house.sources, now)]
        if days:
            self._build(days)
        self.model.see(list(DAYS))
        self._compare()

    def build_one(self, day: str) -> None:
        """One date alone, whatever else is pending, as a backfill does."""
        if self.model.landed.get(day) or self.model.seen[day]:
            self._build([day])
            self.model.see([day])
            self._compare()

    def build_and_be_killed(self, day: str, commit: int, before: bool) -> None:
        """A build is killed at one of its commits; the next one goes on from there."""
        with _killed_at(commit, before) as hit:
            session = Session(self.house.settings, self.house.sources, self._run(), JUDGED, {"catalogue": [day]})
            try:
                for name in session.tables:
                    session.build(name)
                session.__exit__(None, None, None)
            except Killed:
                session._stack.close()  # the lock ends with its process
        event(f"killed: {hit[0]}")
        self.build_all()

    def accept(self, day: str) -> None:
        why = self.model.verdicts()[day][1]
        newest = self.model.seen[day][-1:]
        if why == "release" and self._is_held(day):
            decisions.accept(self.house.tables, "catalogue", day, "a closed market")
            self.model.accepted.add((day, newest[0]))
            event("accepted")
        elif why in (None, "refused", "rows"):
            with pytest.raises(decisions.DecisionError):
                decisions.accept(self.house.tables, "catalogue", day, "a closed market")

    def withdraw(self, day: str) -> None:
        if self.model.seen[day] and (day, self.model.seen[day][-1]) not in self.model.withdrawn:
            decisions.withdraw(self.house.tables, WHOLE, day, "sent by mistake")
            self.model.withdrawn |= {(day, content) for content in self.model.seen[day]}
            event("withdrawn")
            self.build_all()

    def remove_file(self, day: str) -> None:
        """A file that leaves landing takes no rows along."""
        if self.model.landed.pop(day, None):
            shutil.rmtree(self.house.landing / WHOLE / day)

    @invariant()
    def readers_see_only_what_stands_or_stood(self) -> None:
        """Bronze and silver speak of the same dates, at every moment between two builds."""
        assert self.house.days(f"bronze.{WHOLE}") == self.house.days("silver.titles")

    def _build(self, days: list[str]) -> None:
        with Session(self.house.settings, self.house.sources, self._run(), JUDGED, {"catalogue": days}) as session:
            reports = list(session.run())
        assert session.failed == {} and len(reports) == len(JUDGED)

    def _run(self) -> str:
        self.runs += 1
        return f"run {self.runs}"

    def _is_held(self, day: str) -> bool:
        return self.house.delivery(WHOLE, day).newest.status is Status.HELD

    def _compare(self) -> None:
        verdicts = self.model.verdicts()
        for day, (stands, newest) in verdicts.items():
            rows = [row for row in self.house.rows("silver.titles") if str(row["delivery_date"]) == day]
            numbers = set(CONTENTS[stands] or ()) if stands else set()
            assert {int(row["show_id"][1:]) for row in rows} == numbers, (day, stands)
            for name in LISTS:
                listed = [row for row in self.house.rows(f"silver.title_{name}") if str(row["delivery_date"]) == day]
                assert {int(row["show_id"][1:]) for row in listed} == numbers, (day, stands, name)
            if self.model.seen[day]:
                status = self.house.delivery(WHOLE, day).newest.status
                if newest is None:
                    assert status is Status.STANDING
                elif newest != "withdrawn":
                    assert status is (Status.REFUSED if newest == "refused" else Status.HELD), (day, newest)
            event(f"{newest or 'stands'}")


@contextmanager
def _killed_at(commit: int, before: bool) -> Iterator[list[bool]]:
    """The process ends at one of its commits to the lake, before it or right after."""
    left, hit = [commit], [False]

    def killing(write: Any) -> Any:
        def written(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            now = left[0] < 0 and not hit[0]
            if now and before:
                hit[0] = True
                raise Killed
            done = write(*arguments, **named)
            if now:
                hit[0] = True
                raise Killed
            return done

        return written

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "write", killing(store.write))
        patched.setattr(store, "write_batches", killing(store.write_batches))
        patched.setattr(store, "write_arrow", killing(store.write_arrow))
        yield hit


Deliveries.TestCase.settings = settings(
    max_examples=int(os.environ.get("NETFLIX_SOAK") or examples(2)),
    stateful_step_count=8,
    deadline=None,
    derandomize=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink] if os.environ.get("NETFLIX_SOAK") else [Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestDeliveries = Deliveries.TestCase
TestDeliveries.pytestmark = [pytest.mark.usefixtures("spark")]


def test_gold_is_as_if_only_what_stands_had_ever_come(tmp_path: Path) -> None:
    """Whatever a lake went through, its gold is that of a lake which saw nothing but what stands."""
    troubled = Lakehouse(tmp_path / "troubled")
    for day, numbers in (("2020-02-01", range(2)), ("2020-01-01", range(30)), ("2020-03-01", range(31))):
        troubled.release(day, *map(title, numbers))
    troubled.build("2020-02-01", only=WITH_GOLD)
    troubled.build("2020-01-01", "2020-03-01", only=WITH_GOLD)
    troubled.release("2020-03-01", *map(title, range(3)))
    troubled.build("2020-03-01", only=WITH_GOLD)
    quiet = Lakehouse(tmp_path / "quiet")
    for day, numbers in (("2020-01-01", range(30)), ("2020-03-01", range(31))):
        quiet.release(day, *map(title, numbers))
    quiet.build("2020-01-01", "2020-03-01", only=WITH_GOLD)
    assert troubled.contents("bronze", "gold") == quiet.contents("bronze", "gold")
    assert [name for name, rows in quiet.contents("silver").items() if troubled.contents("silver")[name] != rows] == [
        "silver.releases"
    ]
