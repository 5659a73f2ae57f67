"""The landing folder, on this machine or in an object store: ``<landing>/<source>/<delivery date>/<file>``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from netflix_dagster.landing import blobs, folder
from netflix_dagster.landing.listing import Delivery, LandedFile, Listing, check_landing
from netflix_dagster.landing.sources import Source, Sources
from netflix_dagster.storage import Place, is_local

__all__ = ["Delivery", "LandedFile", "Listing", "deliveries_at", "delivery_at", "land", "list_landing"]


def list_landing(landing: Place, sources: Sources, only: Iterable[str] | None = None) -> Listing:
    """List the landing folder. ``only`` restricts the listing to some sources."""
    if is_local(landing):
        return folder.list_landing(landing, sources, only)
    return blobs.list_landing(landing, sources.sources, only)


def deliveries_at(landing: Place, sources: Sources, places: Iterable[tuple[str, str]]) -> Listing:
    """The deliveries of some (source, date), as they are now."""
    if is_local(landing):
        found = (folder.delivery_at(landing, sources.sources[source], day) for source, day in sorted(set(places)))
        return Listing(tuple(sorted(filter(None, found), key=lambda d: (d.date, d.source))))
    return blobs.deliveries_at(landing, sources.sources, places)


def delivery_at(landing: Place, source: Source, day: str) -> Delivery | None:
    """The delivery of one source on one date, as it is now; None when there is none."""
    if is_local(landing):
        return folder.delivery_at(landing, source, day)
    found = blobs.deliveries_at(landing, {source.name: source}, [(source.name, day)])
    return next(iter(found.deliveries), None)


def land(landing: Place, file: Path, source: Source, day: str) -> Place:
    """Copy a file into its delivery folder, whole or not at all, and return where it went."""
    check_landing(file.name, source, day)
    if is_local(landing):
        return folder.land(landing, file, source, day)
    return blobs.land(landing, file, source, day)
