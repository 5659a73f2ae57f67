"""The lake whose tables are built on Databricks: all tables of a run in one job, results as they come.

The clients that ``dagster-databricks`` brings wait for the end of a job before they hand over a result, and take a
cancelled run for a successful one (``docs/decisions/0014-one-submission-a-chain.md``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.storage.tags import PARENT_RUN_ID_TAG

from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import left_out
from netflix_dagster.contracts.report import Report
from netflix_dagster.databricks.jobs import DatabricksRefused, DatabricksSettings, Job, workspace
from netflix_dagster.databricks.step import Order
from netflix_dagster.defs.resources import Lake
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place, at

if TYPE_CHECKING:
    from dagster._core.pipes.context import PipesSession

RUN_TAG = "databricks/run_id"
_MOUNTED: dict[str, tuple[str, ...]] = {"NETFLIX_LANDING": ("/Volumes/",), "NETFLIX_LAKE": ()}
"""Folders that Databricks and this machine can both have under one name. A lake is never one: on ``/Volumes`` nothing
can be renamed into place without overwriting, which a Delta commit needs, and ``/dbfs`` and ``/mnt`` are a disk of the
driver alone wherever they are not switched off."""


class LakeOnDatabricks(Lake):
    """Has tables built by a job on Databricks. Nothing is asked of Databricks before something is built."""

    def reports(self, context: dg.AssetExecutionContext, tables: Sequence[str], deliveries: Sequence[str]) -> Any:
        """Submit one job that builds the tables, and hand over each report when it comes."""
        from dagster._core.pipes.utils import open_pipes_session

        from netflix_dagster.defs.messages import OrderTo, ReportsFrom

        settings = DatabricksSettings()
        try:
            folder = _messages(settings, self) / f"{context.run_id}-{context.retry_number}"
            order = self._order(settings, tables, deliveries, context.run_id)
            client = workspace(settings)
        except (DatabricksRefused, ValueError) as refused:  # databricks-sdk: no credentials
            raise dg.Failure(str(refused), allow_retries=False) from refused
        _end_what_is_left(context, client)
        said, before = _Said(), {name: store.version(self.settings.lake, name) for name in tables}
        reader = ReportsFrom(folder)
        with open_pipes_session(context, OrderTo(folder), reader, {"order": order.as_json()}) as session:
            _may_leave_tables_out(context)
            name = f"netflix_dagster: {len(tables)} tables, {', '.join(deliveries[:3]) or 'no delivery'}"
            try:
                job = Job.submit(client, settings, _parameters(session), name, folder.name)
            except DatabricksRefused as refused:
                raise dg.Failure(str(refused), allow_retries=False) from refused
            with _cancelled_if_left(job, context):
                job.look()
                context.instance.add_run_tags(context.run_id, {RUN_TAG: str(job.run_id)})
                context.log.info(f"Databricks run {job.run_id} builds {len(tables)} tables: {job.seen.run_page_url}")
                while not job.over:
                    yield from said.news(session, job, settings)
                    time.sleep(settings.poll_seconds)
                    job.look()
        yield from said.news(session, job, settings)
        awaited = set(tables) - left_out(tables, said.blocked) - said.names
        about = job.about(settings.tags)
        if not job.succeeded:
            raise _failed(job, about, awaited)
        if awaited:
            now = {name: store.version(self.settings.lake, name) for name in awaited}
            raise _lost(job, about, {name: now[name] != before[name] for name in sorted(awaited)}, reader.trouble)

    def _order(
        self, settings: DatabricksSettings, tables: Sequence[str], deliveries: Sequence[str], run_id: str
    ) -> Order:
        here = self.settings
        for name, place in (("NETFLIX_LANDING", here.landing), ("NETFLIX_LAKE", here.lake)):
            if storage.is_local(place) and not str(place).startswith(_MOUNTED[name]):
                raise DatabricksRefused(
                    f"{place} is no {name.removeprefix('NETFLIX_').lower()} for Databricks: it cannot see that folder,"
                    " or cannot commit to it. So nothing was submitted and every table is as it was. Set"
                    f" {name} to abfss://container@account.dfs.core.windows.net/folder, or NETFLIX_COMPUTE=local"
                )
        return Order.of(tables, deliveries, run_id, here, settings.engine)


def lake_of(settings: Settings) -> Lake:
    """The lake as the settings want it built: in this process, or on Databricks."""
    return (LakeOnDatabricks if settings.compute == "databricks" else Lake).from_settings(settings)


class _Said:
    """The reports that have come, each handed over once. ``blocked`` are the whole tables that stay as they were: what
    is built from them is not awaited."""

    def __init__(self) -> None:
        self.count = 0
        self.names: set[str] = set()
        self.blocked: set[str] = set()

    def news(self, session: PipesSession, job: Job, settings: DatabricksSettings) -> Iterator[Report]:
        for message in session.get_custom_messages()[self.count :]:
            self.count += 1
            report = replace(Report.from_json(message), built_by=job.about(settings.tags))
            self.names.add(report.table)
            if report.blocked and not TABLES[report.table].judged_by_delivery:
                self.blocked.add(report.table)
            yield report


def _may_leave_tables_out(context: dg.AssetExecutionContext) -> None:
    """Let the step end without some of its outputs: of a refused delivery nothing is materialised.

    Opening Pipes forbids that, since results may have been lost; here it is ``reports`` that notices.
    """
    context.op_execution_context._step_execution_context._requires_typed_event_stream = False


@contextlib.contextmanager
def _cancelled_if_left(job: Job, context: dg.AssetExecutionContext) -> Iterator[None]:
    """Whatever makes us leave before the job has ended ends the job: nobody would hear of what it still does."""
    try:
        yield
    except BaseException:
        context.log.info(f"cancelling Databricks run {job.run_id}")
        if not job.cancel():
            context.log.error(f"Databricks run {job.run_id} has not ended yet; look at {job.seen.run_page_url}")
        raise


def _end_what_is_left(context: dg.AssetExecutionContext, client: Any) -> None:
    """Cancel the job of the run that this one repeats: when a run's process is lost its job goes on alone."""
    parent = context.run.tags.get(PARENT_RUN_ID_TAG)
    repeated = context.instance.get_run_by_id(parent) if parent else None
    if repeated and (run_id := repeated.tags.get(RUN_TAG)):
        job = Job(client, int(run_id))
        if job.look() and not job.over:
            context.log.warning(f"Databricks run {run_id} of the run before is still at work and is cancelled first")
            job.cancel()


