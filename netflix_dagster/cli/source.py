"""``netflix-dagster source``: a new source in five minutes, without code: put in, looked over, taken out."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from rich.console import Console

from netflix_dagster.azure.redaction import hide
from netflix_dagster.cli.output import item, plural
from netflix_dagster.cli.progress import Tell, working
from netflix_dagster.cli.trouble import Failed, WrongCall, writing
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.model import SECRET, Origin
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from netflix_dagster.files.profiling import Profile
    from netflix_dagster.landing.sources import Sources

MEGABYTES = 64
_MOST_ODD = 5
_MOST_ROWS = 100_000
"""Rows of a table that are looked at."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a new source is made of: a file, what lies at a URL, or a table of a database. ``key`` are the columns that
    identify a row, when that is known."""

    file: Path | None = None
    url: str | None = None
    private: bool = False
    database: str | None = None
    table: str | None = None
    cursor: str | None = None
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Looked:
    """A file to look at, the origin that it came from as ``sources.yaml`` says it, and the key that is known."""

    file: Path
    origin: dict[str, Any]
    key: tuple[str, ...]


def proposed(settings: Settings, name: str, given: Given, console: Console) -> tuple[Profile, str]:
    """The profile of what was given, and the entry for it as YAML. Raises ``WrongCall``, or ``Failed``."""
    from netflix_dagster.files.profiling import Unreadable, profile
    from netflix_dagster.files.profiling.proposal import as_yaml
    from netflix_dagster.landing.sources import NAME, load_sources

    _own_file(settings)
    sources = load_sources(settings.sources)
    if not re.fullmatch(NAME, name):
        raise WrongCall(f"{name!r} is no name of a source: small letters, digits and underscores, a letter first")
    if name in sources.sources or name in sources.feeds:
        raise WrongCall(f"there is a source or feed {name!r} already; choose another name, or `source remove` it first")
    if sum(one is not None for one in (given.file, given.url, given.database)) != 1:
        raise WrongCall("say --file or --url, or --database with --table: what is to be looked at")
    if bool(given.database) != bool(given.table) or (given.cursor and not given.database):
        raise WrongCall("--database says where, --table which table or view of it; --cursor is a column of that one")
    with working(f"looking at {name}", console) as tell, _at_hand(name, given, tell) as looked:
        try:
            found = profile(looked.file, sources, MEGABYTES * 1024 * 1024, new=name, key=looked.key)
        except Unreadable as error:
            raise WrongCall(str(error)) from error
        if found.door:
            raise WrongCall(f"{looked.file.name} cannot land as it is: {found.door}")
    if looked.origin:
        entry = found.document["sources"][name]
        entry["description"] = f"Say what one record is; from {Origin(**looked.origin).name}"
        found.document["sources"][name] = {**entry, "origin": looked.origin}
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
def _at_hand(name: str, given: Given, tell: Tell) -> Iterator[_Looked]:
    """What was given as a file of this machine: downloaded, or the first rows of a table."""
    if given.file is not None:
        yield _Looked(given.file, {}, given.key)
        return
    said = _origin(name, given)
    try:
        origin = Origin(**said)
    except ValueError as error:
        raise WrongCall("; ".join(_reasons(error))) from None
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / origin.lands_as
        try:
            key = _first_rows(origin, given, into, tell) if origin.database else ()
            if origin.url:
                _download(origin, str(given.url), into, tell)
        except FetchError as error:
            raise Failed(str(error).replace("say `private: true` in its origin", "say --private")) from None
        yield _Looked(into, said, given.key or key)


def _origin(name: str, given: Given) -> dict[str, Any]:
    """The origin as ``sources.yaml`` says it: the URL of a database, and what signs another one, by reference."""
    if given.database is not None:
        kept_in = given.database if re.match(SECRET, given.database) else f"env://{name.upper()}_DATABASE"
        return {"database": kept_in, "table": given.table, **({"cursor": given.cursor} if given.cursor else {})}
    private = {"private": True} if given.private else {}
    parts = urlsplit(str(given.url))
    query = parse_qsl(parts.query, keep_blank_values=True)
    signs = {key: f"env://{name.upper()}_{re.sub(r'[^A-Z0-9]', '_', key.upper())}" for key, _ in query if _signs(key)}
    if not signs:
        return {"url": given.url, **private}
    for key, value in query:
        if key in signs:
            hide(value)
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return {"url": bare, "query": {key: signs.get(key, value) for key, value in query}, **private}


def to_be_set(given: Given, origin: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the environment that the origin names and that were said to ``source add`` itself."""
    found = {said: f"the parameter {key} of the URL" for key, said in origin.get("query", {}).items() if _signs(key)}
    if given.database and origin["database"] != given.database:
        found[origin["database"]] = "the URL of the database"
    return {said.removeprefix("env://"): what for said, what in found.items()}


def _signs(parameter: str) -> bool:
    return re.search(r"sig|token|key|secret|password|credential|auth|code", parameter, re.IGNORECASE) is not None


def _download(origin: Origin, url: str, into: Path, tell: Tell) -> None:
    from netflix_dagster.landing.origins.http import Download, Limits

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    allowed = frozenset({(str(parts.hostname), port)}) if origin.private else frozenset()
    limits = Limits(origin.max_mb * 1024 * 1024, origin.max_seconds, private=allowed)
    Download(url, into, limits, progress=tell, name=origin.name).run()


def _first_rows(origin: Origin, given: Given, into: Path, tell: Tell) -> tuple[str, ...]:
    """Write the first rows of a table; its primary key."""
    from netflix_dagster.landing.origins import database
    from netflix_dagster.landing.origins.fetching import secret

    where = str(given.database)
    with database.opened(origin, secret(where), tell) as reader:
        found = reader.extract(into, database.Span(most=_MOST_ROWS))
        if not found.rows:
            raise FetchError(f"{origin.name} has no rows, from which nothing can be proposed")
        return reader.key()


def _reasons(error: ValueError) -> list[str]:
    from pydantic import ValidationError

    said = error.errors() if isinstance(error, ValidationError) else []
    return [one["msg"].removeprefix("Value error, ") for one in said] or [str(error)]
