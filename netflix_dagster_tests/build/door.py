"""A lakehouse with one source of films, and the real runner between its landing folder and its bronze table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netflix_dagster import tables
from netflix_dagster.build.door import NO_DRIFT
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.report import Check, Outcome
from netflix_dagster.deliveries import columns
from netflix_dagster.deliveries.columns import Seen
from netflix_dagster.deliveries.life import Life
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Source, load_sources
from netflix_dagster.settings import Settings

SOURCES = """
feeds: {{films: {{description: Films, expected_every_days: 7}}}}
sources:
  films:
    feed: films
    form: whole
    description: Films
    on_drift: {policy}
    columns:
      show_id: {{description: Number, aliases: [id]}}
      title: {{description: Name}}
      hours: {{description: Hours, required: false, aliases: [hours_viewed]}}
      added: {{description: Day, required: false}}
"""
BRONZE = "bronze.films"
Columns = Mapping[str, Sequence[object]]


class Door:
    """A landing folder and a lake of one source, with the policy that its sources.yaml states."""

    def __init__(self, root: Path, policy: str = "rescue") -> None:
        root.mkdir(exist_ok=True)
        self.settings = Settings(landing=root / "landing", lake=root / "lake", sources=root / "sources.yaml")
        self.policy(policy)

    def policy(self, policy: str) -> None:
        self.say(SOURCES.format(policy=policy))

    def say(self, sources: str) -> None:
        """Have another ``sources.yaml``."""
        assert self.settings.sources
        self.settings.sources.write_text(sources)

    @property
    def source(self) -> Source:
        return load_sources(self.settings.sources).sources["films"]

    @property
    def life(self) -> Life:
        return Life.read(self.settings.lake)

    def land(self, day: str, file: Columns | bytes, name: str = "films.csv") -> Path:
        path = self.settings.landing / "films" / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file, bytes):
            path.write_bytes(file)
        else:
            lines = [",".join(map(str, row)) for row in zip(*file.values(), strict=True)]
            path.write_text("\n".join([",".join(file), *lines, ""]))
        return path

    def take(self, *days: str, again: bool = False) -> dict[str, Outcome]:
        """Have the runner build the bronze table for some deliveries."""
        sources = load_sources(self.settings.sources)
        tables.declare(sources)
        try:
            with Session(self.settings, sources, "run", [BRONZE], {"films": days}, again=again) as session:
                return {str(day): outcome for day, outcome in session.build(BRONZE).outcomes.items()}
        finally:
            tables.declare(load_sources())

    def deliver(self, day: str, file: Columns) -> Check:
        """Land a delivery, take it, and say what the check found."""
        self.land(day, file)
        return check(self.take(day)[day])

    def rows(self) -> list[dict[str, Any]]:
        held = store.read_arrow(self.settings.lake, BRONZE)
        kept = held.drop_columns(["loaded_at", "run_id"]).to_pylist() if held is not None else []
        return sorted(kept, key=lambda row: (row["delivery_date"], row["source_file"], row["record_number"]))

    def seen(self, day: str) -> dict[str, Seen]:
        return {seen.name: seen for seen in columns.read(self.settings.lake, "films").get(day, ())}


def check(outcome: Outcome, name: str = NO_DRIFT) -> Check:
    (found,) = [check for check in outcome.checks if check.name == name]
    return found
