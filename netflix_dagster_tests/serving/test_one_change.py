"""One column of a contract is changed; all that is served from contracts changes together, and only where it speaks of
the column."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re

import pytest

from infra import access
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import dictionary
from netflix_dagster.serving.dashboard import cards, lineage
from netflix_dagster.serving.powerbi import model, project
from netflix_dagster.serving.synapse import scripts

TABLE, COLUMN = "gold.dim_rating", "minimum_age"
CHANGE = """\
Netflix.SemanticModel/definition/tables/dim_rating.tmdl
- /// Age from which the title is suitable, null when the rating states none
+ /// The youngest who may watch alone, in words
- dataType: int64
- formatString: #,0
+ dataType: string
04_gold.sql
- -- view: gold.dim_rating | ...
- CREATE OR ALTER VIEW gold.dim_rating AS /* made ... */
+ -- view: gold.dim_rating | ...
+ CREATE OR ALTER VIEW gold.dim_rating AS /* made ... */
- [minimum_age] INT,
+ [minimum_age] VARCHAR(12) COLLATE Latin1_General_100_BIN2_UTF8,
06_information.sql
- -- view: information.columns | ...
- CREATE OR ALTER VIEW information.columns AS /* made ... */
+ -- view: information.columns | ...
+ CREATE OR ALTER VIEW information.columns AS /* made ... */
- SELECT N'gold.dim_rating', N'5', N'minimum_age', N'INT', N'Age from which the title is suitable, null when the\
 rating states none'
+ SELECT N'gold.dim_rating', N'5', N'minimum_age', N'VARCHAR(12)', N'The youngest who may watch alone, in words'
dashboard/lineage.json
- "meaning": "Age from which the title is suitable, null when the rating states none",
- "type": "int"
+ "meaning": "The youngest who may watch alone, in words",
+ "type": "string"
docs/data-dictionary.md
- | `minimum_age` | `int` | yes | Age from which the title is suitable, null when the rating states none |\
 silver.titles: rating |
+ | `minimum_age` | `string` | yes | The youngest who may watch alone, in words | silver.titles: rating |
"""
"""Marks are hashes of what a view says; they are left out."""
_MARK = re.compile(r"(?<=\| )[0-9a-f]{12}$|(?<=made )[0-9a-f]{12}(?= \*/)")


def test_a_changed_column_changes_view_model_dictionary_and_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _served()
    with monkeypatch.context() as patched:
        _change(patched, type="string", length=12, description="The youngest who may watch alone, in words")
        after = _served()
    assert "\n".join(_diff(before, after)) + "\n" == CHANGE
    assert _served() == before


def test_a_renamed_column_has_no_old_name_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _served()
    with monkeypatch.context() as patched:
        _change(patched, name="youngest")
        after = _served()
    assert before.keys() == after.keys()
    changed = {file for file in before if before[file] != after[file]}
    assert changed == {line for line in CHANGE.splitlines() if not line.startswith(("+", "-"))}
    assert changed == {file for file in before if COLUMN in before[file]}
    for file in changed:
        assert COLUMN not in after[file] and "youngest" in after[file], file


def _change(patched: pytest.MonkeyPatch, **said: object) -> None:
    table = TABLES[TABLE]
    assert COLUMN in table.column_names
    columns = (dataclasses.replace(c, **said) if c.name == COLUMN else c for c in table.columns)  # type: ignore[arg-type]
    patched.setitem(TABLES, TABLE, dataclasses.replace(table, columns=tuple(columns)))


def _served() -> dict[str, str]:
    """Every text that is made from contracts, by its file."""
    sources = load_sources()
    pages = {**lineage.chunks(sources), "metrics": cards.metrics()}
    model.tables.cache_clear()
    try:
        powerbi = project.files()
    finally:
        model.tables.cache_clear()
    return {
        **powerbi,
        **scripts.written(access.readers(access.load())),
        **{f"dashboard/{name}.json": json.dumps(said, indent=1, sort_keys=True) for name, said in pages.items()},
        "docs/data-dictionary.md": dictionary.render(sources),
    }


def _diff(before: dict[str, str], after: dict[str, str]) -> list[str]:
    assert before.keys() == after.keys()
    said: list[str] = []
    for file in before:
        lines = difflib.unified_diff(before[file].splitlines(), after[file].splitlines(), lineterm="", n=0)
        kept = [f"{line[0]} {line[1:].strip()}" for line in [*lines][2:] if not line.startswith("@@")]
        said += [file, *(_MARK.sub("...", line) for line in kept)] if kept else []
    return said
