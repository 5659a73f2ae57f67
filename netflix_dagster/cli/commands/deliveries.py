"""``deliveries`` and ``accept``: what became of the deliveries, and what a person decides."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from netflix_dagster.cli.options import JsonOption, LakeOption, LandingOption, declared, err, settings_of
from netflix_dagster.cli.trouble import WrongCall, told

app = typer.Typer()
group = typer.Typer(no_args_is_help=True, help="What has become of every delivery, and how one is taken away.")
app.add_typer(group, name="deliveries")


class State(StrEnum):
    """What a delivery can be."""

    landed = "landed"
    refused = "refused"
    accepted = "accepted"
    held = "held"
    standing = "standing"
    superseded = "superseded"
    withdrawn = "withdrawn"


@group.command("list")
def list_deliveries(
    source: Annotated[str | None, typer.Option(help="Only the deliveries of this source.")] = None,
    feed: Annotated[str | None, typer.Option(help="Only the deliveries of this feed.")] = None,
    status: Annotated[State | None, typer.Option(help="Only those that are this now.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every delivery: what it is, since when, and why. Oldest first."""
    with told(err, as_json, doing="reading the deliveries"):
        settings = settings_of(None, lake)
        from netflix_dagster.cli.deliveries import every, print_every
        from netflix_dagster.cli.output import print_json

        rows = every(settings, source=source, feed=feed, status=status.value if status else None)
    if as_json:
        print_json({"deliveries": rows})
    else:
        print_every(rows)


SourceArgument = Annotated[str, typer.Argument(help="The source that delivered it, see sources.yaml.")]
DateArgument = Annotated[str, typer.Argument(help="Its delivery date, as YYYY-MM-DD.")]


@group.command("show")
def show_delivery(
    source: SourceArgument,
    date: DateArgument,
    landing: LandingOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One delivery: every attempt at it, what people decided, the builds of its date, what is still due."""
    with told(err, as_json, doing="reading the deliveries"):
        settings = settings_of(landing, lake)
        from netflix_dagster.cli.deliveries import one, print_one
        from netflix_dagster.cli.output import print_json

        found = one(settings, source, date)
    if as_json:
        print_json(found)
    else:
        print_one(found, Console(highlight=False))


@group.command("withdraw")
def withdraw_delivery(
    source: SourceArgument,
    date: DateArgument,
    because: Annotated[str, typer.Option(help="Why it is taken away; kept with the decision in quality.deliveries.")],
    landing: LandingOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take one delivery away: the next build removes its rows from every table."""
    with told(err, as_json, doing=f"deciding about {source} {date}"):
        settings = settings_of(landing, lake)
        from netflix_dagster.cli.deliveries import print_withdrawn, withdraw
        from netflix_dagster.cli.output import print_json

        found = withdraw(settings, source, date, because)
    if as_json:
        print_json(found)
    else:
        print_withdrawn(found, err)


@app.command()
def accept(
    feed: Annotated[str, typer.Argument(help="The feed, such as catalogue, or one source of it.")],
    delivery: Annotated[str, typer.Argument(help="Its delivery date, as YYYY-MM-DD.")],
    because: Annotated[str, typer.Option(help="Why it is right; kept with the decision in quality.deliveries.")],
    landing: LandingOption = None,
    lake: LakeOption = None,
) -> None:
    """Take in one delivery as it is, although it lacks more than the contract allows. Only a person can know."""
    with told(err, doing=f"deciding about {feed} {delivery}"):
        settings = settings_of(landing, lake)
        declared(settings)
        from netflix_dagster.cli.deliveries import print_accepted
        from netflix_dagster.deliveries import decisions
        from netflix_dagster.deliveries.life import Life

        try:
            attempts = decisions.to_accept(Life.read(settings.lake), feed, delivery)
            decisions.accept(settings.lake, feed, delivery, because)
        except decisions.DecisionError as error:
            raise WrongCall(str(error)) from error
    print_accepted(attempts, err)
