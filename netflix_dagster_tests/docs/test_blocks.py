"""Every block of every page is run in the order of the page, and what it promises is in what is said.

A block that cannot be run here says so in the line above it, see ``pages``; and it must need what it says it needs.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer
import yaml

from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.lake.query import query
from netflix_dagster.serving.warehouse import FILE, asked_for
from netflix_dagster_tests.cli.shell import Said, Shell
from netflix_dagster_tests.docs.pages import PAGES, ROOT, Block, blocks
from netflix_dagster_tests.infra.test_workflows import TARGETS
from netflix_dagster_tests.lakehouse import as_csv, title

NEEDS = {
    "Azure": r"\baz |NETFLIX_ENV=azure|NETFLIX_SYNAPSE=|customDimensions|information\.columns|netflix-dagster verify"
    r"|infra\.access powerbi ID",
    "Databricks": r"\bdatabricks |MEASURE\(",
    "Java": r"--engine spark|netflix_dagster\.pipelines",
    "Spark Connect": r"--engine remote",
    "a network": r"netflix-dagster fetch|pip install",
    "a database": r"source add \w+ --database",
}
"""What cannot be had everywhere, and how a block shows that it uses it."""
FROM_NOTHING = {"new-source.md"}
"""Pages that begin in an empty folder; all others after a first run on the sample."""
FILES = {
    "Downloads/netflix_titles.csv": as_csv(map(title, range(30))),
    "broadcasts.csv": "id,name,minutes\n1,Late,30\n2,Early,45\n3,Never,60\n",
}
"""Files of the reader that pages speak of."""
NOTHING_FOUND = {"quality.md"}
"""Pages that look for what is wrong, of which the sample has nothing."""
CONSOLE = [page for page in PAGES if any(block.language == "console" for block in blocks(page))]
OTHER = [page for page in PAGES if {"python", "sql", "yaml"} & {block.language for block in blocks(page)}]


def _name(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        if block.language == "{toctree}":
            continue  # names pages: making the site fails at one that is not there
        assert block.language in {"console", "python", "sql", "csv", "yaml", "mermaid", "kusto", "text"}, block.text
        assert (block.language == "csv") == (block.file is not None), f"a csv block names its file: {block.text}"
        assert block.language != "kusto" or block.needs, "only Azure runs it"
        if block.needs:
            assert re.search(NEEDS[block.needs], block.text), f"it does not need {block.needs}: {block.text}"
        elif block.language == "console":
            for needs, sign in NEEDS.items():
                assert not re.search(sign, block.text), f"it needs {needs}, and does not say so: {block.text}"


@pytest.mark.parametrize("page", CONSOLE, ids=_name)
def test_the_commands_of_a_page(page: Path, built: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Shell(tmp_path) if page.name in FROM_NOTHING else built.copy(tmp_path)
    if page.name == "README.md":  # it tells the sample from the reader's own
        sample = (tmp_path / "data").rename(tmp_path / "sample")
        (tmp_path / "data").mkdir()
        sample.rename(tmp_path / "data" / "sample")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, newline="")
    monkeypatch.setattr(typer, "launch", lambda _: 0)
    terminal = Terminal(reader)
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "console" and not block.needs:
            terminal.read(block)


class Terminal:
    """A reader at a terminal: one folder, one environment, command after command. The command runs in this process."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.settings: dict[str, str] = {"HOME": str(shell.cwd), "EDITOR": "true", "COLUMNS": "200"}

    def read(self, block: Block) -> None:
        """Type the commands of a block; what stands between them is what they print."""
        text = block.text.replace("\\\n", " ")
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *lines = part.rstrip("\n").split("\n")
            typed = [line.removeprefix("netflix> ") for line in lines if line.startswith("netflix> ")]
            said = self.type(command, "\n".join(typed) or None)
            assert said.code == 0, f"{command}\n{said.out}{said.err}"
            seen = " ".join((said.out + said.err).split())
            promised = [line for line in lines if line and not line.startswith("netflix> ")]
            assert [line for line in promised if " ".join(line.split()) not in seen] == [], f"{command}\n{said.out}"

    def type(self, command: str, stdin: str | None) -> Said:
        command, _, file = re.sub(r"\s+#.*", "", command).partition(" > ")
        words = self._bash(f"printf '%s\\n' {command}").splitlines()
        settings = dict(self.settings)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        if words[0] == "export":
            self.settings |= {name: value for name, _, value in (word.partition("=") for word in words[1:])}
            return Said(0, "", "")
        if words[0] == "make":  # what it installs and runs is what CI does
            return Said(0 if words[1] in TARGETS else 2, "", "")
        if not words[0].endswith("netflix-dagster"):
            return Said(0, self._bash(command), "")
        said = self.shell.here(*words[1:], stdin=stdin, **settings)
        if file:
            (self.shell.cwd / file.strip()).write_text(said.out, encoding="utf-8")
        return said

    def _bash(self, command: str) -> str:
        environment = self.shell.environment(**self.settings)
        return subprocess.run(
            ["bash", "-ec", command], cwd=self.shell.cwd, env=environment, check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture
def at_the_sample(built: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The sample is the lake of this process; a metric that a page declares is forgotten."""
    known = dict(METRICS)
    monkeypatch.setenv("NETFLIX_LAKE", str(built.lake))
    yield built.lake
    METRICS.clear()
    METRICS.update(known)


@pytest.mark.parametrize("page", OTHER, ids=_name)
def test_the_code_of_a_page(page: Path, at_the_sample: Path) -> None:
    """Every statement of SQL has an answer; of README's Python, what declares a table has a test of its own."""
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.language == "python" and not block.needs and "@table(" not in block.text:
            exec(compile(ast.parse(block.text), page.name, "exec"), names)
        elif block.language == "sql" and not block.needs:
            for statement in block.text.strip().rstrip(";").split(";"):
                assert _answer(at_the_sample, statement) or page.name in NOTHING_FOUND, statement
        elif block.language == "yaml":
            assert yaml.safe_load(block.text)


def _answer(lake: Path, statement: str) -> int:
    """The rows of an answer; only the warehouse knows of which versions of the tables it was made."""
    if "FROM versions" not in statement:
        return query(lake, statement, None, asked_for(statement)).num_rows
    with duckdb.connect(str(lake / "serving" / FILE), read_only=True) as connection:
        return len(connection.execute(statement).fetchall())


def test_the_sample_does_not_meet_the_deliveries_of_the_reader(tmp_path: Path) -> None:
    """``make run`` has folders of its own whatever `.env` says; the others show what `.env` names."""
    stub = tmp_path / "netflix-dagster"
    stub.write_text('#!/bin/sh\n[ "$1" = sample ] && echo "sample $2"; echo "$1 $NETFLIX_LAKE"\n')
    stub.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NETFLIX_", "MAKE"))}

    def make(*words: str) -> list[str]:
        call = ["make", "-s", "-f", str(ROOT / "Makefile"), "-o", ".venv/.ready", f"BIN={tmp_path}", *words]
        return subprocess.run(call, cwd=tmp_path, env=kept, check=True, capture_output=True, text=True).stdout.split()

    sample = [str(tmp_path / "data" / "sample" / name) for name in ("landing", "lake")]
    first = ["sample", sample[0], "sample", sample[1], "run", sample[1]]
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    assert make("run") == first
    assert make("dashboard") == ["dashboard", sample[1]]
    (tmp_path / ".env").write_text("NETFLIX_LAKE=mine\n")
    assert make("run") == first and make("dashboard") == ["dashboard"], "the command reads .env itself"
    assert make("run", "NETFLIX_LAKE=elsewhere")[-1] == "elsewhere"

    dagster = tmp_path / "dagster"
    dagster.write_text('#!/bin/sh\necho "$@"\n')
    dagster.chmod(0o755)
    for words, lake in (((), "the lake of .env"), (("NETFLIX_LAKE=elsewhere",), "elsewhere")):
        said = " ".join(make("dev", "PORT=3987", *words))
        assert said.startswith("Dagster is at http://localhost:3987 in a moment") and f"shows {lake}. dev -w" in said
        assert "--log-level error" in said, "or what the services tell of themselves carries the address away"
