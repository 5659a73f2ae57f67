"""A medallion lakehouse on Netflix's public data: Dagster assets over plain PySpark functions."""
