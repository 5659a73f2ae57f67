"""``contracts``: what is promised of the tables, for people and other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from netflix_dagster.cli.options import LakeOption, declared, err, settings_of
from netflix_dagster.cli.trouble import Failed, WrongCall, told, writing

group = typer.Typer(no_args_is_help=True, help="What is promised of the tables, for people and for other tools.")


@group.command()
def dictionary(
    to: Annotated[Path | None, typer.Option(help="The file to write; stdout without it.")] = None,
) -> None:
    """The data dictionary: every table with its meaning, grain, key, columns and rules, as Markdown."""
    with told(err):
        settings = settings_of(None, None)
        from netflix_dagster.serving.dictionary import render

        text = render(declared(settings))
        if to is None:
            typer.echo(text, nl=False)
        else:
            with writing("the data dictionary", to):
                to.write_text(text, encoding="utf-8", newline="\n")
            err.print(f"wrote {to}", markup=False, soft_wrap=True)


@group.command()
def export(
    to: Annotated[Path, typer.Option(help="The folder for <layer>.<name>.odcs.yaml.")],
    tables: Annotated[list[str] | None, typer.Argument(help="Names such as gold.dim_title; all without them.")] = None,
    lake: LakeOption = None,
    azure: Annotated[
        str, typer.Option(help="The lake in Azure Data Lake Storage.")
    ] = "abfss://{zone}@account.dfs.core.windows.net",
) -> None:
    """Every contract as a document of the Open Data Contract Standard (ODCS 3.2)."""
    with told(err, doing="writing the contracts"):
        settings = settings_of(None, lake)
        from netflix_dagster.serving.odcs import export as export_contracts

        try:
            with writing("the folder", to):
                written = export_contracts(tables or [], to, declared(settings), settings.lake, azure)
        except LookupError as error:
            raise WrongCall(str(error.args[0])) from error
    from netflix_dagster.cli.output import plural

    err.print(f"{plural(len(written), 'contract')} in {to}", markup=False, soft_wrap=True)


class Dialect(StrEnum):
    """Where views of the metrics are to be made."""

    duckdb = "duckdb"
    tsql = "tsql"
    databricks = "databricks"


@group.command("metrics")
def export_metrics(
    to: Annotated[Path, typer.Option(help="The folder for netflix.ossie.yaml.")],
) -> None:
    """Every metric, as a semantic model of Apache Ossie (Open Semantic Interchange)."""
    with told(err, doing="writing the metrics"):
        declared(settings_of(None, None))
        from netflix_dagster.serving import ossie

        with writing("the folder", to):
            path = ossie.export(to)
    err.print(f"wrote {path}", markup=False, soft_wrap=True)


@group.command()
def views(dialect: Annotated[Dialect, typer.Option(help="tsql is Synapse's.")] = Dialect.tsql) -> None:
    """SQL that makes a view metrics.<name> of every metric over the gold tables."""
    with told(err):
        declared(settings_of(None, None))
        from netflix_dagster.contracts.metrics import METRICS
        from netflix_dagster.serving.metric_sql import view

        try:
            said = [view(metric, dialect.value) for metric in METRICS.values()]
        except ModuleNotFoundError as error:
            raise Failed(f"{error.name} is not installed: pip install 'netflix-dagster[dialects]'") from error
        end = ";\nGO\n\n" if dialect is Dialect.tsql else ";\n\n"
        typer.echo("".join(f"{statement}{end}" for statement in said), nl=False)


@group.command()
def unity(
    catalog: Annotated[str, typer.Option(help="The catalog of Unity Catalog; its schemas are the layers.")],
    lake: LakeOption = None,
) -> None:
    """SQL that makes Unity Catalog show every table where it lies, with what it and its columns mean."""
    with told(err):
        settings = settings_of(None, lake)
        from netflix_dagster.serving.unity import statements

        declared(settings)
        typer.echo("".join(f"{statement};\n\n" for statement in statements(catalog, settings.lake)), nl=False)
