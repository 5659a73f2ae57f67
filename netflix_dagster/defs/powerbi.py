"""Power BI behind gold: the semantic model as an asset that is refreshed, and the report that shows it.

dagster-powerbi says what they look like in the lineage. Its own refresh polls whichever refresh is the newest, takes
five minutes to see that one was cancelled, and keeps its first token for ever, so the refresh is ours
(``serving.powerbi.service``). The specs are made of what is committed: loading the code asks nobody.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from netflix_dagster.defs.assets import FOLLOWS
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.resources import Lake
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from netflix_dagster.serving.powerbi.service import Workspace

GROUP = "powerbi"
MODEL, REPORT = dg.AssetKey([GROUP, "model"]), dg.AssetKey([GROUP, "report"])
CONTENTS, WORKSPACE = "contents", "workspace"
"""The metadata with what the model was loaded with, and where."""


class Wanted(dg.Config):
    """What a refresh is to load."""

    everything: bool = Field(False, description="All tables and years, as for a model that was made anew")


class PowerBI(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A workspace of Power BI, opened as this process's identity."""

    workspace: str = Field(description="Its id")

    def opened(self) -> "Workspace":
        """The client."""
        from netflix_dagster.serving.powerbi import service

        return service.opened(self.workspace)


def powerbi_definitions(settings: Settings) -> dg.Definitions:
    """Model, report, job and schedule; nothing unless the settings name a workspace."""
    if settings.powerbi_workspace is None:
        return dg.Definitions()
    model, report = _specs(settings.powerbi_workspace)

    @dg.multi_asset(name="powerbi_model", specs=[model])
    def powerbi_model(
        context: dg.AssetExecutionContext, config: Wanted, lake: Lake, powerbi: PowerBI
    ) -> dg.MaterializeResult[Any]:
        return refreshed(context, config, lake, powerbi)

    job = dg.define_asset_job(
        "refresh_powerbi",
        selection=[MODEL],
        description="The semantic model of Power BI, as far as gold differs from what it was loaded with.",
        executor_def=dg.in_process_executor,
    )
    schedule = dg.ScheduleDefinition(
        name="refresh_powerbi_daily",
        job=job,
        cron_schedule="0 6 * * *",
        execution_timezone="UTC",
        description="At six: what refreshes after deliveries have missed. It does nothing when there is nothing.",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(
        assets=[powerbi_model, report],
        jobs=[job],
        schedules=[schedule],
        resources={"powerbi": PowerBI(workspace=settings.powerbi_workspace)},
    )


def refreshed(
    context: dg.AssetExecutionContext, config: Wanted, lake: Lake, powerbi: PowerBI
) -> dg.MaterializeResult[Any]:
    """Load what differs between gold and the model. Raises ``dg.Failure`` with what Power BI says."""
    from netflix_dagster.serving.powerbi import model, touched
    from netflix_dagster.serving.powerbi.service import NotCompleted, PowerBIError

    began, now = time.monotonic(), touched.contents(lake.settings.lake)
    loads = touched.plan(None if config.everything else _loaded_before(context, powerbi.workspace), now)
    done = []
    if loads:
        workspace = powerbi.opened()
        workspace.told = context.log.info
        try:
            model_id = workspace.model_id(model.NAME)
            for load in loads:
                done.append(workspace.refresh(model_id, load.as_json()))
        except PowerBIError as error:
            state = {"state": error.state} if isinstance(error, NotCompleted) else {}
            # somebody's decision is not undone by a retry
            raise dg.Failure(str(error), metadata=state, allow_retries=state.get("state") != "Cancelled") from error
    objects = [f"{table} {year or ''}".strip() for load in loads for table, year in load.objects]
    return dg.MaterializeResult(
        asset_key=MODEL,
        metadata={
            CONTENTS: dg.MetadataValue.json(now),
            WORKSPACE: powerbi.workspace,
            "refreshes": [one.request_id for one in done],
            "loaded": ", ".join(objects) or "nothing: the model has what gold has",
            "waited_for": ", ".join(other for one in done for other in one.waited) or "nobody",
            "seconds": round(time.monotonic() - began, 3),
        },
    )


def _loaded_before(context: dg.AssetExecutionContext, workspace: str) -> Mapping[str, Mapping[str, str]] | None:
    """What the model in this workspace was loaded with; None: nothing that is known."""
    event = context.instance.get_latest_materialization_event(MODEL)
    said = event.asset_materialization.metadata if event and event.asset_materialization else {}
    contents, where = said.get(CONTENTS), said.get(WORKSPACE)
    if where is None or where.value != workspace or not isinstance(contents, dg.JsonMetadataValue):
        return None
    return contents.value  # type: ignore[return-value]


def _specs(workspace: str) -> tuple[dg.AssetSpec, dg.AssetSpec]:
    """Model and report as dagster-powerbi shows them, under our keys and behind the tables of gold."""
    from dagster_powerbi import DagsterPowerBITranslator
    from dagster_powerbi.translator import (
        PowerBIContentData,
        PowerBIContentType,
        PowerBITranslatorData,
        PowerBIWorkspaceData,
    )

    from netflix_dagster.serving.powerbi import model

    url = f"https://app.powerbi.com/groups/{workspace}/list"
    kinds = {"SemanticModel": PowerBIContentType.SEMANTIC_MODEL, "Report": PowerBIContentType.REPORT}
    content = {
        item: PowerBIContentData(
            content_type=kind,
            properties={
                "id": model.tag("item", item),
                "name": model.NAME,
                "webUrl": url,
                "datasetId": model.tag("item", "SemanticModel"),
                "tables": [
                    {
                        "name": table.name,
                        "columns": [{"name": column.of.name, "dataType": column.type} for column in table.columns],
                    }
                    for table in model.tables()
                ],
            },
        )
        for item, kind in kinds.items()
    }
    whole = PowerBIWorkspaceData.from_content_data(workspace, list(content.values()))
    translator = DagsterPowerBITranslator()
    shown = {}
    for item, one in content.items():  # no comprehension: the record looks for its types in the frame that makes it
        shown[item] = translator.get_asset_spec(PowerBITranslatorData(content_data=one, workspace_data=whole))
    owners = ["team:platform"]
    gold = [asset_key(table.contract.name) for table in model.tables()]
    return (
        shown["SemanticModel"].replace_attributes(
            key=MODEL,
            deps=gold,
            group_name=GROUP,
            owners=owners,
            automation_condition=FOLLOWS,
            description="Gold and the metrics as a semantic model of Power BI. See docs/powerbi.md.",
        ),
        shown["Report"].replace_attributes(
            key=REPORT,
            deps=[MODEL],
            group_name=GROUP,
            owners=owners,
            description="The dashboard's pages as a report of Power BI. See docs/powerbi.md.",
        ),
    )
