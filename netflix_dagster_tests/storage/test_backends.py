"""A kind of storage is one module: what all of them do alike, and one more than the project has."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster import storage
from netflix_dagster.landing.deliveries import deliveries_at, land, list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder, Place, Stored, adls
from netflix_dagster.storage.backend import Storage


@dataclass(frozen=True)
class Kept:
    """A place in the memory of this process: ``memory://path``."""

    path: str = ""

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    def __truediv__(self, name: str) -> Kept:
        return Kept(f"{self.path}/{name}" if self.path else name)

    def __str__(self) -> str:
        return f"memory://{self.path}"


@dataclass
class Memory:
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    kind = Kept
    form = "memory://folder"
    is_local = False
    lists_in_order = True
    has_events = False

    def place(self, text: str) -> Kept | None:
        return Kept(text.removeprefix("memory://")) if text.startswith("memory://") else None

    def as_name(self, place: Kept) -> str:
        return f"memory-{place.path.replace('/', '-')}"

    def asked(self, place: Kept) -> AbstractContextManager[None]:
        return nullcontext()

    def read(self, place: Kept) -> bytes:
        if place.path not in self.files:
            raise FileNotFoundError(str(place))
        return self.files[place.path][0]

    def size(self, place: Kept) -> int:
        return len(self.read(place))

    def is_file(self, place: Kept) -> bool:
        return place.path in self.files

    def pieces(self, place: Kept, least: int) -> Generator[bytes]:
        data = self.read(place)
        yield from (data[at : at + least] for at in range(0, len(data), least))

    def last_byte(self, place: Kept) -> bytes | None:
        return self.read(place)[-1:]

    def opened(self, place: Kept) -> AbstractContextManager[Any]:
        return io.BytesIO(self.read(place))

    def write(self, place: Kept, data: bytes) -> None:
        self.files[place.path] = data, len(self.files) + 1

    def put(self, place: Kept, file: Path) -> None:
        self.write(place, file.read_bytes())

    def create(self, place: Kept, data: bytes) -> bool:
        return not self.is_file(place) and self.write(place, data) is None

    def tag(self, place: Kept) -> str | None:
        return str(self.files[place.path][1]) if self.is_file(place) else None

    def swap(self, place: Kept, data: bytes, tag: str) -> bool:
        return self.tag(place) == tag and self.write(place, data) is None

    def modified_file(self, place: Kept) -> float:
        return 0.0

    def remove_file(self, place: Kept) -> None:
        self.files.pop(place.path, None)

    def folders(self, place: Kept) -> list[str]:
        return sorted({file.path.split("/")[0] for file in self.stored(place, None) if "/" in file.path})

    def stored(self, place: Kept, after: str | None) -> Iterator[Stored]:
        above = f"{place.path}/" if place.path else ""
        for path, (data, mark) in sorted(self.files.items()):
            name = path.removeprefix(above)
            if path.startswith(above) and (after is None or name > after):
                yield Stored(name, len(data), datetime.fromtimestamp(mark, UTC), str(mark))

    def modified(self, place: Kept) -> float:
        return 0.0

    def remove(self, place: Kept) -> None:
        for path in [path for path in self.files if path.startswith(f"{place.path}/")]:
            del self.files[path]

    def delta_options(self, place: Kept) -> dict[str, str] | None:
        return {}

    def spark_options(self, place: Kept) -> dict[str, str]:
        return {"spark.memory": place.path}

    def engine_environment(self, place: Kept) -> dict[str, str]:
        return {"MEMORY": place.path}


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Storage[Kept]:
    backend = Memory()
    monkeypatch.setattr(storage, "BACKENDS", [backend, *storage.BACKENDS])
    return backend


@pytest.fixture(params=["folder", "adls", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return tmp_path
    if request.param == "memory":
        request.getfixturevalue("memory")
        return Kept("s")
    lake: AzureFolder = request.getfixturevalue("lake")
    return lake / "bronze" / "s"


def test_a_file_is_created_once_and_swapped_only_by_who_saw_it_last(place: Place) -> None:
    file = place / "a" / "lock"
    assert storage.tag(file) is None
    assert storage.create(file, b"first")
    assert not storage.create(file, b"second")
    tag = storage.tag(file)
    assert tag and storage.swap(file, b"third", tag)
    assert not storage.swap(file, b"fourth", tag), "somebody else has written it since"
    assert storage.read(file) == b"third"
    storage.remove_file(file)
    storage.remove_file(file)
    assert storage.tag(file) is None


def test_a_file_of_this_machine_is_put_whole_and_read_piece_by_piece(place: Place, tmp_path: Path) -> None:
    here = tmp_path / "here.csv"
    here.write_bytes(b"cast,show_id\nA,1\n")
    storage.put(place / "there.csv", here)
    with storage.opened(place / "there.csv") as file:
        assert (file.read(4), file.read()) == (b"cast", b",show_id\nA,1\n")
    assert b"".join(storage.pieces(place / "there.csv", 5)) == here.read_bytes()
    assert storage.last_byte(place / "there.csv") in (b"\n", None)
    with pytest.raises(FileNotFoundError), storage.opened(place / "never.csv"):
        pass


def test_a_listing_can_begin_at_a_name(place: Place) -> None:
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        storage.write(place / "x" / day / "f", day.encode())
    young = [file.path for file in storage.stored(place / "x", "2026-01-02")]
    assert young == ["2026-01-02/f", "2026-01-03/f"]
    marks = {file.path: file.mark for file in storage.stored(place / "x")}
    storage.write(place / "x" / "2026-01-03" / "f", b"other bytes")
    now = {file.path: file.mark for file in storage.stored(place / "x")}
    assert [path for path, mark in now.items() if mark != marks[path]] == ["2026-01-03/f"]
    assert storage.holds_any(place / "x", ".json", "f") and not storage.holds_any(place / "x", ".json")


def test_a_third_kind_of_storage_is_a_landing_folder_without_a_change_elsewhere(
    memory: Storage[Kept], tmp_path: Path
) -> None:
    settings = Settings(landing="memory://landing", lake="memory://lake")  # type: ignore[arg-type]
    assert (settings.landing, settings.dagster_home.name) == (Kept("landing"), "memory-lake")
    assert storage.engine_environment(settings.lake) == {"MEMORY": "lake"}
    sources = load_sources()
    file = tmp_path / "cast.csv"
    file.write_text("cast,show_id\nA,1\n")
    assert str(land(settings.landing, file, sources.sources["netflix_cast"], "2026-01-06")) == (
        "memory://landing/netflix_cast/2026-01-06/cast.csv"
    )
    listing = list_landing(settings.landing, sources)
    assert [(d.source, d.date, [f.size for f in d.files]) for d in listing.deliveries] == [
        ("netflix_cast", "2026-01-06", [17])
    ]
    assert deliveries_at(settings.landing, sources, [("netflix_cast", "2026-01-06")]) == listing
    with pytest.raises(ValueError, match=r"write memory://folder, or abfss://container@account.*, or a path"):
        storage.at("s3://bucket/x")


def test_an_account_is_not_asked_before_somebody_says_with_what_it_is_opened() -> None:
    before = adls.opened_with()
    adls.open_with(None)
    try:
        for ask in (
            storage.read,
            storage.folders,
            storage.delta_options,
            storage.holds_any,
            storage.engine_environment,
        ):
            with pytest.raises(
                storage.StorageError, match=r"abfss://c@account\S+: this process .*access\.connect\(settings\) once"
            ):
                ask(AzureFolder("account", "c", "f"))  # type: ignore[operator]
    finally:
        adls.open_with(before)
