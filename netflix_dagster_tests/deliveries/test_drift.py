"""Drift at the door: what changed since the delivery before is told, kept as the source says, and changes no row."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netflix_dagster.build import conservation
from netflix_dagster.build.door import CHECKS, NO_DRIFT
from netflix_dagster.deliveries import columns, drift, quarantine
from netflix_dagster.deliveries.columns import Seen, kind_of, look, together
from netflix_dagster.deliveries.life import Status
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import MOST_NAME, SourcesError
from netflix_dagster_tests.build.door import Columns, Door, check
from netflix_dagster_tests.files.corpus import FILMS

pytestmark = pytest.mark.usefixtures("spark")
N = 24
PLAIN: Columns = {
    "show_id": range(N),
    "title": [f"Film {n}" for n in range(N)],
    "hours": range(1000, 1000 + N),
    "added": [f"2020-01-{n + 1:02d}" for n in range(N)],
}


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path, "rescue")


def without(file: Columns, *names: str) -> Columns:
    return {name: values for name, values in file.items() if name not in names}


def named(file: Columns, old: str, new: str) -> Columns:
    return {new if name == old else name: values for name, values in file.items()}


# What is told


def test_the_first_delivery_has_nothing_to_be_compared_with(door: Door) -> None:
    found = door.deliver("2020-01-01", PLAIN)
    assert (found.passed, found.message) == (True, "there is no earlier delivery to compare with")


def test_the_same_columns_in_another_order_and_case_are_no_drift(door: Door) -> None:
    door.deliver("2020-01-01", PLAIN)
    found = door.deliver("2020-01-08", {name.upper(): PLAIN[name] for name in reversed(PLAIN)})
    assert (found.passed, found.message) == (True, "the columns are as on 2020-01-01")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        pytest.param({**PLAIN, "mood": ["x"] * N}, "new mood", id="new, unknown"),
        pytest.param(without(PLAIN, "added"), "gone added", id="gone"),
        pytest.param(named(PLAIN, "hours", "Hours Viewed"), "renamed Hours Viewed (was hours)", id="by an alias"),
        pytest.param(named(PLAIN, "added", "date_added"), "perhaps renamed date_added (was added?)", id="by its name"),
        pytest.param(named(PLAIN, "added", "since"), "perhaps renamed since (was added?)", id="by its place and kind"),
        pytest.param({**without(PLAIN, "added"), "mood": ["x"] * N}, "new mood; gone added", id="of another kind"),
        pytest.param({**PLAIN, "hours": ["much"] * N}, "retyped hours: integer -> text", id="to text"),
        pytest.param(
            {**PLAIN, "hours": [f"{n}.5" for n in range(N)]}, "retyped hours: integer -> decimal", id="to decimals"
        ),
        pytest.param(
            {**PLAIN, "added": [f"{n + 1}.1.2020" for n in range(N)]},
            "retyped added: date like 2019-09-30 -> date like 30.9.2019",
            id="other days",
        ),
        pytest.param({**PLAIN, "hours": [1] * 12 + ["N/A"] * 12}, "null share hours: 0% -> 50%", id="N/A"),
        pytest.param(
            {**without(PLAIN, "hours"), "mood": ["x"] * N, "added": [1] * N},
            "new mood; gone hours; retyped added: date like 2019-09-30 -> integer",
            id="several",
        ),
    ],
)
def test_what_changed_since_the_delivery_before_is_told_and_harms_nothing(door: Door, file: Columns, said: str) -> None:
    door.deliver("2020-01-01", PLAIN)
    found = door.deliver("2020-01-08", file)
    assert (found.passed, found.blocking, found.message) == (False, False, f"since 2020-01-01: {said}")
    assert found.broken == sum(map(len, found.details.values()))
    assert len(door.rows()) == 2 * N


def test_deliveries_of_one_call_are_compared_with_each_other_by_date(door: Door) -> None:
    door.land("2020-01-15", {**PLAIN, "mood": ["x"] * N})
    door.land("2020-01-01", PLAIN)
    door.land("2020-01-08", {**PLAIN, "mood": ["x"] * N})
    outcomes = door.take("2020-01-15", "2020-01-01", "2020-01-08")
    assert [(day, check(outcome).message) for day, outcome in outcomes.items()] == [
        ("2020-01-01", "there is no earlier delivery to compare with"),
        ("2020-01-08", "since 2020-01-01: new mood"),
        ("2020-01-15", "the columns are as on 2020-01-08"),
    ]


def test_a_refused_delivery_is_not_what_the_next_is_compared_with(door: Door) -> None:
    door.deliver("2020-01-01", PLAIN)
    refused = door.deliver("2020-01-08", named(PLAIN, "title", "show_title"))
    assert refused.message == "since 2020-01-01: perhaps renamed show_title (was title?)"
    assert door.deliver("2020-01-15", PLAIN).message == "the columns are as on 2020-01-01"
    assert door.seen("2020-01-08") == {}


def test_a_late_delivery_is_compared_with_the_one_before_it_by_date(door: Door) -> None:
    door.deliver("2020-01-15", {**PLAIN, "mood": ["x"] * N})
    door.deliver("2020-01-01", PLAIN)
    assert door.deliver("2020-01-08", PLAIN).message == "the columns are as on 2020-01-01"


def test_a_file_that_cannot_be_read_is_compared_with_nothing(door: Door) -> None:
    door.deliver("2020-01-01", PLAIN)
    door.land("2020-01-08", b"")
    assert check(door.take("2020-01-08")["2020-01-08"]).message == "nothing to compare: no column could be read"


def test_a_few_records_do_not_make_a_kind(door: Door) -> None:
    door.deliver("2020-01-01", PLAIN)
    few = {name: list(values)[:3] for name, values in {**PLAIN, "hours": ["much"] * N}.items()}
    assert door.deliver("2020-01-08", few).passed


def test_of_thousands_of_columns_the_first_are_named() -> None:
    every = [Seen(f"c{n}", f"c{n}", n, "rescued") for n in range(5000)]
    said = drift.compare("2020-01-01", [], every).message
    assert said.endswith("c18, c19 and 4,980 more") and len(said) < 200


# The history of the columns


def test_the_history_says_what_each_column_looked_like(door: Door) -> None:
    door.deliver("2020-01-01", {**named(PLAIN, "hours", "Hours Viewed"), "mood": ["sad", "N/A"] * 12})
    assert list(door.seen("2020-01-01").values()) == [
        Seen("show_id", "show_id", 1, "contract", "integer", N, 0.0, N, 1, 2),
        Seen("title", "title", 2, "contract", "text", N, 0.0, N, 6, 7),
        Seen("hours", "Hours Viewed", 3, "contract", "integer", N, 0.0, N, 4, 4),
        Seen("added", "added", 4, "contract", "date like 2019-09-30", N, 0.0, N, 10, 10),
        Seen("mood", "mood", 5, "rescued", "text", N, 0.5, 1, 3, 3),
    ]


def test_building_again_replaces_the_history_of_that_delivery_only(door: Door) -> None:
    door.deliver("2020-01-01", PLAIN)
    door.deliver("2020-01-08", PLAIN)
    door.deliver("2020-01-01", without(PLAIN, "added"))
    assert list(door.seen("2020-01-01")) == ["show_id", "title", "hours"]
    assert list(door.seen("2020-01-08")) == list(PLAIN)
    assert store.row_count(door.settings.lake, columns.NAME) == 7


def test_the_files_of_a_delivery_are_looked_at_together(door: Door) -> None:
    door.land("2020-01-01", PLAIN)
    door.land("2020-01-01", {**PLAIN, "hours": [f"{n}.25" for n in range(N)], "mood": ["x"] * N}, "more.csv")
    door.take("2020-01-01")
    seen = door.seen("2020-01-01")
    assert (seen["hours"].kind, seen["hours"].records, seen["title"].kind) == ("decimal", 2 * N, "text")
    assert list(seen) == [*PLAIN, "mood"]


def test_what_is_looked_at_of_a_long_file_is_the_same_each_time_and_follows_no_rhythm() -> None:
    """Every second record has a note; so has about half of what is looked at."""
    lines = [f"{n},Film {n},{'x' if n % 2 else ''}" for n in range(20_000)]
    parsed = parse_bytes("\n".join(["show_id,title,note", *lines, ""]).encode(), FILMS)
    note = look(parsed, FILMS)[2]
    assert note == look(parsed, FILMS)[2]
    assert (note.records, note.null_share) == (20_000, pytest.approx(0.5, abs=0.1))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], "nothing"),
        (["1", "-2", "+30"], "integer"),
        (["1", "2.5", "1e9"], "decimal"),
        (["1,234", "12", "1,234,567"], "integer like 1,234"),
        (["true", "FALSE"], "boolean"),
        (["9/9/2019", "9/30/2019"], "date like 9/30/2019"),
        (["9/9/2019", "30/9/2019"], "date like 30/9/2019"),
        (["9/9/2019"], "date like 9/30/2019"),
        (["September 9, 2019", " October 1, 2019"], "date like September 30, 2019"),
        (["2019-09-30", "2019-02-30"], "text"),
        (["2019-09-30 23:59:59"], "date like 2019-09-30 23:59"),
        (["1917", "Film"], "text"),
        (["1"] * 99 + ["?"], "integer"),
    ],
)
def test_the_kind_of_values(values: list[str], kind: str) -> None:
    assert kind_of(values) == kind


# evolve


def test_unknown_columns_of_an_evolving_source_become_columns(tmp_path: Path) -> None:
    door = Door(tmp_path, "evolve")
    door.deliver("2020-01-01", PLAIN)
    door.deliver("2020-01-08", {**PLAIN, "IMDB Score": [f"{n}.5" for n in range(N)]})
    outcome = door.take("2020-01-08")["2020-01-08"]
    assert check(outcome).message == "since 2020-01-01: new imdb_score"
    assert door.deliver("2020-01-15", PLAIN).message == "since 2020-01-08: gone imdb_score"
    assert [row["imdb_score"] for row in door.rows()] == [None] * N + [f"{n}.5" for n in range(N)] + [None] * N
    assert {row["rescued_data"] for row in door.rows()} == {None}
    assert door.seen("2020-01-08")["imdb_score"].kept == "evolved"
    assert [row["title"] for row in door.rows()] == [f"Film {n}" for n in range(N)] * 3


def test_an_evolving_source_takes_its_first_delivery_with_all_its_columns(tmp_path: Path) -> None:
    door = Door(tmp_path, "evolve")
    door.land("2020-01-01", {**PLAIN, "mood": ["x"] * N})
    known = check(door.take("2020-01-01")["2020-01-01"], "known_columns")
    assert (known.passed, known.message) == (True, "kept in columns of their own: mood")
    assert {row["mood"] for row in door.rows()} == {"x"}


def test_headers_that_can_be_no_column_are_rescued(tmp_path: Path) -> None:
    door = Door(tmp_path, "evolve")
    odd = ("loaded_at", "sheet", "1st", "Überraschung", "x" * (MOST_NAME + 1), "")
    door.land("2020-01-01", {**PLAIN, "Mood": ["a"] * N, "mood": ["b"] * N, **{name: ["c"] * N for name in odd}})
    for again in (False, True):  # the second time the table has the column
        known = check(door.take("2020-01-01", again=again)["2020-01-01"], "known_columns")
        assert known.broken == len(odd) + 1
        assert known.message.startswith("kept in rescued_data: (column 12), 1st, loaded_at, mood, sheet, xxx")
        assert known.message.endswith(", Überraschung; kept in columns of their own: Mood")
        (kept,) = {(row["mood"], row["rescued_data"]) for row in door.rows()}
        assert kept[0] == "a"
        assert json.loads(kept[1]) == {"mood": "b", "(column 12)": "c", **{name: "c" for name in odd if name}}


def test_a_delivery_of_a_hundred_unknown_columns_and_more_grows_nothing(tmp_path: Path) -> None:
    door = Door(tmp_path, "evolve")
    door.deliver("2020-01-01", {**PLAIN, **{f"c{n}": range(N) for n in range(drift.MOST_EVOLVED + 1)}})
    assert "c0" not in door.rows()[0]
    assert json.loads(door.rows()[5]["rescued_data"])["c100"] == "5"


def test_a_column_that_evolved_never_refuses_a_file(tmp_path: Path) -> None:
    """Its last value would look cut, were it a column of the contract."""
    source = Door(tmp_path, "rescue").source
    data = "\n".join(["show_id,title,kind", *(f"{n},Film,{('Movie', 'TV Show')[n % 2]}" for n in range(150)), "1,F,Mo"])
    for known in (source, source.evolved(["kind"])):
        parsed = parse_bytes(data.encode(), known)
        assert (parsed.refusals, parsed.records, parsed.absent_columns) == ((), 151, ("hours", "added"))
    assert parsed.rows[-1].values[-1] == "Mo"


def test_the_order_of_arrival_changes_no_row_of_an_evolving_source(tmp_path: Path) -> None:
    files = {
        "2020-01-01": PLAIN,
        "2020-01-08": {**PLAIN, "mood": ["x"] * N, "Tone": ["y"] * N},
        "2020-01-15": {"tone": ["z"] * N, **PLAIN},
    }
    ends = []
    for number, order in enumerate(itertools.permutations(files)):
        door = Door(tmp_path / str(number), "evolve")
        for day in order:
            door.deliver(day, files[day])
        ends.append(door.rows())
    assert all(end == ends[0] for end in ends[1:])
    assert [row["tone"] for row in ends[0][::N]] == [None, "y", "z"]


def test_every_attempt_of_an_evolving_source_brings_its_own_columns(tmp_path: Path) -> None:
    """Also one that lacks columns of the attempt before, and one that comes back."""
    door = Door(tmp_path, "evolve")
    first, second = {**PLAIN, "mood": ["sad"] * N}, {**PLAIN, "tone": ["dark"] * N}
    door.deliver("2020-01-01", first)
    door.deliver("2020-01-01", second)
    assert {(row["mood"], row["tone"]) for row in door.rows()} == {(None, "dark")}
    assert "mood" not in door.seen("2020-01-01")
    door.deliver("2020-01-08", {**PLAIN, "Tone": ["light"] * N, "era": ["old"] * N})
    door.deliver("2020-01-01", first)
    assert {(row["mood"], row["tone"], row["era"]) for row in door.rows()} == {
        ("sad", None, None),
        (None, "light", "old"),
    }
    assert {row["rescued_data"] for row in door.rows()} == {None}


def test_several_new_deliveries_of_different_columns_are_taken_at_once(tmp_path: Path) -> None:
    door = Door(tmp_path, "evolve")
    door.land("2020-01-01", {**PLAIN, "mood": ["sad"] * N})
    door.land("2020-01-08", {**PLAIN, "tone": ["dark"] * N})
    door.land("2020-01-08", {**PLAIN, "era": ["old"] * N}, "more.csv")
    door.land("2020-01-15", b"show_id,title,echo\n")
    door.take("2020-01-01", "2020-01-08", "2020-01-15")
    assert {(row["mood"], row["tone"], row["era"]) for row in door.rows()} == {
        ("sad", None, None),
        (None, "dark", None),
        (None, None, "old"),
    }


def test_a_source_that_begins_to_evolve_goes_on_with_its_table(tmp_path: Path) -> None:
    door = Door(tmp_path, "rescue")
    door.deliver("2020-01-01", {**PLAIN, "mood": ["sad"] * N})
    door.policy("evolve")
    door.deliver("2020-01-08", {**PLAIN, "mood": ["glad"] * N})
    assert {(row["mood"], row["rescued_data"]) for row in door.rows()} == {
        (None, '{"mood": "sad"}'),
        ("glad", None),
    }
    door.take("2020-01-01", again=True)
    assert {(row["mood"], row["rescued_data"]) for row in door.rows()} == {("sad", None), ("glad", None)}


# refuse


def test_a_strict_source_holds_back_what_its_sources_do_not_foresee(tmp_path: Path) -> None:
    door = Door(tmp_path, "refuse")
    assert door.deliver("2020-01-01", PLAIN).passed
    before = door.rows()
    door.land("2020-01-08", {**without(PLAIN, "added"), "mood": ["x"] * N})
    outcome = door.take("2020-01-08")["2020-01-08"]
    found = check(outcome)
    assert (found.passed, found.blocking, outcome.rows) == (False, True, 0)
    assert found.message == outcome.held_back
    assert found.message.startswith("since 2020-01-01: new mood; gone added; films refuses such changes; nothing was")
    assert door.rows() == before
    newest = door.life.deliveries["films", "2020-01-08"].newest
    assert (newest.status, newest.rule, newest.reason) == (Status.REFUSED, NO_DRIFT, outcome.held_back)
    (reason,) = quarantine.reasons(door.settings.lake)
    assert (reason["rule"], reason["rows"]) == (NO_DRIFT, 1)
    assert reason["reason"] == "since 2020-01-01: new mood; gone added; films refuses such changes"
    assert "sources.yaml" in reason["hint"] and "--again" in reason["hint"]
    assert check(outcome, "readable").passed

    door.policy("rescue")
    assert door.take("2020-01-08")["2020-01-08"].held_back is None
    assert len(door.rows()) == 2 * N
    assert quarantine.reasons(door.settings.lake) == []


def test_a_strict_source_refuses_unknown_columns_of_its_first_delivery_too(tmp_path: Path) -> None:
    door = Door(tmp_path, "refuse")
    found = door.deliver("2020-01-01", {**PLAIN, "mood": ["x"] * N})
    assert found.blocking
    assert found.message.startswith("sources.yaml does not name mood; films refuses such changes; ")
    assert door.rows() == []


def test_a_strict_source_takes_the_changes_that_its_sources_name(tmp_path: Path) -> None:
    door = Door(tmp_path, "refuse")
    door.deliver("2020-01-01", without(PLAIN, "added"))
    found = door.deliver("2020-01-08", named(PLAIN, "hours", "hours_viewed"))
    assert found.message == "since 2020-01-01: new added; renamed hours_viewed (was hours)"
    assert (found.passed, found.blocking) == (False, False)
    assert len(door.rows()) == 2 * N


def test_a_refused_drift_holds_back_no_other_delivery_of_the_call(tmp_path: Path) -> None:
    door = Door(tmp_path, "refuse")
    for day, file in (("2020-01-01", PLAIN), ("2020-01-08", {**PLAIN, "mood": ["x"] * N}), ("2020-01-15", PLAIN)):
        door.land(day, file)
    outcomes = door.take("2020-01-01", "2020-01-08", "2020-01-15")
    assert [day for day, outcome in outcomes.items() if outcome.held_back] == ["2020-01-08"]
    assert check(outcomes["2020-01-15"]).message == "the columns are as on 2020-01-01"


def test_an_unknown_policy_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(
        SourcesError, match=r"sources\.yaml:8: sources\.films\.on_drift: .*'evolve', 'rescue' or 'refuse'"
    ):
        assert Door(tmp_path, "ignore").source


# Pairs and checks


def test_each_column_is_perhaps_renamed_at_most_once() -> None:
    old = [Seen("score", "score", 1, "contract", "integer", 9, 0, 9, 1, 1)]
    new = [replace(old[0], name=name, header=name, kept="rescued") for name in ("score_a", "score_b")]
    assert drift.compare("2020-01-01", old, new).kinds == {
        "perhaps renamed": ("score_a (was score?)",),
        "new": ("score_b",),
    }


def test_of_a_refused_file_the_header_is_looked_at(door: Door) -> None:
    parsed = parse_bytes(b"name,hours,mood\nA,1,x\n", door.source)
    assert parsed.refusals
    assert [(seen.name, seen.kind, seen.records) for seen in look(parsed, door.source)] == [
        ("name", "nothing", 0),
        ("hours", "nothing", 0),
        ("mood", "nothing", 0),
    ]


@settings(deadline=None)
@given(
    st.text(st.sampled_from('show_id,title,x""\n\n\r \ufeff'), max_size=80).map(
        "show_id,title,mood,\n1,A,x,\n{}".format
    )
)
def test_whatever_a_file_holds_its_columns_can_be_looked_at(text: str) -> None:
    parsed = parse_bytes(text.encode(), FILMS)
    seen = look(parsed, FILMS)
    assert {one.name for one in seen} >= {"show_id", "title", "mood"}
    assert all(one.records == len(parsed.rows) and 0 <= one.null_share <= 1 for one in seen)
    assert [one.key for one in together([seen, seen])] == list(dict.fromkeys(one.key for one in seen))
    assert drift.compare("2020-01-01", seen, seen).changes == 0


def test_every_outcome_carries_every_check(door: Door) -> None:
    door.land("2020-01-01", PLAIN)
    outcomes = door.take("2020-01-01", "2020-01-02")
    told = {day: [check.name for check in outcome.checks] for day, outcome in outcomes.items()}
    asked = [name for name, _, _ in CHECKS]
    assert told == {"2020-01-01": [*asked, conservation.RULE], "2020-01-02": asked}
