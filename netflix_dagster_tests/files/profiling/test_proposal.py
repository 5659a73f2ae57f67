"""What is proposed can be used as it is: the entry loads, the door takes the file, the expectations hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netflix_dagster.contracts import contract
from netflix_dagster.contracts.contract import Column, Expectation
from netflix_dagster.files.parsing import parse_file
from netflix_dagster.files.profiling import Profile, Unreadable, as_json, profile
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.sample import sample_files
from netflix_dagster.sample.workbook import workbook

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BROADCASTS = [
    ("Sendung-Nr", "Titel (dt.)", "Datum", "Sender", "Zuschauer", "Quote %", "Mitwirkende", "", "loaded_at"),
    *(
        (
            f"S{n:04d}",
            f"Folge {n}: Größe",
            f"{n % 28 + 1}.{n % 12 + 1}.2024",
            ("ARD", "ZDF")[n % 2],
            str(1_000 + n),
            f"{n},5",
            ("Ann Lee, Bob Ray", "Bob Ray, Cy Fox", "Cy Fox")[n % 3],
            "",
            "N/A" if n % 7 else "2024-01-01",
        )
        for n in range(1, 61)
    ),
]


def written(path: Path, rows: Iterable[Sequence[str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def loaded(found: Profile, folder: Path) -> Sources:
    """The proposal as the platform loads it, from a file of its own."""
    path = folder / "proposed.yaml"
    path.write_text(found.yaml, encoding="utf-8")
    return load_sources(path)


def evaluated(lines: Iterable[str]) -> list[Any]:
    """The proposed lines of Python, run with what ``lake/contract.py`` offers."""
    return [eval(line, {**vars(contract)}) for line in lines]


def test_a_new_file_becomes_a_new_source(tmp_path: Path) -> None:
    path = written(tmp_path / "2024 Sendungen (neu).csv", BROADCASTS)
    found = profile(path, load_sources())
    source = loaded(found, tmp_path).sources["n_2024_sendungen_neu"]
    assert (source.files, source.format, source.feed) == ("*.csv", "csv", "new_feed")
    assert {name: column.aliases for name, column in source.columns.items()} == {
        "sendung_nr": (),
        "titel_dt": ("Titel (dt.)",),
        "datum": (),
        "sender": (),
        "zuschauer": (),
        "quote": ("Quote %",),
        "mitwirkende": (),
        "loaded_at_delivered": ("loaded_at",),
    }, "a column without a name cannot be one of the source, one with bronze's name gets another"
    assert found.door is None and len(parse_file(str(path), source).rows) == 60
    kinds = {column.name: column.found.kind for column in found.columns}
    assert kinds["datum"] == "date" and kinds["quote"] == "decimal" and kinds["mitwirkende"] == "list"
    assert found.keys.candidates[0] == ("sendung_nr",)
    odd = {oddity.what for oddity in found.oddities if oddity.column is None}
    assert odd == {"column without a name"}


@pytest.mark.parametrize(
    ("delimiter", "encoding", "reason"),
    [(";", "cp1252", "not UTF-8"), (",", "cp1252", "not UTF-8"), (",", "utf-16", "UTF-16")],
)
def test_what_the_door_would_refuse_is_said(tmp_path: Path, delimiter: str, encoding: str, reason: str) -> None:
    found = profile(written(tmp_path / "a.csv", BROADCASTS, delimiter, encoding), load_sources())
    assert found.door is not None and reason in found.door
    assert loaded(found, tmp_path).sources["a"].columns["zuschauer"].description == "Whole number from 1001 to 1060"


@pytest.mark.parametrize("place", sample_files())
def test_a_delivery_of_a_known_source_is_recognised(tmp_path: Path, place: str) -> None:
    path = tmp_path / Path(place).name
    path.write_bytes(sample_files()[place])
    source = load_sources().sources[place.split("/")[0]]
    parsed = parse_file(str(path), source)
    if not parsed.rows:
        with pytest.raises(Unreadable):
            profile(path, load_sources())
        return
    found = profile(path, load_sources())
    assert found.like is not None and (found.like.source, found.like.verdict) == (source.name, "same")
    entry = loaded(found, tmp_path).sources[source.name]
    assert set(entry.columns) >= set(source.columns) and entry.files == source.files
    assert (found.door is None) == (not parsed.refusals)


def test_a_renamed_feed_is_recognised_and_taken_with_the_new_names(tmp_path: Path) -> None:
    header = "film_show_id,type,title,director_names,Cast Members,country,date_added,year,rating,duration,genres"
    rows = [
        [*header.split(","), "summary", "votes"],
        *([f"s{n}", "Movie", f"T {n}", *["x"] * 10] for n in range(1, 30)),
    ]
    path = written(tmp_path / "renamed.csv", rows)
    known = load_sources()
    assert parse_file(str(path), known.sources["netflix_catalogue"]).refusals, "as it stands, the source refuses it"
    found = profile(path, known)
    assert found.like is not None and (found.like.source, found.like.verdict) == ("netflix_catalogue", "renamed")
    assert found.like.renamed == {"film_show_id": "show_id", "director_names": "director"}
    source = loaded(found, tmp_path).sources["netflix_catalogue"]
    assert source.columns["show_id"].aliases == (
        *known.sources["netflix_catalogue"].columns["show_id"].aliases,
        "film_show_id",
    )
    assert not source.columns["votes"].required
    assert found.door is None and len(parse_file(str(path), source).rows) == 29


def test_a_file_that_only_resembles_is_another_source(tmp_path: Path) -> None:
    rows = [("title", "studio", "budget", "box_office", "critic"), ("A", "B", "1", "2", "C"), ("D", "E", "3", "4", "F")]
    found = profile(written(tmp_path / "studios.csv", rows), load_sources())
    assert found.like is not None and found.like.verdict == "other" and found.name == "studios"


def test_a_source_that_has_the_name_already_is_not_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "netflix_cast.csv", [("alpha", "beta"), ("1", "2"), ("3", "4")])
    assert profile(path, load_sources()).name == "netflix_cast_new"


def test_a_workbook_is_read_and_taken(tmp_path: Path) -> None:
    lines = [[None, f"Show {n}", 100 * n] for n in range(30)]
    above = [[None, "What people watched"], [], [None, "Show Name", "Watched Hours"]]
    path = tmp_path / "half year.xlsx"
    path.write_bytes(workbook({"Notes": [["see below"]], "Shows": [*above, *lines]}))
    found = profile(path, load_sources())
    assert (found.delivered.sheet, found.delivered.header_line) == ("Shows", 3)
    assert [column.name for column in found.columns] == ["show_name", "watched_hours"]
    source = loaded(found, tmp_path).sources["half_year"]
    assert (source.format, source.files) == ("xlsx", "*.xlsx")
    assert [oddity.what for oddity in found.oddities] == ["more sheets"] and found.door is None, found.door
    assert len(parse_file(str(path), source).rows) == 30


SPARK_TYPES = {"bigint": "bigint", "double": "double", "boolean": "boolean"}


def typed(spark: SparkSession, found: Profile) -> Any:
    """The rows of a file with the types of the proposed columns; days and lists as the silver layer would have them."""
    columns: list[Column] = evaluated(found.contract_columns)
    nulls = [set(profile.nulls) for profile in found.columns]
    rows = [
        tuple(None if cell.strip() in null else cell.strip() for cell, null in zip(row, nulls, strict=True))
        for row in found.delivered.rows
    ]
    frame = spark.createDataFrame(rows, ", ".join(f"`{column.name}` string" for column in columns))
    selected = [f"try_cast({c.name} AS {SPARK_TYPES.get(c.type, 'string')}) AS {c.name}" for c in columns]
    return frame.selectExpr(*selected)


def test_the_proposed_expectations_hold_for_the_file(tmp_path: Path, spark: SparkSession) -> None:
    rows = [[cell.replace(",5", ".5") if cell.endswith(",5") else cell for cell in row] for row in BROADCASTS]
    found = profile(written(tmp_path / "a.csv", rows), load_sources())
    rules: list[Expectation] = evaluated(found.expectations)
    assert {rule.name: rule.on_fail for rule in rules if rule.name.endswith("_not_null")} == {
        "sendung_nr_not_null": "drop",
        **{f"{name}_not_null": "warn" for name in ("titel_dt", "datum", "sender", "zuschauer", "quote", "mitwirkende")},
    }, "the key is needed, what is always filled is expected to be"
    assert {"sendung_nr_shaped", "sender_known", "zuschauer_plausible", "quote_plausible"} <= {r.name for r in rules}
    frame = typed(spark, found)
    for rule in rules:
        if "DATE '" in rule.condition:
            continue  # the days are written as 1.2.2024: the next test reads ISO days
        assert frame.where(f"NOT coalesce({rule.condition}, true)").count() == 0, rule
    assert frame.where("NOT (sender IN ('ARD', 'ZDF'))").count() == 0 and frame.count() == 60


def test_the_proposed_expectations_find_what_is_wrong(tmp_path: Path, spark: SparkSession) -> None:
    rows = [("week", "category", "hours"), *((f"2024-01-{n:02d}", ("Film", "TV")[n % 2], str(n)) for n in range(1, 29))]
    rules = evaluated(profile(written(tmp_path / "a.csv", rows), load_sources()).expectations)
    wrong = spark.sql("SELECT DATE '0024-01-01' AS week, 'Game' AS category, -5 AS hours")
    broken = {rule.name for rule in rules if wrong.where(f"NOT coalesce({rule.condition}, true)").count()}
    assert broken == {"week_plausible", "category_known", "hours_plausible"}
    nothing = spark.sql(
        "SELECT CAST(NULL AS date) AS week, CAST(NULL AS string) AS category, CAST(NULL AS bigint) AS hours"
    )
    unfilled = {rule.name for rule in rules if nothing.where(f"NOT coalesce({rule.condition}, true)").count()}
    assert unfilled == {"week_not_null", "category_not_null", "hours_not_null"}


CELLS = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.dates().map(str),
    st.sampled_from(
        ["", "N/A", '"', "'", "\\", "=a(", "Oct-01", "1,2", "a, b", "\u202e", "\u2028", "\x85", "\ufffe", "#"]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=1, max_size=10),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_whatever_a_file_holds_the_proposal_can_be_used(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path = tmp_path / "a.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "replace"))
    try:
        found = profile(path, load_sources())
    except Unreadable as told:
        assert str(path) in str(told) and "\n" not in str(told)
        return
    assert Sources.model_validate(yaml.safe_load(found.yaml)).sources[found.name].columns
    assert all(isinstance(rule, Expectation) for rule in evaluated(found.expectations))
    assert len(evaluated(found.contract_columns)) == len(found.columns)
    assert json.loads(json.dumps(as_json(found)))["file"]["rows"] == len(found.delivered.rows)
