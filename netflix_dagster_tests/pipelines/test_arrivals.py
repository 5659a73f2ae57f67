"""What becomes of the files that a stream brings: rows, rescued columns, files that are replaced or too large.

There is no Auto Loader outside of Databricks. What it brings is emulated as "Auto Loader options" and "Auto Loader FAQ"
describe it with ``cloudFiles.allowOverwrites``: a file that is replaced under its name comes again, with the time at
which it was written, and one version may come twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.pipelines import QUARANTINE, REFUSED_FILES, _Pipeline, arrivals, judged_name, landed_name
from netflix_dagster.storage import at

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SOURCE = load_sources().sources["netflix_directors"]
TABLE = TABLES[SOURCE.bronze]
COLUMN = next(iter(SOURCE.columns))
WRITTEN = datetime(2026, 1, 1, 12)
GARBAGE = b"<html><body>Moved Permanently</body></html>\n"


def names(*directors: str, more: bool = False) -> bytes:
    head = ",".join([*SOURCE.columns, *(["award"] if more else [])])
    lines = [",".join([*(f"{name}" for _ in SOURCE.columns), *(["Oscar"] if more else [])]) for name in directors]
    return "\r\n".join([head, *lines, ""]).encode()


def brought(spark: SparkSession, *files: tuple[str, int, bytes]) -> DataFrame:
    """The files of a stream: name, hours since the first was written, content."""
    rows = [
        (f"/landing/{SOURCE.name}/2020-02-01/{name}", WRITTEN + timedelta(hours=hours), len(content), content)
        for name, hours, content in files
    ]
    return spark.createDataFrame(rows, arrivals.FILE)


def kept(spark: SparkSession, *files: tuple[str, int, bytes]) -> list[str]:
    """What bronze comes to: the first column of its rows."""
    landed = arrivals.rows(brought(spark, *files), TABLE, SOURCE)
    return sorted(row[0] for row in arrivals.newest(landed, TABLE).select(COLUMN).collect())


def faults(spark: SparkSession, *files: tuple[str, int, bytes]) -> list[tuple[str, list[str]]]:
    """What stays in the quarantine: file and rules."""
    arrived = brought(spark, *files)
    landed = arrivals.rows(arrived, TABLE, SOURCE)
    refused = arrivals.refusals(arrived, TABLE, SOURCE)
    found = arrivals.still_refused(refused, {SOURCE.name: (TABLE, landed)})
    assert arrivals.MODIFIED not in found.columns
    return sorted((row["source_file"], row["rules"]) for row in found.collect())


def test_a_file_that_is_replaced_takes_the_place_of_its_rows(spark: SparkSession) -> None:
    first, mended = ("a.csv", 0, names("Ann", "Bob")), ("a.csv", 2, names("Ann", "Cid", "Dee"))
    other = ("b.csv", 1, names("Eve"))
    assert kept(spark, first, other) == ["Ann", "Bob", "Eve"]
    assert kept(spark, first, other, mended) == kept(spark, mended, other, first) == ["Ann", "Cid", "Dee", "Eve"]
    assert kept(spark, mended, mended) == ["Ann", "Cid", "Dee"]


def test_a_worse_file_does_not_take_the_place_of_a_good_one_and_is_told(spark: SparkSession) -> None:
    good, worse, mended = ("a.csv", 0, names("Ann")), ("a.csv", 1, GARBAGE), ("a.csv", 2, names("Bob"))
    assert (kept(spark, good, worse), faults(spark, good, worse)) == (["Ann"], [("a.csv", ["not_a_page"])])
    assert (kept(spark, good, worse, mended), faults(spark, good, worse, mended)) == (["Bob"], [])
    assert faults(spark, worse, worse) == [("a.csv", ["not_a_page"])]


def test_what_the_source_does_not_name_is_rescued(spark: SparkSession) -> None:
    rows = arrivals.rows(brought(spark, ("a.csv", 0, names("Ann", more=True))), TABLE, SOURCE).collect()
    assert [row["rescued_data"] for row in rows] == ['{"award": "Oscar"}']


def test_a_file_above_the_limit_is_refused_with_the_limit_and_not_opened(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = ("a.csv", 0, names("Ann")), ("b.csv", 0, names(*["Bob"] * 100))
    monkeypatch.setattr(arrivals, "LARGEST", len(large[2]) - 1)
    assert kept(spark, small, large) == ["Ann"]
    assert faults(spark, small, large) == [("b.csv", ["size"])]
    (row,) = arrivals.refusals(brought(spark, large), TABLE, SOURCE).collect()
    assert (
        f"has {len(large[2]):,} bytes" in row["reasons"][0]
        and f"{len(large[2]) - 1:,} is the limit" in row["reasons"][0]
    )
    assert "in parts" in row["hints"][0]
    monkeypatch.setattr(arrivals, "LARGEST", len(large[2]))
    assert kept(spark, small, large) == ["Ann", *["Bob"] * 100]


class Reader:
    """Takes note of the options of a stream, and refuses any that neither Spark nor Auto Loader documents."""

    KNOWN = frozenset(("pathGlobFilter", "maxFileAge", "cloudFiles.format", "cloudFiles.allowOverwrites"))

    def __init__(self) -> None:
        self.options: dict[str, str] = {}
        self.place = self.kind = ""

    def option(self, name: str, value: str) -> Reader:
        assert name in self.KNOWN
        self.options[name] = value
        return self

    def format(self, name: str) -> Reader:
        self.kind = name
        return self

    def schema(self, said: str) -> Reader:
        assert said == arrivals.FILE
        return self

    def load(self, place: str) -> Reader:
        self.place = place
        return self


def test_auto_loader_is_asked_for_files_that_are_replaced() -> None:
    class Session:
        readStream = Reader()  # noqa: N815  as Spark calls it

    landing = at("abfss://landing@account.dfs.core.windows.net")
    asked = cast(Any, arrivals.files(cast("SparkSession", Session()), landing, SOURCE, auto_loader=True))
    assert (asked.kind, asked.place) == ("cloudFiles", f"{landing}/{SOURCE.name}/*")
    assert asked.options == {
        "pathGlobFilter": SOURCE.files,
        "cloudFiles.format": "binaryFile",
        "cloudFiles.allowOverwrites": "true",
    }


class Lakeflow:
    """The decorators of Lakeflow, as far as they are used: they take note of what is registered."""

    def __init__(self) -> None:
        self.queries: dict[str, Callable[[], DataFrame]] = {}
        self.said: dict[str, dict[str, Any]] = {}

    def create_streaming_table(self, name: str, **said: Any) -> None:
        self.said[name] = said

    def table(self, *, name: str, **said: Any) -> Callable[[Any], None]:
        assert name not in self.said
        self.said[name] = said
        return lambda query: self.queries.update({name: query})

    materialized_view = table

    def append_flow(self, *, target: str, name: str) -> Callable[[Any], None]:
        assert target in self.said
        return lambda query: self.queries.update({f"{target} {name}": query})

    def _rules(self, conditions: dict[str, str]) -> Callable[[Any], Any]:
        assert conditions
        return lambda query: query

    expect_all = expect_all_or_drop = expect_all_or_fail = _rules


def test_on_lakeflow_bronze_and_the_quarantine_are_views_of_what_has_landed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dp = Lakeflow()
    pipeline = _Pipeline(dp, spark, tmp_path, tmp_path, native=True)
    pipeline.register()
    assert set(TABLES) <= set(dp.said)
    assert {landed_name(table.source) for table in TABLES.values() if table.source} <= set(dp.said)
    assert dp.said["gold.dim_title"]["cluster_by"] == ["title_key"]
    assert all("partition_cols" not in said for said in dp.said.values() if "cluster_by" in said), "Databricks refuses"

    first, bad = ("a.csv", 0, names("Ann", "Bob")), ("b.csv", 0, GARBAGE)
    arrived = brought(spark, first, bad, ("a.csv", 1, names("Cid")))
    tables = {
        landed_name(SOURCE): arrivals.rows(arrived, TABLE, SOURCE),
        REFUSED_FILES: arrivals.refusals(arrived, TABLE, SOURCE),
    }

    class Tables:
        """The tables of the pipeline, as its queries read them; those that nothing is known of are empty."""

        read = property(lambda self: self)

        def table(self, name: str) -> DataFrame:
            if name in tables:
                return tables[name]
            if name in TABLES:
                return spark.createDataFrame([], store.ddl(TABLES[name]))
            source = next((t for t in TABLES.values() if t.source and landed_name(t.source) == name), None)
            if source is not None:
                return spark.createDataFrame([], arrivals.landed_ddl(source))
            judged = next(t for t in TABLES.values() if t.layer != "bronze" and judged_name(t) == name)
            return spark.createDataFrame([], f"{store.ddl(judged)}, `_broken` bigint, `_copy` boolean")

    monkeypatch.setattr(pipeline, "spark", Tables())
    assert [row[COLUMN] for row in dp.queries[TABLE.name]().collect()] == ["Cid"]
    assert [row["source_file"] for row in dp.queries[QUARANTINE]().collect()] == ["b.csv"]
