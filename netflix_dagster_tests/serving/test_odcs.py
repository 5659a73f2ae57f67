"""Every contract is a document that the Open Data Contract Standard takes, and says what the contract says."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, Contract
from netflix_dagster.contracts.expectations import all_rules
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import odcs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERY: dict[str, Contract] = {**TABLES, **BOOKKEEPING}
AZURE = "abfss://lake@account.dfs.core.windows.net/netflix/"
PUBLISHED = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
"""The standard's own JSON schema, as its package carries it."""


def contract(name: str) -> dict[str, Any]:
    return odcs.contract(EVERY[name], load_sources(), Path("/lake"), AZURE)


def faults(document: dict[str, Any]) -> list[str]:
    checker = Draft201909Validator.FORMAT_CHECKER
    found = Draft201909Validator(PUBLISHED, format_checker=checker).iter_errors(document)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


def columns(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in document["schema"][0]["properties"]}


def rules(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (schema,) = document["schema"]
    every = [*schema["quality"], *(rule for column in schema["properties"] for rule in column.get("quality", ()))]
    return {rule["name"]: rule for rule in every}


def test_the_published_schema_is_that_of_our_version_and_refuses_what_is_wrong() -> None:
    assert PUBLISHED["properties"]["apiVersion"]["default"] == odcs.API_VERSION
    wrong = contract("silver.titles")
    wrong["schema"][0]["properties"][0]["logicalType"] = "text"
    assert faults(wrong) and faults({**contract("silver.titles"), "owner": "me"})


@pytest.mark.parametrize("name", EVERY)
def test_a_contract_is_a_document_of_the_standard(name: str) -> None:
    document = contract(name)
    assert faults(document) == []
    read = OpenDataContractStandard.model_validate(yaml.safe_load(yaml.safe_dump(document)))
    assert read.id == f"netflix-dagster.{name}" and read.schema_ is not None
    assert [column.name for column in read.schema_[0].properties or ()] == EVERY[name].column_names


@pytest.mark.parametrize("name", TABLES)
def test_no_rule_of_a_contract_is_lost(name: str) -> None:
    table, said = TABLES[name], rules(contract(name))
    for rule in all_rules(table):
        if rule.name == "required_columns":
            required = [column.name for column in table.columns if not column.nullable]
            assert all(said[f"{column}_required"]["severity"] == "critical" for column in required)
        else:
            assert said[rule.name]["severity"] == odcs.SEVERITY[rule.on_fail]
            assert rule.description in said[rule.name]["description"]


def test_a_table_with_a_key_a_partition_and_a_feed() -> None:
    document = contract("silver.titles")
    said = columns(document)
    assert (document["name"], document["domain"], document["team"]["name"]) == (
        "silver.titles",
        "catalogue",
        "catalogue",
    )
    positions = {name: column["primaryKeyPosition"] for name, column in said.items() if column.get("primaryKey")}
    assert positions == {"delivery_date": 1, "form": 2, "show_id": 3}
    assert said["delivery_date"]["partitioned"] and not said["show_id"].get("unique")
    assert said["repairs"]["items"] == {"logicalType": "string", "physicalType": "string"}
    assert said["type_flag"]["transformSourceObjects"] == [
        "bronze.netflix_catalogue.type",
        "bronze.netflix_titles.type",
    ]
    assert document["schema"][0]["dataGranularityDescription"] == "one title of one release"
    (local, azure) = document["servers"]
    assert (local["path"], azure["location"]) == ("/lake/silver/titles", f"{AZURE}silver/titles")
    days = load_sources().feeds["catalogue"].expected_every_days
    service = {level["property"]: (level["value"], level["unit"]) for level in document["slaProperties"]}
    assert service == {"frequency": (days, "d"), "freshness": (days, "d")}


def test_a_book_keeping_table_has_a_key_and_nobody_builds_it() -> None:
    document = contract("quality.deliveries")
    assert {"layer:quality"} == set(document["tags"]) and document["team"]["name"] == odcs.PLATFORM
    assert [own["property"] for own in document["customProperties"]] == ["grain"]
    positions = {name: c["primaryKeyPosition"] for name, c in columns(document).items() if c.get("primaryKey")}
    assert positions == {"recorded_at": 1, "nth": 2} and "quality" not in document["schema"][0]
    assert columns(document)["tables"]["items"] == {"logicalType": "string", "physicalType": "string"}
    assert columns(document)["status"]["required"] and not columns(document)["source"]["required"]
    (_, azure) = document["servers"]
    assert azure["location"] == f"{AZURE}quality/deliveries"


def test_a_table_of_no_feed_promises_no_freshness() -> None:
    document = contract("gold.dim_date")
    assert "slaProperties" not in document and document["team"]["name"] == odcs.PLATFORM
    assert columns(document)["date_key"]["unique"] and columns(document)["date_key"]["required"]


def test_each_kind_of_rule_is_said_in_its_own_words() -> None:
    said = rules(contract("silver.titles"))
    assert {"type": "library", "metric": "nullValues", "mustBe": 0}.items() <= said["title_not_null"].items()
    assert said["unique_key"]["metric"] == "duplicateValues"
    assert said["unique_key"]["arguments"] == {"properties": ["delivery_date", "form", "show_id"]}
    assert (said["rating_known"]["type"], said["rating_known"]["dimension"]) == ("sql", "conformity")
    assert said["mostly_kept"]["type"] == "text"
    readable = said["date_added_readable"]
    assert readable["type"] == "custom", "it speaks of a column that the table does not keep"
    assert "date_added_text" in readable["implementation"]["condition"]


def test_the_query_of_a_rule_counts_the_rows_that_break_it(spark: SparkSession) -> None:
    kinds = [("Movie", 1990), ("TV Show", 1850), ("Play", None), (None, 2020)]
    spark.createDataFrame(kinds, "type string, release_year int").createOrReplaceTempView("few_titles")
    said = rules(contract("silver.titles"))
    for rule in ("type_known", "release_year_plausible"):
        query = said[rule]["query"].replace("silver.titles", "few_titles")
        assert spark.sql(query).collect()[0][0] == 1, query


@pytest.mark.parametrize("name", TABLES)
def test_every_query_can_be_asked_of_its_table(spark: SparkSession, name: str) -> None:
    schema = ", ".join(f"`{column.name}` {column.type}" for column in TABLES[name].columns)
    spark.createDataFrame([], schema).createOrReplaceTempView("empty_table")
    for rule in rules(contract(name)).values():
        if rule["type"] == "sql":
            assert spark.sql(rule["query"].replace(f"FROM {name} ", "FROM empty_table ")).collect()[0][0] == 0


@pytest.mark.parametrize(
    ("physical", "logical"),
    [
        ("decimal(10,2)", "number"),
        ("array<struct<name:string,share:decimal(5,4)>>", "array"),
        ("map<string,array<int>>", "map"),
    ],
)
def test_a_type_inside_a_type_is_said_too(physical: str, logical: str) -> None:
    document = contract("silver.titles")
    document["schema"][0]["properties"][0] = {"name": "nested", **odcs._type(physical)}
    assert document["schema"][0]["properties"][0]["logicalType"] == logical and faults(document) == []


def test_documents_are_written_for_the_tables_named(tmp_path: Path) -> None:
    written = odcs.export(
        ["gold.dim_title", "silver.titles"], tmp_path / "new" / "folder", load_sources(), Path("/lake"), AZURE
    )
    assert [path.name for path in written] == ["gold.dim_title.odcs.yaml", "silver.titles.odcs.yaml"]
    assert yaml.safe_load(written[1].read_text(encoding="utf-8")) == contract("silver.titles")
    before = [path.read_bytes() for path in written]
    odcs.export(["gold.dim_title", "silver.titles"], tmp_path / "new" / "folder", load_sources(), Path("/lake"), AZURE)
    assert [path.read_bytes() for path in written] == before


def test_a_table_that_there_is_none_of_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"no table gold\.nope; the tables are bronze\.netflix_catalogue"):
        odcs.export(["gold.dim_title", "gold.nope"], tmp_path / "folder", load_sources(), Path("/lake"), AZURE)
    assert not (tmp_path / "folder").exists()
