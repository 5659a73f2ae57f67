"""The lists of titles, one row an item: cast, directors, countries, genres. The four tables differ in their column.

A list belongs to the title that its own record states. The split form lists by ``show_id``: that is the title of the
split form with this number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Column, Takes, holds, not_null, table
from netflix_dagster.tables.reference import country_keys
from netflix_dagster.tables.silver.titles import stated_in
from netflix_dagster.tables.text import LISTED_ITEM, items, tidy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LISTS = {
    # name -> (silver table, item column, order column)
    "cast": ("silver.title_cast", "person", "billing_order"),
    "directors": ("silver.title_directors", "person", "credit_order"),
    "countries": ("silver.title_countries", "country", "country_order"),
    "genres": ("silver.title_genres", "genre", "genre_order"),
}
"""The lists of a title."""


def stated_last(earlier: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """The last release that states each list, and the last that states its order; all where the log does not tell."""
    for name, _, _ in LISTS.values():
        found = {day: said["form"] for day, said in earlier.get(name, {}).items() if said["rows"]}
        if None in found.values():
            yield from found
        for releases in (found, [day for day, form in found.items() if form == "whole"]):
            yield from [max(releases)] if releases else []


def _declare(
    name: str,
    *,
    item: str,
    whole_column: str,
    split_source: str,
    what: str,
    order: str,
    order_means: str,
    keys: Callable[[], Mapping[str, str]] = dict,
    key_means: str = "",
) -> None:
    """Declare ``silver.<name>``: the ``item``s of every title of every release. ``keys``: the key of an item by its
    name in lower case, where the two differ."""
    whole = f"bronze.netflix_catalogue.{whole_column}"
    split = f"bronze.{split_source}.{whole_column}"
    key_means = key_means or f"The {item} as compared: lower case"

    def listed(catalogue: DataFrame, rows: DataFrame, titles: DataFrame) -> DataFrame:
        return _listed(catalogue, rows, titles, column=whole_column, item=item, order=order, keys=keys())

    listed.__doc__ = f"{what} of every title of every release, from whole releases (exploded) and split files alike."
    table(
        f"silver.{name}",
        feed="catalogue",
        grain=f"one {item} of one title of one release",
        key=("delivery_date", "title_key", f"{item}_key"),
        reads=("bronze.netflix_catalogue", f"bronze.{split_source}", "silver.titles"),
        takes=(
            Takes("bronze.netflix_catalogue", (whole_column, LISTED_ITEM), form="whole"),
            Takes(f"bronze.{split_source}", (whole_column, LISTED_ITEM), form="split"),
        ),
        write="per_delivery",
        order=f"{order}, record_number",
        provenance=(order, item, "show_id", "form", "source_file", "record_number"),
        columns=[
            Column("delivery_date", "date", "The release: date of its delivery"),
            Column("title_key", "string", "The title, as in silver.titles", sources=("silver.titles.title_key",)),
            Column("show_id", "string", "Number of the title in this release"),
            Column(f"{item}_key", "string", key_means, sources=(whole, split)),
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
                "the delivery must bring the title: in the same record, in the split form by its show_id",
                "drop",
                hint="was the title refused, or is the titles file not complete? mend or land it, and the row is"
                " taken up",
            ),
        ],
    )(listed)


def _listed(
    catalogue: DataFrame,
    rows: DataFrame,
    titles: DataFrame,
    *,
    column: str,
    item: str,
    order: str,
    keys: Mapping[str, str],
) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    def exploded(frame: DataFrame, form: str) -> DataFrame:
        kept = tidy(frame.select("delivery_date", "show_id", column, "source_file", "record_number"))
        place = [F.lit(form), F.col("source_file"), F.col("record_number"), F.col("show_id")]
        return kept.select(
            "delivery_date",
            "show_id",
            F.posexplode(items(F.col(column))).alias("position", item),
            F.lit(form).alias("form"),
            "source_file",
            "record_number",
            stated_in(*place).alias("stated_in"),
        )

    found = exploded(catalogue, "whole").unionByName(exploded(rows, "split"))
    found = _known(titles).join(_with_key(found, item, keys), ["delivery_date", "stated_in"], "right")
    within = Window.partitionBy("delivery_date", "stated_in").orderBy("source_file", "record_number", "position")
    same = Window.partitionBy("delivery_date", "title_key", f"{item}_key").orderBy("of_copy")
    same = same.rowsBetween(Window.unboundedPreceding, Window.currentRow)  # its own items come before those of copies
    own_states_it = F.max(F.col("title_key").isNotNull() & ~F.col("of_copy")).over(same)
    repeats = F.col("of_copy") & ((F.col("form") == "split") | own_states_it)
    placed = found.select(
        "*", F.row_number().over(within).alias(order), F.coalesce(repeats, F.lit(False)).alias("is_duplicate")
    )
    lists_more = F.col("of_copy") & ~F.col("is_duplicate")
    return placed.withColumn("title_key", F.when(~F.coalesce(lists_more, F.lit(False)), F.col("title_key")))


def _known(titles: DataFrame) -> DataFrame:
    """Where a delivery states each title, and whether that statement is a copy.

    The lists of the split form are copies where a whole file brings the title: the whole file counts. A record that
    states a title again and lists more items than the first is no copy in these items; they are refused.
    """
    from pyspark.sql import functions as F

    own = stated_in(F.col("form"), F.col("source_file"), F.col("record_number"), F.col("show_id"))
    first = titles.select("delivery_date", own.alias("stated_in"), "title_key", F.lit(False).alias("of_copy"))
    again = titles.where(F.size("copies") > 0)
    return first.unionByName(
        again.select("delivery_date", F.explode("copies").alias("stated_in"), "title_key", F.lit(True).alias("of_copy"))
    )


def _with_key(found: DataFrame, item: str, keys: Mapping[str, str]) -> DataFrame:
    from pyspark.sql import functions as F

    named = found.withColumn("_name", F.lower(item))
    if not keys:
        return named.withColumn(f"{item}_key", F.col("_name")).drop("_name")
    known = found.sparkSession.createDataFrame(list(keys.items()), "_name string, _key string")
    keyed = F.broadcast(known).join(named, "_name", "right")
    return keyed.withColumn(f"{item}_key", F.coalesce("_key", "_name")).drop("_name", "_key")


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
    keys=country_keys,
    key_means="The country as compared: its everyday name in lower case, whatever the file calls it",
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
