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


def charts(landing: Path, rows: int, number: int = 0) -> Path:
    """The nth delivery of the charts of countries. The first has about so many places: the sample's, in ever more
    countries. Each states all that the one before does, some places of its newest week otherwise, and one week more.
    """
    names, places, _ = _rows(COUNTRIES)
    file = landing / COUNTRIES / chart_day(number) / "all.tsv"
    file.parent.mkdir(parents=True)
    codes = ["".join(letters) for letters in product(ascii_uppercase + digits, repeat=2)]
    known = list(dict.fromkeys(row["country_iso2"] for row in places))
    weeks = {row["week"] for row in places}
    span, newest = timedelta(weeks=len(weeks)), date.fromisoformat(max(weeks))  # back in time without further countries
    with file.open("w", newline="") as written:
        writer = csv.DictWriter(written, names, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for turn in range(max(1, round(rows / len(places)))):
            for row in places:
                earlier, country = divmod(turn * len(known) + known.index(row["country_iso2"]), len(codes))
                said = {"country_iso2": codes[country], "country_name": f"Country {codes[country]}"}
                week = date.fromisoformat(row["week"]) - earlier * span
                writer.writerow(row | said | {"week": week.isoformat()})
                if week != newest:
                    continue
                rng = random.Random(f"{turn} {said} {row['category']} {row['weekly_rank']}")
                for more in range(1, number + 1):  # stated otherwise from the delivery after its first on
                    restated = rng.random() < CHANGED and more < number
                    later = {"week": (week + timedelta(weeks=more)).isoformat()}
                    season = {"season_title": "Told anew"} if restated else {}
                    writer.writerow(row | said | later | season)
    return file


def chart_day(number: int) -> str:
    """The delivery date of the nth delivery of the charts."""
    return (date.fromisoformat(_rows(COUNTRIES)[2]) + timedelta(weeks=number)).isoformat()


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
