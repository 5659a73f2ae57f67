"""Upkeep lays tables out as their contracts say: fewer files are opened, no row changes, no reader must know more."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, Column, ContractError, Layout, Table, checked
from netflix_dagster.lake import protocol, store
from netflix_dagster.lake.maintenance import Done, NotMaintained, UnsafeRetention, maintain

NAME = "gold.trial"
FILES, ROWS = 6, 3_000
TRIAL = Table(
    name=NAME,
    feed=None,
    description="Places of charts.",
    grain="one place",
    key=("country", "n"),
    columns=(Column("country", "string", "A country"), Column("n", "bigint", "A number"), Column("text", "string", "")),
    reads=(),
    function=lambda: None,  # type: ignore[arg-type,return-value]
    write="whole",
    layout=Layout(("country",), file_bytes=200_000),
)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with a table of which every file has rows of every country."""
    monkeypatch.setitem(TABLES, NAME, TRIAL)
    store.create(tmp_path, TRIAL)
    for seed in range(FILES):
        append(tmp_path, seed)
    return tmp_path


def append(lake: Path, seed: int) -> None:
    dice = random.Random(seed)
    countries = [f"{dice.randrange(90):02}" for _ in range(ROWS)]
    words = [dice.randbytes(40).hex() for _ in range(ROWS)]
    rows = pa.table({"country": countries, "n": range(seed * ROWS, (seed + 1) * ROWS), "text": words})
    write_deltalake(store.location(lake, NAME), rows, mode="append")


def held(lake: Path) -> list[dict[str, object]]:
    rows = store.read_arrow(lake, NAME)
    assert rows is not None
    return rows.sort_by("n").to_pylist()


def done(lake: Path) -> Done:
    return maintain(lake, 0, nobody_works=True)[NAME]


def test_a_query_for_one_value_opens_fewer_files_and_the_rows_are_the_same(lake: Path) -> None:
    rows = held(lake)
    said = done(lake)
    assert held(lake) == rows
    assert (said.clustered_by, said.compacted, said.read_before) == (("country",), FILES, FILES)
    assert said.files > 2
    assert said.read_now < 2.5
    assert f"opens {said.read_now:.1f} files (6.0 before)" in str(said)

    found = store.delta(lake, NAME)
    assert found is not None and protocol.features(found) == []
    assert found.metadata().description == TRIAL.comment == "Places of charts.\n\nGrain: one place. Key: country, n."
    assert found.metadata().configuration.items() >= TRIAL.layout.properties.items()

    again = done(lake)
    assert (again.compacted, again.read_now) == (0, said.read_now)
    append(lake, FILES)
    assert done(lake).compacted > 0


def test_a_table_that_is_there_takes_the_layout_of_its_contract_and_keeps_its_note(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(lake)
    later = replace(TRIAL, description="Other words.", layout=Layout((), keep_hours=240))
    monkeypatch.setitem(TABLES, NAME, later)
    before = store.version(lake, NAME)
    done(lake)
    found = store.delta(lake, NAME)
    assert found is not None
    assert found.metadata().configuration["delta.deletedFileRetentionDuration"] == "interval 240 hours"
    assert found.metadata().description == later.comment
    version = found.version()
    assert version > (before or 0)
    maintain(lake, 240)
    now = store.delta(lake, NAME)
    assert now is not None
    assert {commit["operation"] for commit in now.history() if commit["version"] > version} <= {
        "VACUUM START",
        "VACUUM END",
    }
    assert all(store.keeps_rows(commit) for commit in now.history() if commit["version"] > (before or 0))


def test_what_a_running_build_may_be_writing_is_not_removed(lake: Path) -> None:
    unfinished = Path(store.location(lake, NAME)) / "part-of-a-commit-to-come.parquet"
    unfinished.write_bytes(b"rows")
    with pytest.raises(UnsafeRetention, match="nothing was done: a retention of 1 hours"):
        maintain(lake, 1)
    maintain(lake)
    assert unfinished.exists()


def test_a_token_that_ends_in_the_middle_and_a_table_that_fails_do_not_stop_the_others(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, calls = held(lake), []
    vacuum = DeltaTable.vacuum

    def refused(table: DeltaTable, *args: object, **kwargs: object) -> object:
        calls.append(table)
        if len(calls) == 1 or table.table_uri.rstrip("/").endswith("results"):
            raise OSError("401 the access token has expired")
        return vacuum(table, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(DeltaTable, "vacuum", refused)
    assert done(lake).files > 2
    assert len({id(table) for table in calls}) == 2, "a table that is opened again has another token"
    assert held(lake) == rows

    store.create(lake, BOOKKEEPING["quality.results"])
    append(lake, FILES)
    with pytest.raises(NotMaintained, match=r"1 tables are not kept in shape, 1 are: quality.results: .*expired"):
        maintain(lake, 0, nobody_works=True)
    assert len(held(lake)) == len(rows) + ROWS


def test_a_layout_that_cannot_be_kept_is_refused_when_the_code_loads() -> None:
    with pytest.raises(ContractError, match="the layout names columns that are not there: week"):
        checked(replace(TRIAL, layout=Layout(("week",))))
    titles = TABLES["silver.titles"]
    with pytest.raises(ContractError, match="divided by its deliveries"):
        checked(replace(titles, layout=Layout(("title_key",))))
