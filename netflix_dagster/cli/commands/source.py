"""``source``: the file of the sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from netflix_dagster.cli.options import JsonOption, LakeOption, LandingOption, err, settings_of
from netflix_dagster.cli.trouble import WrongCall, told

group = typer.Typer(no_args_is_help=True, help="The sources: a new one without code, all looked over, one removed.")


@group.command("add")
def add_source(
    name: Annotated[str, typer.Argument(help="What it shall be called, such as pets.")],
    file: Annotated[
        Path | None, typer.Option(help="A csv, tsv, JSON lines, Parquet or xlsx file of it, or Debezium's envelopes.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where such a file lies; it becomes the origin of the source.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="The URL may be of a private network.")] = False,
    database: Annotated[
        str | None,
        typer.Option(
            help="A database, instead: secret://name or env://NAME that holds its URL, or the URL, which is not kept."
        ),
    ] = None,
    table: Annotated[str | None, typer.Option(help="Its table or view, schema.name.")] = None,
    cursor: Annotated[
        str | None, typer.Option(help="The column of it that grows with every new or changed row.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A column that identifies a row, if you know; repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the entry without asking.")] = False,
) -> None:
    """Look at a file or table and put an entry into sources.yaml: bronze and silver, typed, keyed, with rules."""
    with told(err):
        settings = settings_of(None, None)
        from netflix_dagster.cli import source

        given = source.Given(file, url, private, database, table, cursor, tuple(key or ()))
        found, entry = source.proposed(settings, name, given, err)
        source.tell(found, err)
        typer.echo(entry, nl=False)
        if not yes and not (sys.stdin.isatty() and typer.confirm("Write this into the file of the sources?", err=True)):
            raise WrongCall("nothing was written; say --yes to write it")
        path = source.write_entry(settings, name, entry)
    said = found.document["sources"][name]
    made = [f"bronze.{name}", f"silver.{name}"]
    made += [f"silver.{name}_{changes['keep']}"] if (changes := said["silver"].get("changes")) else []
    err.print(f"wrote {path}: {', '.join(made)}; a word about each column is for you", markup=False, soft_wrap=True)
    from netflix_dagster.cli import hints

    for variable, what in source.to_be_set(given, said.get("origin", {})).items():
        err.print(f"first  set {variable} in the environment: {what}, which is written nowhere", markup=False)
    land_it = f"land {file} --source {name}" if file else f"fetch {name}"
    err.print(f"next   {hints.me()} {land_it} && {hints.command(settings, 'run')}", markup=False, soft_wrap=True)


@group.command("check")
def check_source(
    name: Annotated[str | None, typer.Argument(help="One source; all of them without it.")] = None,
    landing: LandingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether the file of the sources can be used, what is built of each, and what lies in landing."""
    with told(err, as_json, doing="looking at the sources"):
        settings = settings_of(landing, None)
        from netflix_dagster.cli import source
        from netflix_dagster.cli.output import print_json

        findings = source.check(settings, name)
    code = 0 if all(finding["ok"] for finding in findings) else 1
    if as_json:
        print_json({"exit_code": code, "findings": findings})
    else:
        source.print_findings(findings, Console(highlight=False))
    raise typer.Exit(code)


@group.command("remove")
def remove_source(
    name: Annotated[str, typer.Argument(help="The source.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    lake: LakeOption = None,
) -> None:
    """Take a source out of sources.yaml, and say what becomes of its files, tables and history: they stay."""
    with told(err):
        settings = settings_of(None, lake)
        from netflix_dagster.cli import source

        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Take {name} out of the sources?", err=True)):
            raise WrongCall("nothing was changed; say --yes to remove it")
        for sentence in source.remove(settings, name):
            err.print(sentence, markup=False, soft_wrap=True)
