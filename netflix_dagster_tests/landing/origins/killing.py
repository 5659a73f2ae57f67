"""A fetch in a process of its own that is killed at a moment which nobody has chosen."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from netflix_dagster.files.arriving import unlike
from netflix_dagster.landing.origins.fetching import Fetch
from netflix_dagster.landing.sources import Source

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload([__name__])


def kill_at_random(source: Source, landing: Path, kills: int, seed: int, sees: Callable[[], None]) -> None:
    """Fetch, killed ``kills`` times, each time within about as long as it takes; ``sees`` is asked after every one.

    What is killed is the process alone, as by the machine when it lacks memory: a ``git`` that it started goes on.
    """
    chance, longest = random.Random(seed), 0.4
    for _ in range(kills):
        before = time.monotonic()
        child = CHILDREN.Process(target=_fetch, args=(source.model_dump_json(), str(landing), dict(os.environ)))
        child.start()
        child.join(chance.uniform(0.01, longest))
        if child.exitcode is None:
            os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
            longest = min(longest * 1.2, 2.0)
        else:
            assert child.exitcode == 0, "it was not killed, and did not do its work"
            longest = time.monotonic() - before
        sees()


def _fetch(source: str, landing: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)  # the server of the processes has that of the test that started it
    said = Source.model_validate_json(source)
    work = Fetch(said, Path(landing), unlike)
    for _ in work.history() if said.origin[0].has_history else work.newest():
        pass
