"""Gold: a star schema over silver. Titles with their history, the dimensions they share, bridges, facts and KPIs."""

# isort: off
from netflix_dagster.tables.gold import charts
from netflix_dagster.tables.gold import kpi_top10
from netflix_dagster.tables.gold import engagement
from netflix_dagster.tables.gold import title_chart
from netflix_dagster.tables.gold import dimensions
from netflix_dagster.tables.gold import bridges
from netflix_dagster.tables.gold import catalogue_change
from netflix_dagster.tables.gold import release_facts
from netflix_dagster.tables.gold import kpi_catalogue
from netflix_dagster.tables.gold import viewing

__all__ = [
    "bridges",
    "catalogue_change",
    "charts",
    "dimensions",
    "engagement",
    "kpi_catalogue",
    "kpi_top10",
    "release_facts",
    "title_chart",
    "viewing",
]
