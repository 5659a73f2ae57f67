"""Viewing events in plain Python: deliveries at random, and what they come to. Shares no code with the tables."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

HOURS = [datetime(2026, 11, 20, 22) + timedelta(hours=n) for n in range(5)]
"""Hours of deliveries, over midnight."""
TITLES = (("Movie", "The Tin Heron 1", 2001), ("movie", "The  TIN heron 1", 2001), ("TV Show", "Ferry Wars", 2019))
Event = dict[str, Any]
Files = dict[str, list[Event]]


def key(hour: datetime) -> str:
    return f"{hour:%Y-%m-%dT%H}"


def event(number: int, began: datetime, **said: Any) -> Event:
    """An event that keeps all rules; ``said`` replaces some of it."""
    kind, title, year = TITLES[0]
    return {
        "event_id": f"e{number}",
        "profile_id": f"p{number % 7}",
        "type": kind,
        "title": title,
        "release_year": year,
        "country": "TR",
        "device": "tv",
        "started_at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "seconds_viewed": 60,
        **said,
    }


def a_delivery(rng: random.Random, hour: datetime) -> Files:
    """An hour in some files: few events, so that the same come in many files and hours, now and then with another
    content, some of them late and some broken."""
    files: Files = {}
    for file in range(rng.randint(1, 4)):
        rows = []
        for _ in range(rng.randint(1, 6)):
            number = rng.randrange(40)
            of_event = random.Random(number)
            kind, title, year = of_event.choice(TITLES)
            began = HOURS[number % 5] + timedelta(minutes=of_event.randrange(60))
            began = min(began, hour + timedelta(minutes=59))
            said: Event = {
                "type": kind,
                "title": title,
                "release_year": year,
                "device": of_event.choice(("tv", "TV", "phone")),
            }
            if rng.random() < 0.2:
                said["seconds_viewed"] = rng.choice((61, 3600))
            if rng.random() < 0.1:
                said |= rng.choice(({"country": None}, {"seconds_viewed": "long"}, {"started_at": "yesterday"}))
            rows.append(event(number, began, **said))
        files[f"part-{file}.jsonl"] = rows
    return files


def as_lines(rows: list[Event]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def events(deliveries: dict[str, Files]) -> dict[tuple[str, str], Event]:
    """Every event by its hour and id: as the first delivery says it, and in it the first file and record."""
    found: dict[tuple[str, str], Event] = {}
    for delivery in sorted(deliveries):
        here: dict[str, Event] = {}
        for file in sorted(deliveries[delivery]):
            for row in deliveries[delivery][file]:
                if row["country"] and isinstance(row["seconds_viewed"], int) and row["started_at"] != "yesterday":
                    here.setdefault(row["event_id"], row)
        for row in here.values():
            place = (row["started_at"][:13], row["event_id"])
            was = found.setdefault(place, {**row, "reports": 0, "alike": True, "late": delivery > place[0]})
            was["reports"] += 1
            was["alike"] &= _said(row) == _said(was)
    return found


def facts(deliveries: dict[str, Files]) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Events, viewers, seconds and late events of each hour, title, country and device."""
    cells: dict[tuple[str, ...], list[Event]] = defaultdict(list)
    for (hour, _), row in events(deliveries).items():
        cells[hour, _title(row), row["country"], row["device"].lower()].append(row)
    return {
        cell: (
            len(rows),
            len({row["profile_id"] for row in rows}),
            sum(row["seconds_viewed"] for row in rows),
            sum(row["late"] for row in rows),
        )
        for cell, rows in cells.items()
    }


def _title(row: Event) -> str:
    return f"{row['type'].lower()}|{' '.join(row['title'].lower().split())}|{row['release_year']}"


def _said(row: Event) -> tuple[Any, ...]:
    return (row["started_at"], row["seconds_viewed"], row["profile_id"], _title(row), row["device"].lower())
