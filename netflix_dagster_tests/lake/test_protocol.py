"""What somebody switches on in a table is told, with the way back; a table that a catalog manages is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import netflix_dagster.tables  # noqa: F401  declares them
from netflix_dagster.cli.doctor import diagnose
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.databricks.step import Order, carry_out
from netflix_dagster.lake import protocol, store
from netflix_dagster.settings import Settings, get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "quality.results"


def switch_on(lake: Path, name: str, *features: str, readers: Sequence[str] = ()) -> None:
    """Another program upgrades the protocol of a table, by a commit of its own."""
    log = Path(store.location(lake, name)) / "_delta_log"
    version = len(list(log.glob("*.json")))
    said: dict[str, object] = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers}
    said["writerFeatures"] = [*features, *readers]
    (log / f"{version:020}.json").write_text(json.dumps({"protocol": said}) + "\n")


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Path]:
    store.create(tmp_path / "lake", BOOKKEEPING[NAME])
    yield tmp_path / "lake"
    get_settings.cache_clear()


def test_a_table_is_made_with_the_pinned_protocol_whatever_the_default_of_others_is(lake: Path) -> None:
    found = store.delta(lake, NAME)
    assert found is not None
    assert found.metadata().configuration.items() >= protocol.PROPERTIES.items()
    assert (found.protocol().min_reader_version, found.protocol().min_writer_version) == (
        protocol.READER,
        protocol.WRITER,
    )
    assert protocol.all_strange(lake, [NAME]) == []


def tables(lake: Path) -> tuple[bool, str]:
    settings = Settings(lake=lake, landing=lake.parent / "landing")
    (finding,) = [one for one in diagnose(settings) if one["what"] == "tables"]
    return finding["ok"], finding["found"]


def test_the_doctor_tells_what_is_switched_on_and_the_way_back(lake: Path, spark: SparkSession) -> None:
    assert tables(lake) == (True, "readable by every reader of Delta")
    switch_on(lake, NAME, "rowTracking", "domainMetadata", readers=["deletionVectors"])
    ok, said = tables(lake)
    assert not ok
    assert f"{NAME} uses deletionVectors and domainMetadata and rowTracking of Delta" in said
    where = f"delta.`{store.location(lake, NAME)}`"
    for step in ("APPLY (PURGE)", f"{where} DROP FEATURE deletionVectors;", f"{where} DROP FEATURE rowTracking;"):
        assert step in said


@pytest.mark.parametrize("feature", ["catalogManaged", "catalogOwned-preview"])
def test_a_table_that_a_catalog_manages_is_refused_by_every_way_in(
    lake: Path, spark: SparkSession, feature: str
) -> None:
    switch_on(lake, NAME, "inCommitTimestamp", readers=[feature])
    with pytest.raises(ContractError, match=f"{NAME} is managed by a catalog: .*register it as an external table"):
        store.read_arrow(lake, NAME)
    with pytest.raises(ContractError, match="managed by a catalog"):
        store.version(lake, NAME)
    assert "managed by a catalog" in tables(lake)[1]


def test_a_build_elsewhere_ends_with_the_sentence(
    lake: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are written; whoever follows the job hears that other readers cannot read them any more."""
    name = "bronze.netflix_catalogue"
    for setting, place in (("LAKE", lake), ("LANDING", lake.parent / "landing")):
        monkeypatch.setenv(f"NETFLIX_{setting}", str(place))
    get_settings.cache_clear()
    store.create(lake, TABLES[name])
    assert [report.table for report in carry_out(Order([name], []))] == [name]
    switch_on(lake, name, "rowTracking", "domainMetadata")
    with pytest.raises(ContractError, match=f"{name} uses domainMetadata and rowTracking of Delta"):
        list(carry_out(Order([name], [])))
