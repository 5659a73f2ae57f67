"""The figures of the lakehouse, each said once. How to add one is in docs/metrics.md; the language is in
``contracts/metrics.py``.
"""

from __future__ import annotations

from netflix_dagster.contracts.metrics import (
    Average,
    Count,
    CountDistinct,
    Derived,
    Difference,
    Dimension,
    Fact,
    Figure,
    Maximum,
    Median,
    Metric,
    Previous,
    Ratio,
    Share,
    Sum,
    declare,
)

TOP = 100
"""How many members the rankings of people, pairs of countries and long movies keep (ties included)."""
EVERGREEN_WEEKS = 10
"""Weeks in the Top 10 from which a title counts as evergreen."""
WIDEST = 10
"""How many places of the ranking of titles by country reach are kept (ties included)."""

CATALOGUE, CHARTS, ENGAGEMENT, VIEWING = "team:catalogue", "team:charts", "team:engagement", "team:viewing"
_TITLE, _LISTING, _CHANGE = "gold.fact_release_title", "gold.fact_release_listing", "gold.fact_catalogue_change"
_WORLD, _COUNTRY = "gold.fact_top10_global_weekly", "gold.fact_top10_country_weekly"
_REPORT, _HOURLY = "gold.fact_engagement", "gold.fact_viewing_hourly"
_SHARE, _MEAN = ".1%", ",.1f"

_OF_CHART = "OVER (PARTITION BY week, category)"
_RUN_OF_TITLE = "OVER (PARTITION BY category, chart_title_key, COALESCE(season_title, '') ORDER BY week)"

_RELEASE = Dimension("release", "Release of the catalogue: the date of its delivery", "release_date")
_WEEK = Dimension("week", "Sunday on which the week ends", "week")
_KIND = Dimension("kind", "film or tv", "kind")
_OF_CATEGORY = Dimension("category", "Category of the chart, such as Films (English)", "category")
_CHARTED = Dimension("title", "The title as charts and reports name it, such as film|red notice", "chart_title_key")

FACTS = [
    Fact(
        _TITLE,
        period="release",
        dimensions=(
            _RELEASE,
            Dimension("type", "Movie or TV Show", "type"),
            Dimension("rating", "Maturity rating", "rating"),
            Dimension("rating_family", "System that the rating belongs to", "rating_family"),
            Dimension("release_year", "Year of first release", "CAST(release_year AS STRING)"),
            Dimension("month_added", "Month of addition, yyyy-mm", "SUBSTRING(CAST(date_added AS STRING), 1, 7)"),
            Dimension("seasons", "Seasons of a show", "CAST(duration_seasons AS STRING)"),
            Dimension("title", "The title, by its durable key", "title_key"),
        ),
        derived=(
            Derived(
                "lag_years",
                "int",
                "Years from the release anywhere to the addition to Netflix",
                "YEAR(date_added) - release_year",
            ),
        ),
    ),
    Fact(
        _LISTING,
        period="release",
        dimensions=(_RELEASE, Dimension("member", "Who or what the list names", "member")),
    ),
    Fact(
        _CHANGE,
        period="release",
        dimensions=(_RELEASE, Dimension("change", "added, changed or removed", "change")),
    ),
    Fact(
        _WORLD,
        period="week",
        step=7,
        dimensions=(
            _WEEK,
            _OF_CATEGORY,
            _KIND,
            Dimension("language", "English or Non-English", "language"),
            _CHARTED,
        ),
        derived=(
            Derived(
                "hours_share",
                "double",
                "The place's share of the hours of its chart, if every place states them",
                f"CASE WHEN COUNT(weekly_hours_viewed) {_OF_CHART} = COUNT(*) {_OF_CHART}"
                " THEN CAST(weekly_hours_viewed AS DOUBLE) /"
                f" NULLIF(CAST(SUM(CAST(weekly_hours_viewed AS DECIMAL(20,0))) {_OF_CHART} AS DOUBLE), 0) END",
            ),
            Derived(
                "listing",
                "string",
                "The title in its chart, seasons apart",
                "category || CHR(31) || chart_title_key || CHR(31) || COALESCE(season_title, '')",
            ),
            Derived(
                "days_away",
                "int",
                "Days since the chart listed it last, null at first",
                f"DATEDIFF(week, LAG(week) {_RUN_OF_TITLE})",
            ),
        ),
    ),
    Fact(
        _COUNTRY,
        period="week",
        step=7,
        dimensions=(
            _WEEK,
            _OF_CATEGORY,
            _KIND,
            Dimension("country", "ISO code of the country", "country_iso2"),
            _CHARTED,
        ),
    ),
    Fact(
        _REPORT,
        period="period",
        dimensions=(Dimension("period", "Half-year, such as 2023H1", "period"), _KIND, _CHARTED),
    ),
    Fact(
        _HOURLY,
        period="day",
        step=1,
        dimensions=(
            Dimension("day", "Day on which the viewing began (UTC)", "event_date"),
            Dimension("hour", "Hour in which the viewing began, such as 2026-11-20T13 (UTC)", "event_hour"),
            Dimension("title", "The title, by its durable key", "title_key"),
            Dimension("country", "ISO code of the country", "country"),
            Dimension("device", "What it was watched on, such as tv, phone", "device"),
        ),
    ),
]

