"""The history of titles, against a naive fold in plain Python over random releases; and the tables built on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.tables.gold.bridges import _bridge
from netflix_dagster.tables.gold.catalogue_change import fact_catalogue_change
from netflix_dagster.tables.silver.title_history import ATTRIBUTES, title_history
from netflix_dagster.tables.silver.title_lists import LISTS
from netflix_dagster_tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame, SparkSession

DAYS = [date(2020, month, 1) for month in range(1, 6)]


@pytest.fixture(autouse=True, scope="module")
def _all_titles_share_a_window() -> Iterator[None]:
    """As many do in a real catalogue: these few would hardly meet in one of its windows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netflix_dagster.tables.silver.title_history._SHARES", 1)
        yield


@dataclass(frozen=True)
class Said:
    """What one release says of one title."""

    rating: str | None = "PG"
    cast: tuple[str, ...] = ()
    genres: tuple[str, ...] = ("Dramas",)


@dataclass(frozen=True)
class Release:
    """One release: its form, its titles, and whether the cast came with it."""

    titles: dict[str, Said]
    whole: bool = True
    with_cast: bool = True
    show_ids: dict[str, str] = field(default_factory=dict)


def frames(spark: SparkSession, releases: dict[date, Release]) -> list[DataFrame]:
    """The silver tables of some releases."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES["silver.title_history"].reads}
    for day, release in releases.items():
        form = "whole" if release.whole else "split"
        rows["silver.releases"].append({"delivery_date": day, "titles": len(release.titles), "is_accepted": True})
        for key, said in release.titles.items():
            base = {"delivery_date": day, "title_key": key, "show_id": release.show_ids.get(key, key), "form": form}
            rows["silver.titles"].append(
                {**base, "natural_key": key, "type": "Movie", "title": key, "rating": said.rating, "repairs": []}
            )
            for n, person in enumerate(said.cast if release.with_cast else (), 1):
                rows["silver.title_cast"].append(
                    {**base, "person": person, "person_key": person.lower(), "billing_order": n}
                )
            for n, genre in enumerate(said.genres, 1):
                rows["silver.title_genres"].append(
                    {**base, "genre": genre, "genre_key": genre.lower(), "genre_order": n}
                )
    return [
        spark.createDataFrame(
            [tuple(row.get(c) for c in TABLES[name].column_names) for row in found], store.ddl(TABLES[name])
        )
        for name, found in rows.items()
    ]


def history(spark: SparkSession, releases: dict[date, Release]) -> dict[str, list[tuple[Any, ...]]]:
    """title -> (valid_from, valid_to, changed, rating) of its versions."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in sorted(title_history(*frames(spark, releases)).collect(), key=lambda r: r["valid_from"]):
        changed = None if row["changed_columns"] is None else tuple(sorted(row["changed_columns"]))
        found.setdefault(row["title_key"], []).append((row["valid_from"], row["valid_to"], changed, row["rating"]))
    return found


def naive(releases: dict[date, Release]) -> dict[str, list[tuple[Any, ...]]]:
    """The same, one release after the other. A cast that no file states stands as it was last stated; an order
    is known from whole releases only, and only for the members it was stated of."""
    days = sorted(releases)
    casts_stated: dict[str, tuple[str, ...]] = {}
    orders_stated: dict[str, tuple[str, ...]] = {}
    seen: dict[str, tuple[Any, ...]] = {}
    versions: dict[str, list[list[Any]]] = {}
    for day in days:
        release = releases[day]
        brings_cast = release.with_cast and any(said.cast for said in release.titles.values())
        if brings_cast:
            casts_stated = {key: said.cast for key, said in release.titles.items() if said.cast}
            if release.whole:
                orders_stated = dict(casts_stated)
        now: dict[str, tuple[Any, ...]] = {}
        for key, said in release.titles.items():
            cast = frozenset(casts_stated[key]) if key in casts_stated else None
            order = orders_stated.get(key)
            order = order if order is not None and frozenset(order) == cast else None
            now[key] = (said.rating, cast, order, frozenset(said.genres) or None)
            if key in seen:
                changed = _changed(seen[key], now[key])
                if changed:
                    versions[key][-1][1] = day
                    versions[key].append([day, None, changed, said.rating])
            else:
                versions.setdefault(key, []).append([day, None, None, said.rating])
        for key in seen.keys() - now.keys():
            versions[key][-1][1] = day
        seen = now
    return {key: [tuple(version) for version in found] for key, found in versions.items()}


def _changed(before: tuple[Any, ...], now: tuple[Any, ...]) -> tuple[str, ...]:
    changed = set()
    if before[0] != now[0]:
        changed.add("rating")
    if before[1] != now[1] or (before[2] and now[2] and before[2] != now[2]):
        changed.add("cast")
    if before[3] != now[3]:
        changed.add("genres")
    return tuple(sorted(changed))


saids = st.builds(
    Said,
    rating=st.sampled_from(["PG", "R", None]),
    cast=st.permutations(["Ann", "Bob", "Cy"]).flatmap(lambda p: st.integers(1, 3).map(lambda n: tuple(p[:n]))),
    genres=st.sampled_from([("Dramas",), ("Dramas", "Comedies")]),
)
some_releases = st.builds(
    Release,
    titles=st.dictionaries(st.sampled_from("abc"), saids, min_size=1),
    whole=st.booleans(),
    with_cast=st.sampled_from([True, True, False]),
)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(some_releases, min_size=1, max_size=5))
def test_history_is_the_naive_fold(spark: SparkSession, told: list[Release]) -> None:
    releases = dict(zip(DAYS, told, strict=False))
    assert history(spark, releases) == naive(releases)


