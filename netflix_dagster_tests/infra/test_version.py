"""The version is the tag of the commit, in a wheel that is built from a clone, with tags and without."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import netflix_dagster
from netflix_dagster.contracts.contract import TABLES

ROOT = Path(netflix_dagster.__file__).parents[1]


def test_no_version_is_written_down() -> None:
    for path in (ROOT / "pyproject.toml", ROOT / "infra" / "databricks" / "wheel" / "pyproject.toml"):
        said = tomllib.loads(path.read_text())["project"]
        assert "version" not in said and said["dynamic"] == ["version"], path


def test_the_version_of_an_asset_has_nothing_to_do_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release alone rebuilds nothing: what is asked for the version of the package here is asked in vain."""
    from importlib import metadata

    import netflix_dagster.tables
    from netflix_dagster.landing.sources import load_sources

    netflix_dagster.tables.declare(load_sources(None))

    def never(name: str) -> str:
        raise AssertionError(f"the version of {name} is asked for")

    monkeypatch.setattr(metadata, "version", never)
    assert all(table.code_version for table in TABLES.values())


@pytest.mark.soak
def test_a_wheel_is_called_what_its_tag_says(tmp_path: Path) -> None:
    clone = tmp_path / "clone"

    def git(*said: str) -> None:
        who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *said], check=True, capture_output=True, cwd=clone if clone.exists() else tmp_path)

    def version(to: str, **environment: str) -> str:
        command = [Path(sys.executable).with_name("uv"), "build", "--quiet", "--wheel", "--out-dir", tmp_path / to]
        subprocess.run(command, cwd=clone, env={**os.environ, **environment}, check=True)
        (wheel,) = (tmp_path / to).glob("*.whl")
        holds = zipfile.ZipFile(wheel).namelist()
        assert {"netflix_dagster/azure/access.yaml", "netflix_dagster/dagster.yaml"} <= set(holds)
        return wheel.name.split("-")[1]

    git("clone", "--quiet", "--no-tags", "--depth", "1", f"file://{ROOT}", str(clone))
    assert ".dev" in version("untagged"), "a fresh clone without tags builds all the same"
    git("tag", "v3.1.4")
    assert version("tagged") == "3.1.4"
    git("commit", "--quiet", "--allow-empty", "-m", "after")
    assert version("after").startswith("3.1.5.dev1")
    (clone / ".git").rename(tmp_path / "git")  # as in an image
    assert version("archive") == "0.0.0"
    assert version("image", SETUPTOOLS_SCM_PRETEND_VERSION="3.1.4") == "3.1.4"
