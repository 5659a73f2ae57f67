"""``netflix-dagster fetch``: what lies at the origins of sources becomes deliveries in landing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster.cli import hints
from netflix_dagster.cli.output import plural
from netflix_dagster.cli.progress import working
from netflix_dagster.cli.trouble import WrongCall, writing
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from netflix_dagster.landing.origins.fetching import Fetched


def fetch(settings: Settings, names: Sequence[str], history: bool, console: Console) -> dict[str, Any]:
    """Fetch some sources, all that have an origin if none is named. One that cannot be had does not stop the others.

    Returns what became of each, for ``--json``; exit code 0 when nothing failed, else 1.
    """
    from netflix_dagster.azure.redaction import redact
    from netflix_dagster.files.arriving import unlike
    from netflix_dagster.landing.origins.errors import FetchError
    from netflix_dagster.landing.origins.fetching import Fetch
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources).sources
    if unknown := [name for name in names if name not in sources]:
        raise WrongCall(f"there is no source {', '.join(unknown)}; the sources are {', '.join(sources)}")
    chosen = [sources[name] for name in names] or [source for source in sources.values() if source.origin]
    if lacking := [source.name for source in chosen if not source.origin]:
        raise WrongCall(f"{', '.join(lacking)}: no origin is said in sources.yaml, so there is nothing to fetch")
    if history and not names:
        chosen = [s for s in chosen if any(origin.has_history for origin in s.origin)]
    fetched: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for source in chosen:
        with working(source.name, console) as tell, writing("the landing folder", settings.landing):
            work = Fetch(source, settings.landing, unlike, tell)
            try:
                for one in work.history() if history else work.newest():
                    fetched.append(asdict(one))
                    _tell(one, console)
            except FetchError as error:
                reason = redact(str(error))
                failed.append({"source": source.name, "error": reason})
                console.print(reason, style="red", markup=False, soft_wrap=True)
    new = sum(1 for one in fetched if one["outcome"] == "delivered")
    console.print(
        f"{plural(new, 'new delivery', 'new deliveries')}, {len(fetched) - new} unchanged, {len(failed)} failed"
    )
    if new:
        console.print(f"next   {hints.build(settings)}", markup=False, soft_wrap=True)
    return {"exit_code": 1 if failed else 0, "fetched": fetched, "failed": failed}


def _tell(one: Fetched, console: Console) -> None:
    became = f"{one.date}  {one.file}  from " if one.outcome == "delivered" else "unchanged  "
    console.print(f"{one.source} {became}{one.origin}", markup=False, soft_wrap=True)
