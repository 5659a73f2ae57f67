"""A feed that delivers by the hour: the key of a delivery is a day and an hour, everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from netflix_dagster.contracts.contract import TABLES, Column, ContractError, table
from netflix_dagster.contracts.graph import check, feed_tables
from netflix_dagster.deliveries import columns, decisions, quarantine, results
from netflix_dagster.deliveries.life import Life, Status
from netflix_dagster.deliveries.pending import pending
from netflix_dagster.lake import store
from netflix_dagster.landing import blobs, keys
from netflix_dagster.landing.deliveries import land, list_landing
from netflix_dagster.landing.events import Message, Poison, touched
from netflix_dagster.landing.listing import Delivery, Listing, check_landing, misdated
from netflix_dagster.landing.sources import Sources, SourcesError, load_sources
from netflix_dagster.landing.watermark import Watermark
from netflix_dagster.storage import Stored
from netflix_dagster_tests.deliveries import plays
from netflix_dagster_tests.deliveries.plays import played
from netflix_dagster_tests.emulators.account import LANDING
from netflix_dagster_tests.emulators.eventgrid import encoded, event
from netflix_dagster_tests.lakehouse import Lakehouse

DAY = "2026-11-20"
H13, H14, NEXT = f"{DAY}T13", f"{DAY}T14", "2026-11-21T00"
FIRST, SECOND = played(("Heron", 5), ("Clock", 7), ("Barge", 1)), played(("Heron", 10), ("Clock", 20))
GARBAGE = b"\xff\x00\x01 no file of plays\x00"


class Plays(Lakehouse):
    """A lakehouse that is delivered to by the hour."""

    @property
    def sources(self) -> Sources:
        return plays.sources(self.root)

    def hours(self, name: str) -> dict[str, int]:
        """The rows of each hour in a table."""
        found: dict[str, int] = {}
        for row in self.rows(name):
            found[keys.of_row(row)] = found.get(keys.of_row(row), 0) + 1
        return found

    def minutes(self) -> dict[str, object]:
        return plays.minutes(self.rows("gold.plays_by_title"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Plays]:
    found = Plays(tmp_path)
    plays.declare(found.sources)
    yield found
    plays.forget()


def test_each_hour_is_built_and_replaced_alone(house: Plays) -> None:
    house.land("plays", H13, FIRST)
    house.land("plays", H14, SECOND)
    house.build(H13, H14, feed="plays")
    assert house.hours("bronze.plays") == house.hours("silver.plays") == {H13: 3, H14: 2}
    assert house.minutes() == {"Heron": 15, "Clock": 27, "Barge": 1}
    assert store.delivery_rows(house.tables, "bronze.plays") == {H13: 3, H14: 2}
    for name in ("bronze.plays", "silver.plays"):
        by = DeltaTable(store.location(house.tables, name)).metadata().partition_columns
        assert by == ["delivery_date", "delivery_hour"]

    files = store.delivery_files(house.tables, "silver.plays")
    house.land("plays", NEXT, played(("Heron", 100), ("Clock", 200)))
    house.build(NEXT, feed="plays")
    house.land("plays", H13, played(("Heron", 6), ("Clock", 8)))
    house.build(H13, feed="plays")
    now = store.delivery_files(house.tables, "silver.plays")
    assert now[H14] == files[H14] and now[H13] != files[H13] and set(now) == {H13, H14, NEXT}
    assert house.minutes() == {"Heron": 116, "Clock": 228}
    statuses = {key: house.delivery("plays", key).newest.status for key in (H13, H14, NEXT)}
    assert statuses == dict.fromkeys(statuses, Status.STANDING)
    assert set(house.life.dates) == {("plays", key) for key in (H13, H14, NEXT)}
    assert columns.read(house.tables, "plays").keys() == {H13, H14, NEXT}


def test_what_is_refused_of_an_hour_is_told_of_that_hour(house: Plays) -> None:
    house.land("plays", H13, FIRST)
    house.land("plays", H14, played(("Heron", 10), ("Clock", "long"), ("Barge", 3)))
    house.build(H13, H14, feed="plays")
    before = house.contents()
    house.land("plays", H13, GARBAGE)
    house.build(H13, feed="plays")
    assert house.contents() == before, "what stood of the hour stands"
    assert house.delivery("plays", H13).newest.status is Status.REFUSED
    assert house.delivery("plays", H14).newest.status is Status.STANDING

    found = [(row["table_name"], row["delivery_date"], row["raw"]) for row in quarantine.rows(house.tables)]
    assert [row[:2] for row in found] == [("bronze.plays", H13), ("silver.plays", H14)]
    assert found[1][2] == "Clock,long"
    (row,) = quarantine.rows(house.tables, quarantine.Selection(delivery=H14))
    assert quarantine.delivery_of(row) == ("plays", H14)
    assert quarantine.reopen(house.tables, quarantine.Selection(delivery=H13)) == {("plays", H13): 1}
    with pytest.raises(quarantine.SelectionError, match="write it as YYYY-MM-DD, or YYYY-MM-DDTHH"):
        quarantine.Selection(delivery=f"{DAY}T24").check()

    house.land("plays", H13, FIRST + "Mast,2\n")
    house.build(H13, feed="plays")
    assert [row["delivery_date"] for row in quarantine.rows(house.tables)] == [H14], "that of the other hour stays"
    assert house.hours("silver.plays") == {H13: 4, H14: 2}
    told = {(row["delivery_date"], row["delivery_hour"]) for row in house.rows(results.NAME) if row["delivery_date"]}
    assert told == {(date(2026, 11, 20), 13), (date(2026, 11, 20), 14)}


def test_a_gate_holds_one_hour_and_a_person_lets_it_pass(house: Plays) -> None:
    house.land("plays", H13, FIRST)
    house.land("plays", H14, played(("Heron", 10)))
    house.land("plays", NEXT, SECOND)
    house.build(H13, H14, NEXT, feed="plays")
    held = house.delivery("plays", H14).newest
    assert (held.status, held.table, held.rule) == (Status.HELD, "silver.play_hours", "enough")
    assert house.hours("silver.plays") == house.hours("bronze.plays") == {H13: 3, NEXT: 2}
    assert house.hours("silver.play_hours") == {H13: 1, H14: 1, NEXT: 1}
    decisions.accept(house.tables, "plays", H14, "a quiet hour", "ada")
    house.build(H14, feed="plays")
    assert house.hours("silver.plays") == {H13: 3, H14: 1, NEXT: 2}
    assert house.minutes() == {"Heron": 25, "Clock": 27, "Barge": 1}


def test_a_lake_without_attempts_is_read_hour_by_hour(house: Plays) -> None:
    house.land("plays", H13, FIRST)
    house.land("plays", H14, SECOND)
    house.build(H13, H14, feed="plays")
    found = store.read_arrow(house.tables, "bronze.plays", where=store.delivery_filter([H14]))
    assert found is not None and sorted(found["title"].to_pylist()) == ["Clock", "Heron"]
    assert store.delivery_condition([H13, DAY, H14]) == (
        f"(delivery_date IN (DATE'{DAY}') OR (delivery_date = DATE'{DAY}' AND delivery_hour IN (13, 14)))"
    )


def test_what_is_due_and_pending_is_told_by_the_hour(house: Plays) -> None:
    house.land("plays", H14, SECOND)
    house.land("plays", H13, FIRST)
    listing = list_landing(house.landing, house.sources)
    work = pending(listing, house.sources, house.life)
    assert [(piece.feed, piece.date) for piece in work] == [("plays", H13), ("plays", H14)]
    assert set(work[0].tables) == set(feed_tables("plays"))
    house.build(H13, feed="plays")
    work = pending(listing, house.sources, house.life)
    assert [piece.date for piece in work] == [H14]


# Landing


def test_a_folder_of_the_other_form_is_a_stray(house: Plays) -> None:
    house.land("plays", H13, FIRST)
    house.land("plays", DAY, FIRST)
    house.land("plays", f"{DAY}T24", FIRST)
    house.land("films", DAY, "title\nHeron\n")
    house.land("films", H13, "title\nHeron\n")
    found = list_landing(house.landing, house.sources)
    assert [(delivery.source, delivery.date) for delivery in found.deliveries] == [("films", DAY), ("plays", H13)]
    assert sorted(stray.removeprefix(f"{house.landing}/") for stray in found.strays) == [
        f"films/{H13}: a delivery of an hour, and this feed delivers by the day; rename the folder to YYYY-MM-DD",
        f"plays/{DAY}: a delivery of a day, and this feed delivers by the hour; rename the folder to YYYY-MM-DDTHH",
        f"plays/{DAY}T24: not a delivery date (YYYY-MM-DDTHH)",
    ]


def test_an_object_store_knows_hours_too(house: Plays) -> None:
    look = blobs._Found(LANDING, house.sources.sources)
    for key in (H13, DAY, NEXT):
        look.add(Stored(f"plays/{key}/x.csv", 3, datetime.now(UTC), "mark"))
    found = look.listing()
    assert [delivery.date for delivery in found.deliveries] == [H13, NEXT]
    assert found.strays == (f"{LANDING}/plays/{DAY}: {misdated(DAY, 'hour')}",)
    came = event(f"plays/{H13}/x.csv")
    assert touched(Message("1", "r", encoded(came), 1), LANDING, house.sources) == {("plays", H13)}
    with pytest.raises(Poison, match="this feed delivers by the hour"):
        touched(Message("1", "r", encoded(event(f"plays/{DAY}/x.csv")), 1), LANDING, house.sources)


def test_a_file_is_landed_under_a_key_of_its_feed(house: Plays, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(FIRST)
    hourly, daily = house.sources.sources["plays"], house.sources.sources["films"]
    assert land(house.landing, file, hourly, H13) == house.landing / "plays" / H13 / "x.csv"
    with pytest.raises(ValueError, match="this feed delivers by the hour; write YYYY-MM-DDTHH"):
        check_landing("x.csv", hourly, DAY)
    with pytest.raises(ValueError, match="this feed delivers by the day; write YYYY-MM-DD"):
        check_landing("x.csv", daily, H13)
    with pytest.raises(ValueError, match="write it as YYYY-MM-DDTHH"):
        check_landing("x.csv", hourly, f"{DAY}T7")
    assert misdated("1996-01-01T00", "hour")


def test_keys_are_written_in_one_way() -> None:
    wrong = (
        "T13",
        f"{DAY}T",
        f"{DAY}T7",
        f"{DAY}T24",
        f"{DAY}T-1",
        f"{DAY}T\u0661\u0663",
        f"{DAY}t13",
        f"{H13}:00",
        "",
    )
    assert [text for text in wrong if keys.is_key(text)] == []
    assert (
        keys.is_key(H13) and keys.is_key(H13, "hour") and not keys.is_key(H13, "day") and not keys.is_key(DAY, "hour")
    )
    assert keys.joined(*keys.parts(f"{DAY}T07")) == f"{DAY}T07"
    now = datetime(2026, 11, 20, 7, 59, tzinfo=UTC)
    assert (keys.at(now, "day"), keys.at(now, "hour")) == (DAY, f"{DAY}T07")


def test_the_mark_of_a_look_is_a_day() -> None:
    now = datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp()
    mark = Watermark.of(Listing((Delivery("plays", H13, ()), Delivery("plays", "2026-10-20T01", ()))), now)
    assert mark.since == "2026-10-20"
    assert mark.young == Listing((Delivery("plays", H13, ()), Delivery("plays", "2026-10-20T01", ()))).fingerprint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("every: hour", "every: week", "feeds.plays.every"),
        ("films: {feed: films,", "films: {every: hour, feed: films,", "how often films delivers: feeds.films.every"),
    ],
)
def test_how_often_a_feed_delivers_is_said_once(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(plays.YAML.replace(old, new))
    with pytest.raises(SourcesError, match=said):
        load_sources(path)


# Contracts


def test_tables_of_days_are_as_they_were() -> None:
    of_days = [found for found in TABLES.values() if found.feed != "viewing"]
    judged = [found for found in of_days if found.judged_by_delivery]
    assert judged and all(found.delivery_columns == ("delivery_date",) for found in judged)
    assert not any("delivery_hour" in found.column_names for found in of_days)
    assert TABLES["bronze.netflix_catalogue"].key == ("delivery_date", "source_file", "record_number")
    assert TABLES["bronze.netflix_catalogue"].delivery_key == "CAST(delivery_date AS STRING)"


def test_a_table_that_forgets_the_hour_is_refused_when_the_code_loads(house: Plays) -> None:
    @table(
        "silver.by_day",
        feed="plays",
        grain="one play",
        key=("delivery_date", "title"),
        columns=(plays.DELIVERY[0], Column("title", "string", "Name")),
        reads=("bronze.plays",),
        write="per_delivery",
    )
    def by_day(bronze: object) -> object:
        """Plays."""
        return bronze

    try:
        with pytest.raises(
            ContractError, match=r"silver\.by_day: .* by delivery_date, .*delivery_hour \(bronze\.plays\)"
        ):
            check()
    finally:
        del TABLES["silver.by_day"]


def test_a_table_of_days_does_not_become_one_of_hours_without_a_word(house: Plays) -> None:
    place = store.location(house.tables, "silver.plays")
    DeltaTable.create(place, pa.schema([("delivery_date", pa.date32())]), partition_by=["delivery_date"])
    with pytest.raises(ContractError, match="partitioned by delivery_date, the contract says"):
        store.evolve(house.tables, TABLES["silver.plays"])


# Dagster

IN_DAGSTER = """
import sys
from pathlib import Path
from netflix_dagster_tests.deliveries import plays
from netflix_dagster.landing.sources import load_sources
plays.declare(load_sources(Path(sys.argv[1]) / "plays.yaml"))
from netflix_dagster_tests.defs.house import House, checks, materialized
from netflix_dagster_tests.lakehouse import Lakehouse

