"""People are told what failed, what is held back and what is late: once, by a webhook that may be down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from pydantic import SecretStr

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import touched_tables
from netflix_dagster.defs import alerts, silence
from netflix_dagster.defs.alerts import alert_sensors
from netflix_dagster.defs.webhook import MOST_TOLD, Alert, WebhookError, kind_of, message, post
from netflix_dagster.deliveries import decisions, life
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.emulators.webhook import Channel, channel
from netflix_dagster_tests.lakehouse import title

CATALOGUE = "bronze.netflix_catalogue"
SHORT = (CATALOGUE, "silver.titles")
WHOLE = [name for name in touched_tables("catalogue", ["netflix_catalogue"]) if TABLES[name].layer != "gold"]
DAY, OTHER, LAST = "2020-01-01", "2020-01-02", "2020-01-03"
PAGE = "<!DOCTYPE html><html><head><title>Moved</title></head></html>"


@dataclass
class Desk:
    """The sensor as the daemon runs it, and the channel that it tells."""

    house: House
    channel: Channel
    cursor: str | None = None
    settings: Settings = field(default_factory=Settings)

    def tick(self) -> list[dict[str, Any]]:
        """One tick; the alerts of the message that was sent, none if none was."""
        sent = len(self.channel.messages)
        settings = self.settings.model_copy(update={"alert_webhook": SecretStr(self.channel.url)})
        (sensor,) = alert_sensors(settings)
        with dg.build_sensor_context(
            instance=self.house.instance, cursor=self.cursor, resources={"lake": self.house.lake}
        ) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        new = self.channel.messages[sent:]
        assert len(new) <= 1
        return [alert for said in new for alert in said["alerts"]]

    def fail(self) -> str:
        """A run that fails for a reason of its own; its id."""
        decision = {"feed": "catalogue", "delivery_date": "1999-01-01", "because": "a test"}
        result = self.house.execute(job="accept_delivery", config={"decide": {"config": decision}})
        assert not result.success
        return result.run_id


@pytest.fixture
def desk(house: House) -> Iterator[Desk]:
    with channel() as made:
        yield Desk(house, made)


def test_without_a_webhook_there_is_no_sensor() -> None:
    assert alert_sensors(Settings()) == []


def test_a_failed_run_is_told_once_with_its_reason(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        alerts, "get_settings", lambda: get_settings().model_copy(update={"dagster_url": "http://dagster.example/"})
    )
    assert desk.tick() == []
    run_id = desk.fail()
    (told,) = desk.tick()
    assert told["what"] == f"The run {run_id[:8]} failed: accept_delivery"
    assert "1999-01-01" in told["why"] and told["safe"] and told["todo"]
    assert told["link"] == f"http://dagster.example/runs/{run_id}"
    assert desk.tick() == [] and desk.tick() == []


def test_what_failed_before_somebody_was_to_be_told_is_history(desk: Desk) -> None:
    desk.fail()
    assert desk.tick() == []
    later = desk.fail()
    (told,) = desk.tick()
    assert later[:8] in told["what"]


def test_a_run_that_is_tried_again_by_itself_is_not_told(desk: Desk) -> None:
    desk.tick()
    tags = {"dagster/will_retry": "true"}
    run = create_run_for_test(desk.house.instance, "catalogue_delivery", tags=tags, status=dg.DagsterRunStatus.STARTED)
    desk.house.instance.report_run_failed(run, "the process was lost")
    if desk.house.instance.get_run_by_id(run.run_id).tags.get("dagster/will_retry") != "true":  # type: ignore[union-attr]
        desk.house.instance.add_run_tags(run.run_id, tags)
    assert desk.tick() == []


def test_a_refused_delivery_is_told_once_and_not_as_a_failed_run(desk: Desk) -> None:
    desk.tick()
    file = desk.house.land("netflix_catalogue", DAY, PAGE)
    desk.house.run(DAY, only=SHORT)
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {DAY} is refused"
    assert "HTML page (Moved)" in told["why"] and "stays" in told["safe"] and "land it again" in told["todo"]
    assert desk.tick() == []

    desk.house.run(DAY, only=SHORT)  # the same file once more: nothing new
    assert desk.tick() == []

    file.unlink()
    desk.house.release(DAY, title(1))
    assert desk.house.run(DAY, only=SHORT).success
    assert desk.tick() == [], "it does not stand in every table yet"
    assert desk.house.run(DAY, only=WHOLE).success
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {DAY} is accepted now" and told["good"]
    assert desk.tick() == []


def test_a_delivery_that_is_refused_in_a_run_that_succeeds_is_told(desk: Desk) -> None:
    desk.tick()
    desk.house.release(DAY, title(1))
    desk.house.land("netflix_catalogue", OTHER, PAGE)
    desk.house.release(LAST, title(1), title(2))
    assert desk.house.run(DAY, LAST, only=SHORT).success
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {OTHER} is refused"


def test_what_is_held_back_already_is_told_at_first(desk: Desk) -> None:
    desk.house.land("netflix_catalogue", DAY, PAGE)
    desk.house.run(DAY, only=SHORT)
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {DAY} is refused"


def test_a_delivery_that_a_later_table_holds_is_told_with_its_rule(desk: Desk) -> None:
    desk.tick()
    desk.house.release(DAY, *map(title, range(1, 40)))
    assert desk.house.run(DAY, only=WHOLE).success
    desk.house.release(OTHER, *map(title, range(1, 5)))  # cut short
    desk.house.run(OTHER, only=WHOLE)
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {OTHER} is held"
    assert told["why"].startswith("silver.releases: ")


def test_a_run_that_goes_on_may_change_its_mind(desk: Desk) -> None:
    desk.tick()
    desk.house.land("netflix_catalogue", DAY, PAGE)
    result = desk.house.run(DAY, only=SHORT)
    run = desk.house.instance.get_run_by_id(result.run_id)
    assert run
    rows = [event for event in life.events(desk.house.tables) if event.status in alerts._TOLD]
    going_on = SimpleNamespace(get_run_by_id=lambda _: run.with_status(dg.DagsterRunStatus.STARTED))
    assert alerts._deliveries(going_on, rows, alerts.Alerted())[0] == []  # type: ignore[arg-type]
    assert len(alerts._deliveries(desk.house.instance, rows, alerts.Alerted())[0]) == 1


@pytest.mark.parametrize("status", [429, 500, 404])
def test_a_webhook_that_does_not_take_it_is_told_at_the_next_tick(desk: Desk, status: int) -> None:
    desk.tick()
    run_id = desk.fail()
    desk.channel.status = status
    before = desk.cursor
    with pytest.raises(WebhookError, match=f"answered {status}") as error:
        desk.tick()
    assert "s3cr3tpath" not in str(error.value) and desk.cursor == before
    desk.channel.status = 200
    (told,) = desk.tick()
    assert run_id[:8] in told["what"]
    assert desk.tick() == []


def test_a_webhook_that_is_gone_gives_its_secret_to_nobody(house: House) -> None:
    with channel() as gone:
        desk = Desk(house, gone)
        desk.tick()
    desk.fail()
    with pytest.raises(WebhookError, match="cannot be reached") as error:
        desk.tick()
    assert "s3cr3tpath" not in str(error.value)
    assert error.value.__cause__ is None and error.value.__suppress_context__


def test_an_alert_that_is_never_taken_keeps_nobody_from_the_others() -> None:
    with channel() as made:
        made.unfit = "poison"
        post(made.url, "json", [Alert("one"), Alert("two", why="poison"), Alert("three")])
        told = [alert["what"] for said in made.messages for alert in said["alerts"]]
        assert told == ["one", "An alert that could not be sent: two", "three"]
        made.messages.clear()
        made.unfit = "An alert"  # not even that
        with pytest.raises(WebhookError, match="answered 400"):
            post(made.url, "json", [Alert("An alert")])
        assert made.messages == []


def test_a_message_is_never_longer_than_its_channel_takes() -> None:
    """Teams refuses more than 28 KB, and text that is not ASCII takes six bytes a sign."""
    nasty = [Alert("ж" * 300, "е" * 600, "н" * 600, "щ" * 600)] * 40
    said = message(nasty, "teams")
    assert len(json.dumps(said)) <= 28 * 1024
    body = said["attachments"][0]["content"]["body"]
    spelt = sum(block["type"] == "Container" for block in body)
    assert 0 < spelt < MOST_TOLD
    assert body[-1]["text"] == f"and {40 - spelt} more, see Dagster"


def test_a_hundred_failures_are_one_message(desk: Desk) -> None:
    desk.tick()
    for _ in range(100):
        run = create_run_for_test(desk.house.instance, "catalogue_delivery", status=dg.DagsterRunStatus.STARTED)
        desk.house.instance.report_run_failed(run)
    told = desk.tick()
    assert len(told) == MOST_TOLD
    assert desk.channel.messages[-1]["more"] == 100 - MOST_TOLD
    assert desk.tick() == [] and desk.channel.asked == 1


class MuchLater(datetime):
    """A clock that is 401 days ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=401)


