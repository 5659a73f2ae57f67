"""``verify synapse`` tries every view on a pool, and leaves nothing there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netflix_dagster.settings import Settings
from netflix_dagster.verify import TARGETS
from netflix_dagster.verify.steps import Result, Trial, carry_out
from netflix_dagster_tests.emulators.tds import TsqlError
from netflix_dagster_tests.serving.synapse.conftest import Served

TARGET = TARGETS["synapse"]


def verified(served: Served) -> dict[str, Result]:
    return {result.step: result for result in carry_out([TARGET], Trial(served.settings), lambda _: None)}


def test_it_says_what_works_and_drops_what_it_made(few: Path, serve: Callable[..., Served]) -> None:
    assert "NETFLIX_SYNAPSE" in str(TARGET.lacks(Settings(synapse=None)))
    served = serve(few)
    found = verified(served)
    assert {result.status for result in found.values()} == {"passed"}, found
    assert "of 2 tables, as their logs have them" in found["rows of gold"].found
    assert list(served.pool.databases) == ["master"]


def test_what_is_refused_is_told_and_cleaned_up_all_the_same(
    few: Path, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(few)
    answer = served.pool.answer

    def unreadable(database: str, sql: str) -> object:
        if "COUNT_BIG(*) FROM gold" in sql:
            raise TsqlError(13807, "Content of directory on path 'gold' cannot be listed.")
        return answer(database, sql)

    monkeypatch.setattr(served.pool, "answer", unreadable)
    found = verified(served)
    assert found["rows of gold"].status == "failed" and "cannot be listed" in found["rows of gold"].found
    assert found["metrics"].status == "passed" and list(served.pool.databases) == ["master"]
