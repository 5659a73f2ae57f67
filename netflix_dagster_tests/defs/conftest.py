"""Houses for the tests: an empty one, and copies of one in which a few deliveries were built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.lakehouse import title

FIRST, SECOND, SPLIT = "2020-01-01", "2020-02-01", "2020-02-15"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An empty landing folder, an empty lake, a new instance."""
    made = House(tmp_path)
    yield made
    made.instance.dispose()


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two whole releases and a split one, built as one range. Not to be touched: ask for ``built``."""
    made = House(tmp_path_factory.mktemp("original"))
    made.release(FIRST, *map(title, (1, 2, 3, 4)), title(9, release_year="soon"))
    made.release(SECOND, title(1), title(2, rating="TV-MA"), *map(title, (3, 5, 6)))
    made.split(SPLIT, title(1), title(2, rating="TV-MA"), *map(title, (4, 5, 6, 7)))
    made.result = made.run(FIRST, SPLIT)
    assert made.result.success
    return made


@pytest.fixture
def built(original: House, tmp_path: Path) -> Iterator[House]:
    """A house with two whole releases and a split one, built."""
    made = original.copy(tmp_path)
    yield made
    made.instance.dispose()
