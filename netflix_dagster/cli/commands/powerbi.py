"""``powerbi`` and ``contracts powerbi``: the project of Power BI, and a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from netflix_dagster.cli.commands.contracts import group as contracts
from netflix_dagster.cli.options import LakeOption, declared, err, settings_of
from netflix_dagster.cli.progress import working
from netflix_dagster.cli.trouble import Failed, WrongCall, told, writing
from netflix_dagster.settings import Settings

group = typer.Typer(no_args_is_help=True, help="Model and report of Power BI, in a workspace.")


class PowerBISource(StrEnum):
    """Where a model of Power BI loads its tables from."""

    synapse = "synapse"
    databricks = "databricks"
    warehouse = "warehouse"


WorkspaceOption = Annotated[str | None, typer.Option(help="Its id, instead of NETFLIX_POWERBI_WORKSPACE.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter of the source, as Server=name.sql...; repeatable.")
]


@contracts.command("powerbi")
def export_powerbi(
    to: Annotated[Path, typer.Option(help="The folder for Netflix.pbip, the model and the report.")],
    source: Annotated[PowerBISource, typer.Option(help="What the tables are loaded from.")] = PowerBISource.synapse,
    given: SetOption = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the pages of the report into this SVG.")] = None,
) -> None:
    """The semantic model and the report of Power BI, as a project of files that are the same at every call."""
    with told(err, doing="writing the project"):
        declared(settings_of(None, None))
        with _of_powerbi():
            from netflix_dagster.serving.powerbi import picture as pictures
            from netflix_dagster.serving.powerbi import project

            with writing("the project", to):
                written = project.export(to, source.value, _parameters(given))
            if picture is not None:
                with writing("the picture", picture):
                    picture.write_text(pictures.svg(), encoding="utf-8", newline="\n")
    from netflix_dagster.cli.output import plural

    err.print(f"{plural(len(written), 'file')} in {to}", markup=False, soft_wrap=True)


@group.command("deploy")
def deploy_powerbi(
    workspace: WorkspaceOption = None,
    source: Annotated[PowerBISource, typer.Option(help="What the tables are loaded from.")] = PowerBISource.synapse,
    given: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deployed; asks nobody.")] = False,
) -> None:
    """Put the model and the report into a workspace, as this machine's identity. No data is loaded by it."""
    with told(err):
        settings = settings_of(None, None)
        declared(settings)
        there = _named(workspace, settings, "; nothing was deployed")
        with _of_powerbi():
            from netflix_dagster.serving.powerbi import deploy

            planned = deploy.plan(source.value, _parameters(given))
            for item, files in planned.items.items():
                typer.echo(f"{item}: {files} files")
            for name, value in planned.parameters.items():
                typer.echo(f"{name} = {value}")
            if dry_run:
                err.print(f"nothing was deployed to {there}", markup=False, soft_wrap=True)
                return
            from netflix_dagster.azure.identity import IdentityError, credential
            from netflix_dagster.azure.redaction import redact

            try:
                with working("deploying", err):
                    deploy.deploy(there, planned, credential())
            except IdentityError as error:
                raise Failed(str(error)) from error
            except Exception as error:
                if type(error).__module__.split(".")[0] not in ("fabric_cicd", "azure", "requests"):
                    raise
                raise Failed(
                    f"the deployment to {there} failed: {redact(str(error))}. What it says is published stays, and"
                    " loads no data. Mend the reason, then run the same command again"
                ) from error
    err.print(f"deployed to {there}", markup=False, soft_wrap=True)


@group.command("verify")
def verify_powerbi(
    workspace: WorkspaceOption = None,
    lake: LakeOption = None,
) -> None:
    """Ask the workspace for every measure and compare it with the lake. It changes nothing."""
    with told(err):
        settings = settings_of(None, lake)
        declared(settings)
        there = _named(workspace, settings)
        with _of_powerbi():
            from netflix_dagster.azure.identity import IdentityError
            from netflix_dagster.serving.powerbi import service, verify

            try:
                with working("asking for every measure", err):
                    found = verify.compared(service.opened(there), settings.lake)
            except (service.PowerBIError, IdentityError) as error:
                raise Failed(str(error)) from error
        for one in found:
            typer.echo(f"{'equal  ' if one.equal else 'DIFFERS'} {one.metric}: {one.there} there, {one.here} here")
        if not all(one.equal for one in found):
            raise Failed("figures differ: refresh the model (the job refresh_powerbi), then ask again")


def _named(workspace: str | None, settings: Settings, safe: str = "") -> str:
    """The workspace of the call, or that of the settings."""
    there = workspace or settings.powerbi_workspace
    if there is None:
        raise WrongCall(f"which workspace? Say --workspace or set NETFLIX_POWERBI_WORKSPACE{safe}")
    return there


@contextmanager
def _of_powerbi() -> Iterator[None]:
    """Says in a sentence what is not installed, and which parameter is not right."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "fabric-cicd" if error.name == "fabric_cicd" else "netflix-dagster[powerbi]"
        raise Failed(f"{error.name} is not installed: pip install '{extra}'") from error
    except LookupError as error:
        raise WrongCall(str(error.args[0])) from error


def _parameters(given: list[str] | None) -> dict[str, str]:
    return dict(said.partition("=")[::2] for said in given or [])
