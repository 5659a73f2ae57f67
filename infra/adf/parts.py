"""What the pipelines stand on: linked services, datasets, integration runtimes, the network, triggers, the factory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.adf.pipelines import IN_NETWORK, ON_PREMISES
from infra.adf.words import Json, expression, linked, runtime
from netflix_dagster.azure.data_factory import PIPELINE
from netflix_dagster.landing.control import WEEK, Cron

INCOMING = "incoming"
"""The container into which others put files, ``incoming/<source>/<file>``."""
BACKFILL_HOURS = 7 * 24
"""A window of the backfill: charts come weekly, and GitHub answers sixty calls an hour."""
SHARE_SECRET = "file-share-password"


@dataclass(frozen=True, slots=True)
class Place:
    """What differs between factories; in the ARM template each is an expression of its parameters."""

    factory: str
    location: str
    lake: str
    vault: str
    lake_id: str
    vault_id: str
    incoming: str
    incoming_id: str
    share: str
    share_user: str
    backfill_from: str


def factory(place: Place) -> Json:
    texts = {
        "lake": place.lake, "incoming": place.incoming, "share": place.share, "share_user": place.share_user
    }  # fmt: skip
    return {
        "name": place.factory,
        "location": place.location,
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "publicNetworkAccess": "Enabled",
            "globalParameters": {name: {"type": "String", "value": text} for name, text in texts.items()},
        },
    }


def linked_services(place: Place) -> dict[str, Json]:
    """Storage by the factory's own identity; the one password, of the file share, comes from Key Vault."""
    password = {"type": "AzureKeyVaultSecret", "store": linked("vault"), "secretName": SHARE_SECRET}
    share = {"host": _own("host"), "userId": _own("user"), "password": password}
    return {
        "vault": {"type": "AzureKeyVault", "typeProperties": {"baseUrl": place.vault}},
        "storage": {
            "type": "AzureBlobFS",
            "parameters": _texts("url"),
            "connectVia": runtime(IN_NETWORK),
            "typeProperties": {"url": _own("url")},
        },
        "public_http": _http(IN_NETWORK),
        "private_http": _http(ON_PREMISES),
        "share": {
            "type": "FileServer",
            "parameters": _texts("host", "user"),
            "connectVia": runtime(ON_PREMISES),
            "typeProperties": share,
        },
    }


def _http(by: str) -> Json:
    said = {"url": _own("host"), "enableServerCertificateValidation": True, "authenticationType": "Anonymous"}
    return {"type": "HttpServer", "parameters": _texts("host"), "connectVia": runtime(by), "typeProperties": said}


def _own(name: str) -> str:
    """A parameter of a linked service, where it is used."""
    return f"@{{linkedService().{name}}}"


def _texts(*names: str) -> Json:
    return {name: {"type": "String"} for name in names}


def datasets() -> dict[str, Json]:
    """Files as they are, byte for byte: what they hold is read at the door of bronze."""
    lake = {"fileSystem": "container", "folderPath": "folder", "fileName": "file"}
    share = {"folderPath": "folder", "fileName": "file"}
    return {
        "lake_file": _binary("storage", ("url",), "AzureBlobFSLocation", lake),
        "share_file": _binary("share", ("host", "user"), "FileServerLocation", share),
        "public_file": _binary("public_http", ("host",), "HttpServerLocation", {"relativeUrl": "path"}),
        "private_file": _binary("private_http", ("host",), "HttpServerLocation", {"relativeUrl": "path"}),
    }


def _binary(service: str, handed_on: Sequence[str], location: str, where: Mapping[str, str]) -> Json:
    def given(name: str) -> Json:
        return expression(f"dataset().{name}")

    place = {part: given(parameter) for part, parameter in where.items()}
    return {
        "linkedServiceName": linked(service, **{name: given(name) for name in handed_on}),
        "parameters": _texts(*handed_on, *where.values()),
        "annotations": [],
        "type": "Binary",
        "typeProperties": {"location": {"type": location, **place}},
    }


