"""A lake of the version before is opened: its ledger becomes the life of its deliveries, in one commit.

That version kept what became of a delivery in ``quality.deliveries`` (one row an attempt, its state in ``status`` and a
prefix of ``reason``), decisions in ``quality.decisions`` and builds in ``quality.begun``, and left what a gate held in
bronze and silver. Here such a delivery stands until the next build, which takes it out of the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from netflix_dagster import storage
from netflix_dagster.contracts.bookkeeping import DELIVERIES, as_arrow
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import feed_tables, upstream_of
from netflix_dagster.deliveries import attempts
from netflix_dagster.deliveries.attempts import Facts
from netflix_dagster.deliveries.life import Decision, Event, Status
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

DECISIONS, BEGUN = "quality.decisions", "quality.begun"
REOPENED = "reopened"
RUN = "migration"
_OPENED: set[str] = set()
Row = Mapping[str, Any]


def ensure(lake: Place) -> None:
    """Make a lake of the version before one of this version. A process looks once at each lake."""
    if str(lake) in _OPENED:
        return
    found = store.delta(lake, DELIVERIES.name)
    if found is not None and "nth" not in {field.name for field in found.schema().fields}:
        _migrate(lake)
    _OPENED.add(str(lake))


def _migrate(lake: Place) -> None:
    from deltalake import write_deltalake

    first = datetime.now(UTC)
    rows = []
    for later, events in enumerate(_events(lake)):
        at = first + timedelta(microseconds=later)
        rows += [{**_row(event), "recorded_at": at, "nth": nth} for nth, event in enumerate(events)]
    found = store.delta(lake, DELIVERIES.name)
    assert found is not None
    write_deltalake(found, as_arrow(DELIVERIES, rows), mode="overwrite", schema_mode="overwrite")
    for name in (DECISIONS, BEGUN):
        storage.remove(store.folder(lake, name))


def _row(event: Event) -> dict[str, Any]:
    row = {name: value for name, value in asdict(event).items() if name not in ("key", "at")}
    return {**row, "delivery_date": event.key, "tables": list(event.tables) if event.tables is not None else None}


def _events(lake: Place) -> Iterator[list[Event]]:
    """What is certain, as if built; then what the next build must look at again."""
    latest = _latest(lake)
    unfinished = _unfinished(lake)
    certain: list[Event] = []
    again: list[Event] = []
    for row in latest.values():
        known = _in_bronze(lake, row["source"], row["delivery_date"])
        certain += _taken(row, known)
        if row["status"] == "blocked" and known:
            _keep_aside(lake, row, known)
        if row["status"] == "blocked" or row["fingerprint"] == REOPENED:
            again.append(_about(Status.DECIDED, row, known or row["fingerprint"], decision=Decision.REOPEN))
    certain += list(_decided(lake, latest))
    dates = {(row["feed"], row["delivery_date"].isoformat()) for row in latest.values()}
    certain += [
        Event(Status.ENDED, feed, key, tables=tuple(feed_tables(feed)), outcome="built", run_id=RUN)
        for feed, key in sorted(dates - unfinished)
    ]
    yield certain
    yield again


def _taken(row: Row, known: str | None) -> list[Event]:
    """What became of the newest attempt at a delivery, and of the one that its bronze table holds."""
    events = []
    if known:
        events = [_about(Status.ACCEPTED, row, known), _about(Status.STANDING, row, known)]
    if row["status"] == "refused":
        table = f"bronze.{row['source']}"
        refused = _about(Status.REFUSED, row, f"before {row['fingerprint']}", table_name=table, reason=row["reason"])
        events.append(refused)
    elif not known:
        events = [_about(Status.ACCEPTED, row, f"before {row['fingerprint']}")]
    return events


def _about(status: Status, row: Row, fingerprint: str, **about: Any) -> Event:
    mark = "" if row["fingerprint"] == REOPENED else row["fingerprint"]
    counts = {name: row[name] for name in ("files", "bytes", "records")}
    key = row["delivery_date"].isoformat()
    return Event(
        status,
        row["feed"],
        key,
        source=row["source"],
        fingerprint=fingerprint,
        mark=mark,
        run_id=row["run_id"],
        **counts,
        **about,
    )


def _latest(lake: Place) -> dict[tuple[str, str], Row]:
    rows = store.read_arrow(lake, DELIVERIES.name)
    assert rows is not None
    return {(row["source"], row["delivery_date"].isoformat()): row for row in rows.sort_by("recorded_at").to_pylist()}


def _unfinished(lake: Place) -> set[tuple[str, str]]:
    rows = store.read_arrow(lake, BEGUN)
    state: dict[tuple[str, str], bool] = {}
    for row in rows.sort_by("recorded_at").to_pylist() if rows is not None else ():
        state[row["feed"], row["delivery_date"].isoformat()] = row["ended"]
    return {piece for piece, ended in state.items() if not ended}


def _decided(lake: Place, latest: Mapping[tuple[str, str], Row]) -> Iterator[Event]:
    rows = store.read_arrow(lake, DECISIONS)
    for row in rows.sort_by("decided_at").to_pylist() if rows is not None else ():
        if row["table_name"] not in TABLES:
            continue
        for name in upstream_of([row["table_name"]]):
            entry = latest.get((TABLES[name].short_name, row["delivery_date"].isoformat()))
            if TABLES[name].layer == "bronze" and entry and (known := _in_bronze(lake, *_place(entry))):
                yield _about(
                    Status.DECIDED,
                    entry,
                    known,
                    decision=Decision.ACCEPT,
                    table_name=row["table_name"],
                    decided_by=row["decided_by"],
                    decided_because=row["decided_because"],
                )


def _place(row: Row) -> tuple[str, date]:
    return row["source"], row["delivery_date"]


def _in_bronze(lake: Place, source: str, day: date) -> str | None:
    """The fingerprint of what the bronze table holds of a delivery; None when it holds nothing."""
    import pyarrow.compute as pc

    where = pc.field("delivery_date") == day
    columns = ["source_file", "file_hash"]
    rows = store.read_arrow(lake, f"bronze.{source}", columns=columns, where=where)
    if rows is None or not rows.num_rows:
        return None
    files = rows.group_by(columns).aggregate([]).sort_by([(name, "ascending") for name in columns]).to_pylist()
    return _fingerprint([(file["source_file"], file["file_hash"]) for file in files])


def _fingerprint(files: list[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def _keep_aside(lake: Place, row: Row, fingerprint: str) -> None:
    """Keep the rows of an attempt that the next build takes out of bronze."""
    import pyarrow.compute as pc

    source, day = _place(row)
    table = TABLES.get(f"bronze.{source}")
    rows = store.read_arrow(lake, f"bronze.{source}", where=pc.field("delivery_date") == day)
    if table is None or rows is None:
        return
    with attempts.writing() as out:
        for batch in rows.to_batches():
            out.write(batch)
        out.keep(lake, source, day.isoformat(), fingerprint, Facts(rows.num_rows))