house = House(Path(sys.argv[1]))
keys = sys.argv[2:]
house.instance.add_dynamic_partitions("plays_deliveries", keys)
for key in keys:
    result = house.execute(partition_key=key, job="plays_delivery")
    assert result.success
    print(sorted(t for t, p in materialized(result) if p == key), checks(result, "silver.plays").keys())
Lakehouse.land(house, "plays", keys[0], b"\\xff\\x00 no file")
result = house.execute(partition_key=keys[0], job="plays_delivery")
assert result.success and not materialized(result)
print("refused", [e.passed for e in checks(result, "bronze.plays").values() if e.check_name == "readable"])
"""


def test_dagster_builds_an_hour_as_a_partition(tmp_path: Path) -> None:
    house = Plays(tmp_path)
    sources = house.sources
    house.land("plays", H13, FIRST)
    house.land("plays", H14, SECOND)
    env = {**os.environ, "NETFLIX_SOURCES": str(tmp_path / "plays.yaml"), "DAGSTER_HOME": ""}
    run = subprocess.run(
        [sys.executable, "-c", IN_DAGSTER, str(tmp_path), H13, H14], env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert sources.feeds["plays"].every == "hour"
    assert run.stdout.count("silver.plays") >= 2 and "refused [False]" in run.stdout
    assert house.hours("bronze.plays") == house.hours("silver.plays") == {H13: 3, H14: 2}
    assert Life.read(house.tables).deliveries["plays", H13].newest.status is Status.REFUSED
