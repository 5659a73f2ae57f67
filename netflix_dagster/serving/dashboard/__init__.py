"""The dashboard: gold as pages that anyone opens in a browser, from a folder or any static host, without a network.

Each page has a module here that reads what it shows, as *chunks*: JSON that the page loads when it is asked for. What
the pages look like is in ``static``; the libraries that draw them, unchanged, in ``vendor``; files come of it in
``site``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from netflix_dagster.deliveries import life
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Sources
from netflix_dagster.serving.dashboard import catalogue, charts, engagement, lineage, quality, runs, site, titles
from netflix_dagster.serving.dashboard.cards import CARDS, metrics
from netflix_dagster.serving.dashboard.reading import reader
from netflix_dagster.serving.dashboard.runs import TableBuilt
from netflix_dagster.serving.dashboard.site import Site
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place, is_local

__all__ = ["NAME", "Dashboard", "TableBuilt", "build", "extract", "places"]
NAME = "dashboard"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What was built: the files, the versions of the tables that they were made from, the seconds it took."""

    site: Site
    versions: dict[str, int]
    seconds: float


def places(settings: Settings) -> list[Place]:
    """Where the dashboard of a lake lies: in a folder of this machine, where a browser opens it, and of a lake in ADLS
    in its container ``serving`` as well, where a static host finds it."""
    here: list[Place] = [settings.serving / NAME]
    return here if is_local(settings.lake) else [*here, settings.lake / "serving" / NAME]


def build(lake: Place, sources: Sources, to: Sequence[Place], built: Sequence[TableBuilt] = ()) -> Dashboard:
    """Build the dashboard of a lake as it is now, into each of some folders; the first is the one that is told of.
    ``built``: how long tables took lately, as Dagster tells it."""
    started = time.perf_counter()
    content, versions = extract(lake, sources, built)
    first, *_ = [site.write(folder, content) for folder in to]
    return Dashboard(first, versions, time.perf_counter() - started)


def extract(lake: Place, sources: Sources, built: Sequence[TableBuilt] = ()) -> tuple[dict[str, Any], dict[str, int]]:
    """All that the pages show, by chunk, and the versions of the tables that it was read from."""
    told = store.version(lake, life.NAME)
    events = list(life.events(lake))
    with reader(lake) as gold:
        pages = {
            **catalogue.chunks(gold),
            **charts.chunks(gold),
            **engagement.chunks(gold),
            **titles.chunks(gold),
            **quality.chunks(gold, sources, events),
            **runs.chunks(events, built),
            **lineage.chunks(sources),
        }
        versions = gold.versions | ({} if told is None else {life.NAME: told})
    about = {
        "chunks": sorted(pages),
        "metrics": metrics(),
        "cards": [asdict(card) for card in CARDS],
        "versions": versions,
    }
    return {"about": about, **pages}, versions
