"""``netflix-dagster run``: from landing to gold, what it says of it, and what it does when there is nothing to do."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES, holds
from netflix_dagster.deliveries.life import Life
from netflix_dagster.landing.sources import PACKAGED, load_sources
from netflix_dagster.sample import RELEASES, SPLIT_DAY
from netflix_dagster_tests.cli.conftest import CHART, CHART_DAY
from netflix_dagster_tests.cli.shell import Said, Shell
from netflix_dagster_tests.lakehouse import as_csv, split_files, title

SAMPLED = {name: table for name, table in TABLES.items() if table.feed != "viewing"}
"""The sample has no viewing events, unless it is asked for them."""
DAYS = sorted(day.isoformat() for day in (*RELEASES, SPLIT_DAY))


def test_the_first_run_builds_everything_and_tells_of_it(first_run: tuple[Shell, Said]) -> None:
    shell, said = first_run
    assert said.code == 0 and said.quiet, said.err
    found = said.json
    assert (found["status"], found["exit_code"]) == ("ok", 0)
    assert [found[name] for name in ("landing", "lake")] == [str(shell.landing), str(shell.lake)]
    assert found["dagster_home"] == str(shell.lake / ".dagster")
    assert 0 < found["seconds"] < 600 and 100 < found["peak_memory_mb"] < 4000
    landed = _landed(shell)
    assert found["deliveries"] == {"landed": landed, "built": landed, "held_back": []}
    assert found["strays"] == found["unknown_sources"] == []
    assert found["serving"]["errors"] == [] and Path(found["serving"]["warehouse"]).is_file()

    days = _feeds(shell)
    assert days["catalogue"] == DAYS and set(days) == {"catalogue", "charts", "engagement"}
    assert all(run["success"] and run["errors"] == [] for run in found["runs"])
    assert {run["feed"]: sorted(run["deliveries"]) for run in found["runs"]} == days
    assert len(found["runs"]) == len(days), "one run a feed"

    contents = shell.contents()
    rows = {name: table["rows"] for name, table in found["tables"].items()}
    assert set(rows) == {*SAMPLED, "quality.deliveries", "quality.quarantine"}
    assert {name: len(contents[name]) for name in rows if name != "quality.deliveries"} == {
        name: count for name, count in rows.items() if name != "quality.deliveries"
    }
    assert rows["quality.deliveries"] >= 3 * landed, "that each has landed, was accepted, and stands"
    versions = shell.versions()
    assert {name: table["version"] for name, table in found["tables"].items()} == {
        name: versions[name] for name in rows
    }
    for source in shell.landing.iterdir():
        assert rows[f"bronze.{source.name}"] == sum(map(_records, source.glob("*/*")))
    last = shell.landing / "netflix_catalogue" / RELEASES[-1].isoformat() / "netflix_titles.csv"
    titles = [json.loads(row) for row in contents["gold.dim_title"]]
    assert sum(title["is_current"] for title in titles if not title["is_inferred"]) == _records(last)
    charted = {json.loads(row)["title_key"] for row in contents["gold.bridge_title_chart"]}
    inferred = {title["title_key"] for title in titles if title["is_inferred"]}
    assert inferred and inferred <= charted <= {title["title_key"] for title in titles}

    assert found["checks"]["failed"] == 0 and found["checks"]["passed"] > 500
    warnings = found["checks"]["warnings"]
    assert found["checks"]["warned"] == sum(warning["deliveries"] for warning in warnings) > 0
    assert all(warning["table"] in rows and warning["rule"] and warning["message"] for warning in warnings)
    reasons = found["quarantine"]["reasons"]
    assert found["quarantine"]["rows"] == rows["quality.quarantine"] == sum(entry["rows"] for entry in reasons)
    assert {entry["table"] for entry in reasons} == {f"silver.title_{n}" for n in ("cast", "genres", "directors")}
    assert all(entry["rule"] == "title_delivered" and entry["reason"] and entry["hint"] for entry in reasons)

    dates = sum(map(len, days.values()))
    assert f"{landed} deliveries in landing, {dates} delivery dates to build" in said.err
    told = [line.split()[0] for line in said.err.splitlines() if line.startswith("  ")]
    assert Counter(told) == Counter(dict.fromkeys(SAMPLED, 1)), "those of no feed alone are built once, in the end"


def test_dagster_knows_what_was_built(built: Shell) -> None:
    with dg.DagsterInstance.from_config(str(built.lake / ".dagster")) as instance:
        partitions = {feed: instance.get_dynamic_partitions(f"{feed}_deliveries") for feed in _feeds(built)}
        runs = {run.tags.get("feed"): run.status.value for run in instance.get_runs()}
        keys = {".".join(key.path): key for key in instance.all_asset_keys()}
        tables = {name: sorted(instance.get_materialized_partitions(keys[name])) for name in SAMPLED}
    days = _feeds(built)
    assert partitions == days and runs == dict.fromkeys([*days, None], "SUCCESS"), "None: what consumers open"
    assert "serving.warehouse" in keys
    assert tables == {name: days[table.feed] if table.feed else [] for name, table in SAMPLED.items()}


def test_a_second_run_does_nothing(first_run: tuple[Shell, Said], lake: Shell) -> None:
    _, first = first_run
    before = lake.versions()
    second = lake.here("run", "--json")
    assert second.code == 0 and second.quiet
    found = second.json
    assert found["runs"] == [] and found["deliveries"] == {"landed": _landed(lake), "built": 0, "held_back": []}
    assert found["checks"] == {"passed": 0, "warned": 0, "failed": 0, "warnings": []}
    assert found["tables"] == first.json["tables"] and found["quarantine"] == first.json["quarantine"]
    assert lake.versions() == before

    shown = lake.here("run", "--again")
    assert shown.code == 0 and "nothing to do, every delivery is built" in shown.out
    changes = first.json["tables"]["gold.fact_catalogue_change"]
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["gold.fact_catalogue_change", str(changes["rows"]), str(changes["version"])] in lines
    assert lake.versions() == before


@pytest.mark.usefixtures("unserved")
def test_a_bad_delivery_is_held_back_and_harms_nothing(chart_lake: Shell) -> None:
    """A good one and a bad one arrive together; the bad one is mended later."""
    landed, bronze, silver = ("2026-05-05", "2026-06-02"), "bronze.top10_global", "silver.top10_global"
    before = chart_lake.contents()
    chart_lake.land("top10_global", landed[0], f"{CHART}2025-12-28\tTV (English)\t2\n", "chart.tsv")
    chart_lake.land("top10_global", landed[1], CHART, "chart.tsv")
    said = chart_lake.here("run", "--json")
    assert said.code == 3 and said.quiet, said.err
    found = said.json
    assert (found["status"], found["exit_code"]) == ("held back", 3)
    (held,) = found["deliveries"]["held_back"]
    assert (held["source"], held["date"], held["status"]) == ("top10_global", landed[0], "refused")
    for part in ("chart.tsv", "record 2", "line 3", "3 fields where the header has 4", "land it again"):
        assert part in held["reason"]
    entry = next(entry for entry in found["quarantine"]["reasons"] if entry["table"] == bronze)
    assert entry["rows"] == 1 and entry["reason"] in held["reason"]
    assert [(run["deliveries"], run["success"]) for run in found["runs"]] == [([*landed], True)], "they share a run"
    assert found["deliveries"]["built"] == 1
    assert all(run["errors"] == [] for run in found["runs"]), "to be held back is not to fail"
    assert _days(chart_lake, bronze) == _days(chart_lake, silver) == {CHART_DAY, landed[1]}
    assert set(before[silver]) < set(chart_lake.contents()[silver])

    versions = chart_lake.versions()
    shown = chart_lake.here("run")
    assert shown.code == 3 and shown.quiet and "nothing to do" in shown.out
    assert f"refused     top10_global {landed[0]}: chart.tsv: record 2 (line 3)" in shown.out
    assert chart_lake.versions() == versions
    ill = [finding for finding in chart_lake.here("doctor", "--json").json["findings"] if not finding["ok"]]
    assert [finding["what"] for finding in ill] == ["deliveries"] and landed[0] in ill[0]["found"]

    chart_lake.land("top10_global", landed[0], CHART, "chart.tsv")
    mended = chart_lake.here("run", "--json")
    assert mended.code == 0 and mended.quiet, mended.err
    assert mended.json["deliveries"] == {"landed": _landed(chart_lake), "built": 1, "held_back": []}
    assert bronze not in {entry["table"] for entry in mended.json["quarantine"]["reasons"]}
    assert {*landed} < _days(chart_lake, silver)


@pytest.mark.usefixtures("unserved")
def test_again_takes_up_what_a_mended_sources_yaml_can_read(chart_lake: Shell) -> None:
    chart_lake.land("top10_global", CHART_DAY, CHART.replace("weekly_rank", "standing"), "chart.tsv")
    before = chart_lake.contents()["silver.top10_global"]
    sources = chart_lake.cwd / "sources.yaml"
    sources.write_text(PACKAGED.read_text())
    for call in (["run"], ["run", "--again"]):
        first = chart_lake.here(*call, "--json", NETFLIX_SOURCES=sources)
        assert first.code == 3 and first.quiet
        (held,) = first.json["deliveries"]["held_back"]
        assert held["source"] == "top10_global" and "weekly_rank" in held["reason"]
        assert [run["success"] for run in first.json["runs"]] == [False], "it was taken up, and refused"

    sources.write_text(sources.read_text().replace("aliases: [rank]", "aliases: [rank, standing]"))
    still = chart_lake.here("run", "--json", NETFLIX_SOURCES=sources)
    assert still.code == 3 and still.json["runs"] == [], "no file has changed"
    again = chart_lake.here("run", "--json", "--again", NETFLIX_SOURCES=sources)
    assert again.code == 0 and again.quiet, again.err
    assert again.json["deliveries"]["built"] == 1 and again.json["deliveries"]["held_back"] == []
    assert chart_lake.contents()["silver.top10_global"] == before


@pytest.mark.usefixtures("unserved")
def test_one_source_only(shell: Shell) -> None:
    """The lists of a split delivery wait for its titles, which are another source."""
    day = SPLIT_DAY.isoformat()
    for source, content in split_files(map(title, range(3))).items():
        shell.land(source, day, content)
    first = shell.here("run", "--source", "netflix_countries", "--json")
    assert first.code == 3, first.out
    (held,) = first.json["deliveries"]["held_back"]
    assert (held["source"], held["status"], first.json["deliveries"]["landed"]) == ("netflix_countries", "held", 1)
    assert first.json["checks"]["failed"] == 1
    rows = {name: table["rows"] for name, table in first.json["tables"].items() if TABLES.get(name)}
    assert set(rows.values()) <= {0}, "what is held is in no table"

    second = shell.here("run", "--source", "netflix_countries", "--json")
    assert second.code == 3 and second.json["runs"] == []

    third = shell.here("run", "--source", "netflix_titles", "--json")
    assert third.json["tables"]["silver.titles"]["rows"] > 0
    countries = Life.read(shell.lake).deliveries["netflix_countries", day]
    assert countries.newest.stands, "the titles have come: the countries that were held are let go"
    assert third.json["tables"]["silver.title_countries"]["rows"] > 0
    assert ("netflix_cast", day) not in Life.read(shell.lake).deliveries


@pytest.mark.usefixtures("unserved")
def test_what_failed_is_told_again_until_it_is_built(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no fault of the data: a file lies where a table should be, then a rule lets nothing pass."""
    obstacle = shell.lake / "gold" / "dim_title"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file where the table should be")
    shell.land("netflix_catalogue", "2024-03-15", as_csv(map(title, range(4))))
    shell.land("top10_global", "2026-01-06", CHART, "chart.tsv")
    first = shell.here("run", "--json")
    assert (first.code, first.json["status"], first.json["deliveries"]["held_back"]) == (1, "failed", []), first.out
    assert [(run["feed"], len(run["errors"])) for run in first.json["runs"]] == [("catalogue", 0), ("charts", 1)]
    (error,) = first.json["runs"][1]["errors"]
    assert error.startswith("gold.dim_title: ") and "\n" not in error

    built = shell.versions()
    second = shell.here("run", "--json")
    assert second.code == 1, "what was not built is told again"
    assert [(run["feed"], run["errors"]) for run in second.json["runs"]] == [("charts", [error])]
    assert shell.versions().items() - built.items() <= {("quality.deliveries", shell.versions()["quality.deliveries"])}

    obstacle.unlink()
    table = TABLES["gold.dim_title"]
    never = holds("never", "false", "nothing passes this rule", on_fail="fail")
    with monkeypatch.context() as patched:
        patched.setitem(TABLES, table.name, replace(table, expectations=(*table.expectations, never)))
        for _ in range(2):
            blocked = shell.here("run", "--json")
            assert blocked.code == 1, "a table that a rule blocks is told again as well"
            ((error,),) = [run["errors"] for run in blocked.json["runs"]]
            assert error.startswith("gold.dim_title is held back") and "never" in error

    last = shell.here("run", "--json")
    assert (last.code, [run["errors"] for run in last.json["runs"]]) == (0, [[]])
    assert last.json["tables"]["gold.dim_title"]["version"] == 0, "built once, for both feeds"
    assert shell.here("run", "--json").json["runs"] == []


def _landed(shell: Shell) -> int:
    return sum(map(len, shell.deliveries.values()))


def _feeds(shell: Shell) -> dict[str, list[str]]:
    """The delivery dates of every feed that has landed."""
    found: dict[str, set[str]] = {}
    for source, days in shell.deliveries.items():
        found.setdefault(load_sources().sources[source].feed, set()).update(days)
    return {feed: sorted(days) for feed, days in found.items()}


def _records(file: Path) -> int:
    """The records of a file below its header; in a sheet of a workbook that is the first row of many values."""
    if file.suffix == ".xlsx":
        from python_calamine import CalamineWorkbook

        book = CalamineWorkbook.from_path(file)
        sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
        return sum(sum(1 for row in sheet if sum(cell != "" for cell in row) > 2) - 1 for sheet in sheets)
    with file.open(encoding="utf-8-sig", newline="") as text:
        return sum(1 for _ in csv.DictReader(text, delimiter="\t" if file.suffix == ".tsv" else ","))


def _days(shell: Shell, table: str) -> set[str]:
    return {json.loads(row)["delivery_date"] for row in shell.contents()[table]}
