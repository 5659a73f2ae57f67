"""Silver: typed, cleaned, repaired and judged. Whole releases and split files meet here in the same tables."""

# isort: off
from netflix_dagster.tables.silver import titles
from netflix_dagster.tables.silver import title_lists

__all__ = ["title_lists", "titles"]
