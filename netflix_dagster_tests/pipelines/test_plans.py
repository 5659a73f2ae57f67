"""What is handed to the engine of pipelines: plans that it takes before there is a table. Without Java, on Sail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.engine import sessions
from netflix_dagster.pipelines import QUARANTINE, REFUSED_FILES, _Pipeline, judged_name
from netflix_dagster.settings import get_settings

AT_ONCE = {"as_of_join", "co_group_map", "deduplicate", "drop", "drop_na", "fill_na", "group_map", "replace", "sample"}
AT_ONCE |= {"to_schema", "transpose", "unpivot", "with_columns", "with_columns_renamed"}
"""Relations that Spark Connect analyses as soon as it is told of them: too early, for tables that are to be built."""


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Any]]:
    """The datasets and the flows of the pipeline."""
    from pyspark import pipelines
    from pyspark.pipelines import graph_element_registry as graph

    outputs: list[Any] = []
    flows: list[Any] = []

    class Registry(graph.GraphElementRegistry):
        def register_output(self, output: Any) -> None:
            outputs.append(output)

        def register_flow(self, flow: Any) -> None:
            flows.append(flow)

        def register_sql(self, sql_text: str, file_path: Path) -> None:
            raise NotImplementedError

    with graph.graph_element_registration_context(Registry()):
        landing = tmp_path_factory.mktemp("landing")
        _Pipeline(pipelines, sessions.session(get_settings()), landing, landing, native=False).register()
    return outputs, flows


def relations(message: Any) -> Iterator[Any]:
    """Every relation of a plan."""
    if message.DESCRIPTOR.name == "Relation":
        yield message
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else (value,):
                yield from relations(part)


def test_the_pinned_spark_has_no_auto_cdc_to_compare_with() -> None:
    """When this fails, a pipeline with ``create_auto_cdc_flow`` is one more oracle of ``tables/changes.py``:
    decision 32."""
    from pyspark import pipelines

    assert not [name for name in dir(pipelines) if "cdc" in name.lower()]


def test_every_table_of_the_contract_is_a_dataset(registered: tuple[list[Any], list[Any]]) -> None:
    outputs, _ = registered
    judged = {judged_name(table) for table in TABLES.values() if table.per_delivery and table.layer != "bronze"}

    assert {output.name for output in outputs} == {*TABLES, *judged, REFUSED_FILES, QUARANTINE}


def test_plans_name_what_they_read_and_need_none_of_it_yet(registered: tuple[list[Any], list[Any]]) -> None:
    _, flows = registered
    session: Any = sessions.session(get_settings())
    for flow in flows:
        found = list(relations(flow.func()._plan.plan(session.client)))
        assert {relation.WhichOneof("rel_type") for relation in found} & AT_ONCE == set(), flow.name
        read = {relation.read.named_table.unparsed_identifier for relation in found} - {""}
        table = TABLES.get(flow.target)
        if table and table.layer != "bronze":
            assert read == ({judged_name(table)} if table.per_delivery else set(table.reads)), flow.name
