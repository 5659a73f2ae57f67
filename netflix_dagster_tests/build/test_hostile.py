"""Every hostile file of the corpus through the real door: the verdict is the right one, and no record is lost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netflix_dagster.contracts.report import Outcome
from netflix_dagster.deliveries import quarantine
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.lake import store
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import FILLED, RESERVED, load_sources
from netflix_dagster_tests.build.door import Door
from netflix_dagster_tests.files.corpus import CORPUS, FILMS, HEAD, TWO, Hostile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

every_file = pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
FIRST = date(2020, 1, 1)


@every_file
def test_the_verdict_on_a_hostile_file(file: Hostile) -> None:
    parsed = parse_bytes(file.data, file.source)
    refused = [found for found in parsed.refusals if found.record is not None]
    assert parsed.records == len(parsed.rows) + len(refused)
    assert (len(parsed.rows), bool(parsed.refusals)) == (file.taken, file.rule is not None)
    if file.kept:
        assert parsed.rows[0].values == file.kept
    if file.rule:
        found = parsed.refusals[0]
        assert (found.rule, found.record) == (file.rule, file.record)
        assert found.reason.startswith(file.says) or file.says.strip() in found.reason
        assert file.hint in found.hint and found.hint


def test_there_are_enough_of_them_and_each_is_named_once() -> None:
    assert len(CORPUS) >= 100
    assert Counter(file.name for file in CORPUS).most_common(1)[0][1] == 1


@pytest.fixture(scope="module")
def landed(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, tuple[Hostile, Outcome]]]:
    """A lake that was asked to take every file of the corpus, a delivery each, in one call."""
    door = Door(tmp_path_factory.mktemp("hostile"))
    door.say(sources_yaml())
    files = {str(FIRST + timedelta(n)): file for n, file in enumerate(f for f in CORPUS if f.source is FILMS)}
    for day, file in files.items():
        door.land(day, file.data)
    outcomes = door.take(*files)
    return door.settings.lake, {day: (file, outcomes[day]) for day, file in files.items()}


def sources_yaml() -> str:
    """A ``sources.yaml`` that says what ``FILMS`` says."""
    films = FILMS.model_dump(mode="json", exclude={"name"})
    feeds = {"films": {"description": "Films", "expected_every_days": 7}}
    return json.dumps({"feeds": feeds, "sources": {"films": films}})


def test_of_the_whole_corpus_the_right_deliveries_are_taken_whole(
    landed: tuple[Path, dict[str, tuple[Hostile, Outcome]]],
) -> None:
    lake, files = landed
    held = store.read_arrow(lake, "bronze.films", columns=["delivery_date"])
    assert held is not None
    rows = Counter(day.isoformat() for day in held.column(0).to_pylist())
    for day, (file, outcome) in files.items():
        assert bool(outcome.held_back) == (file.rule is not None), file.name
        assert rows.get(day, 0) == outcome.rows == (0 if file.rule else file.taken), file.name


def test_whatever_is_refused_lies_in_the_quarantine_with_its_reason(
    landed: tuple[Path, dict[str, tuple[Hostile, Outcome]]],
) -> None:
    lake, files = landed
    held = store.read_arrow(lake, quarantine.NAME)
    assert held is not None
    found: dict[str, list[dict[str, Any]]] = {}
    for row in held.to_pylist():
        found.setdefault(row["delivery_date"].isoformat(), []).append(row)
    assert set(found) == {day for day, (file, _) in files.items() if file.rule}
    for day, rows in found.items():
        file, outcome = files[day]
        assert len(rows) == outcome.quarantined
        assert any(row["rules"] == [file.rule] and file.says in row["reasons"][0] for row in rows), file.name
        assert all(row["hints"][0] for row in rows)


def test_values_reach_bronze_exactly_as_they_were_delivered(
    landed: tuple[Path, dict[str, tuple[Hostile, Outcome]]],
) -> None:
    lake, files = landed
    held = store.read_arrow(lake, "bronze.films", columns=["delivery_date", "record_number", *FILMS.columns])
    assert held is not None
    rows = {(str(r["delivery_date"]), r["record_number"]): r for r in held.to_pylist()}
    kept = {day: file.kept for day, (file, _) in files.items() if file.kept}
    assert len(kept) > 40
    for day, values in kept.items():
        assert tuple(rows[day, 1][name] for name in FILMS.columns) == values


def test_columns_that_nobody_knows_are_rescued_whatever_their_names(
    landed: tuple[Path, dict[str, tuple[Hostile, Outcome]]],
) -> None:
    lake, files = landed
    held = store.read_arrow(lake, "bronze.films", columns=["delivery_date", "rescued_data"])
    assert held is not None
    rescued = {str(r["delivery_date"]): r["rescued_data"] for r in held.to_pylist()}
    of_file = {file.name: rescued.get(day) for day, (file, _) in files.items()}
    assert json.loads(of_file["names that bronze adds"] or "") == {
        "delivery_date": "1999-01-01",
        "rescued_data": "{}",
        "run_id": "me",
    }
    assert len(json.loads(of_file["5,000 columns"] or "")) == 4998
    assert json.loads(of_file["a name that is empty"] or "") == {"(column 3)": "q"}
    assert json.loads(of_file["a line break in a name"] or "") == {"no\nte": "x"}


# Names and places


@pytest.mark.parametrize(
    "name",
    [
        "-rf.csv",
        "a\nb.csv",
        'it\'s "quoted".csv',
        "映画 🎬.csv",
        "$(touch x);`id`.csv",
        "%s%n{0}.csv",
        "..csv.csv",
        "\u202evsc.csv",
        "\x1b[2J.csv",
        "x" * 240 + ".csv",
    ],
    ids=repr,
)
@pytest.mark.usefixtures("spark")
def test_a_file_of_any_name_is_taken_and_its_rows_say_where_they_come_from(tmp_path: Path, name: str) -> None:
    door = Door(tmp_path)
    if name.startswith("."):
        name = f"x{name}"
    door.land("2020-01-01", b"show_id,title\n1,A\n2,B\n", name)
    assert door.take("2020-01-01")["2020-01-01"].rows == 2
    assert [row["source_file"] for row in door.rows()] == [name, name]


@pytest.mark.usefixtures("spark")
def test_a_link_is_read_where_it_leads_and_a_dead_one_refused(tmp_path: Path) -> None:
    door = Door(tmp_path)
    (tmp_path / "elsewhere.txt").write_bytes(TWO)
    path = door.land("2020-01-01", b"")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.txt")
    assert door.take("2020-01-01")["2020-01-01"].rows == 2
    (tmp_path / "elsewhere.txt").unlink()
    refused = door.take("2020-01-01")["2020-01-01"]
    assert (refused.held_back or "").startswith("films.csv: films.csv cannot be read: No such file or directory")
    assert len(door.rows()) == 2


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    door = Door(tmp_path)
    path = door.land("2020-01-01", b"")
    path.unlink()
    path.symlink_to(path)
    assert "cannot be read: Too many levels of symbolic links" in (
        door.take("2020-01-01")["2020-01-01"].held_back or ""
    )


def test_an_empty_folder_is_no_delivery(tmp_path: Path) -> None:
    door = Door(tmp_path)
    (door.settings.landing / "films" / "2020-01-01").mkdir(parents=True)
    assert list_landing(door.settings.landing, load_sources(door.settings.sources)).deliveries == ()
    assert not door.take("2020-01-01")["2020-01-01"].delivered
    assert door.rows() == []


def test_one_bad_file_holds_back_the_good_ones_of_its_delivery(tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.land("2020-01-01", HEAD + b"1,A,x\n", "a.csv")
    door.land("2020-01-01", b"null", "b.csv")
    assert (door.take("2020-01-01")["2020-01-01"].held_back or "").startswith("b.csv: the body is 'null'")
    assert door.rows() == []


def test_columns_that_bronze_adds_are_never_those_of_a_source() -> None:
    assert all(FILMS.canonical(name) is None for name in (*RESERVED, *FILLED))