def test_a_feed_that_is_late_is_told_once_and_only_a_new_delivery_ends_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.house.release(DAY, title(1))
    assert desk.house.run(DAY, only=SHORT).success
    assert desk.tick() == [] and desk.tick() == []
    for module in (life, silence):
        monkeypatch.setattr(module, "datetime", MuchLater)
    (told,) = desk.tick()
    assert told["what"] == "catalogue is late: it brought nothing new for 401 days"
    assert told["why"] == "It is expected every 400 days."
    assert desk.tick() == []

    decisions.reopen(desk.house.tables, [desk.house.delivery("netflix_catalogue", DAY)])
    assert desk.house.run(DAY, only=SHORT).success
    (desk.house.landing / "netflix_catalogue" / DAY / "file.csv").touch()
    assert desk.house.run(DAY, only=SHORT).success
    assert desk.tick() == [], "a delivery that is built again is none that has come"

    desk.house.release(OTHER, title(1), title(2))
    assert desk.house.run(OTHER, only=SHORT).success
    (told,) = desk.tick()
    assert told["what"] == "catalogue is up to date again" and told["good"]
    assert desk.tick() == []


def test_silence_is_counted_from_the_arrival_of_what_was_accepted() -> None:
    now = datetime.now(UTC)

    def told(status: Status, days: float, fingerprint: str) -> Event:
        when = now - timedelta(days=days)
        return Event(status, "catalogue", DAY, "netflix_catalogue", fingerprint=fingerprint, at=when)

    events = [told(Status.ACCEPTED, 30, "a"), told(Status.ACCEPTED, 9, "a"), told(Status.LANDED, 8, "a")]
    assert silence.silence(events) == {"catalogue": pytest.approx(30, abs=0.01)}
    events.append(told(Status.REFUSED, 5, "b"))
    assert silence.silence(events) == {"catalogue": pytest.approx(30, abs=0.01)}, "what is refused is no delivery"
    events.append(told(Status.ACCEPTED, 1, "b"))
    assert silence.silence(events) == {"catalogue": pytest.approx(5, abs=0.01)}, "it had come by then"
    assert silence.silence([]) == {}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://hooks.slack.com/services/T/B/x", "slack"),
        ("https://prod-07.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://contoso.webhook.office.com/webhookb2/x", "teams"),
        ("https://default1.environment.api.powerplatform.com/powerautomate/x", "teams"),
        ("https://evil-hooks.slack.com.example/x", "json"),
        ("http://127.0.0.1:9/x", "json"),
    ],
)
def test_a_webhook_is_known_by_its_host(url: str, kind: str) -> None:
    assert kind_of(url) == kind


