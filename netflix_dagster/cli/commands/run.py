"""``run`` and ``demo``: build what has arrived."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from netflix_dagster.cli.options import JsonOption, LakeOption, LandingOption, declared, err, settings_of
from netflix_dagster.cli.trouble import Failed, told, writing
from netflix_dagster.settings import get_settings

app = typer.Typer()


class Engine(StrEnum):
    """What runs the PySpark steps."""

    sail = "sail"
    spark = "spark"
    remote = "remote"


@app.command()
def run(
    landing: LandingOption = None,
    lake: LakeOption = None,
    source: Annotated[str | None, typer.Option(help="Only the deliveries of this source.")] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also take up what is held back, though its files have not changed.")
    ] = False,
    engine: Annotated[Engine | None, typer.Option(help="What builds the tables.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build what has arrived and is not built yet, from landing to gold, through Dagster."""
    with told(err, as_json, stopped="what is built stays"):
        settings = settings_of(landing, lake, engine)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.progress import real_stderr
        from netflix_dagster.cli.run import run_pending
        from netflix_dagster.cli.summary import print_summary
        from netflix_dagster.engine.sessions import missing

        if lacking := missing(settings):
            raise Failed(lacking)
        declared(settings)
        summary = run_pending(settings, source, again, real_stderr())
    if as_json:
        print_json(summary)
    else:
        print_summary(summary, Console(highlight=False))
    raise typer.Exit(summary["exit_code"])


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="A folder of its own, made if it is not there.")] = Path(
        "netflix-demo"
    ),
    ui: Annotated[bool, typer.Option("--ui", help="Then serve Dagster's UI, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Of the UI.")] = 3000,
) -> None:
    """Show the lakehouse: land the sample, build it, open its dashboard. Needs no network and no settings."""
    with told(err):
        settings = settings_of(str(folder.absolute() / "landing"), str(folder.absolute() / "lake"))
        declared(settings)
        from netflix_dagster.cli.progress import real_stderr
        from netflix_dagster.cli.run import run_pending
        from netflix_dagster.cli.summary import print_summary
        from netflix_dagster.sample import write_sample
        from netflix_dagster.serving.dashboard import places

        with writing("the landing folder", settings.landing):
            write_sample(settings.landing)
        summary = run_pending(settings, None, False, real_stderr())
    print_summary(summary, Console(highlight=False))
    if summary["exit_code"]:
        raise typer.Exit(summary["exit_code"])
    page = str(places(settings)[0] / "index.html")
    typer.echo(page)
    typer.launch(page)
    if not ui:
        err.print(f"Dagster's UI on the same tables: netflix-dagster demo {folder} --ui", markup=False, soft_wrap=True)
        return
    from netflix_dagster.cli.home import ensure_home

    os.environ["DAGSTER_HOME"] = str(ensure_home(get_settings()))
    os.execv(
        sys.executable, [sys.executable, "-m", "dagster", "dev", "-m", "netflix_dagster.definitions", "-p", str(port)]
    )
