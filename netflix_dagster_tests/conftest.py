"""What every test can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    """The engine that builds the tables (``NETFLIX_ENGINE``), started once for all tests."""
    from netflix_dagster.lake import engines
    from netflix_dagster.settings import get_settings

    return engines.session(get_settings().engine)
