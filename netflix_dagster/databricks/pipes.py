"""The far end of Dagster Pipes: an order comes in and reports go out as files of a folder that both ends can reach.

The folder lies in the storage of the lake (``storage``), so that no other store, library or identity is needed. Only
``dagster_pipes`` is loaded, which depends on nothing; Dagster itself is not on the cluster.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from dagster_pipes import (
    PipesBlobStoreMessageWriter,
    PipesBlobStoreMessageWriterChannel,
    PipesCliArgsParamsLoader,
    PipesContextLoader,
    open_dagster_pipes,
)

from netflix_dagster import storage
from netflix_dagster.databricks.step import Order, carry_out

if TYPE_CHECKING:
    from dagster_pipes import PipesContext, PipesContextData, PipesParams

SECONDS_BETWEEN_MESSAGES = 1


class OrderFrom(PipesContextLoader):
    """Reads what Dagster wants done from the file that the parameters name."""

    @contextmanager
    def load_context(self, params: PipesParams) -> Iterator[PipesContextData]:
        yield json.loads(storage.read(storage.at(params["file"])))


class ReportsTo(PipesBlobStoreMessageWriter["_Folder"]):
    """Writes messages into the folder that the parameters name: ``1.json``, ``2.json``, and so on."""

    def make_channel(self, params: PipesParams) -> _Folder:
        return _Folder(storage.at(params["folder"]), interval=self.interval)


class _Folder(PipesBlobStoreMessageWriterChannel):
    def __init__(self, folder: storage.Place, *, interval: float) -> None:
        super().__init__(interval=interval)
        self._folder = folder

    def upload_messages_chunk(self, payload: IO[str], index: int) -> None:
        storage.write(self._folder / f"{index}.json", payload.read().encode())


class _Told(logging.Handler):
    """Log lines of the project, told to Dagster as they are written."""

    def __init__(self, pipes: PipesContext) -> None:
        super().__init__(logging.INFO)
        self._pipes = pipes

    def emit(self, record: logging.LogRecord) -> None:
        self._pipes.log.log(record.levelno, record.getMessage())


def serve() -> None:
    """Do what Dagster has ordered and report on each table as soon as it is done."""
    with open_dagster_pipes(
        params_loader=PipesCliArgsParamsLoader(),
        context_loader=OrderFrom(),
        message_writer=ReportsTo(interval=SECONDS_BETWEEN_MESSAGES),
    ) as pipes:
        said: dict[str, Any] = pipes.get_extra("order")
        order = Order(**said)
        order.settle()
        log, told = logging.getLogger("netflix_dagster"), _Told(pipes)
        log.setLevel(logging.INFO)
        log.addHandler(told)
        try:
            for report in carry_out(order):
                pipes.report_custom_message(report.as_json())
        finally:
            log.removeHandler(told)
