"""The first thing that somebody types who has installed the wheel and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from netflix_dagster_tests.cli.shell import Shell

ROOT = Path(__file__).parents[2]


def test_a_demo_is_the_sample_in_a_folder_of_its_own(lake: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there is a lake already, and again: what stands is not built twice, files are not overwritten."""
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", lambda page: opened.append(page) or 0)
    said = lake.here("demo", "data")
    assert said.code == 0, said.err
    assert opened == [str(lake.lake / "serving" / "dashboard" / "index.html")]
    assert "netflix-dagster demo data --ui" in said.err
    assert not (lake.cwd / "netflix-demo").exists()


@pytest.mark.soak
def test_the_wheel_in_an_empty_environment_shows_the_sample(tmp_path: Path) -> None:
    """Installed with what it needs, far from the repository: one command, and the tables answer."""
    uv, python = str(Path(sys.executable).parent / "uv"), tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", ROOT], check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("NETFLIX_", "PYTHON"))}
    outside |= {"BROWSER": "true", "HOME": str(tmp_path)}
    subprocess.run([uv, "venv", "--python", sys.executable, tmp_path / "venv"], check=True, env=outside)
    subprocess.run([uv, "pip", "install", "--python", python, wheel], check=True, env=outside)
    command = str(python.with_name("netflix-dagster"))
    subprocess.run([command, "demo"], cwd=tmp_path, env=outside, check=True, timeout=300)
    counted = subprocess.run(
        [
            command,
            "query",
            "SELECT count(*) AS titles FROM gold.dim_title",
            "--lake",
            "netflix-demo/lake",
            "--format",
            "csv",
        ],
        cwd=tmp_path,
        env=outside,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(counted.stdout.split()[1]) > 100
    shutil.rmtree(tmp_path / "venv")
