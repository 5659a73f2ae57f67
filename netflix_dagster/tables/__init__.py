"""What the tables are. Importing this package declares every table, bronze to gold, in build order."""

# isort: off
from netflix_dagster.tables import bronze
from netflix_dagster.tables import silver
from netflix_dagster.tables import gold

__all__ = ["bronze", "gold", "silver"]
