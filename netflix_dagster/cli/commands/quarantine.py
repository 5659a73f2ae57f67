"""``quarantine``: the rows and files that were refused."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from netflix_dagster.cli.options import JsonOption, LakeOption, LandingOption, err, settings_of
from netflix_dagster.cli.trouble import told

group = typer.Typer(no_args_is_help=True, help="The rows and files that were refused: why, and how they pass.")


TableOption = Annotated[str | None, typer.Option("--table", help="The table that refused it, such as silver.titles.")]
DeliveryOption = Annotated[str | None, typer.Option("--delivery", help="Its delivery date, as YYYY-MM-DD.")]
RuleOption = Annotated[str | None, typer.Option("--rule", help="A rule that it breaks.")]


@group.command("list")
def list_refused(
    table: TableOption = None,
    delivery: DeliveryOption = None,
    rule: RuleOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What lies in the quarantine, numbered, oldest delivery first."""
    with told(err, as_json, doing="reading the quarantine"):
        settings = settings_of(None, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.quarantine import print_rows, select

        selection, rows = select(settings, table=table, delivery=delivery, rule=rule)
    if as_json:
        print_json({"rows": rows})
    else:
        print_rows(rows, selection)


@group.command("show")
def show_refused(
    number: Annotated[int | None, typer.Argument(help="Its number in `quarantine list`.")] = None,
    table: TableOption = None,
    delivery: DeliveryOption = None,
    record: Annotated[int | None, typer.Option(help="Its record number in the file.")] = None,
    file: Annotated[str | None, typer.Option(help="The name of the file.")] = None,
    landing: LandingOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything about one refused row: as delivered, what is wrong with it, where that is said, how to mend it."""
    with told(err, as_json, doing="reading the quarantine"):
        settings = settings_of(landing, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.quarantine import explain, print_explained

        rows = explain(settings, number, table=table, delivery=delivery, record=record, file=file)
    if as_json:
        print_json({"rows": rows})
    else:
        print_explained(rows, settings.landing, Console(highlight=False))


@group.command()
def replay(
    table: TableOption = None,
    delivery: DeliveryOption = None,
    rule: RuleOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be built again.")] = False,
    landing: LandingOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge refused rows anew, after the file, its alias in sources.yaml or the rule was mended."""
    with told(err, as_json, stopped="what is built stays"):
        settings = settings_of(landing, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.progress import real_stderr
        from netflix_dagster.cli.quarantine import print_replay
        from netflix_dagster.cli.quarantine import replay as judge_anew

        found = judge_anew(settings, dry_run, real_stderr(), table=table, delivery=delivery, rule=rule)
    if as_json:
        print_json(found)
    else:
        print_replay(found, Console(highlight=False))
    raise typer.Exit(found["exit_code"])
