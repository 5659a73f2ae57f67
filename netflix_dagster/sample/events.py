"""Sample viewing events: an invented audience, hour by hour, in many small files, with the dirt of real telemetry.

Titles are those of the last release of the sample catalogue, and a few that it does not have. What an hour holds
follows from the seed and the hour alone: the same bytes come out every time, however many hours are asked for.

- ``LATE`` of the events began in an hour before that in which they come, up to two days before
- ``REPEATED`` of the reports are sent again: in another file of the hour, or an hour later
- ``BROKEN`` of the records are none, or have a value that no rule lets pass
- ``UNKNOWN`` of the events are of titles that the catalogue does not have
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from netflix_dagster.landing import keys

SEED = 20260301
FIRST_HOUR = datetime(2026, 3, 1, tzinfo=UTC)
FILES, A_FILE = 1_000, 20
"""Files of an hour, and about how many events each has."""
LATE, REPEATED, BROKEN, UNKNOWN = 0.05, 0.03, 0.002, 0.01
LATEST = 48
"""Hours after which no event of the sample comes."""
PROFILES = 5_000
COUNTRIES = ("US", "US", "US", "IN", "GB", "JP", "KR", "FR", "ES", "MX", "NG", "TR", "BR", "DE", "EG", "TW", "AR", "CA")
DEVICES = ("tv", "tv", "tv", "phone", "phone", "tablet", "computer", "console")
NOT_IN_CATALOGUE = ("The Ferryman's Umbrella", "Ten Thousand Teaspoons", "Harbour Radio")
AFTER_CATALOGUE = 2031
"""The year of the titles that the catalogue does not have."""

Event = dict[str, str | int]
Name = tuple[str, str, int]
"""Type, title and year."""


def event_files(
    hours: int, files: int = FILES, *, a_file: int = A_FILE, seed: int = SEED
) -> Iterator[tuple[str, bytes]]:
    """The deliveries of so many hours: ``viewing_events/<hour>/<file>`` and the bytes of the file."""
    names = _names()
    before: list[Event] = []
    for n in range(hours):
        hour = FIRST_HOUR + timedelta(hours=n)
        key = keys.at(hour, "hour")
        rng = random.Random(f"{seed} {key}")
        fresh = [_event(rng, names, hour) for _ in range(files * a_file)]
        sent = [*fresh, *(rng.choice(before or fresh) for _ in range(round(REPEATED * len(fresh))))]
        sent += [rng.choice(fresh) for _ in range(round(REPEATED * len(fresh)))]
        rng.shuffle(sent)
        for file in range(files):
            lines = [_line(rng, event) for event in sent[file::files]]
            yield f"viewing_events/{key}/part-{file:05}.jsonl", "".join(lines).encode()
        before = fresh


def _names() -> list[Name]:
    from netflix_dagster.sample import catalogue_releases

    return [title.identity for title in catalogue_releases()[-1]]


def _event(rng: random.Random, names: list[Name], hour: datetime) -> Event:
    kind, title, year = rng.choice(names)
    if rng.random() < UNKNOWN:
        kind, title, year = "Movie", rng.choice(NOT_IN_CATALOGUE), AFTER_CATALOGUE
    began = hour - timedelta(hours=rng.randint(1, LATEST)) if rng.random() < LATE else hour
    return {
        "event_id": f"{rng.getrandbits(64):016x}",
        "profile_id": f"p{rng.randrange(PROFILES):05}",
        "type": kind,
        "title": title,
        "release_year": year,
        "country": rng.choice(COUNTRIES),
        "device": rng.choice(DEVICES),
        "started_at": f"{began + timedelta(seconds=rng.randrange(3600)):%Y-%m-%dT%H:%M:%SZ}",
        "seconds_viewed": rng.randrange(10, 2 * 3600),
    }


def _line(rng: random.Random, event: Event) -> str:
    """The event as it is sent; a few are broken on their way."""
    whole = json.dumps(event, ensure_ascii=False)
    if rng.random() >= BROKEN:
        return f"{whole}\n"
    how = rng.randrange(4)
    if how == 0:  # a line that ends too soon
        return f"{whole[: len(whole) // 2]}\n"
    wrongs: tuple[Event, ...] = ({"started_at": "1970-01-01T00:00:00Z"}, {"country": ""}, {"seconds_viewed": -1})
    return f"{json.dumps({**event, **wrongs[how - 1]}, ensure_ascii=False)}\n"
