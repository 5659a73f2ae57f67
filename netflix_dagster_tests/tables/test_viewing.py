"""Viewing events against a fold in plain Python: late, repeated, replaced, withdrawn, in any order."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.contracts.graph import check, feed_tables
from netflix_dagster.deliveries import decisions
from netflix_dagster.deliveries.life import Status
from netflix_dagster.lake import parts, store
from netflix_dagster_tests.lakehouse import Lakehouse, title
from netflix_dagster_tests.tables.viewing import HOURS, Files, a_delivery, as_lines, event, events, facts, key

SOURCE, DELIVERED = "viewing_events", "silver.viewing_events_delivered"
EVENTS, FACT = "silver.viewing_events", "gold.fact_viewing_hourly"
H22, H23, H00 = map(key, HOURS[:3])


@pytest.fixture
def house(tmp_path: Path, spark: SparkSession) -> Lakehouse:
    return Lakehouse(tmp_path)


def land(house: Lakehouse, hour: str, files: Files) -> None:
    """Land an hour in place of what is there of it."""
    for old in (house.landing / SOURCE / hour).glob("*"):
        old.unlink()
    for name, rows in files.items():
        house.land(SOURCE, hour, as_lines(rows), name)


def agree(house: Lakehouse, deliveries: dict[str, Files]) -> None:
    """The tables hold what the fold says of these deliveries."""
    found = {(row["event_hour"], row["event_id"]): row for row in house.rows(EVENTS)}
    wanted = events(deliveries)
    assert found.keys() == wanted.keys()
    for place, row in found.items():
        said = wanted[place]
        assert (row["reports"], row["reported_alike"], row["seconds_viewed"]) == (
            said["reports"],
            said["alike"],
            said["seconds_viewed"],
        ), place
    cells = {
        (row["event_hour"], row["title_key"], row["country"], row["device"]): (
            row["events"],
            row["viewers"],
            row["seconds_viewed"],
            row["late_events"],
        )
        for row in house.rows(FACT)
    }
    assert cells == facts(deliveries)
    assert all(row["hours_viewed"] == row["seconds_viewed"] / 3600 for row in house.rows(FACT))


def files_of_parts(house: Lakehouse, name: str) -> dict[str, set[str]]:
    """The files of each part of a table."""
    found = store.delta(house.tables, name)
    assert found is not None
    files: dict[str, set[str]] = {}
    for path in found.file_uris():
        part, _, file = path.rpartition("event_hour=")[2].partition("/")
        files.setdefault(part, set()).add(file)
    return files


@pytest.mark.parametrize("seed", range(3))
def test_hours_in_any_order_come_to_the_fold(house: Lakehouse, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    if seed == 1:
        monkeypatch.setattr(parts, "MOST_ROWS", 5)  # in many steps
    deliveries: dict[str, Files] = {}
    arriving = rng.sample(HOURS, len(HOURS)) + rng.choices(HOURS, k=2)  # some are replaced
    while arriving:
        now = [arriving.pop() for _ in range(min(len(arriving), rng.randint(1, 3)))]
        for hour in now:
            deliveries[key(hour)] = a_delivery(rng, hour)
            land(house, key(hour), deliveries[key(hour)])
        house.build(*map(key, now), feed="viewing")
        agree(house, deliveries)
    gone = rng.choice(sorted(deliveries))
    decisions.withdraw(house.tables, SOURCE, gone, "sent by mistake")
    del deliveries[gone]
    house.build(gone, feed="viewing")
    agree(house, deliveries)


def test_only_hours_that_a_delivery_touches_are_built_anew(house: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [event(n, HOURS[0]) for n in range(3)]
    second = [event(n, HOURS[1]) for n in range(3, 6)]
    land(house, H22, {"a.jsonl": first})
    land(house, H23, {"a.jsonl": second})
    house.build(H22, H23, feed="viewing")
    before = {name: files_of_parts(house, name) for name in (EVENTS, FACT)}
    assert before[FACT].keys() == {H22, H23}

    late = event(7, HOURS[0] + timedelta(minutes=5))
    land(house, H00, {"a.jsonl": [late, second[0], event(8, HOURS[2])]})
    house.build(H00, feed="viewing")
    after = files_of_parts(house, FACT)
    assert after[H22] != before[FACT][H22], "a late event moves the hour in which it happened"
    assert after.keys() == {H22, H23, H00}
    agree(house, {H22: {"a": first}, H23: {"a": second}, H00: {"a": [late, second[0], event(8, HOURS[2])]}})

    land(house, H00, {"a.jsonl": [event(8, HOURS[2])]})
    house.build(H00, feed="viewing")
    last = files_of_parts(house, FACT)
    assert last[H22] != after[H22], "the hour that a replaced delivery had touched is built anew as well"
    assert [row["events"] for row in house.rows(FACT) if row["event_hour"] == H22] == [3]

    land(house, key(HOURS[3]), {"a.jsonl": [event(9, HOURS[3])]})
    house.build(key(HOURS[3]), feed="viewing")
    now = files_of_parts(house, FACT)
    assert {hour: now[hour] for hour in last} == last, "other hours keep their files"

    in_parts = house.contents("silver", "gold")
    monkeypatch.setattr(parts, "code_mark", lambda _table: "other code")
    house.build(H22, feed="viewing")
    whole = files_of_parts(house, FACT)
    assert all(whole[hour].isdisjoint(now[hour]) for hour in now), "all hours are built anew"
    assert house.contents("silver", "gold") == in_parts


def test_versions_that_are_cleaned_up_have_all_parts_built(house: Lakehouse) -> None:
    first = [event(n, HOURS[0]) for n in range(2)]
    land(house, H22, {"a.jsonl": first})
    land(house, H23, {"a.jsonl": [event(3, HOURS[1]), event(4, HOURS[0])]})
    house.build(H22, H23, feed="viewing")
    land(house, H23, {"a.jsonl": [event(5, HOURS[0])]})
    only_delivered = [name for name in feed_tables("viewing") if name not in (EVENTS, FACT)]
    house.build(H23, feed="viewing", only=only_delivered)
    delivered = store.delta(house.tables, DELIVERED)
    assert delivered is not None
    delivered.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert parts.plan(house.tables, TABLES[EVENTS]).anew
    house.build(H23, feed="viewing")
    agree(house, {H22: {"a": first}, H23: {"a": [event(5, HOURS[0])]}})


def test_a_table_that_was_made_anew_is_not_taken_for_the_one_before(house: Lakehouse) -> None:
    """Its versions are counted from the beginning again, so the number alone says nothing."""
    land(house, H22, {"a.jsonl": [event(n, HOURS[0]) for n in range(2)]})
    house.build(H22, feed="viewing")
    assert parts.plan(house.tables, TABLES[EVENTS]).nothing
    delivered = house.tables / "silver" / "viewing_events_delivered"
    version, rows = store.version(house.tables, DELIVERED), store.read_arrow(house.tables, DELIVERED)
    shutil.rmtree(delivered)
    for _ in range((version or 0) + 1):
        write_deltalake(delivered, rows, partition_by=["delivery_date", "delivery_hour"], mode="overwrite")
    assert store.version(house.tables, DELIVERED) == version
    assert parts.plan(house.tables, TABLES[EVENTS]).anew


def test_a_broken_file_among_many_holds_the_hour_and_a_broken_line_does_not(house: Lakehouse) -> None:
    rows = [event(n, HOURS[0]) for n in range(300)]
    files = {f"part-{n:03}.jsonl": rows[3 * n : 3 * n + 3] for n in range(100)}
    land(house, H22, files)
    cut = as_lines(files["part-042.jsonl"])[:-40]
    house.land(SOURCE, H22, cut, "part-042.jsonl")
    house.build(H22, feed="viewing")
    refused = house.delivery(SOURCE, H22).newest
    assert refused.status is Status.REFUSED and "part-042.jsonl: record 3" in refused.why and "cut short" in refused.why
    assert house.rows(FACT) == house.rows(DELIVERED) == []

    house.land(SOURCE, H22, as_lines(files["part-042.jsonl"]) + '{"event_id": \n', "part-042.jsonl")
    house.build(H22, feed="viewing")
    assert len(house.rows(EVENTS)) == 300
    (set_aside,) = house.quarantined("bronze.viewing_events", H22[:10])
    assert (set_aside["source_file"], set_aside["line_number"]) == ("part-042.jsonl", 4)
    (kept,) = (house.tables / "_attempts").rglob("*.parquet")
    assert pq.ParquetFile(kept).num_row_groups == 1, "small files lie together"


def test_titles_that_the_catalogue_lacks_stay_and_are_counted(house: Lakehouse) -> None:
    known = title(1, title="The Tin Heron 1", release_year="2001")
    house.release("2026-01-18", known)
    house.build("2026-01-18")
    land(house, H22, {"a.jsonl": [event(1, HOURS[0]), event(2, HOURS[0], title="Ten Thousand Teaspoons")]})
    reports = house.build(H22, feed="viewing")
    checked = {check.name: check for check in reports[FACT].outcomes[None].checks}
    assert (checked["title_key_in_dim_title"].broken, checked["title_key_in_dim_title"].rows) == (1, 2)
    keys = {row["title_key"] for row in house.rows("gold.dim_title")}
    assert [row["title"] for row in house.rows(FACT) if row["title_key"] in keys] == ["The Tin Heron 1"]
    assert len(house.rows(FACT)) == 2


def test_what_a_table_by_parts_is_made_from_has_these_parts() -> None:
    fact = TABLES[FACT]
    loose = replace(fact, expectations=())
    with pytest.raises(ContractError, match=r"gold\.dim_title has no event_hour, so a change there would leave parts"):
        check({**TABLES, FACT: loose})
    with pytest.raises(ContractError, match="name no part"):
        _ = store.Parts("event_hour", ("a' OR true",)).condition
