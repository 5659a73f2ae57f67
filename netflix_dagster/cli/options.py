"""The options that commands share, and the settings that come of them."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from netflix_dagster.cli.trouble import WrongCall
from netflix_dagster.settings import Settings, get_settings
from netflix_dagster.storage import Place, PlaceError, at

if TYPE_CHECKING:
    from netflix_dagster.landing.sources import Sources

err = Console(stderr=True, highlight=False)

LandingOption = Annotated[
    str | None, typer.Option(help="Folder of <source>/<delivery date>/<file>; a path or an abfss:// URL.")
]
LakeOption = Annotated[
    str | None,
    typer.Option(help="Folder of <layer>/<table>; a path or an abfss:// URL, container {zone} for one a layer."),
]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], help="The tables as they stood then, UTC."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def settings_of(landing: str | None, lake: str | None, engine: str | None = None) -> Settings:
    """The settings with the options of the command, also for everything this process starts."""
    try:
        settings = get_settings()
    except ValidationError as error:
        raise WrongCall("\n".join(map(_wrong, error.errors()))) from error
    chosen: dict[str, object] = {
        name: place(text) for name, text in (("landing", landing), ("lake", lake)) if text is not None
    }
    if engine is not None:
        chosen["engine"] = engine
    os.environ.update(settings.model_copy(update=chosen).as_environment())
    get_settings.cache_clear()
    from netflix_dagster.azure import access

    access.connect(get_settings())
    return get_settings()


def declared(settings: Settings) -> Sources:
    """The sources of the settings, whose tables are now declared."""
    from netflix_dagster import tables
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources)
    tables.declare(sources)
    return sources


def place(text: str) -> Place:
    try:
        return at(text)
    except PlaceError as error:
        raise WrongCall(str(error)) from error


def _wrong(error: Any) -> str:
    """One thing that is wrong with the settings; those that concern several have no name."""
    said = error["msg"].removeprefix("Value error, ")
    return f"NETFLIX_{str(error['loc'][0]).upper()}={error['input']}: {said}" if error["loc"] else said
