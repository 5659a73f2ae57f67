"""``doctor``, ``verify``, ``jars`` and ``home``: what is there, what is missing, does it work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from netflix_dagster.cli.options import JsonOption, LakeOption, LandingOption, err, settings_of
from netflix_dagster.cli.trouble import Failed, told, writing

app = typer.Typer()


@app.command()
def doctor(landing: LandingOption = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """What is configured, what is missing, and how to mend it."""
    with told(err, as_json, doing="looking around"):
        settings = settings_of(landing, lake)
        from netflix_dagster.cli.doctor import diagnose, print_findings
        from netflix_dagster.cli.output import print_json

        findings = diagnose(settings)
    if as_json:
        print_json({"findings": findings})
    else:
        print_findings(findings, Console(highlight=False))
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 1)


@app.command()
def verify(
    target: Annotated[str, typer.Argument(help="storage, events, vault, telemetry, databricks, unity; platform: all.")],
    to: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("data/verify"),
    wait: Annotated[float, typer.Option(min=1, help="Seconds that an event or a trace may take to arrive.")] = 300,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is tried.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try the platform on the real thing, step by step: what works, what is missing, and the command that grants it."""
    with told(err, as_json):
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.verify import verify

        said = verify(settings_of(None, None), target, to, wait, yes, err)
    if as_json:
        print_json(said)
    raise typer.Exit(0 if said["ok"] else 1)


@app.command()
def jars() -> None:
    """Fetch what Apache Spark needs besides itself, once: Delta, and the driver of Azure's storage."""
    with told(err, doing="fetching jars"):
        folder = settings_of(None, None).spark_jars
        from netflix_dagster.engine.jars import JarsError, fetch

        err.print(f"fetching the jars of Apache Spark into {folder} ...", markup=False, soft_wrap=True)
        try:
            with writing("the folder of the jars", folder):
                fetched = fetch(folder)
        except JarsError as error:
            raise Failed(str(error)) from error
    err.print(f"{len(fetched)} jars in {folder}", markup=False, soft_wrap=True)
    from netflix_dagster.cli import hints

    err.print(f"next   {hints.me()} run --engine spark")


@app.command()
def home(lake: LakeOption = None) -> None:
    """Make Dagster's home for the lake, if it is not there yet, and print its path (DAGSTER_HOME)."""
    from netflix_dagster.cli.alone import clear_up
    from netflix_dagster.cli.home import ensure_home

    with told(err):
        settings = settings_of(None, lake)
        made = ensure_home(settings)
        clear_up(made, settings.lake, err)
        typer.echo(made)
