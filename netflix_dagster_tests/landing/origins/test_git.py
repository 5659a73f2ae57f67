"""Git origins: the file as it is now, and its commits as dated deliveries, from a real repository over the protocol."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.git import Repository
from netflix_dagster.landing.origins.model import Origin
from netflix_dagster_tests.landing.origins.conftest import House
from netflix_dagster_tests.landing.origins.killing import kill_at_random
from netflix_dagster_tests.landing.origins.repository import Served


def cast(*names: str) -> bytes:
    return b"cast,show_id\n" + b"".join(f"{name},1\n".encode() for name in names)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A week of one file, beside others, with everything that histories have."""
    repository = Served(tmp_path / "served")
    repository.commit("README.md", b"before there was any", "2024-01-01T09:00:00Z")
    repository.commit("data/netflix_cast.csv", cast("a"), "2024-01-02T09:00:00Z")
    repository.commit("README.md", b"no change of the file", "2024-01-03T09:00:00Z")
    repository.commit("data/netflix_cast.csv", cast("twice", "a day"), "2024-01-04T01:00:00Z")
    repository.commit("data/netflix_cast.csv", cast("a", "b"), "2024-01-04T23:30:00-00:00")
    repository.commit("data/netflix_cast.csv", None, "2024-01-05T09:00:00Z")
    repository.commit("data/netflix_cast.csv", b"<html>Moved Permanently</html>", "2024-01-06T09:00:00Z")
    repository.commit("data/netflix_cast.csv", cast("a", "b", "c"), "2024-01-07T23:30:00-05:00")
    return repository


def origin(served: Served, **more: Any) -> dict[str, Any]:
    return {"git": served.url, "path": "data/netflix_cast.csv", **more}


def test_the_history_of_a_file_is_deliveries_of_the_days_on_which_it_was_committed(
    served: Served, house: House
) -> None:
    """The last state of a day, in UTC; what stood there that was no data lands as well: the door judges it."""
    expected = {
        "2024-01-02": cast("a"),
        "2024-01-04": cast("a", "b"),
        "2024-01-06": b"<html>Moved Permanently</html>",
        "2024-01-08": cast("a", "b", "c"),
    }
    fetched = house.history(origin(served))
    assert [one.date for one in fetched] == list(expected)
    assert house.deliveries == expected
    assert [one.outcome for one in house.history(origin(served))] == ["unchanged"]
    assert [one.outcome for one in house.fetch(origin(served))] == ["unchanged"]
    served.commit("data/netflix_cast.csv", cast("d"), "2024-01-09T09:00:00Z")
    assert [one.date for one in house.fetch(origin(served))] == ["2024-01-09"]
    assert [one.outcome for one in house.history(origin(served))] == ["unchanged"]


def test_a_history_that_was_stopped_goes_on(served: Served, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    landed: list[str] = []
    from netflix_dagster.landing.origins import fetching

    land = fetching.Fetch._land

    def dying(self: fetching.Fetch, *arguments: Any) -> None:
        land(self, *arguments)
        landed.append(arguments[2])
        if len(landed) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fetching.Fetch, "_land", dying)
        with pytest.raises(KeyboardInterrupt):
            house.history(origin(served))
    times = {path: path.stat().st_mtime_ns for path in house.landing.glob("netflix_cast/*/*")}
    assert [one.date for one in house.history(origin(served))] == ["2024-01-06", "2024-01-08"]
    assert all(path.stat().st_mtime_ns == before for path, before in times.items()), "landed again, though it lay there"


def test_the_file_as_it_is_now_is_one_delivery_of_its_commit(served: Served, house: House) -> None:
    (one,) = house.fetch(origin(served))
    assert (one.outcome, one.date) == ("delivered", "2024-01-08")
    assert [one.outcome for one in house.fetch(origin(served))] == ["unchanged"]
    served.commit("README.md", b"nothing of the file", "2024-02-01T09:00:00Z")
    assert [one.outcome for one in house.fetch(origin(served))] == ["unchanged"]
    assert list(house.deliveries) == ["2024-01-08"]


def test_only_what_changed_is_fetched(served: Served, house: House) -> None:
    """Blobs of other files, and of other days, stay where they are."""
    served.commit("huge.bin", b"\0" * 3_000_000, "2024-01-10T09:00:00Z")
    house.fetch(origin(served))
    asked = Origin(**origin(served, private=True))
    repository = Repository(asked, house.landing / "_origins" / "staging" / "netflix_cast", lambda *_: None)
    here = repository._git("cat-file", "--batch-all-objects", "--batch-check").split("\n")
    blobs = [line.split()[0] for line in here if " blob " in line]
    body = cast("a", "b", "c")
    assert blobs == [hashlib.sha1(f"blob {len(body)}\0".encode() + body).hexdigest()]


