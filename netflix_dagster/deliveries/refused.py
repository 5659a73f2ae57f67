"""Rows of the quarantine as Arrow has them: capped, counted, completed, at the cost of columns and not of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netflix_dagster.landing.keys import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

MOST_RAW = 32_000
MOST_ROWS = 1_000
"""So many rows are kept of those that break one rule in one file; the others are counted."""
TALLIED = ["table_name", "rules", "reasons", "hints", "refused_rows"]
"""The columns that ``tallied`` reads."""
_PLACE = (*COLUMNS, "source_file", "record_number")


def capped(refused: pa.Table, rules: str = "rules", most: int = MOST_ROWS) -> pa.Table:
    """Of refused rows those that the quarantine keeps, with ``refused_rows``: how many each of them stands for.

    A row is kept when it is among the first ``most`` of its delivery and file that break one of its rules, in the
    order of ``record_number``. Of the others, those of one delivery, file and list of rules are counted in the first
    of them. To cap what is capped changes nothing. ``rules`` is the column with the names of the broken rules; rows
    of a table that does not keep ``source_file`` or ``record_number`` are taken as they come.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    refused = counted(refused)
    if refused.num_rows <= most:
        return refused
    known = [name for name in _PLACE if name in refused.column_names]
    order = [(name, "ascending") for name in known]
    where = [name for name in known if name != "record_number"]
    refused = refused.take(pc.sort_indices(refused.select(known), order))
    groups = each_rule(refused, rules, where).group_by([*where, "rule"], use_threads=False)
    first = pc.list_slice(groups.aggregate([("place", "list")])["place_list"], 0, most)
    places = pa.array(range(refused.num_rows), pa.int64())
    more = pc.invert(pc.is_in(places, pc.list_flatten(first).combine_chunks()))
    alike = refused.select([*where, "refused_rows"]).append_column("place", places)
    alike = alike.append_column("rules", pc.binary_join(refused[rules], "\n")).filter(more)
    stand = alike.group_by([*where, "rules"], use_threads=False)
    stand = stand.aggregate([("place", "min"), ("refused_rows", "sum")])
    stood_for = refused.take(stand["place_min"])
    place = refused.schema.get_field_index("refused_rows")
    stood_for = stood_for.set_column(place, "refused_rows", stand["refused_rows_sum"])
    kept = pa.concat_tables([refused.filter(pc.invert(more)), stood_for])
    return kept.take(pc.sort_indices(kept.select(known), order))


def counted(refused: pa.Table) -> pa.Table:
    """Refused rows with ``refused_rows``; each stands for itself where that is not known."""
    import pyarrow as pa

    if "refused_rows" in refused.column_names:
        return refused
    return refused.append_column("refused_rows", pa.array([1] * refused.num_rows, pa.int64()))


def tallied(held: pa.Table) -> list[dict[str, Any]]:
    """Refused rows counted by table and rule, most first, with the reason and the hint of one of them."""
    import pyarrow.compute as pc

    each = each_rule(held, "rules", ["table_name"])
    each = each.append_column("rows", pc.fill_null(held["refused_rows"], 1).take(each["place"]))
    each = each.append_column("reason", pc.list_flatten(held["reasons"]))
    each = each.append_column("hint", pc.list_flatten(held["hints"]))
    counts = [("rows", "sum"), ("reason", "first"), ("hint", "first")]
    found = each.group_by(["table_name", "rule"], use_threads=False).aggregate(counts)
    found = found.select(["table_name", "rule", "rows_sum", "reason_first", "hint_first"])
    found = found.rename_columns(["table", "rule", "rows", "reason", "hint"])
    listed: list[dict[str, Any]] = found.sort_by(
        [("rows", "descending"), ("table", "ascending"), ("rule", "ascending")]
    ).to_pylist()
    return listed


def each_rule(held: pa.Table, rules: str = "rules", columns: Sequence[str] = ()) -> pa.Table:
    """A row for every rule that a row breaks, with some columns of that row and its ``place``, from 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    broken = held[rules].combine_chunks()
    places = pc.list_parent_indices(broken).cast(pa.int64())
    return pa.table(
        {
            "place": places,
            **{name: held[name].take(places) for name in columns},
            "rule": pc.list_flatten(broken),
        }
    )


def filled(held: pa.Table) -> pa.Table:
    """The rows of older lakes with what these do not say: who delivered, and that a row stands for itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bronze = pc.starts_with(held["table_name"], "bronze.")
    own = pc.if_else(
        bronze, pc.replace_substring_regex(held["table_name"], r"^bronze\.", ""), pa.scalar(None, pa.string())
    )
    said = {"source": pc.coalesce(held["source"], own), "refused_rows": pc.fill_null(held["refused_rows"], 1)}
    for name, values in said.items():
        held = held.set_column(held.schema.get_field_index(name), name, values)
    return held


def shortened(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts of a length that a table can hold; what was cut off is said."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.utf8_length(texts)
    more = pc.subtract(lengths, MOST_RAW)
    if not pc.any(pc.greater(more, 0)).as_py():
        return texts
    said = pa.chunked_array(
        [[f"… ({count:,} characters more: see the file)" for count in pc.fill_null(more, 0).to_pylist()]], pa.string()
    )
    cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, MOST_RAW), said, "")
    return pc.if_else(pc.fill_null(pc.greater(more, 0), False), cut, texts)
