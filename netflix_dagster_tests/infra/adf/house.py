"""A factory of one source whose origin is the test's, and a folder as its landing zone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from infra.adf.factory import contents, of_stack
from netflix_dagster.azure.data_factory import PIPELINE
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster_tests.emulators.data_factory.engine import Factory, Run, Web, World

CAST, BODY = "netflix_cast", b"cast,show_id\nUma Thurman,1\n"
URL = "https://files.example.org/netflix/cast.csv"
LAKE = of_stack().lake
OTHER = "https://partner.dfs.core.windows.net/"
LANDED = {f"{CAST} 2024-05-06 cast.csv": len(BODY)}
WALKED: set[tuple[str, str, str]] = set()
"""What was walked by all houses: pipeline, activity, and how it ended."""


class House:
    """A factory of one source, the cast, with an origin of the test's; its landing zone is a folder."""

    def __init__(self, folder: Path, **origin: Any) -> None:
        packaged = load_sources()
        cast = packaged.sources[CAST].model_dump(exclude={"origin", "fetch_at"})
        fetch_at = origin.pop("fetch_at", "0 6 * * *")
        said = Source.model_validate({**cast, "origin": {"file": "cast.csv", **origin}, "fetch_at": fetch_at})
        self.sources = Sources(feeds=packaged.feeds, sources={CAST: said})
        self.store = folder / "lake"
        self.landing = self.store / "landing"
        self.landing.mkdir(parents=True)
        self.world = World(stores={LAKE: self.store})
        self.world.meanwhile = lambda: self.seen.append(self.listed())
        self.seen: list[dict[str, int]] = []
        values = {"lake": LAKE, "incoming": OTHER, "share": "\\\\server\\films", "share_user": "corp\\reader"}
        self.factory = Factory(contents(self.sources, of_stack()), values, self.world)

    def run(self, pipeline: str = PIPELINE, **parameters: Any) -> Run:
        run = self.factory.run(pipeline, **parameters)
        WALKED.update(self.factory.walked)
        assert not list(self.landing.rglob("*.part")), "nothing half-written is left"
        return run

    def listed(self) -> dict[str, int]:
        """What sensors see in landing."""
        listing = list_landing(self.landing, self.sources)
        assert not listing.strays
        return {f"{one.source} {one.date} {file.name}": file.size for one in listing.deliveries for file in one.files}

    def file(self, url: str = URL, body: bytes = BODY, **headers: str) -> None:
        self.world.web[url] = Web(body, headers={name.replace("_", "-"): value for name, value in headers.items()})
