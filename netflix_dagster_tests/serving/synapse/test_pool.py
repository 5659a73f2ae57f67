"""The dedicated pool gets what stands in gold, whole or not at all, and each version once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deltalake import write_deltalake
from sqlfluff.core import FluffConfig, Linter

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.serving.synapse import pool
from netflix_dagster.serving.synapse.server import SynapseError, connected
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place, at
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.emulators import tds
from netflix_dagster_tests.emulators.synapse import Dedicated
from netflix_dagster_tests.serving.synapse.conftest import TOKEN

GOLD = [table for table in TABLES.values() if table.layer == "gold"]
URL = "https://account.dfs.core.windows.net"
TABLE = "gold.dim_genre"


@pytest.fixture
def few(built: Shell, tmp_path: Path) -> Path:
    for name in ("dim_genre", "dim_title"):
        shutil.copytree(built.lake / "gold" / name, tmp_path / "lake" / "gold" / name)
    return tmp_path / "lake"


@pytest.fixture
def dedicated(
    few: Path, certificate: tuple[Path, Path], serve: Callable[..., object]
) -> Iterator[tuple[Dedicated, str]]:
    """A pool, and its endpoint."""
    engine = Dedicated(few, URL)
    with tds.serving(engine, *certificate, TOKEN) as server:
        yield engine, f"localhost:{server.port}"
    engine.close()


def load(lake: Path, endpoint: str) -> list[pool.Loaded]:
    settings = Settings(lake=lake, synapse=endpoint, synapse_pool="fast")

    def url(place: Place) -> str:
        return str(place).replace(str(lake), URL)

    return list(pool.load(settings, url=url))


def test_what_stands_is_loaded_once_and_again_when_it_changes(few: Path, dedicated: tuple[Dedicated, str]) -> None:
    _, endpoint = dedicated
    first = load(few, endpoint)
    assert {table.table: table.rows for table in first} == {
        name: store.row_count(few, name) for name in (TABLE, "gold.dim_title")
    }
    assert load(few, endpoint) == []
    held = store.read_arrow(few, TABLE)
    assert held is not None
    write_deltalake(
        few / "gold" / "dim_genre", held.slice(1), mode="overwrite"
    )  # the file of before stays in the folder: COPY must not see it
    files = len(list((few / "gold" / "dim_genre").glob("*.parquet")))
    assert files > 1
    (again,) = load(few, endpoint)
    assert (again.table, again.rows) == (TABLE, held.num_rows - 1)
    with connected(endpoint, "fast") as asked:
        assert asked.rows(f"SELECT COUNT_BIG(*) FROM {TABLE}") == [(held.num_rows - 1,)]
        names = ", ".join(c.name for c in TABLES["gold.dim_title"].columns)
        ((changed,),) = asked.rows("SELECT MAX(changed_columns) FROM gold.dim_title")
        assert changed.startswith("[") and asked.rows(f"SELECT {names} FROM gold.dim_title")
        assert sorted(name.rpartition("__")[0] for (name,) in asked.rows(pool.LEFT)) == ["dim_genre", "dim_title"]
    assert not (few / "serving" / "synapse" / "anything").exists() and not any((few / "serving").rglob("*.parquet"))


def test_a_load_that_comes_out_with_other_rows_changes_nothing_that_people_read(
    few: Path, dedicated: tuple[Dedicated, str]
) -> None:
    engine, endpoint = dedicated
    load(few, endpoint)
    held = store.read_arrow(few, TABLE)
    assert held is not None
    write_deltalake(few / "gold" / "dim_genre", held, mode="append")
    engine.lost = 1
    with pytest.raises(SynapseError, match=r"gold.dim_genre was not loaded .* rows were loaded of .* is as it was"):
        load(few, endpoint)
    with connected(endpoint, "fast") as asked:
        assert asked.rows(f"SELECT COUNT_BIG(*) FROM {TABLE}") == [(held.num_rows,)]
    engine.lost = 0
    (mended,) = load(few, endpoint)
    assert mended.rows == 2 * held.num_rows


def test_tables_are_laid_out_by_their_contracts() -> None:
    linter = Linter(config=FluffConfig(overrides={"dialect": "tsql"}))
    said = {table.short_name: pool.create(table, "x") for table in GOLD}
    assert all(not linter.parse_string(said[name]).violations for name in ("dim_title", "fact_engagement", "kpi_top10"))
    assert "REPLICATE, CLUSTERED INDEX ([title_sk])" in said["dim_title"]
    assert "HASH([title_key]), CLUSTERED COLUMNSTORE INDEX" in said["fact_release_title"]
    assert "ROUND_ROBIN, CLUSTERED COLUMNSTORE INDEX" in said["fact_top10_global_weekly"]
    assert "REPLICATE, HEAP" in said["kpi_top10"] and "[title_sk] BIGINT NOT NULL" in said["dim_title"]


def test_files_are_named_as_copy_names_them() -> None:
    lake = at("abfss://{zone}@account.dfs.core.windows.net")
    assert pool.https(lake / "serving" / "synapse" / "x") == f"{URL}/serving/synapse/x"
    with pytest.raises(SynapseError, match="where Synapse reads nothing"):
        pool.https(at("/tmp/lake"))
