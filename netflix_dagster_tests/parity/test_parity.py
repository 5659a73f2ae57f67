"""Sail and Apache Spark build the same tables, column for column and row for row, and go on with each other's."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.lake.maintenance import maintain
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import write_events, write_sample
from netflix_dagster_tests.parity import lakes
from netflix_dagster_tests.real.conftest import landing  # noqa: F401  the real deliveries, or a skip

pytestmark = pytest.mark.soak
SAIL, SPARK = "sail", "spark"
Built = dict[str, tuple[Path, dict[str, Any]]]


def both(folder: Path, delivered: Path) -> Built:
    return {engine: (folder / engine, lakes.build(delivered, folder / engine, engine)) for engine in (SAIL, SPARK)}


def same(built: Built, without: Collection[str] = ()) -> None:
    (sail, one), (spark, other) = built[SAIL], built[SPARK]
    assert (one["exit_code"], one["checks"]) == (other["exit_code"], other["checks"])
    assert lakes.states(sail) == lakes.states(spark)
    names = lakes.tables(sail)
    assert names == lakes.tables(spark)
    assert {f"bronze.{source}" for source in load_sources().sources if source not in without} <= set(names)
    assert lakes.all_differences(sail, spark) == {}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder / "landing", garbage=True)
    write_events(folder / "landing", hours=2, files=3, seed=1)
    yield both(folder, folder / "landing")


@pytest.fixture(scope="module")
def changed(sample: Built, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sample with one record less in the newest release, and the lake that Sail builds of it."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(sample[SAIL][0].parent / "landing", folder / "landing")
    newest = max((folder / "landing" / "netflix_catalogue").iterdir())
    file = next(newest.glob("*.csv"))
    file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    lakes.build(folder / "landing", folder / "lake", SAIL)
    return folder / "landing", folder / "lake"


def test_both_engines_build_the_same_lake_from_the_sample(sample: Built) -> None:
    same(sample)


@pytest.mark.real
def test_both_engines_build_the_same_lake_from_the_real_deliveries(
    landing: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    same(both(tmp_path, landing), without=["viewing_events"])


@pytest.mark.parametrize(("maker", "taker"), [(SAIL, SPARK), (SPARK, SAIL)])
def test_one_engine_goes_on_with_the_lake_of_the_other(
    sample: Built, changed: tuple[Path, Path], tmp_path: Path, maker: str, taker: str
) -> None:
    """delta-rs compacts and cleans it, then a delivery that changed is taken up by the other engine."""
    lake = tmp_path / "lake"
    shutil.copytree(sample[maker][0], lake, ignore=shutil.ignore_patterns(".dagster"))
    before = {name: lakes.rows(lake, name) for name in lakes.tables(lake)}
    assert maintain(lake, retention_hours=0, nobody_works=True)
    assert {name: lakes.rows(lake, name) for name in before} == before
    delivered, anew = changed
    lakes.build(delivered, lake, taker)
    after = lakes.rows(lake, "bronze.netflix_catalogue")
    assert len(after) == len(before["bronze.netflix_catalogue"]) - 1
    assert lakes.all_differences(anew, lake) == {}