_FOREIGN_HOURS = "CASE WHEN language = 'Non-English' THEN weekly_hours_viewed ELSE 0 END"

METRICS = [
    # What a release holds
    Metric(
        "titles",
        "Titles in the catalogue",
        "titles",
        CATALOGUE,
        _TITLE,
        Count(),
        by=("type", "rating", "rating_family", "release_year", "month_added", "title"),
        over_time="last",
    ),
    Metric(
        "net_growth",
        "Titles that a release has more than the one before",
        "titles",
        CATALOGUE,
        _TITLE,
        Difference(Count()),
        by=("type",),
        over_time="last",
        format="+,.0f",
    ),
    Metric(
        "net_growth_share",
        "Net growth, as a share of the titles of the release before",
        "share",
        CATALOGUE,
        _TITLE,
        Ratio(Difference(Count()), Previous(Count())),
        by=("type",),
        over_time="last",
        format="+.1%",
    ),
    *(
        Metric(
            f"lag_to_addition_{name}",
            f"Years from a title's release anywhere to its addition to Netflix, {name}",
            "years",
            CATALOGUE,
            _TITLE,
            of("lag_years"),
            by=("type", "rating", "release_year", "month_added"),
            where="date_added IS NOT NULL",
            over_time="last",
            format=_MEAN,
        )
        for name, of in (("mean", Average), ("median", Median))
    ),
    *(
        Metric(
            f"movie_minutes_{name}",
            f"Length of movies, {name}",
            "minutes",
            CATALOGUE,
            _TITLE,
            of("duration_minutes"),
            by=("rating", "release_year", "month_added", "title"),
            where="duration_minutes IS NOT NULL",
            over_time="last",
        )
        for name, of in (("mean", Average), ("median", Median), ("longest", Maximum))
    ),
    Metric(
        "shows",
        "Shows that state their seasons",
        "titles",
        CATALOGUE,
        _TITLE,
        Count(),
        by=("seasons", "rating", "release_year"),
        where="duration_seasons IS NOT NULL",
        over_time="last",
    ),
    Metric(
        "show_seasons_mean",
        "Seasons of a show, mean",
        "seasons",
        CATALOGUE,
        _TITLE,
        Average("duration_seasons"),
        by=("rating", "release_year", "title"),
        where="duration_seasons IS NOT NULL",
        over_time="last",
        format=_MEAN,
    ),
    # Who and what its titles list
    *(
        Metric(
            name,
            meaning,
            "titles",
            CATALOGUE,
            _LISTING,
            Count(),
            by=("member",),
            where=f"list = '{listed}'",
            over_time="last",
        )
        for name, meaning, listed in (
            ("country_titles", "Titles that a country produced, alone or with others", "country"),
            ("genre_titles", "Titles listed in a genre", "genre"),
            ("cast_titles", "Titles that someone is in the cast of", "cast"),
            ("director_titles", "Titles that someone directed", "director"),
            ("pair_titles", "Titles that two countries produced together", "country pair"),
        )
    ),
    Metric(
        "co_productions",
        "Titles that more than one country produced",
        "titles",
        CATALOGUE,
        _LISTING,
        Count(when="members > 1"),
        where="list = 'country' AND position = 1",
        over_time="last",
    ),
    Metric(
        "co_production_share",
        "Share of the titles that state a country which more than one produced",
        "share",
        CATALOGUE,
        _LISTING,
        Share("members > 1"),
        where="list = 'country' AND position = 1",
        over_time="last",
        format=_SHARE,
    ),
    Metric(
        "changed_titles",
        "Titles that a release added, changed or removed",
        "titles",
        CATALOGUE,
        _CHANGE,
        Count(),
        by=("change",),
        where="NOT is_baseline",
    ),
    # What the charts of the world come to
    Metric(
        "hours",
        "Hours viewed of the titles in the Top 10",
        "hours",
        CHARTS,
        _WORLD,
        Sum("weekly_hours_viewed"),
        by=("category", "kind", "language", "title"),
    ),
    Metric(
        "views",
        "Views (hours by runtime) of the titles in the Top 10",
        "views",
        CHARTS,
        _WORLD,
        Sum("weekly_views"),
        by=("category", "kind", "language", "title"),
    ),
    Metric(
        "views_per_title",
        "Views of a place of the Top 10, mean",
        "views",
        CHARTS,
        _WORLD,
        Average("weekly_views"),
        by=("category", "kind", "language"),
    ),
    Metric(
        "weeks_in_top10",
        "Weeks that a place of the Top 10 has been in it, mean",
        "weeks",
        CHARTS,
        _WORLD,
        Average("cumulative_weeks_in_top_10"),
        by=("category", "kind", "language"),
        format=_MEAN,
    ),
    Metric(
        "debuts",
        "Places of the Top 10 in their first week",
        "titles",
        CHARTS,
        _WORLD,
        Count(when="cumulative_weeks_in_top_10 = 1"),
        by=("category", "kind", "language"),
    ),
    Metric(
        "retention",
        "Share of last week's titles (seasons apart) that stayed in the chart",
        "share",
        CHARTS,
        _WORLD,
        Ratio(CountDistinct("listing", when="COALESCE(days_away, 0) = 7"), Previous(CountDistinct("listing"))),
        by=("category", "kind", "language"),
        over_time="last",
        format=_SHARE,
    ),
    Metric(
        "evergreen_share",
        f"Share of the places that have been in the Top 10 for {EVERGREEN_WEEKS} weeks or more",
        "share",
        CHARTS,
        _WORLD,
        Share(f"cumulative_weeks_in_top_10 >= {EVERGREEN_WEEKS}"),
        by=("category", "kind", "language"),
        format=_SHARE,
    ),
    Metric(
        "concentration",
        "Herfindahl index of the hours of a chart: 0.1 evenly spread, 1 all on one",
        "index",
        CHARTS,
        _WORLD,
        Sum("hours_share * hours_share", decimals=15),
        by=("category",),
        over_time="last",
        format=".3f",
    ),
    Metric(
        "leader_share",
        "Share of the hours of a chart that its largest title has",
        "share",
        CHARTS,
        _WORLD,
        Maximum("hours_share"),
        by=("category", "title"),
        over_time="last",
        format=_SHARE,
    ),
    Metric(
        "non_english_share",
        "Share of the hours that went to titles which are not in English",
        "share",
        CHARTS,
        _WORLD,
        Ratio(Sum(_FOREIGN_HOURS), Sum("weekly_hours_viewed")),
        by=("kind",),
        where="language IS NOT NULL",
        format=_SHARE,
    ),
    # What the charts of countries come to
    Metric(
        "country_reach",
        "Countries whose Top 10 has the title",
        "countries",
        CHARTS,
        _COUNTRY,
        CountDistinct("country_iso2"),
        where="kind IS NOT NULL",
        by=("title", "kind", "category"),
    ),
    Metric(
        "country_reach_mean",
        "Countries whose Top 10 has a title, mean over titles",
        "countries",
        CHARTS,
        _COUNTRY,
        Ratio(
            CountDistinct("chart_title_key || CHR(31) || country_iso2"),
            CountDistinct("chart_title_key"),
        ),
        where="kind IS NOT NULL",
        by=("kind", "category"),
        over_time="last",
        format=_MEAN,
    ),
    # What was watched in a half-year
    *(
        Metric(
            name, meaning, unit, ENGAGEMENT, _REPORT, Sum(column), by=("kind", "title"), where=f"{column} IS NOT NULL"
        )
        for name, meaning, unit, column in (
            ("engagement_hours", "Hours viewed in a half-year, of the titles that state them", "hours", "hours_viewed"),
            ("engagement_views", "Views in a half-year, of the titles that state them", "views", "views"),
        )
    ),
    Metric(
        "engagement_titles",
        "Titles in the report of a half-year",
        "titles",
        ENGAGEMENT,
        _REPORT,
        Count(),
        by=("kind",),
        over_time="last",
    ),
    # What was watched, hour by hour
    *(
        Metric(
            name, meaning, unit, VIEWING, _HOURLY, expression, by=("hour", "title", "country", "device"), format=form
        )
        for name, meaning, unit, expression, form in (
            ("watched_hours", "Hours viewed, as players report them", "hours", Sum("hours_viewed", decimals=4), _MEAN),
            (
                "watching_profiles",
                "Profiles that watched: each counts once in every hour, title, country and kind of device",
                "profiles",
                Sum("viewers"),
                ",.0f",
            ),
            (
                "late_event_share",
                "Share of the events that came in a later hour than they began in",
                "share",
                Ratio(Sum("late_events"), Sum("events")),
                _SHARE,
            ),
        )
    ),
]

