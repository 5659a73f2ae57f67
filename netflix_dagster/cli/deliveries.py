"""``netflix-dagster deliveries``: what has become of every delivery, all that is known of one, how one is taken away.

Everything is told from the events in ``quality.deliveries``; landing is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster.cli import hints
from netflix_dagster.cli.output import item, plural, print_answer
from netflix_dagster.cli.trouble import WrongCall
from netflix_dagster.settings import Settings, get_settings

if TYPE_CHECKING:
    from netflix_dagster.deliveries.life import Attempt, Delivery, Event, Life

MOST_LISTED = 200
SHORT = 8
"""Characters of a fingerprint or a run that people are shown."""
_SHOWN_WHY = 70

Row = dict[str, Any]


def every(
    settings: Settings, *, source: str | None = None, feed: str | None = None, status: str | None = None
) -> list[Row]:
    """A row for each delivery that is asked for, oldest date first. A source or feed that there is not is a wrong
    call."""
    life, since, _ = _lived(settings)
    _check(settings, life, source, feed)
    return [
        _row(life, delivery, since[place])
        for place, delivery in sorted(life.deliveries.items(), key=lambda found: (found[0][1], found[0][0]))
        if place in since
        and source in (None, delivery.source)
        and feed in (None, delivery.feed)
        and status in (None, delivery.status.value)
    ]


def print_every(rows: Sequence[Row]) -> None:
    """The deliveries as a table, one line each."""
    console = Console(highlight=False)
    if not rows:
        console.print("no delivery matches; nothing has been taken up that does", markup=False)
        return
    import pyarrow as pa

    shown = [
        {
            "source": row["source"],
            "date": row["date"],
            "status": row["status"],
            "since": _minute(row["since"]),
            "records": row["records"],
            "why": _beginning(row["why"]),
        }
        for row in rows[:MOST_LISTED]
    ]
    print_answer(pa.Table.from_pylist(shown), "table")
    if len(rows) > MOST_LISTED:
        more = f"and {len(rows) - MOST_LISTED:,} more: --source, --feed and --status choose, --json has all"
        console.print(more, markup=False)


def one(settings: Settings, source: str, key: str) -> Row:
    """All that is known of one delivery: every attempt, what people decided, the builds of its date, what is due."""
    from netflix_dagster.contracts.graph import build_order, touched_tables
    from netflix_dagster.lake import lock

    life, since, told = _lived(settings)
    _check(settings, life, source, None)
    delivery = life.deliveries.get((source, key))
    if delivery is None or (source, key) not in since:
        raise WrongCall(
            f"{source} has delivered nothing on {key}; `netflix-dagster deliveries list --source {source}` names what"
            " it did"
        )
    mine = [event for event in told if event.feed == delivery.feed and event.key == key]
    date = life.dates[delivery.feed, key]
    at_work = bool(date.open) and lock.is_held(settings.lake, delivery.feed)
    due = life.to_build(delivery.feed, key).intersection(touched_tables(delivery.feed, [source]))
    return {
        **_row(life, delivery, since[source, key]),
        "attempts": [_attempt(attempt) for attempt in delivery.attempts.values()],
        "decisions": [_decision(event) for event in mine if event.source == source and event.decision],
        "builds": _builds(mine, date.open if at_work else ()),
        "due": build_order(due),
    }


def print_one(found: Row, console: Console) -> None:
    """One delivery as labelled lines."""
    title = f"{found['source']} of {found['date']}, feed {found['feed']}"
    item(console, "delivery", title, style="bold")
    item(console, found["status"], f"since {_minute(found['since'])}" + (f": {found['why']}" if found["why"] else ""))
    for attempt in found["attempts"]:
        facts = [plural(attempt["records"], "record"), plural(attempt["files"], "file"), f"{attempt['bytes']:,} bytes"]
        landed = f"landed {_minute(attempt['landed'])}, run {attempt['run_id'][:SHORT] or 'unknown'}"
        item(console, "attempt", f"{attempt['fingerprint'][:SHORT]}  {', '.join(facts)}; {landed}")
        item(console, "", attempt["status"] + (f": {attempt['reason']}" if attempt["reason"] else ""))
    for entry in found["decisions"]:
        why = f": {entry['because']}" if entry["because"] else ""
        what = f"{_minute(entry['at'])} {entry['by']} decides to {entry['decision']} {entry['fingerprint'][:SHORT]}"
        item(console, "decision", what + why)
    for build in found["builds"]:
        item(console, "build", f"{_minute(build['begun'])} run {build['run_id'][:SHORT]}: {_came_to(build)}")
    if found["due"]:
        item(console, "due", ", ".join(found["due"]))
        item(console, "next", hints.command(get_settings(), "run"))


def _came_to(build: Row) -> str:
    """What a build came to. One that ended held has left the tables as they were for what it holds."""
    tables = plural(len(build["tables"]), "table")
    if build["outcome"] == "held":
        return f"held; {tables} hold what stands, nothing of what is held"
    return f"{build['outcome']}, {tables} built" if build["tables"] else str(build["outcome"])


def withdraw(settings: Settings, source: str, key: str, because: str) -> Row:
    """Decide that a delivery is taken away. Returns the row of ``every`` for it as it is now."""
    from netflix_dagster.deliveries import decisions

    try:
        decisions.withdraw(settings.lake, source, key, because)
    except decisions.DecisionError as error:
        raise WrongCall(str(error)) from error
    return one(settings, source, key)


def print_withdrawn(found: Row, console: Console) -> None:
    """What was decided, what is safe, and what to do now."""
    stood = next((attempt for attempt in found["attempts"] if attempt["stands"]), None)
    attempt = stood or found["attempts"][-1]
    stays = f"attempt {attempt['fingerprint'][:SHORT]} stands until the next build, which removes its rows"
    rows = f"{stays if stood else 'it never stood'} ({plural(attempt['records'], 'record')})"
    item(console, "withdrawn", f"{found['source']} of {found['date']}; {rows}")
    item(console, "safe", "no table has changed yet; what was delivered is kept in the lake, and other deliveries stay")
    item(console, "", "the file in landing may stay, it is not taken up again; another file of this date is")
    item(console, "next", hints.build(get_settings()))


def print_accepted(attempts: Sequence[Attempt], console: Console) -> None:
    """Which attempts a decision speaks of, why they were held, and what to do now."""
    for attempt in attempts:
        told = f"{attempt.source} of {attempt.key}, attempt {attempt.fingerprint[:SHORT]}"
        item(console, "accepted", f"{told}, {plural(attempt.records, 'record')}")
    for why in dict.fromkeys(attempt.why for attempt in attempts):
        item(console, "was held by", why)
    item(console, "safe", "no table has changed yet; another file of this date needs another decision")
    item(console, "next", hints.build(get_settings()))


def _lived(settings: Settings) -> tuple[Life, dict[tuple[str, str], datetime | None], list[Event]]:
    """The life of all deliveries, since when each is what it is, and the events that tell of it."""
    from netflix_dagster import tables
    from netflix_dagster.deliveries import life as lives
    from netflix_dagster.deliveries import migration
    from netflix_dagster.deliveries.life import Life
    from netflix_dagster.landing.sources import load_sources

    tables.declare(load_sources(settings.sources))
    migration.ensure(settings.lake)
    told = list(lives.events(settings.lake))
    life = Life()
    since: dict[tuple[str, str], datetime | None] = {}
    was: dict[tuple[str, str], object] = {}
    for event in told:
        life.add(event)
        delivery = life.deliveries.get((event.source or "", event.key))
        if delivery is None or not delivery.attempts:
            continue
        place = (delivery.source, delivery.key)
        now = (delivery.newest.fingerprint, delivery.status, delivery.newest.why)
        if was.get(place) != now:
            was[place], since[place] = now, event.at
    return life, since, told


def _check(settings: Settings, life: Life, source: str | None, feed: str | None) -> None:
    from netflix_dagster.landing.sources import load_sources

    known = load_sources(settings.sources)
    sources = {*known.sources, *(of for of, _ in life.deliveries)}
    feeds = {*known.feeds, *(of for of, _ in life.dates)}
    if source is not None and source not in sources:
        raise WrongCall(f"there is no source {source!r}; the sources are {', '.join(sorted(sources))}")
    if feed is not None and feed not in feeds:
        raise WrongCall(f"there is no feed {feed!r}; the feeds are {', '.join(sorted(feeds))}")


def _row(life: Life, delivery: Delivery, since: datetime | None) -> Row:
    newest, standing = delivery.newest, delivery.standing
    return {
        "source": delivery.source,
        "date": delivery.key,
        "feed": delivery.feed,
        "status": delivery.status.value,
        "since": since,
        "why": _why(life, delivery),
        "fingerprint": newest.fingerprint,
        "standing": standing.fingerprint if standing else None,
        "records": newest.records,
    }


def _why(life: Life, delivery: Delivery) -> str:
    """Why a delivery is what it is; of one that stands as it came there is nothing to say."""
    newest = delivery.newest
    if newest.withdrawn:
        return "somebody has taken it away" + ("; its rows stay until the next build" if delivery.standing else "")
    if delivery.status == "withdrawn":
        return "its file has left landing; its rows stay, `deliveries withdraw` removes them"
    accepted = f"{newest.accepted[0]} accepts it: {newest.accepted[1]}" if newest.accepted else ""
    if newest.waits:
        return newest.why + (f"; {accepted}; the next build takes it in" if accepted else "")
    if newest.status == "accepted":
        due = life.due(delivery.feed, delivery.key)
        return "its files are in order; its tables are not all built yet" if due else "its files are in order"
    return accepted


def _attempt(attempt: Attempt) -> Row:
    return {
        "fingerprint": attempt.fingerprint,
        "status": "withdrawn" if attempt.withdrawn else attempt.status.value,
        "table": attempt.table,
        "rule": attempt.rule,
        "reason": attempt.why,
        "stands": attempt.stands,
        "records": attempt.records,
        "files": attempt.files,
        "bytes": attempt.bytes,
        "run_id": attempt.run_id,
        "landed": attempt.at,
    }


def _decision(event: Event) -> Row:
    return {
        "decision": event.decision.value if event.decision else None,
        "fingerprint": event.fingerprint or "",
        "table": event.table_name,
        "rule": event.rule,
        "by": event.decided_by,
        "because": event.decided_because,
        "at": event.at,
    }


def _builds(told: Sequence[Event], open_now: Mapping[str, Any] | Sequence[str]) -> list[Row]:
    """The builds of a date, in the order in which they began. One that has no end is under way, or was stopped."""
    found: dict[str, Row] = {}
    for event in told:
        run_id = event.run_id or ""
        if event.status == "begun":
            began: Row = {"run_id": run_id, "begun": event.at, "ended": None, "tables": []}
            found.setdefault(
                run_id, {**began, "outcome": "under way" if run_id in open_now else "stopped before its end"}
            )
        elif event.status == "ended" and run_id in found:
            found[run_id] |= {"ended": event.at, "outcome": event.outcome, "tables": list(event.tables or ())}
    return list(found.values())


def _minute(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M") if at else ""


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_WHY else f"{line[: _SHOWN_WHY - 1]}…"