def test_a_pinned_commit_with_a_date_is_asked_for_once(served: Served, house: House) -> None:
    commit = served.git("rev-parse", "HEAD~3").strip()
    served.commit("data/netflix_cast.csv", cast("later"), "2024-03-01T09:00:00Z")
    pinned = origin(served, ref=commit, date="2020-02-01", checksum="git:" + served.git(
        "rev-parse", f"{commit}:data/netflix_cast.csv").strip())  # fmt: skip
    (one,) = house.fetch(pinned)
    assert (one.date, one.revision) == ("2020-02-01", commit)
    assert house.deliveries == {"2020-02-01": cast("a", "b")}
    served.folder.rename(served.folder.with_name("gone"))
    assert [one.outcome for one in house.fetch(pinned)] == ["unchanged"]


@pytest.mark.parametrize(
    "more, match",
    [
        ({"path": "data/none.csv", "file": "netflix_cast.csv"}, "no such file"),
        ({"ref": "nowhere"}, "git says: .*nowhere"),
        ({"private": False}, "https, not file"),
        ({"git": "https://127.0.0.1:1/x.git", "private": False}, "private network"),
        ({"git": "https://localhost:1/x.git"}, "cannot be had"),
        ({"checksum": "git:" + "0" * 40}, "checksum should be"),
    ],
)
def test_what_cannot_be_had_is_said_in_words(served: Served, house: House, more: dict[str, Any], match: str) -> None:
    with pytest.raises(FetchError, match=match):
        house.fetch(origin(served, **more))
    assert house.deliveries == {}


def test_a_file_that_is_too_large_is_not_taken(served: Served, house: House) -> None:
    served.commit("data/netflix_cast.csv", cast(*["x" * 100] * 20_000), "2024-02-01T09:00:00Z")
    with pytest.raises(FetchError, match="limit is 1 MB"):
        house.fetch(origin(served, max_mb=1))


def test_a_link_is_no_file(served: Served, house: House) -> None:
    (served.folder / "data" / "netflix_cast.csv").unlink()
    (served.folder / "data" / "netflix_cast.csv").symlink_to("/etc/passwd")
    served.git("add", "--all")
    served.git("commit", "--quiet", "--message", "x", when="2024-02-01T00:00:00Z")
    assert [one.date for one in house.fetch(origin(served))] == ["2024-01-08"]
    with pytest.raises(FetchError, match="no such file"):
        house.fetch(origin(served, date="2024-02-01"))


@pytest.mark.parametrize("kills", [6, pytest.param(60, marks=pytest.mark.soak)])
def test_a_history_that_is_killed_at_any_moment_goes_on(served: Served, house: House, kills: int) -> None:
    """A clone that was begun, a lock that was left, a file that was not whole: none of them is in the way."""
    expected = {
        "2024-01-02": cast("a"),
        "2024-01-04": cast("a", "b"),
        "2024-01-06": b"<html>Moved Permanently</html>",
        "2024-01-08": cast("a", "b", "c"),
    }

    def sees() -> None:
        assert house.deliveries.items() <= expected.items()

    kill_at_random(house.source(origin(served)), house.landing, kills, kills, sees)
    house.history(origin(served))
    assert house.deliveries == expected
    assert [one.outcome for one in house.history(origin(served))] == ["unchanged"]


@pytest.mark.parametrize("calls", range(1, 8))
def test_a_clone_that_was_begun_and_a_lock_that_was_left_are_not_in_the_way(
    served: Served, house: House, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Killed after so many calls of git, which held a lock on its ref."""
    run, left = Repository._git, [calls]

    def dying(self: Repository, *arguments: str, **named: Any) -> str:
        said = run(self, *arguments, **named)
        left[0] -= 1
        if not left[0]:
            (self.folder / "refs" / "origin").mkdir(exist_ok=True)
            (self.folder / "refs" / "origin" / "ref.lock").touch()
            raise KeyboardInterrupt
        return said

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Repository, "_git", dying)
        house.fetch(origin(served))
    assert [one.date for one in house.fetch(origin(served))] == ["2024-01-08"]
