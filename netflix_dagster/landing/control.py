"""Which origins Data Factory lands, and when: the control table that the pipelines read, made of ``sources.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from netflix_dagster import storage
from netflix_dagster.azure import vault
from netflix_dagster.landing.origins.model import Origin
from netflix_dagster.landing.sources import Source, Sources

FORMS = {"day": "yyyy-MM-dd", "hour": "yyyy-MM-ddTHH"}
"""How Data Factory writes the date of a delivery."""
RAW, API = "https://raw.githubusercontent.com/", "https://api.github.com/repos/"
WEEK = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
"""The days as both cron and ``dayOfWeek`` number them."""


class NotInAdf(ValueError):
    """Data Factory cannot land this origin; the message says why."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A time of ``fetch_at``, each field with all its values."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    month_days: tuple[int, ...]
    weekdays: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Cron:
        """Raises ``NotInAdf`` for times that no schedule trigger can say."""
        minute, hour, month_day, month, weekday = text.split(" ")
        if set(_values(month, 1, 12)) != set(range(1, 13)):
            raise NotInAdf(
                f"fetch_at {text!r} is of some months only, and a schedule of Data Factory is of every month"
            )
        if month_day != "*" and weekday != "*":
            raise NotInAdf(f"fetch_at {text!r} says days of the month and of the week: say one of them")
        days = tuple(sorted({day % 7 for day in _values(weekday, 0, 7)}))
        month_days = _values(month_day, 1, 31) if month_day != "*" else ()
        return cls(_values(minute, 0, 59), _values(hour, 0, 23), month_days, days)


def _values(field: str, low: int, high: int) -> tuple[int, ...]:
    """Every value that a field of cron names."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if first == "*" else int(first)
        end = int(last) if last else high if first == "*" or step else start
        found |= set(range(start, end + 1, int(step or 1)))
    return tuple(sorted(found))


def entries(sources: Sources) -> list[dict[str, Any]]:
    """The control table: one entry for each origin that Data Factory lands."""
    return [entry for _, _, entry in _each(sources) if isinstance(entry, dict)]


def left_out(sources: Sources) -> dict[str, str]:
    """The origins that stay with ``netflix-dagster fetch``, and why."""
    return {f"{source.name}: {origin.name}": str(why) for source, origin, why in _each(sources) if isinstance(why, str)}


def schedules(sources: Sources) -> dict[str, list[str]]:
    """The names of the sources that take part, by the time at which they are looked at."""
    taking_part = {entry["source"] for entry in entries(sources)}
    times: dict[str, list[str]] = {}
    for source in sources.sources.values():
        if source.name in taking_part:
            times.setdefault(source.fetch_at, []).append(source.name)
    return times


def _each(sources: Sources) -> Iterator[tuple[Source, Origin, dict[str, Any] | str]]:
    for source in sources.sources.values():
        for origin in source.origin:
            try:
                yield source, origin, _entry(source, origin)
            except NotInAdf as why:
                yield source, origin, str(why)


def _entry(source: Source, origin: Origin) -> dict[str, Any]:
    """What the pipelines need to know of one origin. Empty text stands for what there is none of."""
    return {
        "source": source.name,
        **_where(origin),
        "file": origin.lands_as,
        "date": str(origin.date) if origin.date else "",
        "form": FORMS[source.every],
        "weekdays": list(Cron.of(source.fetch_at).weekdays),
        "max_bytes": origin.max_mb * 1024 * 1024,
        "types": list(origin.types),
    }


def _where(origin: Origin) -> dict[str, Any]:
    """Where the file lies; raises ``NotInAdf``."""
    if origin.member or origin.kaggle:
        raise NotInAdf("a file inside of a zip: Data Factory would land the zip")
    if origin.token or any(map(_is_secret, origin.query.values())):
        raise NotInAdf("it needs a token, which a run of Data Factory would show in its logs")
    if origin.github:
        return _github(origin.github, str(origin.path), origin)
    if origin.git:
        raise NotInAdf("Data Factory does not speak the git protocol")
    if origin.url:
        return _url(origin)
    return _storage(str(origin.storage))


def _is_secret(value: str) -> bool:
    return vault.is_reference(value) or value.startswith("env://")


def _github(repository: str, path: str, origin: Origin) -> dict[str, Any]:
    """A file of a release stands at its ref; of any other the newest commit before the end of the window is asked."""
    file = quote(path)
    if origin.date:
        return _at("public", RAW, f"{repository}/{origin.ref}/{file}")
    query = {"path": path, "per_page": "1", **({"sha": origin.ref} if origin.ref != "HEAD" else {}), "until": ""}
    commits = f"{API}{repository}/commits?{urlencode(query)}"
    return {**_at("public", RAW, ""), "look": "github", "folder": repository, "name": file, "commits": commits}


def _url(origin: Origin) -> dict[str, Any]:
    parts = urlsplit(str(origin.url))
    query = "&".join(filter(None, (parts.query, urlencode(origin.query))))
    path = f"{parts.path}?{query}" if query else parts.path
    return _at("private" if origin.private else "public", f"{parts.scheme}://{parts.netloc}/", path.lstrip("/"))


def _storage(said: str) -> dict[str, Any]:
    """A file in another storage account; a path is one of a file share on premises."""
    if storage.is_local(storage.at(said)):
        return _at("share", "", said.lstrip("/"))
    parts = urlsplit(said)
    container, _, account = parts.netloc.rpartition("@")
    return {**_at("storage", f"https://{account}/", parts.path.lstrip("/")), "container": container}


def _at(kind: str, host: str, path: str) -> dict[str, Any]:
    """``look`` is how the origin is asked what lies there, ``copy`` the connector by which its file comes."""
    folder, _, name = path.rpartition("/")
    said = {"look": kind, "copy": kind, "host": host, "container": "", "folder": folder, "name": name}
    return {**said, "commits": ""}
