"""What the feeds share, a second time: which title a chart or report means, and which country."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

from netflix_dagster_tests.model.catalogue import COUNTRIES, Release, Row
from netflix_dagster_tests.model.text import folded, words

NAMED_IN = {
    "silver.top10_global_history": "valid_from",
    "silver.top10_countries_history": "valid_from",
    "gold.fact_most_popular": "delivery_date",
    "gold.fact_engagement": "first_stated",
}
KINDS = {"Movie": "film", "TV Show": "tv"}
CONFIDENCE = {"title": (1.0, 0.7), "folded": (0.9, 0.6)}
BY_CODE = {code: key for key, code, _, exists in COUNTRIES.values() if exists}


def gold(tables: dict[str, list[Row]], releases: Sequence[Release]) -> dict[str, list[Row]]:
    """The tables of no feed alone."""
    versions = tables["silver.title_history"]
    bridge = _bridge(tables, versions)
    inferred = [
        {
            "title_key": row["title_key"],
            "natural_key": row["title_key"],
            "type": {"film": "Movie", "tv": "TV Show"}.get(row["kind"]),
            "title": row["show_title"],
            "short_title": row["show_title"].split(":")[0].strip(),
            "valid_from": row["first_seen"],
            "valid_to": None,
            "is_current": True,
            "is_inferred": True,
        }
        for row in bridge
        if row["is_inferred"]
    ]
    known = [{name: row[name] for name in inferred[0]} if inferred else row for row in _known(versions)]
    return {
        "gold.bridge_title_chart": bridge,
        "gold.dim_title": [*known, *inferred],
        "gold.dim_country": _countries(releases, tables["gold.fact_top10_country_weekly"]),
    }


def _known(versions: list[Row]) -> list[Row]:
    return [row | {"is_inferred": False} for row in versions]


# Titles


def _bridge(tables: dict[str, list[Row]], versions: list[Row]) -> list[Row]:
    named: dict[str, list[tuple[date, str, Row]]] = defaultdict(list)
    for table, since in NAMED_IN.items():
        for row in tables[table]:
            named[row["chart_title_key"]].append((row[since], row["show_title"], row))
    newest: dict[str, Row] = {}
    since: dict[str, date] = {}
    for version in sorted(versions, key=lambda v: v["valid_from"]):
        newest[version["title_key"]] = version
        since.setdefault(version["title_key"], version["valid_from"])
    titles = [(words(v["title"]), folded(v["title"]), v) for v in newest.values()]
    wanted = {key: _wanted(key, told) for key, told in named.items()}
    found: dict[str, tuple[str, Row, int]] = {}
    for place, method in enumerate(CONFIDENCE):
        pairs = []
        for key, one in wanted.items():
            for entry in titles:
                same = one["names"][place] and one["names"][place] == entry[place]
                if same and one["kind"] in (_kind(entry[2]), "any"):
                    pairs.append((key, one, entry[2]))
        taken = {(one["kind"], v["title_key"]) for _, one, v in pairs if _of_its_time(one, v)}
        meant: dict[str, list[Row]] = defaultdict(list)
        for key, one, version in pairs:
            undated = one["released"] == 0 and (one["kind"], version["title_key"]) not in taken
            if one["released"] is None or undated or _of_its_time(one, version):
                meant[key].append(version)
        for key, candidates in meant.items():
            if key not in found:
                then = wanted[key]["released"] or wanted[key]["first_seen"].year
                best = min(candidates, key=lambda v: _likely(v, then))
                found[key] = (method, best, len(candidates))
    rows = []
    for key, one in wanted.items():
        method, version, candidates = found.get(key, ("inferred", {}, 0))
        rows.append(
            {
                "chart_title_key": key,
                "kind": one["kind"],
                "show_title": one["show_title"],
                "title_key": version.get("title_key", f"inferred|{key}"),
                "match_method": method,
                "confidence": CONFIDENCE[method][candidates > 1] if version else 0.0,
                "candidates": candidates,
                "is_inferred": not version,
                "first_seen": one["first_seen"],
                "in_catalogue_since": since.get(version.get("title_key", "")),
            }
        )
    return rows


def _kind(version: Row) -> str | None:
    return KINDS.get(version["type"])


def _wanted(key: str, told: list[tuple[date, str, Row]]) -> Row:
    _, title, _ = max(told, key=lambda t: t[:2])
    years = [row["release_date"].year if row["release_date"] else 0 for _, _, row in told if row.get("work")]
    return {
        "kind": key.split("|")[0],
        "show_title": title,
        "names": (words(title), folded(title)),
        "first_seen": min(seen for seen, _, _ in told),
        "released": max(years, default=None),
    }


def _of_its_time(one: Row, version: Row) -> bool:
    """A work that a report tells apart by its year is a title that was made two years before it to one after."""
    return bool(one["released"]) and -2 <= version["release_year"] - one["released"] <= 1


def _likely(version: Row, then: int) -> Any:
    """Best first: still there, out by then, the newest."""
    year = version["release_year"]
    return (not version["is_current"], year > then, -year, version["title_key"])


# Countries


def _countries(releases: Sequence[Release], charts: list[Row]) -> list[Row]:
    spelled: dict[str, dict[str, list[date]]] = defaultdict(lambda: defaultdict(list))
    codes: dict[str, set[str]] = defaultdict(set)
    produced, charted = set(), set()
    for release in releases:
        for row in release.lists["countries"].rows:
            spelled[row["country_key"]][row["country"]].append(release.on)
            produced.add(row["country_key"])
    for row in charts:
        code, name = row["country_iso2"], row["country_name"]
        if name is None:
            continue
        of_name = COUNTRIES.get(name.lower(), (None,))[0]
        key = BY_CODE.get(code) or of_name or code.lower()
        spelled[key][name].append(row["last_changed"])
        codes[key].add(code)
        charted.add(key)
    return [
        {
            "country_key": key,
            "country": max(names, key=lambda n: (max(names[n]), len(names[n]), n)),
            "iso_alpha2": COUNTRIES[key][1] if key in COUNTRIES else max(codes[key], default=None),
            "iso_alpha3": COUNTRIES[key][2] if key in COUNTRIES else None,
            "exists_today": True if key in charted else COUNTRIES[key][3] if key in COUNTRIES else None,
            "in_catalogue": key in produced,
            "in_charts": key in charted,
        }
        for key, names in spelled.items()
    ]


def names_twice_coded(charts: list[Row]) -> Counter[str]:
    """The names of countries that charts state with more than one code."""
    said = {(row["country_name"].lower(), row["country_iso2"]) for row in charts if row["country_name"]}
    return Counter(name for name, count in Counter(name for name, _ in said).items() if count > 1)
