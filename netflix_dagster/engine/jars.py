"""Fetches the jars that Apache Spark needs besides its own, once: Delta, and the driver of Azure's storage.

The Ivy of PySpark resolves them from Maven Central, or from the mirror that the environment variable
``DEFAULT_ARTIFACT_REPOSITORY`` names, as it does for Spark itself. The versions are those of the installed Python
packages, so they are pinned with them; jars that Spark has already are not fetched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import quoteattr

SCALA = "2.13"
OLDEST_JAVA = 17
_VERSIONED = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.+-]*)\.jar")
_SETTINGS = """<ivysettings>
  <settings defaultResolver="maven"/>
  <caches defaultCacheDir={cache}/>
  <resolvers><ibiblio name="maven" m2compatible="true"{root}/></resolvers>
</ivysettings>
"""
_WANTED = """<ivy-module version="2.0">
  <info organisation="netflix_dagster" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
    {dependencies}
    {excluded}
  </dependencies>
</ivy-module>
"""


class JarsError(RuntimeError):
    """Java or the jars are not there; the message says how to get them."""


def wanted() -> dict[str, str]:
    """The artifacts to fetch and their versions, by ``organisation:name``."""
    import pyspark

    spark = ".".join(pyspark.__version__.split(".")[:2])
    return {
        f"io.delta:delta-spark_{spark}_{SCALA}": metadata.version("delta-spark"),
        "org.apache.hadoop:hadoop-azure": _of_spark()["hadoop-client-api"],
    }


def found(folder: Path) -> list[Path]:
    """The jars in the folder. Raises ``JarsError`` when those that this Spark needs are not there."""
    for artifact, version in wanted().items():
        jar = folder / f"{artifact.partition(':')[2]}-{version}.jar"
        if not jar.is_file():
            raise JarsError(
                f"there is no {jar.name} in {folder}. Nothing was started. Fetch what Apache Spark needs, once:"
                " `netflix-dagster jars`; or let NETFLIX_SPARK_JARS name a folder that has it"
            )
    return sorted(folder.glob("*.jar"))


def fetch(folder: Path) -> list[Path]:
    """Fetch the jars into the folder, all of them or none, and return them."""
    program = java()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as aside:
        scratch = Path(aside)
        mirror = os.environ.get("DEFAULT_ARTIFACT_REPOSITORY")
        root = f" root={quoteattr(mirror.rstrip('/') + '/')}" if mirror else ""
        (scratch / "settings.xml").write_text(_SETTINGS.format(cache=quoteattr(str(scratch / "cache")), root=root))
        (scratch / "wanted.xml").write_text(_wanted_xml())
        call = [program, "-jar", str(next(_jars_of_spark().glob("ivy-*.jar"))), "-settings", "settings.xml"]
        call += ["-ivy", "wanted.xml", "-types", "jar", "bundle", "-retrieve", "jars/[artifact]-[revision].[ext]"]
        done = subprocess.run(call, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode:
            log = "\n".join(line.strip() for line in done.stdout.splitlines() if "WARN" in line or "::" in line)
            raise JarsError(
                f"the jars of Apache Spark could not be fetched into {folder}; nothing there was changed. Ivy says:\n"
                f"{log or done.stderr}\nA mirror of Maven Central is named by DEFAULT_ARTIFACT_REPOSITORY"
            )
        shutil.rmtree(folder, ignore_errors=True)
        (scratch / "jars").rename(folder)
    return found(folder)


def java() -> str:
    """The ``java`` that Spark would use. Raises ``JarsError`` when there is none, or it is too old."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    how = f"Install a Java runtime {OLDEST_JAVA} or newer (Debian: apt install default-jre-headless) or set JAVA_HOME"
    if program is None:
        raise JarsError(f"Apache Spark runs on Java, and there is none{f' in {home}' if home else ''}. {how}")
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', answer)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise JarsError(
            f"{program} is too old for Apache Spark: {answer.splitlines()[0] if answer else 'no answer'}. {how}"
        )
    return program


def _jars_of_spark() -> Path:
    spec = find_spec("pyspark")
    assert spec and spec.origin
    return Path(spec.origin).parent / "jars"


def _of_spark() -> dict[str, str]:
    """The version of every jar that comes with Spark, by the name of the artifact."""
    named = (_VERSIONED.fullmatch(path.name) for path in _jars_of_spark().glob("*.jar"))
    return {jar["name"]: jar["version"] for jar in named if jar}


def _wanted_xml() -> str:
    pairs = [(*artifact.split(":"), version) for artifact, version in wanted().items()]
    dependencies = [f'<dependency org="{org}" name="{name}" rev="{rev}" conf="default"/>' for org, name, rev in pairs]
    excluded = [f'<exclude module="{name}"/>' for name in sorted(_of_spark())]
    return _WANTED.format(dependencies="\n    ".join(dependencies), excluded="\n    ".join(excluded))
