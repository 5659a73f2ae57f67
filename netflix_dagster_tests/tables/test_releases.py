"""A release that was cut short is held: in its titles, or in what they list and state. Countries and days of gold."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.tables.gold.dimensions import FIRST_YEAR, LAST_YEAR, dim_country, dim_date
from netflix_dagster.tables.gold.release_facts import fact_release_listing, fact_release_title
from netflix_dagster.tables.reference import countries, country_codes, country_keys
from netflix_dagster.tables.silver.releases import FEW, MOST_VALUES_LOST, releases
from netflix_dagster.tables.silver.spellings import spellings
from netflix_dagster.tables.silver.title_lists import LISTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAYS = [date(2020, month, 1) for month in (1, 2, 3)]


@dataclass(frozen=True)
class Release:
    """Some titles, all alike; how many of them list how many members, and how many state a rating."""

    titles: int = 60
    cast: dict[int, int] = field(default_factory=lambda: {60: 2})
    rated: int = 60


def frame(spark: SparkSession, name: str, rows: list[dict[str, Any]]) -> DataFrame:
    table = TABLES[name]
    return spark.createDataFrame([tuple(row.get(c) for c in table.column_names) for row in rows], store.ddl(table))


def verdicts(spark: SparkSession, *said: Release, decided: dict[date, str] | None = None) -> dict[date, Any]:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES["silver.releases"].reads}
    for day, release in zip(DAYS, said, strict=False):
        members = [count for titles, count in release.cast.items() for _ in range(titles)]
        for n in range(release.titles):
            key = {"delivery_date": day, "title_key": f"t{n}", "natural_key": f"t{n}"}
            stated = {"rating": "PG" if n < release.rated else None, "description": "Words.", "date_added": day}
            rows["silver.titles"].append({**key, **stated, "duration_minutes": 90})
            count = members[n] if n < len(members) else 0
            rows["silver.title_cast"] += [{**key, "person": str(i), "person_key": str(i)} for i in range(count)]
            rows["silver.title_genres"].append({**key, "genre": "Dramas", "genre_key": "dramas"})
    people = [(day, by, "because") for day, by in (decided or {}).items()]
    decisions = spark.createDataFrame(people, "delivery_date date, decided_by string, decided_because string")
    made = releases(*(frame(spark, name, found) for name, found in rows.items()), decisions)
    return {row["delivery_date"]: row for row in made.collect()}


WHOLE, CUT = Release(), Release(cast={6: 2})


def test_a_release_that_lists_the_cast_of_few_titles_is_held(spark: SparkSession) -> None:
    found = verdicts(spark, WHOLE, CUT, WHOLE)
    assert [found[day]["is_accepted"] for day in DAYS] == [True, False, True]
    assert (found[DAYS[1]]["thinned"], found[DAYS[1]]["lost"]) == (["cast"], 0)
    assert found[DAYS[1]]["held_because"] == "cast: 108 of the 120 values of 2020-01-01 are gone (90%, 10% may be)"
    assert found[DAYS[2]]["compared_with"] == DAYS[0]


def test_a_release_that_lists_a_tenth_of_each_cast_is_held(spark: SparkSession) -> None:
    found = verdicts(spark, Release(cast={60: 10}), Release(cast={60: 1}))
    assert found[DAYS[1]]["thinned"] == ["cast"]


def test_a_column_that_is_nearly_empty_holds_the_release(spark: SparkSession) -> None:
    found = verdicts(spark, WHOLE, Release(rated=2))
    assert (found[DAYS[1]]["is_accepted"], found[DAYS[1]]["thinned"]) == (False, ["rating"])


def test_a_list_of_which_nothing_is_said_is_not_cut_short_and_what_was_said_before_stands(spark: SparkSession) -> None:
    found = verdicts(spark, WHOLE, Release(cast={}), CUT)
    assert [found[day]["is_accepted"] for day in DAYS] == [True, True, False]
    assert "values of 2020-01-01" in found[DAYS[2]]["held_because"], "compared with what was said last"


@pytest.mark.parametrize("lost", [0, FEW - 1, int(120 * MOST_VALUES_LOST)])
def test_few_values_lost_say_nothing(spark: SparkSession, lost: int) -> None:
    singles = {60 - lost: 2, lost: 1} if lost else {60: 2}
    assert verdicts(spark, WHOLE, Release(cast=singles))[DAYS[1]]["is_accepted"]


def test_titles_that_are_new_or_gone_say_nothing_of_a_list(spark: SparkSession) -> None:
    assert verdicts(spark, Release(cast={60: 2}), Release(titles=55))[DAYS[1]]["thinned"] == []
    assert verdicts(spark, Release(), Release(titles=200, rated=200))[DAYS[1]]["is_accepted"], "140 without a cast"


def test_a_person_takes_it_in_and_the_next_is_compared_with_it(spark: SparkSession) -> None:
    found = verdicts(spark, WHOLE, CUT, CUT, decided={DAYS[1]: "ravik"})
    assert [found[day]["is_accepted"] for day in DAYS] == [True, True, True]
    assert [found[day]["accepted_by"] for day in DAYS] == [None, "ravik", None]


def test_a_release_that_is_held_is_in_no_fact_and_spells_no_name(spark: SparkSession) -> None:
    verdicts = [{"delivery_date": day, "is_accepted": day == DAYS[0]} for day in DAYS[:2]]
    titles = [{"delivery_date": day, "title_key": f"t{n}", "title": "Heron"} for day in DAYS[:2] for n in range(3)]
    members = {"person": "Ann", "country": "France", "genre": "Dramas"}
    listed = {}
    for name, item, _ in LISTS.values():
        stated = {DAYS[0]: [members[item]], DAYS[1]: [members[item].lower()] * 3}
        listed[name] = [
            {"delivery_date": day, "title_key": f"t{n}", item: said, f"{item}_key": said.lower()}
            for day, names in stated.items()
            for n, said in enumerate(names)
        ]
    accepted = frame(spark, "silver.releases", verdicts)
    kept = fact_release_title(accepted, frame(spark, "silver.titles", titles)).collect()
    assert [(row["release_date"], row["title_key"]) for row in kept] == [(DAYS[0], f"t{n}") for n in range(3)]
    names = spellings(accepted, *(frame(spark, name, listed[name]) for name, _, _ in LISTS.values()))
    lists = (frame(spark, name, listed[name]) for name in TABLES["gold.fact_release_listing"].reads[1:5])
    rows = fact_release_listing(accepted, *lists, names).collect()
    assert {(row["release_date"], row["title_key"]) for row in rows} == {(DAYS[0], "t0")}
    assert {(row["list"], row["member"], row["members"]) for row in rows} == {
        *(("cast", "Ann", 1), ("director", "Ann", 1)),
        *(("country", "France", 1), ("genre", "Dramas", 1)),
    }


def test_every_list_is_guarded() -> None:
    assert [name for name, _, _ in LISTS.values()] == list(TABLES["silver.releases"].reads[1:])


# Countries


def named(spark: SparkSession, produced: list[str], charts: list[tuple[str, str, date]]) -> dict[str, Any]:
    """gold.dim_country, of the names in a release and the (code, name, day) of charts."""
    keys = country_keys()
    told = frame(
        spark,
        "silver.spellings",
        [
            {
                "kind": "country",
                "member_key": keys.get(name.lower(), name.lower()),
                "spelling": name,
                "times": 1,
                "last_release": DAYS[0],
            }
            for name in produced
        ],
    )
    facts = frame(
        spark,
        "gold.fact_top10_country_weekly",
        [{"country_iso2": code, "country_name": name, "last_changed": day} for code, name, day in charts],
    )
    return {row["country_key"]: row for row in dim_country(told, facts).collect()}


def test_a_country_that_is_renamed_is_one_country(spark: SparkSession) -> None:
    found = named(spark, ["Turkey"], [("TR", "Turkey", DAYS[1]), ("TR", "Türkiye", DAYS[2])])
    (row,) = found.values()
    assert (row["country_key"], row["country"], row["iso_alpha2"]) == ("turkey", "Türkiye", "TR")
    assert row["in_catalogue"] and row["in_charts"]


def test_two_codes_of_one_name_are_two_countries(spark: SparkSession) -> None:
    found = named(spark, [], [("CG", "Congo", DAYS[1]), ("CD", "Congo", DAYS[1]), ("QX", "Nowhere", DAYS[1])])
    assert {row["iso_alpha2"] for row in found.values()} == {"CG", "CD", "QX"}


def test_one_name_with_two_codes_is_told(spark: SparkSession) -> None:
    charts = [
        ("FR", "France", DAYS[1]),
        ("XA", "France", DAYS[1]),
        ("XB", "Lemuria", DAYS[1]),
        ("XC", "Lemuria", DAYS[1]),
    ]
    found = named(spark, ["India"], [*charts, ("TR", "Turkey", DAYS[1]), ("TR", "Türkiye", DAYS[2])])
    assert {key: row["codes"] for key, row in found.items()} == {
        "france": 2,
        "xb": 2,
        "xc": 2,
        "india": None,
        "turkey": 1,
    }
    assert found["france"]["iso_alpha2"] == "FR", "the code that ISO gives to the name"
    (rule,) = [rule for rule in TABLES["gold.dim_country"].expectations if rule.name == "one_code_a_name"]
    assert rule.on_fail == "warn" and not rule.condition.startswith("NOT")


def test_former_countries_and_unknown_names_are_countries_of_their_own(spark: SparkSession) -> None:
    found = named(spark, ["West Germany", "Germany", "Soviet Union", "Atlantis"], [("DE", "Germany", DAYS[1])])
    assert set(found) == {"west germany", "germany", "soviet union", "atlantis"}
    assert (found["atlantis"]["iso_alpha2"], found["west germany"]["exists_today"]) == (None, False)


def test_every_name_of_a_country_leads_to_one_key() -> None:
    keys, known = country_keys(), countries()
    assert set(keys) == set(known)
    assert all(keys[key] == key for key in keys.values()), "the key is a name, and its own"
    assert {known[name][0] for name in keys} >= set(country_codes())
    assert {keys[name] for name in ("türkiye", "turkey", "republic of türkiye")} == {"turkey"}


# Days


def test_days_that_cannot_be_make_no_calendar_of_ten_thousand_years(spark: SparkSession) -> None:
    days = [date(2019, 5, 1), date(9999, 12, 31), date(1, 1, 1)]
    accepted = frame(spark, "silver.releases", [{"delivery_date": DAYS[0], "is_accepted": True}])
    titles = frame(spark, "silver.titles", [{"delivery_date": DAYS[0], "date_added": day} for day in days])
    found = dim_date(accepted, titles).select("date").toArrow().column("date").to_pylist()
    assert (min(found), max(found), len(found)) == (date(2019, 1, 1), date(2020, 12, 31), 731)
    assert FIRST_YEAR < 1997 and LAST_YEAR >= 2100
