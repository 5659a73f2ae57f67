"""The life of a delivery, folded from its events, and what is still to be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import downstream_of, feed_tables
from netflix_dagster.deliveries import decisions
from netflix_dagster.deliveries.life import Decision, Event, Life, Status, combination_id, record
from netflix_dagster.deliveries.pending import MOST_TRIES, gone, pending, to_request
from netflix_dagster.landing.deliveries import Listing, list_landing
from netflix_dagster.landing.sources import load_sources

FEED, DAY, WHOLE, CAST = "catalogue", "2020-01-01", "netflix_catalogue", "netflix_cast"
SOURCES = load_sources()
EVERY = tuple(feed_tables(FEED))
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


class Told:
    """Events, one a minute."""

    def __init__(self) -> None:
        self.life = Life()
        self.minutes = 0

    def tell(self, status: Status, fingerprint: str | None = None, source: str | None = WHOLE, **more: Any) -> Told:
        self.minutes += 1
        at = BEGINNING + timedelta(minutes=self.minutes)
        more = {"mark": fingerprint and f"mark of {fingerprint}", **more}
        self.life.add(Event(status, FEED, DAY, source=source, fingerprint=fingerprint, at=at, **more))
        return self

    def begin(self, run_id: str = "run", tables: tuple[str, ...] = EVERY) -> Told:
        return self.tell(Status.BEGUN, source=None, tables=tables, run_id=run_id)

    def end(self, outcome: str = "built", run_id: str = "run", tables: tuple[str, ...] = EVERY) -> Told:
        return self.tell(Status.ENDED, source=None, tables=tables, run_id=run_id, outcome=outcome)

    def stand(self, fingerprint: str) -> Told:
        return self.tell(Status.ACCEPTED, fingerprint).begin().tell(Status.STANDING, fingerprint).end()

    def states(self) -> dict[str, Status]:
        return {f: attempt.status for f, attempt in self.life.deliveries[WHOLE, DAY].attempts.items()}

    @property
    def standing(self) -> dict[str, str]:
        return self.life.standing(FEED, DAY)

    @property
    def due(self) -> set[str]:
        return self.life.due(FEED, DAY)


def test_what_is_accepted_is_due_until_its_tables_were_built() -> None:
    told = Told().tell(Status.ACCEPTED, "f1")
    assert told.standing == {} and told.due <= set(EVERY)
    assert {"bronze.netflix_catalogue", "silver.titles", "gold.dim_title"} <= told.due
    judged = tuple(name for name in EVERY if TABLES[name].judged_by_delivery)
    told.begin().tell(Status.STANDING, "f1").end(tables=judged)
    assert told.standing == {WHOLE: "f1"}
    assert told.due == {name for name in EVERY if name not in judged} != set()
    assert told.begin("run2").end(run_id="run2").due == set()


def test_another_file_supersedes_what_stands_only_when_it_stands_itself() -> None:
    told = Told().stand("f1").tell(Status.ACCEPTED, "f2")
    assert (told.states(), told.standing) == ({"f1": Status.STANDING, "f2": Status.ACCEPTED}, {WHOLE: "f1"})
    told.begin().tell(Status.HELD, "f2", table_name="silver.releases", rule="release_complete", reason="too few").end()
    assert told.standing == {WHOLE: "f1"}
    held = told.life.deliveries[WHOLE, DAY].newest
    assert (held.why, held.waits, told.due) == ("silver.releases: too few", True, set())
    assert told.life.held() == [told.life.deliveries[WHOLE, DAY]]
    told.begin().tell(Status.STANDING, "f2").end()
    assert told.states() == {"f1": Status.SUPERSEDED, "f2": Status.STANDING}


def test_a_refused_file_is_another_attempt_and_changes_nothing_that_stands() -> None:
    told = Told().stand("f1").tell(Status.REFUSED, "f2", rule="readable", reason="empty")
    assert (told.standing, told.due) == ({WHOLE: "f1"}, set())
    assert told.life.deliveries[WHOLE, DAY].status is Status.REFUSED
    told.tell(Status.LANDED, "f1")
    assert told.life.deliveries[WHOLE, DAY].status is Status.STANDING, "the good file is back"
    assert told.due == set(told.life._touched(FEED, WHOLE)), "and is judged again, since it is the newest once more"


def test_combinations_are_of_what_is_accepted_and_the_newest_comes_first() -> None:
    told = Told().tell(Status.ACCEPTED, "f1").tell(Status.ACCEPTED, "c1", CAST).tell(Status.ACCEPTED, "f2")
    told.tell(Status.REFUSED, "c2", CAST, reason="empty")
    found = told.life.candidates(FEED, DAY, (WHOLE, CAST))
    assert found == [{CAST: "c1", WHOLE: "f2"}, {CAST: "c1", WHOLE: "f1"}, {WHOLE: "f1"}]
    assert told.life.candidates(FEED, DAY, (WHOLE,)) == [{WHOLE: "f2"}, {WHOLE: "f1"}]
    assert len({combination_id(combination) for combination in found}) == 3


def test_what_is_withdrawn_is_no_candidate_until_it_is_reopened() -> None:
    told = Told().stand("f1").tell(Status.DECIDED, "f1", decision=Decision.WITHDRAW)
    assert told.life.candidates(FEED, DAY, (WHOLE,)) == []
    assert told.due and told.life.deliveries[WHOLE, DAY].status is Status.WITHDRAWN
    told.begin().tell(Status.SUPERSEDED, "f1").end().tell(Status.LANDED, "f1")
    assert told.life.candidates(FEED, DAY, (WHOLE,)) == [], "the same file may go on to lie in landing"
    told.tell(Status.DECIDED, "f1", decision=Decision.REOPEN)
    assert told.life.candidates(FEED, DAY, (WHOLE,)) == [{WHOLE: "f1"}]


def test_a_decision_speaks_of_one_attempt() -> None:
    told = Told().stand("f1").tell(Status.ACCEPTED, "f2").begin()
    told.tell(Status.HELD, "f2", table_name="silver.releases", reason="too few").end()
    told.tell(Status.DECIDED, "f2", decision=Decision.ACCEPT, decided_by="ravik", decided_because="right")
    assert told.due, "what was decided is built"

    def in_force(**combination: str) -> list[tuple[str, str, str]]:
        return decisions.in_force(told.life, {DAY: combination}, (WHOLE,))

    assert in_force(**{WHOLE: "f2"}) == [(DAY, "ravik", "right")]
    assert in_force(**{WHOLE: "f1"}) == []


def test_a_build_that_was_lost_or_failed_leaves_its_tables_due() -> None:
    told = Told().stand("f1").begin("killed")
    assert told.due == set(EVERY)
    assert told.begin("next").end("failed", "next", ()).due == set(EVERY)
    date = told.life.dates[FEED, DAY]
    assert (date.failed, date.open) == (1, {}), "one build at a time: the one before was lost"
    assert told.begin("last").end(run_id="last").due == set() and date.failed == 0


def test_events_are_kept_as_they_were_told(tmp_path: Path) -> None:
    events = [
        Event(Status.ACCEPTED, FEED, DAY, source=WHOLE, fingerprint="f1", mark="m", files=1, bytes=2, records=3),
        Event(Status.BEGUN, FEED, DAY, tables=("silver.titles",), run_id="run"),
        Event(Status.STANDING, FEED, DAY, source=WHOLE, fingerprint="f1", run_id="run"),
        Event(Status.DECIDED, FEED, DAY, source=WHOLE, fingerprint="f1", decision=Decision.WITHDRAW, decided_by="me"),
    ]
    kept = record(tmp_path, events)
    assert Life.read(tmp_path).deliveries == Life.of(kept).deliveries
    assert Life.read(tmp_path).version == 1


# What is to be done


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    for day in ("2020-01-02", DAY):
        file = tmp_path / WHOLE / day / "t.csv"
        file.parent.mkdir(parents=True)
        file.write_text(day)
    return list_landing(tmp_path, SOURCES)


def days(listing: Listing, life: Life, **how: bool) -> list[str]:
    return [piece.date for piece in pending(listing, SOURCES, life, **how)]


def test_what_is_new_is_pending_oldest_first(listing: Listing) -> None:
    new = pending(listing, SOURCES, Life())
    assert [(p.feed, p.date, p.sources) for p in new] == [(FEED, DAY, (WHOLE,)), (FEED, "2020-01-02", (WHOLE,))]
    assert set(new[0].tables) >= {"bronze.netflix_catalogue", "silver.titles", "gold.dim_title"}
    assert new[0].identity != new[1].identity


def test_what_was_taken_up_is_pending_until_it_is_built_or_changes(listing: Listing, tmp_path: Path) -> None:
    first, second = listing.deliveries
    told = Told().tell(Status.ACCEPTED, "f1", mark=first.fingerprint)
    assert days(listing, told.life) == [first.date, second.date]
    told.begin()
    (open_piece, _) = pending(listing, SOURCES, told.life)
    assert open_piece.begun and to_request([open_piece], at_work=True) == []
    assert to_request([open_piece], at_work=False) == [open_piece], "a build that was lost long ago"
    told.tell(Status.STANDING, "f1").end()
    assert days(listing, told.life) == [second.date] == days(listing, told.life, again=True)
    (tmp_path / WHOLE / DAY / "t.csv").write_text("mended")
    assert days(list_landing(tmp_path, SOURCES), told.life) == [first.date, second.date]


@pytest.mark.parametrize("status", [Status.REFUSED, Status.HELD])
def test_what_waits_is_pending_when_it_is_asked_for_or_reopened(listing: Listing, status: Status) -> None:
    first, second = listing.deliveries
    told = Told().tell(Status.ACCEPTED, "f1", mark=first.fingerprint).begin().tell(status, "f1", mark=None).end()
    assert days(listing, told.life) == [second.date]
    assert days(listing, told.life, again=True) == [first.date, second.date]
    told.tell(Status.DECIDED, "f1", decision=Decision.REOPEN)
    assert days(listing, told.life) == [first.date, second.date]


def test_what_fails_again_and_again_is_left_to_a_person(listing: Listing) -> None:
    told = Told().tell(Status.ACCEPTED, "f1", mark=listing.deliveries[0].fingerprint)
    identities = set()
    for tries in range(MOST_TRIES + 1):
        (piece, _) = pending(listing, SOURCES, told.life)
        assert (piece.tries, bool(to_request([piece], at_work=False))) == (tries, tries < MOST_TRIES)
        identities.add(piece.identity)
        told.begin(f"run{tries}").end("failed", f"run{tries}", ())
    assert len(identities) == MOST_TRIES + 1, "each is another piece of work"


def test_a_file_that_left_is_told_unless_nothing_is_there_at_all(listing: Listing, tmp_path: Path) -> None:
    told = Told().stand("f1")
    assert gone(listing, told.life) == []
    (tmp_path / WHOLE / DAY / "t.csv").unlink()
    (event,) = gone(list_landing(tmp_path, SOURCES), told.life)
    assert (event.status, event.source, event.key, event.fingerprint) == (Status.WITHDRAWN, WHOLE, DAY, None)
    told.life.add(event)
    assert told.life.deliveries[WHOLE, DAY].status is Status.WITHDRAWN and told.standing == {WHOLE: "f1"}
    assert gone(list_landing(tmp_path, SOURCES), told.life) == []
    assert gone(list_landing(tmp_path / "not mounted", SOURCES), Told().stand("f1").life) == []


def test_a_table_whose_code_has_changed_is_outdated_with_all_behind_it_until_it_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also on the dates that a build of others has left alone; the sensor does not ask for it."""
    told = Told().tell(Status.ACCEPTED, "f1").begin().tell(Status.STANDING, "f1").end()
    assert told.life.outdated(FEED, DAY) == set(), "nothing is known of what was built before versions were kept"
    versions = {name: TABLES[name].code_version for name in EVERY}
    told.begin("run2").tell(
        Status.ENDED, source=None, tables=EVERY, code_versions=tuple(versions.values()), run_id="run2", outcome="built"
    )
    assert told.life.outdated(FEED, DAY) == set()

    with monkeypatch.context() as patched:
        gate = replace(TABLES["silver.releases"], variant="other")
        patched.setitem(TABLES, gate.name, gate)
        of_another = {"tables": (gate.name,), "code_versions": (gate.code_version,), "run_id": "another"}
        told.life.add(Event(Status.ENDED, FEED, "2020-07-01", outcome="built", **of_another))  # type: ignore[arg-type]
        assert gate.name in told.life.outdated(FEED, DAY), "the verdict on this date was given by other code"

    changed = replace(TABLES["silver.titles"], variant="other")
    for name in ("silver.titles", "bronze.netflix_catalogue"):
        monkeypatch.setitem(TABLES, name, replace(TABLES[name], variant="other"))
    behind = {name for name in downstream_of(["silver.titles"]) if TABLES[name].feed in (FEED, None)}
    assert told.life.outdated(FEED, DAY) == behind and "bronze.netflix_catalogue" not in behind
    assert told.due == set() and pending(Listing(()), SOURCES, told.life) == []
    (piece,) = pending(Listing(()), SOURCES, told.life, changed_code=True)
    assert set(piece.tables) == behind

    new = tuple(changed.code_version if name == "silver.titles" else versions[name] for name in EVERY)
    told.begin("run3").tell(Status.ENDED, source=None, tables=EVERY, code_versions=new, run_id="run3", outcome="built")
    assert told.life.to_build(FEED, DAY) == set()
