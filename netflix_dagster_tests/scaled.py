"""Deliveries of any size, drawn from the sample: its values as often as it has them, titles and people of their own."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from netflix_dagster.sample import SPLIT_DAY, sample_files

WHOLE, COUNTRIES = "netflix_catalogue", "top10_countries"
FIRST = date(2020, 1, 1)
CHANGED = 0.05
"""The share of titles that a release changes."""
TITLES_A_PERSON = 4


def day(number: int) -> str:
    """The delivery date of the nth release."""
    return (FIRST + timedelta(days=number)).isoformat()


def release(landing: Path, titles: int, number: int = 0) -> Path:
    """The nth release of a catalogue; each changes some titles of the one before."""
    file = landing / WHOLE / day(number) / "netflix_titles.csv"
    file.parent.mkdir(parents=True)
    names, drawn = _rows(WHOLE, before=SPLIT_DAY.isoformat())
    with file.open("w", newline="") as written:
        writer = csv.DictWriter(written, names)
        writer.writeheader()
        for place in range(titles):
            writer.writerow(_title(drawn, place, titles, number))
    return file


def charts(landing: Path, rows: int) -> Path:
    """One delivery of the charts of countries with about so many places: the sample's, week after week before it."""
    file = landing / COUNTRIES / day(0) / "all.tsv"
    file.parent.mkdir(parents=True)
    names, places = _rows(COUNTRIES)
    weeks = {row["week"] for row in places}
    span = timedelta(days=7 * len(weeks))
    with file.open("w", newline="") as written:
        writer = csv.DictWriter(written, names, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for turn in range(max(1, round(rows / len(places)))):
            for row in places:
                week = date.fromisoformat(row["week"]) - turn * span
                writer.writerow(row | {"week": week.isoformat()})
    return file


def _rows(source: str, before: str = "9999") -> tuple[list[str], list[dict[str, str]]]:
    """The columns and rows of the sample's newest delivery of a source before a day."""
    files = {place: data for place, data in sample_files().items() if place.startswith(f"{source}/")}
    place, data = max(
        (place, data) for place, data in files.items() if place.split("/")[1] < before and len(data) > 999
    )
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    reader = csv.DictReader(text, delimiter="\t" if place.endswith(".tsv") else ",")
    return list(reader.fieldnames or ()), list(reader)


def _title(drawn: list[dict[str, str]], place: int, titles: int, number: int) -> dict[str, str]:
    version = sum(random.Random(f"{place} {n}").random() < CHANGED for n in range(1, number + 1))
    rng = random.Random(place)
    row = dict(rng.choice(drawn))
    row["show_id"], row["title"] = f"s{place + 1}", f"{row['title'].strip()} {place}"
    for column in ("director", "cast"):
        row[column] = ", ".join(_people(rng, row[column], titles))
    if version:
        row["description"] += f" Told anew, {version}."
    return row


def _people(rng: random.Random, listed: str, titles: int) -> Iterator[str]:
    for name in filter(None, listed.split(", ")):
        yield f"{name} {rng.randrange(max(1, titles // TITLES_A_PERSON // 300))}"
