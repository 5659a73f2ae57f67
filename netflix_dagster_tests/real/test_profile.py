"""The profile of real files: each is recognised, and what is known to be odd about it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from netflix_dagster.files.profiling import Profile, profile
from netflix_dagster.landing.sources import load_sources

pytestmark = pytest.mark.real
INVENTED = "viewing_events"
"""Nobody publishes it: all its deliveries are of the sample."""


def profiled(landing: Path, source: str, day: str) -> Profile:
    (path,) = (landing / source / day).iterdir()
    return profile(path, load_sources())


def odd(found: Profile) -> dict[tuple[str | None, str], int]:
    return {(oddity.column, oddity.what): oddity.rows for oddity in found.oddities}


@pytest.mark.parametrize("source", [name for name in load_sources().sources if name != INVENTED])
def test_the_first_and_the_last_delivery_of_a_source_are_recognised(landing: Path, source: str) -> None:
    files = sorted(path for path in (landing / source).glob("*/*") if path.stat().st_size > 1_000)
    days = [path.parent.name for path in files]  # in place of some deliveries there came a page, or null
    for day in {days[0], days[-1]}:
        like = profiled(landing, source, day).like
        assert like is not None and (like.source, like.verdict) == (source, "same"), (day, like)


def test_what_is_odd_about_a_release_is_found(landing: Path) -> None:
    found = profiled(landing, "netflix_catalogue", "2020-01-20")
    oddities = odd(found)
    assert oddities["date_added", "odd space"] == 640
    assert oddities["title", "line break"] + oddities["description", "line break"] == 2
    assert oddities["title", "day made by a spreadsheet"] > 0
    assert oddities["country", "stray separator"] > 0
    columns = {column.name: column for column in found.columns}
    lists = {name for name, column in columns.items() if column.found.kind == "list"}
    assert lists == {"director", "cast", "country", "listed_in"}
    assert columns["release_year"].found.kind == "integer" and columns["date_added"].found.kind == "date"
    assert found.keys.candidates[0] == ("show_id",) and found.door is None


def test_titles_broken_in_two_are_found_by_what_they_shifted(landing: Path) -> None:
    oddities = odd(profiled(landing, "netflix_titles", "2020-02-01"))
    assert oddities["duration_minutes", "not an integer"] == 2
    assert oddities["release_year", "far from the others"] == 1
    assert oddities["type", "seen once"] == 1


def test_the_key_and_the_nulls_of_a_chart_are_found(landing: Path) -> None:
    found = profiled(landing, "top10_global", "2021-11-17")
    assert found.keys.candidates[0] == ("week", "category", "weekly_rank")
    (season,) = (column for column in found.columns if column.name == "season_title")
    assert set(season.nulls) == {"N/A"}


def test_the_header_of_a_report_is_found_below_its_preamble(landing: Path) -> None:
    found = profiled(landing, "engagement", "2023-12-12")
    assert found.delivered.header_line == 6 and found.door is None
