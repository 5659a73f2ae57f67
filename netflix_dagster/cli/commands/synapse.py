"""``synapse``: gold and metrics in Synapse."""

from __future__ import annotations

import typer
from rich.console import Console

from netflix_dagster.cli.options import JsonOption, LakeOption, err, settings_of
from netflix_dagster.cli.trouble import told

group = typer.Typer(no_args_is_help=True, help="Gold and metrics in Synapse, from the scripts of infra/synapse.")


@group.command("plan")
def plan_synapse(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """What `synapse apply` would do; it only reads."""
    _synapse(lake, as_json, do=False)


@group.command("apply")
def apply_synapse(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Bring the database of the serverless pool up to the scripts."""
    _synapse(lake, as_json, do=True)


def _synapse(lake: str | None, as_json: bool, do: bool) -> None:
    with told(err, as_json, doing="asking Synapse"):
        settings = settings_of(None, lake)
        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.synapse import as_document, asked, print_plan
        from netflix_dagster.serving.synapse.applying import apply, plan

        with asked():
            found = apply(settings) if do else plan(settings)
    if as_json:
        print_json(as_document(found))
    else:
        print_plan(found, Console(highlight=False))


@group.command("load")
def load_synapse(lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Load what has changed of gold into the dedicated pool, if the settings name one."""
    with told(err, as_json, doing="loading the pool"):
        settings = settings_of(None, lake)
        from dataclasses import asdict

        from netflix_dagster.cli.output import print_json
        from netflix_dagster.cli.synapse import asked, print_loaded
        from netflix_dagster.serving.synapse.pool import load

        with asked():
            loaded = list(load(settings))
    if as_json:
        print_json({"loaded": [asdict(table) for table in loaded]})
    else:
        print_loaded(loaded, Console(highlight=False))
