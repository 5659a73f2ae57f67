"""What the notebooks of the workflow on Databricks call: they have widgets and hand values on, and the work is here.

Each notebook (``infra/databricks/notebooks``) is one step of the job ``netflix-workflow``. The steps are those of
``netflix-dagster-build-pending``, cut at the sources.
"""

from __future__ import annotations

import logging
import sys

from netflix_dagster.build import pending_work
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.settings import Settings


class NotBuilt(RuntimeError):
    """Something of a source is held back or has failed; what can be built is built."""


def pending_sources(landing: str, lake: str) -> list[str]:
    """The sources of which something is to be built, in the order of the oldest delivery."""
    settings, sources = _begin(landing, lake)
    _, work = pending_work.look(settings, sources)
    return list(dict.fromkeys(name for piece in work for name in piece.sources))


def build_source(source: str, landing: str, lake: str) -> dict[str, int]:
    """Build what is pending of a source, and return how many delivery dates and tables that were.

    Raises ``NotBuilt`` when a delivery is held back or a table failed: then the iteration fails, and a repair of the
    run, once the file is mended, does it again.
    """
    settings, sources = _begin(landing, lake)
    if source not in sources.sources:
        raise NotBuilt(f"there is no source {source!r}; nothing was built. It is one of {', '.join(sources.sources)}")
    done = pending_work.build_pending(settings, sources, only=[source])
    wrong = [f"{attempt.source} of {attempt.key} is {attempt.status}: {attempt.why}" for attempt in done.held]
    wrong += [f"{name} failed: {why}" for name, why in done.failed.items()]
    if wrong:
        raise NotBuilt("; ".join(wrong) + ". What else was pending is built. Mend it, then repair this run")
    return {"delivery_dates": len(done.work), "tables": len(done.reports)}


def _begin(landing: str, lake: str) -> tuple[Settings, Sources]:
    """The settings of this cluster with these places, and the sources."""
    from netflix_dagster import tables
    from netflix_dagster.azure import access

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    pending_work.log.setLevel(logging.INFO)
    settings = pending_work.from_environment(landing=landing, lake=lake)
    sources = load_sources(settings.sources)
    access.connect(settings)
    tables.declare(sources)
    return settings, sources
