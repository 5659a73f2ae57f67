"""The engagement reports a second time: the rows of each report, and what is known of each work in each half-year."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from netflix_dagster_tests.model.catalogue import Row, Told
from netflix_dagster_tests.model.text import MONTHS, day, tidy, words

MOST = 50_000_000_000
COLUMNS = {
    # as a sheet may call it -> column
    "title": "title",
    "available globally?": "available_globally",
    "release date": "release_date",
    "hours viewed": "hours_viewed",
    "runtime": "runtime",
    "views": "views",
}


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook as text: what stands above the header, the header, and the records below it."""

    name: str
    hidden: bool
    preamble: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def report(on: date, books: Iterable[tuple[str, Sequence[Sheet]]]) -> Told:
    """The rows of the workbooks of one delivery, by the names of their files."""
    candidates = []
    for file, sheets in books:
        seen = any(not sheet.hidden and sheet.rows for sheet in sheets)
        number = 0
        for sheet in sheets:
            for cells in sheet.rows:
                number += 1
                said = {n: tidy(c) for n, c in zip(map(_column, sheet.header), cells, strict=True)}
                row, broken = _row(on, file, sheet, said, sheet.hidden and seen)
                candidates.append((file, number, row | {"record_number": number}, broken))
    told = Told()
    first: dict[tuple[Any, ...], Row] = {}
    for file, number, row, broken in sorted(candidates, key=lambda c: c[1]):
        if broken:
            told.refuse((file, number), *broken)
            continue
        before = first.setdefault(tuple(row[name] for name in ("period", "kind", "title_words", "work")), row)
        if before is row:
            told.keep((file, number), row)
        elif all(before[name] == value for name, value in row.items() if name not in _ASIDE):
            told.copies[file, number] += 1
        else:
            told.refuse((file, number), "unique_key")
    return told


_ASIDE = {
    *("source_file", "record_number", "title_delivered", "title", "native_title", "show_title", "season_title"),
}


def _column(header: str) -> str:
    return COLUMNS[header.strip().lower()]


def _row(on: date, file: str, sheet: Sheet, said: dict[str, str | None], hidden: bool) -> tuple[Row, set[str]]:
    named = tidy("\n".join(sheet.preamble)) or ""
    spans = _spans(named) or _spans(file)
    period, start, end = spans[0] if spans else (None, None, None)
    delivered = said["title"]
    parts = re.fullmatch("(.+?) // (.+)", delivered or "")
    title = parts[1] if parts else delivered
    kind = _kind(tidy(sheet.name) or "", title or "")
    released, minutes = day((said.get("release_date") or "").removesuffix(" 00:00:00")), _minutes(said.get("runtime"))
    work = "|".join([str(released or "undated")] + ([str(minutes)] if minutes is not None else []))
    watched, views = _number(said["hours_viewed"]), _number(said.get("views"))
    row = {
        "delivery_date": on,
        "period": period,
        "period_start": start,
        "period_end": end,
        "kind": kind,
        "title_delivered": delivered,
        "title_words": words(delivered) if delivered else None,
        "work": work,
        "title": title,
        "native_title": parts[2] if parts else None,
        "show_title": show_of(kind, title) if title else None,
        "season_title": title if title and show_of(kind, title) != title else None,
        "chart_title_key": f"{kind}|{words(show_of(kind, title))}" if kind != "any" and title else None,
        "available_globally": {"yes": True, "no": False}.get((said.get("available_globally") or "").lower()),
        "release_date": released,
        "hours_viewed": watched,
        "runtime_minutes": minutes,
        "views": views,
        "source_file": file,
    }
    broken = {f"{name}_not_null" for name in ("period", "title_delivered", "hours_viewed") if row[name] is None}
    conditions = {
        "one_period": len(spans) > 1,
        "sheet_visible": hidden,
        "hours_not_negative": watched is not None and watched < 0,
        "hours_plausible": watched is not None and watched > MOST,
        "views_plausible": views is not None and not 0 <= views <= MOST,
        "release_date_readable": said.get("release_date") is not None and released is None,
        "runtime_readable": said.get("runtime") not in (None, "*") and minutes is None,
        "views_readable": said.get("views") is not None and views is None,
    }
    return row, broken | {name for name, wrong in conditions.items() if wrong}


def _number(text: str | None) -> int | None:
    if not re.fullmatch("-?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)", text or ""):
        return None
    number = int((text or "").replace(",", ""))
    return number if abs(number) < 2**63 else None


def _minutes(text: str | None) -> int | None:
    clock = re.fullmatch("([0-9]{1,4}):([0-5][0-9])(:[0-5][0-9])?", text or "")
    return 60 * int(clock[1]) + int(clock[2]) if clock else None


