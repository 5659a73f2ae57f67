"""Which releases of the catalogue may speak for it: one that has lost too many titles was cut short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, holds, table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

MOST_LOST = 0.2
"""Share of the titles of the release before that a release may lack. The real releases lacked 0 to 5 %."""
FEW = 10
"""So few lost titles say nothing, whatever their share."""
_SCHEMA = (
    "delivery_date date, titles int, compared_with date, lost int, lost_share double, accepted_by string,"
    " accepted_because string, is_accepted boolean, held_because string"
)
_TITLES = ("silver.titles.natural_key",)


@table(
    "silver.releases",
    feed="catalogue",
    grain="one release of the catalogue",
    key=("delivery_date",),
    reads=("silver.titles",),
    write="verdicts",
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
        Column("accepted_by", "string", "Who took the release in although it lacks too many", sources=_TITLES),
        Column("accepted_because", "string", "Why they did", sources=_TITLES),
        Column("is_accepted", "boolean", "Whether gold is built from this release", False, _TITLES),
        Column("held_because", "string", "Why it is not, in words", sources=_TITLES),
    ],
    expectations=[
        holds(
            "release_complete",
            "is_accepted",
            f"no release lacks {FEW} titles and more than {MOST_LOST:.0%} of the one before, or a person accepts it",
            "fail",
            hint="land the whole release again, or take it in as it is: netflix-dagster accept",
            because="held_because",
        )
    ],
)
def releases(titles: DataFrame, decisions: DataFrame) -> DataFrame:
    """Every release, compared with the accepted one before it in order of date, and whether gold is built from it.

    A release that was cut short would look like the removal of all that it lacks. It is held back: silver keeps its
    rows, gold does not see them. Which releases are accepted does not depend on the order in which they arrive.
    """
    from pyspark.sql import functions as F

    named = titles.groupBy("delivery_date").agg(F.collect_set("natural_key").alias("keys"))
    told = named.join(F.broadcast(decisions), "delivery_date", "left").coalesce(1)
    return told.mapInArrow(_compared, _SCHEMA)


def accepted(frame: DataFrame, releases: DataFrame) -> DataFrame:
    """The rows of accepted releases."""
    from pyspark.sql import functions as F

    return frame.join(F.broadcast(releases.where("is_accepted").select("delivery_date")), "delivery_date", "left_semi")


def _compared(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    found = sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["delivery_date"])
    day, text = pa.date32(), pa.string()
    schema = pa.schema(
        [
            ("delivery_date", day),
            ("titles", pa.int32()),
            ("compared_with", day),
            ("lost", pa.int32()),
            ("lost_share", pa.float64()),
            ("accepted_by", text),
            ("accepted_because", text),
            ("is_accepted", pa.bool_()),
            ("held_because", text),
        ]
    )
    yield pa.RecordBatch.from_pylist(list(_judged(found)), schema=schema)


def _judged(found: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    before, when = frozenset[object](), None
    for row in found:
        keys = frozenset(row["keys"] or ())  # type: ignore[call-overload]
        lost = len(before - keys)
        share = lost / len(before) if before else 0.0
        too_many = share > MOST_LOST and lost >= FEW
        held = too_many and row["decided_by"] is None
        yield {
            "delivery_date": row["delivery_date"],
            "titles": len(keys),
            "compared_with": when,
            "lost": lost if when else None,
            "lost_share": share if when else None,
            "accepted_by": row["decided_by"] if too_many else None,
            "accepted_because": row["decided_because"] if too_many else None,
            "is_accepted": not held,
            "held_because": f"{lost} of the {len(before)} titles of {when} are not in it ({share:.0%},"
            f" {MOST_LOST:.0%} may be)"
            if held
            else None,
        }
        if not held:
            before, when = keys, row["delivery_date"]
