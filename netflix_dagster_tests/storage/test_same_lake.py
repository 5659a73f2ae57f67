"""The same deliveries, built by the command on a folder and on ADLS, end in the same tables, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import attempts
from netflix_dagster.lake import store
from netflix_dagster.serving import pictures
from netflix_dagster_tests.cli.shell import Said, Shell
from netflix_dagster_tests.emulators.azurite import Azurite
from netflix_dagster_tests.storage.likeness import LAKE, LANDED, PLACES, contents, upload

HOSTILE = "titel ü #1 100% a%20b.csv"


@dataclass(frozen=True)
class Both:
    """A folder with a lake, and a storage account with one; ``here`` and ``there`` call the command on each."""

    shell: Shell
    account: Azurite

    def here(self, *arguments: object) -> Said:
        return self.shell(*arguments)

    def there(self, *arguments: object, **settings: object) -> Said:
        return self.shell(*arguments, **self.account.environment, **settings)


@pytest.fixture(scope="module")
def both(account: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The sample deliveries, landed and built in both; one file has a name that a URL would misunderstand."""
    both = Both(Shell(tmp_path_factory.mktemp("both")), account)
    assert both.here("sample", "data/landing").code == 0
    (file,) = (both.shell.landing / "netflix_catalogue" / "2024-03-15").iterdir()
    file.rename(file.with_name(HOSTILE))
    upload(both.shell.landing)
    for said in (both.here("run", "--json"), both.there("run", *PLACES, "--json")):
        assert said.code == 0, said.err
    yield both


@pytest.fixture(scope="module")
def built(both: Both) -> dict[str, list[str]]:
    return contents(storage.at(LAKE))


def test_the_same_rows_lie_in_both(both: Both, built: dict[str, list[str]]) -> None:
    expected = contents(both.shell.lake)
    assert len([name for name in expected if name.startswith("gold.")]) >= 20
    assert built.keys() == expected.keys()
    assert [name for name in expected if expected[name] != built[name]] == []
    assert sum(HOSTILE in row for row in built["bronze.netflix_catalogue"]) > 50


def test_each_layer_lies_in_its_container_and_staging_is_empty(built: dict[str, list[str]]) -> None:
    for container in ("bronze", "silver", "gold", "quarantine"):
        held = [n for n in storage.folders(storage.at(LAKE.format(zone=container))) if n != attempts.FOLDER]
        layer = {"quarantine": "quality"}.get(container, container)
        assert {f"{layer}.{name}" for name in held} - built.keys() <= {"quality.deliveries"}
        assert len(held) > 3
    assert list(storage.stored(storage.AzureFolder("devstoreaccount1", "checkpoints"))) == []


def test_the_warehouse_lies_in_its_container_with_a_copy_here_and_says_the_same(
    both: Both, built: dict[str, list[str]]
) -> None:
    copy = both.shell.cwd / both.there("run", *PLACES, "--json").json["serving"]["warehouse"]
    sent = storage.at(LAKE.format(zone="serving")) / "warehouse.duckdb"
    assert storage.read(sent) == copy.read_bytes()
    asked = "SELECT table_name, row_count FROM versions WHERE table_name LIKE 'gold.%' ORDER BY ALL"
    local = both.shell.lake / "serving" / "warehouse.duckdb"
    there, here = (duckdb.connect(str(file), read_only=True).execute(asked).fetchall() for file in (copy, local))
    assert there == here and len(here) >= 20


