"""docs/questions.md: the picture of the model is that of the tables, there are ten questions, no metric is left out."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster_tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "questions.md"
EDGE = re.compile(r"^  (\w+) [|}o]{2}--[|{o]{2} (\w+) : \"(\w+)(?: = (\w+))?\"$", re.MULTILINE)


def test_every_edge_of_the_model_joins_columns_that_are_there() -> None:
    (picture,) = [block.text for block in blocks(PAGE) if block.language == "mermaid"]
    edges = EDGE.findall(picture)
    assert len(edges) == len(picture.splitlines()) - 1, "an edge is not understood"
    for one, other, column, theirs in edges:
        assert column in TABLES[f"gold.{one}"].column_names, (one, column)
        assert (theirs or column) in TABLES[f"gold.{other}"].column_names, (other, theirs or column)
    shown = {name for one, other, *_ in edges for name in (one, other)}
    gold = {table.short_name for table in TABLES.values() if table.layer == "gold" and table.name.count("kpi_") == 0}
    assert gold - shown == {"fact_release_listing", "fact_top10_restatement"}, "these two are joined by what they name"


def test_there_are_ten_questions_and_each_metric_has_a_word() -> None:
    text = PAGE.read_text()
    assert [int(number) for number in re.findall(r"^\*\*(\d+)\.", text, re.MULTILINE)] == list(range(1, 11))
    assert len([block for block in blocks(PAGE) if block.language == "sql"]) == 10
    table = text.split("What a KPI means")[1]
    named = re.findall(r"`(\w+\*?)`", "\n".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)))
    assert [metric for metric in METRICS if not any(fnmatch(metric, name) for name in named)] == []
