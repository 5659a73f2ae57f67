"""Databricks: the jobs that build tables there, and the far end of Dagster Pipes."""
