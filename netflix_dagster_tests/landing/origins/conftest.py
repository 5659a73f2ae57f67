"""What the tests of origins share: a server, a source whose origin is on it, and a landing folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from netflix_dagster.files.arriving import unlike
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.origins.fetching import Fetch, Fetched
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster_tests.landing.origins.server import Server, serving

CAST = load_sources().sources["netflix_cast"]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def at_once() -> Iterator[None]:
    """Retries without waiting, three attempts."""
    with stamina.set_testing(True, attempts=3):
        yield


class House:
    """A landing folder, and one source with the origins of the test."""

    def __init__(self, folder: Path) -> None:
        self.landing = folder / "landing"

    def source(self, *origins: dict[str, Any], **more: Any) -> Source:
        said = CAST.model_dump(exclude={"origin"})
        return Source.model_validate({**said, **more, "origin": [{"private": True, **o} for o in origins]})

    def fetch(self, *origins: dict[str, Any], **more: Any) -> list[Fetched]:
        return list(Fetch(self.source(*origins, **more), self.landing, unlike).newest())

    def history(self, *origins: dict[str, Any], **more: Any) -> list[Fetched]:
        return list(Fetch(self.source(*origins, **more), self.landing, unlike).history())

    @property
    def deliveries(self) -> dict[str, bytes]:
        """What the landing sensor sees: date -> the bytes of the one file."""
        listing = list_landing(self.landing, Sources(feeds=load_sources().feeds, sources={"netflix_cast": CAST}))
        assert not listing.strays and not listing.unknown_sources
        return {d.date: b"".join(Path(f.path).read_bytes() for f in d.files) for d in listing.deliveries}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
