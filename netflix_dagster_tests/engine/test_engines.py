"""Three engines by one setting, what each says when it cannot be had, and what is never shown."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.engine import jars, sessions, spark
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings, get_settings

REMOTE = """
import sys
import netflix_dagster.tables  # two threads of the server would import it at once
from pysail.spark import SparkConnectServer
server = SparkConnectServer(ip="127.0.0.1", port=0)
server.start(background=True)
print(server.listening_address[1], flush=True)
sys.stdin.read()
"""
MEMORY = """
from pathlib import Path
from netflix_dagster.engine import sessions
from netflix_dagster.settings import Settings
sessions.session(Settings(engine="sail")).range(10).count()
print(Path("/proc/self/status").read_text())
"""
BUILD = """
from pathlib import Path
from netflix_dagster_tests.lakehouse import Lakehouse, title
house = Lakehouse(Path("."))
house.release("2020-01-01", title(1), title(2))
print(house.build("2020-01-01", only=["bronze.netflix_catalogue"])["bronze.netflix_catalogue"].total_rows)
"""
ON_ONE_CORE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from pathlib import Path
from netflix_dagster_tests.lakehouse import Lakehouse, title
house = Lakehouse(Path("."))
house.release("2020-01-01", title(1), title(2))
house.release("2021-01-01", title(1), title(2), title(3))
print(house.build("2020-01-01", "2021-01-01")["gold.fact_release_listing"].total_rows)
"""


def chosen(engine: str, **values: Any) -> Settings:
    """The settings of this process with another engine."""
    return get_settings().model_copy(update={"engine": engine, **values})


def test_a_process_keeps_its_engine(spark: Any) -> None:
    other = "remote" if get_settings().engine != "remote" else "sail"
    with pytest.raises(sessions.EngineError, match=f"cannot change to {other}; nothing was done"):
        sessions.session(chosen(other))


def test_jars_that_are_not_there_are_named_with_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "java", lambda: "java")
    monkeypatch.setattr(sessions, "as_it_is", lambda: False)  # other tests may have started the engine
    said = sessions.missing(chosen("spark", spark_jars=tmp_path)) or ""
    assert f"delta-spark_4.1_2.13-{metadata.version('delta-spark')}.jar in {tmp_path}" in said
    assert "netflix-dagster jars" in said


def test_without_java_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(jars.JarsError, match=r"there is none in .*Install a Java runtime 17 or newer"):
        jars.java()


def test_java_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(jars.JarsError, match=r"too old for Apache Spark: openjdk version .11\.0\.2"):
        jars.java()


def test_sail_lacks_nothing_and_remote_wants_an_address() -> None:
    assert sessions.missing(chosen("sail")) is None
    assert "NETFLIX_SPARK_REMOTE=sc://" in (sessions.missing(chosen("remote", spark_remote=None)) or "")


def test_a_file_of_properties_is_read_and_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "spark.conf"
    file.write_text("# tuned\n\nspark.driver.memory 4g\nspark.sql.ansi.enabled=true\n")
    assert spark.properties(file) == {"spark.driver.memory": "4g", "spark.sql.ansi.enabled": "true"}
    file.write_text("spark.driver.memory 4g\nmemory 4g\n")
    with pytest.raises(spark.SparkError, match=r"spark.conf, line 2: 'memory 4g' is no Spark property"):
        spark.properties(file)
    with pytest.raises(spark.SparkError, match="cannot be read"):
        spark.properties(tmp_path / "none.conf")


def test_the_token_of_an_endpoint_is_never_shown(tmp_path: Path) -> None:
    url = "sc://127.0.0.1:9/;token=opensesame"
    assert "opensesame" not in repr(Settings(spark_remote=url))  # type: ignore[arg-type]
    code = "from netflix_dagster.engine import sessions; from netflix_dagster.settings import get_settings"
    done = process(tmp_path, f"{code}; sessions.session(get_settings())", url)
    assert done.returncode and "engine at sc://127.0.0.1:9 does not answer" in done.stderr
    assert "opensesame" not in done.stderr + done.stdout


def test_the_engine_of_another_process_builds_a_table(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", REMOTE], stdin=-1, stdout=-1, text=True) as server:
        assert server.stdin and server.stdout
        try:
            port = server.stdout.readline().strip()
            done = process(tmp_path, BUILD, f"sc://127.0.0.1:{port}")
        finally:
            server.stdin.close()
            server.terminate()
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) == store.row_count(tmp_path / "lake", "bronze.netflix_catalogue") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are of Linux")
def test_sail_takes_no_huge_pages_which_it_would_not_give_back(tmp_path: Path) -> None:
    """With them a process that builds all real deliveries holds half as much again (decision 13)."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"THP_enabled:\s+0", done.stdout), done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="processes are bound to a core on Linux")
def test_a_machine_with_one_core_builds_the_catalogue(tmp_path: Path) -> None:
    """With one partition Sail refuses its own plan of a semi join (`SortPreservingMergeExec`)."""
    done = subprocess.run(
        [sys.executable, "-c", ON_ONE_CORE], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) == store.row_count(tmp_path / "lake", "gold.fact_release_listing") > 0


def process(folder: Path, code: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run some code in a process of its own whose engine is the one at ``url``."""
    import os

    environment = {
        **os.environ,
        "NETFLIX_ENGINE": "remote",
        "NETFLIX_SPARK_REMOTE": url,
        "NETFLIX_LANDING": str(folder / "landing"),
        "NETFLIX_LAKE": str(folder / "lake"),
    }
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=folder
    )
