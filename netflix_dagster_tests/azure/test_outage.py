"""Trouble of the storage account is told from other trouble, waited for, and not for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netflix_dagster.azure import outage
from netflix_dagster.storage import StorageError

PASSING = (
    "Server returned non-2xx status code: 503 Service Unavailable: ",
    "Server returned non-2xx status code: 429 Too Many Requests: ",
    "abfss://bronze@x.dfs.core.windows.net/f: ServerBusy: The server is busy. No file was harmed",
    "Connection refused (os error 111)",
    "connection closed before message completed",
    "Generic MicrosoftAzure error: Error getting list response body: HTTP error: request or response body error",
    "Generic MicrosoftAzure error: Error performing GET https://x/y in 7 s, after 10 retries - HTTP error: error"
    " sending request",
)
LASTING = (
    "silver.titles: the function and the contract disagree: show_id is int, the contract says string",
    "/landing/x.csv was replaced while it was being read; nothing was written, run it again",
    "ContainerNotFound: The specified container does not exist",
    "record 503 has 13 values, the header 12",
    "status = StatusCode.UNAVAILABLE, failed to connect: Connection refused",
    "Failed to commit transaction: 5",
)
REFUSED = "Server returned non-2xx status code: 403 Forbidden: AuthenticationFailed"


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "PAUSES", (0.01, 0.01, 0.01))


def work(*troubles: str) -> tuple[Callable[[], str], list[int]]:
    """Work that fails so many times before it is done, and how often it was begun."""
    left, begun = iter(troubles), [0]

    def attempt() -> str:
        begun[0] += 1
        for trouble in left:
            raise RuntimeError(trouble)
        return "done"

    return attempt, begun


@pytest.mark.parametrize("said", PASSING)
def test_trouble_that_passes_is_outlasted_and_told(said: str, caplog: pytest.LogCaptureFixture) -> None:
    attempt, begun = work(said, said)
    assert outage.outlast(attempt, "silver.titles of 2020-01-01") == "done"
    assert begun == [3]
    assert [m.startswith("silver.titles of 2020-01-01: the storage account is busy") for m in caplog.messages] == [
        True,
        True,
    ]


@pytest.mark.parametrize("said", LASTING)
def test_other_trouble_is_not_waited_for(said: str) -> None:
    attempt, begun = work(said)
    with pytest.raises(RuntimeError) as raised:
        outage.outlast(attempt, "silver.titles")
    assert (str(raised.value), begun) == (said, [1])


def test_what_does_not_end_is_an_error_that_says_what_is_safe_and_what_to_do() -> None:
    attempt, begun = work(*[PASSING[0]] * 10)
    with pytest.raises(StorageError, match=r"silver.titles: .* 503 Service .* No table was harmed: .* run it again"):
        outage.outlast(attempt, "silver.titles")
    assert begun == [4]


def test_a_refusal_is_asked_once_more_with_fresh_access() -> None:
    attempt, begun = work(REFUSED)
    assert (outage.outlast(attempt, "silver.titles"), begun) == ("done", [2])
    attempt, begun = work(REFUSED, REFUSED)
    with pytest.raises(StorageError, match=r"refuses access, with a fresh token .* No table was harmed: .* the roles"):
        outage.outlast(attempt, "silver.titles")
    assert begun == [2]
