"""Dagster's home of a lake: its run history, partitions and checks, beside the tables they speak of."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from netflix_dagster.cli.trouble import writing
from netflix_dagster.settings import Settings

CONFIG = Path(__file__).parents[2] / "dagster.yaml"
PACKAGED = Path(__file__).parents[1] / "dagster.yaml"
ON_AZURE = "dagster.azure.yaml"
"""Lies beside either of them, and is added to it with NETFLIX_ENV=azure."""
NEW = ".new-"
ABANDONED_AFTER = 3600


def ensure_home(settings: Settings) -> Path:
    """The home, made and configured with the project's ``dagster.yaml`` if it has none of its own.

    Raises ``Failed`` when nothing can be written there or into the lake.
    """
    home = settings.dagster_home
    with writing("Dagster's home", home):
        home.mkdir(parents=True, exist_ok=True)
        if not (home / CONFIG.name).exists():
            _make(home, settings)
        tempfile.TemporaryFile(dir=home).close()
    return home


def _make(home: Path, settings: Settings) -> None:
    """Make Dagster's databases aside and put them into the home when they are whole, its configuration last.

    Dagster makes them in place, and a process killed in that moment leaves a home that no process can use again.
    """
    for left in home.glob(f"{NEW}*"):
        if time.time() - left.stat().st_mtime > ABANDONED_AFTER:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=NEW, dir=home) as folder:
        aside = Path(folder)
        config = CONFIG if CONFIG.exists() else PACKAGED
        shutil.copyfile(config, aside / CONFIG.name)
        from dagster import DagsterInstance

        with DagsterInstance.from_config(folder):
            pass
        if settings.env == "azure":  # only now: it speaks of DAGSTER_HOME, which is not there yet
            with (aside / CONFIG.name).open("a") as written:
                written.write("\n" + config.with_name(ON_AZURE).read_text())
        for made in sorted(aside.iterdir(), key=lambda entry: entry.name == CONFIG.name):
            _put(made, home / made.name)


def _put(made: Path, place: Path) -> None:
    if place.exists():  # made by another process in the meantime, or by one that was killed
        return
    try:
        os.rename(made, place)
    except OSError:
        if not place.exists():
            raise
