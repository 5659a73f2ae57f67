"""``netflix-dagster quarantine``: what is refused is shown, mended by its file, its alias or its rule, and passes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES, holds
from netflix_dagster.deliveries import quarantine
from netflix_dagster.landing.sources import PACKAGED
from netflix_dagster_tests.cli.shell import Shell

pytestmark = pytest.mark.usefixtures("unserved")
HEADER = "week\tcategory\tweekly_rank\tshow_title"
FIRST, SECOND = "2026-01-06", "2026-01-13"
SILVER = "silver.top10_global"


def chart(*ranks: str, header: str = HEADER) -> str:
    lines = [f"2025-12-28\tTV (English)\t{rank}\tShow {n}" for n, rank in enumerate(ranks, 1)]
    return "\n".join([header, *lines, ""])


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Two chart deliveries with a place that is no number each, built. Not to be touched: ask for ``charts``."""
    shell = Shell(tmp_path_factory.mktemp("dirty"))
    shell.land("top10_global", FIRST, chart("1", "2", "third", "4"), "chart.tsv")
    shell.land("top10_global", SECOND, chart("1", "2", "3", "fourth"), "chart.tsv")
    assert shell.here("run", "--json").code == 0
    return shell


@pytest.fixture
def charts(dirty: Shell, tmp_path: Path) -> Shell:
    return dirty.copy(tmp_path)


def rows(shell: Shell) -> list[tuple[str, str, int | None]]:
    found = quarantine.rows(shell.lake)
    return [(row["table_name"], row["delivery_date"], row["record_number"]) for row in found]


def test_an_empty_quarantine_is_said_to_be_empty(shell: Shell) -> None:
    for command in ("list", "replay"):
        assert "the quarantine is empty" in shell.here("quarantine", command).out


def test_it_lists_and_shows_what_is_refused(dirty: Shell) -> None:
    listed = dirty.here("quarantine", "list", "--json")
    assert listed.code == 0 and listed.quiet
    found = listed.json["rows"]
    assert rows(dirty) == [(SILVER, FIRST, 3), (SILVER, SECOND, 4)]
    assert [(row["number"], row["delivery_date"]) for row in found] == [(1, FIRST), (2, SECOND)]
    assert [row["number"] for row in dirty.here("quarantine", "list", "--json", "--delivery", SECOND).json["rows"]] == [
        2
    ]
    assert dirty.here("quarantine", "list", "--json", "--rule", "no_such_rule").json["rows"] == []
    assert "third" in dirty.here("quarantine", "list").out
    none = "nothing in the quarantine matches rule no_such_rule"
    for command in ("list", "replay"):
        assert none in dirty.here("quarantine", command, "--rule", "no_such_rule").out

    (row,) = dirty.here("quarantine", "show", 2, "--json").json["rows"]
    assert row["raw"] == "2025-12-28\tTV (English)\tfourth\tShow 4"
    assert json.loads(row["row"])["weekly_rank"] is None
    assert (row["rules"], row["hints"]) == (["weekly_rank_not_null"], ["a place is a number from 1"])
    assert row["source"] == "top10_global" and row["line_number"] == 5
    assert row["landed"] == str(dirty.landing / "top10_global" / SECOND / "chart.tsv")
    path, line = row["places"]["source"].rsplit(":", 1)
    assert Path(path).read_text().splitlines()[int(line) - 1].strip() == "top10_global:"
    path, line = row["places"]["contract"].rsplit(":", 1)
    assert path.endswith("tables/silver/charts.py") and "@table" in Path(path).read_text().splitlines()[int(line) - 1]

    told = dirty.here("quarantine", "show", "--table", SILVER, "--delivery", FIRST, "--record", 3)
    assert told.code == 0
    for said in ("third", "weekly_rank_not_null", "a place is a number from 1", "chart.tsv, record 3, line 4"):
        assert said in told.out


