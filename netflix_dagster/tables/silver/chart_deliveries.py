"""Decides from which deliveries of the weekly charts gold is built: one with many incomplete charts was cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Column, Expectation, holds, table
from netflix_dagster.tables.gathering import delivery_by_delivery
from netflix_dagster.tables.silver.chart_history import COUNTRY_PLACE, GLOBAL_PLACE

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

FEW_CHARTS = 3
"""When so many charts lack places that they had, the delivery may be cut short. Netflix has taken back a place of a
chart in none of its 108 readable deliveries (48,440 places), so one or two are a correction and only warn."""
MOST_CUT = 0.01
"""Share of the charts of a delivery that may lack places. In the real deliveries it is 0; a file in which every chart
is cut to its first places has 1."""
ONE_ROW = 1
"""A delivery is one row when deliveries are compared: with the charts, and of these only such as ever lost a place."""
MOST_NAMED = 10
"""How many lost places are named; the others are counted."""
_SCHEMA = (
    "delivery_date date, charts_stated int, places_stated int, charts_cut int, lost int, lost_places string,"
    " accepted_by string, accepted_because string, is_accepted boolean, held_because string"
)


def _columns(read: str) -> list[Column]:
    rank = (f"{read}.weekly_rank",)
    return [
        Column("delivery_date", "date", "Date of the delivery", nullable=False),
        Column("charts_stated", "int", "Charts (week, country, category) that it states", False, rank),
        Column("places_stated", "int", "Places that it states", False, rank),
        Column("charts_cut", "int", "Charts of which it lacks places that they had", False, rank),
        Column("lost", "int", "Places that it lacks of charts that it states", False, rank),
        Column("lost_places", "string", "These places, in words; null when there is none", sources=rank),
        Column("accepted_by", "string", "Who took the delivery in although many charts lost places", sources=rank),
        Column("accepted_because", "string", "Why they did", sources=rank),
        Column("is_accepted", "boolean", "Whether gold is built from this delivery", False, rank),
        Column("held_because", "string", "Why it is not, in words", sources=rank),
    ]


def _rules() -> list[Expectation]:
    return [
        holds(
            "charts_complete",
            "is_accepted",
            f"no delivery lacks places of {FEW_CHARTS} charts and more than {MOST_CUT:.0%} of those that it states,"
            " or a person accepts it",
            "fail",
            hint="land the whole file again, or take it in as it is: netflix-dagster accept",
            because="held_because",
        ),
        holds(
            "no_place_lost",
            "lost = 0",
            "a chart that is stated again has every place that it had",
            hint="the places end with this delivery: they leave gold, and silver's history keeps them",
            because="lost_places",
        ),
    ]


@table(
    "silver.top10_global_deliveries",
    feed="charts",
    grain="one delivery of the weekly charts of the world",
    key=("delivery_date",),
    reads=("silver.top10_global",),
    write="gate",
    gathers=ONE_ROW,
    columns=_columns("silver.top10_global"),
    expectations=_rules(),
)
def top10_global_deliveries(rows: DataFrame, decisions: DataFrame) -> DataFrame:
    """Every delivery of the charts of the world, and the places that it lacks of charts that it states.

    Such a place ends, because a delivery that states a chart states all of it. A file that was cut short within its
    charts would end places that still hold, so it is held. A chart that it omits loses nothing.
    """
    return _judged(rows, decisions, GLOBAL_PLACE)


@table(
    "silver.top10_countries_deliveries",
    feed="charts",
    grain="one delivery of the weekly charts of countries",
    key=("delivery_date",),
    reads=("silver.top10_countries",),
    write="gate",
    gathers=ONE_ROW,
    columns=_columns("silver.top10_countries"),
    expectations=_rules(),
)
def top10_countries_deliveries(rows: DataFrame, decisions: DataFrame) -> DataFrame:
    """Every delivery of the charts of countries, and the places that it lacks of charts that it states."""
    return _judged(rows, decisions, COUNTRY_PLACE)


def _judged(rows: DataFrame, decisions: DataFrame, place: Sequence[str]) -> DataFrame:
    """One row a delivery. Only charts that have ever lost a place are compared in order of date: in all others every
    statement has the places of every earlier one, whichever of them are accepted."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    chart = list(place[:-1])
    stated = rows.groupBy("delivery_date", *chart).agg(F.sort_array(F.collect_set("weekly_rank")).alias("ranks"))
    before = F.lag("ranks").over(Window.partitionBy(*chart).orderBy("delivery_date"))
    lost = F.coalesce(F.size(F.array_except(before, F.col("ranks"))) > 0, F.lit(False))
    compared = F.max("lost").over(Window.partitionBy(*chart))
    named = F.concat_ws(" ", *(F.col(name).cast("string") for name in chart))
    listed = F.when(F.col("compared"), F.struct(named.alias("chart"), "ranks"))
    every = (
        stated.withColumn("lost", lost)
        .withColumn("compared", compared)
        .groupBy("delivery_date")
        .agg(
            F.count("*").cast("int").alias("charts_stated"),
            F.sum(F.size("ranks")).cast("int").alias("places_stated"),
            F.array_compact(F.collect_list(listed)).alias("charts"),
        )
    )
    decided = every.join(F.broadcast(decisions), "delivery_date", "left")
    return delivery_by_delivery(decided, _decided, _arrow_schema(), _SCHEMA, ONE_ROW)


def _arrow_schema() -> pa.Schema:
    import pyarrow as pa

    day, text, whole = pa.date32(), pa.string(), pa.int32()
    return pa.schema(
        [
            ("delivery_date", day),
            *((name, whole) for name in ("charts_stated", "places_stated", "charts_cut", "lost")),
            *((name, text) for name in ("lost_places", "accepted_by", "accepted_because")),
            ("is_accepted", pa.bool_()),
            ("held_because", text),
        ]
    )


def _decided(deliveries: Iterator[pa.Table]) -> Iterator[dict[str, Any]]:
    """Each delivery, compared with the places of the accepted ones before it, in order of date."""
    standing: dict[str, set[int]] = {}
    for row in (row for of_one in deliveries for row in of_one.to_pylist()):
        now = {chart["chart"]: set(chart["ranks"]) for chart in row["charts"] or ()}
        gone = {chart: sorted(standing.get(chart, set()) - ranks) for chart, ranks in sorted(now.items())}
        lost = [f"{chart} place {rank}" for chart, ranks in gone.items() for rank in ranks]
        cut, stated = sum(map(bool, gone.values())), row["charts_stated"]
        too_many = cut >= FEW_CHARTS and cut > MOST_CUT * stated
        held = too_many and row["decided_by"] is None
        named = ", ".join(lost[:MOST_NAMED]) + (f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else "")
        yield {
            "delivery_date": row["delivery_date"],
            "charts_stated": stated,
            "places_stated": row["places_stated"],
            "charts_cut": cut,
            "lost": len(lost),
            "lost_places": f"{_places_are(len(lost))} not listed any more: {named}" if lost else None,
            "accepted_by": row["decided_by"] if too_many else None,
            "accepted_because": row["decided_because"] if too_many else None,
            "is_accepted": not held,
            "held_because": f"{cut} of its {stated} charts lack {len(lost)} places that they had ({named})"
            if held
            else None,
        }
        if not held:
            standing |= now


def _places_are(places: int) -> str:
    return "1 place is" if places == 1 else f"{places} places are"
