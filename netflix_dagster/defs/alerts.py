"""People are told of failed runs, deliveries that are held back and feeds that are silent: once, and when it is over.

One sensor looks at all three and sends one message a tick, whatever happened in it. What was told is in its cursor; it
moves on only when the webhook has taken the message. Without ``NETFLIX_ALERT_WEBHOOK`` there is no sensor.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.tags import WILL_RETRY_TAG

from netflix_dagster.azure.redaction import redact
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.failures import why_failed
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.webhook import Alert, post
from netflix_dagster.deliveries import ledger
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import Place

OVERLAP = timedelta(minutes=10)
"""So far back each look at the runs goes again: one may be written down late."""
MOST_NAMES = 5
_LATE = (FreshnessState.WARN, FreshnessState.FAIL)
_HELD_BACK = ("refused", "blocked")


@dataclass(frozen=True, slots=True)
class Told:
    """What was told already. ``runs``: the failed runs that ended after ``since`` less the overlap. ``ledger``: time of
    the last row of the ledger that was looked at. ``late``: the feeds that are."""

    since: str = ""
    runs: tuple[str, ...] = ()
    ledger: str = ""
    late: tuple[str, ...] = field(default=())

    @classmethod
    def load(cls, text: str | None) -> "Told":
        said = json.loads(text) if text else {}
        runs, late = (tuple(said.get(name, ())) for name in ("runs", "late"))
        return cls(said.get("since", ""), runs, said.get("ledger", ""), late)

    def dump(self) -> str:
        return json.dumps(asdict(self))


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor, where there is somebody to tell."""
    webhook = settings.alert_webhook
    if webhook is None:
        return []

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells people of failed runs, deliveries that are held back and feeds that are silent.",
    )
    def tell_people(context: dg.SensorEvaluationContext, lake: Lake) -> dg.SensorResult:
        told = Told.load(context.cursor)
        alerts, after = look(context.instance, lake.settings.lake, told)
        if alerts:
            post(_url(webhook.get_secret_value()), settings.alert_kind, alerts)
        said = f"told of {len(alerts)}" if alerts else "nothing to tell"
        return dg.SensorResult(skip_reason=said, cursor=after.dump())

    return [tell_people]


def look(instance: dg.DagsterInstance, lake: Place, told: Told) -> tuple[list[Alert], Told]:
    """What is to be told now, and what will have been told then."""
    now = datetime.now(UTC)
    failed = _failed_runs(instance, told)
    rows = _ledger(lake)
    deliveries, read = _deliveries(instance, rows, told)
    held_back = {row["run_id"] for row in rows if row["status"] in _HELD_BACK}
    runs = [_run_alert(instance, run) for run_id, run in failed.items() if run_id not in held_back]
    feeds, late = _feeds(instance, told)
    ended = {record.dagster_run.run_id for record in _ended(instance, (now - OVERLAP).timestamp())}
    known = ended & {*told.runs, *failed} if told.since else ended
    return [*runs, *deliveries, *feeds], Told(now.isoformat(), tuple(sorted(known)), read, late)


def _failed_runs(instance: dg.DagsterInstance, told: Told) -> dict[str, dg.DagsterRun]:
    """The runs that failed since the last look and will not be tried again by themselves. A first look begins here."""
    if not told.since:
        return {}
    since = (datetime.fromisoformat(told.since) - OVERLAP).timestamp()
    found = {record.dagster_run.run_id: record.dagster_run for record in _ended(instance, since)}
    return {
        run_id: run
        for run_id, run in found.items()
        if run_id not in told.runs and run.tags.get(WILL_RETRY_TAG) != "true"
    }


def _ended(instance: dg.DagsterInstance, since: float) -> list[dg.RunRecord]:
    wanted = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=datetime.fromtimestamp(since, UTC))
    return [record for record in instance.get_run_records(wanted) if (record.end_time or 0) >= since]


