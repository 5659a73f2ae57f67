"""The wheel of the bundle: built as the bundle says, from a copy of what it is built from."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import netflix_dagster
from netflix_dagster_tests.infra.bundle import FOLDER, load

PACKAGE = Path(netflix_dagster.__file__).parent
_RUN = """
import sys
from importlib.metadata import distribution

entry = next(point for point in distribution({package!r}).entry_points if point.name == {entry!r})
sys.argv = [{entry!r}, *sys.argv[1:]]
try:
    entry.load()()
finally:
    sys.stderr.write("loaded " + " ".join(sorted({{name.partition(".")[0] for name in sys.modules}})) + "\\n")
    sys.stderr.write("from " + sys.modules["netflix_dagster"].__file__ + "\\n")
"""


@dataclass(frozen=True)
class Wheel:
    """A built wheel."""

    path: Path

    @property
    def package(self) -> str:
        return self.path.name.partition("-")[0]

    @property
    def files(self) -> list[str]:
        with zipfile.ZipFile(self.path) as wheel:
            return wheel.namelist()

    def _metadata(self, name: str) -> str:
        with zipfile.ZipFile(self.path) as wheel:
            (found,) = [file for file in wheel.namelist() if file.endswith(f".dist-info/{name}")]
            return wheel.read(found).decode()

    @property
    def entry_points(self) -> dict[str, str]:
        parser = configparser.ConfigParser()
        parser.read_string(self._metadata("entry_points.txt"))
        return dict(parser["console_scripts"])

    @property
    def version(self) -> str:
        return str(Parser().parsestr(self._metadata("METADATA"))["Version"])

    @property
    def requires(self) -> list[str]:
        return list(Parser().parsestr(self._metadata("METADATA")).get_all("Requires-Dist", []))

    def install(self, folder: Path) -> Path:
        """The wheel alone in a folder, without what it needs."""
        uv(
            [
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--python",
                sys.executable,
                "--target",
                str(folder),
                str(self.path),
            ]
        )
        return folder


def uv(arguments: list[str], cwd: Path | None = None) -> None:
    """Run the uv of this environment."""
    own = Path(sys.executable).parent / "uv"
    done = subprocess.run([str(own), *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def build(folder: Path) -> Wheel:
    """Build the wheel by the command of the bundle, without touching the project."""
    artifact = load().top.artifacts["wheel"]
    here = folder / "infra" / "databricks" / artifact.path
    shutil.copytree(FOLDER / artifact.path, here, ignore=shutil.ignore_patterns("dist"))
    shutil.copytree(PACKAGE, folder / "netflix_dagster", ignore=shutil.ignore_patterns("__pycache__"))
    command, *arguments = shlex.split(artifact.build)
    assert command == "uv"
    uv(arguments, cwd=here)
    (built,) = folder.joinpath("infra", "databricks").glob(artifact.files[0].source)
    return Wheel(built)


def run(
    installed: Path, package: str, entry: str, arguments: list[str], environment: dict[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run an entry point of an installed wheel in a process of its own, found by its metadata as Databricks does."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NETFLIX_", "AZURE_"))}
    return subprocess.run(
        [sys.executable, "-c", _RUN.format(package=package, entry=entry), *arguments],
        env={**inherited, "PYTHONPATH": str(installed), **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
