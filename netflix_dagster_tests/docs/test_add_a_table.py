"""README's "Add a table", exactly as it is printed: written into the file it names, linted, typed, built, changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from netflix_dagster.lake.query import query
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.docs.pages import ROOT, blocks

README = ROOT / "README.md"


def test_a_table_is_added_and_built_without_a_new_delivery(lake: Shell, tmp_path: Path) -> None:
    (snippet,) = [block.text for block in blocks(README) if "@table(" in block.text]
    (named,) = re.findall(r"`(netflix_dagster/tables/gold/\w+\.py)`", README.read_text())
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "netflix_dagster", checkout / "netflix_dagster")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    if (known := ROOT / ".mypy_cache").exists():  # of libraries, from `make check`: else mypy reads them for a while
        shutil.copytree(known, checkout / known.name)
    module, listed = checkout / named, checkout / Path(named).with_name("__init__.py")
    module.write_text(snippet)
    imported = f"from netflix_dagster.tables.gold import {module.stem}"
    text = listed.read_text().replace("\n\n__all__", f"\n{imported}\n\n__all__")
    listed.write_text(text.replace('    "engagement",\n', f'    "{module.stem}",\n    "engagement",\n'))
    for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        call = [str(Path(sys.executable).with_name(tool[0])), *tool[1:], str(module), str(listed)]
        done = subprocess.run(call, cwd=checkout, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    (table,) = re.findall(r'"(gold\.\w+)",$', snippet, re.MULTILINE)
    sums = f"SELECT count(DISTINCT delivery_date) AS releases, sum(titles)::int AS titles FROM {table}"
    done_first = lake("run", "--json", PYTHONPATH=checkout)
    assert done_first.code == 0 and done_first.json["deliveries"]["built"] == 0, done_first.err
    (first,) = query(lake.lake, sums).to_pylist()
    assert first["releases"] == 5 and first["titles"] == done_first.json["tables"]["silver.title_directors"]["rows"]

    module.write_text(snippet.replace('F.count("*")', '(F.count("*") * 2)'))
    assert lake("run", PYTHONPATH=checkout).code == 0
    (then,) = query(lake.lake, sums).to_pylist()
    assert then == {"releases": 5, "titles": 2 * first["titles"]}, "the function has changed, and nothing has landed"
