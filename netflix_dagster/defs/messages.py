"""This end of Dagster Pipes: an order goes out, messages come in, as files of a folder (see ``databricks.pipes``)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dagster import PipesContextInjector
from dagster._core.pipes.utils import PipesBlobStoreMessageReader

from netflix_dagster import storage

if TYPE_CHECKING:
    from dagster_pipes import PipesContextData, PipesParams


class OrderTo(PipesContextInjector):
    """Writes what is wanted into the folder. That fails without the right to write there: before anything runs."""

    def __init__(self, folder: storage.Place) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def inject_context(self, context_data: PipesContextData) -> Iterator[PipesParams]:
        file = self.folder / "order.json"
        storage.write(file, json.dumps(context_data).encode())
        try:
            yield {"file": str(file)}
        finally:
            with contextlib.suppress(Exception):  # what stays is removed with whatever else lies in staging
                storage.remove(self.folder)

    def no_messages_debug_text(self) -> str:
        return f"The order was written to {self.folder}/order.json."


class ReportsFrom(PipesBlobStoreMessageReader):
    """Reads messages as they come. ``trouble`` is why the newest could not be read; not being there yet is none."""

    def __init__(self, folder: storage.Place) -> None:
        super().__init__(interval=1)
        self.folder = folder
        self.trouble: Exception | None = None

    @contextlib.contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        yield {"folder": str(self.folder)}

    def messages_are_readable(self, params: PipesParams) -> bool:
        return True

    def download_messages_chunk(self, index: int, params: PipesParams) -> str | None:
        try:
            chunk = storage.read(self.folder / f"{index}.json").decode()
        except FileNotFoundError:
            self.trouble = None
            return None
        except Exception as error:  # a store that cannot be reached now may be the next time
            self.trouble = error
            return None
        self.trouble = None
        return chunk

    def no_messages_debug_text(self) -> str:
        return f"Messages were awaited in {self.folder} ({self.trouble or 'there are none'})."
