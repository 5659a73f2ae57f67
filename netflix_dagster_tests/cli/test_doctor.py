"""``netflix-dagster doctor``: what is configured, what is missing, and how to mend it."""

from __future__ import annotations

import pytest

from netflix_dagster.landing.sources import PACKAGED, load_sources
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.lakehouse import as_csv, title


def test_a_healthy_house(built: Shell) -> None:
    said = built.here("doctor", "--json")
    assert said.code == 0 and said.quiet, said.out
    findings = {finding["what"]: finding for finding in said.json["findings"]}
    assert all(finding["ok"] and not finding["mend"] for finding in findings.values())
    landed = sum(map(len, built.deliveries.values()))
    assert findings["landing"]["found"] == f"{built.landing}: {landed} deliveries"
    assert findings["lake"]["found"] == f"{built.lake}: {len(built.versions())} tables"
    assert findings["deliveries"]["found"] == f"{landed} landed, {landed} taken up, 0 held back"
    assert "answers" in findings["engine"]["found"] and "deltalake" in findings["packages"]["found"]
    assert findings["sources"]["found"].startswith(f"{len(load_sources().sources)} sources in ")

    shown = built.here("doctor")
    assert shown.code == 0 and shown.quiet
    assert [line.split()[0] for line in shown.out.splitlines()] == ["ok"] * len(findings)


@pytest.mark.usefixtures("unserved")
def test_a_changed_file_is_not_taken_up_until_it_is_built(shell: Shell) -> None:
    """Whatever its builds come to: runs that fail before they begin leave nothing in the lake."""
    for day in ("2024-03-15", "2024-04-15"):
        shell.land("netflix_catalogue", day, as_csv([title(1)]))
    assert shell.here("run").code == 0
    shell.land("netflix_catalogue", "2024-04-15", as_csv([title(1), title(2)]))
    findings = {finding["what"]: finding for finding in shell.here("doctor", "--json").json["findings"]}
    counted, *waiting = findings["deliveries"]["found"].splitlines()
    assert counted == "2 landed, 1 taken up, 0 held back"
    assert waiting == ["new or changed, not taken up yet: netflix_catalogue 2024-04-15"]


def test_an_ill_house_is_told_how_to_mend_it(shell: Shell) -> None:
    sources = shell.cwd / "my.yaml"
    sources.write_text(PACKAGED.read_text().replace("  netflix_cast:\n", "  netflix_cast:\n    colour: red\n", 1))
    line = sources.read_text().splitlines().index("    colour: red") + 1
    (shell.cwd / "file").write_text("")
    said = shell.here("doctor", "--json", "--lake", "file/lake", NETFLIX_SOURCES="my.yaml", NETFLIX_ENGINE="spark")
    assert said.code == 1 and said.quiet
    ill = {finding["what"]: finding for finding in said.json["findings"] if not finding["ok"]}
    assert set(ill) == {"sources", "tables", "landing", "lake", "engine", "deliveries"}
    assert all(finding["mend"] for finding in ill.values())
    assert ill["sources"]["found"].startswith(f"{sources}:{line}: sources.netflix_cast.colour")
    assert ill["landing"]["mend"] == f"netflix-dagster sample {shell.landing}"
    assert f"{shell.cwd / 'file'} is a file" in ill["lake"]["found"]
    assert not (shell.cwd / "data").exists(), "a doctor looks and touches nothing"

    shown = shell.here("doctor", NETFLIX_SOURCES="my.yaml")
    assert shown.code == 1 and "Traceback" not in shown.out + shown.err
    assert any(row.startswith("mend") and f"{sources}:{line}" in row for row in shown.out.splitlines())


def test_the_doctor_loads_what_a_run_loads(shell: Shell) -> None:
    """A file of sources that names one feed alone can be used; one that breaks the contract of a table is told of."""
    sources = shell.cwd / "sources.yaml"
    (shell.cwd / "pets.csv").write_text("id,name\n1,Rex\n2,Mimi\n3,Bella\n")
    sources.write_text(shell.here("profile", "pets.csv").out)
    said = shell.here("doctor", "--json", NETFLIX_SOURCES=sources)
    tables = next(finding for finding in said.json["findings"] if finding["what"] == "tables")
    assert tables["ok"], tables
    assert shell.here("run", NETFLIX_SOURCES=sources).code == 0

    sources.write_text(PACKAGED.read_text().replace("      release_year", "      year_of_release"))
    said = shell.here("doctor", "--json", NETFLIX_SOURCES=sources)
    ill = {finding["what"]: finding["found"] for finding in said.json["findings"] if not finding["ok"]}
    assert said.code == 1 and "silver.titles" in ill["tables"] and "release_year" in ill["tables"], ill