def _messages(settings: DatabricksSettings, lake: Lake) -> Place:
    return at(settings.messages) if settings.messages else lake.settings.lake / store.STAGING / "messages"


def _parameters(session: PipesSession) -> list[str]:
    return [word for argument in session.get_bootstrap_cli_arguments().items() for word in argument]


def _failed(job: Job, about: dict[str, Any], awaited: set[str]) -> dg.Failure:
    error, trace = job.why()
    metadata = {**about, "awaited": ", ".join(sorted(awaited))}
    if trace:
        metadata["traceback"] = dg.MetadataValue.md(f"```\n{trace}\n```")
    return dg.Failure(
        f"Databricks run {job.run_id} failed: {error}. What it had reported is recorded; each table is as it was or"
        f" wholly written. Run again: {len(awaited)} tables are left ({job.seen.run_page_url}).",
        metadata=metadata,
    )


def _lost(job: Job, about: dict[str, Any], changed: dict[str, bool], trouble: Exception | None) -> dg.Failure:
    written = ", ".join(name for name, is_new in changed.items() if is_new) or "none"
    return dg.Failure(
        f"Databricks run {job.run_id} succeeded, but what it said of {', '.join(changed)} did not arrive"
        f" ({trouble or 'messages were lost'}). Written since it began: {written}. The tables are whole and right, and"
        " to build them again is safe: run again, so that Dagster hears of them.",
        metadata=about,
    )
