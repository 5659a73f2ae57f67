"""Each figure has one value: in PySpark, in the views of the warehouse, in T-SQL, and counted here in plain Python."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.tables import figures
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.figures import Figures, by_statements, by_views, with_facts
from netflix_dagster_tests.real import charts_oracle
from netflix_dagster_tests.tables.test_kpi_top10 import charts

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Row = dict[str, Any]
Facts = dict[str, list[Row]]
TITLES, LISTINGS, CHANGES = "gold.fact_release_title", "gold.fact_release_listing", "gold.fact_catalogue_change"
SOAK = int(os.environ.get("NETFLIX_SOAK") or 0)


@st.composite
def catalogues(draw: st.DrawFn) -> Facts:
    """Some releases of a few titles, of which anything may be unstated, and whatever lists and changes they have."""
    maybe: Any = lambda *values: st.sampled_from((None, *values))  # noqa: E731
    titles, listings, changes = [], [], []
    for release in draw(st.lists(st.dates(date(2019, 1, 1), date(2021, 12, 31)), unique=True, max_size=3)):
        for key in draw(st.sets(st.sampled_from("abcdefgh"), min_size=1)):
            movie = draw(st.booleans())
            titles.append(
                {
                    "release_date": release,
                    "title_key": key,
                    "type": "Movie" if movie else "TV Show",
                    "release_year": draw(st.integers(2015, 2021)),
                    "date_added": draw(st.one_of(st.none(), st.dates(date(2019, 1, 1), date(2020, 12, 31)))),
                    "rating": draw(maybe("PG", "TV-MA")),
                    "rating_family": draw(maybe("MPA", "TV")),
                    "duration_minutes": draw(maybe(80, 90, 100)) if movie else None,
                    "duration_seasons": None if movie else draw(maybe(1, 2)),
                }
            )
            for name in ("cast", "director", "country", "genre", "country pair"):
                members = sorted(draw(st.sets(st.sampled_from("XYZ"))))
                listings += [
                    {
                        "release_date": release,
                        "title_key": key,
                        "list": name,
                        "member_key": member.lower(),
                        "member": member,
                        "position": place,
                        "members": len(members),
                    }
                    for place, member in enumerate(members, 1)
                ]
            if change := draw(maybe("added", "changed", "removed")):
                said = {"release_date": release, "title_key": key, "change": change}
                changes.append({**said, "is_baseline": draw(st.booleans()), "is_return": False})
    return {TITLES: titles, LISTINGS: listings, CHANGES: changes}


def counted(facts: Facts) -> Figures:
    """The figures of ``gold.kpi_catalogue``, all members of the rankings."""
    found: Figures = {}
    releases = sorted({row["release_date"] for row in facts[TITLES]})
    for nth, release in enumerate(releases):
        of = {name: [row for row in rows if row["release_date"] == release] for name, rows in facts.items()}
        before = [row for row in facts[TITLES] if nth and row["release_date"] == releases[nth - 1]]
        found |= {(release, kpi, member): value for kpi, member, value in _of_release(of, before)}
    return found


def _of_release(of: Mapping[str, list[Row]], before: list[Row]) -> Iterator[tuple[str, str, float]]:
    titles = of[TITLES]
    yield "titles", "all", len(titles)
    for column in ("type", "rating", "rating_family", "release_year"):
        yield from _by_member(f"titles_by_{column}", (row[column] for row in titles))
    months = (row["date_added"] and f"{row['date_added']:%Y-%m}" for row in titles)
    yield from _by_member("titles_by_month_added", months)
    if before:
        yield "net_growth", "all", len(titles) - len(before)
        yield "net_growth_share", "all", (len(titles) - len(before)) / len(before)
    for kind in {row["type"] for row in titles}:
        dated = [row for row in titles if row["type"] == kind and row["date_added"]]
        if lags := [row["date_added"].year - row["release_year"] for row in dated]:
            yield "lag_to_addition_mean", kind, fmean(lags)
            yield "lag_to_addition_median", kind, median(lags)
    if minutes := {row["title_key"]: row["duration_minutes"] for row in titles if row["duration_minutes"]}:
        yield "movie_minutes_mean", "all", fmean(minutes.values())
        yield "movie_minutes_median", "all", median(minutes.values())
        yield from (("longest_movies", key, length) for key, length in minutes.items())
    if seasons := [row["duration_seasons"] for row in titles if row["duration_seasons"]]:
        yield "show_seasons_mean", "all", fmean(seasons)
        yield from _by_member("shows_by_seasons", seasons)
    rankings = {"titles_by_country": "country", "titles_by_genre": "genre", "top_cast": "cast"}
    rankings |= {"top_directors": "director", "co_production_pairs": "country pair"}
    for kpi, name in rankings.items():
        yield from _by_member(kpi, (row["member"] for row in of[LISTINGS] if row["list"] == name))
    produced = Counter(row["title_key"] for row in of[LISTINGS] if row["list"] == "country")
    if produced:
        together = sum(countries > 1 for countries in produced.values())
        yield "co_productions", "all", together
        yield "co_production_share", "all", together / len(produced)
    yield from _by_member("titles_by_change", (row["change"] for row in of[CHANGES] if not row["is_baseline"]))


def _by_member(kpi: str, members: Iterable[Any]) -> Iterator[tuple[str, str, float]]:
    for member, count in Counter("(not stated)" if m is None else str(m) for m in members).items():
        yield kpi, member, count


def same(found: Figures, expected: Figures) -> None:
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(max_examples=SOAK or 8, deadline=None)
@given(facts=catalogues())
def test_the_views_of_the_catalogue_say_what_is_counted(facts: Facts) -> None:
    expected = counted(facts)
    with with_facts(facts) as connection:
        same(by_views(connection, "gold.kpi_catalogue"), expected)


@settings(max_examples=SOAK or 8, deadline=None)
@given(told=charts())
def test_the_views_of_the_charts_say_what_the_oracle_works_out(told: tuple[list[Row], list[Row]]) -> None:
    with with_facts(dict(zip(TABLES["gold.kpi_top10"].reads, told, strict=True))) as connection:
        same(by_views(connection, "gold.kpi_top10"), charts_oracle.kpi_top10(*told))


@settings(max_examples=SOAK or examples(6), deadline=None)
@given(facts=catalogues())
def test_one_pass_of_the_engine_over_each_fact_says_what_is_counted(spark: SparkSession, facts: Facts) -> None:
    frames = {
        name: spark.createDataFrame(
            [tuple(row.get(c) for c in TABLES[name].column_names) for row in rows], store.ddl(TABLES[name])
        )
        for name, rows in facts.items()
    }
    rows = figures.figures("gold.kpi_catalogue", frames).collect()
    found = {(row["period"], row["kpi"], row["member"]): row["value"] for row in rows}
    assert len(found) == len(rows), "one figure a key"
    same(found, counted(facts))


@settings(max_examples=SOAK or 3, deadline=None)
@given(facts=catalogues())
def test_what_is_said_in_t_sql_means_the_same(facts: Facts) -> None:
    rankings = {"longest_movies", "top_cast", "top_directors", "co_production_pairs"}
    expected = {key: value for key, value in counted(facts).items() if key[1] not in rankings}
    with with_facts(facts) as connection:
        same(by_statements(connection, "gold.kpi_catalogue"), expected)


@settings(max_examples=SOAK or 3, deadline=None)
@given(told=charts())
def test_what_is_said_of_charts_in_t_sql_means_the_same(told: tuple[list[Row], list[Row]]) -> None:
    worked_out = charts_oracle.kpi_top10(*told)
    expected = {key: value for key, value in worked_out.items() if key[1] != "country_reach"}
    with with_facts(dict(zip(TABLES["gold.kpi_top10"].reads, told, strict=True))) as connection:
        same(by_statements(connection, "gold.kpi_top10"), expected)
