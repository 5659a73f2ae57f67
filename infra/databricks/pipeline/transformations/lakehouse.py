"""What the pipeline consists of: every table of the contract."""

from netflix_dagster import pipelines

pipelines.register()
