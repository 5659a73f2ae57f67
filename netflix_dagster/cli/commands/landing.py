"""``land``, ``fetch``, ``sample`` and ``profile``: what comes into the landing folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from netflix_dagster.cli.options import JsonOption, LakeOption, LandingOption, declared, err, place, settings_of
from netflix_dagster.cli.trouble import WrongCall, told, writing
from netflix_dagster.storage import is_local

app = typer.Typer()


@app.command()
def land(
    file: Annotated[Path, typer.Argument(help="The delivered file.")],
    source: Annotated[str, typer.Option(help="The source that it belongs to, see sources.yaml.")],
    date: Annotated[
        str | None,
        typer.Option(
            help="Delivery date, YYYY-MM-DD, or YYYY-MM-DDTHH of a feed by the hour; now, in UTC, by default."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove the other files of that delivery: this one takes their place.")
    ] = False,
    landing: LandingOption = None,
    lake: LakeOption = None,
) -> None:
    """Put a file into the landing folder as a delivery of a source, and say whether the door will take it."""
    with told(err, doing=f"landing {file.name}", stopped="a file lands whole or not at all"):
        settings = settings_of(landing, lake)
        from netflix_dagster.cli.land import land as land_file
        from netflix_dagster.cli.land import print_landed
        from netflix_dagster.landing import keys
        from netflix_dagster.landing.sources import load_sources

        known = load_sources(settings.sources).sources
        if source not in known:
            raise WrongCall(f"there is no source {source!r}; the sources are {', '.join(known)}")
        if not file.is_file():
            raise WrongCall(f"{file} is not a file" if file.exists() else f"there is no file {file}")
        day = date or keys.at(datetime.now(UTC), known[source].every)
        declared(settings)
        landed = land_file(settings, file, known[source], day, replace)
    print_landed(landed, settings, err)
    raise typer.Exit(3 if landed.refused else 0)


@app.command()
def fetch(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources with an origin in sources.yaml; all of them without names.")
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Every commit of a file in git, or the rows of each day of a table with a cursor, as deliveries.",
        ),
    ] = False,
    landing: LandingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Get what is new at the origins of sources (HTTP, GitHub, a database, another storage) into the landing folder."""
    with told(err, as_json, stopped="what has landed is whole and stays, what has come of the rest is kept aside"):
        settings = settings_of(landing, None)
        from netflix_dagster.cli.fetch import fetch as fetch_all
        from netflix_dagster.cli.output import print_json

        done = fetch_all(settings, sources or [], history, err)
    if as_json:
        print_json(done)
    raise typer.Exit(done["exit_code"])


@app.command()
def sample(
    folder: Annotated[str, typer.Argument(help="The landing folder to fill: a path or an abfss:// URL.")],
    garbage: Annotated[
        bool,
        typer.Option(
            "--garbage", help="Also three files that hold no data (two web pages, a null), to see them refused."
        ),
    ] = False,
    events: Annotated[
        int, typer.Option("--events", min=0, metavar="HOURS", help="Also viewing events, one delivery an hour.")
    ] = 0,
    files: Annotated[
        int, typer.Option("--files", min=1, help="In so many files an hour, of about 20 events each.")
    ] = 1_000,
    seed: Annotated[int, typer.Option("--seed", help="Of the events: the same seed makes the same bytes.")] = 20260301,
) -> None:
    """Write small sample deliveries, invented, with every kind of dirt that real ones have."""
    from netflix_dagster.sample import write_events, write_sample

    with told(err, doing="writing the sample"):
        landing = place(folder)
        if not is_local(landing):
            settings_of(None, None)
        with writing("the landing folder", landing):
            written = len(write_sample(landing, garbage))
            written += write_events(landing, events, files, seed)
    err.print(f"{written} sample files in {landing}", markup=False, soft_wrap=True)


@app.command()
def profile(
    file: Annotated[Path, typer.Argument(help="A csv, tsv or xlsx file, whatever its encoding and delimiter.")],
    megabytes: Annotated[int, typer.Option(min=1, help="How much of a longer text file is looked at.")] = 64,
    as_json: JsonOption = False,
) -> None:
    """What an unknown file holds, what is odd about it, and the sources.yaml entry and expectations for it."""
    with told(err, as_json, doing=f"looking at {file.name}"):
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.profile import as_document, print_profile, profile_file

        found = profile_file(file, settings_of(None, None), megabytes)
    if as_json:
        print_json(as_document(found))
    else:
        print_profile(found)
