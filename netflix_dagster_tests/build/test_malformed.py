"""``malformed: {quarantine: share}`` from the landing folder to bronze: good records are taken, bad ones set aside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from netflix_dagster.build import conservation
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import attempts, decisions, quarantine
from netflix_dagster.deliveries.life import Status
from netflix_dagster.landing.sources import PACKAGED
from netflix_dagster.settings import Settings
from netflix_dagster_tests.build.door import BRONZE, SOURCES, Door, check
from netflix_dagster_tests.lakehouse import Lakehouse, as_csv, title

pytestmark = pytest.mark.usefixtures("spark")
DAY = "2020-01-01"
GOOD = [f"{n},Film {n}" for n in range(1, 20)]
LENIENT = SOURCES.format(policy="rescue") + "    malformed: {quarantine: 0.1}\n"


@pytest.fixture
def door(tmp_path: Path) -> Door:
    door = Door(tmp_path)
    door.say(LENIENT)
    return door


def file(lines: Sequence[str]) -> bytes:
    return "\n".join(["show_id,title", *lines, ""]).encode()


def test_bad_records_lie_in_the_quarantine_and_the_others_in_bronze(door: Door) -> None:
    door.land(DAY, file([*GOOD[:4], "20,too,many,fields", *GOOD[4:]]))
    outcome = door.take(DAY)[DAY]
    assert (outcome.held_back, outcome.rows, outcome.quarantined) == (None, 19, 1)
    assert check(outcome, "readable").passed and "1 set aside" in check(outcome, "readable").message
    proof = check(outcome, conservation.RULE)
    assert (proof.passed, proof.rows) == (True, 19)
    assert [row["record_number"] for row in door.rows()] == [n for n in range(1, 21) if n != 5]
    (bad,) = quarantine.rows(door.settings.lake)
    newest = door.life.deliveries["films", DAY].newest
    assert (bad["table_name"], bad["record_number"], bad["line_number"], bad["raw"]) == (
        BRONZE,
        5,
        6,
        "20,too,many,fields",
    )
    assert (bad["attempt"], bad["hints"] != [], newest.records) == (newest.fingerprint, True, 20)
    facts = attempts.facts(door.settings.lake, "films", DAY, newest.fingerprint)
    assert facts and (facts.records, facts.quarantined) == (20, 1)


def test_a_delivery_with_more_bad_records_than_may_be_is_refused_and_what_stood_stands(door: Door) -> None:
    door.land(DAY, file([*GOOD, "20,too,many,fields"]))
    door.take(DAY)
    before = door.rows()
    door.land(DAY, file([*GOOD, *(f"{n},too,many,fields" for n in range(20, 24))]))
    outcome = door.take(DAY)[DAY]
    assert outcome.held_back and outcome.rows == 0
    assert door.life.deliveries["films", DAY].newest.status is Status.REFUSED
    assert door.rows() == before
    refused = {row["attempt"]: row["record_number"] for row in quarantine.rows(door.settings.lake)}
    assert len(refused) == 2, "that of the attempt which stands stays told"


def test_a_mended_delivery_leaves_the_quarantine(door: Door) -> None:
    door.land(DAY, file([*GOOD, "20,too,many,fields"]))
    door.take(DAY)
    door.take(DAY, again=True)
    assert quarantine.count(door.settings.lake) == 1
    door.land(DAY, file([*GOOD, "20,Film 20"]))
    assert door.take(DAY)[DAY].quarantined == 0
    assert quarantine.count(door.settings.lake) == 0 and len(door.rows()) == 20


class Lenient(Lakehouse):
    """A lakehouse that sets malformed records of releases aside."""

    @property
    def settings(self) -> Settings:
        return Settings(landing=self.landing, lake=self.tables, sources=self.root / "sources.yaml")


JUDGED = [name for name, table in TABLES.items() if table.feed == "catalogue" and table.judged_by_delivery]
SHORT = "s99,Movie\r\n"


@pytest.fixture
def house(tmp_path: Path) -> Lenient:
    text, place = PACKAGED.read_text(), "  netflix_catalogue:\n"
    assert text.count(place) == 1
    found = Lenient(tmp_path)
    found.settings.sources.write_text(text.replace(place, f"{place}    malformed: {{quarantine: 0.2}}\n"))
    assert found.sources.sources["netflix_catalogue"].tolerated == 0.2
    return found


def test_what_was_set_aside_goes_when_a_person_accepts_another_attempt(house: Lenient) -> None:
    """The build after a decision receives nothing at the door."""
    house.land("netflix_catalogue", DAY, as_csv([title(n) for n in range(40)]))
    house.land("netflix_catalogue", "2020-02-01", as_csv([title(n) for n in range(40)]) + SHORT)
    house.build(DAY, "2020-02-01", only=JUDGED)
    house.land("netflix_catalogue", "2020-02-01", as_csv([title(n) for n in range(10)]) + SHORT)
    house.build("2020-02-01", only=JUDGED)
    bronze = "bronze.netflix_catalogue"
    assert {row["record_number"] for row in house.quarantined(bronze, "2020-02-01")} == {41, 11}, "the older stands"
    decisions.accept(house.tables, "netflix_catalogue", "2020-02-01", "a closed market", "ravik")
    house.build("2020-02-01", only=JUDGED)
    assert len(house.rows(bronze)) == 50
    assert [row["record_number"] for row in house.quarantined(bronze, "2020-02-01")] == [11]


def test_what_is_set_aside_at_the_door_is_no_row_that_silver_has_lost(house: Lenient) -> None:
    house.land("netflix_catalogue", DAY, as_csv([title(n) for n in range(8)]) + SHORT)
    reports = house.build(DAY, only=JUDGED)
    assert not any(report.held_back for report in reports.values())
    assert len(house.rows("bronze.netflix_catalogue")) == len(house.rows("silver.titles")) == 8
    for name in ("bronze.netflix_catalogue", "silver.titles"):
        (proof,) = [c for c in reports[name].outcome(DAY).checks if c.name == conservation.RULE]
        assert (proof.passed, proof.rows) == (True, 8), proof.message
    assert [row["record_number"] for row in house.quarantined("bronze.netflix_catalogue", DAY)] == [9]
