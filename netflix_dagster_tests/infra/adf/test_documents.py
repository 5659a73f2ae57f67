"""The files of the factory: those that sources.yaml wants, understood by the official SDK, a valid template."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from azure.mgmt.datafactory import models

from infra.adf.factory import HERE, KINDS, TYPES, contents, files, of_stack
from infra.adf.parts import INCOMING
from infra.adf.template import PARAMETERS
from infra.azure.config import from_file
from netflix_dagster.landing import control
from netflix_dagster.landing.control import Cron, NotInAdf
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster_tests.emulators.data_factory.expressions import (
    FUNCTIONS,
    ExpressionError,
    evaluate,
    expressions_in,
)

FILES = {path: json.loads(path.read_text()) for kind in KINDS for path in sorted((HERE / kind).rglob("*.json"))}
TEMPLATE = FILES[HERE / "arm" / "template.json"]
MODELS: dict[str, Any] = {
    "pipelines": models.PipelineResource,
    "datasets": models.DatasetResource,
    "linkedServices": models.LinkedServiceResource,
    "triggers": models.TriggerResource,
    "integrationRuntimes": models.IntegrationRuntimeResource,
    "managedVirtualNetworks": models.ManagedVirtualNetworkResource,
    "managedVirtualNetworks/managedPrivateEndpoints": models.ManagedPrivateEndpointResource,
    "factories": models.Factory,
}


def as_kind(model: Any, said: Mapping[str, Any]) -> Any:
    """What stands for many kinds (an activity, a trigger) as the model of its own kind. The SDK 10.0 does that by
    itself only for kinds one step below; ForEach, Copy and ScheduleTrigger are two."""
    while below := vars(type(model)).get("__mapping__"):
        direct = below.get(said.get("type"))
        between = [one for one in below.values() if said.get("type") in vars(one).get("__mapping__", {})]
        if not (direct or between):
            break
        model = (direct or between[0])(dict(said))
    return model


def unknown(model: Any, said: Any, where: str = "") -> Iterator[str]:
    """What the models of the SDK have no place for: a kind of activity, dataset … or a property."""
    if isinstance(model, models._models._Model):
        model = as_kind(model, said)
        if vars(type(model)).get("__mapping__"):
            yield f"{where}: no {type(model).__name__} of type {said.get('type')!r}"
        fields = {field._rest_name: name for name, field in type(model)._attr_to_rest_field.items()}
        for key, value in said.items():
            if key not in fields:
                yield f"{where}.{key}"
            else:
                yield from unknown(getattr(model, fields[key]), value, f"{where}.{key}")
    elif isinstance(model, list):
        for number, (one, value) in enumerate(zip(model, said, strict=True)):
            yield from unknown(one, value, f"{where}[{number}]")
    elif isinstance(model, Mapping) and isinstance(said, Mapping):
        for key, value in said.items():
            yield from unknown(model[key], value, f"{where}.{key}")


def read(kind: str, said: Mapping[str, Any]) -> list[str]:
    model = MODELS[kind](dict(said))
    return list(unknown(model, said))


def test_the_committed_files_are_those_that_sources_yaml_wants() -> None:
    wanted = files(load_sources())
    there = {str(path.relative_to(HERE)): path.read_text() for path in FILES}
    assert set(there) == set(wanted), "run `python -m infra.adf` and commit what it writes"
    assert [path for path in wanted if there[path] != wanted[path]] == [], "run `python -m infra.adf`"


def test_the_command_writes_a_factory_of_ones_own_sources_and_tells_when_it_is_outdated(tmp_path: Path) -> None:
    def command(*more: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "infra.adf", "--to", str(tmp_path), *more]
        return subprocess.run(words, cwd=HERE.parents[1], capture_output=True, text=True, check=False)

    assert command().returncode == command("--check").returncode == 0
    trigger = tmp_path / "trigger" / "look_0_6.json"
    trigger.write_text(trigger.read_text().replace("6", "7"))
    (tmp_path / "pipeline" / "older.json").write_text("{}")
    told = command("--check")
    assert told.returncode == 1 and "look_0_6.json" in told.stderr and "older.json" in told.stderr
    assert command().returncode == 0 and command("--check").returncode == 0


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[-2] != "arm"], ids=lambda path: path.name)
def test_the_sdk_knows_everything_that_a_file_says(path: Path) -> None:
    folder = str(path.parent.relative_to(HERE))
    kind = "factories" if folder == "factory" else TYPES[folder]
    said = FILES[path]
    assert path.stem == said["name"]
    assert read(kind, {key: value for key, value in said.items() if key not in ("type",)}) == []


def test_the_sdk_would_not_know_another_kind_or_property() -> None:
    said = json.loads(json.dumps(FILES[HERE / "pipeline" / "take_file.json"]))
    said["properties"]["activities"][0]["typeProperties"]["cases"][0]["activities"][0]["type"] = "Teleport"
    said["properties"]["activities"][1]["policy"]["patience"] = 3
    del said["type"]
    told = read("pipelines", said)
    assert "no Activity of type 'Teleport'" in told[0] and told[-1].endswith("activities[1].policy.patience")


# Expressions


def test_every_expression_is_of_the_language_and_of_functions_that_are_known() -> None:
    """Each is read to its end, wherever it stands: the functions in it answer here what nothing can be made of."""

    class Anything(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            return Anything()

        def __contains__(self, key: object) -> bool:
            return True

    def anything(*_given: Any) -> Any:
        return Anything()

    places = ("pipeline", "activity", "variables", "item", "trigger", "triggerBody", "linkedService", "dataset")
    scope = dict.fromkeys((*FUNCTIONS, *places), anything)
    found = [text for path, said in FILES.items() if path.parts[-2] != "arm" for text in expressions_in(said)]
    assert len(found) > 100
    used: set[str] = set()
    for text in found:
        evaluate(text, scope)
        used |= set(re.findall(r"(\w+)\(", re.sub(r"'(?:[^']|'')*'", "", text)))
    assert set(FUNCTIONS) <= used, "a function that no pipeline uses need not be known"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("@concat('a', 'it''s')", "ait's"),
        ("@@literal", "@literal"),
        ("x@{variables('n')}y", "x7y"),
        ("@if(equals('1', 1), 'same', 'other')", "other"),
        ("@coalesce(json('{}')?['a'], 'none')", "none"),
        ("@formatDateTime('Mon, 06 May 2024 10:00:00 GMT', 'yyyy-MM-ddTHH')", "2024-05-06T10"),
        ("@formatDateTime('2024-05-06T23:30:00-02:00', 'yyyy-MM-dd')", "2024-05-07"),
        ("@dayOfWeek('2026-11-22T00:00:00Z')", 0),
        ("@ticks('0001-01-01T00:00:00Z')", 0),
        ("@last(split('bytes 0-0/*', '/'))", "*"),
        ("@int('12')", 12),
    ],
)
def test_the_evaluator_says_what_the_documentation_does(text: str, value: Any) -> None:
    assert evaluate(text, {"variables": lambda name: 7}) == value


@pytest.mark.parametrize(
    "text",
    ["@concat('a'", "@nothing()", "@concat(1)", "@json('{}').a", "@and(true, 'x')", "@int('*')", "@concat('a') b",
     "@formatDateTime('soon', 'yyyy')", "@formatDateTime('2024-05-06', 'tt')", "@greater('2', 1)",
     "@first(split('', 1))"],
)  # fmt: skip
def test_the_evaluator_refuses(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(text, {})


# The template

SCHEMA = {
    "type": "object",
    "required": ["$schema", "contentVersion", "resources"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"},
        "contentVersion": {"pattern": r"^\d+\.\d+\.\d+\.\d+$"},
        "parameters": {
            "maxProperties": 256,
            "additionalProperties": {
                "type": "object",
                "required": ["type"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["string", "securestring", "int", "bool", "object", "secureObject", "array"]},
                    "defaultValue": {},
                    "allowedValues": {"type": "array"},
                    "minLength": {"type": "integer"},
                    "maxLength": {"type": "integer"},
                    "metadata": {"type": "object", "required": ["description"]},
                },
            },
        },
        "resources": {
            "type": "array",
            "minItems": 1,
            "maxItems": 800,
            "items": {
                "type": "object",
                "required": ["type", "apiVersion", "name"],
                "additionalProperties": False,
                "properties": {
                    "type": {"pattern": r"^Microsoft\.DataFactory/factories(/[A-Za-z]+)*$"},
                    "apiVersion": {"const": "2018-06-01"},
                    "name": {"type": "string"},
                    "location": {"type": "string"},
                    "identity": {"type": "object"},
                    "dependsOn": {"type": "array", "items": {"pattern": r"^\[resourceId\("}, "uniqueItems": True},
                    "properties": {"type": "object"},
                },
            },
        },
        "outputs": {
            "maxProperties": 64,
            "additionalProperties": {"type": "object", "required": ["type", "value"], "additionalProperties": False,
                                     "properties": {"type": {}, "value": {}}},
        },
    },
}  # fmt: skip
"""The form of a template, after https://learn.microsoft.com/azure/azure-resource-manager/templates/syntax and
.../best-practices#template-limits. The published schema (schema.management.azure.com) is generated from the
specification of the service, as the models of the SDK are: with these every resource of it is read."""


def test_the_template_is_one() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(TEMPLATE)
    assert len((HERE / "arm" / "template.json").read_bytes()) < 4 * 1024 * 1024
    for resource in TEMPLATE["resources"]:
        kind = resource["type"].removeprefix("Microsoft.DataFactory/factories").removeprefix("/") or "factories"
        said = {key: value for key, value in resource.items() if key not in ("type", "apiVersion", "dependsOn")}
        assert read(kind, said) == [], resource["name"]


def test_the_template_is_of_everything_that_lies_in_git_in_an_order_that_works() -> None:
    made: list[str] = []
    for resource in TEMPLATE["resources"]:
        made.append(_id(resource))
    assert len(set(made)) == len(made)
    for resource in TEMPLATE["resources"]:
        assert set(resource.get("dependsOn", [])) <= set(made), resource["name"]
    assert len(made) == len([path for path in FILES if path.parts[-2] != "arm"])
    waits = {_id(resource): set(resource.get("dependsOn", [])) for resource in TEMPLATE["resources"]}
    ready: set[str] = set()
    while left := [one for one in waits if one not in ready]:
        new = [one for one in left if waits[one] <= ready]
        assert new, f"these wait for each other: {left}"
        ready |= set(new)


def _id(resource: Mapping[str, Any]) -> str:
    parts = re.findall(r"/([\w-]+)", resource["name"])
    named = "".join(f", '{part}'" for part in parts)
    return f"[resourceId('{resource['type']}', parameters('factoryName'){named})]"


def test_each_parameter_is_used_and_what_differs_between_factories_is_one() -> None:
    text = json.dumps(TEMPLATE["resources"]) + json.dumps(TEMPLATE["parameters"])
    assert set(re.findall(r"parameters\('(\w+)'\)", text)) == set(PARAMETERS)
    names = from_file("dev").names
    for own in (names.account, names.vault, names.of("adf")):
        assert own not in text
    given = FILES[HERE / "arm" / "parameters.json"]["parameters"]
    required = {name for name, said in PARAMETERS.items() if "defaultValue" not in said}
    assert set(given) == required
    for name, said in given.items():
        assert PARAMETERS[name]["minLength"] <= len(said["value"]) <= PARAMETERS[name]["maxLength"]


def test_no_text_of_the_factory_is_taken_for_an_expression_of_the_template() -> None:
    def texts(said: Any) -> Iterator[str]:
        if isinstance(said, str):
            yield said
        for part in said.values() if isinstance(said, dict) else said if isinstance(said, list) else ():
            yield from texts(part)

    of_git = contents(load_sources(), of_stack())
    assert [text for text in texts(of_git) if text.startswith("[")] == []


def test_nothing_in_it_is_a_secret_and_storage_is_opened_as_the_factory_itself() -> None:
    services = {path.stem: FILES[path]["properties"] for path in FILES if path.parts[-2] == "linkedService"}
    assert services["share"]["typeProperties"]["password"]["type"] == "AzureKeyVaultSecret"
    assert set(services["storage"]["typeProperties"]) == {"url"}  # neither key nor signature: its managed identity
    assert services["share"]["connectVia"]["referenceName"] == services["private_http"]["connectVia"]["referenceName"]
    runtimes = {
        path.stem: FILES[path]["properties"]["type"] for path in FILES if path.parts[-2] == "integrationRuntime"
    }
    assert runtimes == {"in-network": "Managed", "on-premises": "SelfHosted"}
    for path, said in FILES.items():
        assert not re.search(r"(?i)accountkey|sastoken|sasuri|securestring|password\": \"", json.dumps(said)), path


# Which sources, and when


def test_triggers_say_what_fetch_at_does() -> None:
    assert control.schedules(load_sources()).keys() == {"0 6 * * *", "30 14 * * *"}
    charts = FILES[HERE / "trigger" / "look_30_14.json"]["properties"]
    recurrence = charts["typeProperties"]["recurrence"]
    assert (recurrence["frequency"], recurrence["timeZone"]) == ("Day", "UTC")
    assert recurrence["schedule"] == {"minutes": [30], "hours": [14]}
    assert charts["pipelines"][0]["parameters"]["sources"] == ["top10_global", "top10_countries", "most_popular"]
    windows = FILES[HERE / "trigger" / "backfill.json"]["properties"]
    assert windows["pipeline"]["parameters"]["sources"] == ["most_popular", "top10_countries", "top10_global"]
    events = FILES[HERE / "trigger" / "dropped.json"]["properties"]["typeProperties"]
    assert events["blobPathBeginsWith"] == f"/{INCOMING}/blobs/"
    assert "runtimeState" not in json.dumps([FILES[path] for path in FILES if path.parts[-2] == "trigger"])


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("30 14 * * 3", Cron((30,), (14,), (), (3,))),
        ("0 6 * * 1-5", Cron((0,), (6,), (), (1, 2, 3, 4, 5))),
        ("*/20 0,12 * * 7", Cron((0, 20, 40), (0, 12), (), (0,))),
        ("5 4 1,15 * *", Cron((5,), (4,), (1, 15), (0, 1, 2, 3, 4, 5, 6))),
        ("0 22/1 * * *", Cron((0,), (22, 23), (), (0, 1, 2, 3, 4, 5, 6))),
    ],
)
def test_cron_is_read(cron: str, said: Cron) -> None:
    assert Cron.of(cron) == said


@pytest.mark.parametrize("cron", ["0 6 * 1-3 *", "0 6 1 * 3"])
def test_times_that_a_schedule_of_data_factory_cannot_say_are_refused(cron: str) -> None:
    with pytest.raises(NotInAdf):
        Cron.of(cron)


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ({"git": "https://example.org/films.git", "path": "cast.csv"}, "git protocol"),
        ({"kaggle": "someone/films", "path": "cast.csv"}, "inside of a zip"),
        ({"url": "https://example.org/a.zip", "member": "cast.csv"}, "inside of a zip"),
        ({"url": "https://example.org/cast.csv", "token": "secret://films"}, "needs a token"),
        ({"url": "https://example.org/cast.csv", "query": {"key": "env://KEY"}}, "needs a token"),
    ],
)
def test_what_data_factory_cannot_land_is_left_out_and_said(origin: dict[str, Any], why: str) -> None:
    packaged = load_sources()
    cast = packaged.sources["netflix_cast"].model_dump(exclude={"origin"})
    sources = Sources.model_validate(
        {
            "feeds": {name: feed.model_dump() for name, feed in packaged.feeds.items()},
            "sources": {"netflix_cast": {**cast, "origin": origin}},
        }
    )
    assert control.entries(sources) == [] and control.schedules(sources) == {}
    (said,) = control.left_out(sources).values()
    assert why in said and "secret://" not in str(control.left_out(sources)) and "env://" not in said
