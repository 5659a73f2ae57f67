"""The pipelines, run on folders of this machine: every activity comes to its good end and to its bad one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.adf.factory import HERE
from infra.adf.pipelines import AT_ONCE
from infra.adf.words import Json
from netflix_dagster.azure.data_factory import PIPELINE
from netflix_dagster.landing import control
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster_tests.emulators.data_factory.engine import Factory, Run, Web, World
from netflix_dagster_tests.infra.adf.house import BODY, CAST, LAKE, LANDED, OTHER, URL, WALKED, House


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, url=URL)
    made.file(Last_Modified="Mon, 06 May 2024 10:00:00 GMT", Content_Type="text/csv; charset=utf-8")
    return made


def why(run: Run) -> str:
    """What the activities say that failed, innermost first."""
    return "\n".join(
        str(one.error["message"]) for part in reversed(run.everything()) for one in part.activities if one.error
    )


def test_a_file_lands_whole_under_the_date_of_its_origin_and_nobody_sees_half_of_it(house: House) -> None:
    run = house.run(sources=[CAST], any_day=True)
    assert (run.status, house.listed()) == ("Succeeded", LANDED), why(run)
    assert house.seen == [{}]  # while it was being copied
    assert (house.landing / CAST / "2024-05-06" / "cast.csv").read_bytes() == BODY


def test_what_has_not_changed_is_not_copied_again_and_what_has_is(house: House) -> None:
    house.run()
    again = house.run()
    assert again.status == "Succeeded" and [one.pipeline for one in again.everything()] == [PIPELINE, "land_source"]
    landed = house.landing / CAST / "2024-05-06" / "cast.csv"
    os.utime(landed, (0, 0))  # the origin has changed since
    house.file(body=BODY * 2, Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    assert house.run().status == "Succeeded" and house.listed() == {next(iter(LANDED)): 2 * len(BODY)}
    house.file(body=BODY * 3, Last_Modified="Tue, 07 May 2024 10:00:00 GMT")
    assert house.run().status == "Succeeded" and len(house.listed()) == 2


def test_an_origin_that_tells_no_date_lands_under_that_of_the_window(house: House) -> None:
    house.file(Content_Type="text/csv")
    assert house.run(until="2023-02-03T00:00:00Z").status == "Succeeded"
    assert list(house.listed()) == [f"{CAST} 2023-02-03 cast.csv"]


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({"Content_Type": "text/html"}, BODY, "bytes of text/html"),
        ({"Content_Type": "TEXT/HTML; charset=utf-8"}, BODY, "bytes of text/html"),
        ({"Content_Type": "text/csv"}, b"x" * (1024 * 1024 + 1), "answers with 1048577 bytes"),
        ({}, b"", "over limit"),
    ],
)
def test_what_is_not_the_file_is_refused_in_words(tmp_path: Path, headers: Any, body: bytes, said: str) -> None:
    house = House(tmp_path, url=URL, max_mb=1)
    house.file(body=body, **headers)
    run = house.run()
    assert run.status == "Failed" and said in why(run) and house.listed() == {}


def test_only_the_types_that_are_named_are_taken(tmp_path: Path) -> None:
    house = House(tmp_path, url=URL, types=["text/csv"])
    house.file(Content_Type="application/json")
    assert house.run().status == "Failed"
    house.file(Content_Type="text/csv;charset=utf-8", Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    assert house.run().status == "Succeeded" and house.listed() == LANDED


def test_a_file_that_is_cut_short_is_taken_away_again_and_the_run_fails(house: House) -> None:
    house.world.web[URL].cut = 5
    run = house.run()
    assert run.status == "Failed" and "came with 5 bytes, and its origin has 27" in why(run)
    assert house.listed() == {}
    house.world.web[URL].cut = None
    assert house.run().status == "Succeeded" and house.listed() == LANDED


@pytest.mark.parametrize("activity", ["Copy public", "Staged", "Publish", "Tidy up"])
def test_whatever_fails_the_run_fails_and_landing_is_as_it_was(house: House, activity: str) -> None:
    """The leaf rule: what tidies up must not make the run a success."""
    house.world.faults[("take_file", activity)] = 99
    if activity == "Tidy up":
        house.world.web[URL].cut = 5
        run = house.factory.run(PIPELINE)
        assert run.status == "Failed" and house.listed() == {}  # what is left is passed over
        WALKED.update(house.factory.walked)
        return
    run = house.run()
    assert run.status == "Failed" and house.listed() == {}
    assert "was not landed" in why(run) and "Not landed: Failed" in run.everything()[-1].path
    house.world.faults.clear()
    assert house.run().status == "Succeeded" and house.listed() == LANDED


@pytest.mark.parametrize("activity", ["Copy public", "Staged", "Publish"])
def test_a_fault_that_passes_is_tried_again(house: House, activity: str) -> None:
    house.world.faults[("take_file", activity)] = 2
    assert house.run().status == "Succeeded" and house.listed() == LANDED


def test_one_source_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    house = House(tmp_path, url=URL)
    table = house.factory.contents["pipeline"][PIPELINE]["parameters"]["table"]["defaultValue"]
    table.append({**table[0], "file": "other.csv", "name": "other.csv"})
    house.file(URL.replace("cast.csv", "other.csv"), Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    run = house.run()
    assert run.status == "Failed" and "status code: 404" in why(run)
    assert house.listed() == {f"{CAST} 2024-05-06 other.csv": len(BODY)}


def test_the_weekday_gate(tmp_path: Path) -> None:
    """Wednesday only, as cron says it; 2026-11-18 is one."""
    house = House(tmp_path, url=URL, fetch_at="30 14 * * 3")
    house.file(Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    for day, copies in (("17", 0), ("18", 1), ("19", 0)):
        house.world.asked.clear()
        assert house.run(until=f"2026-11-{day}T15:00:00Z").status == "Succeeded"
        assert len(house.world.asked) == 2 * copies
    house.world.asked.clear()
    assert house.run(until="2026-11-19T15:00:00Z", any_day=True).status == "Succeeded" and house.world.asked


def test_a_source_that_the_table_does_not_name_fails_the_run(house: House) -> None:
    run = house.run(sources=["netflix_kast"])
    assert run.status == "Failed" and 'is called ["netflix_kast"]' in why(run) and not house.world.asked


# Git


SHAS = ("a" * 40, "b" * 40)
API = "https://api.github.com/repos/someone/charts/commits?path=data%2Fcast.csv&per_page=1&until="
RAW = "https://raw.githubusercontent.com/someone/charts/{}/data/cast.csv"


def commit(sha: str, day: str) -> list[Json]:
    return [{"sha": sha, "commit": {"committer": {"date": f"{day}T09:00:00Z"}}}]


def test_windows_of_the_past_bring_the_history_of_a_file_back(tmp_path: Path) -> None:
    house = House(tmp_path, github="someone/charts", path="data/cast.csv")
    for sha, rows in zip(SHAS, (1, 2), strict=True):
        house.file(RAW.format(sha), BODY * rows)
    ends = {"2022-01-03": commit(SHAS[0], "2022-01-02"), "2022-01-10": commit(SHAS[0], "2022-01-02")}
    ends["2022-01-17"] = commit(SHAS[1], "2022-01-12")
    for day, found in ends.items():
        house.world.web[f"{API}{day}T00%3A00%3A00Z"] = Web(found)
        assert house.run(until=f"{day}T00:00:00Z", any_day=True).status == "Succeeded"
    assert house.listed() == {f"{CAST} 2022-01-02 cast.csv": 27, f"{CAST} 2022-01-12 cast.csv": 54}
    assert len(house.seen) == 2  # the window in which nothing was committed copied nothing


def test_a_file_that_had_no_commit_yet_fails_its_window(tmp_path: Path) -> None:
    house = House(tmp_path, github="someone/charts", path="data/cast.csv")
    house.world.web[f"{API}2020-01-01T00%3A00%3A00Z"] = Web([])
    assert house.run(until="2020-01-01T00:00:00Z").status == "Failed" and house.listed() == {}


def test_a_release_is_taken_once_from_its_commit(tmp_path: Path) -> None:
    house = House(tmp_path, github="someone/charts", path="data/cast.csv", ref=SHAS[0], date="2020-02-01")
    house.file(RAW.format(SHAS[0]))
    assert house.run().status == "Succeeded" and list(house.listed()) == [f"{CAST} 2020-02-01 cast.csv"]
    os.utime(house.landing / CAST / "2020-02-01" / "cast.csv", (0, 0))
    assert house.run().status == "Succeeded" and len(house.seen) == 1


# Other places


def test_a_host_of_the_private_network_is_reached_from_there_only(tmp_path: Path) -> None:
    house = House(tmp_path, url=URL, private=True)
    house.file(Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    assert house.run().status == "Failed"
    house.world.private = house.world.web
    assert house.run().status == "Succeeded" and house.listed() == LANDED


@pytest.mark.parametrize("kind", ["storage", "share"])
def test_files_of_another_account_and_of_a_share_on_premises(tmp_path: Path, kind: str) -> None:
    places = {"storage": "abfss://out@partner.dfs.core.windows.net/films/cast.csv", "share": "/films/cast.csv"}
    house = House(tmp_path, storage=places[kind])
    there = tmp_path / "there"
    file = there / ("out/films" if kind == "storage" else "films") / "cast.csv"
    file.parent.mkdir(parents=True)
    house.world.stores[OTHER], house.world.shares["\\\\server\\films"] = there, there
    assert house.run().status == "Failed"  # no such file yet
    file.write_bytes(BODY)
    os.utime(file, (1714989600, 1714989600))
    run = house.run()
    assert (run.status, house.listed()) == ("Succeeded", LANDED), why(run)
    assert house.seen == [{}]


def test_a_file_that_somebody_drops_lands_under_its_day(house: House, tmp_path: Path) -> None:
    dropped = tmp_path / "partner" / "incoming" / CAST / "cast.csv"
    dropped.parent.mkdir(parents=True)
    dropped.write_bytes(BODY)
    os.utime(dropped, (1714989600, 1714989600))
    house.world.stores[OTHER] = tmp_path / "partner"
    trigger = house.factory.contents["trigger"]["dropped"]["pipelines"][0]["parameters"]
    assert set(trigger) == {"folder", "file"}
    for source, status in (("netflix_kast", "Failed"), (CAST, "Succeeded")):
        assert house.run("land_dropped", folder=f"incoming/{source}", file="cast.csv").status == status
    assert house.listed() == LANDED
    assert house.run("land_dropped", folder=f"incoming/{CAST}", file="none.csv").status == "Failed"


def test_a_table_by_hand_that_names_no_kind_that_there_is_fails(house: House) -> None:
    table = house.factory.contents["pipeline"][PIPELINE]["parameters"]["table"]["defaultValue"]
    for key in ("look", "copy"):
        run = house.run(table=[{**table[0], key: "carrier pigeon"}])
        assert run.status == "Failed" and f"{key} of the control table is none" in why(run)


# The whole


def test_every_activity_was_walked_and_each_that_can_fail_also_failed(tmp_path: Path) -> None:
    """The tests above, together: run this module as a whole."""
    house = House(tmp_path, url=URL)
    names = {(name, one["name"]): one for name, pipeline in _pipelines(house).items() for one in _all(pipeline)}
    if len(WALKED) < len(names):
        pytest.skip("only some tests of this module were run")
    refusals = {key for key, one in names.items() if one["type"] == "Fail"}
    ended = {(pipeline, name, how) for pipeline, name, how in WALKED}
    good = {key for key in set(names) - refusals if (*key, "Succeeded") not in ended}
    assert good == set(), "these never succeeded"
    for key in (*refusals, *(key for key, one in names.items() if "policy" in one)):
        if (*key, "Failed") not in ended:
            _fails(tmp_path / f"{key[0]}-{key[1]}", *key)


def _fails(folder: Path, pipeline: str, activity: str) -> None:
    """An activity that no test above lets fail: with a fault that stays, the run fails too."""
    origins: dict[str, dict[str, Any]] = {
        "private": {"url": URL, "private": True},
        "storage": {"storage": "abfss://out@partner.dfs.core.windows.net/films/cast.csv"},
        "share": {"storage": "/films/cast.csv"},
        "commit": {"github": "someone/charts", "path": "data/cast.csv"},
    }
    kind = next((kind for kind in origins if kind in activity.lower()), "public")
    house = House(folder, **origins.get(kind, {"url": URL}))
    house.file(Last_Modified="Mon, 06 May 2024 10:00:00 GMT")
    house.world.private = house.world.web
    house.file(RAW.format(SHAS[0]))
    house.world.web[f"{API}2022-01-03T00%3A00%3A00Z"] = Web(commit(SHAS[0], "2022-01-02"))
    for place in ("out/films", "films", f"incoming/{CAST}"):
        file = folder / "there" / place / "cast.csv"
        file.parent.mkdir(parents=True)
        file.write_bytes(BODY)
    house.world.stores[OTHER], house.world.shares["\\\\server\\films"] = folder / "there", folder / "there"
    given = {"folder": f"incoming/{CAST}", "file": "cast.csv"} if pipeline == "land_dropped" else {}
    start = "land_dropped" if given else PIPELINE
    more = {} if given else {"until": "2022-01-03T00:00:00Z"}
    house.world.faults[(pipeline, activity)] = 99
    run = house.run(start, **given, **more)
    assert run.status == "Failed" and house.listed() == {}, f"{pipeline}/{activity}: {run.path}"
    assert (pipeline, activity, "Failed") in house.factory.walked, f"{pipeline}/{activity}"
    house.world.faults.clear()
    assert house.run(start, **given, **more).status == "Succeeded" and house.listed()


def _pipelines(house: House) -> dict[str, Json]:
    return dict(house.factory.contents["pipeline"])


def _all(said: Any) -> Iterator[Json]:
    """Every activity of a pipeline, at whatever depth."""
    if isinstance(said, dict):
        if "dependsOn" in said and "typeProperties" in said:
            yield said
        for part in said.values():
            yield from _all(part)
    elif isinstance(said, list):
        for part in said:
            yield from _all(part)


def test_the_bounds_of_the_service_are_kept(house: House) -> None:
    """https://learn.microsoft.com/azure/azure-resource-manager/management/azure-subscription-service-limits#azure-data-factory-limits
    and .../data-factory/concepts-nested-activities."""
    for name, pipeline in _pipelines(house).items():
        activities = list(_all(pipeline))
        assert len(activities) <= 80, name
        assert len({one["name"] for one in activities}) == len(activities), "a name is that of one activity"
        for one in activities:
            assert len(one["name"]) <= 55
            inside = {part["type"] for part in _all(one["typeProperties"])}
            containers = {"ForEach", "Until", "IfCondition", "Switch"}
            if one["type"] in ("IfCondition", "Switch"):
                assert not inside & containers
            if one["type"] == "ForEach":
                assert not inside & {"ForEach", "Until", "SetVariable"}
                assert one["typeProperties"]["batchCount"] == AT_ONCE <= 50


def test_an_expression_names_only_activities_that_have_ended_before(house: House) -> None:
    for pipeline in _pipelines(house).values():
        assert list(_unreachable(pipeline["activities"], frozenset())) == []


def _unreachable(activities: list[Json], outside: frozenset[str]) -> Iterator[str]:
    waits = {one["name"]: {on["activity"] for on in one["dependsOn"]} for one in activities}

    def before(name: str) -> set[str]:
        return waits[name] | {far for near in waits[name] for far in before(near)}

    for one in activities:
        known = outside | before(one["name"])
        nested = [part for part in one["typeProperties"].items() if part[0] in _NESTED]
        own = {**one, "typeProperties": {k: v for k, v in one["typeProperties"].items() if k not in _NESTED}}
        yield from set(re.findall(r"activity\('([^']+)'\)", str(own).replace("\\'", "'"))) - known
        for key, part in nested:
            for branch in [case["activities"] for case in part] if key == "cases" else [part]:
                yield from _unreachable(branch, frozenset(known))


_NESTED = ("ifTrueActivities", "ifFalseActivities", "activities", "cases", "defaultActivities")


def test_the_published_sources_land_by_the_files_of_the_folder(tmp_path: Path) -> None:
    """The committed JSON itself, with all of sources.yaml."""
    sources = load_sources()
    world = World(stores={LAKE: tmp_path})
    (tmp_path / "landing").mkdir()
    factory = Factory.of_folder(HERE, world)
    for entry in control.entries(sources):
        if entry["look"] == "github":
            world.web[f"{entry['commits']}2024-06-05T00%3A00%3A00Z"] = Web(commit(SHAS[0], "2024-06-04"))
            world.web[f"{entry['host']}{entry['folder']}/{SHAS[0]}/{entry['name']}"] = Web(BODY)
        else:
            headers = {} if entry["date"] else {"Last-Modified": "Tue, 04 Jun 2024 08:00:00 GMT"}
            world.web[f"{entry['host']}{entry['folder']}/{entry['name']}"] = Web(BODY, headers=headers)
    run = factory.run(PIPELINE, until="2024-06-05T00:00:00Z")
    assert run.status == "Succeeded", why(run)
    listing = list_landing(tmp_path / "landing", sources)
    assert sum(len(one.files) for one in listing.deliveries) == len(control.entries(sources)) == 13
    assert not listing.strays and control.left_out(sources) == {}
