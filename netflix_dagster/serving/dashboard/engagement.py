"""The page *Engagement*: hours of titles in each half-year, against their weeks in charts; how they concentrate."""

from __future__ import annotations

from typing import Any

from netflix_dagster.serving.dashboard.reading import Reader

STEPS = 100
"""Points of the curve that shows how hours concentrate."""
MOST_TITLES = 500
"""Titles of each half-year that the page lists, those with the most hours."""


def chunks(reader: Reader) -> dict[str, Any]:
    """``engagement``; nothing while no report stands."""
    if not reader.has("gold.fact_engagement"):
        return {}
    periods = reader.rows(
        """SELECT period, CAST(min(period_start) AS VARCHAR) AS start, CAST(max(period_end) AS VARCHAR) AS end,
           count(*) AS titles, sum(hours_viewed)::DOUBLE AS hours, CAST(max(stated_on) AS VARCHAR) AS stated
           FROM gold.fact_engagement GROUP BY period ORDER BY period"""
    )
    if not periods:
        return {}
    return {
        "engagement": {
            "periods": periods,
            "kinds": reader.rows(
                "SELECT period, kind, count(*) AS titles, sum(hours_viewed)::DOUBLE AS hours,"
                " sum(views)::DOUBLE AS views"
                " FROM gold.fact_engagement GROUP BY ALL ORDER BY ALL"
            ),
            "curve": _curve(reader),
            "titles": _titles(reader),
            "released": reader.columns(
                """SELECT period, kind, year(release_date) AS year, count(*) AS titles,
                   sum(hours_viewed)::DOUBLE AS hours
                   FROM gold.fact_engagement GROUP BY ALL ORDER BY ALL"""
            ),
        }
    }


def _curve(reader: Reader) -> dict[str, list[Any]]:
    """The share of the hours that the most watched titles hold, by their share of the titles; by kind and together."""
    return reader.columns(
        f"""WITH said AS (SELECT period, kind, hours_viewed AS hours FROM gold.fact_engagement
              UNION ALL SELECT period, 'all', hours_viewed FROM gold.fact_engagement),
            placed AS (SELECT period, kind, hours,
              row_number() OVER (PARTITION BY period, kind ORDER BY hours DESC NULLS LAST) AS place,
              count(*) OVER (PARTITION BY period, kind) AS titles,
              sum(hours) OVER (PARTITION BY period, kind)::DOUBLE AS total,
              sum(hours) OVER (PARTITION BY period, kind ORDER BY hours DESC NULLS LAST
                ROWS UNBOUNDED PRECEDING)::DOUBLE AS so_far FROM said)
            SELECT period, kind, ceil({STEPS} * place / titles)::INT AS step, max(place) AS titles,
              round(max(so_far) / max(total), 5) AS share
            FROM placed WHERE total > 0 GROUP BY ALL ORDER BY ALL"""
    )


def _titles(reader: Reader) -> dict[str, list[Any]]:
    """The most watched titles of each half-year, and every one that was in a chart of the world meanwhile, with the
    weeks in which it was."""
    charted = (
        """SELECT e.period, e.chart_title_key, count(DISTINCT w.week) AS weeks, min(w.weekly_rank) AS best
           FROM (SELECT DISTINCT period, period_start, period_end, chart_title_key FROM gold.fact_engagement) e
           JOIN gold.fact_top10_global_weekly w ON w.chart_title_key = e.chart_title_key
             AND w.week BETWEEN e.period_start AND e.period_end + 6 GROUP BY ALL"""
        if reader.has("gold.fact_top10_global_weekly")
        else "SELECT NULL::VARCHAR AS period, NULL::VARCHAR AS chart_title_key, 0 AS weeks, 0 AS best WHERE false"
    )
    return reader.columns(
        f"""WITH shows AS (SELECT period, chart_title_key, any_value(kind ORDER BY kind) AS kind,
              arg_max(show_title, hours_viewed) AS title, sum(hours_viewed)::DOUBLE AS hours,
              CAST(min(release_date) AS VARCHAR) AS released FROM gold.fact_engagement GROUP BY ALL),
            placed AS (SELECT *, row_number() OVER (PARTITION BY period ORDER BY hours DESC, chart_title_key) AS place
              FROM shows)
            SELECT p.period, p.kind, p.title, p.chart_title_key AS key, p.hours, p.released, p.place,
              coalesce(c.weeks, 0) AS weeks, c.best
            FROM placed p LEFT JOIN ({charted}) c USING (period, chart_title_key)
            WHERE p.place <= {MOST_TITLES} OR c.weeks > 0 ORDER BY p.period, p.place"""
    )
