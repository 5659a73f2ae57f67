"""The console script ``netflix-dagster``. With ``--json`` one JSON document goes to stdout, the rest to stderr.

Exit codes: 0 all is well, 3 the work is done but a delivery is held back, 1 something failed, 2 a wrong call.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from netflix_dagster.settings import Settings, get_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
err = Console(stderr=True, highlight=False)

LandingOption = Annotated[Path | None, typer.Option(help="Folder of <source>/<delivery date>/<file>.")]
LakeOption = Annotated[Path | None, typer.Option(help="Folder of <layer>/<table>.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


class Format(StrEnum):
    """How a query's answer is printed."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
def run(
    landing: LandingOption = None,
    lake: LakeOption = None,
    source: Annotated[str | None, typer.Option(help="Only the deliveries of this source.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build what has arrived and is not built yet, from landing to gold, through Dagster."""
    settings = _settings(landing, lake)
    from netflix_dagster.cli.run import run_pending
    from netflix_dagster.cli.summary import print_summary

    summary = run_pending(settings, source, err)
    if as_json:
        _print_json(summary)
    else:
        print_summary(summary, Console(highlight=False))
    raise typer.Exit(summary["exit_code"])


@app.command()
def land(
    file: Annotated[Path, typer.Argument(help="The delivered file.")],
    source: Annotated[str, typer.Option(help="The source that it belongs to, see sources.yaml.")],
    date: Annotated[str | None, typer.Option(help="Delivery date, YYYY-MM-DD; today by default.")] = None,
    landing: LandingOption = None,
) -> None:
    """Put a file into the landing folder as a delivery of a source."""
    settings = _settings(landing, None)
    from netflix_dagster.landing.deliveries import land as land_file
    from netflix_dagster.landing.sources import load_sources

    known = load_sources(settings.sources).sources
    if source not in known:
        _fail(f"there is no source {source!r}; the sources are {', '.join(known)}")
    try:
        landed = land_file(settings.landing, file, known[source], date or datetime.now(UTC).date().isoformat())
    except (OSError, ValueError) as error:
        _fail(str(error))
    err.print(f"landed {landed}\nnow: [bold]netflix-dagster run[/bold], or let the sensor of `make dev` take it up")


@app.command()
def sample(folder: Annotated[Path, typer.Argument(help="The landing folder to fill.")]) -> None:
    """Write small sample deliveries, invented, with every kind of dirt that real ones have."""
    from netflix_dagster.landing.sample import write_sample

    written = write_sample(folder.expanduser().absolute())
    err.print(f"{len(written)} sample files in {folder}")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='For example "SELECT * FROM gold.dim_title LIMIT 5".')],
    output: Annotated[Format, typer.Option("--format", help="How the answer is printed.")] = Format.table,
    lake: LakeOption = None,
) -> None:
    """SQL over bronze, silver, gold and quality (quarantine), by the names of the tables."""
    settings = _settings(None, lake)
    from netflix_dagster.cli.output import print_table
    from netflix_dagster.lake.query import QueryError
    from netflix_dagster.lake.query import query as ask

    try:
        answer = ask(settings.lake, sql)
    except QueryError as error:
        _fail(str(error))
    print_table(answer, output.value)


@app.command()
def doctor(landing: LandingOption = None, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """What is configured, what is missing, and how to mend it."""
    settings = _settings(landing, lake)
    from netflix_dagster.cli.doctor import diagnose, print_findings

    findings = diagnose(settings)
    if as_json:
        _print_json({"findings": findings})
    else:
        print_findings(findings, Console(highlight=False))
    raise typer.Exit(0 if all(finding["ok"] for finding in findings) else 1)


@app.command()
def home(lake: LakeOption = None) -> None:
    """Make Dagster's home for the lake, if it is not there yet, and print its path (DAGSTER_HOME)."""
    from netflix_dagster.cli.home import ensure_home

    typer.echo(ensure_home(_settings(None, lake)))


def _settings(landing: Path | None, lake: Path | None) -> Settings:
    """The settings with the options of the command, also for everything this process starts."""
    settings = get_settings()
    chosen = {
        name: path.expanduser().absolute() for name, path in (("landing", landing), ("lake", lake)) if path is not None
    }
    os.environ.update(settings.model_copy(update=chosen).as_environment())
    get_settings.cache_clear()
    return get_settings()


def _print_json(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, indent=2, default=str, ensure_ascii=False)
    sys.stdout.write("\n")


def _fail(message: str) -> None:
    err.print(f"[red]{message}[/red]", markup=True)
    raise typer.Exit(2)
