"""``netflix-dagster land``: a file becomes a delivery; what else lies there, and what the door will say of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from netflix_dagster import storage
from netflix_dagster.cli import hints
from netflix_dagster.cli.output import item, plural
from netflix_dagster.cli.trouble import WrongCall, writing
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from netflix_dagster.deliveries.life import Life
    from netflix_dagster.landing.sources import Source


@dataclass(frozen=True, slots=True)
class Landed:
    """Where the file went, the other files of its delivery (removed when it replaces them), how many later dates stand
    that a gate compares with it, and what the door says: the records that can be read, or why the file is refused."""

    place: Place
    source: str
    day: str
    others: tuple[str, ...]
    replaced: bool
    later: int
    records: int
    refused: str


def land(settings: Settings, file: Path, source: Source, day: str, replace: bool) -> Landed:
    """Put a file into its delivery; with ``replace`` it is then the only one there."""
    from netflix_dagster.deliveries.life import Life
    from netflix_dagster.landing import deliveries

    records, refused = _look(file, source)
    try:
        with writing("the landing folder", settings.landing):
            place = deliveries.land(settings.landing, file, source, day)
            found = deliveries.delivery_at(settings.landing, source, day)
            others = [other for other in (found.files if found else ()) if other.name != file.name]
            for other in others if replace else ():
                storage.remove_file(storage.at(other.path))
    except ValueError as error:
        raise WrongCall(str(error)) from error
    life = Life.read(settings.lake)
    new = not refused and (source.name, day) not in life.deliveries
    later = _later(life, source, day) if new else []
    names = tuple(other.name for other in others)
    return Landed(place, source.name, day, names, replace, len(later), records, refused)


def _later(life: Life, source: Source, day: str) -> list[str]:
    """The later dates that a gate compares with what the source delivers."""
    from netflix_dagster.contracts.contract import TABLES
    from netflix_dagster.contracts.graph import sources_of

    gates = [sources_of(name) for name, table in TABLES.items() if table.write == "gate"]
    compared = {other for sources in gates if source.name in sources for other in sources}
    return [key for feed, key in life.dates if feed == source.feed and key > day and life.standing(feed, key, compared)]


def print_landed(found: Landed, settings: Settings, console: Console) -> None:
    """What is there now, and what to do next."""
    item(console, "landed", str(found.place))
    if found.others and found.replaced:
        item(console, "removed", ", ".join(found.others))
    elif found.others:
        item(console, "beside it", f"{', '.join(found.others)}: one delivery with this file", style="yellow")
        item(console, "", "if this one is to take their place: land it again with --replace")
    if found.refused:
        item(console, "refused", f"{found.refused}. No table will change; land a mended file", style="red")
    else:
        item(console, "readable", plural(found.records, "record"))
    if found.later:
        later = plural(found.later, "later date")
        item(console, "earlier", f"{later} of its feed stand. Each is compared with the one before it, and held if it")
        item(console, "", "lacks too much of it. If this delivery is wrong, the way back is")
        item(console, "", hints.command(settings, f"deliveries withdraw {found.source} {found.day} {hints.BECAUSE}"))
    if not found.refused:
        item(console, "next", hints.build(settings))


def _look(file: Path, source: Source) -> tuple[int, str]:
    """The records of a file, and the first reason for which the door refuses it."""
    from netflix_dagster.files.reading import open_file

    with open_file(str(file), source) as reading:
        for _ in reading:
            reading.take_malformed()
        found = reading.result
    more = f" (and {len(found.refusals) - 1} more)" if len(found.refusals) > 1 else ""
    return found.records, f"{found.refusals[0].reason}{more}; {found.refusals[0].hint}" if found.refusals else ""
