"""Silver tables that sources.yaml says: typed, keyed, judged, quarantined, and no record lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from netflix_dagster import tables
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.files.kinds import DATES, DAY_FIRST, MONTH_FIRST
from netflix_dagster.landing.sources import PACKAGED, Source, SourcesError, load_sources
from netflix_dagster.settings import get_settings
from netflix_dagster.tables.typed import reader
from netflix_dagster_tests.lakehouse import Lakehouse

PETS = """
  pets:
    feed: pets
    form: whole
    description: The pets of the house
    separator: ";"
    columns:
      order: {description: "Number, with the name of a word of SQL"}
      name: {description: "What it is called"}
      born: {description: "Day of birth", required: false}
      weight: {description: "Kilograms, with a comma", required: false}
      tame: {description: "Whether it is", required: false}
      seen: {description: "When it was seen last", required: false}
      likes: {description: "What it likes", required: false}
    silver:
      grain: one pet
      key: [order]
      types: {order: bigint, born: date, weight: double, tame: boolean, seen: timestamp, likes: array<string>}
      formats: {born: ["30/9/2019"], weight: ["decimal comma"]}
      separators: {likes: "|"}
      nulls: ["n/a"]
      rules:
        - {column: order, required: true, on_fail: drop}
        - {column: weight, between: [0, 100]}
        - {column: born, between: [2000-01-01, 2099-12-31], on_fail: drop}
        - {column: name, one_of: [Rex, "O'Malley", Mimi]}
        - {column: name, matches: "^[A-Z].*$", on_fail: warn}
