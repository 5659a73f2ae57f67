"""The lake knows nothing of Dagster: what builds tables runs inside a Databricks job as an ordinary wheel."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import netflix_dagster

PACKAGE = Path(netflix_dagster.__file__).parent
ROOMS = (
    "azure",
    "landing",
    "files",
    "contracts",
    "engine",
    "lake",
    "deliveries",
    "tables",
    "build",
    "databricks",
    "pipelines",
    "serving",
    "sample",
)
"""The rooms below Dagster, in the order in which data walks through them: each knows only those before it."""
MODULES = [path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py"))]
HEAVY = (
    "pyspark",
    "pysail",
    "deltalake",
    "pandas",
    "pyarrow",
    "duckdb",
    "azure",
    "obstore",
    "opentelemetry",
    "databricks",
)


def imports(nodes: list[ast.stmt]) -> Iterator[str]:
    """The modules that some statements import, at whatever depth; what only type checkers read does not count."""
    for node in nodes:
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                yield from (alias.name for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                yield inner.module or ""


def roots(names: Iterator[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def of_ours(path: Path) -> set[str]:
    """The rooms of the house that a module enters."""
    names = imports(ast.parse(path.read_text()).body)
    return {name.split(".")[1] for name in names if name.startswith("netflix_dagster.")}


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_below_dagster_does_not_import_it(path: Path) -> None:
    found = {name for name in roots(imports(ast.parse(path.read_text()).body)) if name.startswith("dagster")}
    assert found <= ({"dagster_pipes"} if path.name == "pipes.py" else set())  # it depends on nothing


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_heavy_things_only_where_it_uses_them(path: Path) -> None:
    tree = ast.parse(path.read_text())
    at_once = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    assert not roots(imports(at_once)) & set(HEAVY)


@pytest.mark.parametrize(
    ("room", "unknown"),
    [
        ("azure", {"landing", "files", "contracts", "engine", "lake", "deliveries", "tables", "build", "databricks"}),
        ("landing", {"files", "contracts", "engine", "lake", "deliveries", "tables", "build", "databricks"}),
        ("files", {"contracts", "engine", "lake", "deliveries", "tables", "build", "databricks"}),
        ("contracts", {"engine", "lake", "deliveries", "tables", "build", "databricks"}),
        ("engine", {"lake", "deliveries", "tables", "build", "databricks"}),
        ("lake", {"deliveries", "tables", "build", "databricks"}),
        ("deliveries", {"tables", "build", "databricks"}),
        ("tables", {"build", "databricks"}),
        ("build", {"databricks"}),
        ("databricks", set()),
        ("pipelines", set()),
        ("serving", {"pipelines"}),
    ],
)
def test_a_room_knows_only_the_rooms_before_it(room: str, unknown: set[str]) -> None:
    unknown |= {"defs", "cli", *(() if room in ("pipelines", "serving") else ("pipelines", "serving"))}
    entered = {path.name: of_ours(path) & unknown for path in (PACKAGE / room).rglob("*.py")}
    assert {name: rooms for name, rooms in entered.items() if rooms} == {}
