"""What docs/quality.md shows is what the sample deliveries come to, and every kind of rule that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from netflix_dagster.contracts import contract, delivery_rules
from netflix_dagster.lake.query import query
from netflix_dagster_tests.cli.shell import Shell

DOCS = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()
NOT_TAKEN, HISTORY = re.findall(r"```sql\n(.*?)```", DOCS, re.DOTALL)


def test_what_a_table_did_not_take_is_found_in_bronze(built: Shell) -> None:
    count = "SELECT (SELECT count(*) FROM bronze.top10_global) - (SELECT count(*) FROM silver.top10_global) AS n"
    (wanted,) = query(built.lake, count).to_pylist()
    assert query(built.lake, NOT_TAKEN).num_rows == wanted["n"]


def test_the_history_of_a_rule_is_the_chart_in_the_docs(built: Shell) -> None:
    rows = query(built.lake, HISTORY).to_pylist()
    days = re.findall(r'"(\d{4}-\d\d-\d\d)"', DOCS)
    (line,) = re.findall(r"line \[(.*)\]", DOCS)
    assert [str(row["delivery_date"]) for row in rows] == days
    assert [row["percent"] for row in rows] == [float(value) for value in line.split(", ")]


def test_every_kind_of_rule_in_the_docs_is_there() -> None:
    named = set(re.findall(r"^\| [^|]+ \| `(\w+)\(", DOCS, re.MULTILINE))
    offered = {"not_null", "in_set", "between", "matches", "holds", "references"}
    about_deliveries = {"row_count_change", "null_share", "stable", "recent"}
    assert named == offered | about_deliveries
    assert all(hasattr(contract, name) for name in offered)
    assert all(hasattr(delivery_rules, name) for name in about_deliveries)
