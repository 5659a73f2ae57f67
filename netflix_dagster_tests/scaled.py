"""Deliveries of any size, drawn from the sample: its values as often as it has them, titles and people of their own."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from pathlib import Path
from string import ascii_uppercase, digits

from netflix_dagster.sample import SPLIT_DAY, sample_files

WHOLE, COUNTRIES = "netflix_catalogue", "top10_countries"
FIRST = date(2020, 1, 1)
CHANGED = 0.05
"""The share of titles that a release changes."""
TITLES_A_PERSON = 4


def day(number: int) -> str:
    """The delivery date of the nth release."""
    return (FIRST + timedelta(days=number)).isoformat()


def release(
    landing: Path,
    titles: int,
    number: int = 0,
    *,
    columns: int = 0,
    refused: float = 0.0,
    name: str = "netflix_titles.csv",
    first: int = 0,
) -> Path:
    """The nth release of a catalogue; each changes some titles of the one before.

    ``columns``: with so many columns in all, those beyond the known ones unknown. ``refused``: this share of the titles
    has no name. ``first``: the place of its first title among those of all files.
    """
    file = landing / WHOLE / day(number) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    names, drawn, _ = _rows(WHOLE, before=SPLIT_DAY.isoformat())
    more = [f"Further {n}" for n in range(columns - len(names))]
    with file.open("w", newline="") as written:
        writer = csv.DictWriter(written, [*names, *more])
        writer.writeheader()
        for place in range(first, first + titles):
            row = _title(drawn, place, titles, number)
            if random.Random(-place).random() < refused:
                row["title"] = ""
            writer.writerow(row | {column: f"{column} of {place}" for column in more})
    return file


def charts(landing: Path, rows: int) -> Path:
    """One delivery of the charts of countries with about so many places: the sample's, in ever more countries."""
    names, places, delivered = _rows(COUNTRIES)
    file = landing / COUNTRIES / delivered / "all.tsv"
    file.parent.mkdir(parents=True)
    codes = ["".join(letters) for letters in product(ascii_uppercase + digits, repeat=2)]
    known = list(dict.fromkeys(row["country_iso2"] for row in places))
    span = timedelta(weeks=len({row["week"] for row in places}))  # back in time once there is no other country
    with file.open("w", newline="") as written:
        writer = csv.DictWriter(written, names, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for turn in range(max(1, round(rows / len(places)))):
            for row in places:
                earlier, country = divmod(turn * len(known) + known.index(row["country_iso2"]), len(codes))
                said = {"country_iso2": codes[country], "country_name": f"Country {codes[country]}"}
                week = date.fromisoformat(row["week"]) - earlier * span
                writer.writerow(row | said | {"week": week.isoformat()})
    return file


@lru_cache
def _rows(source: str, before: str = "9999") -> tuple[list[str], list[dict[str, str]], str]:
    """The columns and rows of the sample's newest delivery of a source before a day, and the delivery's date."""
    files = {place: data for place, data in sample_files().items() if place.startswith(f"{source}/")}
    place, data = max(
        (place, data) for place, data in files.items() if place.split("/")[1] < before and len(data) > 999
    )
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    reader = csv.DictReader(text, delimiter="\t" if place.endswith(".tsv") else ",")
    return list(reader.fieldnames or ()), list(reader), place.split("/")[1]


def _title(drawn: list[dict[str, str]], place: int, titles: int, number: int) -> dict[str, str]:
    changes = random.Random(f"changes of {place}")
    version = sum(changes.random() < CHANGED for _ in range(number))
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
