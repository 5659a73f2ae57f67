"""The weekly charts from the commits of a repository come to the same tables as landed by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from netflix_dagster.files.arriving import unlike
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.origins.fetching import Fetch
from netflix_dagster.landing.sources import Source, load_sources
from netflix_dagster.sample import write_sample
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.landing.origins.repository import Served

CHARTS = ("top10_global", "top10_countries", "most_popular")


def as_commits(landing: Path, served: Served) -> dict[tuple[str, str], bytes]:
    """Commit what lies in a landing folder, day by day. What is to come back: (source, date) -> the bytes."""
    days: dict[str, list[Path]] = {}
    for source in CHARTS:
        for file in sorted((landing / source).glob("*/*.tsv")):
            days.setdefault(file.parent.name, []).append(file)
    expected, last = {}, dict.fromkeys(CHARTS, b"")
    for day, files in sorted(days.items()):
        for file in files:
            source = file.parent.parent.name
            shutil.copyfile(file, served.folder / f"{source}.tsv")
            if file.read_bytes() != last[source]:  # a commit without a change is no delivery
                last[source] = expected[source, day] = file.read_bytes()
        served.git("add", "--all")
        served.git("commit", "--quiet", "--allow-empty", "--message", day, when=f"{day}T12:00:00Z")
    return expected


def fetched(served: Served, landing: Path) -> None:
    """Fetch the history of the charts as the command does."""
    for name in CHARTS:
        said = load_sources().sources[name].model_dump(exclude={"origin"})
        origin = {"git": served.url, "path": f"{name}.tsv", "private": True}
        assert list(Fetch(Source.model_validate({**said, "origin": origin}), landing, unlike).history())


def landed(landing: Path) -> dict[tuple[str, str], bytes]:
    listing = list_landing(landing, load_sources(), CHARTS)
    return {(d.source, d.date): Path(d.files[0].path).read_bytes() for d in listing.deliveries}


def test_the_history_of_sample_charts_is_what_was_committed(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", garbage=True)
    expected = as_commits(tmp_path / "sample", served := Served(tmp_path / "served"))
    assert len(expected) > 5
    fetched(served, tmp_path / "landing")
    assert landed(tmp_path / "landing") == expected


@pytest.mark.soak
@pytest.mark.real
def test_years_of_charts_from_git_are_gold_as_landed_by_hand(landing: Path, tmp_path: Path) -> None:
    expected = as_commits(landing, served := Served(tmp_path / "served"))
    from_git, by_hand = Lakehouse(tmp_path / "git"), Lakehouse(tmp_path / "hand")
    fetched(served, from_git.landing)
    assert landed(from_git.landing) == expected
    for (source, day), body in expected.items():
        by_hand.land(source, day, body, f"{source}.tsv")
    for house in (from_git, by_hand):
        days = sorted({day for _, day in expected})
        house.build(*days, feed="charts")
    assert from_git.rows("gold.fact_top10_global_weekly")
    assert from_git.contents() == by_hand.contents()
