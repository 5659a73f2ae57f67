"""Every kind of rule, kept and broken; copies counted; clashing keys refused; nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netflix_dagster.contracts import expectations as e
from netflix_dagster.contracts import tallies
from netflix_dagster.contracts.contract import (
    MOST_RULES,
    Column,
    Expectation,
    Table,
    Write,
    between,
    holds,
    in_set,
    matches,
    not_null,
    references,
)
from netflix_dagster_tests.examples import examples

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

COLUMNS = (
    Column("delivery_date", "string", "", nullable=False),
    Column("id", "string", ""),
    Column("kind", "string", ""),
    Column("year", "int", ""),
    Column("place", "int", ""),
)
DDL = "delivery_date string, id string, kind string, year int, place int"


def contract(*rules: Expectation, write: Write = "per_delivery") -> Table:
    return Table(
        name="silver.trial",
        feed="catalogue",
        description="",
        grain="",
        key=("delivery_date", "id"),
        columns=COLUMNS,
        reads=(),
        function=lambda: None,  # type: ignore[arg-type,return-value]
        write=write,
        expectations=rules,
        provenance=("place",),
        order="place",
    )


def judged(spark: SparkSession, table: Table, rows: list[tuple[Any, ...]]) -> DataFrame:
    return e.settle(e.annotate(spark.createDataFrame(rows, DDL), table), table)


def tally(rows: DataFrame, table: Table) -> dict[str | None, tallies.Tally]:
    return tallies.tally(rows.toArrow(), table)


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        (not_null("kind", "warn"), ("d", "1", "Movie", 2000, 1), ("d", "2", None, 2000, 2)),
        (in_set("kind", ("Movie", "Kids' TV")), ("d", "1", "Kids' TV", 2000, 1), ("d", "2", "Opera", 2000, 2)),
        (between("year", 1900, 2100), ("d", "1", "Movie", 1900, 1), ("d", "2", "Movie", 1899, 2)),
        (holds("pattern", "id RLIKE '^[0-9]+$'", ""), ("d", "1", "Movie", 2000, 1), ("d", "x", "Movie", 2000, 2)),
        (holds("cross", "kind = 'Movie' OR year > 2000", ""), ("d", "1", "Show", 2001, 1), ("d", "2", "Show", 2000, 2)),
    ],
    ids=lambda value: value.name if isinstance(value, Expectation) else "",
)
def test_a_rule_counts_the_rows_that_break_it(
    spark: SparkSession, rule: Expectation, kept: tuple[Any, ...], broken: tuple[Any, ...]
) -> None:
    table = contract(rule)
    found = tally(judged(spark, table, [kept, broken]), table)["d"]
    assert (found.rows, found.kept, found.broken[rule.name]) == (2, 2, 1)
    assert tallies.blocking_reason(found, table) is None


def test_a_condition_that_is_null_counts_as_kept(spark: SparkSession) -> None:
    table = contract(between("year", 1900, 2100, "fail"))
    assert tally(judged(spark, table, [("d", "1", "Movie", None, 1)]), table)["d"].broken["year_plausible"] == 0


def test_a_dropped_row_carries_all_the_rules_it_broke(spark: SparkSession) -> None:
    table = contract(not_null("kind"), between("year", 1900, 2100, "drop"), not_null("id"))
    rows = [("d", "1", None, 1800, 1), ("d", "2", "Movie", 2000, 2)]
    both = judged(spark, table, rows)
    assert [row["id"] for row in e.kept(both, table).collect()] == ["2"]
    (refused,) = e.refused(both, table).collect()
    assert (refused["id"], sorted(refused[e.BROKEN])) == ("1", ["kind_not_null", "year_plausible"])


def test_a_failing_rule_blocks_its_delivery_and_no_other(spark: SparkSession) -> None:
    table = contract(in_set("kind", ("Movie",), "fail"))
    found = tallies.tally(
        judged(spark, table, [("d1", "1", "Movie", 1, 1), ("d2", "1", "Opera", 1, 1)]).toArrow(), table
    )
    assert tallies.blocking_reason(found["d1"], table) is None
    assert "kind_known: 1 of 1 rows" in str(tallies.blocking_reason(found["d2"], table))


def test_a_delivery_most_of_whose_rows_would_be_refused_is_blocked(spark: SparkSession) -> None:
    table = contract(not_null("kind"))
    rows = [("d", str(n), None if n < 3 else "Movie", 2000, n) for n in range(5)]
    reason = tallies.blocking_reason(tally(judged(spark, table, rows), table)["d"], table)
    assert reason is not None and "3 of 5 rows would be refused, most of them by kind_not_null" in reason


def test_a_repeat_is_counted_and_a_clash_refused(spark: SparkSession) -> None:
    table = contract()
    rows = [("d", "1", "Movie", 2000, 1), ("d", "1", "Movie", 2000, 2), ("d", "1", "Movie", 1999, 3)]
    both = judged(spark, table, rows)
    found = tally(both, table)["d"]
    assert (found.kept, found.copies, found.refused, found.broken[e.UNIQUE]) == (1, 1, 1, 1)
    assert [row["place"] for row in e.kept(both, table).collect()] == [1]
    assert [row["place"] for row in e.refused(both, table).collect()] == [3]


def test_a_refused_row_does_not_claim_its_key(spark: SparkSession) -> None:
    table = contract(between("year", 1900, 2100, "drop"))
    both = judged(spark, table, [("d", "1", "Movie", 1800, 1), ("d", "1", "Movie", 2000, 2)])
    assert [row["place"] for row in e.kept(both, table).collect()] == [2]


def test_a_marked_row_is_a_copy(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    table = contract()
    frame = spark.createDataFrame([("d", "1", "a", 1, 1), ("d", "1", "b", 2, 2)], DDL)
    marked = frame.withColumn("is_duplicate", F.col("place") == 1)
    both = e.settle(e.annotate(marked, table), table)
    assert [row["place"] for row in e.kept(both, table).collect()] == [2]
    assert tally(both, table)["d"].copies == 1


def test_two_keys_that_share_a_hash_are_two_keys(spark: SparkSession) -> None:
    table = contract(write="whole")
    rows = e.annotate(spark.createDataFrame([("d", "1", "a", 1, 1), ("d", "2", "b", 2, 2)], DDL), table).toArrow()
    place = rows.schema.get_field_index(e.KEY)
    alike = rows.set_column(place, e.KEY, pa.array([7, 7], pa.int64()))
    found = tallies.tally(alike, table)
    assert (found[None].contested, tallies.claimed_twice(alike, table)) == (1, [7])
    again = tallies.recounted(found, alike, table)[None]
    assert (again.contested, again.broken[e.UNIQUE], tallies.blocking_reason(again, table)) == (0, 0, None)


def test_a_clash_in_a_whole_table_blocks_it(spark: SparkSession) -> None:
    table = contract(write="whole")
    rows = [("d", "1", "Movie", 2000, 1), ("d", "1", "Movie", 2000, 2)]
    found = tally(judged(spark, table, rows), table)[None]
    assert "unique_key: 1 of 2 rows" in str(tallies.blocking_reason(found, table))


def test_two_rows_without_a_part_of_the_key_claim_the_same_key(spark: SparkSession) -> None:
    table = contract()
    rows = [("d", None, "Movie", 2000, 1), ("d", None, "Movie", 2000, 2), ("d", None, "Show", 1999, 3)]
    both = judged(spark, table, [*rows, ("d", "1", "Movie", 2000, 4), ("d2", None, "Movie", 2000, 5)])
    assert sorted(row["place"] for row in e.kept(both, table).collect()) == [1, 4, 5]
    assert [row["place"] for row in e.refused(both, table).collect()] == [3]
    found = tally(both, table)["d"]
    assert (found.kept, found.copies, found.refused, found.broken[e.UNIQUE]) == (2, 1, 1, 1)


row = st.tuples(
    st.sampled_from(["d1", "d2"]),
    st.sampled_from(["1", "2", "3", None]),
    st.sampled_from(["Movie", "Opera", None]),
    st.sampled_from([1800, 2000, None]),
    st.integers(0, 5),
)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(row, min_size=1, max_size=12))
def test_rows_conserve(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    """What came in is kept, counted as a copy, or refused; and what is kept has one row a key."""
    table = contract(not_null("id"), between("year", 1900, 2100, "drop"), in_set("kind", ("Movie",)))
    both = judged(spark, table, rows)
    kept = [(r["delivery_date"], r["id"]) for r in e.kept(both, table).collect()]
    found = tally(both, table).values()
    assert sum(t.rows for t in found) == len(rows)
    assert sum(t.kept for t in found) == len(kept) == len(set(kept))
    assert sum(t.refused for t in found) == len(e.refused(both, table).collect())
    assert all(t.rows == t.kept + t.copies + t.refused for t in found)
    assert set(kept) == {(d, i) for d, i, _, year, _ in rows if i is not None and year != 1800}


def test_samples_say_which_rows_break_a_rule(spark: SparkSession) -> None:
    table = contract(in_set("kind", ("Movie",)), between("year", 1900, 2100, "drop"))
    rows = [("d1", str(n), "Opera", 2000, n) for n in range(9)] + [
        ("d2", "1", "Opera", 1800, 1),
        ("d2", "2", "Movie", 1, 2),
    ]
    found = tallies.samples(judged(spark, table, rows).toArrow().to_batches(2), table)
    assert {where: len(listed) for where, listed in found.items()} == {
        ("d1", "kind_known"): e.MOST_SAMPLES,
        ("d2", "kind_known"): 1,
        ("d2", "year_plausible"): 2,
    }
    assert found["d2", "kind_known"] == [{"delivery_date": "d2", "id": "1", "kind": "Opera"}]
    assert {row["id"]: row["year"] for row in found["d2", "year_plausible"]} == {"1": 1800, "2": 1}


def test_a_pattern_holds_or_does_not(spark: SparkSession) -> None:
    table = contract(matches("id", r"^\d+'?$", "drop"))
    both = judged(spark, table, [("d", "12'", "Movie", 1, 1), ("d", "x1", "Movie", 1, 2), ("d", None, "Movie", 1, 3)])
    assert [row["place"] for row in e.refused(both, table).collect()] == [2]


def test_a_foreign_key_is_looked_for_in_the_other_table(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    rule = references(("delivery_date", "kind"), "silver.kinds", ("day", "name"), where="year > 0", on_fail="drop")
    table = contract(rule)
    kinds = spark.createDataFrame([("d", "Movie"), ("d", "Movie"), ("d2", "Show")], "day string, name string")
    rows = [
        ("d", "1", "Movie", 1, 1),
        ("d", "2", "Show", 1, 2),
        ("d", "3", None, 1, 3),
        ("d", "4", "Show", 0, 4),
        ("d2", "5", "Show", 1, 5),
    ]
    frame = spark.createDataFrame(rows, DDL)
    both = e.annotate(frame, table, {"silver.kinds": kinds})
    assert both.count() == len(rows), "no row is lost or doubled by looking"
    assert not [name for name in both.columns if name.startswith("_found")]
    assert [row["id"] for row in e.refused(both, table).collect()] == ["2"]
    nobody = e.annotate(frame, table, {"silver.kinds": kinds.where(F.lit(False))})
    assert sorted(row["id"] for row in e.refused(nobody, table).collect()) == ["1", "2", "5"]


def test_sixty_rules_are_told_apart(spark: SparkSession) -> None:
    rules = [holds(f"rule_{n}", f"year != {n}", "", "drop") for n in range(MOST_RULES - 1)]
    table = contract(*rules)
    both = judged(spark, table, [("d", str(n), "Movie", n, n) for n in range(MOST_RULES)])
    refused = {row["id"]: row[e.BROKEN] for row in e.refused(both, table).collect()}
    assert refused == {str(n): [f"rule_{n}"] for n in range(MOST_RULES - 1)}