def _spans(text: str) -> list[tuple[str, date, date]]:
    """The spans of months that a text names, each once."""
    found = []
    month = "(" + "|".join(f"{name}[a-z]*" for name in MONTHS) + ")"
    for said in re.finditer(rf"{month} ?([0-9]{{4}})? ?(?:to|-|–|through) ?{month} ?([0-9]{{4}})", text, re.I):
        begins, ends = MONTHS.index(said[1][:3].lower()) + 1, MONTHS.index(said[3][:3].lower()) + 1
        found.append(_span(int(said[2] or said[4]), begins, int(said[4]), ends))
    for said in re.finditer("([0-9]{4})[ _-]?H([12])", text):
        found.append(_span(int(said[1]), 1 if said[2] == "1" else 7, int(said[1]), 6 if said[2] == "1" else 12))
    return list(dict.fromkeys(found))


def _span(year: int, begins: int, to_year: int, ends: int) -> tuple[str, date, date]:
    first, last = date(year, begins, 1), date(to_year, ends, monthrange(to_year, ends)[1])
    half = {(1, 6): "H1", (7, 12): "H2"}.get((begins, ends)) if year == to_year else None
    return (f"{year}{half}" if half else f"{first:%Y-%m}..{last:%Y-%m}", first, last)


def _kind(sheet: str, title: str) -> str:
    said = set(re.findall("[a-z]+", sheet.lower()))
    film, show = bool(said & {"film", "films", "movie", "movies"}), bool(said & {"tv", "show", "shows", "series"})
    if film != show:
        return "film" if film else "tv"
    return "tv" if re.search(_SURE, title, re.I) else "any"


_SURE, _LIKELY = ": (?:(?:Season|Series|Staffel) [0-9]+|Limited Series)", ": (?:Part|Volume) (?:[0-9]+|One|Two)"


def show_of(kind: str, title: str) -> str:
    """The title without its season. What may be a film keeps its title whole."""
    show = re.split(rf"{_SURE}|{_LIKELY}", title, flags=re.I)[0]
    return show if kind == "tv" and show else title


def facts(deliveries: Sequence[Told]) -> list[Row]:
    """What is known of each work in each half-year. Rows of later deliveries of a title take the place of earlier."""
    every = [dict(row) for told in deliveries for row in told.rows]
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in every:
        if row["kind"] != "any":
            kinds[row["title_words"]].add(row["kind"])
    titles: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in every:
        row["_told"] = row["kind"] != "any"
        if not row["_told"] and len(kinds[row["title_words"]]) == 1:
            row["kind"] = next(iter(kinds[row["title_words"]]))
        titles[row["period"], row["title_words"]].append(row)
    newest = [row for rows in titles.values() for row in _newest(rows)]
    works = Counter((row["kind"], row["title_words"], row["period"]) for row in newest)
    of_day = Counter((row["kind"], row["title_words"], row["period"], row["release_date"]) for row in newest)
    several = {key[:2] for key, count in works.items() if count > 1}
    same_day = {(*key[:2], key[3]) for key, count in of_day.items() if count > 1}
    return [_fact(row, several, same_day) for row in newest]


def _newest(rows: list[Row]) -> list[Row]:
    """Of the rows that name a title in a half-year those that count."""
    unsettled = [row["delivery_date"] for row in rows if row["kind"] == "any"]
    settled = [row["delivery_date"] for row in rows if row["kind"] != "any"]
    if unsettled and settled:
        later = max(unsettled) > max(settled)
        rows, all_rows = [row for row in rows if (row["kind"] == "any") == later], rows
    else:
        all_rows = rows
    found = []
    for kind in {row["kind"] for row in rows}:
        of_kind = [row for row in rows if row["kind"] == kind]
        last = [row for row in of_kind if row["delivery_date"] == max(r["delivery_date"] for r in of_kind)]
        last = [row for row in last if row["_told"]] or last
        named = [r["delivery_date"] for r in all_rows if r["kind"] in (kind, "any")]
        found += [row | {"first_stated": min(named)} for row in last]
    return found


def _fact(row: Row, several: set[Any], same_day: set[Any]) -> Row:
    title = (row["kind"], row["title_words"])
    work = ""
    if title in several:
        work = row["work"] if (*title, row["release_date"]) in same_day else str(row["release_date"] or "undated")
    show = show_of(row["kind"], row["title"])
    key = f"{row['kind']}|{words(show)}"
    fact = {name: value for name, value in row.items() if name not in ("delivery_date", "title_words", "_told")}
    return fact | {
        "work": work,
        "show_title": show,
        "season_title": row["title"] if show != row["title"] else None,
        "chart_title_key": f"{key}|{work}" if work else key,
        "stated_on": row["delivery_date"],
    }
