"""The real deliveries, built by the command on a folder and on ADLS: the same tables, row for row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netflix_dagster import storage
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.emulators.account import storage_account
from netflix_dagster_tests.storage.likeness import LAKE, PLACES, contents, upload


@pytest.mark.soak
def test_a_folder_and_adls_end_in_the_same_lake(
    landing: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shell = Shell(tmp_path, patience=3600)
    here = shell("run", "--landing", landing, "--json")
    with storage_account() as account:
        upload(landing)
        there = shell("run", *PLACES, "--json", **account.environment)
        expected, built = contents(shell.lake), contents(storage.at(LAKE))
    record_property("seconds on a folder", here.json["seconds"])
    record_property("seconds on ADLS", there.json["seconds"])
    assert (there.code, there.json["deliveries"], there.json["checks"]) == (
        here.code,
        here.json["deliveries"],
        here.json["checks"],
    )
    assert len(expected["gold.dim_title"]) > 5000
    assert built.keys() == expected.keys()
    assert [name for name in expected if expected[name] != built[name]] == []
