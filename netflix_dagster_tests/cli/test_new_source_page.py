"""docs/new-source.md as its reader does it: from an empty folder, every command, what it promises in what is said."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from netflix_dagster_tests.cli.shell import COMMAND, Shell

PAGE = Path(__file__).parents[2] / "docs" / "new-source.md"
_FILE = re.compile(r"<!-- (?P<name>\S+) -->\n```csv\n(?P<body>.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def test_the_page_does_what_it_says(shell: Shell) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for file in _FILE.finditer(page):
        (shell.cwd / file["name"]).write_text(file["body"], encoding="utf-8")
    lines = [line for block in _CONSOLE.findall(page) for line in block.rstrip("\n").split("\n")]
    commands = [line[2:] for line in lines if line.startswith("$ ")]
    promised = [line for line in lines if not line.startswith("$ ")]
    assert len(commands) > 8 and len(promised) > 8
    path = f"{Path(COMMAND).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"],
        input="\n".join(commands),
        cwd=shell.cwd,
        env=shell.environment(PATH=path, COLUMNS=200),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert [line for line in promised if " ".join(line.split()) not in said] == [], done.stdout + done.stderr
