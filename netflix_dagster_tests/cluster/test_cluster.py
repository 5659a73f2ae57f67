"""A real distributed engine builds the same tables as the embedded one, also when a machine of it goes away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.lake import store
from netflix_dagster.sample import write_sample
from netflix_dagster_tests.cluster import standalone
from netflix_dagster_tests.cluster.standalone import Cluster, cluster
from netflix_dagster_tests.parity import lakes
from netflix_dagster_tests.parity.conftest import apache_spark  # noqa: F401  it is there, or it is said what lacks
from netflix_dagster_tests.real.conftest import landing  # noqa: F401  the real deliveries, or a skip

pytestmark = pytest.mark.soak
WHERE = """
import json, sys
from netflix_dagster.engine import sessions
from netflix_dagster.settings import get_settings

def where(batches):
    import os, sys, time
    import pyarrow as pa
    import netflix_dagster
    from netflix_dagster.files import reading

    told = [sys.executable, netflix_dagster.__file__, pa.__version__, os.getcwd(), " ".join(sorted(os.environ))]
    for _ in batches:
        time.sleep(3)  # else one worker may do both
    yield pa.RecordBatch.from_pylist([{"told": told}])

spark = sessions.session(get_settings())
found = spark.range(0, 2, 1, 2).mapInArrow(where, "told array<string>").collect()
print(json.dumps([row["told"] for row in found]))
"""
SPLIT = "2024-09-20"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def whole(running: Cluster) -> Cluster:
    """The cluster with all its workers."""
    running.complete()
    return running


def ran(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NETFLIX_")}
    call = [sys.executable, "-c", code]
    return subprocess.run(call, capture_output=True, text=True, check=False, env={**plain, **variables})


def test_functions_run_on_both_workers_with_the_wheel_and_nothing_of_the_driver(whole: Cluster) -> None:
    done = ran(WHERE, **whole.environment, AZURE_STORAGE_ACCOUNT_KEY="planted")
    assert done.returncode == 0, done.stderr[-3000:] + standalone.logs(whole.folder)
    told = json.loads(done.stdout.splitlines()[-1])
    assert {python for python, *_ in told} == {str(whole.python)}
    for _, package, arrow, _, variables in told:
        assert Path(package).is_relative_to(whole.python.parents[1]), "the installed wheel is this very package"
        assert arrow == __import__("pyarrow").__version__
        assert not {"NETFLIX_SPARK_REMOTE", "AZURE_STORAGE_ACCOUNT_KEY"} & set(variables.split())
    assert len({Path(folder).parents[2] for *_, folder, _ in told}) == standalone.WORKERS


@pytest.mark.parametrize("token", ["", ";token=guessed"])
def test_without_the_token_nothing_is_built(whole: Cluster, token: str) -> None:
    done = ran(WHERE, **{**whole.environment, "NETFLIX_SPARK_REMOTE": f"{whole.remote}{token}"})
    assert done.returncode
    assert "does not answer as Spark Connect" in done.stderr
    assert "valid token" in done.stderr
    assert "guessed" not in done.stderr


def same(cluster: Cluster, folder: Path) -> None:
    """The tables of the landing folder, built by the cluster, are those that Sail builds."""
    by_sail = lakes.build(folder / "landing", folder / "sail", "sail")
    started = time.perf_counter()
    by_cluster = lakes.build(folder / "landing", folder / "cluster", "remote", **cluster.environment)
    sys.stdout.write(f"the cluster took {time.perf_counter() - started:.0f} s\n")
    assert (by_sail["exit_code"], by_sail["checks"]) == (by_cluster["exit_code"], by_cluster["checks"])
    assert lakes.states(folder / "sail") == lakes.states(folder / "cluster")
    names = lakes.tables(folder / "sail")
    assert len(names) > 10
    assert names == lakes.tables(folder / "cluster")
    assert lakes.all_differences(folder / "sail", folder / "cluster") == {}


@pytest.mark.real
def test_a_cluster_builds_the_tables_of_the_real_split_delivery(
    whole: Cluster,
    landing: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    for source in ("titles", "cast", "category", "countries", "directors"):
        (tmp_path / "landing" / f"netflix_{source}").mkdir(parents=True)
        (tmp_path / "landing" / f"netflix_{source}" / "2020-02-01").symlink_to(
            landing / f"netflix_{source}" / "2020-02-01"
        )
    same(whole, tmp_path)


def test_a_cluster_builds_the_sample_though_a_worker_is_killed_in_the_middle(whole: Cluster, tmp_path: Path) -> None:
    """It is killed while the histories are computed: they, and what the worker held for them, are computed again."""
    write_sample(tmp_path / "landing", garbage=True)
    killed: list[bool] = []

    def kill() -> None:
        staging = tmp_path / "cluster" / store.STAGING
        while not any(staging.glob("silver.title_history-*")):
            time.sleep(0.05)
        whole.kill_a_worker()
        killed.append(store.exists(tmp_path / "cluster", "silver.title_history"))

    threading.Thread(target=kill, daemon=True).start()
    same(whole, tmp_path)
    assert killed == [False], "it was not killed in the middle"
    standalone.waited(lambda: whole.alive() == standalone.WORKERS - 1, "the loss of a worker", whole.folder)
