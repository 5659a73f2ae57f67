"""Messages to people by a webhook: a channel of Teams or Slack, or what takes JSON, such as a mail gateway."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

log = logging.getLogger("netflix_dagster.alerts")
Kind = Literal["teams", "slack", "json"]
MOST_TOLD = 10
"""Alerts that one message spells out; of the rest it says how many."""
MOST_TEXT = 600
MOST_BYTES: dict[Kind, int] = {"teams": 28 * 1024}
"""Bytes of a message, where a longer one is refused; less is spelt out then."""
TIMEOUT_SECONDS = 10
_UNFIT = (400, 413, 422)
"""Answers that speak of the message, and not of the webhook: to send the same again is in vain."""
_HOSTS: dict[str, Kind] = {
    "hooks.slack.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "powerplatform.com": "teams",
}


class WebhookError(RuntimeError):
    """A message was not taken. The text names the host alone: whoever has the whole URL can post to it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that happened: what, to which run, delivery or feed; why; what is safe; what to do now."""

    what: str
    why: str = ""
    safe: str = ""
    todo: str = ""
    link: str | None = None
    good: bool = False

    @property
    def sentences(self) -> list[str]:
        return [_short(text) for text in (self.why, self.safe, self.todo) if text]


def kind_of(url: str) -> Kind:
    """What a webhook takes, by its host."""
    host = urlsplit(url).hostname or ""
    return next((kind for end, kind in _HOSTS.items() if host == end or host.endswith(f".{end}")), "json")


def message(alerts: Sequence[Alert], kind: Kind) -> dict[str, Any]:
    """All alerts as one message, of which as many are spelt out as it may hold."""
    for told in range(min(MOST_TOLD, len(alerts)), 1, -1):
        said = _message(alerts, kind, told)
        if _bytes(said) <= MOST_BYTES.get(kind, _bytes(said)):
            return said
    return _message(alerts, kind, 1)


def _bytes(said: dict[str, Any]) -> int:
    return len(json.dumps(said))


def _message(alerts: Sequence[Alert], kind: Kind, most: int) -> dict[str, Any]:
    told, more = alerts[:most], len(alerts) - most
    bad = sum(not alert.good for alert in alerts)
    title = f"Netflix lakehouse: {bad} to look at" if bad else "Netflix lakehouse: well again"
    rest = f"and {more} more, see Dagster" if more > 0 else ""
    if kind == "teams":
        return _teams(title, told, rest)
    if kind == "slack":
        return _slack(title, told, rest)
    return {"title": title, "alerts": [asdict(alert) for alert in told], "more": max(more, 0)}


def post(url: str, kind: Kind | None, alerts: Sequence[Alert]) -> None:
    """Send one message; raises ``WebhookError`` when it was not taken.

    A message that the webhook finds unfit is sent alert by alert: one that it never takes must not keep people from
    all that comes after it. Such an alert is logged, and told by its first line alone if that is taken.
    """
    status = _posted(url, kind, alerts)
    if status in _UNFIT:
        taken = [_told_alone(url, kind, alert) for alert in alerts[:MOST_TOLD]]
        if any(taken):
            return
    if not 200 <= status < 300:
        raise WebhookError(_untold(urlsplit(url).hostname, f"answered {status}"))


def _told_alone(url: str, kind: Kind | None, alert: Alert) -> bool:
    """Send one alert of an unfit message. Returns whether the webhook takes messages at all."""
    if 200 <= _posted(url, kind, [alert]) < 300:
        return True
    log.error("The webhook on %s does not take this alert: %s", urlsplit(url).hostname, alert)
    return 200 <= _posted(url, kind, [Alert(f"An alert that could not be sent: {alert.what[:80]}")]) < 300


def _posted(url: str, kind: Kind | None, alerts: Sequence[Alert]) -> int:
    """Send one message. Returns the status of the answer."""
    import requests

    try:
        return requests.post(url, json=message(alerts, kind or kind_of(url)), timeout=TIMEOUT_SECONDS).status_code
    except (requests.RequestException, ValueError) as error:
        why = f"cannot be reached ({type(error).__name__})"
        raise WebhookError(_untold(urlsplit(url).hostname, why)) from None


def _untold(host: str | None, why: str) -> str:
    return (
        f"The webhook on {host} {why}: nobody was told. Nothing is lost, the next tick tells it; if this lasts, mend"
        " NETFLIX_ALERT_WEBHOOK."
    )


def _teams(title: str, told: Sequence[Alert], rest: str) -> dict[str, Any]:
    body: list[dict[str, Any]] = [_block(title, size="Large", weight="Bolder")]
    for alert in told:
        what = f"[{_plain(alert.what)}]({alert.link})" if alert.link else _plain(alert.what)
        lines = [_block(what, weight="Bolder", color="Good" if alert.good else "Attention")]
        lines += [_block(_plain(text)) for text in alert.sentences]
        body.append({"type": "Container", "separator": True, "items": lines})
    if rest:
        body.append(_block(rest))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(text: str, **how: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **how}


def _slack(title: str, told: Sequence[Alert], rest: str) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    for alert in told:
        what = f"<{alert.link}|{_escaped(alert.what)}>" if alert.link else _escaped(alert.what)
        mark = ":white_check_mark:" if alert.good else ":warning:"
        text = "\n".join([f"{mark} *{what}*", *(_escaped(said) for said in alert.sentences)])
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    if rest:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": rest}]})
    return {"text": "; ".join([title, *(_escaped(alert.what) for alert in told)]), "blocks": blocks}


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} ..."


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: what a file says of itself shall make no link."""
    return "".join(f"\\{sign}" if sign in "[]()*_`#" else sign for sign in text)


def _escaped(text: str) -> str:
    """Text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
