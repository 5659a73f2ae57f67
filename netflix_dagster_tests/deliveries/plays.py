"""A feed that delivers by the hour, with tables of its own: what a user of the package would write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from netflix_dagster import tables
from netflix_dagster.contracts.contract import TABLES, Column, Takes, holds, table
from netflix_dagster.landing.sources import PACKAGED, Sources, load_sources

YAML = """
feeds:
  plays: {description: Plays, expected_every_days: 1, every: hour}
  films: {description: Films, expected_every_days: 7}
sources:
  plays:
    feed: plays
    form: whole
    description: What was played in an hour
    columns: {title: {description: Name}, minutes: {description: How long}}
  films: {feed: films, form: whole, description: Films, columns: {title: {description: Name}}}
"""
DELIVERY = (Column("delivery_date", "date", "Day", nullable=False), Column("delivery_hour", "int", "Hour"))
OWN = ("silver.plays", "silver.play_hours", "gold.plays_by_title")


def sources(folder: Path) -> Sources:
    """These sources beside the packaged ones, written into a folder and read from there."""
    path = folder / "plays.yaml"
    own, packaged = yaml.safe_load(YAML), yaml.safe_load(PACKAGED.read_text())
    path.write_text(yaml.safe_dump({group: packaged[group] | own[group] for group in packaged}))
    return load_sources(path)


def declare(of: Sources) -> None:
    """Have these sources and the tables below. ``forget`` takes them away."""
    tables.declare(of)

    @table(
        "silver.plays",
        feed="plays",
        grain="one play",
        key=("delivery_date", "delivery_hour", "record_number"),
        columns=(
            *DELIVERY,
            Column("title", "string", "Name"),
            Column("minutes", "int", "How long"),
            Column("source_file", "string", "File"),
            Column("record_number", "bigint", "Record"),
        ),
        reads=("bronze.plays",),
        write="per_delivery",
        expectations=(holds("has_minutes", "minutes IS NOT NULL", "minutes are a number", "drop"),),
        takes=(Takes("bronze.plays"),),
    )
    def plays(bronze: DataFrame) -> DataFrame:
        """Plays."""
        minutes = F.expr("try_cast(minutes AS int)").alias("minutes")
        return bronze.select("delivery_date", "delivery_hour", "title", minutes, "source_file", "record_number")

    @table(
        "silver.play_hours",
        feed="plays",
        grain="one hour",
        key=("delivery_date", "delivery_hour"),
        columns=(*DELIVERY, Column("plays", "bigint", "Plays"), Column("decided_by", "string", "Who overruled")),
        reads=("silver.plays",),
        write="gate",
        expectations=(holds("enough", "plays > 1 OR decided_by IS NOT NULL", "an hour has two plays", "fail"),),
    )
    def play_hours(plays: DataFrame, decisions: DataFrame) -> DataFrame:
        """Whether an hour is whole."""
        hour = ["delivery_date", "delivery_hour"]
        counted = plays.groupBy(*hour).agg(F.count("*").alias("plays"))
        return counted.join(decisions.select(*hour, "decided_by"), hour, "left")

    @table(
        "gold.plays_by_title",
        feed="plays",
        grain="one title",
        key=("title",),
        columns=(Column("title", "string", "Name"), Column("minutes", "bigint", "Minutes of all hours")),
        reads=("silver.plays",),
        write="incremental",
    )
    def plays_by_title(before: DataFrame, plays: DataFrame) -> DataFrame:
        """Minutes by title."""
        both = before.unionByName(plays.select("title", F.col("minutes").cast("bigint").alias("minutes")))
        return both.groupBy("title").agg(F.sum("minutes").alias("minutes"))


def forget() -> None:
    """Have the packaged tables again."""
    for name in OWN:
        TABLES.pop(name, None)
    tables.declare(load_sources())


def played(*said: tuple[str, object]) -> str:
    """A file of plays."""
    return "title,minutes\n" + "".join(f"{name},{minutes}\n" for name, minutes in said)


def minutes(rows: Iterable[dict[str, object]]) -> dict[str, object]:
    """The minutes of each title."""
    return {str(row["title"]): row["minutes"] for row in rows}