def _run_alert(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Alert:
    which = run.tags.get("dagster/partition") or run.tags.get("deliveries")
    about = f"{run.job_name} of {which}" if which else run.job_name
    return Alert(
        f"The run {run.run_id[:8]} failed: {about}",
        redact(why_failed(instance, run.run_id) or "Its process was lost, or never started."),
        "Tables that it did not reach are as they were.",
        "Look at the run, mend the cause and run it again: building a delivery again is always safe.",
        _link(run.run_id),
    )


def _ledger(lake: Place) -> list[dict[str, Any]]:
    rows = store.read_arrow(lake, ledger.NAME)
    found = rows.sort_by("recorded_at").to_pylist() if rows is not None else []
    return [row for row in found if row["fingerprint"] != ledger.REOPENED]


def _deliveries(instance: dg.DagsterInstance, rows: list[dict[str, Any]], told: Told) -> tuple[list[Alert], str]:
    """Deliveries whose standing has changed. A run that still goes on may change its mind: its rows wait."""
    before: dict[tuple[str, str], dict[str, Any]] = {}
    after: dict[tuple[str, str], dict[str, Any]] = {}
    read = told.ledger
    ended: dict[str, bool] = {}
    for row in rows:
        when, key = row["recorded_at"].isoformat(), (row["source"], row["delivery_date"].isoformat())
        if when <= told.ledger:
            before[key] = row
            continue
        run_id = row["run_id"]
        if run_id not in ended:
            run = instance.get_run_by_id(run_id)
            ended[run_id] = run is None or run.is_finished
        if not ended[run_id]:
            break
        after[key], read = row, when
    alerts = (_delivery_alert(*key, before.get(key), row) for key, row in after.items())
    return [alert for alert in alerts if alert], read


def _delivery_alert(source: str, day: str, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> Alert | None:
    link = _link(now["run_id"])
    if now["status"] not in _HELD_BACK:
        if before is None or before["status"] not in _HELD_BACK:
            return None
        return Alert(f"{source} of {day} is accepted now", f"It had been {before['status']}.", link=link, good=True)
    same = ("status", "reason", "fingerprint")
    if before is not None and all(before[name] == now[name] for name in same):
        return None
    return Alert(
        f"{source} of {day} is {now['status']}",
        redact(now["reason"] or ""),
        "Nothing of it was written; what the tables held of that date stays.",
        "Mend the file and land it again, or see `netflix-dagster quarantine list` for every fault.",
        link,
    )


def _feeds(instance: dg.DagsterInstance, told: Told) -> tuple[list[Alert], tuple[str, ...]]:
    """Feeds of which a table is older than its freshness policy allows, as Dagster's freshness daemon judges."""
    named = {asset_key(name): table for name, table in TABLES.items() if table.feed}
    states = instance.get_freshness_state_records(list(named))
    stale: dict[str, list[str]] = {}
    for key, record in states.items():
        if record.freshness_state in _LATE:
            stale.setdefault(str(named[key].feed), []).append(named[key].name)
    alerts = [_late_alert(feed, names) for feed, names in sorted(stale.items()) if feed not in told.late]
    over = sorted(set(told.late) - set(stale))
    alerts += [Alert(f"{feed} is up to date again", good=True) for feed in over]
    return alerts, tuple(sorted(stale))


def _late_alert(feed: str, names: list[str]) -> Alert:
    first, more = sorted(names)[:MOST_NAMES], len(names) - MOST_NAMES
    return Alert(
        f"{feed} is late: {len(names)} of its tables are older than they may be",
        ", ".join(first) + (f" and {more} more" if more > 0 else ""),
        "The tables hold what was last delivered.",
        "See whether the source still delivers, and whether a delivery of it is held back.",
    )


def _link(run_id: str) -> str | None:
    base = get_settings().dagster_url
    return f"{base.rstrip('/')}/runs/{run_id}" if base and run_id else None


def _url(said: str) -> str:
    from netflix_dagster.azure.redaction import hide
    from netflix_dagster.azure.vault import is_reference, resolve

    url = resolve(said) if is_reference(said) else said
    hide(url)
    return url
