"""The cluster's end of Dagster Pipes: reads the order from a folder, and writes reports into it.

The folder is in the storage of the lake (``storage``), so no other store, library or identity is needed. This module
loads only ``dagster_pipes``, which depends on nothing; Dagster itself is not on the cluster.
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
    """Reads Dagster's order from the file that the parameters name."""

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


class _LogsToDagster(logging.Handler):
    """Sends the log lines of the project to Dagster as they are written."""

    def __init__(self, pipes: PipesContext) -> None:
        super().__init__(logging.INFO)
        self._pipes = pipes

    def emit(self, record: logging.LogRecord) -> None:
        self._pipes.log.log(record.levelno, record.getMessage())


def serve() -> None:
    """Carry out Dagster's order, and report on each table as soon as it is built."""
    with open_dagster_pipes(
        params_loader=PipesCliArgsParamsLoader(),
        context_loader=OrderFrom(),
        message_writer=ReportsTo(interval=SECONDS_BETWEEN_MESSAGES),
    ) as pipes:
        extra: dict[str, Any] = pipes.get_extra("order")
        order = Order(**extra)
        order.settle()
        log, handler = logging.getLogger("netflix_dagster"), _LogsToDagster(pipes)
        log.setLevel(logging.INFO)
        log.addHandler(handler)
        try:
            for report in carry_out(order):
                pipes.report_custom_message(report.as_json())
        finally:
            log.removeHandler(handler)
