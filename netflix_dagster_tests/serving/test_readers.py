"""What only some readers know of Delta is found before they read it."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest
from deltalake import DeltaTable, write_deltalake

from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.serving import READ, warehouse
from netflix_dagster.lake import store
from netflix_dagster.serving.readers import GOLD, faults
from netflix_dagster.serving.warehouse import refresh
from netflix_dagster.settings import Settings
from netflix_dagster_tests.cli.shell import Shell

TABLE = "gold.dim_genre"


def judged(lake: Path) -> dg.AssetCheckEvaluation:
    given = Lake.from_settings(Settings(lake=lake, landing=lake))
    result = dg.materialize([warehouse], resources={"lake": given})
    (said,) = result.get_asset_check_evaluations()
    assert said.check_name == READ
    return said


def test_every_table_of_the_sample_is_read_by_everyone(built: Shell) -> None:
    assert list(faults(built.lake)) == [] and all(store.exists(built.lake, name) for name in GOLD)


def test_the_check_passes_and_tells_of_rows_that_the_log_does_not_have(lake: Shell) -> None:
    assert judged(lake.lake).passed
    log = sorted((lake.lake / "gold" / "dim_genre" / "_delta_log").glob("*.json"))[-1]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            stats = json.loads(line["add"]["stats"])
            line["add"]["stats"] = json.dumps(stats | {"numRecords": stats["numRecords"] + 1})
    log.write_text("\n".join(map(json.dumps, lines)))
    (lake.lake / "serving" / "warehouse.duckdb").unlink()
    said = judged(lake.lake)
    assert not said.passed and f"{TABLE}: DuckDB" in str(said.description) and "are in the log" in str(said.description)


def test_a_text_that_is_longer_than_promised_is_told_with_what_to_do(lake: Shell) -> None:
    held = store.read_arrow(lake.lake, TABLE)
    assert held is not None
    row = held.slice(0, 1).to_pylist()[0] | {"genre": "é" * 501, "genre_key": "long"}
    write_deltalake(lake.lake / "gold" / "dim_genre", held.slice(0, 1).from_pylist([row], held.schema), mode="append")
    said = judged(lake.lake)
    assert not said.passed and said.metadata["rows_counted_of"].value == TABLE
    assert "genre takes 1002 bytes, and its contract says 1000 at most" in str(said.description)


@pytest.mark.parametrize(
    ("protocol", "configuration", "who", "why"),
    [
        (
            {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]},
            {},
            2,
            "deletionVectors",
        ),
        ({"minReaderVersion": 2, "minWriterVersion": 5}, {"delta.columnMapping.mode": "name"}, 2, "columnMapping"),
        ({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"]}, {}, 1, "timestampNtz"),
        ({"minReaderVersion": 2, "minWriterVersion": 5}, {}, 1, "version 2, and 1 is the newest"),
    ],
)
def test_what_a_reader_does_not_know_is_named(
    built: Shell, tmp_path: Path, protocol: dict[str, object], configuration: dict[str, str], who: int, why: str
) -> None:
    """The log says so; no file need be other than before."""
    held = store.read_arrow(built.lake, TABLE)
    assert held is not None
    folder = tmp_path / "gold" / "dim_genre"
    write_deltalake(folder, held)
    log = folder / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "protocol" in line:
            features = {"writerFeatures": protocol["readerFeatures"]} if "readerFeatures" in protocol else {}
            line["protocol"] = protocol | features
        if "metaData" in line:
            line["metaData"]["configuration"] = configuration
    log.write_text("\n".join(map(json.dumps, lines)))
    found = list(faults(tmp_path))
    assert len(found) == who and all(why in fault.why for fault in found), found
    assert any("Synapse" in fault.who for fault in found)


def test_a_column_of_another_type_is_found(built: Shell, tmp_path: Path) -> None:
    held = store.read_arrow(built.lake, TABLE)
    assert held is not None
    write_deltalake(tmp_path / "gold" / "dim_genre", held.drop_columns(["lists"]))
    (fault,) = faults(tmp_path)
    assert str(fault) == f"{TABLE}: Synapse: lists is not there, and its view says string"
    assert DeltaTable(tmp_path / "gold" / "dim_genre").version() == 0
    assert refresh(Settings(lake=tmp_path)).written == (TABLE,)
