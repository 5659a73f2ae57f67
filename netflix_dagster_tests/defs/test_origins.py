"""Origins as assets: what is new is a materialisation and a delivery, what is not an observation and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from netflix_dagster.defs.origins import origin_assets, origin_key, origin_schedules
from netflix_dagster.defs.resources import Lake
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster_tests.landing.origins.server import Server, serving

BODY = b"cast,show_id\nUma Thurman,1\n"
SECRET = "s3cr3t-Value-0815"


@pytest.fixture
def server() -> Any:
    with serving() as running:
        yield running


def with_origin(url: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Sources:
    """The packaged sources, the cast's with an origin of the test's and the others with none."""
    packaged = load_sources()
    cast = packaged.sources["netflix_cast"].model_dump(exclude={"origin"})
    mine = Source.model_validate({**cast, "origin": {"url": url, "private": True, **more}})
    sources = Sources(feeds=packaged.feeds, sources={"netflix_cast": mine})
    monkeypatch.setattr(Lake, "sources", sources)
    return sources


def look(sources: Sources, folder: Path, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    lake = Lake(landing=str(folder / "landing"), lake=str(folder / "lake"))
    return dg.materialize(origin_assets(sources), resources={"lake": lake}, instance=instance, raise_on_error=False)


def events(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    """The metadata of what was told of the asset, with the kind of the event."""
    found = []
    for event in result.all_events:
        if event.is_step_materialization or event.event_type_value == "ASSET_OBSERVATION":
            data: Any = event.event_specific_data
            told = data.materialization if event.is_step_materialization else data.asset_observation
            assert told.asset_key == origin_key("netflix_cast")
            kind = "materialized" if event.is_step_materialization else "observed"
            found.append({"kind": kind, **{name: value.value for name, value in told.metadata.items()}})
    return found


def test_a_new_file_is_a_materialisation_and_an_unchanged_one_an_observation(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.file("/netflix_cast.csv", BODY, ETag='"1"', Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    url = server.url("/netflix_cast.csv")
    sources, instance = with_origin(url, monkeypatch), dg.DagsterInstance.ephemeral()
    (told,) = events(look(sources, tmp_path, instance))
    assert told.pop("sha256") and told == {
        "kind": "materialized", "url": url, "outcome": "delivered", "delivery": "2024-05-06",
        "file": "netflix_cast.csv", "bytes": len(BODY), "etag": '"1"',
    }  # fmt: skip
    (again,) = events(look(sources, tmp_path, instance))
    assert (again["kind"], again["outcome"]) == ("observed", "unchanged")
    assert (tmp_path / "landing" / "netflix_cast" / "2024-05-06" / "netflix_cast.csv").read_bytes() == BODY


def test_what_goes_wrong_fails_the_run_in_words_and_without_the_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAST_TOKEN", SECRET)
    server.answers["/netflix_cast.csv"] = lambda asked: asked.answer(b"", 403)
    url = server.url(f"/netflix_cast.csv?sig={SECRET}")
    sources, instance = with_origin(url, monkeypatch, token="env://CAST_TOKEN"), dg.DagsterInstance.ephemeral()
    result = look(sources, tmp_path, instance)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "answers 403" in str(failure.step_failure_data.user_failure_data)
    assert "sig=" in server.asked[0].path and server.asked[0].headers["Authorization"].endswith(SECRET)
    stored = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
    said = capfd.readouterr()
    assert SECRET not in stored + said.out + said.err + repr(origin_assets(sources)[0].specs_by_key)


def test_every_origin_has_a_schedule_that_is_off() -> None:
    sources = load_sources()
    schedules = {schedule.name: schedule for schedule in origin_schedules(sources)}
    charts = schedules["top10_global_origin_schedule"]
    assert (charts.cron_schedule, charts.execution_timezone) == ("30 14 * * *", "UTC")
    assert {schedule.default_status for schedule in schedules.values()} == {dg.DefaultScheduleStatus.STOPPED}
