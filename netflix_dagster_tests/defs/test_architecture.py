"""The lake knows nothing of Dagster: what builds tables runs inside a Databricks job as an ordinary wheel."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import netflix_dagster

PACKAGE = Path(netflix_dagster.__file__).parent
ROOMS = (
    "storage",
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
    "serving",
    "pipelines",
    "sample",
    "verify",
)
"""The rooms below Dagster, in the order in which data walks through them: each knows only those before it."""
ABOVE = ("defs", "cli", "definitions")
HANDED_ON = ("storage", "azure", "landing", "files", "contracts", "engine", "lake", "deliveries", "tables")
"""Rooms that are handed settings and sources, and do not look for them."""
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


def imports(nodes: list[ast.stmt], *, types: bool = False) -> Iterator[str]:
    """The modules that some statements import, at whatever depth; with ``types`` also what only type checkers read."""
    for node in nodes:
        if not types and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                yield from (alias.name for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom):
                yield inner.module or ""
                yield from (f"{inner.module}.{alias.name}" for alias in inner.names)


def roots(names: Iterator[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def of_ours(path: Path) -> set[str]:
    """The rooms of the house that a module enters, also if only for types."""
    names = imports(ast.parse(path.read_text()).body, types=True)
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


def test_every_room_has_its_place() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == {*ROOMS, *ABOVE} - {"definitions"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_the_rooms_before_it(room: str) -> None:
    unknown = {*ROOMS[ROOMS.index(room) + 1 :], *ABOVE}
    entered = {path.name: of_ours(path) & unknown for path in (PACKAGE / room).rglob("*.py")}
    assert {name: rooms for name, rooms in entered.items() if rooms} == {}


def test_storage_knows_nothing_else_of_ours() -> None:
    assert {room for path in (PACKAGE / "storage").glob("*.py") for room in of_ours(path)} == {"storage"}


@pytest.mark.parametrize("room", HANDED_ON)
def test_settings_and_sources_are_handed_on_and_not_looked_for(room: str) -> None:
    called = {
        f"{path.name}: {ast.unparse(node)}"
        for path in (PACKAGE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("get_settings", "load_sources")
    }
    packaged = {"__init__.py: load_sources()"} if room == "tables" else set()
    assert called == packaged


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nobody_but_storage_asks_what_kind_of_place_a_place_is(path: Path) -> None:
    if path.is_relative_to(PACKAGE / "storage"):
        return
    asked = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "isinstance"
        and ast.unparse(node.args[1]).split(".")[-1] in ("Path", "AzureFolder")
    ]
    assert asked == []
