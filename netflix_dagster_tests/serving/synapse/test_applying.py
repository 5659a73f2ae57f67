"""A database is brought up to the scripts, whatever was done to it by hand or broke off before."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from netflix_dagster.azure import identity
from netflix_dagster.defs import resources
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.synapse import synapse, synapse_assets
from netflix_dagster.lake import store
from netflix_dagster.serving.synapse import scripts
from netflix_dagster.serving.synapse.applying import apply, plan, wanted
from netflix_dagster.serving.synapse.server import SynapseError
from netflix_dagster.settings import Settings
from netflix_dagster.storage import at
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.emulators.tds import TsqlError
from netflix_dagster_tests.serving.synapse.conftest import FEW, Served, Token


def said(found: object) -> list[str]:
    return [str(step) for step in found.steps]  # type: ignore[attr-defined]


def test_a_plan_says_what_will_be_done_and_does_nothing_then_nothing_is_left(
    few: Path, serve: Callable[..., Served]
) -> None:
    served = serve(few)
    first = plan(served.settings)
    assert said(first)[0] == "make database netflix" and first.unchanged == 0
    assert said(plan(served.settings)) == said(first) and "netflix" not in served.pool.databases
    assert {name for name in said(first) if name.startswith("make view gold")} == {f"make view gold.{n}" for n in FEW}
    assert "make view metrics.hours" in said(first) and "make view metrics.titles" not in said(first)
    assert "make grant SELECT ON OBJECT::gold.kpi_catalogue TO reader" not in said(first)
    assert said(apply(served.settings)) == said(first)
    again = apply(served.settings)
    assert (again.steps, again.unchanged) == ((), len(first.steps))


def test_what_was_done_by_hand_is_found_and_undone(few: Path, serve: Callable[..., Served]) -> None:
    served = serve(few)
    apply(served.settings)
    for statement in (
        "CREATE OR ALTER VIEW gold.kpi_top10 AS /* by hand */ SELECT 1 AS one",
        "DROP VIEW metrics.hours",
        "GRANT SELECT ON SCHEMA::gold TO [reader]",
        "REVOKE SELECT ON SCHEMA::metrics FROM [analyst]",
        "CREATE ROLE [friends]",
        "CREATE USER [somebody@example.com] FROM EXTERNAL PROVIDER",
        "ALTER ROLE [analyst] ADD MEMBER [somebody@example.com]",
        "GRANT SELECT ON OBJECT::gold.kpi_top10 TO [somebody@example.com]",
        "DROP EXTERNAL DATA SOURCE [kpi_top10]",
        "CREATE EXTERNAL DATA SOURCE [kpi_top10] WITH (LOCATION = '" + f"{few}/elsewhere', CREDENTIAL = [kpi_top10])",
        "CREATE OR ALTER VIEW dbo.mine AS /* mine */ SELECT 1 AS one",
        "CREATE OR ALTER VIEW gold.old AS /* made aaaaaaaaaaaa */ SELECT 1 AS one",
        "CREATE OR ALTER VIEW gold.mine AS /* mine */ SELECT 1 AS one",
    ):
        served.pool.answer("netflix", statement)
    found = apply(served.settings)
    assert set(said(found)) == {
        "change view gold.kpi_top10",
        "make view metrics.hours",
        "drop grant SELECT ON SCHEMA::gold TO reader",
        "make grant SELECT ON SCHEMA::metrics TO analyst",
        "drop role friends",
        "drop user somebody@example.com",
        "drop member somebody@example.com of analyst",
        "drop grant SELECT ON OBJECT::gold.kpi_top10 TO somebody@example.com",
        "change data source kpi_top10",
        "drop view gold.old",
    }
    assert said(plan(served.settings)) == []


def test_what_broke_off_is_told_and_goes_on(
    few: Path, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(few)
    answer = served.pool.answer

    def full(database: str, sql: str, who: str | None) -> object:
        if sql.startswith("CREATE OR ALTER VIEW metrics.views "):
            raise TsqlError(701, "There is insufficient system memory to run this query.")
        return answer(database, sql, who)

    monkeypatch.setattr(served.pool, "answer", full)
    with pytest.raises(SynapseError) as told:
        apply(served.settings)
    for words in ("make view metrics.views (05_metrics.sql)", "insufficient system memory", "No data was touched"):
        assert words in str(told.value)
    monkeypatch.setattr(served.pool, "answer", answer)
    left = apply(served.settings)
    assert said(left)[0] == "make view metrics.views" and said(plan(served.settings)) == []


def test_a_stranger_is_let_nowhere(few: Path, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(few)
    monkeypatch.setattr(identity, "token", lambda scope, tenant=None: Token("aaaa.bbbb.dddd"))
    with pytest.raises(SynapseError, match=r"lets nobody in to master: .*Login failed.*Nothing was changed"):
        plan(served.settings)


def test_a_database_of_another_collation_is_not_touched(few: Path, serve: Callable[..., Served]) -> None:
    served = serve(few)
    served.pool.create("netflix", "Latin1_General_100_CI_AS")
    with pytest.raises(SynapseError, match=r"has the collation Latin1_General_100_CI_AS, not .*UTF8"):
        apply(served.settings)
    assert not any("CREATE" in batch for batch in served.server.batches)


def test_files_are_named_as_the_lake_of_azure_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "versions", lambda lake, names: dict.fromkeys(names, 1))
    found = wanted(Settings(lake=at("abfss://{zone}@account.dfs.core.windows.net"), synapse="x-ondemand"))
    sources = {what.name: what.mark for _, what in found if what.kind == "data source"}
    assert sources["gold"] == "abfss://gold@account.dfs.core.windows.net"
    assert sources["kpi_top10"] == "abfss://gold@account.dfs.core.windows.net/kpi_top10"
    assert len(found) == len(list(scripts.read())) and not any("$(" in what.make for _, what in found)


def test_the_asset_tells_what_changed_and_is_there_only_with_an_endpoint(
    few: Path, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(synapse_assets(Settings(synapse=None))) == []
    both = synapse_assets(Settings(synapse="x", synapse_pool="p"))
    assert [asset.key.path[-1] for asset in both] == ["synapse", "synapse_pool"]
    served = serve(few)
    monkeypatch.setattr(resources, "get_settings", lambda: served.settings)
    for expected in (True, False):
        result = dg.materialize([synapse], resources={"lake": Lake.from_settings(served.settings)})
        (event,) = result.asset_materializations_for_node("serving__synapse")
        assert ("make view gold.kpi_top10" in str(event.metadata["changed"].value)) is expected


def test_the_command_plans_and_applies(few: Path, serve: Callable[..., Served], shell: Shell) -> None:
    served = serve(few)
    given = {"NETFLIX_SYNAPSE": served.settings.synapse, "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
    planned = shell.here("synapse", "plan", "--json", "--lake", few, **given)
    assert planned.code == 0, planned.err
    steps = json.loads(planned.out)["steps"]
    assert steps[0] == {"do": "make", "kind": "database", "name": "netflix", "script": "01_database.sql"}
    applied = shell.here("synapse", "apply", "--lake", few, **given)
    assert applied.code == 0 and "view gold.kpi_top10" in applied.out
    assert "unchanged" in shell.here("synapse", "plan", "--lake", few, **given).out
    nowhere = shell.here("synapse", "plan", "--lake", few)
    assert nowhere.code == 1 and "NETFLIX_SYNAPSE is not set" in nowhere.err
