"""What a title lists, one row each: cast, directors, countries, genres. Four tables alike but for the column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, Takes, holds, not_null, table
from netflix_dagster.tables.text import LISTED_ITEM, items, tidy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _declare(
    name: str, *, item: str, whole_column: str, split_source: str, what: str, order: str, order_means: str
) -> None:
    """Declare ``silver.<name>``: the ``item``s of every title of every release."""
    whole = f"bronze.netflix_catalogue.{whole_column}"
    split = f"bronze.{split_source}.{whole_column}"

    def listed(catalogue: DataFrame, rows: DataFrame, titles: DataFrame) -> DataFrame:
        return _listed(catalogue, rows, titles, column=whole_column, item=item, order=order)

    listed.__doc__ = f"{what} of every title of every release, from whole releases (exploded) and split files alike."
    table(
        f"silver.{name}",
        feed="catalogue",
        grain=f"one {item} of one title of one release",
        key=("delivery_date", "show_id", item),
        reads=("bronze.netflix_catalogue", f"bronze.{split_source}", "silver.titles"),
        takes=(
            Takes("bronze.netflix_catalogue", (whole_column, LISTED_ITEM), form="whole"),
            Takes(f"bronze.{split_source}", (whole_column, LISTED_ITEM), form="split"),
        ),
        write="per_delivery",
        order=f"{order}, record_number",
        provenance=(order, "form", "source_file", "record_number"),
        columns=[
            Column("delivery_date", "date", "The release: date of its delivery"),
            Column("title_key", "string", "The title, as in silver.titles", sources=("silver.titles.title_key",)),
            Column("show_id", "string", "Number of the title in this release"),
            Column(f"{item}_key", "string", f"The {item} as compared: lower case", sources=(whole, split)),
            Column(item, "string", f"The {item} as written, tidied", sources=(whole, split)),
            Column(order, "int", order_means, sources=(whole, split)),
            Column("form", "string", "whole or split: the form of delivery that the row came in"),
            Column("source_file", "string", "File that the row came in"),
            Column("record_number", "bigint", "Record of that file"),
        ],
        expectations=[
            not_null("show_id", hint=f"a {item} without a title belongs nowhere"),
            holds(
                "title_delivered",
                "title_key IS NOT NULL",
                "the delivery must bring the title of this show_id",
                "drop",
                hint="is the titles file of the delivery complete? land it and the row is taken up",
            ),
        ],
    )(listed)


def _listed(
    catalogue: DataFrame, rows: DataFrame, titles: DataFrame, *, column: str, item: str, order: str
) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    def exploded(frame: DataFrame, form: str) -> DataFrame:
        kept = tidy(frame.select("delivery_date", "show_id", column, "source_file", "record_number"))
        return kept.select(
            "delivery_date",
            "show_id",
            F.posexplode(items(F.col(column))).alias("position", item),
            F.lit(form).alias("form"),
            "source_file",
            "record_number",
        )

    known = titles.select("delivery_date", "show_id", "title_key", F.col("form").alias("title_form"))
    found = exploded(catalogue, "whole").unionByName(exploded(rows, "split"))
    within = Window.partitionBy("delivery_date", "form", "show_id").orderBy("source_file", "record_number", "position")
    return found.join(known, ["delivery_date", "show_id"], "left").select(
        "*",
        F.lower(item).alias(f"{item}_key"),
        F.row_number().over(within).alias(order),
        F.coalesce((F.col("form") == "split") & (F.col("title_form") == "whole"), F.lit(False)).alias("is_duplicate"),
    )


_declare(
    "title_cast",
    item="person",
    whole_column="cast",
    split_source="netflix_cast",
    what="The cast",
    order="billing_order",
    order_means="Billing order, from 1, as delivered; only whole releases are known to state it faithfully",
)
_declare(
    "title_directors",
    item="person",
    whole_column="director",
    split_source="netflix_directors",
    what="The directors",
    order="credit_order",
    order_means="Order of credit, from 1, as delivered",
)
_declare(
    "title_countries",
    item="country",
    whole_column="country",
    split_source="netflix_countries",
    what="The countries of production",
    order="country_order",
    order_means="Order as delivered, from 1; the first is the main producer in whole releases",
)
_declare(
    "title_genres",
    item="genre",
    whole_column="listed_in",
    split_source="netflix_category",
    what="The genres",
    order="genre_order",
    order_means="Order as delivered, from 1",
)
