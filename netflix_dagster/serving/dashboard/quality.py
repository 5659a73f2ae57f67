"""The page *Quality*: what became of every delivery, what was refused and how it is mended, how the rules fared."""

from __future__ import annotations

from typing import Any

from netflix_dagster.build import conservation
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import quarantine
from netflix_dagster.deliveries.life import Event, Life, Status
from netflix_dagster.landing.sources import Sources
from netflix_dagster.serving.dashboard.reading import Reader

MOST_SHOWN = 50
"""Rows of the quarantine that the page shows of each rule; it says how many there are."""
MOST_CHARACTERS = 400
"""Of a refused record, in characters: the page shows its beginning."""
_CAME = (Status.LANDED, Status.REFUSED, Status.ACCEPTED)


def chunks(reader: Reader, sources: Sources, events: list[Event]) -> dict[str, Any]:
    """``quality``; it is there in every lake."""
    life = Life.of(events)
    return {
        "quality": {
            "deliveries": _deliveries(life, events),
            "freshness": _freshness(sources, events),
            "quarantine": _quarantine(reader),
            "rules": _rules(reader),
        }
    }


def _deliveries(life: Life, events: list[Event]) -> list[dict[str, Any]]:
    """Every delivery as it is now; its newest attempt speaks for it."""
    since: dict[tuple[str | None, str], Any] = {}
    for event in events:
        since[event.source, event.key] = event.at
    found = []
    for (source, key), delivery in sorted(life.deliveries.items(), key=lambda known: (known[0][1], known[0][0])):
        if not delivery.attempts:
            continue
        newest = delivery.newest
        found.append(
            {
                "feed": delivery.feed,
                "source": source,
                "date": key,
                "status": delivery.status.value,
                "stands": delivery.standing is not None,
                "attempts": len(delivery.attempts),
                "records": newest.records,
                "bytes": newest.bytes,
                "since": _minute(since.get((source, key))),
                "why": newest.why[:MOST_CHARACTERS],
                "command": f"netflix-dagster deliveries show {source} {key}",
            }
        )
    return found


def _freshness(sources: Sources, events: list[Event]) -> list[dict[str, Any]]:
    """Of each feed: the newest delivery, when a new content came last, and how often one is expected."""
    feeds = []
    for feed in sources.feeds.values():
        own = [event for event in events if event.feed == feed.name and event.source and event.status in _CAME]
        first: dict[tuple[str | None, str, str | None], Any] = {}
        for event in own:
            first.setdefault((event.source, event.key, event.fingerprint), event.at)
        feeds.append(
            {
                "feed": feed.name,
                "description": feed.description,
                "expected_every_days": feed.expected_every_days,
                "newest": max((event.key for event in own), default=None),
                "came": _minute(max(first.values(), default=None)),
                "deliveries": len({(event.source, event.key) for event in own}),
            }
        )
    return feeds


def _quarantine(reader: Reader) -> list[dict[str, Any]]:
    """What lies in the quarantine now, by table and rule, most first, with rows, and the command that takes them up."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for row in quarantine.rows(reader.lake):
        for rule, reason, hint in zip(row["rules"], row["reasons"], row["hints"], strict=True):
            group = groups.setdefault(
                (row["table_name"], rule),
                {
                    "table": row["table_name"],
                    "rule": rule,
                    "reason": reason,
                    "hint": hint,
                    "count": 0,
                    "rows": [],
                    "command": f"netflix-dagster quarantine replay --table {row['table_name']} --rule {rule}",
                },
            )
            group["count"] += row["refused_rows"]
            if len(group["rows"]) < MOST_SHOWN:
                group["rows"].append(
                    {
                        "number": row["number"],
                        "delivery": row["delivery_date"],
                        "file": row["source_file"],
                        "record": row["record_number"],
                        "line": row["line_number"],
                        "reason": reason,
                        "row": (row["raw"] or row["row"] or "")[:MOST_CHARACTERS],
                    }
                )
    return sorted(groups.values(), key=lambda group: (-group["count"], group["table"], group["rule"]))


def _rules(reader: Reader) -> dict[str, Any]:
    """How every rule fared in the newest build of each delivery; delivery by delivery where it was ever broken."""
    if not reader.has("quality.results"):
        return {"summary": [], "broken": [], "conserved": []}
    newest = """SELECT * FROM quality.results QUALIFY row_number() OVER (
        PARTITION BY table_name, rule, delivery_date, delivery_hour ORDER BY recorded_at DESC, attempt) = 1"""
    summary = reader.rows(
        f"""SELECT table_name AS "table", rule, any_value(on_fail) AS on_fail, count(*) AS judged,
            count(*) FILTER (NOT passed) AS failed, sum("rows")::BIGINT AS "rows", sum(broken)::BIGINT AS broken
            FROM ({newest}) WHERE rule != '{conservation.RULE}' GROUP BY ALL ORDER BY broken DESC, "table", rule"""
    )
    broken = reader.rows(
        f"""SELECT table_name AS "table", rule, CAST(delivery_date AS VARCHAR) AS delivery, "rows", broken,
            share, message
            FROM ({newest}) n WHERE rule != '{conservation.RULE}' AND delivery_date IS NOT NULL AND "rows" > 0
              AND (table_name, rule) IN (SELECT (table_name, rule) FROM ({newest}) WHERE broken > 0)
            ORDER BY "table", rule, n.delivery_date, n.delivery_hour"""
    )
    conserved = reader.rows(
        f"""SELECT table_name AS "table", count(*) AS judged, sum("rows")::BIGINT AS "rows",
            sum(broken)::BIGINT AS wrong, arg_max(message, delivery_date) AS message
            FROM ({newest}) WHERE rule = '{conservation.RULE}' GROUP BY table_name ORDER BY table_name"""
    )
    layers = {name: index for index, name in enumerate(TABLES)}
    conserved.sort(key=lambda row: layers.get(row["table"], len(layers)))
    return {"summary": summary, "broken": broken, "conserved": conserved}


def _minute(at: Any) -> str | None:
    return at.isoformat(timespec="minutes") if at else None
