"""``verify powerbi``: the workspace answers, knows the model, and says of every measure what the lake says.

Nothing is loaded or changed: a refresh is a job of its own, and people see its figures.
"""

from __future__ import annotations

from collections.abc import Iterator

from netflix_dagster.serving.powerbi import model, service
from netflix_dagster.serving.powerbi.verify import compared
from netflix_dagster.settings import Settings
from netflix_dagster.verify import identity
from netflix_dagster.verify.steps import Grant, Step, Target, Trial

ENTER, MODEL = "enter", "model"


def lacks(settings: Settings) -> str | None:
    return None if settings.powerbi_workspace else "no workspace: set NETFLIX_POWERBI_WORKSPACE to its id"


def cost(_: Settings) -> str:
    return "one question to the model: nothing but the capacity that the workspace has"


def steps(trial: Trial) -> Iterator[Step]:
    there = _There(trial)
    yield identity.step(trial, service.SCOPE)
    yield Step(ENTER, there.enter, there.member, (identity.WHO,))
    yield Step(MODEL, there.model, there.member, (ENTER,))
    yield Step("measures", there.measures, there.member, (MODEL,))


class _There:
    """The workspace of the settings."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.workspace = service.opened(str(trial.settings.powerbi_workspace))

    def member(self) -> Grant:
        return Grant(
            "Contributor of the workspace; and the tenant lets service principals use the APIs of Power BI",
            f"az rest --method post --url {service.ROOT}/groups/{self.workspace.workspace_id}/users"
            f' --resource https://analysis.windows.net/powerbi/api --body \'{{"identifier": "{self.trial.who}",'
            ' "principalType": "App", "groupUserAccessRight": "Contributor"}\'',
        )

    def enter(self) -> str:
        return f"{len(self.workspace.members())} members of the workspace {self.workspace.workspace_id}"

    def model(self) -> str:
        return f"{model.NAME} is the semantic model {self.workspace.model_id(model.NAME)}"

    def measures(self) -> str:
        found = compared(self.workspace, self.trial.settings.lake)
        differ = [f"{one.metric} is {one.there} there and {one.here} here" for one in found if not one.equal]
        if differ:
            raise AssertionError(f"{'; '.join(differ)}: refresh the model (the job refresh_powerbi), then verify again")
        return f"{len(found)} measures say what the lake says"


TARGET = Target("powerbi", "Power BI's workspace", cost, lacks, steps)
