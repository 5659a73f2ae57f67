"""The wheel of the bundle, built once."""

from __future__ import annotations

import pytest

from netflix_dagster_tests.infra.wheel import Wheel, build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return build(tmp_path_factory.mktemp("wheel"))
