"""The metric views of Unity Catalog say the metrics: their measures, read back and run, are the figures of gold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest
import sqlglot
import yaml

from netflix_dagster.contracts.metrics import ALL, FACTS, METRICS, looks_back
from netflix_dagster.serving import unity, unity_metrics
from netflix_dagster.storage import at
from netflix_dagster_tests.cli.shell import Shell

VIEWS = {view.name: view for view in unity_metrics.views("netflix")}
KEYS = {
    "": {"version", "comment", "source", "dimensions", "measures"},
    "dimensions": {"name", "expr", "comment"},
    "measures": {"name", "expr", "comment", "window"},
}
"""What version 1.1 of the specification has and is used here."""


def definitions() -> Iterator[dict[str, Any]]:
    for view in VIEWS.values():
        if found := re.fullmatch(
            r"CREATE OR REPLACE VIEW \S+ WITH METRICS LANGUAGE YAML AS \$\$\n(.*)\$\$", view.create, re.S
        ):
            yield yaml.safe_load(found[1])


def read(sql: str) -> str:
    said: str = sqlglot.transpile(sql, read="databricks", write="duckdb")[0]
    return said.replace("`netflix`.", "")


def test_every_metric_is_a_measure_or_a_view() -> None:
    measures = {measure["name"] for said in definitions() for measure in said["measures"]}
    alone = {name.rpartition("`metric_")[2].rstrip("`") for name in VIEWS if "`metric_" in name}
    assert measures | alone == set(METRICS) and not measures & alone
    assert alone == {metric.name for metric in METRICS.values() if looks_back(metric.expression)}
    assert len(list(definitions())) == len(FACTS)
    for said in definitions():
        assert set(said) == KEYS[""] and said["version"] == "1.1" and "$$" not in str(said)
        assert all(
            set(one) <= KEYS[kind] and one["comment"] for kind in ("dimensions", "measures") for one in said[kind]
        )


def test_the_measures_are_the_figures_of_the_warehouse(built: Shell) -> None:
    with duckdb.connect(str(built.lake / "serving" / "warehouse.duckdb"), read_only=True) as opened:
        opened.execute("USE warehouse.gold")
        for said in definitions():
            source = said["source"] if said["source"].startswith("SELECT") else f"SELECT * FROM {said['source']}"
            by = {one["name"]: one["expr"] for one in said["dimensions"]}
            for measure in said["measures"]:
                for name in (None, *METRICS[measure["name"]].by):
                    assert figures(opened, source, by, measure, name) == pytest.approx(
                        held(opened, measure["name"], name)
                    )


def figures(
    opened: duckdb.DuckDBPyConnection, source: str, by: Mapping[str, str], measure: Mapping[str, Any], name: str | None
) -> dict[tuple[Any, ...], float]:
    """A measure, grouped as Databricks would for ``SELECT period, dimension, MEASURE(...)``."""
    metric = METRICS[measure["name"]]
    keys = [by[f"by_{metric.of.period}"], *([by[f"by_{name}"]] if name else [])]
    sql = f"SELECT {', '.join(keys)}, {measure['expr']} AS value FROM ({source}) AS rows GROUP BY ALL"
    return {row[:-1]: row[-1] for row in opened.execute(read(sql)).fetchall() if row[-1] is not None and known(row)}


def known(row: tuple[Any, ...]) -> bool:
    return bool(row[0] is not None)


def held(opened: duckdb.DuckDBPyConnection, metric: str, name: str | None) -> dict[tuple[Any, ...], float]:
    period = METRICS[metric].of.period
    rows = opened.execute(
        f"SELECT {period}, member, value FROM metrics.{metric} WHERE dimension = ?", [name or ALL]
    ).fetchall()
    return {(day, member) if name else (day,): value for day, member, value in rows}


def test_a_stock_is_that_of_the_last_period() -> None:
    windows = {one["name"]: one.get("window") for said in definitions() for one in said["measures"]}
    last = {name for name, window in windows.items() if window}
    assert last == {m.name for m in METRICS.values() if m.over_time == "last" and not looks_back(m.expression)}
    assert windows["titles"] == [{"order": "by_release", "range": "current", "semiadditive": "last"}]


def test_only_what_changes_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    there: dict[str, str] = {}

    def ran() -> list[str]:
        made = unity.register_metrics(None, "netflix", at("/lake"), {"gold": "our_gold"})  # type: ignore[arg-type]
        there.update((view.name, view.comment) for view in unity_metrics.views("netflix", {"gold": "our_gold"}))
        return made

    monkeypatch.setattr(unity.store, "exists", lambda lake, name: name != "gold.fact_engagement")
    monkeypatch.setattr(unity, "_comment", lambda spark, name: there.get(name))
    monkeypatch.setattr(unity, "_run", lambda spark, sql, made: made.append(sql))
    first = ran()
    assert len(first) == len(VIEWS) - 1 and all("`netflix`.`our_gold`" in sql for sql in first)
    assert ran() == []
    changed = "`netflix`.`our_gold`.`metrics_of_fact_top10_global_weekly`"
    there[changed] = "as it was before"
    assert [sql.split()[4] for sql in ran()] == [changed]
