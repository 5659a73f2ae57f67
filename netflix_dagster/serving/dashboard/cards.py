"""What the cards show: which metrics, or which columns of gold where a card lists rows. The page *Where from?* follows
them to the files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import netflix_dagster.tables  # noqa: F401  declares the tables and the metrics
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.contracts.metrics import METRICS, Fact, Metric, parts

_TEXT, _WORD = re.compile(r"'[^']*'"), re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Card:
    """One card of a page. ``id`` is its place in the page; ``columns`` are full names, ``gold.<table>.<column>``."""

    page: str
    id: str
    label: str
    metrics: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def _of(table: str, *columns: str) -> tuple[str, ...]:
    return tuple(f"gold.{table}.{column}" for column in columns)


_PLACE = ("week", "category", "weekly_rank", "show_title", "season_title")
CARDS = (
    Card("catalogue", "growth", "Titles by release", ("titles", "net_growth")),
    Card("catalogue", "movement", "Arrivals and departures", ("changed_titles",)),
    Card(
        "catalogue", "changes", "Which titles came and went", ("changed_titles",), _of("dim_title", "title", "rating")
    ),
    Card("catalogue", "added", "Titles by month added", ("titles",), _of("dim_title", "date_added")),
    Card("catalogue", "genres", "Titles by genre", ("genre_titles",)),
    Card("catalogue", "countries", "Titles by country", ("country_titles",)),
    Card("catalogue", "ratings", "Titles by rating", ("titles",), _of("dim_title", "rating")),
    Card("catalogue", "lags", "Lag to addition", ("lag_to_addition_median", "lag_to_addition_mean")),
    Card("catalogue", "lengths", "Length of movies", ("movie_minutes_median", "movie_minutes_longest")),
    Card("catalogue", "seasons", "Seasons of shows", ("shows", "show_seasons_mean")),
    Card("catalogue", "people", "Top people", ("cast_titles", "director_titles")),
    Card("catalogue", "pairs", "Co-productions", ("pair_titles", "co_production_share")),
    Card("charts", "top10", "A week's Top 10", ("hours",), _of("fact_top10_global_weekly", *_PLACE)),
    Card("charts", "run", "A title's run", ("hours", "views"), _of("fact_top10_global_weekly", *_PLACE)),
    Card("charts", "bump", "Movement", (), _of("fact_top10_global_weekly", *_PLACE, "cumulative_weeks_in_top_10")),
    Card("charts", "reach", "Reach by country", ("country_reach",)),
    Card("charts", "hours", "Hours by week", ("hours",)),
    Card("charts", "retention", "Retention", ("retention",)),
    Card("charts", "concentration", "Concentration of a chart", ("concentration", "leader_share")),
    Card("charts", "languages", "Non-English share", ("non_english_share",)),
    Card(
        "charts", "restatements", "Restatements", (), _of("fact_top10_restatement", "field", "said_before", "said_now")
    ),
    Card("engagement", "most", "Most watched", ("engagement_hours",)),
    Card("engagement", "concentration", "Concentration of hours", ("engagement_hours", "engagement_titles")),
    Card("engagement", "weeks", "Hours against weeks", ("engagement_hours",), _of("fact_top10_global_weekly", "week")),
    Card("engagement", "released", "Hours by year", ("engagement_hours",), _of("fact_engagement", "release_date")),
    Card("title", "runs", "A title's places", ("hours", "views"), _of("fact_top10_global_weekly", *_PLACE)),
    Card("title", "versions", "Versions of a title", (), _of("dim_title", "title", "valid_from", "changed_columns")),
    Card("title", "reports", "Reports of a title", ("engagement_hours", "engagement_views")),
    Card("title", "countries", "Countries of a title", ("country_reach",)),
)


def metrics() -> dict[str, dict[str, Any]]:
    """Every metric as the pages need it: what it means, its unit, the columns of its fact that it is made of."""
    return {
        name: {
            "label": metric.meaning,
            "meaning": metric.meaning,
            "unit": metric.unit,
            "format": metric.format,
            "fact": metric.fact,
            "columns": [f"{metric.fact}.{column}" for column in sorted(_columns(metric))],
        }
        for name, metric in METRICS.items()
    }


def _columns(metric: Metric) -> set[str]:
    """The columns that a metric is made of. A count is of rows, and those the key of the fact tells apart."""
    texts = [metric.where or ""]
    for part in parts(metric.expression):
        said = (getattr(part, field.name) for field in fields(part))
        texts += [text for text in said if isinstance(text, str)]
    found = {column for text in texts for column in _named(metric.of, text)}
    return found or set(metric.of.contract.key)


def _named(fact: Fact, sql: str) -> Iterator[str]:
    derived = {column.name: column.sql for column in fact.derived}
    for word in _WORD.findall(_TEXT.sub("", sql)):
        if word in derived:
            yield from _named(fact, derived[word])
        elif word in fact.contract.column_names:
            yield word


def _check() -> None:
    """Refuse a card that speaks of what there is not, when the code loads."""
    known = {f"{table.name}.{column}" for table in TABLES.values() for column in table.column_names}
    faults = [
        f"{card.page}/{card.id}: no metric {name}" for card in CARDS for name in card.metrics if name not in METRICS
    ]
    faults += [
        f"{card.page}/{card.id}: no column {name}" for card in CARDS for name in card.columns if name not in known
    ]
    if faults:
        raise ContractError("; ".join(faults))


_check()
