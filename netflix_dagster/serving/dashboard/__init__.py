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
from netflix_dagster.landing.sources import Sources
from netflix_dagster.serving.dashboard import catalogue, charts, engagement, lineage, quality, runs, site, titles
from netflix_dagster.serving.dashboard.cards import CARDS, metrics
from netflix_dagster.serving.dashboard.reading import reader
from netflix_dagster.serving.dashboard.runs import TableBuilt
from netflix_dagster.serving.dashboard.site import Site
from netflix_dagster.storage import Place

READS = (
    "gold.dim_title",
    "gold.dim_country",
    "gold.dim_genre",
    "gold.dim_person",
    "gold.dim_week",
    "gold.bridge_title_cast",
    "gold.bridge_title_director",
    "gold.bridge_title_country",
    "gold.bridge_title_genre",
    "gold.bridge_title_chart",
    "gold.fact_catalogue_change",
    "gold.fact_top10_global_weekly",
    "gold.fact_top10_country_weekly",
    "gold.fact_top10_restatement",
    "gold.fact_engagement",
    "gold.kpi_catalogue",
    "gold.kpi_top10",
)
"""The tables of gold that the pages are made from."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What was built: the files, the versions of the tables that they were made from, the seconds it took."""

    site: Site
    versions: dict[str, int]
    seconds: float


def folder(lake: Place) -> Place:
    """Where the dashboard of a lake lies: ``<lake>/serving/dashboard``."""
    return lake / "serving" / "dashboard"


def build(lake: Place, sources: Sources, built: Sequence[TableBuilt] = ()) -> Dashboard:
    """Build the dashboard of a lake as it is now. ``built``: which tables were built lately, as Dagster tells it."""
    started = time.perf_counter()
    content, versions = extract(lake, sources, built)
    written = site.write(folder(lake), content)
    return Dashboard(written, versions, time.perf_counter() - started)


def extract(lake: Place, sources: Sources, built: Sequence[TableBuilt] = ()) -> tuple[dict[str, Any], dict[str, int]]:
    """All that the pages show, by chunk, and the versions of the tables that it was read from."""
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
        versions = gold.versions
    about = {
        "chunks": sorted(pages),
        "metrics": metrics(),
        "cards": [asdict(card) for card in CARDS],
        "versions": versions,
    }
    return {"about": about, **pages}, versions
