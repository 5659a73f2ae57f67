"""The page *Charts*: the weekly Top 10 of the world and of each country, their figures, what was restated."""

from __future__ import annotations

from typing import Any

from netflix_dagster.serving.dashboard.reading import Reader, coded, figures

NEEDS = ("gold.fact_top10_global_weekly", "gold.kpi_top10", "gold.dim_week")
MOST_RESTATEMENTS = 5_000
"""Restated fields that the page lists, the newest first; it says how many there are."""


def chunks(reader: Reader) -> dict[str, Any]:
    """``charts``, and ``countries-<year>`` for the charts of countries; nothing while no chart stands."""
    if not reader.has(*NEEDS):
        return {}
    weeks = reader.columns(
        "SELECT CAST(week AS VARCHAR) AS week, ranked_by, has_countries FROM gold.dim_week ORDER BY gold.dim_week.week"
    )
    if not weeks["week"]:
        return {}
    week = {day: index for index, day in enumerate(weeks["week"])}
    world = reader.columns(
        """SELECT CAST(week AS VARCHAR) AS week, category, weekly_rank AS rank, chart_title_key AS key,
           show_title AS title, season_title AS season, weekly_hours_viewed AS hours, weekly_views AS views,
           cumulative_weeks_in_top_10 AS weeks
           FROM gold.fact_top10_global_weekly ORDER BY gold.fact_top10_global_weekly.week, category, weekly_rank"""
    )
    told: dict[str, Any] = {
        "charts": {
            "weeks": weeks,
            "world": _places(world, week),
            "figures": figures(reader, "gold.kpi_top10", "week", "country_reach", week=week),
            "restatements": _restatements(reader),
        }
    }
    if reader.has("gold.fact_top10_country_weekly"):
        told["charts"]["countries"] = _countries(reader)
        years = reader.columns("SELECT DISTINCT year(week) AS year FROM gold.fact_top10_country_weekly ORDER BY 1")[
            "year"
        ]
        told["charts"]["country_years"] = years
        told |= {f"countries-{year}": _country_charts(reader, year, week) for year in years}
    return told


def _places(found: dict[str, list[Any]], week: dict[str, int]) -> dict[str, Any]:
    few = {name: coded(found.pop(name)) for name in ("category", "key", "title", "season")}
    return {"week": [week[day] for day in found.pop("week")], **few, **found}


def _country_charts(reader: Reader, year: int, week: dict[str, int]) -> dict[str, Any]:
    found = reader.columns(
        f"""SELECT CAST(week AS VARCHAR) AS week, country_iso2 AS country, category, weekly_rank AS rank,
            chart_title_key AS key, show_title AS title, season_title AS season, cumulative_weeks_in_top_10 AS weeks
            FROM gold.fact_top10_country_weekly WHERE year(week) = {year}
            ORDER BY gold.fact_top10_country_weekly.week, country_iso2, category, weekly_rank"""
    )
    return {"country": coded(found.pop("country")), **_places(found, week)}


def _countries(reader: Reader) -> list[dict[str, Any]]:
    """Every country that has charts: its code, its name, and the number by which the map knows it."""
    import pycountry

    found = reader.rows(
        "SELECT country_iso2 AS code, max_by(country_name, week) AS name FROM gold.fact_top10_country_weekly"
        " GROUP BY 1 ORDER BY name, code"
    )
    for country in found:
        known = pycountry.countries.get(alpha_2=country["code"])
        country["shape"] = known.numeric if known else None
    return found


def _restatements(reader: Reader) -> dict[str, Any]:
    if not reader.has("gold.fact_top10_restatement"):
        return {"total": 0, "rows": {}, "counts": []}
    total = reader.columns("SELECT count(*) AS n FROM gold.fact_top10_restatement")["n"][0]
    found = reader.columns(
        f"""SELECT CAST(delivery_date AS VARCHAR) AS delivery, scope, CAST(week AS VARCHAR) AS week, category,
            weekly_rank AS rank, field, said_before AS before, said_now AS now
            FROM gold.fact_top10_restatement
            ORDER BY delivery_date DESC, scope = 'global' DESC, scope, gold.fact_top10_restatement.week, category,
            weekly_rank, field LIMIT {MOST_RESTATEMENTS}"""
    )
    few = {name: coded(found[name]) for name in ("delivery", "scope", "week", "category", "field", "before", "now")}
    counts = reader.rows(
        "SELECT CAST(delivery_date AS VARCHAR) AS delivery, field, count(*) AS fields FROM gold.fact_top10_restatement"
        " GROUP BY ALL ORDER BY ALL"
    )
    return {"total": total, "rows": {**found, **few}, "counts": counts}
