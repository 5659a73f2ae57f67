"""``python -m netflix_dagster.cli``."""

from netflix_dagster.cli import app

app()
