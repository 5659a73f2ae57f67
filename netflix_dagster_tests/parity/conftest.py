"""Apache Spark for tests: there, or it is said what lacks."""

from __future__ import annotations

import os

import pytest

from netflix_dagster.engine import jars
from netflix_dagster.settings import get_settings


@pytest.fixture(scope="session", autouse=True)
def apache_spark() -> None:
    """Skip when Java or the jars of Spark are not there, saying how to get them; in CI they must be."""
    try:
        jars.java()
        jars.found(get_settings().spark_jars)
    except jars.JarsError as lacking:
        if os.environ.get("CI"):
            pytest.fail(f"{lacking} (in CI it must be there)", pytrace=False)
        pytest.skip(str(lacking))
