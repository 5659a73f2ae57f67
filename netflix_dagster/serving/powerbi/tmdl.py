"""The semantic model as TMDL, the text in which Power BI keeps a model in a repository.

https://learn.microsoft.com/analysis-services/tmdl/tmdl-overview: an object a line, what belongs to it one tab deeper,
an expression two tabs deeper than the line that it belongs to, a description in lines of ``///`` above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from netflix_dagster.serving.powerbi import model, source
from netflix_dagster.serving.powerbi.model import DATES, HIERARCHIES, SORTED_BY, Measure, ModelTable, Shown, tag
from netflix_dagster.serving.powerbi.source import Source

COMPATIBILITY = 1601
YEARS = 15
"""How many years facts keep. Rows older than that are not loaded."""
PARAMETERS: dict[Source, dict[str, str]] = {
    "synapse": {"Server": "workspace-ondemand.sql.azuresynapse.net", "Database": "netflix"},
    "databricks": {"Server": "adb-0.azuredatabricks.net", "HttpPath": "/sql/1.0/warehouses/0", "Database": "netflix"},
    "warehouse": {"File": "data/lake/serving/warehouse.duckdb"},
}
"""What each source has to be told, with a value that shows its form."""
_ROWS: dict[Source, str] = {
    "synapse": "Value.NativeQuery(Sql.Database(Server, Database), sql, null, [EnableFolding = true])",
    "databricks": 'Value.NativeQuery(Databricks.Catalogs(Server, HttpPath){[Name = Database, Kind = "Database"]}[Data],'
    " sql, null, [EnableFolding = true])",
    "warehouse": 'Odbc.Query("Driver={DuckDB Driver};access_mode=READ_ONLY;Database=" & File, sql)',
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def files(of: Source = "synapse", parameters: Mapping[str, str] | None = None) -> dict[str, str]:
    """The files of the model by their place in its folder ``definition``.

    ``parameters`` are values for those of the source; raises ``LookupError`` for one that it has not.
    """
    values = PARAMETERS[of] | dict(parameters or {})
    if unknown := values.keys() - PARAMETERS[of].keys():
        raise LookupError(f"{of} has no parameter {', '.join(sorted(unknown))}; it has {', '.join(PARAMETERS[of])}")
    tables = model.tables()
    return {
        "database.tmdl": _text([f"database {model.NAME}", f"\tcompatibilityLevel: {COMPATIBILITY}"]),
        "model.tmdl": _text(_model(tables)),
        "expressions.tmdl": _text(_expressions(of, values)),
        "relationships.tmdl": _text(_relationships()),
        **{f"tables/{table.name}.tmdl": _text(_table(table, of)) for table in tables},
    }


def _model(tables: tuple[ModelTable, ...]) -> Iterator[str]:
    yield from (
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "\tdiscourageImplicitMeasures",
        "\tsourceQueryCulture: en-US",
        "",
        "\tannotation __PBI_TimeIntelligenceEnabled = 0",
        "",
    )
    yield from (f"ref table {name(table.name)}" for table in tables)


def _expressions(of: Source, values: Mapping[str, str]) -> Iterator[str]:
    for parameter, value in values.items():
        required = "IsParameterQuery = true, IsParameterQueryRequired = true"
        yield f'expression {parameter} = {m_text(value)} meta [{required}, Type = "Text"]'
        yield from (f"\tlineageTag: {tag('expression', parameter)}", "")
    for parameter, day in (("RangeStart", "2015, 1, 1"), ("RangeEnd", "2040, 1, 1")):
        meta = 'IsParameterQuery = true, IsParameterQueryRequired = true, Type = "DateTime"'
        yield f"expression {parameter} = #datetime({day}, 0, 0, 0) meta [{meta}]"
        yield from (f"\tlineageTag: {tag('expression', parameter)}", "")
    yield from ("/// The answer of the source to a query.", "expression Rows =")
    yield from (f"\t\t(sql as text) as table => {_ROWS[of]}", f"\tlineageTag: {tag('expression', 'Rows')}", "")


def _relationships() -> Iterator[str]:
    for relationship in model.RELATIONSHIPS:
        yield f"relationship {relationship.tag}"
        if not relationship.active:
            yield "\tisActive: false"
        yield f"\tfromColumn: {'.'.join(map(name, relationship.many))}"
        yield from (f"\ttoColumn: {'.'.join(map(name, relationship.one))}", "")


def _table(table: ModelTable, of: Source) -> Iterator[str]:
    contract = table.contract
    yield from _described(f"{contract.description}\nGrain: {contract.grain}. Key: {', '.join(contract.key)}.", 0)
    yield f"table {name(table.name)}"
    if table.name.startswith("bridge_"):
        yield "\tisHidden"
    if table.name == DATES[0]:
        yield "\tdataCategory: Time"
    yield from (f"\tlineageTag: {table.tag}", "")
    if table.range:
        yield "\trefreshPolicy"
        yield from (f"\t\t{line}" for line in _POLICY)
        yield "\t\tsourceExpression ="
        yield from (f"\t\t\t\t{line}" for line in _loaded(table, of))
        yield ""
    for measure in table.measures:
        yield from _measure(measure)
    for column in table.columns:
        yield from _column(column)
    for hierarchy, levels in HIERARCHIES.get(table.name, {}).items():
        yield f"\thierarchy {name(hierarchy)}"
        yield from (f"\t\tlineageTag: {tag('hierarchy', table.name, hierarchy)}", "")
        for level in levels:
            yield f"\t\tlevel {name(level)}"
            yield f"\t\t\tlineageTag: {tag('hierarchy', table.name, hierarchy, level)}"
            yield from (f"\t\t\tcolumn: {name(level)}", "")
    yield from (f"\tpartition {name(table.name)} = m", "\t\tmode: import", "\t\tsource =")
    yield from (f"\t\t\t\t{line}" for line in _loaded(table, of))


_POLICY = (
    "policyType: basic",
    "rollingWindowGranularity: year",
    f"rollingWindowPeriods: {YEARS}",
    "incrementalGranularity: year",
    "incrementalPeriods: 1",
)
"""One partition a year, called as the year: then a refresh can name those that a delivery touched."""


def _loaded(table: ModelTable, of: Source) -> Iterator[str]:
    query = f"Rows({m_text(source.query(table.contract, source.DIALECTS[of]))})"
    if table.range is None:
        yield query
        return
    day = f"[{table.range}]"
    within = f"{day} >= Date.From(RangeStart) and {day} < Date.From(RangeEnd)"
    yield from ("let", f"\tAll = {query}", f"\tRange = Table.SelectRows(All, each {within})", "in", "\tRange")


def _measure(measure: Measure) -> Iterator[str]:
    yield from _described(measure.description, 1)
    yield f"\tmeasure {name(measure.name)} ="
    yield from (f"\t\t\t{line}" for line in measure.expression.splitlines())
    yield f"\t\tformatString: {measure.format}"
    yield f"\t\tdisplayFolder: {measure.folder}"
    yield from (f"\t\tlineageTag: {measure.tag}", "")


def _column(column: Shown) -> Iterator[str]:
    yield from _described(column.of.description, 1)
    yield f"\tcolumn {name(column.of.name)}"
    yield f"\t\tdataType: {column.type}"
    if column.hidden:
        yield "\t\tisHidden"
    if (column.table, column.of.name) == DATES:
        yield "\t\tisKey"
    if column.format:
        yield f"\t\tformatString: {column.format}"
    if column.folder:
        yield f"\t\tdisplayFolder: {column.folder}"
    yield f"\t\tlineageTag: {column.tag}"
    yield "\t\tsummarizeBy: none"
    yield f"\t\tsourceColumn: {column.of.name}"
    if by := SORTED_BY.get((column.table, column.of.name)):
        yield f"\t\tsortByColumn: {name(by)}"
    yield ""


def _described(text: str, depth: int) -> Iterator[str]:
    tabs = "\t" * depth
    yield from (f"{tabs}/// {line}".rstrip() for line in text.splitlines() if line.strip())


def name(of: str) -> str:
    """A name as TMDL writes it: in quotes where it is more than a word."""
    return of if _PLAIN.fullmatch(of) else "'" + of.replace("'", "''") + "'"


def m_text(text: str) -> str:
    """A text of M, the language of queries."""
    return '"' + text.replace('"', '""') + '"'


def _text(lines: Iterator[str] | list[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
