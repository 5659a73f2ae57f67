"""Drift on the deliveries as they really came: what changed is told, and nothing that did not."""

from __future__ import annotations

from pathlib import Path

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build.door import Door
from netflix_dagster.deliveries.life import Life
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings

pytestmark = pytest.mark.real

TOLD = {
    "top10_global": {
        "2023-07-26": "since 2023-05-31: new runtime, weekly_views, is_staggered_launch, episode_launch_details"
    },
    "top10_countries": {},
    "most_popular": {
        "2023-07-26": "since 2023-05-31: new hours_viewed_first_91_days, runtime, views_first_91_days;"
        " gone hours_viewed_first_28_days"
    },
    "netflix_catalogue": {"2021-01-18": "since 2020-01-20: retyped show_id: integer -> text"},
    "engagement": {"2024-05-23": "since 2023-12-12: new runtime, views"},
}


@pytest.mark.parametrize("source", TOLD)
def test_the_real_drift_of_a_source_is_told_and_no_other(landing: Path, tmp_path: Path, source: str) -> None:
    days = sorted(folder.name for folder in (landing / source).iterdir())
    door = Door(Settings(landing=landing, lake=tmp_path), load_sources(), "run")
    door.receive(Life(), [(source, day) for day in days])
    checks = {day: found.drift for (_, day), found in door.received.items() if found.drift}
    assert checks.keys() == set(days)
    assert {day: check.message for day, check in checks.items() if not check.passed} == TOLD[source]
