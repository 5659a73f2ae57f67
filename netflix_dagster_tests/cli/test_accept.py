"""``netflix-dagster accept``: a person takes in a release that a rule holds back, and nobody else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netflix_dagster.deliveries import decisions
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.lakehouse import SPLIT_LISTS, Lakehouse, as_csv, title

pytestmark = pytest.mark.usefixtures("unserved")
SOURCE = "netflix_catalogue"
FULL, CUT, EMPTY = "2020-01-01", "2020-02-01", "2020-03-01"
BECAUSE = "the market was closed down"
HELD = "silver.releases: release_complete: 30 of the 40 titles"


def _release(shell: Shell, day: str, titles: int, *, backwards: bool = False) -> None:
    numbers = range(titles)
    shell.land("netflix_catalogue", day, as_csv(map(title, reversed(numbers) if backwards else numbers)))


def _changes(shell: Shell) -> set[tuple[str, str]]:
    rows = map(json.loads, shell.contents()["gold.fact_catalogue_change"])
    return {(row["release_date"], row["change"]) for row in rows}


def test_a_release_that_was_cut_short_waits_for_a_person(shell: Shell) -> None:
    _release(shell, FULL, 40)
    _release(shell, CUT, 10)
    shell.land("netflix_catalogue", EMPTY, "")
    held = shell.here("run", "--json")
    assert held.code == 3 and held.quiet, held.err
    assert held.json["status"] == "held back" and [run["errors"] for run in held.json["runs"]] == [[]]
    assert held.json["deliveries"]["built"] == 1
    reasons = {(entry["date"], entry["status"]): entry["reason"] for entry in held.json["deliveries"]["held_back"]}
    assert set(reasons) == {(CUT, "held"), (EMPTY, "refused")}
    assert f"30 of the 40 titles of {FULL} are not in it (75%" in reasons[CUT, "held"]
    assert "netflix-dagster accept" in reasons[CUT, "held"], "and what to do about it"
    assert _changes(shell) == {(FULL, "added")}

    _release(shell, CUT, 10, backwards=True)
    said = shell.here("run", "--json")
    assert said.code == 3 and said.quiet, said.err
    assert [(run["success"], run["errors"]) for run in said.json["runs"]] == [(False, [])], "held back, not failed"
    shown = shell.here("run")
    assert shown.code == 3 and f"held        netflix_catalogue {CUT}: {HELD}" in shown.out

    before = shell.versions()
    wrong = {
        ("catalogue", FULL, BECAUSE): f"no delivery of catalogue on {FULL} is held back; there is nothing to accept",
        ("charts", CUT, BECAUSE): f"no delivery of charts on {CUT} is held back; there is nothing to accept",
        (
            "netflix_cast",
            CUT,
            BECAUSE,
        ): f"no delivery of netflix_cast on {CUT} is held back; there is nothing to accept",
        ("catalogue", EMPTY, BECAUSE): "a rule that nobody can overrule",
        ("catalogue", CUT, "  "): "say why the delivery is right",
    }
    for (feed, day, because), reason in wrong.items():
        said = shell.here("accept", feed, day, "--because", because)
        assert (said.code, said.out, said.quiet) == (2, "", True), said
        assert reason in said.err and said.err.count("\n") == 1
    unsaid = shell.here("accept", "catalogue", CUT)
    assert unsaid.code == 2 and "--because" in unsaid.err
    assert shell.versions() == before, "a refused decision leaves no trace"

    _, attempt = shell.here("deliveries", "show", SOURCE, CUT, "--json").json["attempts"]
    taken = shell.here("accept", "catalogue", CUT, "--because", BECAUSE)
    assert (taken.code, taken.out) == (0, ""), taken.err
    assert f"accepted    {SOURCE} of {CUT}, attempt {attempt['fingerprint'][:8]}, 10 records\n" in taken.err
    assert f"was held by {HELD}" in taken.err and "netflix-dagster run" in taken.err
    assert _changes(shell) == {(FULL, "added")}, "the next run builds it"
    found = shell.here("deliveries", "show", SOURCE, CUT, "--json").json
    (decision,) = found["decisions"]
    assert (decision["decision"], decision["table"]) == ("accept", "silver.releases") and decision["by"]
    assert (decision["because"], decision["fingerprint"]) == (BECAUSE, attempt["fingerprint"])
    assert found["status"] == "held" and f"accepts it: {BECAUSE}; the next build takes it in" in found["why"]
    assert "silver.releases" in found["due"]

    built = shell.here("run", "--json")
    assert built.code == 3 and built.quiet, built.err
    assert [run["deliveries"] for run in built.json["runs"]] == [[CUT]]
    assert [(entry["date"], entry["status"]) for entry in built.json["deliveries"]["held_back"]] == [(EMPTY, "refused")]
    assert _changes(shell) == {(FULL, "added"), (CUT, "removed")}
    found = shell.here("deliveries", "show", SOURCE, CUT, "--json").json
    assert (found["status"], found["due"]) == ("standing", []) and found["why"].endswith(f"accepts it: {BECAUSE}")
    again = shell.here("accept", "catalogue", CUT, "--because", BECAUSE)
    assert again.code == 2 and "there is nothing to accept" in again.err


def test_a_source_is_as_good_as_its_feed_to_name_what_the_same_gate_holds(tmp_path: Path) -> None:
    """A release in the split form is several sources; the gate judges what they say together."""
    house = Lakehouse(tmp_path)
    house.release(FULL, *map(title, range(40)))
    house.split(CUT, *map(title, range(10)))
    house.land("top10_global", CUT, "<html><title>Moved</title></html>", "chart.tsv")
    house.build(FULL, CUT)
    house.build(CUT, feed="charts")
    split = {"netflix_titles", *(f"netflix_{name}" for name in SPLIT_LISTS)}
    for name in ("netflix_titles", "netflix_cast", "catalogue"):
        assert {attempt.source for attempt in decisions.to_accept(house.life, name, CUT)} == split
    with pytest.raises(decisions.DecisionError, match="a rule that nobody can overrule"):
        decisions.to_accept(house.life, "top10_global", CUT)


def test_there_is_nothing_to_accept_in_no_lake(shell: Shell) -> None:
    said = shell.here("accept", "catalogue", CUT, "--because", BECAUSE)
    assert (said.code, said.out, said.quiet) == (2, "", True) and "there is nothing to accept" in said.err
    assert not shell.lake.exists(), "a decision makes no lake"
