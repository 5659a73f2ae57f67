"""``verify synapse`` tries every view on a pool, and leaves nothing there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from netflix_dagster.serving.synapse import applying
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

    def unreadable(database: str, sql: str, who: str | None) -> object:
        if "COUNT_BIG(*) FROM gold" in sql:
            raise TsqlError(13807, "Content of directory on path 'gold' cannot be listed.")
        return answer(database, sql, who)

    monkeypatch.setattr(served.pool, "answer", unreadable)
    found = verified(served)
    assert found["rows of gold"].status == "failed" and "cannot be listed" in found["rows of gold"].found
    assert found["metrics"].status == "passed" and list(served.pool.databases) == ["master"]


def test_rights_in_the_pool_are_compared_with_the_file(few: Path, serve: Callable[..., Served]) -> None:
    """One member taken away and one grant too many: both are told, and `synapse apply` mends them."""
    served = serve(few)
    applying.apply(served.settings)

    def rights() -> Result:
        (found,) = carry_out([TARGETS["access"]], Trial(served.settings), lambda _: None)
        return found

    assert rights().status == "passed", rights()
    with applying.of(served.settings)(served.settings.synapse_database) as pool:
        pool.run("ALTER ROLE [analyst] DROP MEMBER [data-analysts]")
        pool.run("GRANT SELECT ON SCHEMA::gold TO [reader]")
    told = rights()
    assert "the member data-analysts of analyst is missing" in told.found
    assert "the grant SELECT ON SCHEMA::gold TO reader is surplus" in told.found
    assert told.command == "netflix-dagster synapse apply"
    applying.apply(served.settings)
    assert rights().status == "passed"
