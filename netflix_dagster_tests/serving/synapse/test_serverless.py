"""The scripts of Synapse say what contracts and metrics say, in T-SQL, and mean the same."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import replace

import duckdb
import pytest
from sqlfluff.core import FluffConfig, Linter

from infra import access as rights
from infra.access import readers, synapse_files
from netflix_dagster.contracts.contract import TABLES, Column
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving.dictionary import render
from netflix_dagster.serving.synapse import scripts, tsql
from netflix_dagster.serving.synapse.applying import apply
from netflix_dagster.serving.synapse.server import connected
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.serving.synapse.conftest import Served

ACCESS = rights.load()
GOLD = [table for table in TABLES.values() if table.layer == "gold"]
LINTER = Linter(config=FluffConfig(overrides={"dialect": "tsql"}))
UNKNOWN = re.compile(r"GRANT REFERENCES ON DATABASE SCOPED CREDENTIAL::\w+ TO \[\w+\]")
"""The one statement that sqlfluff has no grammar for: as Microsoft's reference writes it."""


def test_what_is_committed_is_what_the_contracts_give() -> None:
    wanted = synapse_files(ACCESS)
    assert {path: path.read_text() for path in wanted} == wanted, "run: python -m infra.access synapse"
    assert sorted(rights.SYNAPSE.iterdir()) == sorted(wanted)


def test_a_script_is_read_as_it_was_written() -> None:
    assert len(list(scripts.read())) == sum(text.count("\nGO\n") for text in synapse_files(ACCESS).values())
    kinds = [found.kind for _, found in scripts.read()]
    assert kinds[:2] == ["database", "master key"] and kinds.count("view") == len(GOLD) + len(METRICS) + 3


@pytest.mark.parametrize(
    "script", ["01", "02", "03", "04", "06", "07", "08", pytest.param("05", marks=pytest.mark.soak)]
)
def test_every_batch_is_t_sql(script: str) -> None:
    batches = [found.make for name, found in scripts.read() if name.startswith(script)]
    batches = [make for make in batches if not UNKNOWN.fullmatch(make) and not make.startswith(LONG)]
    assert batches
    for make in batches:
        assert not LINTER.parse_string(make).violations, make[:200]


LONG = "CREATE OR ALTER VIEW information.columns"
"""Hundreds of rows of texts: a minute for the parser, and no grammar of its own."""


@pytest.mark.parametrize("metric", ["movie_minutes_median", "retention"])
def test_the_longest_metrics_are_t_sql(metric: str) -> None:
    (make,) = [found.make for _, found in scripts.read() if found.name == f"metrics.{metric}"]
    assert not LINTER.parse_string(make).violations
    assert LINTER.parse_string(make.replace("GROUP BY", "GROUP WITH", 1)).violations


def test_every_view_means_the_same_as_the_lake(built: Shell, serve: Callable[..., Served]) -> None:
    served = serve(built.lake)
    plan = apply(served.settings)
    assert len(plan.steps) == len(list(scripts.read()))
    inside = served.pool.databases["netflix"].sql
    for table in GOLD:
        names = ", ".join(_as_read(column) for column in table.columns)
        said = f"SELECT {names} FROM raw_{table.name.replace('.', '_')}"
        ((rows,),) = inside.execute(f"SELECT count(*) FROM ({said})").fetchall()
        for one, other in ((said, f"SELECT * FROM {table.name}"), (f"SELECT * FROM {table.name}", said)):
            assert inside.execute(f"{one} EXCEPT ALL {other}").fetchall() == [], table.name
        assert rows or table.name in ("gold.fact_top10_restatement",), f"{table.name} has no rows: nothing was compared"
    with duckdb.connect(str(built.lake / "serving" / "warehouse.duckdb"), read_only=True) as warehouse:
        for metric in METRICS.values():
            view = f"SELECT {metric.of.period}, dimension, member, value FROM metrics.{metric.name}"
            here, there = (
                {row[:3]: row[3] for row in connection.execute(view).fetchall()} for connection in (inside, warehouse)
            )
            assert here.keys() == there.keys() and here, metric.name
            assert here == pytest.approx(there, rel=1e-12, abs=1e-15), metric.name


