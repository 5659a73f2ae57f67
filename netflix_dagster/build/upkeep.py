"""``netflix-dagster-maintain``: the upkeep of the lake, without Dagster."""

from __future__ import annotations

import argparse
import logging
import sys

from netflix_dagster import tables
from netflix_dagster.azure import access
from netflix_dagster.build.pending_work import from_environment
from netflix_dagster.lake.maintenance import SAFE_HOURS, maintain
from netflix_dagster.landing.sources import load_sources

log = logging.getLogger("netflix_dagster.upkeep")


def arguments() -> argparse.ArgumentParser:
    """What can be said in a call; everything else is in the environment, see ``settings``."""
    parser = argparse.ArgumentParser("netflix-dagster-maintain", description="Join files, remove old ones.")
    parser.add_argument("--lake", help="folder of <layer>/<table>, instead of NETFLIX_LAKE")
    parser.add_argument(
        "--retention-hours", type=int, help=f"instead of what each contract says; at least {SAFE_HOURS}"
    )
    return parser


def main() -> None:
    """The entry point. It returns when all is well."""
    said = arguments().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    log.setLevel(logging.INFO)
    settings = from_environment(lake=said.lake)
    access.connect(settings)
    tables.declare(load_sources(settings.sources))
    for table, done in maintain(settings.lake, said.retention_hours).items():
        log.info("%-36s %s", table, done)
