"""The page of ``make bench-scale``: parts are measured one by one, and what is not measured now stays as it was."""

from __future__ import annotations

import pytest

from netflix_dagster_tests import bench_scale
from netflix_dagster_tests.bench_scale import Cost, growing, line, sections, wanted, written


def test_a_part_takes_its_place_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    page = written(written("# Old\n", "door", ["| a | 1 | 2 | |"]), "titles", ["| b | 3 | 4 | |"])
    assert list(sections(page)) == ["titles", "door"]
    before = sections(page)["titles"]
    monkeypatch.setattr(bench_scale, "SCALE", 0.5)
    page = written(page, "door", ["| c | 5 | 6 | |"])
    assert sections(page)["titles"] == before and "| c | 5 |" in page and "| a |" not in page
    assert wanted(page, "rest") == [part for part in bench_scale.PARTS if part != "door"]
    assert wanted(page, "door files") == ["door", "files"]
    with pytest.raises(SystemExit, match="there is no part doors"):
        wanted(page, "doors")


def test_the_page_there_is_was_written_by_it() -> None:
    page = bench_scale.PAGE.read_text()
    assert page.startswith(bench_scale._HEAD) and set(sections(page)) <= set(bench_scale.PARTS)
    assert page.count("\n## ") == len(sections(page)) > 0


def test_an_exponent_is_that_of_the_two_largest_sizes() -> None:
    costs = [Cost(9.0, 10, {"t": 1.0}), Cost(1.0, 20, {"t": 0.5}), Cost(4.0, 30, {"t": 2.0})]
    assert line("n", costs, (1, 10, 20)) == "| n | 9.0 / 1.0 / 4.0 | 10 / 20 / 30 | 2.00 |"
    assert list(growing(costs, (1, 10, 20))) == ["| t | 1.00 / 0.50 / 2.00 | | 2.00 |"]
