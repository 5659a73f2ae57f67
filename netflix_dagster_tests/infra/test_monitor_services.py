"""The rules on logs of services find failures and nothing else, in tables with the columns that Azure documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb_kql
import pytest

from netflix_dagster_tests.infra.test_monitor import MONITOR, TEMPLATE, WORKBOOK, fires

RULES: dict[str, dict[str, Any]] = {rule["name"]: rule for rule in json.loads((MONITOR / "services.json").read_text())}
(PART,) = (item["content"]["query"] for item in WORKBOOK["items"] if item["name"] == "services")
TABLES = {
    "SynapseBuiltinSqlPoolRequestsEnded": "ResultType VARCHAR, ErrorCode INTEGER, OperationName VARCHAR",
    "PowerBIDatasetsWorkspace": "OperationName VARCHAR, Level VARCHAR, EventText VARCHAR, ArtifactName VARCHAR",
    "ADFPipelineRun": "Status VARCHAR, RunId VARCHAR, PipelineName VARCHAR",
    "DatabricksJobs": "ActionName VARCHAR, RequestParams VARCHAR",
}
"""As https://learn.microsoft.com/azure/azure-monitor/reference/tables has them; the columns that are used."""
WELL = {
    "SynapseBuiltinSqlPoolRequestsEnded": [("Succeeded", 0, "q")] * 50 + [("Failed", 208, "q")] * 3,
    "PowerBIDatasetsWorkspace": [
        ("CommandEnd", "Success", '{"refresh": {}}', "netflix"),
        ("QueryEnd", "Error", "EVALUATE refresh", "netflix"),
        ("CommandEnd", "Error", "ALTER", "netflix"),
    ],
    "ADFPipelineRun": [("Succeeded", "1", "copy"), ("InProgress", "2", "copy"), ("Cancelled", "3", "copy")],
    "DatabricksJobs": [("runSucceeded", '{"jobId": 1}'), ("runStart", '{"jobId": 2}')],
}
ILL = {
    "netflix-synapse-failing": ("SynapseBuiltinSqlPoolRequestsEnded", [("Failed", 13807, "q")] * 11, {("13807",)}),
    "netflix-powerbi-refresh-failed": (
        "PowerBIDatasetsWorkspace",
        [("CommandEnd", "Error", '{"refresh": {"type": "full"}}', "netflix")],
        {("netflix",)},
    ),
    "netflix-factory-pipeline-failed": (
        "ADFPipelineRun",
        [("Failed", "4", "copy"), ("Failed", "4", "copy")],
        {("copy",)},
    ),
    "netflix-databricks-job-failed": ("DatabricksJobs", [("runFailed", '{"jobId": 12, "runId": 7}')], {("12",)}),
}


@pytest.fixture
def logs() -> Iterator[Any]:
    """A workspace in which everything is well."""
    database = duckdb_kql.connect()
    for table, columns in TABLES.items():
        database.execute(f'CREATE TABLE "{table}" (TimeGenerated TIMESTAMP, {columns})')
        tell(database, table, WELL[table])
    yield database
    database.close()


def tell(database: Any, table: str, rows: list[tuple[Any, ...]]) -> None:
    for row in rows:
        marks = ", ".join("?" * (len(row) + 1))
        database.execute(f'INSERT INTO "{table}" VALUES ({marks})', [datetime(2026, 1, 1), *row])


def asked(database: Any, query: str) -> list[dict[str, Any]]:
    found = duckdb_kql.kql(database, query)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_tells_of_a_failure_and_of_nothing_else(logs: Any, name: str) -> None:
    rule = RULES[name]
    assert duckdb_kql.validate(rule["query"]) == []
    assert fires(rule, asked(logs, rule["query"])) == set()
    table, rows, expected = ILL[name]
    tell(logs, table, rows)
    assert fires(rule, asked(logs, rule["query"])) == expected


def test_the_workbook_shows_every_service(logs: Any) -> None:
    for table, rows, _ in ILL.values():
        tell(logs, table, rows)
    assert duckdb_kql.validate(PART) == []
    found = {(row["service"], row["what"]): row["failed"] for row in asked(logs, PART)}
    assert found == {
        ("Synapse", "208"): 3,
        ("Synapse", "13807"): 11,
        ("Power BI", "netflix"): 1,
        ("Data Factory", "copy"): 2,
        ("Databricks", "12"): 1,
    }


def test_the_template_takes_the_rules_as_they_are() -> None:
    of_template = {frozenset(rule) for rule in TEMPLATE["variables"]["rules"]}
    assert {frozenset(rule) for rule in RULES.values()} == of_template
    assert all(len(rule["description"]) > 60 and rule["severity"] in range(5) for rule in RULES.values())
    made = [r for r in TEMPLATE["resources"] if "parameters('services')" in json.dumps(r)]
    assert [resource["properties"]["skipQueryValidation"] for resource in made] == [True]
