"""The key of a delivery: the day on which it came, or the day and the hour where a feed delivers by the hour.

A key is text, ``2026-11-20`` or ``2026-11-20T13``: the name of a folder in landing, a partition in Dagster. Sorted
as text, the keys of one feed are in order of time. In tables a key is the columns ``delivery_date`` and,
of feeds that deliver by the hour, ``delivery_hour``. Days and hours are in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

Every = Literal["day", "hour"]
COLUMNS = ("delivery_date", "delivery_hour")
FORM: Mapping[Every, str] = {"day": "YYYY-MM-DD", "hour": "YYYY-MM-DDTHH"}
"""How a key is written."""


def is_date(text: str) -> bool:
    """Whether a text is a day, written ``YYYY-MM-DD``."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_key(text: str, every: Every | None = None) -> bool:
    """Whether a text is the key of a delivery; with ``every``, of a feed that delivers by the day or by the hour."""
    day, divided, hour = text.partition("T")
    is_hour = len(hour) == 2 and hour.isascii() and hour.isdigit() and int(hour) < 24
    return is_date(day) and (is_hour or not divided) and every in (None, "hour" if divided else "day")


def parts(key: str) -> tuple[date, int | None]:
    """The day and the hour of a key; the hour is None where the feed delivers by the day."""
    day, _, hour = key.partition("T")
    return date.fromisoformat(day), int(hour) if hour else None


def joined(day: date, hour: int | None) -> str:
    """The key of a day and an hour."""
    return str(day) if hour is None else f"{day}T{hour:02d}"


def at(instant: datetime, every: Every) -> str:
    """The key of a delivery that comes at an instant."""
    return joined(instant.date(), instant.hour if every == "hour" else None)


def as_columns(key: str | None) -> dict[str, Any]:
    """A key as the columns of a table; nulls for none."""
    return dict(zip(COLUMNS, parts(key) if key else (None, None), strict=True))


def of_row(row: Mapping[str, Any]) -> str:
    """The key of the delivery that a row of a table belongs to."""
    return joined(row["delivery_date"], row.get("delivery_hour"))
