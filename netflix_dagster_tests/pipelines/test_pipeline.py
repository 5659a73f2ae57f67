"""The declarative pipeline really runs, on Apache Spark, and its tables are those that Dagster builds on Sail."""

from __future__ import annotations

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import quarantine
from netflix_dagster.lake import store
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.parity.conftest import apache_spark  # noqa: F401  skips where there is none
from netflix_dagster_tests.pipelines.local import as_text, run_pipeline, table

pytestmark = pytest.mark.soak
PAGE = "<html><body>Moved Permanently</body></html>\n"
LATE = "2026-02-20"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The sample deliveries but for one, with a file that is a web page, built by Dagster and by the pipeline."""
    shell = Shell(tmp_path_factory.mktemp("pipeline"))
    assert shell("sample", "data/landing").code == 0
    assert shell("sample", "data/landing", "--events", "2", "--files", "3").code == 0
    (shell.landing / "netflix_catalogue" / LATE).rename(shell.cwd / "late")
    shell.land("netflix_catalogue", "2025-06-01", PAGE)
    assert shell("run").code == 3
    run_pipeline(shell)
    return shell


def differing(shell: Shell) -> list[str]:
    """The tables of the contract that are not the same in both, and how."""
    wrong = []
    for name in TABLES:
        held = store.dataset(shell.lake, name)
        assert held, name
        ours, theirs = as_text(held.to_table().to_pylist()), as_text(table(shell, name))
        if ours != theirs:
            lacking, more = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
            wrong.append(f"{name}: {len(ours)} rows and {len(theirs)}; -{lacking[:2]} +{more[:2]}")
    return wrong


def refused(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """What tells the rows of both quarantines apart."""
    told = ("table_name", "delivery_date", "source_file", "record_number", "rules", "reasons", "hints")
    return sorted(tuple(str(row[name]) for name in told) for row in rows)


def test_every_table_equals_that_of_dagster_and_then_with_one_delivery_more(place: Shell) -> None:
    assert differing(place) == []

    before = {(str(row["delivery_date"]), row["loaded_at"]) for row in table(place, "bronze.netflix_catalogue")}
    assert before
    (place.cwd / "late").rename(place.landing / "netflix_catalogue" / LATE)
    assert place("run").code == 3
    run_pipeline(place)

    after = {(str(row["delivery_date"]), row["loaded_at"]) for row in table(place, "bronze.netflix_catalogue")}
    assert before < after  # the rows that lay there were not written again
    assert {day for day, _ in after - before} == {LATE}
    assert differing(place) == []


def test_what_is_refused_lies_in_the_quarantine_with_the_rules_it_broke(place: Shell) -> None:
    ours, theirs = quarantine.rows(place.lake), table(place, "quality.quarantine")

    assert refused(theirs) == refused(ours)
    files = [row for row in theirs if row["table_name"] == "bronze.netflix_catalogue"]
    assert [str(row["delivery_date"]) for row in files] == ["2025-06-01"]
    assert [row for row in theirs if row["table_name"].startswith("silver.")]
