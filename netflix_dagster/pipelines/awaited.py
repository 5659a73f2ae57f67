"""A table of the pipeline that is read before there is one.

The open-source engine only builds the tables after all of them are registered, and while it asks a query function
for its plan it answers no question about types; our functions ask (``frame.schema``). So a table's plan is built
before it is asked for, on empty relations that have the columns of the contracts, and each of these becomes a read
of the table in the pipeline when the plan is handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


_AT_ONCE = ("drop", "with_columns", "deduplicate")
"""What our tables use of the relations that a server looks into as soon as it is told of them. If the tables that they
read are not there it refuses them; if they are, of the run before, it takes them for tables outside of the pipeline,
and does not wait for this one's."""


class Awaited:
    """The tables that one table's plan reads: empty while it is built, what the pipeline holds when it is run."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.client = cast(Any, spark).client
        self.tables: dict[int, str] = {}
        self.columns: dict[int, list[str]] = {}

    def read(self, name: str, ddl: str) -> DataFrame:
        """The table, whose columns are those of ``ddl``."""
        empty = self.spark.createDataFrame([], ddl)
        self.tables[cast(Any, empty)._plan._root_plan_id] = name
        return empty

    def hand_in(self, built: DataFrame) -> DataFrame:
        """What was built, as the pipeline is to compute it."""
        from pyspark.sql.connect.dataframe import DataFrame
        from pyspark.sql.connect.plan import LogicalPlan

        relation = cast(Any, built)._plan.plan(self.client)
        self._await(relation)

        class Plan(LogicalPlan):
            def plan(self, session: Any) -> Any:
                return relation

        return DataFrame(Plan(None), self.spark)  # type: ignore[arg-type, return-value]

    def _await(self, message: Any) -> None:
        """Have a plan read the tables of the pipeline, and bind it to none of them before that."""
        if message.DESCRIPTOR.name == "Relation":
            if message.common.plan_id in self.tables:
                table = type(message)(common=message.common)
                table.read.named_table.unparsed_identifier = self.tables[message.common.plan_id]
                message.CopyFrom(table)
            elif message.WhichOneof("rel_type") in _AT_ONCE:
                self._say_otherwise(message)
        for field, value in message.ListFields():
            if field.message_type and not field.message_type.GetOptions().map_entry:
                for part in value if field.is_repeated else (value,):
                    self._await(part)

    def _say_otherwise(self, message: Any) -> None:
        """``drop`` as a selection of the other columns, ``withColumns`` as one of all and these, ``distinct`` as a
        grouping by all columns."""
        said = type(message)(common=message.common)
        if message.HasField("with_columns"):
            new = {alias.name[0]: alias for alias in message.with_columns.aliases}
            names = self._columns(message.with_columns.input)
            said.project.input.CopyFrom(message.with_columns.input)
            for name in dict.fromkeys((*names, *new)):
                column = said.project.expressions.add()
                if name in new:
                    column.alias.CopyFrom(new[name])
                else:
                    column.unresolved_attribute.unparsed_identifier = f"`{name}`"
        elif message.HasField("drop"):
            said.project.input.CopyFrom(message.drop.input)
            for name in self._columns(message):
                said.project.expressions.add().unresolved_attribute.unparsed_identifier = f"`{name}`"
        elif message.deduplicate.all_columns_as_keys:
            said.aggregate.input.CopyFrom(message.deduplicate.input)
            said.aggregate.group_type = said.aggregate.GROUP_TYPE_GROUPBY
            for name in self._columns(message):
                column = said.aggregate.grouping_expressions.add()
                column.unresolved_attribute.unparsed_identifier = f"`{name}`"
        else:
            return
        message.CopyFrom(said)

    def _columns(self, relation: Any) -> list[str]:
        """The columns of a relation, asked once: the same one is in a plan as often as it is used."""
        from pyspark.sql.connect.proto import Plan

        asked = relation.common.plan_id
        if asked not in self.columns:
            self.columns[asked] = list(self.client.schema(Plan(root=relation)).names)
        return self.columns[asked]
