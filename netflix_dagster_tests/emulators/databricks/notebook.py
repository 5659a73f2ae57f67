"""A notebook in source format, run cell by cell with the ``dbutils`` that it may use. What else it asks for is refused.

"Databricks notebooks in source format": the first line says that it is a notebook, ``# COMMAND ----------`` parts its
cells, ``# MAGIC`` begins a line that is no Python. "Databricks Utilities (dbutils) reference": widgets have the value
of the task's parameter of that name, else their default; ``get`` of a widget that nobody made fails with
``InputWidgetNotDefined``. Task values are JSON of at most 48 KiB, and ``notebook.exit`` ends the notebook with a text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIRST, CELL, MAGIC = "# Databricks notebook source", "# COMMAND ----------", "# MAGIC "
MOST_VALUE = 48 * 1024


class InputWidgetNotDefined(Exception):
    """As Databricks calls it."""


class Ended(BaseException):
    """``dbutils.notebook.exit``: no error handler of the notebook catches it."""


class Widgets:
    def __init__(self, given: dict[str, str]) -> None:
        self._values, self._given = dict(given), given

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:  # noqa: N803  as Databricks calls it
        self._values[name] = self._given.get(name, defaultValue)

    def get(self, name: str) -> str:
        if name not in self._values:
            raise InputWidgetNotDefined(f"No input widget named {name} is defined")
        return self._values[name]


class TaskValues:
    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        if len(json.dumps(value).encode()) > MOST_VALUE:
            raise ValueError(f"The task value of {key} exceeds {MOST_VALUE} bytes")
        self.values[key] = value


class Notebook:
    def exit(self, value: str) -> None:
        raise Ended(value)


class Jobs:
    def __init__(self) -> None:
        self.taskValues = TaskValues()


class Utilities:
    """``dbutils``."""

    def __init__(self, given: dict[str, str]) -> None:
        self.widgets, self.jobs, self.notebook = Widgets(given), Jobs(), Notebook()


def run(path: str, given: dict[str, str]) -> dict[str, Any]:
    """Run a notebook; what it exits with, and the task values that it sets."""
    text = Path(path).read_text(encoding="utf-8")
    assert text.startswith(FIRST + "\n"), f"{path} is no notebook: it does not begin with {FIRST!r}"
    utilities = Utilities(given)
    there: dict[str, Any] = {"__name__": "__main__", "dbutils": utilities}
    result = ""
    try:
        for number, cell in enumerate(text.removeprefix(FIRST + "\n").split(CELL), 1):
            lines = [line for line in cell.splitlines() if line.strip()]
            if any(line.startswith(MAGIC.strip()) for line in lines):
                assert lines[0].startswith(f"{MAGIC}%md"), f"cell {number}: only %md is known here"
                assert all(line.startswith(MAGIC.strip()) for line in lines), f"cell {number} mixes text and code"
            else:
                exec(compile(cell, f"{path}#{number}", "exec"), there)
    except Ended as ended:
        (result,) = ended.args
    return {"result": str(result), "values": utilities.jobs.taskValues.values}
