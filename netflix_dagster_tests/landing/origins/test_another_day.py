"""An origin that answers with something else than yesterday is refused with what was expected and found; what stands
stands, and the day after it works. For every kind of origin; for databases see ``test_database.py``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster_tests.landing.origins.conftest import House
from netflix_dagster_tests.landing.origins.repository import Served
from netflix_dagster_tests.landing.origins.server import Server

ONE, TWO = (b"cast,show_id\n" + b"Uma Thurman,%d\n" % n for n in (1, 2))
PAGE = b"<!doctype html><html><body>Please sign in</body></html>"
Put = Callable[[bytes, int], None]
"""Lays these bytes there, on this day of May."""


def at_a_url(server: Server, path: str) -> Put:
    def put(body: bytes, day: int) -> None:
        server.file(path, body, ETag=f'"{day}"', Last_Modified=f"Mon, {day:02} May 2024 10:00:00 GMT")

    return put


def in_git(served: Served) -> Put:
    def put(body: bytes, day: int) -> None:
        served.commit("netflix_cast.csv", body, f"2024-05-{day:02}T10:00:00Z")

    return put


def in_a_storage(file: Path) -> Put:
    def put(body: bytes, day: int) -> None:
        file.write_bytes(body)

    return put


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["url", "kaggle", "git", "storage"])
def test_what_is_no_data_is_refused_and_the_next_day_works(
    server: Server, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("netflix_dagster.landing.origins.fetching._KAGGLE", server.url("/api"))
    served, file = Served(tmp_path / "served"), tmp_path / "netflix_cast.csv"
    ways: dict[str, tuple[dict[str, Any], Put]] = {
        "url": ({"url": server.url("/netflix_cast.csv")}, at_a_url(server, "/netflix_cast.csv")),
        "kaggle": (
            {"kaggle": "owner/set", "path": "netflix_cast.csv"},
            at_a_url(server, "/api/owner/set/netflix_cast.csv"),
        ),
        "git": ({"git": served.url, "path": "netflix_cast.csv"}, in_git(served)),
        "storage": ({"storage": str(file)}, in_a_storage(file)),
    }
    origin, put = ways[kind]
    put(ONE, 6)
    assert [one.outcome for one in house.fetch(origin)] == ["delivered"]
    before = {path: path.stat().st_mtime_ns for path in house.landing.glob("netflix_cast/*/*")}
    put(PAGE, 7)
    for _ in range(2):
        with pytest.raises(FetchError, match=r"a csv file was expected.*and the file is an HTML page") as refused:
            house.fetch(origin)
        assert "Landing is as it was" in str(refused.value)
        assert {path: path.stat().st_mtime_ns for path in house.landing.glob("netflix_cast/*/*")} == before
    put(TWO, 8)
    assert [one.outcome for one in (*house.fetch(origin), *house.fetch(origin))] == ["delivered", "unchanged"]
    assert TWO in house.deliveries.values() and (kind == "storage" or ONE in house.deliveries.values())
