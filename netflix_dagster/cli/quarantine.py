"""``netflix-dagster quarantine``: what was refused, everything about one row of it, and how it is judged anew."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster import storage
from netflix_dagster.cli.output import item, plural, print_answer
from netflix_dagster.cli.run import FAILED, HELD_BACK, OK
from netflix_dagster.cli.trouble import WrongCall
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from netflix_dagster.deliveries.pending import Pending
    from netflix_dagster.deliveries.quarantine import Delivery, Selection

MOST_LISTED = 200
MOST_SHOWN = 20
_SHOWN_RAW = 60

Row = dict[str, Any]


def select(settings: Settings, **wanted: Any) -> tuple[Selection, list[Row]]:
    """The rows of the quarantine that are asked for. A table or date that there is not is a wrong call."""
    from netflix_dagster import tables
    from netflix_dagster.deliveries import quarantine
    from netflix_dagster.landing.sources import load_sources

    tables.declare(load_sources(settings.sources))
    selection = quarantine.Selection(**wanted)
    try:
        selection.check()
    except quarantine.SelectionError as error:
        raise WrongCall(str(error)) from error
    return selection, quarantine.rows(settings.lake, selection)


def print_rows(rows: Sequence[Row], selection: Selection) -> None:
    """The rows as a table, one line each."""
    if not rows:
        Console(highlight=False).print(_none_of(str(selection)), markup=False)
        return
    import pyarrow as pa

    from netflix_dagster.deliveries import quarantine

    any_beyond = quarantine.size(rows) > len(rows)
    shown = [
        {
            "number": row["number"],
            "table": row["table_name"],
            "delivery": row["delivery_date"],
            "file": row["source_file"],
            "record": row["record_number"],
            **({"rows": row["refused_rows"]} if any_beyond else {}),
            "rules": ", ".join(row["rules"]),
            "raw": _beginning(row["raw"] or row["row"] or row["reasons"][0]),
        }
        for row in rows[:MOST_LISTED]
    ]
    print_answer(pa.Table.from_pylist(shown), "table")
    if len(rows) > MOST_LISTED:
        more = f"and {len(rows) - MOST_LISTED:,} more: --table, --delivery and --rule choose, --json has all"
        Console(highlight=False).print(more, markup=False)
    if beyond := quarantine.size(rows) - len(rows):
        capped = f"{beyond:,} more are counted in the column `rows`; their records are in bronze, or in a refused file"
        Console(highlight=False).print(capped, markup=False)


def explain(settings: Settings, number: int | None, **wanted: Any) -> list[Row]:
    """Everything that is known of the row with this number, or of the rows that are asked for."""
    if number is None and not any(value is not None for value in wanted.values()):
        raise WrongCall("say which row: its number in `quarantine list`, or --table, --delivery and --record")
    selection, found = select(settings, **wanted)
    rows = found if number is None else [row for row in found if row["number"] == number]
    if not rows:
        what = f"row {number}" if number is not None else f"row with {selection}"
        raise WrongCall(f"there is no {what} in the quarantine; `netflix-dagster quarantine list` shows what there is")
    return [{**row, "landed": _landed(row, settings), "places": _places(row, settings)} for row in rows]


def print_explained(rows: Sequence[Row], landing: Place, console: Console) -> None:
    """Each row as labelled lines; ``landing`` is where its file was looked for."""
    for row in rows[:MOST_SHOWN]:
        item(console, f"row {row['number']}", f"{row['table_name']} of {row['delivery_date']}", style="bold")
        at = [f"record {row['record_number']:,}"] if row["record_number"] is not None else []
        at += [f"line {row['line_number']:,}"] if row["line_number"] is not None else []
        item(
            console,
            "delivered",
            f"by {row['source'] or 'a source that is not known'}, {', '.join([str(row['source_file']), *at])}",
        )
        item(console, "file", row["landed"] or f"is not in the landing folder {landing}")
        if row["refused_rows"] > 1:
            origin = "the file" if row["table_name"].startswith("bronze.") else "bronze"
            others = f"{row['refused_rows'] - 1:,} more rows of this file break these rules"
            item(console, "and", f"{others}; they are counted here, their records are in {origin}")
        for rule, reason, hint in zip(row["rules"], row["reasons"], row["hints"], strict=True):
            item(console, "broken", f"{rule}: {reason}", style="red")
            item(console, "to mend", hint)
        for line, text in enumerate((row["raw"] or "").split("\n") if row["raw"] else ()):
            item(console, "" if line else "raw", text)
        if row["row"]:
            item(console, "typed", row["row"])
        for what, place in row["places"].items():
            item(console, what, place)
        console.print()
    if len(rows) > MOST_SHOWN:
        item(console, "", f"and {len(rows) - MOST_SHOWN:,} more; --json has all")


def replay(settings: Settings, dry_run: bool, console: Console, **wanted: Any) -> dict[str, Any]:
    """Build the deliveries of the selected rows again and return what left the quarantine and what stayed.

    What is selected is looked up alone on the lake: of two calls at once the second judges what the first has left.
    """
    started = time.perf_counter()
    selection, chosen = select(settings, **wanted)
    if dry_run or not chosen:
        work = _work(settings, chosen)
        return _told(settings, selection, started, work, chosen, chosen, chosen, [], dry_run)
    from netflix_dagster.cli.run import at_home, at_work, build_all, serve
    from netflix_dagster.deliveries import quarantine

    at_home(settings)
    with at_work(settings, console) as (instance, progress):
        before = quarantine.rows(settings.lake)
        chosen = [row for row in before if selection.takes(row)]
        work = _work(settings, chosen)
        told = plural(quarantine.size(chosen), "row or file", "rows and files")
        console.print(f"{told} in the quarantine, {plural(len(work), 'delivery date')} to build again")
        runs = build_all(instance, work, settings, progress)
        if runs and (served := serve(instance, settings))["errors"]:
            runs.append({"run_id": None, "feed": None, "deliveries": [], "success": False, **served})
        after = quarantine.rows(settings.lake)
    return _told(settings, selection, started, work, chosen, before, after, runs, False)


def print_replay(found: Mapping[str, Any], console: Console) -> None:
    """What left, what stayed and why, delivery by delivery."""
    rows = found["rows"]
    if not rows["selected"]:
        item(console, found["status"], f"{_none_of(found['selected_by'])}; nothing was done")
        return
    for delivery in found["deliveries"]:
        name = f"{delivery['feed']} {delivery['date']} ({', '.join(delivery['sources'])})"
        if found["dry_run"]:
            item(console, "would build", f"{name}, for {plural(delivery['selected'], 'row or file', 'rows and files')}")
            continue
        new = f", {delivery['new']:,} new" if delivery["new"] else ""
        item(console, "replayed", f"{name}: {delivery['left']:,} left, {delivery['stayed']:,} stayed{new}")
    for entry in found["stayed"] if not found["dry_run"] else ():
        item(
            console,
            f"{entry['rows']:>10,}",
            f"{entry['table']}  {entry['rule']}: {entry['reason'][:300]}; {entry['hint']}",
        )
    for entry in found["held_back"]:
        item(console, entry["status"], f"{entry['source']} {entry['date']}: {entry['reason']}", style="red")
    for run in found["runs"]:
        for error in run["errors"]:
            item(console, "failed", error[:1000], style="red")
    item(console, found["status"], _verdict(found))


def _none_of(selected_by: str) -> str:
    from netflix_dagster.deliveries.quarantine import Selection

    if selected_by == str(Selection()):
        return "the quarantine is empty"
    return f"nothing in the quarantine matches {selected_by}"


def _verdict(found: Mapping[str, Any]) -> str:
    rows = found["rows"]
    if found["dry_run"]:
        return "nothing was done; without --dry-run these are built again"
    if not rows["left"]:
        return (
            f"nothing has changed: all {rows['stayed']:,} are refused as before; mend the file, the alias or the rule"
        )
    return f"{rows['left']:,} left the quarantine, {rows['stayed']:,} stayed; {found['seconds']} s"


def _work(settings: Settings, chosen: Sequence[Row]) -> list[Pending]:
    """The deliveries of the rows as pieces of work: every source of theirs, because tables read several."""
    from netflix_dagster.contracts.contract import TABLES
    from netflix_dagster.contracts.graph import touched_tables
    from netflix_dagster.deliveries import quarantine
    from netflix_dagster.deliveries.pending import Pending

    work = []
    for feed, day in quarantine.deliveries(chosen):
        sources = set(quarantine.sources_of(settings.lake, (feed, day)))
        sources |= {str(row["source"]) for row in _of(chosen, (feed, day)) if row["source"]}
        known = tuple(sorted(source for source in sources if f"bronze.{source}" in TABLES))
        work.append(Pending(feed, day, known, "", tuple(touched_tables(feed, known))))
    return work


def _of(rows: Sequence[Row], delivery: Delivery) -> list[Row]:
    from netflix_dagster.deliveries import quarantine

    return [row for row in rows if quarantine.delivery_of(row) == delivery]


def _told(
    settings: Settings,
    selection: Selection,
    started: float,
    work: Sequence[Pending],
    chosen: Sequence[Row],
    before: Sequence[Row],
    after: Sequence[Row],
    runs: Sequence[dict[str, Any]],
    dry_run: bool,
) -> dict[str, Any]:
    from netflix_dagster.deliveries import quarantine
    from netflix_dagster.deliveries.life import Life

    asked = {(piece.feed, piece.date) for piece in work}
    held = [d.newest for d in Life.read(settings.lake).held() if (d.feed, d.key) in asked and runs]
    failed = any(run["errors"] for run in runs)
    deliveries: list[dict[str, Any]] = []
    stayed_rows: list[Row] = []
    for piece in work:
        at = (piece.feed, piece.date)
        was, now, mine = _of(before, at), _of(after, at), _of(chosen, at)
        still = quarantine.stayed(mine, now)
        stayed_rows += still
        selected, stayed = quarantine.size(mine), quarantine.size(still)
        deliveries.append(
            {
                "feed": piece.feed,
                "date": piece.date,
                "sources": list(piece.sources),
                "selected": selected,
                "left": selected - stayed,
                "stayed": stayed,
                "new": quarantine.size(now) - quarantine.size(quarantine.stayed(was, now)),
            }
        )
    total = {name: sum(one[name] for one in deliveries) for name in ("left", "stayed", "new")}
    total["stayed"] = quarantine.size(chosen) - total["left"]
    again = bool(runs) and (total["stayed"] or held)
    exit_code = FAILED if failed else HELD_BACK if again else OK
    return {
        "status": {OK: "ok", HELD_BACK: "refused again", FAILED: "failed"}[exit_code],
        "exit_code": exit_code,
        "seconds": round(time.perf_counter() - started, 2),
        "lake": str(settings.lake),
        "dry_run": dry_run,
        "selected_by": str(selection),
        "rows": {"selected": quarantine.size(chosen), **total},
        "deliveries": deliveries,
        "stayed": quarantine.tallied(stayed_rows),
        "held_back": [{"source": e.source, "date": e.key, "status": e.status.value, "reason": e.why} for e in held],
        "runs": list(runs),
    }


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_RAW else f"{line[: _SHOWN_RAW - 1]}…"


def _landed(row: Row, settings: Settings) -> str | None:
    """Where the file of a row lies, if it still does."""
    if not row["source"] or not row["source_file"]:
        return None
    path = settings.landing / row["source"] / row["delivery_date"] / row["source_file"]
    return str(path) if storage.is_file(path) else None


def _places(row: Row, settings: Settings) -> dict[str, str]:
    """Where it is said what the row should be like: its source in sources.yaml, its table's contract."""
    from netflix_dagster.contracts.contract import TABLES
    from netflix_dagster.landing.sources import PACKAGED

    places = {}
    if row["source"]:
        path = settings.sources or PACKAGED
        places["source"] = f"{path}:{_line_of(row['source'], path)}"
    table = TABLES.get(row["table_name"])
    if table and table.layer != "bronze":
        code = inspect.unwrap(table.function).__code__
        places["contract"] = f"{code.co_filename}:{code.co_firstlineno}"
    return places


def _line_of(source: str, path: Path) -> int:
    """The line of sources.yaml where a source's entry begins; of a feed with its name there is another."""
    entries = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        entries = line.startswith("sources:") if re.match(r"\S+:", line) else entries
        if entries and re.match(rf"\s+[\"']?{re.escape(source)}[\"']?\s*:", line):
            return number
    return 1
