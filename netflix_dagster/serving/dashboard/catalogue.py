"""The page *Catalogue*: every version of every title with what it is cut by, the figures of gold, who made it."""

from __future__ import annotations

from typing import Any

from netflix_dagster.serving.dashboard.reading import Reader, coded, figures

NEEDS = ("gold.dim_title", "gold.kpi_catalogue", "gold.fact_catalogue_change")
_VERSIONS = "NOT is_inferred AND valid_from IN (SELECT delivery_date FROM gold.kpi_catalogue)"
_LISTS = {
    "countries": ("gold.bridge_title_country", "gold.dim_country", "country_sk", "country", "country_order"),
    "genres": ("gold.bridge_title_genre", "gold.dim_genre", "genre_sk", "genre", "genre_order"),
}
_CREDITS = {
    "cast": ("gold.bridge_title_cast", "billing_order"),
    "directors": ("gold.bridge_title_director", "credit_order"),
}


def chunks(reader: Reader) -> dict[str, Any]:
    """``catalogue``, and ``people`` for who asks for names; nothing while no release stands."""
    if not reader.has(*NEEDS):
        return {}
    releases = [
        str(day)
        for day in reader.columns("SELECT DISTINCT delivery_date FROM gold.kpi_catalogue ORDER BY 1")["delivery_date"]
    ]
    if not releases:
        return {}
    versions = reader.columns(
        f"""SELECT title_sk, title_key, title, type, release_year AS year, rating, rating_family AS family,
            CAST(date_added AS VARCHAR) AS added, duration_minutes AS minutes, duration_seasons AS seasons,
            CAST(valid_from AS VARCHAR) AS first, CAST(valid_to AS VARCHAR) AS past
            FROM gold.dim_title WHERE {_VERSIONS} ORDER BY title_key, valid_from, title_sk"""
    )
    place = {sk: index for index, sk in enumerate(versions.pop("title_sk"))}
    release = {day: index for index, day in enumerate(releases)}
    coded_versions = {
        **{name: coded(versions[name]) for name in ("type", "rating", "family")},
        **{name: versions[name] for name in ("title_key", "title", "year", "added", "minutes", "seasons")},
        "first": [release[day] for day in versions["first"]],
        "past": [_next(releases, day) for day in versions["past"]],
        **{name: _members(reader, name, place) for name in _LISTS},
    }
    return {
        "catalogue": {
            "releases": releases,
            "versions": coded_versions,
            "figures": figures(reader, "gold.kpi_catalogue", "delivery_date", "longest_movies", release=release),
            "changes": _changes(reader, place, release),
        },
        "people": _people(reader, place),
    }


def _next(releases: list[str], day: str | None) -> int | None:
    """The first release that no longer says so."""
    return None if day is None else sum(known < day for known in releases)


def _changes(reader: Reader, place: dict[int, int], release: dict[str, int]) -> dict[str, Any]:
    """What each release but the first added, changed and removed."""
    found = reader.columns(
        """SELECT CAST(release_date AS VARCHAR) AS release, title_sk, change, is_return AS returns,
           array_to_string(changed_columns, ', ') AS changed
           FROM gold.fact_catalogue_change WHERE NOT is_baseline ORDER BY release_date, change, title_key"""
    )
    kept = [i for i, sk in enumerate(found["title_sk"]) if sk in place and found["release"][i] in release]
    return {
        "version": [place[found["title_sk"][i]] for i in kept],
        "release": [release[found["release"][i]] for i in kept],
        "change": coded([found["change"][i] for i in kept]),
        "returns": [int(found["returns"][i]) for i in kept],
        "changed": coded([found["changed"][i] for i in kept]),
    }


def _members(reader: Reader, name: str, place: dict[int, int]) -> dict[str, Any]:
    """What each version is listed under, as places in the list of all that there is."""
    bridge, dimension, key, said, order = _LISTS[name]
    if not reader.has(bridge, dimension):
        return {"values": [], "codes": [[] for _ in place]}
    found = reader.columns(
        f"SELECT b.title_sk, d.{said} AS said FROM {bridge} b JOIN {dimension} d USING ({key})"
        f" ORDER BY b.title_sk, b.{order}, said"
    )
    return _listed(found["title_sk"], found["said"], place)


def _people(reader: Reader, place: dict[int, int]) -> dict[str, Any]:
    """Who is in the cast of each version, and who directed it."""
    told: dict[str, Any] = {}
    for name, (bridge, order) in _CREDITS.items():
        if not reader.has(bridge, "gold.dim_person"):
            return {}
        found = reader.columns(
            f"SELECT b.title_sk, p.name AS said FROM {bridge} b JOIN gold.dim_person p USING (person_sk)"
            f" ORDER BY b.title_sk, b.{order}, said"
        )
        told[name] = _listed(found["title_sk"], found["said"], place)
    return told


def _listed(keys: list[int], said: list[str], place: dict[int, int]) -> dict[str, Any]:
    values = {value: index for index, value in enumerate(sorted(set(said)))}
    codes: list[list[int]] = [[] for _ in place]
    for key, value in zip(keys, said, strict=True):
        if key in place:
            codes[place[key]].append(values[value])
    return {"values": list(values), "codes": codes}
