"""The commands that read the contracts, as their users have them: dictionary, export."""

from __future__ import annotations

import yaml

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import dictionary
from netflix_dagster_tests.cli.shell import Shell


def test_the_dictionary_is_the_same_in_every_process(shell: Shell) -> None:
    first = shell("contracts", "dictionary", PYTHONHASHSEED=1)
    assert (first.code, first.quiet) == (0, True) and first.out == dictionary.render(load_sources())
    written = shell.here("contracts", "dictionary", "--to", "new.md")
    assert (written.code, written.out) == (0, "") and "new.md" in written.err
    assert (shell.cwd / "new.md").read_text(encoding="utf-8") == first.out

    refused = shell.here("contracts", "dictionary", "--to", "no/such/folder.md")
    assert refused.code == 1 and refused.quiet and "data dictionary no/such/folder.md cannot be written" in refused.err


def test_contracts_are_exported(shell: Shell) -> None:
    every = shell.here("contracts", "export", "--to", "all")
    assert (every.code, every.out, every.quiet) == (0, "", True)
    assert {path.name for path in (shell.cwd / "all").iterdir()} == {
        f"{name}.odcs.yaml" for name in (*TABLES, *BOOKKEEPING)
    }

    azure = "abfss://mine@other.dfs.core.windows.net/x"
    one = shell.here("contracts", "export", "gold.dim_title", "--to", "one", "--lake", "my lake", "--azure", azure)
    assert one.code == 0 and "1 contract in one" in one.err
    document = yaml.safe_load((shell.cwd / "one" / "gold.dim_title.odcs.yaml").read_text(encoding="utf-8"))
    assert document["servers"][0]["path"] == f"{shell.cwd}/my lake/gold/dim_title"
    assert document["servers"][1]["location"] == f"{azure}/gold/dim_title"


def test_what_cannot_be_exported_is_told_in_a_sentence(shell: Shell) -> None:
    wrong = shell.here("contracts", "export", "gold.dim_titel", "--to", "all")
    assert (wrong.code, wrong.out, wrong.quiet) == (2, "", True)
    assert "no table gold.dim_titel" in wrong.err and "gold.dim_title" in wrong.err
    assert not (shell.cwd / "all").exists()
    (shell.cwd / "file").write_text("")
    refused = shell.here("contracts", "export", "--to", "file")
    assert refused.code == 1 and refused.quiet and "folder file cannot be written to" in refused.err
