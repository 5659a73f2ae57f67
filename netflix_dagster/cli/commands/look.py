"""``query``, ``sql`` and ``dashboard``: what the lake holds."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
from typing import Annotated

import typer

from netflix_dagster.cli.options import AsOfOption, LakeOption, declared, err, settings_of
from netflix_dagster.cli.trouble import WrongCall, told, writing

app = typer.Typer()


class Format(StrEnum):
    """How a query's answer is printed."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='For example "SELECT * FROM gold.dim_title LIMIT 5".')],
    output: Annotated[Format, typer.Option("--format", help="How the answer is printed.")] = Format.table,
    as_of: AsOfOption = None,
    lake: LakeOption = None,
) -> None:
    """SQL over bronze, silver, gold and quality (quarantine), by the names of the tables, and over metrics."""
    with told(err, doing="asking the tables"):
        settings = settings_of(None, lake)
        from netflix_dagster.cli.output import print_answer
        from netflix_dagster.lake.query import QueryError
        from netflix_dagster.lake.query import query as ask
        from netflix_dagster.serving.warehouse import asked_for

        try:
            answer = ask(settings.lake, sql, as_of.replace(tzinfo=UTC) if as_of else None, asked_for(sql))
        except QueryError as error:
            raise WrongCall(str(error)) from error
    print_answer(answer, output.value)


@app.command()
def sql(
    output: Annotated[Format, typer.Option("--format", help="How answers are printed.")] = Format.table,
    as_of: AsOfOption = None,
    lake: LakeOption = None,
) -> None:
    """A shell for SQL over the tables and the metrics, with completion and history; reads stdin if it is piped."""
    with told(err):
        settings = settings_of(None, lake)
        declared(settings)
        from netflix_dagster.cli.sql_shell import shell

        wrong = shell(settings, as_of.replace(tzinfo=UTC) if as_of else None, output.value, err)
    raise typer.Exit(2 if wrong else 0)


@app.command()
def dashboard(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    lake: LakeOption = None,
) -> None:
    """Make the dashboard anew from the lake as it is, and say where it is."""
    with told(err, doing="making the dashboard", stopped="the dashboard before it stays"):
        settings = settings_of(None, lake)
        sources = declared(settings)
        from dagster import DagsterInstance

        from netflix_dagster.cli.run import at_home
        from netflix_dagster.defs.dashboard import seconds_of_tables
        from netflix_dagster.serving.dashboard import build, places

        with writing("the dashboard", places(settings)[0]):
            at_home(settings)
            with DagsterInstance.get() as instance:
                made = build(settings.lake, sources, places(settings), seconds_of_tables(instance))
    typer.echo(made.site.index)
    if open_it:
        typer.launch(str(made.site.index))
