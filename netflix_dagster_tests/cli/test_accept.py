"""``netflix-dagster accept``: a person takes in a release that a rule holds back, and nobody else does."""

from __future__ import annotations

import json

from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.defs.house import as_csv, title

FULL, CUT, EMPTY = "2020-01-01", "2020-02-01", "2020-03-01"
BECAUSE = "the market was closed down"
HELD = "silver.releases: release_complete: 30 of the 40 titles"


def _release(shell: Shell, day: str, titles: int) -> None:
    shell.land("netflix_catalogue", day, as_csv(map(title, range(titles))))


def _changes(shell: Shell) -> set[tuple[str, str]]:
    rows = map(json.loads, shell.contents()["gold.fact_catalogue_change"])
    return {(row["release_date"], row["change"]) for row in rows}


def test_a_release_that_was_cut_short_waits_for_a_person(shell: Shell) -> None:
    _release(shell, FULL, 40)
    _release(shell, CUT, 10)
    shell.land("netflix_catalogue", EMPTY, "")
    held = shell("run", "--json")
    assert held.code == 3 and held.quiet, held.err
    assert held.json["status"] == "held back" and [run["errors"] for run in held.json["runs"]] == [[], []]
    assert held.json["deliveries"]["built"] == 1
    reasons = {(entry["date"], entry["status"]): entry["reason"] for entry in held.json["deliveries"]["held_back"]}
    assert set(reasons) == {(CUT, "blocked"), (EMPTY, "refused")}
    assert f"30 of the 40 titles of {FULL} are not in it (75%" in reasons[CUT, "blocked"]
    assert "netflix-dagster accept" in reasons[CUT, "blocked"], "and what to do about it"
    assert _changes(shell) == {(FULL, "added")}

    before = shell.versions()
    wrong = {
        ("catalogue", FULL, BECAUSE): f"no delivery of catalogue on {FULL} is held back; there is nothing to accept",
        ("charts", CUT, BECAUSE): f"no delivery of charts on {CUT} is held back; there is nothing to accept",
        ("catalogue", EMPTY, BECAUSE): "a rule that nobody can overrule",
        ("catalogue", CUT, "  "): "say why the delivery is right",
    }
    for (feed, day, because), reason in wrong.items():
        said = shell("accept", feed, day, "--because", because)
        assert (said.code, said.out, said.quiet) == (2, "", True), said
        assert reason in said.err and said.err.count("\n") == 1
    unsaid = shell("accept", "catalogue", CUT)
    assert unsaid.code == 2 and "--because" in unsaid.err
    assert shell.versions() == before, "a refused decision leaves no trace"

    taken = shell("accept", "catalogue", CUT, "--because", BECAUSE)
    assert (taken.code, taken.out, taken.quiet) == (0, "", True), taken.err
    assert f"accepted catalogue of {CUT}, which was held back: {HELD}" in taken.err
    assert "netflix-dagster run" in taken.err
    assert _changes(shell) == {(FULL, "added")}, "the next run builds it"
    (decision,) = map(json.loads, shell.contents()["quality.decisions"])
    assert (decision["table_name"], decision["delivery_date"]) == ("silver.releases", CUT)
    assert decision["decided_because"] == BECAUSE and decision["decided_by"]

    built = shell("run", "--json")
    assert built.code == 3 and built.quiet, built.err
    assert [run["deliveries"] for run in built.json["runs"]] == [[CUT]]
    assert [(entry["date"], entry["status"]) for entry in built.json["deliveries"]["held_back"]] == [(EMPTY, "refused")]
    assert _changes(shell) == {(FULL, "added"), (CUT, "removed")}
    again = shell("accept", "catalogue", CUT, "--because", BECAUSE)
    assert again.code == 2 and "there is nothing to accept" in again.err


def test_a_run_that_builds_nothing_but_a_cut_release_has_not_failed(shell: Shell) -> None:
    _release(shell, FULL, 40)
    assert shell("run", "--json").code == 0
    _release(shell, CUT, 10)
    said = shell("run", "--json")
    assert said.code == 3 and said.quiet, said.err
    assert [(run["success"], run["errors"]) for run in said.json["runs"]] == [(False, [])], "held back, not failed"
    shown = shell("run")
    assert shown.code == 3 and f"blocked     netflix_catalogue {CUT}: {HELD}" in shown.out


def test_there_is_nothing_to_accept_in_no_lake(shell: Shell) -> None:
    said = shell("accept", "catalogue", CUT, "--because", BECAUSE)
    assert (said.code, said.out, said.quiet) == (2, "", True) and "there is nothing to accept" in said.err
    assert not shell.lake.exists(), "a decision makes no lake"
