"""A bad delivery is refused with a reason and harms nothing; mended, it passes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import feed_tables, touched_tables, upstream_of
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.deliveries.life import Status
from netflix_dagster.lake import store
from netflix_dagster_tests.defs.conftest import FIRST, SECOND, SPLIT
from netflix_dagster_tests.defs.house import PARTITIONS, House, checks, failures, materialized
from netflix_dagster_tests.lakehouse import as_csv, title

CATALOGUE = "bronze.netflix_catalogue"
CHAIN = touched_tables("catalogue", ["netflix_catalogue"])
CHANGE = "gold.fact_catalogue_change"
LATER = "2020-03-01"
SHORT = [CATALOGUE, "silver.titles", "silver.title_cast", "silver.releases", "gold.dim_rating"]
"""Enough of the chain: what the door refuses reaches none of it."""


def lacks_columns(path: Path) -> None:
    path.write_text(as_csv({k: v for k, v in title(n).items() if k not in ("rating", "title")} for n in (1, 2)))


def has_an_extra_field(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], lines[2] + ",and more", *lines[3:]]) + "\n")


def is_cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def is_not_utf8(path: Path) -> None:
    path.write_bytes(path.read_text().replace("Oskwith 3", "Oskwïth 3").encode("latin-1"))


def is_empty(path: Path) -> None:
    path.write_bytes(b"")


def is_a_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><head><title>301 Moved Permanently</title></head></html>")


def is_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def is_a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere.csv"))


BAD: dict[Callable[[Path], None], str] = {
    lacks_columns: "missing columns: title, rating",
    has_an_extra_field: "record 2 (line 3) has 13 fields where the header has 12",
    is_cut_short: "the file ends inside the quotes of record 5 (line 6): it was cut short",
    is_not_utf8: "the file is not UTF-8: byte 0xef in line 4",
    is_empty: "the file is empty",
    is_a_page: "the file is an HTML page (301 Moved Permanently), not data",
    is_a_directory: "is a directory where a file should be",
    is_a_dangling_link: "cannot be read: No such file or directory",
}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def test_deliveries_are_refused_for_what_is_wrong_with_their_file(built: House) -> None:
    """Each date has another fault; all are built by one run, as are the files that mend them."""
    days = {f"2020-02-{20 + n}": (spoil, reason) for n, (spoil, reason) in enumerate(BAD.items())}
    first, last = min(days), max(days)
    for day in days:
        built.release(day, title(1), title(2, rating="TV-MA"), *map(title, (3, 5, 6)))
    assert built.run(first, last, only=SHORT).success
    tables, versions = built.contents(), built.versions()
    paths = {day: built.landing / "netflix_catalogue" / day / "file.csv" for day in days}
    good = {day: path.read_bytes() for day, path in paths.items()}
    for day, (spoil, _) in days.items():
        spoil(paths[day])

    result = built.run(first, last, only=SHORT)
    assert result.success, "to be refused is an outcome, not a failure of the run"
    assert materialized(result) == {}
    for day, (spoil, reason) in days.items():
        case = f"a file that {spoil.__name__}"
        check = checks(result, CATALOGUE)["readable", day]
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR), case
        assert reason in (check.description or ""), case
        refused = built.quarantined(CATALOGUE, day)
        assert any(reason in said for row in refused for said in row["reasons"]), case
        assert all(row["hints"] for row in refused), case
        delivery = built.delivery("netflix_catalogue", day)
        assert delivery.newest.status is Status.REFUSED and delivery.standing is not None, case
        assert reason in delivery.newest.why, case
    red = {found.asset_key for found in result.get_asset_check_evaluations() if not found.passed}
    assert red == {asset_key(CATALOGUE)}, "what stands behind it is as good as it was"
    assert built.versions() == versions
    assert built.contents() == tables

    built.release(LATER, title(1), title(8, rating="R"))
    assert built.run(LATER, only=SHORT).success
    later = built.contents()
    assert later[CATALOGUE] != tables[CATALOGUE]
    assert {row["show_id"] for row in built.rows("silver.titles") if row["delivery_date"].isoformat() == LATER} == {
        "s1",
        "s8",
    }

    for day, path in paths.items():
        remove(path)
        path.write_bytes(good[day])
    assert built.run(first, last, only=SHORT).success
    for day, (spoil, _) in days.items():
        assert built.delivery("netflix_catalogue", day).newest.status is Status.STANDING, spoil.__name__
        assert built.quarantined(CATALOGUE, day) == [], spoil.__name__
    assert built.contents() == later


def test_a_mended_delivery_reaches_gold_as_if_nothing_had_been(original: House, house: House) -> None:
    shutil.copytree(original.landing, house.landing)
    house.instance.add_dynamic_partitions(PARTITIONS, [FIRST, SECOND, SPLIT])
    path = house.landing / "netflix_catalogue" / SECOND / "file.csv"
    good = path.read_bytes()
    is_not_utf8(path)
    assert house.run(
        FIRST, SPLIT, only=[name for name in feed_tables("catalogue") if TABLES[name].layer != "gold"]
    ).success
    assert house.contents("silver") != original.contents("silver")
    path.write_bytes(good)
    assert house.run(SECOND).success
    assert house.contents("silver", "gold") == original.contents("silver", "gold")


def test_one_bad_delivery_of_a_range_does_not_stop_the_others(house: House) -> None:
    house.release(FIRST, title(1), title(2))
    house.land("netflix_catalogue", SECOND, "null")
    house.release(LATER, title(1), title(3))
    result = house.run(FIRST, LATER, only=[name for name in CHAIN if name in upstream_of([CHANGE])])

    readable = {day: check.passed for (name, day), check in checks(result, CATALOGUE).items() if name == "readable"}
    assert readable == {FIRST: True, SECOND: False, LATER: True}
    assert checks(result, CATALOGUE)["readable", SECOND].severity == dg.AssetCheckSeverity.ERROR
    assert "there is no data" in (checks(result, CATALOGUE)["readable", SECOND].description or "")
    assert {row["delivery_date"].isoformat() for row in house.rows("silver.titles")} == {FIRST, LATER}
    assert {row["release_date"].isoformat() for row in house.rows(CHANGE)} == {FIRST, LATER}
    assert materialized(result)[CATALOGUE, SECOND].metadata["held_back"].value
    status = {day: house.delivery("netflix_catalogue", day).newest.status for day in (FIRST, SECOND, LATER)}
    assert status == {FIRST: Status.STANDING, SECOND: Status.REFUSED, LATER: Status.STANDING}


def test_a_range_of_bad_deliveries_alone_changes_nothing_and_tells_of_each(built: House) -> None:
    tables = built.contents()
    for day in (FIRST, SECOND):
        built.land("netflix_catalogue", day, "null")
    result = built.run(FIRST, SECOND, only=CHAIN)
    assert result.success and materialized(result) == {}
    assert [key for key, check in checks(result, CATALOGUE).items() if not check.passed] == [
        ("readable", FIRST),
        ("readable", SECOND),
    ]
    assert built.contents() == tables


def test_a_bad_file_of_a_split_delivery_is_as_one_that_has_not_landed(built: House) -> None:
    built.split(SPLIT, title(1), title(2), title(5))
    built.land("netflix_cast", SPLIT, "cast\r\nOdalys Kestrelli\r\n")
    before = built.contents()
    result = built.run(SPLIT)
    assert result.success
    after = built.contents()
    assert after["bronze.netflix_cast"] == before["bronze.netflix_cast"], "the cast of before goes on standing"
    assert {"silver.titles", "silver.title_genres", "gold.dim_title"} <= {n for n in after if after[n] != before[n]}
    check = checks(result, "bronze.netflix_cast")["readable", SPLIT]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert materialized(result)["bronze.netflix_cast", SPLIT].metadata["held_back"].value


def test_a_delivery_of_which_most_rows_would_be_refused_is_in_no_table(built: House) -> None:
    tables, versions = built.contents(), built.versions()
    built.release(SECOND, *(title(n, release_year="soon") for n in (1, 2, 3)), title(5), title(6))
    result = built.run(SECOND)
    assert result.success and materialized(result) == {}
    assert built.contents() == tables and built.versions() == versions
    check = checks(result, "silver.titles")["mostly_kept", SECOND]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    newest = built.delivery("netflix_catalogue", SECOND).newest
    assert (newest.status, newest.table, newest.rule) == (Status.HELD, "silver.titles", "mostly_kept")
    assert newest.why == "silver.titles: 3 of 5 rows would be refused, most of them by release_year_not_null"
    held = [row for row in built.quarantined("silver.titles", SECOND) if "release_year_not_null" in row["rules"]]
    assert len(held) == 3


def test_a_partition_that_is_no_date_is_refused_in_words(house: House) -> None:
    """The UI lets anybody add one; what it says is safe is so, and the first table fails for all."""
    house.instance.add_dynamic_partitions("catalogue_deliveries", ["hello"])
    result = house.run("hello")
    assert not result.success and not store.exists(house.tables, "quality.deliveries")
    assert all("hello is no delivery date: partitions are written YYYY-MM-DD" in said for said in failures(result))
    assert not materialized(result)
