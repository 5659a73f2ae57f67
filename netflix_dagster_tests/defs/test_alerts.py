"""People are told what failed, what is held back and what is late: once, by a webhook that may be down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget, create_run_for_test, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.freshness import FreshnessDaemon
from dagster._time import get_current_datetime
from pydantic import SecretStr

from netflix_dagster.defs import alerts
from netflix_dagster.defs.alerts import alert_sensors
from netflix_dagster.defs.webhook import MOST_TOLD, Alert, WebhookError, kind_of, message
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster_tests.defs.house import House, title
from netflix_dagster_tests.emulators.webhook import Channel, channel

CATALOGUE = "bronze.netflix_catalogue"
SHORT = (CATALOGUE, "silver.titles")
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
    assert not desk.house.run(DAY, only=SHORT).success
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {DAY} is refused"
    assert "HTML page (Moved)" in told["why"] and "stays" in told["safe"] and "land it again" in told["todo"]
    assert desk.tick() == []

    desk.house.run(DAY, only=SHORT)  # the same file once more: nothing new
    assert desk.tick() == []

    file.unlink()
    desk.house.release(DAY, title(1))
    assert desk.house.run(DAY, only=SHORT).success
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


def test_a_delivery_blocked_by_a_later_table_is_told_with_its_rule(desk: Desk) -> None:
    desk.tick()
    chain = (*SHORT, "silver.releases")
    desk.house.release(DAY, *map(title, range(1, 40)))
    assert desk.house.run(DAY, only=chain).success
    desk.house.release(OTHER, *map(title, range(1, 5)))  # cut short
    desk.house.run(OTHER, only=chain)
    (told,) = desk.tick()
    assert told["what"] == f"netflix_catalogue of {OTHER} is blocked"
    assert told["why"].startswith("silver.releases: ")


def test_a_run_that_goes_on_may_change_its_mind(desk: Desk) -> None:
    desk.tick()
    desk.house.land("netflix_catalogue", DAY, PAGE)
    result = desk.house.run(DAY, only=SHORT)
    run = desk.house.instance.get_run_by_id(result.run_id)
    assert run
    rows = alerts._ledger(desk.house.tables)
    going_on = SimpleNamespace(get_run_by_id=lambda _: run.with_status(dg.DagsterRunStatus.STARTED))
    assert alerts._deliveries(going_on, rows, alerts.Told())[0] == []  # type: ignore[arg-type]
    assert len(alerts._deliveries(desk.house.instance, rows, alerts.Told())[0]) == 1


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


def test_a_hundred_failures_are_one_message(desk: Desk) -> None:
    desk.tick()
    for _ in range(100):
        run = create_run_for_test(desk.house.instance, "catalogue_delivery", status=dg.DagsterRunStatus.STARTED)
        desk.house.instance.report_run_failed(run)
    told = desk.tick()
    assert len(told) == MOST_TOLD
    assert desk.channel.messages[-1]["more"] == 100 - MOST_TOLD
    assert desk.tick() == [] and desk.channel.asked == 1


def test_a_feed_that_is_late_is_told_once_and_when_it_is_over(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    desk.house = House(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path / "dagster")))
    desk.house.release(DAY, title(1))
    desk.house.run(DAY, only=SHORT)
    desk.tick()
    with daemon(desk.house.instance) as judge_freshness:
        judge_freshness()
        assert desk.tick() == []
        with freeze_time(get_current_datetime() + timedelta(days=401)):
            judge_freshness()
        (told,) = desk.tick()
        assert told["what"] == "catalogue is late: 2 of its tables are older than they may be"
        assert told["why"] == "bronze.netflix_catalogue, silver.titles"
        assert desk.tick() == []
        desk.house.run(DAY, only=SHORT)
        judge_freshness()
        (told,) = desk.tick()
        assert told["what"] == "catalogue is up to date again" and told["good"]
        assert desk.tick() == []


@contextmanager
def daemon(instance: dg.DagsterInstance) -> Iterator[Callable[[], None]]:
    """Dagster's own freshness daemon on the real definitions; what it does every half minute is done when called."""
    module = LoadableTargetOrigin(executable_path=sys.executable, module_name="netflix_dagster.definitions")
    target = InProcessTestWorkspaceLoadTarget(InProcessCodeLocationOrigin(module))
    with WorkspaceProcessContext(instance, target) as workspace:

        def judge() -> None:
            list(FreshnessDaemon().run_iteration(workspace))

        yield judge


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
