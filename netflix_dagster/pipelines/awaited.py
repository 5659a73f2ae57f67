"""Builds the plan of a table whose inputs do not exist yet.

The open-source engine builds tables after all of them are registered, and while it calls a query function for its plan
it analyses no types; our functions ask for them (``frame.schema``). So a table's plan is built before, on empty
relations with the columns of the contracts. When the plan is handed in, each of these becomes a read of the table in
the pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


_AT_ONCE = ("drop", "with_columns", "deduplicate")
"""The relations in our plans that a server analyses as soon as it gets them. If the tables that they read do not exist,
it refuses the plan; if they exist from an earlier run, it takes them for tables outside of the pipeline, and does not
wait until this run has built them."""


class Awaited:
    """The tables that one table's plan reads: empty while it is built, the tables of the pipeline when it runs."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.client = cast(Any, spark).client
        self.tables: dict[int, str] = {}
        self.columns: dict[int, list[str]] = {}

    def read(self, name: str, ddl: str) -> DataFrame:
        """The table, with the columns of ``ddl``."""
        empty = self.spark.createDataFrame([], ddl)
        self.tables[cast(Any, empty)._plan._root_plan_id] = name
        return empty

    def hand_in(self, built: DataFrame) -> DataFrame:
        """The built frame as a plan for the pipeline."""
        from pyspark.sql.connect.dataframe import DataFrame
        from pyspark.sql.connect.plan import LogicalPlan

        relation = cast(Any, built)._plan.plan(self.client)
        self._await(relation)

        class Plan(LogicalPlan):
            def plan(self, session: Any) -> Any:
                return relation

        return DataFrame(Plan(None), self.spark)  # type: ignore[arg-type]

    def _await(self, message: Any) -> None:
        """Make a plan read the tables of the pipeline when it runs, and bind it to none of them before."""
        if message.DESCRIPTOR.name == "Relation":
            if message.common.plan_id in self.tables:
                table = type(message)(common=message.common)
                table.read.named_table.unparsed_identifier = self.tables[message.common.plan_id]
                message.CopyFrom(table)
            elif message.WhichOneof("rel_type") in _AT_ONCE:
                self._rewrite(message)
        for field, value in message.ListFields():
            if field.message_type and not field.message_type.GetOptions().map_entry:
                for part in value if field.is_repeated else (value,):
                    self._await(part)

    def _rewrite(self, message: Any) -> None:
        """Rewrite ``drop`` as a selection of the other columns, ``withColumns`` as one of all and the new columns,
        ``distinct`` as a grouping by all columns."""
        rewritten = type(message)(common=message.common)
        if message.HasField("with_columns"):
            new = {alias.name[0]: alias for alias in message.with_columns.aliases}
            names = self._columns(message.with_columns.input)
            rewritten.project.input.CopyFrom(message.with_columns.input)
            for name in dict.fromkeys((*names, *new)):
                column = rewritten.project.expressions.add()
                if name in new:
                    column.alias.CopyFrom(new[name])
                else:
                    column.unresolved_attribute.unparsed_identifier = f"`{name}`"
        elif message.HasField("drop"):
            rewritten.project.input.CopyFrom(message.drop.input)
            for name in self._columns(message):
                rewritten.project.expressions.add().unresolved_attribute.unparsed_identifier = f"`{name}`"
        elif message.deduplicate.all_columns_as_keys:
            rewritten.aggregate.input.CopyFrom(message.deduplicate.input)
            rewritten.aggregate.group_type = rewritten.aggregate.GROUP_TYPE_GROUPBY
            for name in self._columns(message):
                column = rewritten.aggregate.grouping_expressions.add()
                column.unresolved_attribute.unparsed_identifier = f"`{name}`"
        else:
            return
        message.CopyFrom(rewritten)

    def _columns(self, relation: Any) -> list[str]:
        """The columns of a relation, asked for once: a plan holds a relation as often as it is used."""
        from pyspark.sql.connect.proto import Plan

        asked = relation.common.plan_id
        if asked not in self.columns:
            self.columns[asked] = list(self.client.schema(Plan(root=relation)).names)
        return self.columns[asked]
