"""``netflix-dagster source``: a new source in five minutes, without code: put in, looked over, taken out."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster.cli.output import item, plural
from netflix_dagster.cli.trouble import WrongCall, writing
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from netflix_dagster.files.profiling import Profile
    from netflix_dagster.landing.sources import Sources

MEGABYTES = 64
_MOST_ODD = 5


def proposed(settings: Settings, name: str, file: Path | None, url: str | None, private: bool) -> tuple[Profile, str]:
    """The profile of a file, or of what lies at a URL, and the entry for it as YAML. Raises ``WrongCall``."""
    from netflix_dagster.files.profiling import Unreadable, profile
    from netflix_dagster.files.profiling.proposal import as_yaml
    from netflix_dagster.landing.sources import NAME, load_sources

    _own_file(settings)
    sources = load_sources(settings.sources)
    if not re.fullmatch(NAME, name):
        raise WrongCall(f"{name!r} is no name of a source: small letters, digits and underscores, a letter first")
    if name in sources.sources or name in sources.feeds:
        raise WrongCall(f"there is a source or feed {name!r} already; choose another name, or `source remove` it first")
    if (file is None) == (url is None):
        raise WrongCall("say --file or --url: what is to be looked at")
    with _at_hand(file, url, private) as looked:
        try:
            found = profile(looked, sources, MEGABYTES * 1024 * 1024, new=name)
        except Unreadable as error:
            raise WrongCall(str(error)) from error
    if found.door:
        raise WrongCall(f"{looked.name} cannot land as it is: {found.door}")
    if url is not None:
        entry = found.document["sources"][name]
        origin = {"url": url, **({"private": True} if private else {})}
        entry["description"] = f"Say what one record is; from {_host(url)}"
        found.document["sources"][name] = {**entry, "origin": origin}
    return found, as_yaml(found.document)


def tell(found: Profile, console: Console) -> None:
    """What was found out about the file, above the entry that is proposed for it."""
    rows, columns = plural(len(found.delivered.rows), "row"), plural(len(found.columns), "column")
    console.print(f"{found.delivered.path.name}: {found.delivered.kind}, {rows}, {columns}", markup=False)
    like = found.like
    if like is not None and like.verdict != "other":
        said = f"it looks like the source {like.source} ({like.score:.0%} of the columns); is it not one of its files?"
        console.print(said, style="yellow", markup=False, soft_wrap=True)
    for oddity in found.oddities[:_MOST_ODD]:
        rows = f", {plural(oddity.rows, 'row')}" if oddity.rows else ""
        console.print(f"  {oddity.column or 'the file'}: {oddity.what}{rows}: {oddity.meaning}", markup=False)
    if len(found.oddities) > _MOST_ODD:
        console.print(f"  and {len(found.oddities) - _MOST_ODD} more: netflix-dagster profile FILE", markup=False)


def write_entry(settings: Settings, name: str, entry: str) -> Path:
    """Put the entry into the file of the sources; the file. Raises ``SourcesError`` when it would not be right."""
    from netflix_dagster.cli import sources_file

    path = _own_file(settings)
    feeds, sources = entry.removeprefix("feeds:\n").split("sources:\n", 1)
    with writing("the file of the sources", path):
        sources_file.add(path, {"feeds": feeds, "sources": sources}, _judged)
    return path


def check(settings: Settings, name: str | None) -> list[dict[str, Any]]:
    """Whether all is well with the sources, or one of them: findings as ``doctor`` has them. The lake is not asked."""
    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.landing.sources import PACKAGED, load_sources

    path = settings.sources or PACKAGED
    sources = load_sources(settings.sources)
    if name is not None and name not in sources.sources:
        raise WrongCall(f"there is no source {name!r} in {path}; the sources are {', '.join(sources.sources)}")
    findings = [_finding("file", True, f"{path}: {plural(len(sources.sources), 'source')}")]
    try:
        _judged(sources)
    except ValueError as error:
        return [*findings, _finding("tables", False, str(error), f"change {path}")]
    from netflix_dagster.contracts.contract import TABLES

    chosen = [sources.sources[name]] if name else list(sources.sources.values())
    listing = list_landing(settings.landing, sources, [source.name for source in chosen])
    for source in chosen:
        readers = [table for table, said in TABLES.items() if source.bronze in said.reads]
        built = f"{source.bronze} -> {', '.join(readers) or 'nothing reads it yet: say `silver:`'}"
        landed = [delivery for delivery in listing.deliveries if delivery.source == source.name]
        newest = f", the newest of {landed[-1].date}" if landed else ""
        fetched = f"; from {', '.join(origin.name for origin in source.origin)}" if source.origin else ""
        said = f"{built}; {plural(len(landed), 'delivery', 'deliveries')} in landing{newest}{fetched}"
        findings.append(_finding(source.name, True, said))
    for stray in listing.strays:
        findings.append(_finding("landing", False, stray, "rename or remove it"))
    return findings


def remove(settings: Settings, name: str) -> list[str]:
    """Take a source out of the file; what becomes of all that it brought, in sentences."""
    from netflix_dagster.cli import sources_file
    from netflix_dagster.deliveries.life import Life
    from netflix_dagster.lake import store
    from netflix_dagster.landing.sources import load_sources

    path = _own_file(settings)
    sources = load_sources(settings.sources)
    if name not in sources.sources:
        raise WrongCall(f"there is no source {name!r} in {path}; the sources are {', '.join(sources.sources)}")
    _judged(sources)
    from netflix_dagster.contracts.contract import TABLES
    from netflix_dagster.tables.generic import FROM_DATA

    source = sources.sources[name]
    readers = [table for table, said in TABLES.items() if source.bronze in said.reads and said.tags != FROM_DATA]
    if readers:
        raise WrongCall(
            f"{name} stays: {', '.join(readers)} {'reads' if len(readers) == 1 else 'read'} its bronze table"
        )
    stands = sum(1 for (of, _), found in Life.read(settings.lake).deliveries.items() if of == name and found.attempts)
    kept = [table for table in (source.bronze, f"silver.{name}") if store.exists(settings.lake, table)]
    with writing("the file of the sources", path):
        sources_file.remove(path, name, _judged)
    return [
        f"{name} is out of {path}; Dagster forgets its assets at the next reload of the code location",
        f"its files in {settings.landing}/{name} stay, and are passed over",
        f"its tables stay in the lake as they are: {', '.join(kept) or 'there are none'}"
        + (f"; remove their folders below {settings.lake} if nobody needs them" if kept else ""),
        f"the history of {plural(stands, 'delivery', 'deliveries')} stays in quality.deliveries;"
        " with the same entry again all goes on from there",
    ]


def print_findings(findings: list[dict[str, Any]], console: Console) -> None:
    """Each finding, and how to mend what is not well."""
    for finding in findings:
        item(console, f"{'ok' if finding['ok'] else 'mend':<6}{finding['what']:<20}", finding["found"])
        if finding["mend"]:
            item(console, " " * 26, f"-> {finding['mend']}")


def _finding(what: str, ok: bool, found: str, mend: str = "") -> dict[str, Any]:
    return {"what": what, "ok": ok, "found": found, "mend": mend}


def _judged(sources: Sources) -> None:
    """Raise ``ValueError`` when the tables of these sources cannot be declared."""
    from netflix_dagster import tables
    from netflix_dagster.contracts.contract import ContractError

    try:
        tables.declare(sources)
    except ContractError as error:
        raise ValueError(str(error)) from error


def _own_file(settings: Settings) -> Path:
    """The file that is changed: that of NETFLIX_SOURCES, which begins as a copy of the packaged one, or the packaged
    one of a checkout."""
    from netflix_dagster.landing.sources import PACKAGED

    if settings.sources is not None:
        if not settings.sources.exists():
            from netflix_dagster.storage import put

            with writing("the file of the sources", settings.sources):
                put(settings.sources, PACKAGED)
        return settings.sources
    if (PACKAGED.parents[1] / "pyproject.toml").exists():
        return PACKAGED
    raise WrongCall(
        "the sources of an installed package are not changed: set NETFLIX_SOURCES to a file of your own, such as"
        " sources.yaml. If there is none yet, it begins as a copy of the packaged one"
    )


@contextmanager
def _at_hand(file: Path | None, url: str | None, private: bool) -> Iterator[Path]:
    """The file, downloaded if it is not on this machine."""
    if file is not None:
        yield file
        return
    from urllib.parse import urlsplit

    from netflix_dagster.cli.trouble import Failed
    from netflix_dagster.landing.origins.errors import FetchError
    from netflix_dagster.landing.origins.http import Download, Limits
    from netflix_dagster.landing.origins.model import Origin

    try:
        origin = Origin(url=url, private=private)
    except ValueError as error:
        raise WrongCall("; ".join(_reasons(error))) from None
    parts = urlsplit(str(url))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    allowed = frozenset({(str(parts.hostname), port)}) if private else frozenset()
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / origin.lands_as
        try:
            Download(str(url), into, Limits(origin.max_mb * 1024 * 1024, origin.max_seconds, private=allowed)).run()
        except FetchError as error:
            raise Failed(str(error).replace("say `private: true` in its origin", "say --private")) from None
        yield into


def _reasons(error: ValueError) -> list[str]:
    from pydantic import ValidationError

    said = error.errors() if isinstance(error, ValidationError) else []
    return [one["msg"].removeprefix("Value error, ") for one in said] or [str(error)]


def _host(url: str) -> str:
    from netflix_dagster.landing.origins.model import shown

    return shown(url)
