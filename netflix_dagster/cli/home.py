"""Dagster's home of a lake: its run history, partitions and checks, beside the tables they speak of."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from netflix_dagster.cli.trouble import writing
from netflix_dagster.settings import Settings

CONFIG = Path(__file__).parents[2] / "dagster.yaml"
PACKAGED = Path(__file__).parents[1] / "dagster.yaml"


def ensure_home(settings: Settings) -> Path:
    """The home, made and configured with the project's ``dagster.yaml`` if it has none of its own.

    Raises ``Failed`` when nothing can be written there or into the lake.
    """
    home = settings.dagster_home
    with writing("Dagster's home", home):
        home.mkdir(parents=True, exist_ok=True)
        config = home / "dagster.yaml"
        if not config.exists():
            shutil.copyfile(CONFIG if CONFIG.exists() else PACKAGED, config)
        tempfile.TemporaryFile(dir=home).close()
    return home
