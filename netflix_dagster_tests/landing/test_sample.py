"""The sample deliveries are always the same bytes, are accepted whole, and show every kind of dirt."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import catalogue_files, sample_files, write_sample
from netflix_dagster.sample.charts import chart_files
from netflix_dagster.sample.engagement import engagement_files
from netflix_dagster.tables.silver.repair import joined_fields

DAYS = ("2024-03-15", "2024-09-20", "2025-03-21", "2026-02-20")
SPLIT = "2024-10-01"
LENGTH = re.compile(r"\d+ (min|Seasons?)")
Row = dict[str, str]


@cache
def data(source: str, day: str) -> bytes:
    name = "netflix_titles" if source == "netflix_catalogue" else source
    return catalogue_files()[f"{source}/{day}/{name}.csv"]


@cache
def records(source: str, day: str) -> list[list[str]]:
    """The header and the records of a file, as an ordinary CSV reader sees them."""
    return list(csv.reader(io.StringIO(data(source, day).decode("utf-8-sig"), newline=""), strict=True))


def rows(source: str, day: str) -> list[Row]:
    header, *others = records(source, day)
    return [dict(zip(header, other, strict=True)) for other in others]


def release(number: int) -> list[Row]:
    """A whole release, 1 to 4, by canonical names."""
    found = rows("netflix_catalogue", DAYS[number - 1])
    return [{"type" if name == "show_type" else name: row[name] for name in row} for row in found]


def split(source: str) -> list[Row]:
    return rows(source, SPLIT)


def identity(row: Row) -> tuple[str, str, str]:
    return (row["type"], row["title"], row["release_year"])


def titles_of(number: int) -> dict[tuple[str, str, str], Row]:
    return {identity(row): row for row in release(number)}


def people(source: str, column: str) -> set[str]:
    return {row[column] for row in split(source)}


def orphans(source: str) -> list[Row]:
    known = {value for record in records("netflix_titles", SPLIT) for value in record}
    return [row for row in split(source) if row["show_id"] not in known]


def changed(column: str) -> int:
    """How many titles say something else in this column than in the release before."""
    pairs = ((titles_of(n), titles_of(n + 1)) for n in (1, 2, 3))
    return sum(old[key][column] != new[key][column] for old, new in pairs for key in old.keys() & new.keys())


def whole_releases(holds: Callable[[Row], bool], *numbers: int) -> bool:
    """Whether some record of each of these releases is so."""
    return all(any(holds(row) for row in release(n)) for n in numbers or (1, 2, 3, 4))


def broken_pairs() -> list[tuple[list[str], list[str]]]:
    """Records of the split titles without a show_id that are followed by another of that kind."""
    found = records("netflix_titles", SPLIT)
    return [(a, b) for a, b in pairwise(found) if not a[-1] and not b[-1]]


def split_values() -> list[str]:
    return [value for record in records("netflix_titles", SPLIT) for value in record]


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    written = write_sample(tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written}
    fingerprint = list_landing(tmp_path, load_sources()).fingerprint

    assert write_sample(tmp_path) == written == sorted(written)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in written} == before
    assert list_landing(tmp_path, load_sources()).fingerprint == fingerprint


def test_a_file_that_somebody_changed_stays_as_it_is(tmp_path: Path) -> None:
    changed, gone = write_sample(tmp_path)[:2]
    changed.write_bytes(changed.read_bytes()[:100])
    gone.unlink()
    write_sample(tmp_path)
    assert len(changed.read_bytes()) == 100 and gone.is_file()


def test_two_folders_get_the_same_bytes(tmp_path: Path) -> None:
    here, there = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in write_sample(tmp_path / name)}
        for name in ("here", "there")
    )
    assert here == there


@pytest.mark.parametrize("seed", ["0", "4242"])
def test_another_process_makes_the_same_bytes(seed: str) -> None:
    code = (
        "from hashlib import sha256; from netflix_dagster.sample import sample_files;"
        "print(sha256(repr(sorted(sample_files().items())).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == sha256(repr(sorted(sample_files().items())).encode()).hexdigest()


def test_the_landing_holds_deliveries_and_nothing_else(tmp_path: Path) -> None:
    write_sample(tmp_path, garbage=True)
    listing = list_landing(tmp_path, load_sources())
    whole = [("netflix_catalogue", day) for day in DAYS]
    parts = [(f"netflix_{part}", SPLIT) for part in ("cast", "category", "countries", "directors", "titles")]
    watched = [
        (source, day) for source, day, _ in (name.split("/") for name in {**chart_files(), **engagement_files()})
    ]
    assert sorted((d.source, d.date) for d in listing.deliveries) == sorted(whole + parts + watched)
    assert (listing.strays, listing.unknown_sources) == ((), ())
    assert all(not path.name.startswith(".") for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("place", sorted(catalogue_files()))
def test_every_delivery_is_accepted(place: str) -> None:
    parsed = parse_bytes(catalogue_files()[place], load_sources().sources[place.split("/")[0]], place)
    assert parsed.refusals == ()
    assert parsed.absent_columns == ()
    assert parsed.unknown_columns == (("imdb_score",) if "2026" in place else ())


def test_releases_are_small_and_grow() -> None:
    sizes = [len(release(n)) for n in (1, 2, 3, 4)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= 120 and sizes[-1] <= 200


def test_broken_records_have_the_two_shapes_and_fit_together() -> None:
    in_title, in_description = sorted(broken_pairs(), key=lambda pair: bool(pair[0][7]))
    assert [len(half) for half in (*in_title, *in_description)] == [9] * 4
    assert in_title[0][4:] == [""] * 5 and in_title[1][6:] == [""] * 3
    assert in_description[0][8:] == [""] and in_description[1][2:] == [""] * 7
    whole = {row["show_id"]: row for row in release(2)}
    for head, tail in (in_title, in_description):
        fields = joined_fields([value or None for value in head], [value or None for value in tail])
        assert fields is not None
        said = whole[fields[8] or ""]
        assert [fields[3], fields[7]] == [" ".join(said[name].split()) for name in ("title", "description")]


def test_the_split_form_says_what_the_release_before_it_says() -> None:
    for source, column in (("cast", "cast"), ("category", "listed_in"), ("countries", "country")):
        exploded = Counter(
            (row["show_id"], item) for row in release(2) for item in row[column].split(", ") if item
        )  # "Poland," keeps its comma
        orphaned = {row["show_id"] for row in orphans(f"netflix_{source}")}
        delivered = split(f"netflix_{source}")
        assert Counter((r["show_id"], r[column]) for r in delivered if r["show_id"] not in orphaned) == exploded
    said = {row["show_id"]: row for row in release(2)}
    for row in (row for row in split("netflix_titles") if row["show_id"]):
        for name in ("type", "release_year", "rating", "description"):
            assert row[name] == said[row["show_id"]][name]


def test_no_title_keeps_its_show_id_in_the_last_release() -> None:
    third = {row["show_id"]: identity(row) for row in release(3)}
    fourth = {row["show_id"]: identity(row) for row in release(4)}
    assert third.keys() <= fourth.keys()
    assert all(fourth[show_id] != third[show_id] for show_id in third)


def test_some_titles_leave_and_come_back() -> None:
    first, second, third, fourth = (set(titles_of(n)) for n in (1, 2, 3, 4))
    assert (first & third) - second
    assert (second & fourth) - third
    assert first - second - third - fourth
    assert third - fourth


DIRT: list[tuple[str, Callable[[], bool]]] = [
    # the split form
    ("byte order mark", lambda: all(data(f"netflix_{s}", SPLIT)[:3] == b"\xef\xbb\xbf" for s in ("titles", "cast"))),
    ("CRLF", lambda: data("netflix_titles", SPLIT).count(b"\n") == data("netflix_titles", SPLIT).count(b"\r\n")),
    ("two records broken in two", lambda: len(broken_pairs()) == 2),
    ("doubled quotes", lambda: data("netflix_titles", SPLIT).count(b'""') > 10),
    ("zero-width characters", lambda: any("\u200b" in row["title"] for row in split("netflix_titles"))),
    ("no-break spaces", lambda: sum("\u00a0" in value for value in split_values()) >= 3),
    ("days as M/D/YYYY", lambda: any(re.fullmatch(r"\d/\d\d?/\d{4}", value) for value in split_values())),
    ("a cast row twice", lambda: max(Counter(map(str, split("netflix_cast"))).values()) == 2),
    ("a director row twice", lambda: max(Counter(map(str, split("netflix_directors"))).values()) == 2),
    ("a person with two spaces", lambda: any("  " in name for name in people("netflix_cast", "cast"))),
    ("a person in capitals", lambda: any(name.isupper() for name in people("netflix_cast", "cast"))),
    ("countries with a comma", lambda: {"Poland,", "United States,"} <= people("netflix_countries", "country")),
    (
        "titles without directors",
        lambda: len({r["show_id"] for r in split("netflix_directors")}) < len(release(2)) - 50,
    ),
    ("orphans in cast", lambda: 2 < len(orphans("netflix_cast")) < 20),
    ("orphans in genres", lambda: 2 < len(orphans("netflix_category")) < 20),
    ("an orphan in directors", lambda: len(orphans("netflix_directors")) == 1),
    ("Oct-01 as 1-Oct", lambda: any(row["title"] == "1-Oct" for row in split("netflix_titles"))),
    # whole releases
    ("type last", lambda: records("netflix_catalogue", DAYS[0])[0][-1] == "type"),
    ("type called show_type", lambda: "show_type" in records("netflix_catalogue", DAYS[2])[0]),
    ("an unknown column", lambda: "imdb_score" in records("netflix_catalogue", DAYS[3])[0]),
    ("days not stated", lambda: sum(not row["date_added"] for row in release(1)) > 10),
    ("days after a space", lambda: sum(row["date_added"].startswith(" ") for row in release(2)) > 10),
    ("a line break in a title", lambda: whole_releases(lambda row: "\n" in row["title"])),
    ("a line break in a description", lambda: whole_releases(lambda row: "\n" in row["description"])),
    ("titles taken for days", lambda: whole_releases(lambda row: row["title"] in ("Oct-01", "14-Nov"))),
    ("added before released", lambda: whole_releases(lambda row: row["date_added"][-4:] < row["release_year"], 2, 3)),
    ("ratings not stated", lambda: whole_releases(lambda row: not row["rating"])),
    ("countries not stated", lambda: whole_releases(lambda row: not row["country"])),
    ("a former country", lambda: whole_releases(lambda row: "West Germany" in row["country"])),
    ("a comma after the last country", lambda: whole_releases(lambda row: row["country"].endswith(","))),
    ("a comma before the first country", lambda: whole_releases(lambda row: row["country"].startswith(", "), 4)),
    ("two titles of one type, title, year", lambda: all(len(titles_of(n)) < len(release(n)) for n in (1, 2, 3, 4))),
    (
        "show_ids in alphabetical order",
        lambda: [r["show_id"] for r in release(3)] == [f"s{n + 1}" for n in range(len(release(3)))],
    ),
    ("titles in alphabetical order", lambda: sorted(titles_of(3), key=lambda i: i[1].casefold()) == list(titles_of(3))),
    (
        "a length for a rating",
        lambda: whole_releases(lambda row: not row["duration"] and bool(LENGTH.fullmatch(row["rating"])), 4),
    ),
    ("ratings that change", lambda: changed("rating") > 3),
    ("descriptions that change", lambda: changed("description") > 3),
    ("casts that change", lambda: changed("cast") > 3),
    ("countries that change", lambda: changed("country") > 3),
    ("no final line break", lambda: not any(data("netflix_catalogue", day).endswith(b"\n") for day in DAYS[:2])),
    ("a final line break", lambda: all(data("netflix_catalogue", day).endswith(b"\n") for day in DAYS[2:])),
    ("lines that end in LF only", lambda: b"\r" not in data("netflix_catalogue", DAYS[3])),
]


@pytest.mark.parametrize("present", [present for _, present in DIRT], ids=[name for name, _ in DIRT])
def test_dirt_is_there(present: Callable[[], bool]) -> None:
    assert present()
