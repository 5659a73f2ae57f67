"""The queries of docs/time-travel.md answer what they say, on the sample deliveries."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.lake.query import QueryError, query
from netflix_dagster.sample.charts import chart_files
from netflix_dagster_tests.cli.shell import Shell

DOCS = Path(__file__).parents[2] / "docs" / "time-travel.md"
MANGLED = re.compile(r"\w{3}-\d+$|\d+-\w{3}$")
CATALOGUE, BELIEVED, RESTATED = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)


def ask(built: Shell, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = query(built.lake, sql).to_pylist()
    return rows


def delivered(day: str) -> list[dict[str, str]]:
    """What the chart file of the world said on a day."""
    text = chart_files()[f"top10_global/{day}/all-weeks-global.tsv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def test_the_catalogue_as_of_a_day(built: Shell) -> None:
    found = ask(built, CATALOGUE)
    release = ask(
        built,
        "SELECT title, type, rating FROM silver.titles WHERE delivery_date = DATE '2024-10-01' ORDER BY title_key",
    )
    assert len(found) > 100
    assert len(found) == len(release)
    for told, said in zip(found, release, strict=True):
        assert (told["type"], told["rating"]) == (said["type"], said["rating"])
        if not MANGLED.match(said["title"]):  # a spreadsheet made another day of it in each form; it is one title
            assert told["title"] == said["title"]


def test_what_we_believed_of_a_week_on_a_day(built: Shell) -> None:
    found = {(row["category"], row["weekly_rank"]): row for row in ask(built, BELIEVED)}
    said = [row for row in delivered("2026-01-13") if row["week"] == "2026-01-04"]
    assert len(said) == len(found) == 40
    for row in said:
        believed = found[row["category"], int(row["weekly_rank"])]
        assert (believed["show_title"], believed["weekly_hours_viewed"]) == (
            row["show_title"],
            int(row["weekly_hours_viewed"]),
        )


def test_what_has_been_taken_back_since(built: Shell) -> None:
    found = ask(built, RESTATED)
    assert found and all(str(row["delivery_date"]) > "2026-01-14" for row in found)
    now = {
        (row["week"], row["category"], row["weekly_rank"]): row
        for row in ask(built, "SELECT * FROM gold.fact_top10_global_weekly")
    }
    last = {}
    for row in sorted(found, key=lambda row: str(row["delivery_date"])):
        if row["scope"] == "global":
            last[row["week"], row["category"], row["weekly_rank"], row["field"]] = row["said_now"]
    for (*place, field), said in last.items():
        value = now[tuple(place)][field]  # type: ignore[index]
        assert (None if value is None else str(value)) == said


def test_the_tables_as_they_stood(built: Shell) -> None:
    count = "SELECT count(*) AS n FROM gold.dim_title WHERE is_current"
    assert query(built.lake, count, datetime.now(UTC)).to_pylist() == ask(built, count)
    with pytest.raises(QueryError, match=r"^There were no tables"):
        query(built.lake, count, datetime(2020, 1, 1, tzinfo=UTC))
    said = built.here("query", count, "--as-of", "2020-01-01T00:00")
    assert said.code == 2 and "does not exist" not in said.err
    assert f"There were no tables in {built.lake} at 2020-01-01T00:00:00+00:00 yet" in said.err
