"""What docs/metrics.md, docs/warehouse.md and the notebook show is run on the sample lake, as it stands there."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster_tests.cli.shell import Shell

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "titles_and_charts.ipynb"


def snippets(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / document).read_text(), re.DOTALL)


@pytest.fixture(autouse=True)
def at_the_sample(built: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sample is the lake of this process; a metric that a document declares is forgotten."""
    known = dict(METRICS)
    monkeypatch.setenv("NETFLIX_LAKE", str(built.lake))
    yield
    METRICS.clear()
    METRICS.update(known)


def run(*cells: str) -> dict[str, Any]:
    """Run some Python, cell after cell, and return what it has named; ``_`` is the value of the last line."""
    names: dict[str, Any] = {}
    for cell in cells:
        said = ast.parse(cell)
        last = said.body.pop() if isinstance(said.body[-1], ast.Expr) else None
        exec(compile(said, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            names["_"] = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return names


def test_the_metric_that_is_added_is_answered() -> None:
    (declared, asked) = snippets("metrics.md", "python")
    found = run(declared, asked)["_"]
    assert list(found.columns) == ["week", "kind", "value"] and found["value"].between(1, 20).all() and len(found) > 10


def test_the_python_of_the_warehouse_runs() -> None:
    (said,) = snippets("warehouse.md", "python")
    names = run(said)
    assert len(names["titles"]) == names["then"].num_rows > 200
    assert len(names["kept"]) > 0 and 0 < names["english"].num_rows < len(names["hours"])


def test_the_sql_of_the_warehouse_runs_in_it(built: Shell) -> None:
    (said,) = snippets("warehouse.md", "sql")
    with duckdb.connect(str(built.lake / "serving" / "warehouse.duckdb"), read_only=True) as connection:
        answers = [connection.execute(each).fetchall() for each in said.strip().rstrip(";").split(";")]
    assert len(answers) == 3 and all(answers)


def test_the_notebook_runs_and_is_kept_without_what_it_came_to() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    names = run(*("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    assert len(names["left"]) > 0 and len(names["growth"]) > 4 and names["_"] > 200
