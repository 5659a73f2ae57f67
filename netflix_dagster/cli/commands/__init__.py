"""The commands, a module for each group. What they do is in the modules beside this folder."""

import typer

from netflix_dagster.cli.commands import (
    contracts,
    deliveries,
    landing,
    look,
    powerbi,
    quarantine,
    run,
    setup,
    source,
    synapse,
)

HELP = """A medallion lakehouse on Netflix's public data: land deliveries, build the tables, look at them.

Exit codes: 0 all is well, 3 the work is done but a delivery is held back, 1 something failed, 2 a wrong call.
"""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
for commands in (run, landing, look, deliveries):
    app.add_typer(commands.app)
for group in (quarantine, source, contracts, powerbi, synapse):
    app.add_typer(group.group, name=group.__name__.rpartition(".")[2])
app.add_typer(setup.app)
