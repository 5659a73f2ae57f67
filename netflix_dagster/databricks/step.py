"""Builds tables one after another, wherever the project is installed: in a run of Dagster, on a cluster, by hand.

As a program it is ``netflix-dagster-step``: ::

    netflix-dagster-step --tables bronze.netflix_catalogue,silver.titles --deliveries 2020-01-01

prints the report on each table (``contracts.report``) as a line of JSON, as soon as the table is built. Started by
Dagster Pipes, it takes its order from a folder and writes its reports there, see ``databricks.pipes``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.contracts.graph import left_out
from netflix_dagster.contracts.report import Report
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings, get_settings

_MEANS_THE_SAME = {
    f"NETFLIX_{name}" for name in ("ENV", "LANDING", "LAKE", "ACCOUNT", "TENANT", "VAULT", "STORAGE_CREDENTIAL")
}
BLOCKED = 3
"""The exit code when the work is done and something is held back."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to build, for which deliveries, with which settings (environment variables). ``sources`` is the text of
    the user's own sources.yaml, if there is one."""

    tables: Sequence[str]
    deliveries: Sequence[str]
    run_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    sources: str | None = None

    @classmethod
    def of(
        cls, tables: Sequence[str], deliveries: Sequence[str], run_id: str, settings: Settings, engine: str
    ) -> Order:
        """An order for another machine, with the settings that mean the same there, and no secret."""
        environment = {name: value for name, value in settings.as_environment().items() if name in _MEANS_THE_SAME}
        sources = settings.sources.read_text(encoding="utf-8") if settings.sources else None
        return cls(tables, deliveries, run_id, {**environment, "NETFLIX_ENGINE": engine}, sources)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def settle(self) -> None:
        """Give this process the settings of the order."""
        os.environ.update(self.environment)
        if self.sources is not None:
            own = Path(tempfile.mkdtemp(prefix="netflix-")) / "sources.yaml"
            own.write_text(self.sources, encoding="utf-8")
            os.environ["NETFLIX_SOURCES"] = str(own)
        get_settings.cache_clear()


def carry_out(order: Order) -> Iterator[Report]:
    """Build the tables of an order, with the settings of this process.

    In the end it looks whether the engine has switched something on that other readers of the tables do not know.
    """
    from netflix_dagster import tables
    from netflix_dagster.azure import access
    from netflix_dagster.build.runner import Session
    from netflix_dagster.lake import protocol

    settings = get_settings()
    sources = load_sources(settings.sources)
    access.connect(settings)
    tables.declare(sources)
    if unknown := sorted(set(order.tables) - set(TABLES)):
        raise ValueError(f"no such table: {', '.join(unknown)}; nothing was built. Is the wheel of another version?")
    feeds = {feed for name in order.tables if (feed := TABLES[name].feed)}
    deliveries = dict.fromkeys(feeds, order.deliveries)
    with Session(settings, sources, order.run_id, order.tables, deliveries) as session:
        for name in session.tables:
            if name not in left_out(session.tables, session.blocked_whole):
                yield session.build(name)
    if told := protocol.all_strange(settings.lake, order.tables):
        raise ContractError("; ".join(told))


def main() -> None:
    """The program. It raises errors. The reports name what is held back, and so does the exit code, without Pipes."""
    asked = _arguments()
    if asked.service_credential:
        os.environ["NETFLIX_SERVICE_CREDENTIAL"] = asked.service_credential
    if asked.secrets:
        from netflix_dagster.databricks.jobs import secrets_of

        scope, _, names = asked.secrets.partition("/")
        os.environ.update(secrets_of(scope, _names(names)))
    if asked.dagster_pipes_context:
        from netflix_dagster.azure import access
        from netflix_dagster.databricks.pipes import serve

        access.connect(
            get_settings()
        )  # to read the order from the storage of the lake; then the settings of the order count
        serve()
        return
    order = Order(asked.tables, asked.deliveries, asked.run_id)
    if asked.order:
        order = _read(asked.order)
        order.settle()
    held_back = False
    for report in carry_out(order):
        sys.stdout.write(json.dumps(report.as_json()) + "\n")
        sys.stdout.flush()
        held_back = held_back or bool(report.blocked or report.held_back)
    if held_back:
        sys.exit(BLOCKED)


def _read(file: str) -> Order:
    """An order that lies in the storage of the lake; it is read with the settings of this process."""
    from netflix_dagster import storage
    from netflix_dagster.azure import access

    access.connect(get_settings())
    return Order(**json.loads(storage.read(storage.at(file))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("netflix-dagster-step", description="Build tables of the lake, in build order.")
    parser.add_argument("--tables", help="<layer>.<name>, separated by commas", type=_names, default=[])
    parser.add_argument("--deliveries", help="dates, YYYY-MM-DD, separated by commas", type=_names, default=[])
    parser.add_argument("--run-id", default="", help="what the book-keeping calls this run")
    parser.add_argument("--order", help="a file of the lake's storage with all of it, as JSON, and settings")
    parser.add_argument("--service-credential", help="of Unity Catalog: as whose identity storage and vault are opened")
    parser.add_argument("--secrets", help="scope/name,name: secrets of Databricks that become environment variables")
    for name in ("context", "messages"):
        parser.add_argument(f"--dagster-pipes-{name}", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not (asked.tables or asked.order or asked.dagster_pipes_context):
        parser.error("--tables says what to build, or --order")
    return asked


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    main()
