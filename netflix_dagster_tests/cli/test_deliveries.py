"""``netflix-dagster deliveries``: what has become of each, all that is known of one, and how one is taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.deliveries.pending import pending
from netflix_dagster.lake import lock
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster_tests.cli.shell import Said, Shell
from netflix_dagster_tests.lakehouse import Lakehouse, title

SOURCE = "netflix_catalogue"
FULL, CUT, EMPTY = "2020-01-01", "2020-02-01", "2020-03-01"


def call(house: Lakehouse, *arguments: str) -> Said:
    return Shell(house.root).here("deliveries", *arguments, "--lake", house.tables)


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    """A release that stands, one that a gate holds, one that the door has refused."""
    house = Lakehouse(tmp_path)
    house.release(FULL, *map(title, range(40)))
    house.release(CUT, *map(title, range(10)))
    house.land(SOURCE, EMPTY, "")
    house.build(FULL, CUT, EMPTY)
    return house


def test_all_that_is_done_with_deliveries(house: Lakehouse) -> None:
    """One lake from beginning to end: each step reads what the one before has left."""
    said = call(house, "list", "--json")
    assert (said.code, said.err) == (0, "")
    rows = said.json["deliveries"]
    assert [(row["source"], row["date"], row["feed"], row["status"], row["records"]) for row in rows] == [
        (SOURCE, FULL, "catalogue", "standing", 40),
        (SOURCE, CUT, "catalogue", "held", 10),
        (SOURCE, EMPTY, "catalogue", "refused", 0),
    ]
    assert [bool(row["standing"]) for row in rows] == [True, False, False] and all(row["since"] for row in rows)
    assert rows[0]["why"] == "" and "silver.releases: release_complete: 30 of the 40 titles" in rows[1]["why"]
    shown = call(house, "list")
    assert [line.split()[:3] for line in shown.out.splitlines()[2:5]] == [
        [SOURCE, row["date"], row["status"]] for row in rows
    ]
    for choice, dates in {
        ("--status", "held"): [CUT],
        ("--source", SOURCE): [FULL, CUT, EMPTY],
        ("--source", "netflix_cast"): [],
        ("--feed", "charts"): [],
    }.items():
        assert [row["date"] for row in call(house, "list", "--json", *choice).json["deliveries"]] == dates, choice
    assert "no delivery matches" in call(house, "list", "--feed", "charts").out

    _every_attempt_is_shown(house)
    _builds_are_shown(house)
    _one_is_taken_away(house)


def _every_attempt_is_shown(house: Lakehouse) -> None:
    house.release(CUT, *map(title, range(39)))
    house.build(CUT, run_id="mended")
    found = call(house, "show", SOURCE, CUT, "--json").json
    first, second = found["attempts"]
    assert (first["status"], first["table"], first["rule"]) == ("held", "silver.releases", "release_complete")
    assert (second["status"], second["stands"], second["records"]) == ("standing", True, 39)
    assert found["fingerprint"] == found["standing"] == second["fingerprint"] != first["fingerprint"]
    assert (found["status"], found["why"], found["due"], found["decisions"]) == ("standing", "", [], [])
    assert [(build["run_id"], build["outcome"]) for build in found["builds"]] == [("test", "held"), ("mended", "built")]
    told = call(house, "show", SOURCE, CUT).out
    for said in (first["fingerprint"][:8], second["fingerprint"][:8], first["reason"], "39 records", "mended: built"):
        assert said in told


def _builds_are_shown(house: Lakehouse) -> None:
    life.record(house.tables, [Event(Status.BEGUN, "catalogue", FULL, tables=("gold.dim_title",), run_id="lost")])

    def last() -> tuple[str, str, list[str]]:
        found = call(house, "show", SOURCE, FULL, "--json").json
        return found["builds"][-1]["run_id"], found["builds"][-1]["outcome"], found["due"]

    with lock.alone(house.tables, "catalogue", "lost"):
        assert last() == ("lost", "under way", ["gold.dim_title"])
    assert last() == ("lost", "stopped before its end", ["gold.dim_title"])
    assert "netflix-dagster run" in call(house, "show", SOURCE, FULL).out


def _one_is_taken_away(house: Lakehouse) -> None:
    before = house.rows("silver.titles")
    assert call(house, "withdraw", SOURCE, CUT, "--because", " ").code == 2
    said = call(house, "withdraw", SOURCE, CUT, "--because", "it was a test")
    assert (said.code, said.out) == (0, "")
    for told in (f"{SOURCE} of {CUT}", "no table has changed yet", "may stay", "netflix-dagster run"):
        assert told in said.err
    assert house.rows("silver.titles") == before
    found = call(house, "show", SOURCE, CUT, "--json").json
    (decision,) = found["decisions"]
    assert (decision["decision"], decision["because"]) == ("withdraw", "it was a test") and decision["by"]
    assert (found["status"], "its rows stay until the next build" in found["why"]) == ("withdrawn", True)
    assert "silver.titles" in found["due"]
    again = call(house, "withdraw", SOURCE, CUT, "--because", "it was a test")
    assert again.code == 2 and "withdrawn already" in again.err

    listing = list_landing(house.landing, house.sources)
    work = pending(listing, house.sources, house.life)
    assert {piece.date for piece in work} == {FULL, CUT}
    house.build(FULL, CUT, only={name for piece in work for name in piece.tables})
    assert house.days("silver.titles") == house.days("bronze.netflix_catalogue") == {FULL}
    assert pending(listing, house.sources, house.life) == [], "the file that still lies there is not taken up again"
    found = call(house, "show", SOURCE, CUT, "--json").json
    assert (found["status"], found["standing"], found["due"]) == ("withdrawn", None, [])

    house.release(CUT, *map(title, range(40)))
    house.build(CUT)
    assert house.days("silver.titles") == {FULL, CUT}, "another file is another attempt"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("list", "--source", "netflix_catalog"), "there is no source 'netflix_catalog'; the sources are engagement"),
        (("list", "--feed", "movies"), "there is no feed 'movies'; the feeds are catalogue, charts, engagement"),
        (("show", SOURCE, "2020-01-01"), "has delivered nothing on 2020-01-01; `netflix-dagster deliveries list"),
        (("withdraw", SOURCE, "2020-01-01", "--because", "x"), "has delivered nothing on 2020-01-01"),
    ],
)
def test_a_wrong_call_is_told_in_a_sentence(shell: Shell, arguments: tuple[str, ...], reason: str) -> None:
    said = shell.here("deliveries", *arguments, "--json")
    assert said.code == 2 and reason in said.err and said.err.count("\n") == 1
    assert reason in said.json["error"]
    assert not shell.lake.exists(), "a question makes no lake"


def test_in_no_lake_there_are_no_deliveries(shell: Shell) -> None:
    assert shell.here("deliveries", "list", "--json").json == {"deliveries": []}
    assert shell.here("deliveries", "list", "--status", "lost").code == 2
    assert not shell.lake.exists()
