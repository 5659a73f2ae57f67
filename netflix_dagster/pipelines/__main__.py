"""``python -m netflix_dagster.pipelines run``: the pipeline on this machine, by ``spark-pipelines``.

A specification of Spark has no variables, and its storage must be a whole URL; Spark takes some settings only from a
file when it starts. So this program writes both for the working directory: tables, catalog and checkpoints are in its
``data/pipeline``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from netflix_dagster.engine import spark
from netflix_dagster.settings import Settings, get_settings

FOLDER = Path("data") / "pipeline"
_SPECIFICATION = """name: netflix_dagster
storage: {storage}
libraries:
  - glob:
      include: lakehouse.py
"""
_DEFINITION = """from netflix_dagster import pipelines

pipelines.register()
"""


def prepare(folder: Path, settings: Settings) -> dict[str, str]:
    """Write the files that ``spark-pipelines`` reads into the folder, and return the environment that it needs."""
    config = spark.classic(settings)
    jars = config.pop("spark.jars").split(",")  # as a setting they would come too late for Delta's extension
    del config["spark.master"]  # spark-pipelines starts a server of its own on this machine, and takes no other
    config |= {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        # as the ``format`` of a table, the next run would set it again, and Delta refuses that
        "spark.sql.sources.default": "delta",
        # the next run has to find the tables again, which a catalog in memory forgets
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in config.items()))
    (folder / "spark-pipeline.yml").write_text(_SPECIFICATION.format(storage=(folder / "storage").as_uri()))
    (folder / "lakehouse.py").write_text(_DEFINITION)
    found = find_spec("pyspark")
    assert found and found.origin
    return {
        **settings.as_environment(),
        "SPARK_HOME": str(Path(found.origin).parent),
        "SPARK_CONF_DIR": str(folder),
        "SPARK_DIST_CLASSPATH": ":".join(jars),
        "PYSPARK_PYTHON": sys.executable,
    }


def main(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Become ``spark-pipelines``; arguments after ``run`` or ``dry-run`` are passed on."""
    folder = FOLDER.absolute()
    command, *more = arguments or ["run"]
    try:
        needed = prepare(folder, get_settings())
    except spark.SparkError as error:
        sys.exit(str(error))
    program = str(Path(sys.executable).with_name("spark-pipelines"))
    call = [program, command, "--spec", str(folder / "spark-pipeline.yml"), *more]
    os.execve(program, call, {**environment, **needed})


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
