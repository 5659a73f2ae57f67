"""Which tables there are depends on the sources that somebody declares, and on nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster import tables
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.contracts.graph import build_order, touched_tables
from netflix_dagster.landing.sources import PACKAGED, Sources, load_sources

OWN = """
feeds: {films: {description: Films, expected_every_days: 7}}
sources:
  films:
    feed: films
    form: whole
    description: Films
    columns: {title: {description: Name}}
"""


@pytest.fixture(autouse=True)
def _leave_the_tables_as_they_were() -> Iterator[None]:
    yield
    tables.declare(load_sources())


def own(tmp_path: Path, text: str = OWN) -> Sources:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return load_sources(path)


def test_the_environment_says_nothing_at_import(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("no: sources")
    code = "import netflix_dagster.tables as t; from netflix_dagster.contracts.contract import TABLES; print(*TABLES)"
    said = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **more}, capture_output=True, text=True, check=True
        ).stdout.split()
        for more in ({}, {"NETFLIX_SOURCES": str(tmp_path / "own.yaml"), "NETFLIX_LAKE": "nowhere://"})
    ]
    assert said[0] == said[1]
    assert {f"bronze.{name}" for name in load_sources().sources} <= set(said[0])


def test_a_source_of_ones_own_has_a_table_and_packaged_ones_stay_where_tables_read_them(tmp_path: Path) -> None:
    before = build_order()
    tables.declare(own(tmp_path))
    assert TABLES["bronze.films"].feed == "films" and TABLES["bronze.films"].source is not None
    assert touched_tables("films", ["films"]) == ["bronze.films"]
    assert set(before) - set(TABLES) == {name for name in before if name.startswith("bronze.") and not _read(name)}
    tables.declare(load_sources())
    assert build_order() == before


def _read(name: str) -> bool:
    return any(name in table.reads for table in TABLES.values())


def test_a_source_of_the_same_name_replaces_the_packaged_one(tmp_path: Path) -> None:
    mended = PACKAGED.read_text().replace("  netflix_titles:\n", "  netflix_titles:\n    on_drift: refuse\n", 1)
    tables.declare(own(tmp_path, mended))
    source = TABLES["bronze.netflix_titles"].source
    assert source is not None and source.on_drift == "refuse"
    assert build_order()[:2] == ["bronze.netflix_catalogue", "bronze.netflix_titles"]


def test_a_source_that_lacks_what_a_table_reads_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    before = dict(TABLES)
    lacking = OWN.replace("films", "netflix_titles")
    with pytest.raises(ContractError, match=r"silver\.titles: column .* comes from bronze\.netflix_titles\.\w+"):
        tables.declare(own(tmp_path, lacking))
    assert before == TABLES
