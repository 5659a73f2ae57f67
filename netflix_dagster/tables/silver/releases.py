"""Decides from which releases of the catalogue gold is built: one that lacks too many titles, or too many of their
values, was cut short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, holds, table
from netflix_dagster.tables.gathering import delivery_by_delivery
from netflix_dagster.tables.silver.title_lists import LISTS, stated_last

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

MOST_LOST = 0.2
"""Share of the titles of the release before that a release may lack. The real releases lacked 0 to 5 %."""
FEW = 10
"""Fewer lost titles, or values, are no reason to hold a release, whatever their share."""
MOST_VALUES_LOST = 0.1
"""Share of the values of a list or column that may be gone since the release before, counted over the titles that
both releases have. In the real releases 0 to 0.9 % were gone."""
MOST_TITLES = 5_000_000
"""The most titles of a release: each takes some 60 bytes in the task that compares it with the releases before."""
COLUMNS = {
    # name -> whether a title states it
    "date_added": "date_added IS NOT NULL",
    "rating": "rating IS NOT NULL",
    "duration": "duration_minutes IS NOT NULL OR duration_seasons IS NOT NULL",
    "description": "description IS NOT NULL",
}
_SCHEMA = (
    "delivery_date date, titles int, compared_with date, lost int, lost_share double, thinned array<string>,"
    " accepted_by string, accepted_because string, is_accepted boolean, held_because string"
)
_LISTED = tuple(f"{name}.title_key" for name, _, _ in LISTS.values())
_TITLES = ("silver.titles.natural_key",)
_VALUES = ("silver.titles.title_key", *_LISTED)


@table(
    "silver.releases",
    feed="catalogue",
    grain="one release of the catalogue",
    key=("delivery_date",),
    reads=("silver.titles", *(name for name, _, _ in LISTS.values())),
    write="gate",
    goes_on=GoesOn(slices="delivery_date", sees=stated_last, greatest=("form",)),
    gathers=MOST_TITLES,
    columns=[
        Column("delivery_date", "date", "The release: date of its delivery", nullable=False),
        Column("titles", "int", "Distinct titles (type, title, year) of the release", False, _TITLES),
        Column(
            "compared_with",
            "date",
            "The accepted release before this one, null for the first",
            sources=("silver.titles.delivery_date",),
        ),
        Column("lost", "int", "Titles of that release that this one lacks", sources=_TITLES),
        Column("lost_share", "double", "lost, as a share of the titles of that release", sources=_TITLES),
        Column("thinned", "array<string>", "Lists and columns that lost too many of their values", sources=_VALUES),
        Column("accepted_by", "string", "Who took the release in although it lacks too many", sources=_VALUES),
        Column("accepted_because", "string", "Why they did", sources=_VALUES),
        Column("is_accepted", "boolean", "Whether gold is built from this release", False, _VALUES),
        Column("held_because", "string", "Why it is not, in words", sources=_VALUES),
    ],
    expectations=[
        holds(
            "release_complete",
            "is_accepted",
            f"no release lacks {FEW} titles and more than {MOST_LOST:.0%} of the one before, nor {FEW} values and more"
            f" than {MOST_VALUES_LOST:.0%} of a list or column, or a person accepts it",
            "fail",
            hint="land the whole release again, or take it in as it is: netflix-dagster accept",
            because="held_because",
        )
    ],
)
def releases(titles: DataFrame, *listed_and_decisions: DataFrame) -> DataFrame:
    """Every release, compared with the accepted one before it in order of date, and whether gold is built from it.

    A release that was cut short would look like the removal of the titles, or values, that it lacks. A list that a
    release does not state at all was not delivered, and stays as the release before stated it. Which releases are
    accepted does not depend on the order in which they arrive.
    """
    from pyspark.sql import functions as F

    *listed, decisions = listed_and_decisions
    stated = [F.when(F.expr(states), 1).otherwise(0).alias(name) for name, states in COLUMNS.items()]
    by_title = titles.select("delivery_date", "title_key", "natural_key", *stated)
    for name, frame in zip(LISTS, listed, strict=True):
        members = frame.groupBy("delivery_date", "title_key").agg(F.count("*").cast("int").alias(name))
        by_title = by_title.join(members, ["delivery_date", "title_key"], "left")
        by_title = by_title.withColumn(name, F.coalesce(name, F.lit(0)))
    by_title = by_title.withColumns({key: F.xxhash64(key) for key in ("title_key", "natural_key")})
    decided = by_title.join(F.broadcast(decisions), "delivery_date", "left")
    return delivery_by_delivery(decided, _evaluated, _arrow_schema(), _SCHEMA, MOST_TITLES)


def accepted(frame: DataFrame, releases: DataFrame) -> DataFrame:
    """The rows of accepted releases."""
    from pyspark.sql import functions as F

    return frame.join(F.broadcast(releases.where("is_accepted").select("delivery_date")), "delivery_date", "left_semi")


def _arrow_schema() -> pa.Schema:
    import pyarrow as pa

    day, text = pa.date32(), pa.string()
    return pa.schema(
        [
            ("delivery_date", day),
            ("titles", pa.int32()),
            ("compared_with", day),
            ("lost", pa.int32()),
            ("lost_share", pa.float64()),
            ("thinned", pa.list_(text)),
            ("accepted_by", text),
            ("accepted_because", text),
            ("is_accepted", pa.bool_()),
            ("held_because", text),
        ]
    )


def _evaluated(releases: Iterator[pa.Table]) -> Iterator[dict[str, object]]:
    """Each release with whether it is accepted. A release has a row a title: how often it states each list and column,
    and hashes of its keys, which take a fifth of their memory."""
    import pyarrow.compute as pc

    before, when = None, None
    last: dict[str, tuple[object, pa.Table]] = {}  # of each list and column: the release that last states it
    for now in releases:
        day = now.column("delivery_date")[0].as_py()
        keys = pc.unique(now.column("natural_key"))
        of = len(before or ())
        lost = of - (pc.sum(pc.is_in(before, value_set=keys)).as_py() if before else 0)
        share = lost / of if of else 0.0
        reasons = []
        if share > MOST_LOST and lost >= FEW:
            reasons.append(f"{lost} of the {of} titles of {when} are not in it ({share:.0%}, {MOST_LOST:.0%} may be)")
        stated = [name for name in (*LISTS, *COLUMNS) if name in COLUMNS or pc.sum(now.column(name)).as_py()]
        thinned = {name: lacks for name in stated if name in last and (lacks := _lacks(name, *last[name], now))}
        reasons += thinned.values()
        by, because = now.column("decided_by")[0].as_py(), now.column("decided_because")[0].as_py()
        held = bool(reasons) and by is None
        yield {
            "delivery_date": day,
            "titles": len(keys),
            "compared_with": when,
            "lost": lost if when else None,
            "lost_share": share if when else None,
            "thinned": list(thinned),
            "accepted_by": by if reasons else None,
            "accepted_because": because if reasons else None,
            "is_accepted": not held,
            "held_because": "; ".join(reasons) if held else None,
        }
        if not held:
            before, when = keys, day
            last.update(dict.fromkeys(stated, (day, now)))


def _lacks(name: str, when: object, before: pa.Table, now: pa.Table) -> str | None:
    """How much of a list or column is gone, if it is too much. Only titles that both releases have are compared."""
    import pyarrow.compute as pc

    place = pc.index_in(before.column("title_key"), value_set=now.column("title_key"))
    common = pc.is_valid(place)
    was = before.column(name).filter(common)
    there = now.column(name).take(place.filter(common))
    of = pc.sum(was).as_py() or 0
    gone = pc.sum(pc.max_element_wise(pc.subtract(was, there), 0)).as_py() or 0
    if gone < FEW or gone <= MOST_VALUES_LOST * of:
        return None
    return f"{name}: {gone} of the {of} values of {when} are gone ({gone / of:.0%}, {MOST_VALUES_LOST:.0%} may be)"