def test_who_asks_over_the_wire_gets_the_rows_and_what_they_mean(built: Shell, serve: Callable[..., Served]) -> None:
    served = serve(built.lake)
    apply(served.settings)
    with connected(str(served.settings.synapse), "netflix") as pool:
        columns = pool.rows("SELECT table_name, column_name, data_type, description FROM information.columns")
        assert {row[:2]: row[3] for row in columns} == {
            (t.name, c.name): c.description for t in GOLD for c in t.columns
        }
        assert {row[2] for row in columns} == {"INT", "BIGINT", "FLOAT", "BIT", "DATE"} | {
            f"VARCHAR({length})" for length in {c.length for t in GOLD for c in t.columns if c.type == "string"}
        }
        meant = dict(pool.rows("SELECT metric, meaning FROM information.metrics"))
        assert meant == {metric.name: metric.meaning for metric in METRICS.values()}
        said = pool.rows("SELECT title_sk, title, release_year, valid_from, is_current FROM gold.dim_title")
    with duckdb.connect(str(built.lake / "serving" / "warehouse.duckdb"), read_only=True) as warehouse:
        query = "SELECT title_sk, title, release_year, valid_from, is_current FROM gold.dim_title"
        assert sorted(map(repr, said)) == sorted(map(repr, warehouse.execute(query).fetchall()))


def test_one_changed_column_changes_view_and_words_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything() -> list[str]:
        said = {path.name: text for path, text in synapse_files(ACCESS).items()}
        return [f"{name}: {line}" for name, text in said.items() for line in text.splitlines()]

    before, words = everything(), render(load_sources())
    fact = TABLES["gold.fact_engagement"]
    columns = [
        replace(column, type="double", description="Hours, with their parts")
        if column.name == "hours_viewed"
        else column
        for column in fact.columns
    ]
    monkeypatch.setitem(TABLES, fact.name, replace(fact, columns=tuple(columns)))
    changed = [line for line in difflib.unified_diff(before, everything(), n=0, lineterm="") if line[0] in "+-"][2:]
    kinds = {re.sub(r"[0-9a-f]{12}", "MARK", line) for line in changed}
    assert {line[:200] for line in kinds if line[0] == "+" and "hours_viewed" in line} == {
        "+04_gold.sql:     [hours_viewed] FLOAT,",
        next(line[:200] for line in kinds if line.startswith("+06") and "hours_viewed" in line),
    }
    bound = {metric.name for metric in METRICS.values() if metric.fact == fact.name}
    marked = {found[1] for line in kinds if (found := re.match(r"\+05_metrics.sql: -- view: metrics.(\w+) \|", line))}
    assert marked == bound, "a view is bound to the columns of the one beneath it: it is made again"
    assert not [line for line in kinds if line.startswith(("+01", "+02", "+03", "+07", "+08"))]
    assert "Hours, with their parts" in render(load_sources()) and "Hours, with their parts" not in words


@pytest.mark.parametrize("said", ["it's", "]]", "a\nb", "é ✓ 'x'' --", ""])
def test_any_text_stays_what_it_is(said: str) -> None:
    from netflix_dagster_tests.emulators.synapse import read

    assert duckdb.sql(read(f"SELECT {tsql.text(said)} AS said")).fetchall() == [(said,)]


def test_a_type_or_length_that_synapse_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="prices is map<string,int>"):
        tsql.of_files(Column("prices", "map<string,int>", ""))
    with pytest.raises(ValueError, match="1 to 4000"):
        tsql.of_files(Column("plot", "string", "", length=9000))


def test_a_role_reads_what_the_file_says_and_opens_no_other_files() -> None:
    said = {reader.role: reader for reader in readers(ACCESS)}
    assert said.keys() == {"platform", "engineer", "analyst", "reader"}  # auditors read no gold
    assert said["analyst"].tables is None
    assert said["reader"].tables == ("gold.kpi_catalogue", "gold.kpi_top10")
    granted = {found.name for _, found in scripts.read() if found.kind == "grant" and found.name.endswith(" TO reader")}
    assert granted == {
        "SELECT ON OBJECT::gold.kpi_catalogue TO reader",
        "SELECT ON OBJECT::gold.kpi_top10 TO reader",
        "SELECT ON SCHEMA::information TO reader",
        "REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_catalogue TO reader",
        "REFERENCES ON DATABASE SCOPED CREDENTIAL::kpi_top10 TO reader",
        "ADMINISTER DATABASE BULK OPERATIONS TO reader",
    }
    sources = {found.name: found.mark for _, found in scripts.read() if found.kind == "data source"}
    assert sources == {name: f"$(gold)/{name}" if name != "gold" else "$(gold)" for name in sources}


def _as_read(column: Column) -> str:
    is_list = column.type.startswith("array<")
    return f'CAST(to_json("{column.name}") AS VARCHAR) AS "{column.name}"' if is_list else f'"{column.name}"'
