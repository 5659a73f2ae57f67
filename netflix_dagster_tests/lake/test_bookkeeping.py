"""The quarantine and the ledger: what was refused and why, what became of each delivery, what is still to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from netflix_dagster.deliveries import ledger, quarantine
from netflix_dagster.deliveries.ledger import Entry
from netflix_dagster.deliveries.pending import pending
from netflix_dagster.deliveries.quarantine import Refused
from netflix_dagster.lake import store
from netflix_dagster.lake.query import query
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources

ROW = Refused("silver.titles", "2020-01-01", "a.csv", 7, 8, "x", ("r1", "r2"), ("not r1", "not r2"), ("h1", "h2"))
ENTRY = Entry("catalogue", "netflix_catalogue", "2020-01-01", "f1", "accepted", None, 1, 10, 3, "run")


def test_a_refused_row_says_everything(tmp_path: Path) -> None:
    quarantine.replace(tmp_path, ROW.table_name, ["2020-01-01"], [ROW], "run")
    (found,) = query(tmp_path, "SELECT * FROM quarantine").to_pylist()
    assert found["rules"] == ["r1", "r2"] and found["hints"] == ["h1", "h2"] and found["record_number"] == 7
    assert [(r["rule"], r["rows"]) for r in quarantine.reasons(tmp_path)] == [("r1", 1), ("r2", 1)]


def test_building_again_replaces_what_that_table_refused_of_that_delivery(tmp_path: Path) -> None:
    other_day, other_table = replace(ROW, delivery_date="2020-01-02"), replace(ROW, table_name="silver.title_cast")
    quarantine.replace(tmp_path, "silver.titles", ["2020-01-01", "2020-01-02"], [ROW, other_day], "run")
    quarantine.replace(tmp_path, "silver.title_cast", ["2020-01-01"], [other_table], "run")
    quarantine.replace(tmp_path, "silver.titles", ["2020-01-01"], [], "run")
    left = query(
        tmp_path, "SELECT table_name, CAST(delivery_date AS text) AS day FROM quarantine ORDER BY ALL"
    ).to_pylist()
    assert [(r["table_name"], r["day"]) for r in left] == [
        ("silver.title_cast", "2020-01-01"),
        ("silver.titles", "2020-01-02"),
    ]


def test_nothing_refused_writes_nothing(tmp_path: Path) -> None:
    quarantine.replace(tmp_path, "silver.titles", ["2020-01-01"], [], "run")
    assert quarantine.count(tmp_path) == 0 and not (tmp_path / "quality").exists()


def test_an_older_quarantine_goes_on_with_the_new_columns(tmp_path: Path) -> None:
    quarantine.replace(tmp_path, ROW.table_name, ["2020-01-01"], [ROW], "run")
    old = store.read_arrow(tmp_path, quarantine.NAME)
    assert old is not None
    lake = tmp_path / "old"
    store.write_arrow(lake, quarantine.NAME, old.drop_columns(["source", "row"]))
    (found,) = quarantine.rows(lake)
    assert (found["source"], found["row"], found["raw"]) == (None, None, "x")
    other = replace(ROW, delivery_date="2020-01-02", source="netflix_titles", row="{}")
    quarantine.replace(lake, ROW.table_name, ["2020-01-02"], [other], "run")
    assert [(row["source"], row["row"]) for row in quarantine.rows(lake)] == [(None, None), ("netflix_titles", "{}")]
    quarantine.replace(lake, ROW.table_name, ["2020-01-01"], [], "run")
    assert [row["delivery_date"] for row in quarantine.rows(lake)] == ["2020-01-02"]


def test_rows_are_chosen_and_keep_their_numbers(tmp_path: Path) -> None:
    file = Refused("bronze.netflix_cast", "2019-01-01", "c.csv", None, None, None, ("empty",), ("it is",), ("land it",))
    quarantine.replace(
        tmp_path, ROW.table_name, ["2020-01-01"], [ROW, replace(ROW, record_number=3, rules=("r1",))], ""
    )
    quarantine.replace(tmp_path, file.table_name, ["2019-01-01"], [file], "")
    assert [(row["number"], row["record_number"], row["source"]) for row in quarantine.rows(tmp_path)] == [
        (1, None, "netflix_cast"),
        (2, 3, None),
        (3, 7, None),
    ]

    def chosen(**wanted: Any) -> list[int]:
        return [row["number"] for row in quarantine.rows(tmp_path, quarantine.Selection(**wanted))]

    assert chosen(table="silver.titles") == [2, 3] and chosen(rule="r2") == [3] and chosen(delivery="2019-01-01") == [1]
    assert chosen(table="silver.titles", record=3, file="a.csv") == [2] and chosen(file="c.csv", record=3) == []


def test_a_raw_text_that_is_cut_says_so(tmp_path: Path) -> None:
    long = replace(ROW, raw="x" * (quarantine.MOST_RAW + 7))
    quarantine.replace(tmp_path, ROW.table_name, ["2020-01-01"], [long], "run")
    assert quarantine.rows(tmp_path)[0]["raw"].endswith("x… (7 characters more: see the file)")


def test_the_latest_entry_is_the_state_and_attempts_are_counted(tmp_path: Path) -> None:
    ledger.record(tmp_path, [ENTRY])
    ledger.record(tmp_path, [replace(ENTRY, fingerprint="f2", status="refused", reason="empty")])
    state = ledger.latest(tmp_path)["netflix_catalogue", "2020-01-01"]
    assert (state.fingerprint, state.status, state.reason, state.attempt) == ("f2", "refused", "empty", 2)


def test_a_table_holds_back_accepted_deliveries_and_lets_them_go_again(tmp_path: Path) -> None:
    refused = replace(ENTRY, source="netflix_cast", status="refused", reason="empty")
    other = replace(ENTRY, delivery_date="2020-01-02")
    ledger.record(tmp_path, [ENTRY, refused, other])
    ledger.judge(tmp_path, "catalogue", "silver.titles", {"2020-01-01": "too few", "2020-01-02": None}, "run2")
    state = {key: (entry.status, entry.reason) for key, entry in ledger.latest(tmp_path).items()}
    assert state == {
        ("netflix_catalogue", "2020-01-01"): ("blocked", "silver.titles: too few"),
        ("netflix_cast", "2020-01-01"): ("refused", "empty"),
        ("netflix_catalogue", "2020-01-02"): ("accepted", None),
    }
    ledger.judge(tmp_path, "catalogue", "silver.title_cast", {"2020-01-01": None}, "run3")
    assert ledger.latest(tmp_path)["netflix_catalogue", "2020-01-01"].status == "blocked"
    ledger.judge(tmp_path, "catalogue", "silver.titles", {"2020-01-01": None}, "run4")
    assert ledger.latest(tmp_path)["netflix_catalogue", "2020-01-01"].status == "accepted"


def test_what_is_pending(tmp_path: Path) -> None:
    sources = load_sources()
    for day in ("2020-01-02", "2020-01-01"):
        folder = tmp_path / "netflix_catalogue" / day
        folder.mkdir(parents=True)
        (folder / "t.csv").write_text(day)
    listing = list_landing(tmp_path, sources)
    new = pending(listing, sources, {})
    assert [(p.feed, p.date, p.sources) for p in new] == [
        ("catalogue", "2020-01-01", ("netflix_catalogue",)),
        ("catalogue", "2020-01-02", ("netflix_catalogue",)),
    ]
    first, second = listing.deliveries
    seen = {(first.source, first.date): replace(ENTRY, fingerprint=first.fingerprint)}
    assert [p.date for p in pending(listing, sources, seen)] == [second.date]
    assert [p.date for p in pending(listing, sources, seen, lambda feed, date: True)] == [first.date, second.date]
    refused = {key: replace(entry, status="refused") for key, entry in seen.items()}
    assert [p.date for p in pending(listing, sources, refused, lambda feed, date: True)] == [second.date]
    (tmp_path / "netflix_catalogue" / "2020-01-01" / "t.csv").write_text("mended")
    assert [p.date for p in pending(list_landing(tmp_path, sources), sources, refused)] == [first.date, second.date]
