"""Change data: what the changes come to is what an independent fold says, however they are shuffled and repeated."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from netflix_dagster import tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import SourcesError, load_sources
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.tables.test_generic import sources_with

ENTRY = """
  {name}:
    feed: pets
    form: whole
    description: Pets that change
    files: "*.{files}"
    format: {format}
    columns:
      order: {{description: "Number, with the name of a word of SQL"}}
      name: {{description: "What it is called", required: false}}
      legs: {{description: "How many legs it has", required: false}}
      op: {{description: "What was done", aliases: ["__op", "_change_type"]}}
      at: {{description: "When", aliases: ["__source_lsn", "_commit_version"]}}
      told: {{description: "When it was told", aliases: ["__ts_ms"], required: false}}
    silver:
      key: [order]
      types: {{order: bigint, legs: bigint, at: bigint}}
      changes: {{op: op, sequence: at, keep: {keep}, about: [told]}}
"""
FORMS = {
    "plain": ENTRY.format(name="plain", files="csv", format="csv", keep="history"),
    "latest": ENTRY.format(name="latest", files="csv", format="csv", keep="current"),
    "cdf": ENTRY.format(name="cdf", files="parquet", format="parquet", keep="current"),
    "envelopes": ENTRY.format(name="envelopes", files="jsonl", format="debezium", keep="history"),
}
Change = tuple[int, str | None, int | None, str, int]
"""The number and the values of a row, what was done with it, and its sequence."""


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = sources_with("".join(FORMS.values()), tmp_path_factory.mktemp("sources"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NETFLIX_SOURCES", str(path))
        get_settings.cache_clear()
        tables.declare(load_sources(path))
        yield path
    get_settings.cache_clear()
    tables.declare(load_sources())


@pytest.fixture
def house(declared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    monkeypatch.setenv("NETFLIX_SOURCES", str(declared))
    return Lakehouse(tmp_path)


def versions(changes: list[Change]) -> set[tuple[Any, ...]]:
    """What changes come to: (number, name, legs, from, to, ended by). Of several with one sequence the last counts."""
    by_key: dict[int, dict[int, Change]] = defaultdict(dict)
    for change in changes:
        if change[3].lower() != "update_preimage":
            by_key[change[0]][change[4]] = change
    found: set[tuple[Any, ...]] = set()
    for number, by_sequence in by_key.items():
        now: tuple[Any, ...] | None = None
        for at in sorted(by_sequence):
            _, name, legs, op, _ = by_sequence[at]
            state = None if op.lower() in ("d", "delete") else (name, legs)
            if now is not None and state == now[:2]:
                continue
            if now is not None:
                found.add((number, *now, at, "delete" if state is None else "update"))
            now = None if state is None else (*state, at)
        if now is not None:
            found.add((number, *now, None, None))
    return found


OPS = ("c", "r", "u", "d", "Insert", "UPDATE", "delete", "upsert", "update_preimage", "update_postimage")
CHANGES = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["Rex", "1:", "", None]),
        st.sampled_from([None, 4, 11]),
        st.sampled_from(OPS),
        st.integers(-2, 8),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(CHANGES, st.randoms(use_true_random=False))
def test_both_folds_are_those_of_an_independent_one_in_any_order(
    declared: Path, spark: SparkSession, changes: list[Change], shuffled: random.Random
) -> None:
    contract = TABLES["silver.plain"]
    rows = []
    for place, (number, name, legs, op, at) in enumerate(changes):
        delivered = {"delivery_date": date(2024, 5, 1 + place // 7), "source_file": "abc"[place % 7 // 3]}
        row = {"order": number, "name": name, "legs": legs, "op": op, "at": at, "record_number": place, **delivered}
        rows.append(tuple(row.get(column) for column in contract.column_names))
    shuffled.shuffle(rows)
    frame = spark.createDataFrame(rows, store.ddl(contract)).repartition(3)
    history = [tuple(row) for row in TABLES["silver.plain_history"].function(frame).collect()]
    expected = versions(changes)
    assert len(history) == len(expected)
    assert {(n, name, legs, at, to, ended) for n, name, legs, at, to, _, ended in history} == expected
    assert all(is_current == (to is None) for *_, to, is_current, _ in history)
    current = {tuple(row)[:3] for row in TABLES["silver.latest_current"].function(frame).collect()}
    assert current == {version[:3] for version in expected if version[4] is None}


def envelope(number: int, name: str | None, legs: int | None, op: str, at: int, before: Any = None, **more: Any) -> str:
    row = {"order": number, "name": name, "legs": legs}
    said = {"before": row if op == "d" else before, "after": None if op == "d" else row}
    return json.dumps({**said, "op": op, "ts_ms": at * 1000, "source": {"lsn": at, "table": "pets"}, **more})


def test_envelopes_end_in_the_same_history_however_they_are_delivered(house: Lakehouse, spark: SparkSession) -> None:
    """With snapshot rows, tombstones, rows before, schemas beside the payload, and some told twice."""
    said: list[Change] = [
        (1, "Rex", 4, "r", 10), (2, "Mimi", 4, "r", 10), (1, "Rex", 3, "u", 20), (3, "Bird", 2, "c", 25),
        (2, "Mimi", 4, "u", 30), (3, "Bird", 2, "d", 40), (1, "Max", 3, "u", 41), (3, "Bird", None, "c", 50),
    ]  # fmt: skip
    lines = [envelope(*one, before={"order": one[0], "name": "old"} if one[3] == "u" else None) for one in said]
    lines[3] = json.dumps({"schema": {"type": "struct"}, "payload": json.loads(lines[3])})
    lines[5] += "\nnull"
    expected = versions(said)
    for number, seed in enumerate((1, 2)):
        shuffled = random.Random(seed).sample([*lines, lines[0], lines[4]], len(lines) + 2)
        days = [f"2024-05-{number * 3 + n + 1:02}" for n in range(3)]
        for at, day in enumerate(days):
            house.land("envelopes", day, "\n".join(shuffled[at::3]) + "\n", "pets.jsonl")
        for day in reversed(days):
            house.build(day, feed="pets")
        found = house.rows("silver.envelopes_history")
        names = ("order", "name", "legs", "valid_from", "valid_to", "ended_by")
        assert {tuple(row[name] for name in names) for row in found} == expected
    assert (3, "Bird", 2, 25, 40, "delete") in expected, "a delete is kept as history"
    bronze = [row for row in house.rows("bronze.envelopes") if row["op"] == "u"]
    before = json.loads(json.loads(bronze[0]["rescued_data"])["__before"])
    assert before == {"order": int(bronze[0]["order"]), "name": "old"}


def test_deltas_own_change_feed_ends_in_the_table_itself(house: Lakehouse, spark: SparkSession, tmp_path: Path) -> None:
    """The feed of a real Delta table after a merge, an update and a delete; each version by itself, not in order."""
    place = str(tmp_path / "theirs")
    pets = {"order": [1, 2, 3], "name": ["Rex", "Mimi", None], "legs": [4, 4, 2]}
    write_deltalake(place, pa.table(pets), configuration={"delta.enableChangeDataFeed": "true"})
    theirs = DeltaTable(place)
    theirs.update(updates={"legs": "3"}, predicate="name = 'Rex'")
    news = pa.table({"order": [2, 4], "name": ["Minka", "Otto"], "legs": [4, 8]})
    merge = theirs.merge(news, "t.`order` = s.`order`", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    theirs.delete("`order` = 3")
    kinds = {"order": pa.int64(), "name": pa.string(), "legs": pa.int64(), "_change_type": pa.string()}
    feed = pa.table(theirs.load_cdf(starting_version=0).read_all()).drop_columns(["_commit_timestamp"])
    feed = feed.cast(pa.schema([*kinds.items(), ("_commit_version", pa.int64())]))
    assert set(feed["_change_type"].to_pylist()) == {"insert", "update_preimage", "update_postimage", "delete"}
    for version in (2, 0, 3, 1):
        day = house.landing / "cdf" / f"2024-05-0{version + 1}"
        day.mkdir(parents=True)
        pq.write_table(feed.filter(pa.compute.equal(feed["_commit_version"], version)), day / "feed.parquet")
        house.build(day.name, feed="pets")
    found = {(row["order"], row["name"], row["legs"]) for row in house.rows("silver.cdf_current")}
    assert (
        found == {tuple(row.values()) for row in DeltaTable(place).to_pyarrow_table().to_pylist()} and len(found) == 3
    )


def test_a_change_that_is_not_understood_holds_its_delivery_and_one_without_a_key_is_quarantined(
    house: Lakehouse, spark: SparkSession
) -> None:
    house.land(
        "plain", "2024-05-01", "order,name,legs,op,at\n1,Rex,4,c,1\n,Nobody,4,c,2\n2,Mimi,4,c,\n5,A,4,c,1\n6,B,4,c,1\n"
    )
    house.land("plain", "2024-05-02", "order,name,legs,op,at\n1,Rex,4,u,3\n,,,t,4\n")
    house.build("2024-05-01", "2024-05-02", feed="pets")
    found = {row["order"]: (row["valid_from"], row["valid_to"]) for row in house.rows("silver.plain_history")}
    assert found == {1: (1, None), 5: (1, None), 6: (1, None)}
    refused = [row["rules"] for row in house.quarantined("silver.plain", "2024-05-01")]
    assert sorted(refused) == [["at_not_null"], ["order_not_null"]]
    assert house.days("silver.plain") == {"2024-05-01"}, "a table that was truncated is not folded as if it were not"


@pytest.mark.parametrize(
    "line, said",
    [
        ('{"order": 1, "op": "c"}', "no envelope"),
        ('{"before": null, "after": {"order": 1}}', "no envelope"),
        ('{"before": null, "after": {"order": 1, "__op": 5}, "op": "c", "source": {"lsn": 1}}', "'__op' twice"),
    ],
)
def test_what_is_no_envelope_is_refused_with_its_line(declared: Path, line: str, said: str) -> None:
    source = load_sources(declared).sources["envelopes"]
    file = parse_bytes(("null\n" + envelope(1, "Rex", 4, "c", 1) + "\n" + line + "\n").encode(), source)
    (refusal,) = file.refusals
    assert said in refusal.reason and (refusal.record, refusal.line) == (2, 3)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("sequence: at", "sequence: nowhere", r"silver\.changes: there is no column 'nowhere'"),
        ("key: [order]", "key: []", r"silver\.key: changes are of rows that have a key"),
        (", at: bigint", "", r"silver\.changes: at is text"),
        ("op: op,", "op: order,", r"silver\.changes: order is of the key"),
    ],
)
def test_what_cannot_be_folded_is_refused_before_anything_runs(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SourcesError, match=said):
        load_sources(sources_with(FORMS["plain"].replace(old, new), tmp_path))
