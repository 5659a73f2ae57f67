"""Commands that do not build: sample, land, home; and calls that cannot be answered, each told in a sentence."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

import netflix_dagster.__main__
from netflix_dagster.landing.sources import PACKAGED
from netflix_dagster.sample import sample_files
from netflix_dagster.sample.charts import garbage_files
from netflix_dagster_tests.cli.shell import Shell


def test_sample_writes_the_deliveries_once(shell: Shell) -> None:
    first = shell.here("sample", "landing here")
    landed, garbage = shell.cwd / "landing here", garbage_files()
    written = _files(landed)
    assert (first.code, first.out, first.quiet) == (0, "", True)
    good = {place: data for place, data in sample_files().items() if place not in garbage}
    assert {place: path.read_bytes() for place, path in written.items()} == good
    assert f"{len(written)} sample files" in first.err

    before = {path: path.stat().st_ctime_ns for path in written.values()}
    assert shell.here("sample", "landing here").code == 0
    assert {path: path.stat().st_ctime_ns for path in written.values()} == before

    assert len(garbage) == 3, "as --help says"
    more = shell.here("sample", "landing here", "--garbage")
    assert more.code == 0 and f"{len(sample_files())} sample files" in more.err
    assert {place: path.read_bytes() for place, path in _files(landed).items()} == good | garbage
    assert {path: path.stat().st_ctime_ns for path in written.values()} == before

    (shell.cwd / "file").write_text("")
    refused = shell.here("sample", "file")
    assert refused.code == 1 and refused.quiet and str(shell.cwd / "file") in refused.err


def test_land_puts_a_file_where_the_next_run_looks(shell: Shell) -> None:
    file = shell.cwd / "Große Lieferung.csv"
    file.write_bytes(b"show_id\xff\n1\n")
    landed = shell.here("land", file.name, "--source", "netflix_catalogue", "--date", "2024-02-29")
    assert (landed.code, landed.out, landed.quiet) == (3, "", True), "it is no text; it lands all the same"
    target = shell.landing / "netflix_catalogue" / "2024-02-29" / file.name
    assert target.read_bytes() == file.read_bytes() and str(target) in landed.err

    days = {datetime.now(UTC).date().isoformat()}
    assert shell.here("land", file, "--source", "netflix_cast", "--landing", "elsewhere").code == 3
    days.add(datetime.now(UTC).date().isoformat())  # it may be midnight
    (undated,) = (shell.cwd / "elsewhere").rglob("*.csv")
    assert undated.parent.name in days and undated.parent.parent.name == "netflix_cast"
    assert sorted(path.name for path in shell.cwd.rglob(".*")) == [], "nothing half-done is left"


def test_land_refuses_what_the_next_run_would_pass_over(shell: Shell) -> None:
    for name in ("a.csv", "a.xlsx", "_a.csv"):
        (shell.cwd / name).write_text("show_id\n1\n")
    wrong = {
        ("a.csv", "netflix_catalog", "2024-01-01"): ("'netflix_catalog'", "netflix_catalogue", "netflix_directors"),
        ("a.csv", "netflix_catalogue", "2024-02-30"): ("'2024-02-30'", "YYYY-MM-DD"),
        ("a.csv", "netflix_catalogue", "1.2.2024"): ("'1.2.2024'", "YYYY-MM-DD"),
        ("a.xlsx", "netflix_catalogue", "2024-01-01"): ("a.xlsx", "*.csv"),
        ("_a.csv", "netflix_catalogue", "2024-01-01"): ("_a.csv", "rename"),
        ("b.csv", "netflix_catalogue", "2024-01-01"): ("no file b.csv",),
        (".", "netflix_catalogue", "2024-01-01"): (". is not a file",),
    }
    for (file, source, day), reasons in wrong.items():
        said = shell.here("land", file, "--source", source, "--date", day)
        assert (said.code, said.out, said.quiet) == (2, "", True), said
        assert all(reason in said.err for reason in reasons), said.err
        assert said.err.count("\n") == 1
    assert not shell.landing.exists()


def test_home_is_made_beside_the_tables_and_printed(shell: Shell) -> None:
    made = shell.here("home", "--lake", "my lake")
    home = shell.cwd / "my lake" / ".dagster"
    assert (made.code, made.out, made.err) == (0, f"{home}\n", "")
    assert "max_concurrent_runs" in (home / "dagster.yaml").read_text()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert shell.here("home", NETFLIX_LAKE="my lake").out == f"{home}\n"
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n", "a home of one's own is kept"
    assert shell.here("home", DAGSTER_HOME=shell.cwd / "other").out == f"{shell.cwd / 'other'}\n"


def test_nothing_landed_is_nothing_to_do(shell: Shell) -> None:
    said = shell.here("run")
    assert said.code == 0 and said.quiet
    assert f"nothing has landed in {shell.landing}" in said.out
    assert f"netflix-dagster sample {shell.landing}" in said.out, "and what to do about it"

    shell.landing.mkdir(parents=True)
    (shell.landing / "notes.txt").write_text("")
    (shell.landing / "netflx_catalogue" / "2024-01-01").mkdir(parents=True)
    found = shell.here("run", "--json").json
    assert (found["status"], found["exit_code"], found["runs"], found["tables"]) == ("ok", 0, [], {})
    assert found["deliveries"] == {"landed": 0, "built": 0, "held_back": []}
    assert found["strays"] == [str(shell.landing / "notes.txt")]
    assert found["unknown_sources"] == [str(shell.landing / "netflx_catalogue")]


WRONG = {
    "unknown source": (["run", "--source", "nope"], {}, 2, ["'nope'", "netflix_catalogue", "netflix_cast"]),
    "landing is a file": (["run", "--landing", "file"], {}, 2, ["{cwd}/file is a file"]),
    "lake is a file": (["run", "--lake", "file"], {}, 1, ["{cwd}/file/.dagster cannot be written to"]),
    "lake is not to be made": (["run"], {"NETFLIX_LAKE": "/proc/lake"}, 1, ["/proc/lake/.dagster cannot be written"]),
    "home is not to be made": (["home", "--lake", "file/lake"], {}, 1, ["{cwd}/file/lake/.dagster cannot be written"]),
    "unknown engine": (["run"], {"NETFLIX_ENGINE": "duck"}, 2, ["NETFLIX_ENGINE=duck", "'sail'"]),
    "no sources": (["run"], {"NETFLIX_SOURCES": "nope.yaml"}, 2, ["{cwd}/nope.yaml: cannot be read"]),
    "land elsewhere": (
        ["land", "file", "--source", "netflix_cast", "--landing", "file/x"],
        {"NETFLIX_SOURCES": "any.yaml"},
        1,
        ["landing folder {cwd}/file/x cannot be written"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_told_in_a_sentence(shell: Shell, case: str) -> None:
    arguments, settings, code, reasons = WRONG[case]
    (shell.cwd / "file").write_text("")
    (shell.cwd / "any.yaml").write_text(PACKAGED.read_text().replace('files: "*.csv"', 'files: "*"'))
    said = shell.here(*arguments, **settings)
    assert (said.code, said.out) == (code, "") and said.quiet, said
    assert said.err.count("\n") == 1, said.err
    for reason in reasons:
        assert reason.format(cwd=shell.cwd) in said.err
    assert (shell.cwd / "file").read_text() == ""


def test_a_lake_that_cannot_be_written_to(shell: Shell) -> None:
    """Permissions do not stop root; that a folder is a file stops everybody."""
    shell.lake.mkdir(parents=True)
    (shell.lake / "_locks").write_text("")
    said = shell.here("run")
    assert (said.code, said.out) == (1, "") and said.err.count("\n") == 1
    assert f"the lake {shell.lake} cannot be written to" in said.err


def test_broken_sources_are_named_by_file_and_line(shell: Shell) -> None:
    text = PACKAGED.read_text().replace("    form: whole\n", "    form: wohle\n", 1)
    line = text[: text.index("form: wohle")].count("\n") + 1
    sources = shell.cwd / "sources.yaml"
    sources.write_text(text + "  netflix_extra: {feed: nope}\n")
    (shell.cwd / "a.csv").write_text("show_id\n")
    for call in (["run"], ["run", "--json"], ["land", "a.csv", "--source", "netflix_cast"]):
        said = shell.here(*call, NETFLIX_SOURCES="sources.yaml")
        assert said.code == 2 and said.quiet, said
        assert f"{sources}:{line}: sources.netflix_catalogue.form" in said.err
        assert f"{sources}:{len(sources.read_text().splitlines())}: sources.netflix_extra" in said.err, "every fault"
        if "--json" in call:
            assert said.json == {"status": "wrong call", "exit_code": 2, "error": said.err.rstrip("\n")}
        else:
            assert said.out == ""
    assert not (shell.lake / "bronze").exists()


def test_help_names_every_command(shell: Shell) -> None:
    said = shell("--help")
    assert (said.code, said.err) == (0, "")
    commands = (
        "run",
        "land",
        "accept",
        "deliveries",
        "sample",
        "query",
        "quarantine",
        "profile",
        "contracts",
        "doctor",
    )
    assert all(command in said.out for command in (*commands, "home"))
    assert shell.here("rum").code == 2 and shell.here("run", "--agian").code == 2


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_ctrl_c_while_modules_load_is_a_sentence(shell: Shell) -> None:
    """A library that takes its time, in the middle of which somebody presses Ctrl-C."""
    (shell.cwd / "pydantic.py").write_text(
        "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(60)\n"
        "except BaseException as e:\n    raise ImportError('half loaded') from e\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "netflix_dagster", "run", "--json"],
        cwd=shell.cwd,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"] == 130 and said["status"] == "stopped"
    assert done.stderr == said["error"] + "\n" and "nothing was begun" in done.stderr
    assert not shell.lake.exists()
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["netflix-dagster"] == f"{netflix_dagster.__main__.__name__}:{netflix_dagster.__main__.main.__name__}"