NASTY = Alert("a <b> & [c](http://x)", "w" * 5000, "safe", "do", "https://dagster.example/runs/1")


def test_a_message_for_slack_keeps_to_its_limits_and_makes_no_links_of_names() -> None:
    said = message([NASTY] * 60, "slack")
    texts = [block["text"]["text"] for block in said["blocks"] if block["type"] == "section"]
    assert len(said["blocks"]) <= 50 and len(texts) == MOST_TOLD
    assert all(len(text) <= 3000 for text in texts)
    assert "<https://dagster.example/runs/1|a &lt;b&gt; &amp; [c](http://x)>" in texts[0]
    assert said["blocks"][-1]["elements"][0]["text"] == "and 50 more, see Dagster"


def test_a_message_for_teams_is_one_adaptive_card() -> None:
    said = message([NASTY] * 60, "teams")
    (attachment,) = said["attachments"]
    card = attachment["content"]
    assert (said["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    first = card["body"][1]["items"][0]["text"]
    assert first == r"[a <b> & \[c\]\(http://x\)](https://dagster.example/runs/1)"
    assert len(json.dumps(said)) < 28_000


def test_a_message_says_when_all_is_well_again() -> None:
    assert message([Alert("x is up to date again", good=True)], "json")["title"] == "Netflix lakehouse: well again"
