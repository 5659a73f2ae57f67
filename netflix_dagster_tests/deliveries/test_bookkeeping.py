"""The books: what was refused and why, how the rules fared, what columns looked like."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING, QUARANTINE, RESULTS, arrow_schema, as_arrow
from netflix_dagster.contracts.contract import Column, Contract, ContractError
from netflix_dagster.contracts.report import Check
from netflix_dagster.deliveries import columns, quarantine, refused, results
from netflix_dagster.deliveries.quarantine import Refused
from netflix_dagster.lake import books, store
from netflix_dagster.lake.query import query
from netflix_dagster_tests.examples import examples

ROW = Refused("silver.titles", "2020-01-01", "a.csv", 7, 8, "x", ("r1", "r2"), ("not r1", "not r2"), ("h1", "h2"))


def refuse(lake: Path, table: str, days: list[str], *rows: Refused) -> None:
    quarantine.replace(lake, table, rows, attempts=dict.fromkeys(days), run_id="run")


def test_every_book_is_there_before_anything_is_in_it(tmp_path: Path) -> None:
    books.create(tmp_path)
    for name, book in BOOKKEEPING.items():
        assert store.standing(tmp_path, name) == (0, 0)
        assert query(tmp_path, f"SELECT * FROM {name}").column_names == book.column_names
        written = store.read_arrow(tmp_path, name)
        assert written is not None and written.schema == arrow_schema(book)
        assert set(book.key) <= set(book.column_names) and len(set(book.column_names)) == len(book.columns)
        assert book.description and book.grain and all(column.description for column in book.columns)


def test_books_are_made_once_and_what_is_in_them_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], ROW)
    monkeypatch.setattr(books, "_MADE", set())
    books.create(tmp_path)
    assert (store.version(tmp_path, quarantine.NAME), quarantine.count(tmp_path)) == (1, 1)
    monkeypatch.setattr(store, "exists", lambda lake, name: pytest.fail("a process looks once for each lake"))
    books.create(tmp_path)


def test_a_book_that_was_never_written_reads_as_empty(tmp_path: Path) -> None:
    assert books.read(tmp_path, RESULTS).schema == arrow_schema(RESULTS)
    assert quarantine.rows(tmp_path) == quarantine.reasons(tmp_path) == [] and quarantine.count(tmp_path) == 0


def test_all_who_write_keep_the_schema_of_the_contract(tmp_path: Path) -> None:
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], ROW)
    check = Check("r1", "warn", "r1", 1, 2, "one row")
    results.record(
        tmp_path, results.rows_of(ROW.table_name, {"2020-01-01": [check], None: [check]}, "run", {"2020-01-01": "f1"})
    )
    columns.record(tmp_path, "netflix_titles", {"2020-01-01": [columns.Seen("a", "A", 1, "contract")]}, (), "run")
    for name in (quarantine.NAME, results.NAME, columns.NAME):
        written = store.read_arrow(tmp_path, name)
        assert written is not None and written.schema == arrow_schema(BOOKKEEPING[name])
    said = query(tmp_path, "SELECT CAST(delivery_date AS text) AS day, attempt FROM results ORDER BY 1").to_pylist()
    assert [(row["day"], row["attempt"]) for row in said] == [("2020-01-01", "f1"), (None, None)]


def test_results_of_an_older_lake_gain_the_attempt(tmp_path: Path) -> None:
    check = Check("r1", "warn", "r1", 1, 2, "one row")
    results.record(tmp_path, results.rows_of("silver.titles", {"2020-01-01": [check]}, "run"))
    old = store.read_arrow(tmp_path, results.NAME)
    assert old is not None
    lake = tmp_path / "old"
    store.write_arrow(lake, results.NAME, old.drop_columns(["attempt"]))
    results.record(lake, results.rows_of("silver.titles", {"2020-01-02": [check]}, "run", {"2020-01-02": "f2"}))
    assert books.read(lake, RESULTS).sort_by("delivery_date")["attempt"].to_pylist() == [None, "f2"]


def test_only_deliveries_that_stand_are_compared_with(tmp_path: Path) -> None:
    def note(day: str, measured: int, attempt: str | None) -> None:
        check = Check("rows", "warn", "", 0, 1, "", measured=measured)
        results.record(tmp_path, results.rows_of("silver.titles", {day: [check]}, "run", {day: attempt}))

    first, second, third = (f"2020-01-0{day}" for day in (1, 2, 3))
    note(first, 1, None)
    note(second, 2, "f1")
    note(second, 20, "held")
    note(third, 3, "withdrawn")
    stand = {first: {"f0"}, second: {"f1", "f1 with another cast"}}
    assert results.measured(tmp_path, "silver.titles", {"rows"}, stand) == {"rows": {first: 1, second: 2}}
    note(second, 22, "f1")
    assert results.measured(tmp_path, "silver.titles", {"rows"}, stand)["rows"][second] == 22, "the newest build"
    assert results.measured(tmp_path, "silver.titles", {"rows"}, {}) == {}


def test_what_a_contract_does_not_promise_is_not_written() -> None:
    with pytest.raises(ContractError, match=r"quality\.quarantine has no column colour; nothing was written"):
        as_arrow(QUARANTINE, [{"table_name": "silver.titles", "colour": "red"}])
    with pytest.raises(ContractError, match=r"quality\.quarantine: delivery_date, .* must not be null"):
        as_arrow(QUARANTINE, [{"table_name": "silver.titles"}])
    strange = Contract("quality.trial", "", "", (), (Column("price", "interval", ""),))
    with pytest.raises(ContractError, match=r"no Arrow type is known for price interval"):
        arrow_schema(strange)


def test_what_one_attempt_had_refused_stays_while_another_is_judged(tmp_path: Path) -> None:
    day, other_day = "2020-01-01", "2020-01-02"

    def judge(attempt: str | None, *records: int, keep: dict[str, list[str]] | None = None) -> set[tuple[Any, ...]]:
        rows = [replace(ROW, record_number=record, attempt=attempt) for record in records]
        attempts = {day: attempt}
        quarantine.replace(tmp_path, ROW.table_name, rows, attempts=attempts, keep=keep or {}, run_id="run")
        return {(row["attempt"], row["record_number"]) for row in quarantine.rows(tmp_path)}

    refuse(tmp_path, ROW.table_name, [other_day], replace(ROW, delivery_date=other_day, record_number=99))
    elsewhere = {(None, 99)}
    assert judge(None, 1) == elsewhere | {(None, 1)}, "a lake from before attempts were told apart"
    assert judge("f'1", 2, 3, keep={day: ["f'1"]}) == elsewhere | {("f'1", 2), ("f'1", 3)}
    assert judge("f2", 4, keep={day: ["f'1"]}) == elsewhere | {("f'1", 2), ("f'1", 3), ("f2", 4)}
    assert judge("f2", keep={day: ["f'1", "f2"]}) == elsewhere | {("f'1", 2), ("f'1", 3)}
    assert judge("f3", 5, keep={day: ["f3"]}) == elsewhere | {("f3", 5)}, "nobody needs the first attempt any more"


def test_a_row_of_an_attempt_that_is_not_judged_is_a_fault_of_the_code(tmp_path: Path) -> None:
    for row in (replace(ROW, attempt="f2"), replace(ROW, delivery_date="2020-01-09", attempt="f1")):
        with pytest.raises(ContractError, match="which it does not judge; nothing was written"):
            quarantine.replace(tmp_path, ROW.table_name, [row], attempts={"2020-01-01": "f1"}, run_id="run")
    assert quarantine.count(tmp_path) == 0


def test_of_many_rows_that_break_a_rule_the_first_are_kept_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused.capped, "__defaults__", ("rules", 3))
    one = replace(ROW, rules=("r1",), reasons=("not r1",), hints=("h1",))
    rows = [replace(one if record % 2 else ROW, record_number=record) for record in range(20, 0, -1)]
    rows += [replace(ROW, source_file="b.csv"), replace(ROW, source_file=None, record_number=None)]
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], *rows)
    found = [(row["source_file"], row["record_number"], row["refused_rows"]) for row in quarantine.rows(tmp_path)]
    assert found == [
        (None, None, 1),
        *(("a.csv", record, 1) for record in (1, 2, 3, 4)),
        ("a.csv", 5, 8),  # the others that break r1 alone
        ("a.csv", 6, 1),  # the third that breaks r2
        ("a.csv", 8, 7),  # the others that break both
        ("b.csv", 7, 1),
    ], "the first three of each rule, and of the others the first of each kind"
    assert quarantine.count(tmp_path) == 22 > store.row_count(tmp_path, quarantine.NAME)
    assert [(r["rule"], r["rows"]) for r in quarantine.reasons(tmp_path)] == [("r1", 22), ("r2", 12)]
    listed = quarantine.listed(tmp_path)
    assert quarantine.tallied(listed.to_pylist()) == quarantine.reasons(tmp_path)
    held = store.read_arrow(tmp_path, quarantine.NAME)
    assert held is not None
    assert refused.capped(held).sort_by("record_number").equals(held.sort_by("record_number")), "nothing changes"


@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([["r1"], ["r2"], ["r1", "r2"]])), max_size=30),
    shuffled=st.randoms(use_true_random=False),
    size=st.integers(1, 9),
)
@settings(max_examples=examples(20), deadline=None)
def test_rows_that_come_piece_by_piece_are_capped_as_those_that_come_at_once(
    rows: list[tuple[str, list[str]]], shuffled: random.Random, size: int
) -> None:
    numbered = [
        {"delivery_date": "d", "source_file": file, "record_number": n, "rules": rules, "refused_rows": 1}
        for n, (file, rules) in enumerate(rows)
    ]
    shuffled.shuffle(numbered)
    schema = pa.schema({"delivery_date": pa.string(), "source_file": pa.string(), "record_number": pa.int64()})
    schema = schema.append(pa.field("rules", pa.list_(pa.string()))).append(pa.field("refused_rows", pa.int64()))
    whole = pa.Table.from_pylist(numbered, schema)
    kept = whole.slice(0, 0)
    for start in range(0, whole.num_rows, size):
        kept = refused.capped(pa.concat_tables([kept, whole.slice(start, size)]), most=3)
    order = [("source_file", "ascending"), ("record_number", "ascending")]
    assert kept.sort_by(order).to_pylist() == refused.capped(whole, most=3).sort_by(order).to_pylist()


def test_what_stayed_is_counted_although_only_some_rows_are_kept() -> None:
    def refused_rows(*records: int, most: int = 4) -> list[dict[str, Any]]:
        said = {"table_name": "silver.titles", "delivery_date": "2020-01-01", "source_file": "a.csv", "rules": ["r1"]}
        rows = [{**said, "record_number": record, "refused_rows": 1} for record in records[: most + 1]]
        rows[-1]["refused_rows"] += max(0, len(records) - most - 1)
        return rows

    def stayed(before: range, after: range) -> int:
        return quarantine.size(quarantine.stayed(refused_rows(*before), refused_rows(*after)))

    every = range(1, 21)
    assert quarantine.size(refused_rows(*every)) == stayed(every, every) == 20
    assert stayed(every, range(4, 21)) == 17, "the first are mended, and others are kept in their place"
    assert stayed(range(4, 21), every) == 17, "and back"
    assert stayed(every, range(18, 21)) == 3 and stayed(range(1, 4), every) == 3
    assert quarantine.stayed(refused_rows(*every), refused_rows(21)) != [], "one that was only counted may be any"
    assert quarantine.stayed(refused_rows(1, 2), refused_rows(3)) == []


def test_a_table_without_files_is_capped_by_delivery() -> None:
    days = [f"2020-01-0{day}" for day in (1, 2) for _ in range(5)]
    rows = pa.table({"delivery_date": days, "_broken": [["r1"]] * 10})
    kept = refused.capped(rows, rules="_broken", most=2)
    assert kept["refused_rows"].to_pylist() == [1, 1, 3, 1, 1, 3]


def test_a_refused_row_says_everything(tmp_path: Path) -> None:
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], ROW)
    (found,) = query(tmp_path, "SELECT * FROM quarantine").to_pylist()
    assert found["rules"] == ["r1", "r2"] and found["hints"] == ["h1", "h2"] and found["record_number"] == 7
    assert [(r["rule"], r["rows"]) for r in quarantine.reasons(tmp_path)] == [("r1", 1), ("r2", 1)]


def test_building_again_replaces_what_that_table_refused_of_that_delivery(tmp_path: Path) -> None:
    other_day, other_table = replace(ROW, delivery_date="2020-01-02"), replace(ROW, table_name="silver.title_cast")
    refuse(tmp_path, "silver.titles", ["2020-01-01", "2020-01-02"], ROW, other_day)
    refuse(tmp_path, "silver.title_cast", ["2020-01-01"], other_table)
    refuse(tmp_path, "silver.titles", ["2020-01-01"])
    left = query(
        tmp_path, "SELECT table_name, CAST(delivery_date AS text) AS day FROM quarantine ORDER BY ALL"
    ).to_pylist()
    assert [(r["table_name"], r["day"]) for r in left] == [
        ("silver.title_cast", "2020-01-01"),
        ("silver.titles", "2020-01-02"),
    ]


def test_nothing_refused_writes_nothing(tmp_path: Path) -> None:
    refuse(tmp_path, "silver.titles", ["2020-01-01"])
    assert quarantine.count(tmp_path) == 0 and store.version(tmp_path, quarantine.NAME) == 0


def test_an_older_quarantine_goes_on_with_the_new_columns(tmp_path: Path) -> None:
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], ROW)
    old = store.read_arrow(tmp_path, quarantine.NAME)
    assert old is not None
    lake = tmp_path / "old"
    store.write_arrow(lake, quarantine.NAME, old.drop_columns(["source", "row", "attempt", "refused_rows"]))
    (found,) = quarantine.rows(lake)
    assert (found["source"], found["row"], found["raw"]) == (None, None, "x")
    assert (found["attempt"], found["refused_rows"], quarantine.count(lake)) == (None, 1, 1)
    assert quarantine.reasons(lake) == quarantine.reasons(tmp_path)
    other = replace(ROW, delivery_date="2020-01-02", source="netflix_titles", row="{}")
    refuse(lake, ROW.table_name, ["2020-01-02"], other)
    assert [(row["source"], row["row"]) for row in quarantine.rows(lake)] == [(None, None), ("netflix_titles", "{}")]
    refuse(lake, ROW.table_name, ["2020-01-01"])
    assert [row["delivery_date"] for row in quarantine.rows(lake)] == ["2020-01-02"]


def test_rows_are_chosen_and_keep_their_numbers(tmp_path: Path) -> None:
    file = Refused("bronze.netflix_cast", "2019-01-01", "c.csv", None, None, None, ("empty",), ("it is",), ("land it",))
    alone = replace(ROW, record_number=3, rules=("r1",), reasons=("not r1",), hints=("h1",))
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], ROW, alone)
    refuse(tmp_path, file.table_name, ["2019-01-01"], file)
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
    long = replace(ROW, raw="x" * (refused.MOST_RAW + 7))
    refuse(tmp_path, ROW.table_name, ["2020-01-01"], long)
    assert quarantine.rows(tmp_path)[0]["raw"].endswith("x… (7 characters more: see the file)")
