"""The job of Databricks with the versions of its runtimes.

The wheel, in an environment of its own for each, builds the sample with the runtime's Arrow, pandas and client of Spark
Connect. The engine is Sail in that environment, so functions of the tables run there as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from infra.pins import RUNTIMES
from netflix_dagster.sample import write_sample
from netflix_dagster_tests.infra import wheel
from netflix_dagster_tests.infra.wheel import Wheel
from netflix_dagster_tests.parity import lakes

pytestmark = pytest.mark.soak
STEP = """
import pyarrow
from pathlib import Path
import netflix_dagster.tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.databricks import step
from netflix_dagster.settings import get_settings

days = sorted({folder.name for folder in Path(get_settings().landing).glob("*/*")})
built = [report.table for report in step.carry_out(step.Order(list(TABLES), days))]
print(pyarrow.__version__, len(built))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return wheel.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as the versions of ``uv.lock`` build it; its landing folder lies beside."""
    folder = tmp_path_factory.mktemp("ours")
    write_sample(folder / "landing", garbage=True)
    step(sys.executable, folder / "landing", folder / "lake", PYTHONPATH=os.pathsep.join(sys.path))
    return folder / "lake"


def step(python: str, landing: Path, lake: Path, **variables: str) -> list[str]:
    """Build every table by the step that a job runs; says which Arrow did it, and how many tables."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {"NETFLIX_LANDING": str(landing), "NETFLIX_LAKE": str(lake), "NETFLIX_ENGINE": "sail"}
    done = subprocess.run(
        [python, "-c", STEP],
        capture_output=True,
        text=True,
        check=False,
        cwd=landing.parent,
        env={**plain, **settings, **variables},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.split()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_versions_of_a_runtime_build_the_same_tables(
    runtime: str, built: Wheel, ours: Path, tmp_path: Path
) -> None:
    python = tmp_path / "python" / "bin" / "python"
    wheel.uv(["venv", "--quiet", "--python", sys.executable, str(tmp_path / "python")])
    sail = f"pysail=={metadata.version('pysail')}"
    wheel.uv(["pip", "install", "--quiet", "--python", str(python), str(built.path), *RUNTIMES[runtime], sail])
    arrow, tables = step(str(python), ours.parent / "landing", tmp_path / "lake")
    assert f"pyarrow=={arrow}" in RUNTIMES[runtime]
    assert int(tables) >= len(lakes.tables(ours)) - 1, "all but the quarantine"
    assert lakes.tables(ours) == lakes.tables(tmp_path / "lake")
    assert lakes.states(ours) == lakes.states(tmp_path / "lake")
    assert lakes.all_differences(ours, tmp_path / "lake") == {}


def test_an_arrow_that_is_too_old_is_not_left_in_its_place(built: Wheel) -> None:
    """pyarrow 15 ends the process, or cannot take the schemas of delta-rs."""
    with pytest.raises(AssertionError, match=r"pyarrow>=16\.1"):
        wheel.uv(["pip", "install", "--dry-run", "--python", sys.executable, str(built.path), "pyarrow==15.0.2"])
