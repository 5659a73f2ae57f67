"""Whole histories of deliveries, every kind of dirt mixed: the lakehouse is row by row what the model says.

A history that fails tells its seed: ``NETFLIX_SEED=123 pytest netflix_dagster_tests/model`` tries that one again.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from netflix_dagster.contracts.metrics import figures_of
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.model import histories
from netflix_dagster_tests.model.compare import Both
from netflix_dagster_tests.model.histories import Author

pytestmark = pytest.mark.usefixtures("spark")
KPIS = ("gold.kpi_catalogue", "gold.kpi_top10")
ENOUGH = 20
"""So many histories have figures of every name."""
FEW, MANY = 2, int(os.environ.get("NETFLIX_SOAK") or 300)


def seeds(count: int) -> list[int]:
    """The histories to try: others each time, so that nights add up; one alone where its seed is given."""
    if given := os.environ.get("NETFLIX_SEED"):
        return [int(given)]
    return [random.SystemRandom().randrange(10**6) for _ in range(count)]


def lived(seed: int, rounds: int, folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Live through one history, and compare after every build. Returns the dirt that it had, and its figures by name
    in the end."""
    policies = histories.policies(seed)
    author = Author(seed, rounds, policies=policies)
    with Both(folder, policies) as both:
        for step in author.steps(both.model):
            both.apply(step)
            if step.what == "build" and (differ := both.differences()):
                raise AssertionError("\n".join([f"history {seed} of {rounds} rounds:", *differ]))
        return author.dirt, Counter(f"{name} {row['kpi']}" for name in KPIS for row in both.rows(name))


def test_short_histories_are_what_the_model_says(tmp_path: Path) -> None:
    for nth, seed in enumerate(seeds(examples(FEW))):
        lived(seed, 1, tmp_path / str(nth))


@pytest.mark.soak
def test_long_histories_are_what_the_model_says(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    dirt: Counter[str] = Counter()
    figures: Counter[str] = Counter()
    differ = []
    tried = seeds(MANY)
    for seed in tried:
        folder, said = tmp_path_factory.mktemp("history"), "as the model says"
        try:
            had, compared = lived(seed, 3, folder)
            dirt, figures = dirt + had, figures + compared
        except Exception as error:
            said = str(error)
            differ.append(f"history {seed}: {said}")
        shutil.rmtree(folder)  # three hundred lakehouses are gigabytes
        with capsys.disabled():
            sys.stdout.write(f"history {seed}: {said}\n")
            sys.stdout.flush()
    with capsys.disabled():
        sys.stdout.write(f"\n{len(tried)} histories, {len(differ)} differ. The dirt that they had:\n")
        sys.stdout.writelines(f"{count:7,}  {what}\n" for what, count in sorted(dirt.items()))
        sys.stdout.write("\nThe figures that were compared in the end:\n")
        sys.stdout.writelines(f"{count:7,}  {what}\n" for what, count in sorted(figures.items()))
    assert not differ, "\n\n".join(differ)
    if len(tried) >= ENOUGH:
        every = {f"{name} {figure.kpi}" for name in KPIS for figure in figures_of(name)}
        assert every <= figures.keys(), f"never compared: {sorted(every - figures.keys())}"