def test_a_title_that_leaves_and_comes_back_has_a_gap(spark: SparkSession) -> None:
    there, away = Release({"a": Said(), "b": Said()}), Release({"b": Said()})
    found = history(spark, dict(zip(DAYS, [there, away, there], strict=False)))
    assert found["a"] == [(DAYS[0], DAYS[1], None, "PG"), (DAYS[2], None, None, "PG")]
    assert found["b"] == [(DAYS[0], None, None, "PG")]


def test_renumbered_show_ids_change_nothing(spark: SparkSession) -> None:
    one = Release({"a": Said(), "b": Said()}, show_ids={"a": "1", "b": "2"})
    other = Release({"a": Said(), "b": Said()}, show_ids={"a": "2", "b": "1"})
    rows = title_history(*frames(spark, {DAYS[0]: one, DAYS[1]: other})).collect()
    assert {(r["title_key"], r["show_id"], r["show_id_release"]) for r in rows} == {
        ("a", "2", DAYS[1]),
        ("b", "1", DAYS[1]),
    }
    assert all(r["is_current"] and r["valid_from"] == DAYS[0] for r in rows)


def test_a_split_delivery_in_another_order_is_no_change_and_a_whole_one_is(spark: SparkSession) -> None:
    def release(cast: tuple[str, ...], whole: bool) -> Release:
        return Release({"a": Said(cast=cast)}, whole=whole)

    told = [release(("Ann", "Bob"), True), release(("Bob", "Ann"), False), release(("Bob", "Ann"), True)]
    found = history(spark, dict(zip(DAYS, told, strict=False)))
    assert found["a"] == [(DAYS[0], DAYS[2], None, "PG"), (DAYS[2], None, ("cast",), "PG")]


def test_a_member_that_is_stated_twice_is_no_other_order(spark: SparkSession) -> None:
    """The numbers of a list have a gap where a repeat was dropped."""
    cast = [("Ann", 1), ("Bob", 3)], [("Ann", 1), ("Bob", 2)]
    tables = frames(spark, {day: Release({"a": Said()}) for day in DAYS[:2]})
    place = TABLES["silver.title_history"].reads.index("silver.title_cast")
    rows = [
        {"delivery_date": day, "title_key": "a", "person": name, "billing_order": order, "form": "whole"}
        for day, listed in zip(DAYS, cast, strict=False)
        for name, order in listed
    ]
    columns = TABLES["silver.title_cast"].column_names
    told = [tuple(row.get(name) for name in columns) for row in rows]
    tables[place] = spark.createDataFrame(told, store.ddl(TABLES["silver.title_cast"]))
    (version,) = title_history(*tables).collect()
    assert (version["valid_from"], version["valid_to"]) == (DAYS[0], None)


def test_a_delivery_without_its_cast_says_nothing_of_casts(spark: SparkSession) -> None:
    told = [Release({"a": Said(cast=("Ann",))}), Release({"a": Said()}, whole=False, with_cast=False)]
    assert history(spark, dict(zip(DAYS, told, strict=False)))["a"] == [(DAYS[0], None, None, "PG")]


def test_the_changes_of_each_release_follow_from_the_versions(spark: SparkSession) -> None:
    told = [
        Release({"a": Said(), "b": Said(), "c": Said()}),
        Release({"a": Said(rating="R"), "c": Said()}),
        Release({"a": Said(rating="R"), "b": Said(), "c": Said()}),
    ]
    dim = title_history(*frames(spark, dict(zip(DAYS, told, strict=False))))
    found = {
        (row["release_date"], row["title_key"]): (row["change"], row["is_return"], row["is_baseline"])
        for row in fact_catalogue_change(dim).collect()
    }
    assert found == {
        **{(DAYS[0], key): ("added", False, True) for key in "abc"},
        (DAYS[1], "a"): ("changed", False, False),
        (DAYS[1], "b"): ("removed", False, False),
        (DAYS[2], "b"): ("added", True, False),
    }


def test_the_bridge_of_a_version_has_its_members_and_weights_that_sum_to_one(spark: SparkSession) -> None:
    told = [Release({"a": Said(cast=("Ann", "Bob", "ann"))}), Release({"a": Said(cast=("Bob",))})]
    silver = frames(spark, dict(zip(DAYS, told, strict=False)))
    dim, cast = title_history(*silver), silver[2]
    rows = _bridge(dim, cast, member="person", order="billing_order", release="cast_release").collect()
    first = [r for r in rows if not r["is_current"]]
    assert sorted((r["person_key"], r["billing_order"], r["weight"]) for r in first) == [
        ("ann", 1, 0.5),
        ("bob", 2, 0.5),
    ]
    assert [(r["person_key"], r["weight"]) for r in rows if r["is_current"]] == [("bob", 1.0)]


def test_every_attribute_and_list_is_a_column_or_has_its_release() -> None:
    columns = set(TABLES["gold.dim_title"].column_names)
    assert set(ATTRIBUTES) | {f"{name}_release" for name in LISTS} <= columns


def test_a_title_that_begins_as_another_ends_is_no_change_of_that_one(spark: SparkSession) -> None:
    releases = {DAYS[0]: Release({"a": Said()}), DAYS[1]: Release({"b": Said()})}
    rows = title_history(*frames(spark, releases)).collect()
    assert {row["title_key"]: row["changed_columns"] for row in rows} == {"a": None, "b": None}
