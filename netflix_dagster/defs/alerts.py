"""People are told of failed runs, deliveries that are held back and feeds that are silent: once, and when it is over.

One sensor looks at all three and sends one message a tick, whatever happened in it. What was told is in its cursor; it
moves on only when the webhook has taken the message. Without ``NETFLIX_ALERT_WEBHOOK`` there is no sensor.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from netflix_dagster.azure.redaction import redact
from netflix_dagster.defs.failures import why_failed
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.silence import late_feeds, silence
from netflix_dagster.defs.webhook import Alert, post
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.landing.sources import Feed
from netflix_dagster.settings import Settings, get_settings

OVERLAP = timedelta(minutes=10)
"""So far back each look at the runs goes again: one may be written down late."""
_HELD_BACK = (Status.REFUSED, Status.HELD)


@dataclass(frozen=True, slots=True)
class Alerted:
    """What was told already. ``runs``: the failed runs that ended after ``since`` less the overlap. ``ledger``: time of
    the last event in the life of deliveries that was looked at. ``late``: the feeds that are."""

    since: str = ""
    runs: tuple[str, ...] = ()
    ledger: str = ""
    late: tuple[str, ...] = field(default=())

    @classmethod
    def load(cls, text: str | None) -> "Alerted":
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
        told = Alerted.load(context.cursor)
        alerts, after = look(context.instance, lake, told)
        if alerts:
            post(_url(webhook.get_secret_value()), settings.alert_kind, alerts)
        said = f"told of {len(alerts)}" if alerts else "nothing to tell"
        return dg.SensorResult(skip_reason=said, cursor=after.dump())

    return [tell_people]


def look(instance: dg.DagsterInstance, lake: Lake, told: Alerted) -> tuple[list[Alert], Alerted]:
    """What is to be told now, and what will have been told then."""
    now = datetime.now(UTC)
    failed = _failed_runs(instance, told)
    events = list(life.events(lake.settings.lake))
    found = [event for event in events if event.source and event.status in _TOLD]
    deliveries, read = _deliveries(instance, found, told)
    held_back = {event.run_id for event in found if event.status in _HELD_BACK}
    runs = [_run_alert(instance, run) for run_id, run in failed.items() if run_id not in held_back]
    feeds, late = _feeds(silence(events), lake.sources.feeds, told)
    ended = {record.dagster_run.run_id for record in _ended(instance, (now - OVERLAP).timestamp())}
    known = ended & {*told.runs, *failed} if told.since else ended
    return [*runs, *deliveries, *feeds], Alerted(now.isoformat(), tuple(sorted(known)), read, late)


def _failed_runs(instance: dg.DagsterInstance, told: Alerted) -> dict[str, dg.DagsterRun]:
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


_TOLD = (Status.REFUSED, Status.HELD, Status.STANDING, Status.WITHDRAWN)
"""What of the life of a delivery people are told."""


def _deliveries(instance: dg.DagsterInstance, found: list[Event], told: Alerted) -> tuple[list[Alert], str]:
    """Deliveries of which something else is to be said now. A run that still goes on may change its mind: what it wrote
    down waits."""
    before: dict[tuple[str, str], Event] = {}
    after: dict[tuple[str, str], Event] = {}
    read = told.ledger
    ended: dict[str, bool] = {}
    for event in found:
        when, key = event.at.isoformat() if event.at else "", (event.source or "", event.key)
        if when <= told.ledger:
            before[key] = event
            continue
        run_id = event.run_id or ""
        if run_id not in ended:
            run = instance.get_run_by_id(run_id) if run_id else None
            ended[run_id] = run is None or run.is_finished
        if not ended[run_id]:
            break
        after[key], read = event, when
    alerts = (_delivery_alert(*key, before.get(key), event) for key, event in after.items())
    return [alert for alert in alerts if alert], read


def _delivery_alert(source: str, day: str, before: Event | None, now: Event) -> Alert | None:
    link = _link(now.run_id or "")
    if now.status is Status.WITHDRAWN:
        return Alert(
            f"The file of {source} of {day} has left landing",
            safe="Its rows stay in every table.",
            todo=f"Land it again, or take the delivery away: netflix-dagster deliveries withdraw {source} {day}",
        )
    if now.status not in _HELD_BACK:
        if before is None or before.status not in _HELD_BACK:
            return None
        return Alert(f"{source} of {day} is accepted now", f"It had been {before.status}.", link=link, good=True)
    if before is not None and _said(before) == _said(now):
        return None
    return Alert(
        f"{source} of {day} is {now.status}",
        redact(_why(now)),
        "Nothing of it was written; what the tables held of that date stays.",
        "Mend the file and land it again, or see `netflix-dagster quarantine list` for every fault.",
        link,
    )


def _why(event: Event) -> str:
    reason = event.reason or ""
    return f"{event.table_name}: {reason}" if event.status is Status.HELD else reason


def _said(event: Event) -> tuple[str | None, ...]:
    return event.status, event.table_name, event.reason, event.fingerprint


def _feeds(ages: Mapping[str, float], feeds: Mapping[str, Feed], told: Alerted) -> tuple[list[Alert], tuple[str, ...]]:
    """Feeds that have brought nothing new for longer than they say of themselves, and those that are in time again."""
    late = late_feeds(ages, feeds)
    alerts = [_late_alert(feeds[feed], ages[feed]) for feed in sorted(late - set(told.late))]
    alerts += [Alert(f"{feed} is up to date again", good=True) for feed in sorted(set(told.late) - late)]
    return alerts, tuple(sorted(late))


def _late_alert(feed: Feed, days: float) -> Alert:
    return Alert(
        f"{feed.name} is late: it brought nothing new for {days:.0f} days",
        f"It is expected every {feed.expected_every_days} days.",
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
