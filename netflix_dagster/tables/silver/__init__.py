"""Silver: typed, cleaned, repaired, evaluated. Whole releases and split files meet here in the same tables."""

# isort: off
from netflix_dagster.tables.silver import titles
from netflix_dagster.tables.silver import title_lists
from netflix_dagster.tables.silver import releases
from netflix_dagster.tables.silver import spellings
from netflix_dagster.tables.silver import title_history
from netflix_dagster.tables.silver import charts
from netflix_dagster.tables.silver import chart_history
from netflix_dagster.tables.silver import chart_deliveries
from netflix_dagster.tables.silver import engagement
from netflix_dagster.tables.silver import viewing_events

__all__ = [
    "chart_deliveries",
    "chart_history",
    "charts",
    "engagement",
    "releases",
    "spellings",
    "title_history",
    "title_lists",
    "titles",
    "viewing_events",
]
