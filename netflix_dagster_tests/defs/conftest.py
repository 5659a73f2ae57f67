"""Houses for the tests: an empty one, and one with a few deliveries built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster_tests.defs.house import House, title

DAYS = ("2020-01-01", "2020-02-01", "2020-03-01")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An empty landing folder, an empty lake, a new instance."""
    made = House(tmp_path)
    yield made
    made.instance.dispose()
