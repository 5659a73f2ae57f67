"""The jobs: one per feed that builds a delivery from landing to gold, and the upkeep of the lake."""

from collections.abc import Callable
from typing import Any, TypeVar

import dagster as dg
from dagster._core.storage.tags import RETRY_STRATEGY_TAG
from pydantic import Field

from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.resources import Lake
from netflix_dagster.landing.sources import Feed

T = TypeVar("T")


def job_name(feed: str) -> str:
    """``<feed>_delivery``."""
    return f"{feed}_delivery"


def feed_job(feed: Feed) -> Any:
    """Build deliveries of a feed, landing to gold, in one run and one process."""
    return dg.define_asset_job(
        job_name(feed.name),
        selection=dg.AssetSelection.assets(*map(asset_key, feed_tables(feed.name))).without_checks(),
        description=f"{feed.description}: one delivery (or several) from landing to gold.",
        executor_def=dg.in_process_executor,
        tags={"feed": feed.name, RETRY_STRATEGY_TAG: "ALL_STEPS"},  # the gates judge a delivery as one
    )


_UPKEEP = dg.TableSchema(
    [
        dg.TableColumn("table", "string"),
        *(dg.TableColumn(name, "int") for name in ("files", "compacted", "removed")),
        dg.TableColumn("clustered_by", "string"),
        dg.TableColumn("files_opened_before", "float", "by a query for one value of the first of these columns"),
        dg.TableColumn("files_opened_now", "float"),
    ]
)


class Upkeep(dg.Config):
    """How the lake is kept in shape."""

    retention_hours: int | None = Field(default=None, ge=0, description="Instead of what each contract says")
    nobody_works: bool = Field(default=False, description="Nobody reads or writes the lake: it may be a few hours")


@dg.op(description="Lay tables out as their contracts say, remove old files, and what killed runs left behind.")
def maintain_lake(context: dg.OpExecutionContext, config: Upkeep, lake: Lake) -> None:
    from netflix_dagster.lake.maintenance import UnsafeRetention, maintain

    try:
        found = maintain(lake.settings.lake, config.retention_hours, nobody_works=config.nobody_works)
    except UnsafeRetention as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for table, done in found.items():
        context.log.info(f"{table}: {done}")
    rows = [
        dg.TableRecord(
            {
                "table": table,
                "files": done.files,
                "compacted": done.compacted,
                "removed": done.removed,
                "clustered_by": ", ".join(done.clustered_by),
                "files_opened_before": round(done.read_before, 2),
                "files_opened_now": round(done.read_now, 2),
            }
        )
        for table, done in found.items()
    ]
    context.add_output_metadata({"tables": dg.TableMetadataValue(rows, _UPKEEP)})


class History(dg.Config):
    """How far Dagster's history reaches back."""

    keep_days: int = Field(default=90, ge=0, description="Days; the newest state of every partition always stays")


@dg.op(description="Remove superseded events and the logs of old runs, and give their space back.")
def prune_history(context: dg.OpExecutionContext, config: History) -> None:
    from netflix_dagster.defs.history import prune

    context.log.info(str(prune(context.instance, config.keep_days)))


@dg.job(
    description="OPTIMIZE, VACUUM and retention for every table, and for Dagster's history.",
    executor_def=dg.in_process_executor,
)
def lake_maintenance() -> None:
    maintain_lake()
    prune_history()


class Decision(dg.Config):
    """What a person decides about a delivery."""

    delivery_date: str = Field(description="The delivery date, as YYYY-MM-DD")
    because: str = Field(description="Why; kept with the decision in quality.deliveries")
    by: str = Field(default="", description="Who decides; the user of the process if empty")


class Acceptance(Decision):
    """A delivery that a person takes in although a rule holds it."""

    feed: str = Field(description="The feed, such as catalogue")


class Withdrawal(Decision):
    """A delivery that a person takes away."""

    source: str = Field(description="The source, such as netflix_catalogue")


@dg.op(description="Record the decision and have the delivery taken up again.")
def decide(context: dg.OpExecutionContext, config: Acceptance, lake: Lake) -> None:
    from netflix_dagster.deliveries.decisions import accept

    overruled = _decided(accept, lake, config.feed, config)
    context.log.info(f"{config.feed} of {config.delivery_date} is accepted; it was held: {overruled}")


@dg.op(description="Record the decision and have the delivery's rows removed.")
def take_away(context: dg.OpExecutionContext, config: Withdrawal, lake: Lake) -> None:
    from netflix_dagster.deliveries.decisions import withdraw

    _decided(withdraw, lake, config.source, config)
    context.log.info(f"{config.source} of {config.delivery_date} is withdrawn; the next build removes its rows")


def _decided(record: Callable[..., T], lake: Lake, what: str, config: Decision) -> T:
    """Record a decision. One that cannot be made is a failure that says why, and is not tried again."""
    from netflix_dagster.deliveries.decisions import DecisionError

    try:
        return record(lake.settings.lake, what, config.delivery_date, config.because, config.by)
    except DecisionError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dg.job(
    description="Take one delivery away; the landing sensor has its rows removed from every table.",
    executor_def=dg.in_process_executor,
)
def withdraw_delivery() -> None:
    take_away()


@dg.op(description="Log what has become of every delivery: a line each in the log of the run.")
def log_deliveries(context: dg.OpExecutionContext, lake: Lake) -> None:
    from netflix_dagster.deliveries.life import Life

    for delivery in sorted(Life.read(lake.settings.lake).deliveries.values(), key=lambda d: (d.key, d.source)):
        if delivery.attempts:
            why = f": {delivery.newest.why}" if delivery.newest.waits else ""
            context.log.info(f"{delivery.key} {delivery.source} {delivery.status}{why}")


@dg.job(description="The deliveries and their states, in the log of the run.", executor_def=dg.in_process_executor)
def list_deliveries() -> None:
    log_deliveries()


class Replayed(dg.Config):
    """Which rows of the quarantine to judge anew; empty is any."""

    table: str = Field(default="", description="Rows that this table refused, such as silver.titles")
    delivery_date: str = Field(default="", description="Rows of this delivery date, as YYYY-MM-DD")
    rule: str = Field(default="", description="Rows that break this rule")


@dg.op(description="Have the deliveries of the selected rows taken up again.")
def reopen_deliveries(context: dg.OpExecutionContext, config: Replayed, lake: Lake) -> None:
    from netflix_dagster.deliveries import quarantine

    chosen = quarantine.Selection(config.table or None, config.delivery_date or None, config.rule or None)
    try:
        reopened = quarantine.reopen(lake.settings.lake, chosen)
    except quarantine.SelectionError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    for (feed, day), rows in reopened.items():
        context.log.info(f"{feed} of {day} is taken up again, for {rows} rows or files in the quarantine")
    if not reopened:
        context.log.info(f"nothing in the quarantine matches {chosen}; nothing was done")


@dg.job(
    description="Judge refused rows anew, after a rule, an alias or a file was mended; the landing sensor builds their"
    " deliveries again.",
    executor_def=dg.in_process_executor,
)
def replay_quarantine() -> None:
    reopen_deliveries()


@dg.job(
    description="Take in one delivery as it is, although a rule holds it back; the landing sensor builds it again.",
    executor_def=dg.in_process_executor,
)
def accept_delivery() -> None:
    decide()


by_hand = (accept_delivery, withdraw_delivery, list_deliveries, replay_quarantine)
"""Jobs that a person starts, to look at deliveries and to decide about them."""