_CATALOGUE, _TOP10 = "gold.kpi_catalogue", "gold.kpi_top10"

FIGURES = [
    Figure(_CATALOGUE, "titles", "titles"),
    *(
        Figure(_CATALOGUE, f"titles_by_{by}", "titles", by)
        for by in ("type", "rating", "rating_family", "release_year", "month_added")
    ),
    Figure(_CATALOGUE, "titles_by_country", "country_titles", "member"),
    Figure(_CATALOGUE, "titles_by_genre", "genre_titles", "member"),
    Figure(_CATALOGUE, "titles_by_change", "changed_titles", "change"),
    Figure(_CATALOGUE, "net_growth", "net_growth"),
    Figure(_CATALOGUE, "net_growth_share", "net_growth_share"),
    Figure(_CATALOGUE, "lag_to_addition_mean", "lag_to_addition_mean", "type"),
    Figure(_CATALOGUE, "lag_to_addition_median", "lag_to_addition_median", "type"),
    Figure(_CATALOGUE, "movie_minutes_mean", "movie_minutes_mean"),
    Figure(_CATALOGUE, "movie_minutes_median", "movie_minutes_median"),
    Figure(_CATALOGUE, "show_seasons_mean", "show_seasons_mean"),
    Figure(_CATALOGUE, "shows_by_seasons", "shows", "seasons"),
    Figure(_CATALOGUE, "longest_movies", "movie_minutes_longest", "title", top=TOP),
    Figure(_CATALOGUE, "co_productions", "co_productions"),
    Figure(_CATALOGUE, "co_production_share", "co_production_share"),
    Figure(_CATALOGUE, "co_production_pairs", "pair_titles", "member", top=TOP),
    Figure(_CATALOGUE, "top_cast", "cast_titles", "member", top=TOP),
    Figure(_CATALOGUE, "top_directors", "director_titles", "member", top=TOP),
    *(Figure(_TOP10, name, name, by) for name in ("hours", "views", "debuts") for by in ("category", None)),
    *(
        Figure(_TOP10, name, name, "category")
        for name in (
            *("views_per_title", "weeks_in_top10", "retention"),
            *("evergreen_share", "concentration", "leader_share"),
        )
    ),
    *(Figure(_TOP10, "non_english_share", "non_english_share", by) for by in ("kind", None)),
    Figure(_TOP10, "country_reach", "country_reach", "title", top=WIDEST, within="kind"),
    Figure(_TOP10, "country_reach_mean", "country_reach_mean", "kind"),
]

declare(FACTS, METRICS, FIGURES)
