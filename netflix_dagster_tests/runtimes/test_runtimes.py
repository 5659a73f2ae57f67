"""The job of Databricks with the versions of its runtimes.

The wheel, in an environment of its own for each, builds the sample with the runtime's Arrow, pandas and client of Spark
Connect. The engine is Sail in that environment, so functions of the tables run there as well; and, for the catalogue,
a Spark Connect server of the runtime's Spark.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from infra.pins import RUNTIMES, SPARK
from netflix_dagster.engine import jars
from netflix_dagster.sample import catalogue_files, write_sample
from netflix_dagster_tests.cluster import standalone
from netflix_dagster_tests.emulators.azurite import free_port
from netflix_dagster_tests.infra import wheel
from netflix_dagster_tests.infra.wheel import Wheel
from netflix_dagster_tests.parity import lakes

pytestmark = pytest.mark.soak
MIRROR = ("DEFAULT_ARTIFACT_REPOSITORY", "JAVA_HOME")
STEP = """
import pyarrow
import sys
from pathlib import Path
import netflix_dagster.tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.databricks import step
from netflix_dagster.settings import get_settings

days = sorted({folder.name for folder in Path(get_settings().landing).glob("*/*")})
tables = [name for feed in sys.argv[1:] for name in feed_tables(feed)] or list(TABLES)
built = [report.table for report in step.carry_out(step.Order(tables, days))]
print(pyarrow.__version__, len(built))
"""
SPARK_HERE = """
import json, os, pyspark
from netflix_dagster.engine import jars, spark
from netflix_dagster.settings import get_settings

jars.fetch(get_settings().spark_jars)
print(json.dumps([os.path.dirname(pyspark.__file__), pyspark.__version__, spark.classic(get_settings())]))
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


def step(python: str, landing: Path, lake: Path, *feeds: str, **variables: str) -> list[str]:
    """Build the tables of some feeds, else all, by the step that a job runs; says which Arrow did it, and how many."""
    settings = {"NETFLIX_LANDING": str(landing), "NETFLIX_LAKE": str(lake), "NETFLIX_ENGINE": "sail"}
    return ran(python, STEP, landing.parent, *feeds, **{**settings, **variables}).split()


def ran(python: str, code: str, folder: Path, *said: str, **variables: str) -> str:
    """What some code prints in an environment."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME", *MIRROR) if name in os.environ}
    call, environment = [python, "-c", code, *said], {**plain, **variables}
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


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


def test_the_spark_of_a_runtime_builds_the_same_tables(built: Wheel, tmp_path: Path) -> None:
    """A server of Spark Connect with the jars that ``netflix-dagster jars`` finds for it, and its version's client."""
    try:
        jars.java()
    except jars.JarsError as lacking:
        pytest.skip(str(lacking))
    python = tmp_path / "python" / "bin" / "python"
    wheel.uv(["venv", "--quiet", "--python", sys.executable, str(tmp_path / "python")])
    wheel.uv(["pip", "install", "--quiet", "--python", str(python), str(built.path), *SPARK])
    for name, data in catalogue_files().items():
        file = tmp_path / "landing" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    step(sys.executable, tmp_path / "landing", tmp_path / "ours", "catalogue", PYTHONPATH=os.pathsep.join(sys.path))
    said = ran(str(python), SPARK_HERE, tmp_path, NETFLIX_ENGINE="spark", NETFLIX_SPARK_JARS=str(tmp_path / "jars"))
    home, version, config = json.loads(said.splitlines()[-1])
    assert f"pyspark[connect]=={version}" in SPARK
    port = free_port()
    there = {"NETFLIX_ENGINE": "remote", "NETFLIX_SPARK_REMOTE": f"sc://127.0.0.1:{port}"}
    with standalone.connect_server(config, port, tmp_path / "connect", python, home=Path(home)):
        step(str(python), tmp_path / "landing", tmp_path / "lake", "catalogue", **there)
    assert len(lakes.tables(tmp_path / "ours")) > 20
    assert lakes.tables(tmp_path / "ours") == lakes.tables(tmp_path / "lake")
    assert lakes.states(tmp_path / "ours") == lakes.states(tmp_path / "lake")
    assert lakes.all_differences(tmp_path / "ours", tmp_path / "lake") == {}


def test_an_arrow_that_is_too_old_is_not_left_in_its_place(built: Wheel) -> None:
    """pyarrow 15 ends the process, or cannot take the schemas of delta-rs."""
    with pytest.raises(AssertionError, match=r"pyarrow>=16\.1"):
        wheel.uv(["pip", "install", "--dry-run", "--python", sys.executable, str(built.path), "pyarrow==15.0.2"])