"""
HEADER = "order;name;born;weight;tame;seen;likes\n"


def sources_with(entry: str, folder: Path) -> Path:
    path = folder / "sources.yaml"
    feed = "feeds:\n  pets: {description: Pets, expected_every_days: 7}\n"
    path.write_text(PACKAGED.read_text().replace("feeds:\n", feed, 1).rstrip() + "\n" + entry)
    return path


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lakehouse]:
    path = sources_with(PETS, tmp_path)
    monkeypatch.setenv("NETFLIX_SOURCES", str(path))
    get_settings.cache_clear()
    tables.declare(load_sources(path))
    yield Lakehouse(tmp_path)
    monkeypatch.undo()
    get_settings.cache_clear()
    tables.declare(load_sources())


def test_a_source_of_data_alone_has_a_silver_table_that_keeps_what_all_tables_promise(
    house: Lakehouse, spark: SparkSession
) -> None:
    good = [
        "1;Rex;1/2/2020;12,5;yes;2024-05-06 10:00:00;bones|sticks",
        "2;O'Malley;;;no;2024-05-06T10:00:00+02:00;",
        "3;Mimi;31/12/2019;n/a;N/A;;milk",
        "4;Tiger;;250;;;",
    ]
    bad = ["five;Rex;;;;;", "6;Rex;2020-01-02;;;;", ";Rex;;;;;", "1;Other;;;;;", "7;Rex;1/1/1990;;;;", "8;Rex;;1.5;;;"]
    house.land(
        "pets", "2024-05-06", HEADER + "\n".join([*good, *bad, good[0], *[f"{n};Rex;;;;;" for n in range(10, 20)]])
    )
    reports = house.build("2024-05-06", feed="pets")
    assert list(reports) == ["bronze.pets", "silver.pets"]
    rows = {row["order"]: row for row in house.rows("silver.pets")}
    assert sorted(rows) == [1, 2, 3, 4, *range(10, 20)]
    assert rows[1] | {"record_number": 0, "source_file": ""} == {
        "delivery_date": date(2024, 5, 6), "order": 1, "name": "Rex", "born": date(2020, 2, 1), "weight": 12.5,
        "tame": True, "seen": datetime(2024, 5, 6, 10, tzinfo=UTC), "likes": ["bones", "sticks"],
        "source_file": "", "record_number": 0,
    }  # fmt: skip
    assert (rows[2]["seen"], rows[2]["tame"], rows[3]["weight"]) == (datetime(2024, 5, 6, 8, tzinfo=UTC), False, None)
    refused = {
        json.loads(row["row"])["record_number"]: row["rules"] for row in house.quarantined("silver.pets", "2024-05-06")
    }
    assert refused == {
        5: ["order_readable", "order_not_null"],
        6: ["born_readable"],
        7: ["order_not_null"],
        8: ["unique_key"],
        9: ["born_plausible"],
        10: ["weight_readable"],
    }
    (outcome,) = reports["silver.pets"].outcomes.values()
    checks = {check.name: check for check in outcome.checks}
    assert not outcome.held_back and all(check.passed for name, check in checks.items() if "conserved" in name)
    assert any("conserved" in name for name in checks) and not checks["weight_plausible"].passed
    assert not checks["name_known"].passed


def test_its_lineage_and_its_place_among_the_tables_are_those_of_any_other(house: Lakehouse) -> None:
    from netflix_dagster.contracts.graph import feed_tables, sources_of
    from netflix_dagster.serving.dictionary import render

    table = TABLES["silver.pets"]
    assert table.column_sources(table.columns[1]) == [("bronze.pets", "order")]
    assert feed_tables("pets") == ["bronze.pets", "silver.pets"] and sources_of("silver.pets") == ("pets",)
    assert "silver.pets" in render(house.sources) and "one pet" in render(house.sources)
    for old, new in (("between: [0, 100]", "between: [0, 300]"), ('nulls: ["n/a"]', "nulls: []"), ("30/9", "9/30")):
        changed = house.root / "other.yaml"
        changed.write_text((house.root / "sources.yaml").read_text().replace(old, new))
        tables.declare(load_sources(changed))
        assert TABLES["silver.pets"].code_version != table.code_version
    tables.declare(load_sources())
    assert "silver.pets" not in TABLES


@pytest.mark.parametrize(
    "wrong, match",
    [
        ({"key": ["none"]}, r"silver\.key: there is no column 'none'"),
        ({"types": {"name": "text"}}, r"silver\.types\.name"),
        ({"rules": [{"column": "name"}]}, "say one of required"),
        ({"rules": [{"column": "name", "between": [1, 2]}]}, "which cannot be between"),
        ({"rules": [{"column": "name", "matches": "("}]}, "no regular expression"),
        ({"types": {"likes": "array<string>"}, "key": ["likes"]}, "lists tell no rows apart"),
    ],
)
def test_a_wrong_section_is_refused_with_its_line(wrong: dict[str, Any], match: str, tmp_path: Path) -> None:
    head, _, _ = PETS.partition("    silver:")
    path = sources_with(f"{head}    silver: {json.dumps(wrong)}\n", tmp_path)
    with pytest.raises(SourcesError, match=rf"sources\.yaml:\d+: .*{match}"):
        load_sources(path)


def test_a_table_that_code_declares_cannot_be_said_in_data_too() -> None:
    sources = load_sources()
    said = Source.model_validate({**sources.sources["top10_global"].model_dump(), "silver": {}})
    before = dict(TABLES)
    with pytest.raises(ContractError, match=r"silver\.top10_global: code declares this table"):
        tables.declare(sources.model_copy(update={"sources": {**sources.sources, "top10_global": said}}))
    assert before == TABLES


@given(st.dates(min_value=date(1000, 1, 1)), st.sampled_from([*DATES, MONTH_FIRST, DAY_FIRST]))
def test_a_day_is_read_back_in_the_format_that_was_agreed_on_and_in_no_other(day: date, form: str) -> None:
    month, number = f"{day:%B}", day.day
    written = {
        "2019-09-30": day.isoformat(), "September 30, 2019": f"{month} {number}, {day.year}",
        "30 September 2019": f"{number} {month} {day.year}", "30-Sep-2019": f"{number}-{month[:3]}-{day.year}",
        "30.9.2019": f"{number}.{day.month}.{day.year}", "2019/09/30": f"{day.year}/{day.month}/{number}",
        "30-9-2019": f"{number}-{day.month}-{day.year}", "20190930": f"{day:%Y%m%d}",
        MONTH_FIRST: f"{day.month}/{number}/{day.year}", DAY_FIRST: f"{number}/{day.month}/{day.year}",
    }[form]  # fmt: skip
    if (form == "20190930" and not 1900 <= day.year < 2100) or not 1000 <= day.year < 3000:
        return
    assert reader("date", [form], ",")(written) == day
    other = "30.9.2019" if form != "30.9.2019" else "2019-09-30"
    assert reader("date", [other], ",")(written) is None


@pytest.mark.parametrize(
    "kind, formats, text, value",
    [
        ("bigint", (), "1,234,567", 1234567), ("bigint", (), "12,34", None), ("bigint", (), "9" * 18, int("9" * 18)),
        ("bigint", (), "007", None), ("bigint", (), "1.0", None), ("double", (), "1e3", 1000.0),
        ("double", (), "nan", None), ("double", (), "inf", None), ("double", (), "1_0", None),
        ("double", (), "1e999", None),
        ("double", ("decimal comma",), "1,5", 1.5), ("double", ("decimal comma",), "1.500", None),
        ("double", (), "1,5", None),
        ("boolean", (), "Yes", True), ("boolean", (), "perhaps", None), ("timestamp", (), "20240506", None),
        ("timestamp", (), "2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)), ("date", (), "9/9/2019", None),
    ],
)  # fmt: skip
def test_a_text_is_a_value_or_none(kind: str, formats: tuple[str, ...], text: str, value: Any) -> None:
    assert reader(kind, formats, ",")(text) == value
