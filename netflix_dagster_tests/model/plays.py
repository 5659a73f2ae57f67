"""A feed that delivers by the hour, a second time: what ``deliveries/plays.py`` declares."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from netflix_dagster_tests.model.catalogue import Row, Told
from netflix_dagster_tests.model.text import Record


def hour(key: str, records: Sequence[Record]) -> Told:
    """The plays of an hour."""
    day, _, number = key.partition("T")
    told = Told()
    told.delivered = {"delivery_date": date.fromisoformat(day), "delivery_hour": int(number)}
    for record in records:
        place, minutes = (record.file, record.number), record.said["minutes"]
        if not re.fullmatch("[0-9]+", minutes or ""):
            told.refuse(place, "has_minutes")
            continue
        said = {"title": record.said["title"], "minutes": int(minutes or 0)}
        where = {"source_file": record.file, "record_number": record.number}
        told.keep(place, told.delivered | said | where)
    return told


class Gate:
    """The gate of the hours: one of a single play is held."""

    @staticmethod
    def verdict(told: Told, decided: tuple[str, str] | None) -> Row | None:
        plays = len(told.rows)
        verdict = {"plays": plays, "decided_by": decided[0] if decided else None}
        return {**told.delivered, **verdict, "is_accepted": plays > 1 or decided is not None} if plays else None


def by_title(hours: Iterable[Told]) -> list[Row]:
    """The minutes of each title in all hours."""
    minutes: Counter[str] = Counter()
    for told in hours:
        for row in told.rows:
            minutes[row["title"]] += row["minutes"]
    return [{"title": title, "minutes": total} for title, total in minutes.items()]
