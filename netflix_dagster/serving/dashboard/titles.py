"""The page *Title*: an index that is searched, and all that is known of each title, in buckets fetched one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

from netflix_dagster.serving.dashboard.reading import Reader, coded

A_BUCKET = 250
"""Titles of one bucket, about."""
_INDEX = """
SELECT title_key AS key, arg_max(title, valid_from) AS title, arg_max(type, valid_from) AS type,
  arg_max(release_year, valid_from) AS year, bool_or(is_current)::INT AS current, bool_and(is_inferred)::INT AS inferred
FROM gold.dim_title GROUP BY title_key ORDER BY title_key"""
_VERSIONS = """
SELECT title_key AS key, show_id, CAST(show_id_release AS VARCHAR) AS show_id_release, type, title,
  CAST(date_added AS VARCHAR) AS added, release_year AS year, rating, duration_minutes AS minutes,
  duration_seasons AS seasons, description, array_to_string(changed_columns, ', ') AS changed,
  CAST(valid_from AS VARCHAR) AS first, CAST(valid_to AS VARCHAR) AS past
FROM gold.dim_title WHERE NOT is_inferred ORDER BY title_key, valid_from"""
_LISTED = """
SELECT title_key AS key, string_agg(said, ', ' ORDER BY place, said) AS said FROM (
  SELECT b.title_key, {said} AS said, {order} AS place FROM {bridge} b JOIN {dimension} d USING ({sk})
  WHERE b.title_sk = (SELECT arg_max(t.title_sk, t.valid_from) FROM gold.dim_title t WHERE t.title_key = b.title_key)
  AND {order} <= 12)
GROUP BY title_key ORDER BY title_key"""
_LISTS = {
    "cast": ("gold.bridge_title_cast", "gold.dim_person", "person_sk", "d.name", "b.billing_order"),
    "directors": ("gold.bridge_title_director", "gold.dim_person", "person_sk", "d.name", "b.credit_order"),
    "countries": ("gold.bridge_title_country", "gold.dim_country", "country_sk", "d.country", "b.country_order"),
    "genres": ("gold.bridge_title_genre", "gold.dim_genre", "genre_sk", "d.genre", "b.genre_order"),
}
_RUNS = """
SELECT b.title_key AS key, CAST(w.week AS VARCHAR) AS week, w.category, w.weekly_rank AS rank, w.season_title AS season,
  w.weekly_hours_viewed AS hours, w.weekly_views AS views
FROM gold.fact_top10_global_weekly w JOIN gold.bridge_title_chart b USING (chart_title_key)
ORDER BY b.title_key, w.week, w.category, w.weekly_rank"""
_REACH = """
SELECT b.title_key AS key, c.country_iso2 AS country, max_by(c.country_name, c.week) AS name,
  count(DISTINCT c.week) AS weeks, min(c.weekly_rank) AS best
FROM gold.fact_top10_country_weekly c JOIN gold.bridge_title_chart b USING (chart_title_key)
GROUP BY ALL ORDER BY b.title_key, weeks DESC, country"""
_REPORTS = """
SELECT b.title_key AS key, e.period, e.title_delivered AS said, e.hours_viewed AS hours, e.views,
  CAST(e.release_date AS VARCHAR) AS released
FROM gold.fact_engagement e JOIN gold.bridge_title_chart b USING (chart_title_key)
ORDER BY b.title_key, e.period, e.hours_viewed DESC, e.title_delivered"""
_NAMES = """
SELECT title_key AS key, chart_title_key AS name, match_method AS method, confidence
FROM gold.bridge_title_chart ORDER BY title_key, chart_title_key"""


def chunks(reader: Reader) -> dict[str, Any]:
    """``titles``, the index, and ``title-<n>``, the buckets; nothing while no title is known."""
    if not reader.has("gold.dim_title"):
        return {}
    index = reader.columns(_INDEX)
    keys = index.pop("key")
    if not keys:
        return {}
    buckets = max(1, round(len(keys) / A_BUCKET))
    known: dict[str, dict[str, Any]] = {key: {} for key in keys}
    for name, rows in _all(reader):
        for row in rows:
            entry = known.get(row.pop("key"))
            if entry is not None:
                entry.setdefault(name, []).append(row)
    told: dict[str, Any] = {f"title-{n}": {} for n in range(buckets)}
    for key, entry in known.items():
        told[f"title-{bucket(key, buckets)}"][key] = entry
    hours = [sum(row["hours"] or 0 for row in known[key].get("reports", ())) for key in keys]
    weeks = [len({row["week"] for row in known[key].get("runs", ())}) for key in keys]
    return {
        "titles": {
            "buckets": buckets,
            "key": keys,
            **index,
            "type": coded(index["type"]),
            "hours": hours,
            "weeks": weeks,
        },
        **told,
    }


def bucket(key: str, buckets: int) -> int:
    """Which bucket a title lies in; the page computes the same."""
    return crc32(key.encode()) % buckets


def _all(reader: Reader) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield "versions", reader.rows(_VERSIONS)
    for name, (bridge, dimension, sk, said, order) in _LISTS.items():
        if reader.has(bridge, dimension):
            query = _LISTED.format(bridge=bridge, dimension=dimension, sk=sk, said=said, order=order)
            yield name, reader.rows(query)
    if reader.has("gold.bridge_title_chart"):
        yield "names", reader.rows(_NAMES)
        for name, fact, query in (
            ("runs", "gold.fact_top10_global_weekly", _RUNS),
            ("reach", "gold.fact_top10_country_weekly", _REACH),
            ("reports", "gold.fact_engagement", _REPORTS),
        ):
            if reader.has(fact):
                yield name, reader.rows(query)
