"""Gold: a star schema over silver. Titles with their history, the dimensions they share, bridges, facts and KPIs."""

# isort: off
from netflix_dagster.tables.gold import dim_title
from netflix_dagster.tables.gold import dimensions
from netflix_dagster.tables.gold import bridges
from netflix_dagster.tables.gold import catalogue_change
from netflix_dagster.tables.gold import kpi_catalogue

__all__ = ["bridges", "catalogue_change", "dim_title", "dimensions", "kpi_catalogue"]
