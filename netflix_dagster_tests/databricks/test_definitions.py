"""What the code location holds when tables are built on Databricks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netflix_dagster.contracts.graph import left_out
from netflix_dagster.contracts.report import Check, Outcome, Report
from netflix_dagster.databricks.jobs import DatabricksRefused, DatabricksSettings, task
from netflix_dagster.defs.assets import table_assets

LOADED = """
import sys
from netflix_dagster.definitions import defs
assert [node.name for node in defs.resolve_job_def("catalogue_delivery").nodes] == ["databricks"]
assert type(defs.resources["lake"]).__name__ == "LakeOnDatabricks"
print(sorted({"databricks.sdk", "pyspark", "azure.identity", "dagster_databricks"} & set(sys.modules)))
"""


def test_the_code_location_loads_without_credentials_and_without_the_client(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "AZURE_", "ARM_"))}
    said = {"NETFLIX_COMPUTE": "databricks", "NETFLIX_LAKE": str(tmp_path), "NETFLIX_LANDING": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", LOADED], env={**kept, **said}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_assets_are_those_of_a_build_on_this_machine() -> None:
    here, (there,) = table_assets("local"), table_assets("databricks")
    assert {spec.key: spec for spec in there.specs} == {spec.key: spec for assets in here for spec in assets.specs}
    assert {check.key: check for check in there.check_specs} == {
        check.key: check for assets in here for check in assets.check_specs
    }


def test_a_report_that_went_through_json_tells_the_same() -> None:
    check = Check("unique", "fail", "every title once", 1, 9, "one twice", {"more": 2}, [{"title": "a"}], {"weeks": 3})
    outcomes = {"2020-01-01": Outcome(8, 1, 0, "unique: one twice", checks=[check]), None: Outcome()}
    report = Report("silver.titles", ("2020-01-01",), outcomes, 3, 8, 0.5, [{"title": "a", "year": 2020}])
    assert Report.from_json(report.as_json()) == report
    assert report.blocked


def test_what_is_made_from_a_blocked_table_is_left_out_and_nothing_else() -> None:
    tables = ("bronze.netflix_catalogue", "bronze.netflix_titles", "silver.titles", "gold.dim_genre")
    assert left_out(tables, {"bronze.netflix_catalogue"}) == {"silver.titles", "gold.dim_genre"}
    assert left_out(tables, set()) == set()


@pytest.mark.parametrize(
    ("said", "why"),
    [({"wheel": ""}, "does not name a wheel"), ({"wheel": "/Volumes/a.whl", "cluster": "{nothing"}, "is no JSON")],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_submitted(said: dict[str, str], why: str) -> None:
    with pytest.raises(DatabricksRefused, match=why):
        task(DatabricksSettings(**said), [])