def integration_runtimes() -> dict[str, Json]:
    """One in the factory's own network, one on a machine on premises, where somebody installs it."""
    return {
        IN_NETWORK: {
            "type": "Managed",
            "typeProperties": {"computeProperties": {"location": "AutoResolve"}},
            "managedVirtualNetwork": {"type": "ManagedVirtualNetworkReference", "referenceName": "default"},
        },
        ON_PREMISES: {"type": "SelfHosted", "description": "Reaches file shares and hosts of the private network"},
    }


def private_endpoints(place: Place) -> dict[str, Json]:
    """The ways out of the factory's network; their owners approve each once."""
    ends = {
        "lake": (place.lake_id, "dfs"),
        "incoming": (place.incoming_id, "dfs"),
        "vault": (place.vault_id, "vault"),
    }
    return {name: {"privateLinkResourceId": of, "groupId": part} for name, (of, part) in ends.items()}


def triggers(place: Place, schedules: Mapping[str, Sequence[str]], table: Sequence[Json]) -> dict[str, Json]:
    """The clock, as ``fetch_at`` says; the windows of the past; a file that somebody drops. All are stopped until
    somebody starts them, as the schedules in Dagster are: one of the two is enough."""
    made = {f"look_{_slug(cron)}": _clock(Cron.of(cron), names) for cron, names in schedules.items()}
    histories = sorted({entry["source"] for entry in table if entry["look"] == "github"})
    if histories:
        made["backfill"] = _windows(place.backfill_from, histories)
    made["dropped"] = {
        "type": "BlobEventsTrigger",
        "typeProperties": {
            "blobPathBeginsWith": f"/{INCOMING}/blobs/",
            "ignoreEmptyBlobs": True,
            "scope": place.incoming_id,
            "events": ["Microsoft.Storage.BlobCreated"],
        },
        "pipelines": [
            _starts("land_dropped", {"folder": "@triggerBody().folderPath", "file": "@triggerBody().fileName"})
        ],
    }
    return {name: {**trigger, "annotations": ["netflix-dagster"]} for name, trigger in made.items()}


def _clock(cron: Cron, sources: Sequence[str]) -> Json:
    schedule: Json = {"minutes": list(cron.minutes), "hours": list(cron.hours)}
    frequency = "Day"
    if cron.month_days:
        frequency, schedule["monthDays"] = "Month", list(cron.month_days)
    elif len(cron.weekdays) < len(WEEK):
        frequency, schedule["weekDays"] = "Week", [WEEK[day] for day in cron.weekdays]
    recurrence = {"frequency": frequency, "interval": 1, "startTime": "2026-01-01T00:00:00Z", "timeZone": "UTC"}
    return {
        "type": "ScheduleTrigger",
        "typeProperties": {"recurrence": {**recurrence, "schedule": schedule}},
        "pipelines": [_starts(PIPELINE, {"sources": list(sources)})],
    }


def _windows(since: str, sources: Sequence[str]) -> Json:
    """One window after another since the beginning: in each the newest commit before its end is landed."""
    return {
        "type": "TumblingWindowTrigger",
        "typeProperties": {
            "frequency": "Hour",
            "interval": BACKFILL_HOURS,
            "startTime": since,
            "delay": "00:00:00",
            "maxConcurrency": 1,
            "retryPolicy": {"count": 3, "intervalInSeconds": 3600},
        },
        "pipeline": _starts(
            PIPELINE, {"sources": list(sources), "until": "@trigger().outputs.windowEndTime", "any_day": True}
        ),
    }


def _starts(pipeline: str, parameters: Json) -> Json:
    return {"pipelineReference": {"referenceName": pipeline, "type": "PipelineReference"}, "parameters": parameters}


def _slug(cron: str) -> str:
    return re.sub(r"\W+", "_", cron).strip("_")
