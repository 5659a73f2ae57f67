"""A run tells Application Insights of its work: one trace from landing to gold, the right numbers, no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from netflix_dagster.azure import telemetry as azure
from netflix_dagster.build import telemetry
from netflix_dagster.defs.silence import freshness_sensor
from netflix_dagster.landing.sources import load_sources
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.emulators.appinsights import Insights, insights, telling
from netflix_dagster_tests.emulators.serving import Asked, Said, serving
from netflix_dagster_tests.lakehouse import title

CATALOGUE = "bronze.netflix_catalogue"
CHAIN = (CATALOGUE, "silver.titles", "silver.releases", "gold.dim_rating")
GOOD, BAD, RANGE = "2020-01-01", "2020-02-01", ("2020-03-01", "2020-03-02", "2020-03-03")
PAGE = "<!DOCTYPE html><html><head><title>Moved</title></head></html>"


@dataclass
class Story:
    """Four runs: a good delivery, a bad one, the bad one mended, and three at once of which one is bad."""

    house: House
    stub: Insights
    good: dg.ExecuteInProcessResult
    bad: dg.ExecuteInProcessResult
    mended: dg.ExecuteInProcessResult
    several: dg.ExecuteInProcessResult

    def of(self, table: str, run: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
        """What was told of one run."""
        return [row for row in self.stub.rows(table) if row["operation_Id"] == run.run_id.replace("-", "")]

    def span(self, name: str, run: dg.ExecuteInProcessResult) -> dict[str, Any]:
        (found,) = [row for row in self.of("dependencies", run) if row["name"] == name]
        return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    house = House(tmp_path_factory.mktemp("house"))
    with insights() as stub, telling(stub.connection, tmp_path_factory.mktemp("kept")):
        house.release(GOOD, *map(title, (1, 2, 3, 4)), title(9, release_year="soon"))
        good = house.run(GOOD, only=CHAIN)
        file = house.land("netflix_catalogue", BAD, PAGE)
        bad = house.run(BAD, only=CHAIN)
        file.unlink()
        house.release(BAD, *map(title, (1, 2, 3, 4)))
        mended = house.run(BAD, only=CHAIN)
        house.release(RANGE[0], *map(title, (1, 2, 3, 4)))
        house.land("netflix_catalogue", RANGE[1], PAGE)
        house.release(RANGE[2], *map(title, (1, 2, 3, 4, 5)))
        several = house.run(RANGE[0], RANGE[2], only=CHAIN)
        assert [run.success for run in (good, bad, mended, several)] == [True, True, True, True]
        yield Story(house, stub, good, bad, mended, several)
    house.instance.dispose()


def test_a_delivery_is_one_trace_whose_id_is_the_runs(story: Story) -> None:
    (root,) = story.of("requests", story.good)
    spans = story.of("dependencies", story.good)
    assert root["success"] and root["name"] == "catalogue_delivery"
    assert root["operation_ParentId"] is None
    assert root["customDimensions"] == {
        "netflix.run": story.good.run_id,
        "netflix.job": "catalogue_delivery",
        "netflix.feed": "catalogue",
        "netflix.delivery": GOOD,
    }
    assert [span["name"] for span in spans if span["name"] != "landing"] == list(CHAIN)
    assert {span["operation_ParentId"] for span in spans if span["name"] in CHAIN} == {root["id"]}
    assert story.span("landing", story.good)["operation_ParentId"] == story.span(CATALOGUE, story.good)["id"]
    assert all(span["success"] for span in spans)


def test_landing_says_what_arrived_and_when(story: Story) -> None:
    said = story.span("landing", story.good)["customDimensions"]
    file = story.house.landing / "netflix_catalogue" / GOOD / "file.csv"
    assert said["netflix.uploaded_at"] == datetime.fromtimestamp(file.stat().st_mtime_ns / 1e9, UTC).isoformat()
    assert float(said["netflix.waited"]) > 0
    assert (said["netflix.bytes"], said["netflix.files"]) == (str(file.stat().st_size), "1")
    assert said["netflix.source"] == "netflix_catalogue"


def test_a_table_says_what_it_wrote_and_refused(story: Story) -> None:
    said = story.span("silver.titles", story.good)["customDimensions"]
    written = [row for row in story.house.rows("silver.titles") if row["delivery_date"].isoformat() == GOOD]
    refused = story.house.quarantined("silver.titles", GOOD)
    assert (len(written), len(refused)) == (4, 1)
    assert (said["netflix.rows"], said["netflix.quarantined"]) == (str(len(written)), str(len(refused)))
    assert said["netflix.status"] == "built"


@pytest.mark.parametrize("table", CHAIN[:2])
def test_metrics_are_the_numbers_of_the_tables(story: Story, table: str) -> None:
    days = {GOOD, BAD, *RANGE}
    written = [row for row in story.house.rows(table) if row["delivery_date"].isoformat() in days]
    refused = [row for day in days for row in story.house.quarantined(table, day)]
    assert story.stub.metric("netflix.rows", table=table) == len(written) > 0
    again = 1 if table == CATALOGUE else 0  # the page that was mended: its refusal left the quarantine
    assert story.stub.metric("netflix.quarantined", table=table) == len(refused) + again > 0
    builds = [row for row in story.stub.rows("customMetrics") if row["name"] == "netflix.duration"]
    spans = [span["customDimensions"] for span in story.stub.rows("dependencies") if span["name"] == table]
    built = [said for said in spans if said["netflix.status"] != "unchanged"]
    assert sum(r["valueCount"] for r in builds if r["customDimensions"]["netflix.table"] == table) == len(built)


def test_bytes_are_those_that_landed(story: Story) -> None:
    landed = sum(path.stat().st_size for path in story.house.landing.rglob("*.csv"))
    assert story.stub.metric("netflix.bytes", feed="catalogue") == landed + len(PAGE)


def test_metrics_have_few_dimensions(story: Story) -> None:
    allowed = {"netflix.table", "netflix.layer", "netflix.feed"}
    ours = [row for row in story.stub.rows("customMetrics") if row["name"].startswith("netflix.")]
    assert {row["name"] for row in ours} == set(telemetry.METRICS) - {telemetry.FRESHNESS}
    assert all(set(row["customDimensions"]) <= allowed for row in ours)


def test_everything_that_is_told_has_a_name_that_is_written_down(story: Story) -> None:
    tables = ("requests", "dependencies", "exceptions", "traces")
    told = {name for table in tables for row in story.stub.rows(table) for name in row["customDimensions"]}
    assert {name for name in told if name.startswith("netflix.")} <= set(telemetry.ATTRIBUTES)


def test_a_refused_delivery_is_told_with_its_reason_and_is_no_failure_of_the_run(story: Story) -> None:
    (root,) = story.of("requests", story.bad)
    (why,) = story.of("exceptions", story.bad)
    assert root["success"]
    assert not story.span(CATALOGUE, story.bad)["success"]
    assert story.span(CATALOGUE, story.bad)["customDimensions"]["netflix.status"] == "held back"
    status = {s["name"]: s["customDimensions"].get("netflix.status") for s in story.of("dependencies", story.bad)}
    as_it_was = dict.fromkeys(("silver.titles", "silver.releases"), "unchanged")
    assert status == {CATALOGUE: "held back", "landing": None} | as_it_was
    assert why["type"] == "HeldBack" and "HTML page (Moved)" in why["outerMessage"]
    assert why["customDimensions"]["netflix.delivery"] == BAD


def test_a_mended_delivery_leads_back_to_the_run_that_refused_it(story: Story) -> None:
    links = json.loads(story.span(CATALOGUE, story.mended)["customDimensions"]["_MS.links"])
    assert links == [
        {"operation_Id": story.bad.run_id.replace("-", ""), "id": story.of("requests", story.bad)[0]["id"]}
    ]
    assert story.of("requests", story.mended)[0]["success"]


def test_several_deliveries_in_one_run_are_told_apart(story: Story) -> None:
    said = {
        row["customDimensions"]["netflix.delivery"]: row["customDimensions"]
        for row in story.of("traces", story.several)
        if row["customDimensions"]["netflix.table"] == CATALOGUE
    }
    assert {day: (row["netflix.rows"], row["netflix.status"]) for day, row in said.items()} == {
        RANGE[0]: ("4", "built"),
        RANGE[1]: ("0", "held back"),
        RANGE[2]: ("5", "built"),
    }
    assert story.span(CATALOGUE, story.several)["customDimensions"]["netflix.status"] == "partly held back"
    landed = [span for span in story.of("dependencies", story.several) if span["name"] == "landing"]
    assert {span["customDimensions"]["netflix.delivery"] for span in landed} == set(RANGE)
    assert {row["customDimensions"]["netflix.delivery"] for row in story.of("exceptions", story.several)} == {RANGE[1]}


def test_no_secret_leaves(house: House, tmp_path: Path) -> None:
    secret = "planted-s3cr3t-value"
    with insights() as stub, telling(stub.connection, tmp_path) as patch:
        patch.setenv("SOME_SERVICE_TOKEN", secret)
        (house.landing / "netflix_catalogue" / GOOD / f"{secret}.csv").mkdir(parents=True)
        house.instance.add_dynamic_partitions("catalogue_deliveries", [GOOD])
        house.run(GOOD, only=[CATALOGUE])
        assert "[hidden].csv is a directory" in stub.rows("exceptions")[0]["outerMessage"]
        assert stub.bodies and not [body for body in stub.bodies if secret.encode() in body]


def test_an_error_that_is_none_of_a_delivery_is_told(house: House, tmp_path: Path) -> None:
    house.release(GOOD, title(1))
    with insights() as stub, telling(stub.connection, tmp_path) as patch:
        patch.setattr("netflix_dagster.build.conservation.prove_bronze", None)
        assert not house.run(GOOD, only=[CATALOGUE]).success
        assert "TypeError" in {row["type"] for row in stub.rows("exceptions")}
        assert not stub.rows("requests")[0]["success"]


def test_a_mistake_in_what_is_told_harms_no_build(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.release(GOOD, title(1))
    with insights() as stub, telling(stub.connection, tmp_path) as patch:
        patch.delitem(telemetry.METRICS, telemetry.ROWS)
        assert house.run(GOOD, only=[CATALOGUE]).success
    assert "could not be told" in caplog.text and len(house.rows(CATALOGUE)) == 1


def test_a_file_may_bear_any_time() -> None:
    assert telemetry._instant(0) == "1970-01-01T00:00:00+00:00"
    assert telemetry._instant(1e15) == "1000000000000000 s"


def test_an_interrupted_run_is_none_that_succeeded(tmp_path: Path) -> None:
    with insights() as stub, telling(stub.connection, tmp_path):
        with pytest.raises(KeyboardInterrupt), telemetry.run("a-run", "a_job", {}):
            raise KeyboardInterrupt
        (root,) = stub.rows("requests")
    assert not root["success"]


def test_what_is_not_taken_is_sent_by_a_later_run(house: House, tmp_path: Path) -> None:
    house.release(GOOD, title(1))
    with insights() as stub, telling(stub.connection, tmp_path):
        stub.status = 500
        first = house.run(GOOD, only=[CATALOGUE])
        assert first.success and stub.bodies and not stub.items
        stub.status = 200
        for kept in tmp_path.rglob("*.lock"):  # the minute that it waits is over
            kept.rename(kept.with_name(kept.name.split("@")[0]))
        second = house.run(GOOD, only=[CATALOGUE])
        assert {row["customDimensions"]["netflix.run"] for row in stub.rows("requests")} == {
            first.run_id,
            second.run_id,
        }


def test_nobody_there_harms_no_build(house: House, tmp_path: Path) -> None:
    with insights() as gone:
        connection = gone.connection
    house.release(GOOD, title(1))
    with telling(connection, tmp_path):
        assert house.run(GOOD, only=[CATALOGUE]).success
    assert len(house.rows(CATALOGUE)) == 1


def test_a_run_does_not_wait_for_who_does_not_answer(house: House, tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    def take(_asked: Asked) -> Said:
        asked.set()
        answer.wait(60)
        return Said.json({})

    house.release(GOOD, title(1))
    with serving(take) as port:
        connection = (
            f"InstrumentationKey=00000000-0000-0000-0000-00000000abce;IngestionEndpoint=http://127.0.0.1:{port}/"
        )
        try:
            with telling(connection, tmp_path) as patch:
                patch.setattr(azure, "FLUSH_SECONDS", 0.5)
                assert house.run(GOOD, only=[CATALOGUE]).success
                assert asked.is_set() and not answer.is_set()
        finally:
            answer.set()


def test_a_wrong_setting_is_told_and_harms_no_build(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house.release(GOOD, title(1))
    with telling("InstrumentationKey=not-a-key", tmp_path):
        assert house.run(GOOD, only=[CATALOGUE]).success
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING cannot be used" in caplog.text


def test_without_the_setting_nothing_is_imported(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.lakehouse import title
house = House(Path({str(tmp_path)!r}))
house.release({GOOD!r}, title(1))
assert house.run({GOOD!r}, only=[{CATALOGUE!r}]).success
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "azure.monitor", "azure.core"))])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=_without())
    assert said.stdout.strip() == "[]"


def test_the_silence_of_feeds_is_measured(story: Story) -> None:
    sensor = freshness_sensor(load_sources().feeds)
    story.stub.clear()
    with dg.build_sensor_context(instance=story.house.instance, resources={"lake": story.house.lake}) as context:
        said = sensor(context)
    assert isinstance(said, dg.SkipReason) and str(said.skip_message).startswith(
        "since the last delivery: catalogue: 0.0"
    )
    (told,) = [row for row in story.stub.rows("customMetrics") if row["name"] == "netflix.freshness"]
    assert told["customDimensions"] == {"netflix.feed": "catalogue", "netflix.expected_every_days": "400"}
    assert 0 <= told["value"] < 1


def _without() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != azure.CONNECTION}