def test_of_very_many_rows_the_first_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    weeks = [(date(2025, 12, 28) - timedelta(weeks=n)).isoformat() for n in range(220)]

    def land(mended: int) -> None:
        wanted = [(week, str(rank)) for week in weeks for rank in range(1, 11)]
        lines = [
            f"{week}\tTV (English)\t{'first' if mended <= n < 1050 else rank}\tShow {n}"
            for n, (week, rank) in enumerate(wanted)
        ]
        shell.land("top10_global", FIRST, "\n".join([HEADER, *lines, ""]), "chart.tsv")

    land(0)
    found = shell.here("run", "--json").json
    assert found["quarantine"]["rows"] == 1050 == found["quarantine"]["reasons"][0]["rows"]
    assert found["tables"]["quality.quarantine"]["rows"] == 1001
    told = shell.here("quarantine", "list").out
    assert "49 more are counted in the column `rows`; their records are in bronze" in told
    assert (
        "49 more rows of this file break these rules; they are counted here"
        in shell.here("quarantine", "show", 1001).out
    )
    kept = f"SELECT * FROM bronze.top10_global ANTI JOIN {SILVER} USING (delivery_date, source_file, record_number)"
    assert shell.here("query", f"SELECT count(*) AS n FROM ({kept})", "--format", "json").json == [{"n": 1050}]

    land(600)
    said = shell.here("quarantine", "replay", "--json").json
    assert said["rows"] == {"selected": 1050, "left": 600, "stayed": 450, "new": 0}
    assert [entry["rows"] for entry in said["stayed"]] == [450]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("list", "--table", "silver.top10"), "there is no table 'silver.top10'; did you mean silver.top10_global?"),
        (("replay", "--delivery", "yesterday"), "write it as YYYY-MM-DD"),
        (("show", "3"), "there is no row 3 in the quarantine"),
        (("show",), "say which row"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(dirty: Shell, call: tuple[str, ...], said: str) -> None:
    answer = dirty.here("quarantine", *call, "--json")
    assert answer.code == 2 and said in answer.err and said in answer.json["error"]


def test_a_dry_run_says_what_would_be_built_and_does_nothing(dirty: Shell) -> None:
    before = dirty.versions()
    said = dirty.here("quarantine", "replay", "--delivery", FIRST, "--dry-run", "--json")
    assert said.code == 0 and said.json["runs"] == []
    assert [(d["date"], d["sources"], d["selected"]) for d in said.json["deliveries"]] == [(FIRST, ["top10_global"], 1)]
    assert dirty.versions() == before


def test_a_replay_that_changes_nothing_is_harmless_and_says_so(charts: Shell) -> None:
    before = charts.contents()
    said = charts.here("quarantine", "replay", "--rule", "weekly_rank_not_null")
    assert said.code == 3
    assert "refused again nothing has changed: all 2 are refused as before" in said.out
    assert "weekly_rank_not_null" in said.out and "a place is a number from 1" in said.out
    after = charts.contents()
    assert {name: after[name] for name in before if not name.startswith("quality.")} == {
        name: rows for name, rows in before.items() if not name.startswith("quality.")
    }
    assert after["quality.quarantine"] == before["quality.quarantine"]
    nothing = charts.here("quarantine", "replay", "--rule", "no_such_rule", "--json")
    assert (nothing.code, nothing.json["rows"]["selected"], nothing.json["runs"]) == (0, 0, [])


def test_a_mended_file_passes_and_the_quarantine_of_other_deliveries_stays(charts: Shell) -> None:
    charts.land("top10_global", FIRST, chart("1", "2", "3", "4"), "chart.tsv")
    said = charts.here("quarantine", "replay", "--delivery", FIRST, "--json")
    assert said.code == 0, said.err
    assert said.json["rows"] == {"selected": 1, "left": 1, "stayed": 0, "new": 0}
    assert rows(charts) == [(SILVER, SECOND, 4)]
    places = charts.here(
        "query", f"SELECT count(*) AS n FROM {SILVER} WHERE delivery_date = '{FIRST}'", "--format", "json"
    )
    assert places.json == [{"n": 4}]
    again = charts.here("run", "--json")
    assert again.code == 0 and again.json["runs"] == [], "the replay has built what was pending there"


def test_an_alias_lets_in_a_delivery_that_was_refused_at_the_door(charts: Shell) -> None:
    day = "2026-01-20"
    charts.land("top10_global", day, chart("1", "2", header=HEADER.replace("weekly_rank", "standing")), "chart.tsv")
    assert charts.here("run", "--json").code == 3
    assert ("bronze.top10_global", day, None) in rows(charts)
    unmended = charts.here("quarantine", "replay", "--table", "bronze.top10_global", "--json")
    assert unmended.code == 3 and unmended.json["rows"]["stayed"] == 1
    assert [held["date"] for held in unmended.json["held_back"]] == [day]
    mended = charts.cwd / "sources.yaml"
    text = PACKAGED.read_text().replace("aliases: [rank]", "aliases: [rank, standing]")
    mended.write_text(text)
    said = charts.here("quarantine", "replay", "--table", "bronze.top10_global", "--json", NETFLIX_SOURCES=mended)
    assert said.code == 0, said.err
    assert said.json["rows"] == {"selected": 1, "left": 1, "stayed": 0, "new": 0}
    assert rows(charts) == [(SILVER, FIRST, 3), (SILVER, SECOND, 4)]


def test_a_mended_rule_lets_rows_pass(charts: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that was too strict, here on the length of a name, is loosened under its own name."""
    table, day = TABLES[SILVER], "2026-01-20"

    def ruled(condition: str) -> None:
        rule = holds("name_short", condition, "no name is long", "drop", hint="is it one name?")
        monkeypatch.setitem(TABLES, SILVER, replace(table, expectations=(*table.expectations, rule)))

    charts.land("top10_global", day, chart("1", "2", "3").replace("Show 2", "A show of a long name"), "chart.tsv")
    ruled("length(show_title) < 15")
    assert charts.here("run", "--json").code == 0
    assert rows(charts) == [(SILVER, FIRST, 3), (SILVER, SECOND, 4), (SILVER, day, 2)]
    ruled("length(show_title) < 50")
    said = charts.here("quarantine", "replay", "--rule", "name_short", "--json")
    assert said.code == 0, said.out
    assert said.json["rows"] == {"selected": 1, "left": 1, "stayed": 0, "new": 0}
    assert rows(charts) == [(SILVER, FIRST, 3), (SILVER, SECOND, 4)], "what another rule refuses is left alone"


def test_two_replays_at_once_take_turns(charts: Shell) -> None:
    for day in (FIRST, SECOND):
        charts.land("top10_global", day, chart("1", "2", "3", "4"), "chart.tsv")
    both = [charts.start("quarantine", "replay", "--json") for _ in range(2)]
    outputs = [one.communicate(timeout=300) for one in both]
    assert all(out for out, _ in outputs), [(one.returncode, err) for one, (_, err) in zip(both, outputs, strict=True)]
    said = [json.loads(out) for out, _ in outputs]
    assert [one.returncode for one in both] == [0, 0]
    assert sorted(found["rows"]["left"] for found in said) == [0, 2]
    assert rows(charts) == []


def test_a_replay_does_not_need_the_landed_file_for_rows_refused_after_bronze(charts: Shell) -> None:
    (charts.landing / "top10_global" / FIRST / "chart.tsv").unlink()
    before = charts.contents()
    said = charts.here("quarantine", "replay", "--delivery", FIRST, "--json")
    assert said.code == 3 and said.json["rows"]["stayed"] == 1
    assert charts.contents()[SILVER] == before[SILVER]
