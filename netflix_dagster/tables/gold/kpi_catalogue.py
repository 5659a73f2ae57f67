"""The figures that a content analyst asks of the catalogue, release by release, in one long table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, table
from netflix_dagster.tables import figures

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TITLES, _LISTINGS, _CHANGES = "gold.fact_release_title", "gold.fact_release_listing", "gold.fact_catalogue_change"
_TYPE = (f"{_TITLES}.type",)


@table(
    "gold.kpi_catalogue",
    feed="catalogue",
    grain="one figure of one member of one release",
    key=("delivery_date", "kpi", "member"),
    reads=(_TITLES, _LISTINGS, _CHANGES),
    goes_on=GoesOn(slices="delivery_date"),
    columns=[
        Column("delivery_date", "date", "The release", False, (f"{_TITLES}.release_date", f"{_CHANGES}.release_date")),
        Column("kpi", "string", "Name of the figure, such as titles_by_country", False, _TYPE),
        Column(
            "member",
            "string",
            "What it is the figure of, such as France; all for the whole release",
            False,
            (*_TYPE, f"{_LISTINGS}.member", f"{_CHANGES}.change"),
        ),
        Column(
            "value",
            "double",
            "The figure",
            sources=(f"{_TITLES}.title_key", f"{_TITLES}.duration_minutes", f"{_LISTINGS}.title_key"),
        ),
        Column("unit", "string", "titles, share, years, minutes or seasons", False, _TYPE),
        Column(
            "rank",
            "int",
            "Dense rank of the value within the kpi of the release, largest first",
            False,
            (f"{_TITLES}.title_key",),
        ),
    ],
)
def kpi_catalogue(titles: DataFrame, listings: DataFrame, changes: DataFrame) -> DataFrame:
    """Counts by type, rating, country, genre and month added; growth; lag from release to addition; lengths and
    their ranking; co-productions; the people with the most titles. What each means is said in tables/metrics.py.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    found = figures.figures("gold.kpi_catalogue", {_TITLES: titles, _LISTINGS: listings, _CHANGES: changes})
    rank = F.dense_rank().over(Window.partitionBy("period", "kpi").orderBy(F.col("value").desc()))
    return found.select(F.col("period").alias("delivery_date"), "kpi", "member", "value", "unit", rank.alias("rank"))
