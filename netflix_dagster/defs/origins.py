"""Origins: where the files of a source are fetched from, upstream of its bronze table.

Materializing ``[origin, <source>]`` looks there. What is new lands as a delivery, which the landing sensor takes up; an
origin that has not changed is an observation and nothing else. Its schedule is off until somebody switches it on.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from netflix_dagster.defs.resources import Lake
from netflix_dagster.landing.sources import Source, Sources

GROUP = "origin"


def origin_key(source: str) -> dg.AssetKey:
    """The asset of the origins of a source: ``[origin, <source>]``."""
    return dg.AssetKey([GROUP, source])


def fetched_from(sources: Sources, table: str) -> list[dg.AssetKey]:
    """The origin that a bronze table is built from, if its source has one."""
    return [origin_key(source.name) for source in sources.sources.values() if source.origin and source.bronze == table]


def origin_assets(sources: Sources) -> list[dg.AssetsDefinition]:
    """An asset for each source that has an origin."""
    return [_asset(source) for source in sources.sources.values() if source.origin]


def origin_schedules(sources: Sources) -> list[dg.ScheduleDefinition]:
    """A schedule for each of them, off by default: a fresh installation asks nobody for anything."""
    return [
        dg.ScheduleDefinition(
            name=f"{source.name}_origin_schedule",
            target=dg.AssetSelection.assets(origin_key(source.name)),
            cron_schedule=source.fetch_at,
            execution_timezone="UTC",
            description=f"Looks whether the origin of {source.name} has changed.",
            default_status=dg.DefaultScheduleStatus.STOPPED,
        )
        for source in sources.sources.values()
        if source.origin
    ]


def _asset(source: Source) -> dg.AssetsDefinition:
    key = origin_key(source.name)

    @dg.multi_asset(
        name=f"{GROUP}__{source.name}",
        specs=[
            dg.AssetSpec(
                key=key,
                group_name=GROUP,
                kinds={kind if kind != "url" else "http" for kind in {origin.kind for origin in source.origin}},
                skippable=True,
                tags={"feed": source.feed},
                description=_description(source),
                metadata={
                    "origins": dg.MetadataValue.md("\n".join(f"- {origin.name}" for origin in source.origin)),
                    "licenses": ", ".join(sorted({origin.license for origin in source.origin if origin.license})),
                },
            )
        ],
    )
    def fetch_origin(context: dg.AssetExecutionContext, lake: Lake) -> Iterator[Any]:
        from netflix_dagster.azure.redaction import redact
        from netflix_dagster.files.arriving import unlike
        from netflix_dagster.landing.origins.errors import FetchError
        from netflix_dagster.landing.origins.fetching import Fetch

        now = lake.sources.sources[source.name]
        delivered = []
        try:
            for one in Fetch(now, lake.settings.landing, unlike).newest():
                context.log.info(
                    f"{one.origin}: {one.outcome}" + (f" as the delivery of {one.date}" if one.date else "")
                )
                if one.outcome == "delivered":
                    delivered.append(one)
                else:
                    context.log_event(dg.AssetObservation(asset_key=key, metadata=_metadata(one)))
        except FetchError as error:
            for one in delivered:
                context.log_event(dg.AssetMaterialization(asset_key=key, metadata=_metadata(one)))
            raise dg.Failure(redact(str(error)), allow_retries=False) from None
        for one in delivered[:-1]:
            context.log_event(dg.AssetMaterialization(asset_key=key, metadata=_metadata(one)))
        if delivered:
            yield dg.MaterializeResult(asset_key=key, metadata=_metadata(delivered[-1]))

    return fetch_origin


def _description(source: Source) -> str:
    see = [f"- {origin.see}" for origin in source.origin if origin.see]
    more = "\n\nAlso to be found at:\n\n" + "\n".join(dict.fromkeys(see)) if see else ""
    return f"Where the files of {source.name} come from. {source.description}.{more}"


def _metadata(one: Any) -> dict[str, Any]:
    """What came, without a parameter of a URL: it may be a secret."""
    said = {
        "url": one.origin,
        "outcome": one.outcome,
        "delivery": one.date,
        "file": one.file,
        "bytes": one.bytes,
        "sha256": one.sha256,
        "etag": one.etag,
        "revision": one.revision,
    }
    return {name: value for name, value in said.items() if value is not None}