def test_every_gold_asset_shows_the_same_chart(
    both: Both, built: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_adls = both.shell.cwd / "data" / ".dagster" / storage.as_name(storage.at(LAKE))
    here, there = (charts(home) for home in (both.shell.lake / ".dagster", of_adls))
    drawn = {name for name, chart in here.items() if chart.startswith("![")}
    assert drawn == {name for name in built if name.startswith("gold.")}
    assert here == there
    monkeypatch.setattr(pictures, "MOST_FETCHED", 0)
    assert "too much to be fetched" in str(pictures.picture(storage.at(LAKE), "gold.dim_title"))


def charts(home: Path) -> dict[str, str]:
    """The charts on the pages of assets, as a Dagster home has them."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        keys = {name: dg.AssetKey(name.split(".")) for name, table in TABLES.items() if table.layer == "gold"}
        found = instance.get_latest_materialization_events(list(keys.values()))
        metadata = {name: event.asset_materialization for name, key in keys.items() if (event := found.get(key))}
        return {name: str(said.metadata["chart"].value) for name, said in metadata.items() if said}


def test_a_second_run_finds_nothing_to_do(both: Both) -> None:
    said = both.there("run", *PLACES, "--json")
    assert (said.code, said.json["runs"], said.json["landing"], said.json["lake"]) == (0, [], LANDED, LAKE)
    assert said.json["tables"].keys() == both.here("run", "--json").json["tables"].keys()


@pytest.mark.parametrize("sql", ["SELECT * FROM gold.kpi_catalogue ORDER BY ALL", "SHOW TABLES"])
def test_sql_has_the_same_answer(both: Both, sql: str) -> None:
    here, there = (ask("query", sql, "--format", "csv") for ask in (both.here, lambda *a: both.there(*a, *PLACES[2:])))
    assert (there.code, there.out) == (0, here.out)


def test_sql_as_of_an_instant_before_the_lake(both: Both) -> None:
    said = both.there("query", "SELECT 1 FROM gold.dim_title", "--as-of", "2020-01-01", *PLACES[2:])
    assert said.code == 2
    assert "There were no tables in" in said.err and "2020-01-01" in said.err


def test_the_doctor_finds_all_well(both: Both) -> None:
    said = both.there("doctor", *PLACES, "--json")
    found = {finding["what"]: finding for finding in said.json["findings"]}
    assert (said.code, [what for what, finding in found.items() if not finding["ok"]]) == (0, [])
    assert LANDED in found["landing"]["found"] and "26 deliveries" in found["landing"]["found"]
    assert LAKE in found["lake"]["found"]


def test_the_doctor_names_a_container_that_is_not_there(both: Both) -> None:
    lake = "abfss://elsewhere@devstoreaccount1.dfs.core.windows.net"
    said = both.there("doctor", "--landing", LANDED, "--lake", lake, "--json")
    found = {finding["what"]: finding for finding in said.json["findings"]}
    assert said.code == 1
    assert not found["lake"]["ok"]
    assert "'elsewhere'" in found["lake"]["found"]
    said = both.there("query", "SELECT 1", "--lake", lake)
    assert said.code == 1
    assert said.quiet and "ContainerNotFound" in said.err


def test_refused_rows_are_listed_explained_and_judged_anew(both: Both) -> None:
    """Both lakes get the same replay; they must be alike after it as well."""
    here, there = both.here("quarantine", "list", "--json"), both.there("quarantine", "list", *PLACES[2:], "--json")
    listed: list[dict[str, Any]] = there.json["rows"]
    times = ("run_id", "refused_at")
    assert listed and [without(row, times) for row in listed] == [without(row, times) for row in here.json["rows"]]
    (row,) = both.there("quarantine", "show", "1", *PLACES, "--json").json["rows"]
    assert row["raw"] == listed[0]["raw"]
    assert f"{LANDED}/{row['source']}/{row['delivery_date']}/{row['source_file']}" in row.values()

    before = store.version(storage.at(LAKE), "silver.title_cast")
    call = ("quarantine", "replay", "--table", "silver.title_cast", "--json")
    replayed = both.there(*call, *PLACES), both.here(*call)
    assert replayed[0].code == replayed[1].code == 3
    assert replayed[0].json["rows"] == replayed[1].json["rows"]
    after = store.version(storage.at(LAKE), "silver.title_cast")
    assert before is not None and after is not None and after > before
    assert contents(storage.at(LAKE)) == contents(both.shell.lake)


def test_what_is_no_place_or_lacks_a_setting_is_a_wrong_call(both: Both) -> None:
    said = both.there("run", "--lake", "abfss://gold@nowhere")
    assert said.code == 2
    assert "write abfss://container@account" in said.err
    said = both.there("doctor", NETFLIX_ENV="azure", NETFLIX_ACCOUNT="someaccount")
    assert said.code == 2
    assert "NETFLIX_TENANT, NETFLIX_VAULT" in said.err and said.quiet


def without(row: dict[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in columns}
