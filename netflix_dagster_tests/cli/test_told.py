"""What the commands say of deliveries that a gate compares: the right attempt, the right sources, every reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from netflix_dagster.cli import hints
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Life, Status
from netflix_dagster.settings import Settings
from netflix_dagster_tests.cli.shell import Shell

WORLD, LANDS, POPULAR = "top10_global", "top10_countries", "most_popular"
FIRST, SECOND, THIRD = "2023-07-04", "2023-07-05", "2023-07-11"


SPLIT = [f"netflix_{name}" for name in ("cast", "category", "countries", "directors", "titles")]


def came(source: str, key: str, attempt: str, records: int, why: str = "") -> list[Event]:
    """An attempt came and stands, or is held by its gate."""
    about = {"feed": "charts", "key": key, "source": source, "fingerprint": attempt}
    gate = {"table_name": f"silver.{source}_deliveries", "rule": "charts_complete", "reason": why}
    judged = Event(Status.HELD, **about, **gate) if why else Event(Status.STANDING, **about)  # type: ignore[arg-type]
    return [Event(Status.ACCEPTED, records=records, **about), judged]  # type: ignore[arg-type]


@pytest.fixture
def told(shell: Shell) -> Shell:
    """Charts that stand; then of two sources a replacement or a new delivery that their gates hold."""
    events = [
        *came(WORLD, FIRST, "first", 40),
        *came(POPULAR, SECOND, "popular", 10),
        *came(LANDS, THIRD, "lands", 30, "9 charts of countries lack places"),
        *came(WORLD, THIRD, "whole", 39),
        *came(WORLD, THIRD, "cut", 5, "6 charts of the world lack places"),
    ]
    life.record(shell.lake, events)
    return shell


def test_the_rows_that_go_are_those_of_the_attempt_that_stands(told: Shell) -> None:
    said = told.here("deliveries", "withdraw", WORLD, THIRD, "--because", "a test")
    assert "attempt whole stands until the next build, which removes its rows (39 records)" in said.err
    said = told.here("deliveries", "withdraw", LANDS, THIRD, "--because", "a test")
    assert "it never stood (30 records)" in said.err


def test_every_reason_that_is_overruled_is_told(told: Shell) -> None:
    said = told.here("accept", "charts", THIRD, "--because", "a test")
    assert said.err.count("was held by") == 2
    assert "9 charts of countries" in said.err and "6 charts of the world" in said.err


def test_the_way_back_names_what_the_gate_has_compared(told: Shell) -> None:
    lived = Life.read(told.lake)
    held = [delivery.newest for delivery in lived.held() if delivery.source == WORLD]
    _, back = hints.remedies(Settings(lake=Path(told.lake)), held, lived)
    assert f"deliveries withdraw {WORLD} {FIRST} " in back, "not what another source has delivered since"


def test_what_no_gate_compares_holds_nothing(told: Shell) -> None:
    header = "category\trank\tshow_title\n"
    for source, columns, later in (
        (POPULAR, header, 0),
        (WORLD, "week\t" + header.replace("rank", "weekly_rank"), 2),
    ):
        (told.cwd / "mine.tsv").write_text(columns + "\t".join("1" for _ in columns.split("\t")) + "\n")
        said = told.here("land", "mine.tsv", "--source", source, "--date", "2023-07-01")
        assert ("later date" in said.err, f"{later} later" in said.err) == (later > 0, later > 0), said.err


def test_of_files_that_wait_together_the_one_to_mend_is_named() -> None:
    """A table holds all that came with the titles; only another file of titles changes its verdict."""
    about = {"feed": "catalogue", "key": FIRST}
    why = {"table_name": "silver.titles", "rule": "rows_refused", "reason": "30 of 31 rows would be refused"}
    events = [Event(Status.ACCEPTED, source=name, fingerprint=name, **about) for name in SPLIT]  # type: ignore[arg-type]
    events += [Event(Status.HELD, source=name, fingerprint=name, **about, **why) for name in SPLIT]  # type: ignore[arg-type]
    lived = Life.of(events)
    (mend,) = hints.remedies(Settings(), [delivery.newest for delivery in lived.held()], lived)
    assert f"land FILE --source netflix_titles --date {FIRST} --replace" in mend
