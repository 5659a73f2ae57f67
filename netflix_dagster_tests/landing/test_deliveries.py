"""The landing folder: what counts as a delivery, what is passed over, and how a change is noticed."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from netflix_dagster.landing.deliveries import Delivery, LandedFile, Listing, delivery_at, land, list_landing
from netflix_dagster.landing.listing import check_landing, misdated
from netflix_dagster.landing.sources import load_sources

SOURCES = load_sources()
CAST = SOURCES.sources["netflix_cast"]
TITLES = SOURCES.sources["netflix_titles"]
DAY = "2020-02-01"


def put(landing: Path, place: str, text: str = "cast,show_id\nA,1\n") -> Path:
    path = landing / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def look(landing: Path) -> Listing:
    return list_landing(landing, SOURCES)


def only_file(landing: Path) -> LandedFile:
    (delivery,) = look(landing).deliveries
    (file,) = delivery.files
    return file


@contextmanager
def not_as_root() -> Iterator[None]:
    """Permissions hold for everyone but root; be nobody for a moment."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# What is a delivery


def test_deliveries_come_sorted_by_date_then_source(tmp_path: Path) -> None:
    for place in ("netflix_titles/2020-02-01", "netflix_cast/2021-01-01", "netflix_cast/2020-02-01"):
        put(tmp_path, f"{place}/x.csv")
    assert [(d.date, d.source) for d in look(tmp_path).deliveries] == [
        ("2020-02-01", "netflix_cast"),
        ("2020-02-01", "netflix_titles"),
        ("2021-01-01", "netflix_cast"),
    ]


def test_a_delivery_tells_its_files_by_name_with_their_sizes(tmp_path: Path) -> None:
    put(tmp_path, f"netflix_cast/{DAY}/b.csv", "12345")
    put(tmp_path, f"netflix_cast/{DAY}/a.csv", "1")
    (delivery,) = look(tmp_path).deliveries
    assert [(f.name, f.size, f.problem) for f in delivery.files] == [("a.csv", 1, None), ("b.csv", 5, None)]


def test_a_missing_landing_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert look(tmp_path / "nowhere") == Listing()
    assert look(tmp_path / "nowhere").fingerprint == look(tmp_path).fingerprint


def test_a_folder_without_files_is_no_delivery_yet(tmp_path: Path) -> None:
    (tmp_path / "netflix_cast" / DAY).mkdir(parents=True)
    assert look(tmp_path) == Listing()
    assert delivery_at(tmp_path, CAST, DAY) is None


def test_a_look_can_be_restricted_to_some_sources(tmp_path: Path) -> None:
    put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    put(tmp_path, f"netflix_titles/{DAY}/x.csv")
    found = list_landing(tmp_path, SOURCES, only=["netflix_titles"])
    assert [d.source for d in found.deliveries] == ["netflix_titles"]


def test_one_delivery_looked_up_is_the_one_that_is_listed(tmp_path: Path) -> None:
    put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    assert look(tmp_path).deliveries == (delivery_at(tmp_path, CAST, DAY),)
    assert delivery_at(tmp_path, CAST, "2020-02-02") is None
    assert delivery_at(tmp_path, TITLES, DAY) is None


# What is not


def test_folders_of_sources_that_nobody_knows_are_named(tmp_path: Path) -> None:
    put(tmp_path, f"netflix_trailers/{DAY}/x.csv")
    found = look(tmp_path)
    assert (found.deliveries, found.unknown_sources) == ((), (f"{tmp_path}/netflix_trailers",))


@pytest.mark.parametrize(
    ("place", "stray"),
    [
        ("readme.txt", "readme.txt"),
        ("netflix_cast", "netflix_cast: a file where the folder of a source should be"),
        (f"netflix_cast/{DAY}", f"netflix_cast/{DAY}: a file where the folder of a delivery should be"),
        ("netflix_cast/x.csv", "netflix_cast/x.csv: not a delivery date (YYYY-MM-DD)"),
        (f"netflix_cast/{DAY}/notes.txt", f"netflix_cast/{DAY}/notes.txt: not one of netflix_cast's files (*.csv)"),
        (f"netflix_cast/{DAY}/old/x.csv", f"netflix_cast/{DAY}/old: not one of netflix_cast's files (*.csv)"),
    ],
)
def test_what_lies_in_the_wrong_place_is_a_stray_and_said_so(tmp_path: Path, place: str, stray: str) -> None:
    put(tmp_path, place)
    assert look(tmp_path) == Listing(strays=(f"{tmp_path}/{stray}",))


@pytest.mark.parametrize(
    "name", ["2020-2-1", "20200201", "2020-02-30", "2020-W05-6", "01-02-2020", "2020-02-01 ", "2020-02", "latest"]
)
def test_a_folder_that_is_not_a_date_is_a_stray(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"netflix_cast/{name}/x.csv")
    found = look(tmp_path)
    assert found.deliveries == ()
    assert found.strays == (f"{tmp_path}/netflix_cast/{name}: not a delivery date (YYYY-MM-DD)",)


@pytest.mark.parametrize("name", ["9999-12-31", "0001-01-01", "1996-12-31", "2206-01-01"])
def test_a_date_that_cannot_be_meant_is_a_stray_and_said_so(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"netflix_cast/{name}/x.csv")
    found = look(tmp_path)
    assert found.deliveries == ()
    (stray,) = found.strays
    assert stray.startswith(f"{tmp_path}/netflix_cast/{name}: a delivery cannot be from ")
    assert stray.endswith("; rename the folder to the date that is meant")
    with pytest.raises(ValueError, match=r"; write the date that is meant$"):
        check_landing("x.csv", CAST, name)


def test_dates_from_the_first_year_to_a_year_ahead_can_be_meant() -> None:
    today = datetime.now(UTC).date()
    assert [misdated(day) for day in ("1997-01-01", "2020-02-29", str(today + timedelta(365)))] == [None] * 3
    assert misdated(str(today + timedelta(368)))


@pytest.mark.parametrize(
    "place",
    [
        ".git/x.csv",
        "_staging/x.csv",
        "netflix_cast/.tmp/x.csv",
        f"netflix_cast/{DAY}/.x.csv",
        f"netflix_cast/{DAY}/_SUCCESS",
        f"netflix_cast/{DAY}/_x.csv",
        f"netflix_cast/{DAY}/x.csv.tmp",
        f"netflix_cast/{DAY}/x.csv.part",
        f"netflix_cast/{DAY}/x.csv.crc",
    ],
)
def test_hidden_and_unfinished_files_are_passed_over_in_silence(tmp_path: Path, place: str) -> None:
    put(tmp_path, place)
    assert look(tmp_path) == Listing()


def test_a_stray_beside_a_good_file_does_not_spoil_the_delivery(tmp_path: Path) -> None:
    put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    clean = look(tmp_path)
    put(tmp_path, f"netflix_cast/{DAY}/notes.txt")
    found = look(tmp_path)
    assert (found.deliveries, found.fingerprint, len(found.strays)) == (clean.deliveries, clean.fingerprint, 1)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems do not take such a name")
def test_a_name_that_is_not_utf8_is_a_stray_and_stops_nothing(tmp_path: Path) -> None:
    good = put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    (good.parent / os.fsdecode(b"caf\xe9.csv")).write_text("")
    found = look(tmp_path)
    assert [f.name for d in found.deliveries for f in d.files] == ["x.csv"]
    assert found.strays == (f"{good.parent}/caf\\xe9.csv: its name is not UTF-8; rename it",)
    assert found.fingerprint


def test_a_folder_that_may_not_be_read_is_a_stray_and_stops_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:
        landing = Path(name)
        landing.chmod(0o755)
        put(landing, f"netflix_titles/{DAY}/x.csv")
        locked = put(landing, f"netflix_cast/{DAY}/x.csv").parent
        locked.chmod(0)
        with not_as_root():
            found = look(landing)
        locked.chmod(0o755)
    assert [d.source for d in found.deliveries] == ["netflix_titles"]
    assert found.strays == (f"{locked}: cannot be read: Permission denied",)


# Files that cannot be read as files: still a delivery, to be refused with the reason


def make_directory(path: Path) -> None:
    path.mkdir()


def make_dangling_symlink(path: Path) -> None:
    path.symlink_to("gone.csv")


def make_symlink_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (make_directory, "is a directory where a file should be"),
        (make_dangling_symlink, "cannot be read: No such file or directory"),
        (make_symlink_to_itself, "cannot be read: Too many levels of symbolic links"),
        (make_pipe, "is not an ordinary file (a pipe, socket or device)"),
        (make_socket, "is not an ordinary file (a pipe, socket or device)"),
    ],
)
def test_what_cannot_be_opened_is_listed_with_its_problem(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    folder = tmp_path / "netflix_cast" / DAY
    folder.mkdir(parents=True)
    make(folder / "x.csv")
    file = only_file(tmp_path)
    assert (file.name, file.size, file.problem) == ("x.csv", 0, problem)


def test_symbolic_links_are_followed(tmp_path: Path) -> None:
    put(tmp_path, f"elsewhere/{DAY}/x.csv", "12345")
    (tmp_path / "netflix_cast").symlink_to("elsewhere")
    (tmp_path / "elsewhere" / "2020-02-02").symlink_to(DAY)
    assert [(d.date, d.files[0].size) for d in look(tmp_path).deliveries] == [(DAY, 5), ("2020-02-02", 5)]


# The fingerprint


def fingerprint(landing: Path) -> str:
    (delivery,) = look(landing).deliveries
    return delivery.fingerprint


def test_nothing_changed_is_the_same_fingerprint(tmp_path: Path) -> None:
    file = put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    before = look(tmp_path)
    file.read_text()
    put(tmp_path, "netflix_cast/.hidden")
    assert (look(tmp_path), look(tmp_path).fingerprint) == (before, before.fingerprint)


def add_a_file(file: Path) -> None:
    file.with_name("y.csv").write_text("cast,show_id\n")


def touch(file: Path) -> None:
    info = file.stat()
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns + 1))


def lengthen(file: Path) -> None:
    file.write_text(file.read_text() + "B,2\n")


def rename(file: Path) -> None:
    file.rename(file.with_name("y.csv"))


def replace_by_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace_by_one_of_the_same_size_and_time(file: Path) -> None:
    before, new = file.stat(), file.with_name(".new")
    new.write_text(file.read_text().replace("A", "B"))
    new.replace(file)
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of a file system ticks slowly
        os.utime(file, ns=(0, 0))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize(
    "change",
    [add_a_file, touch, lengthen, rename, replace_by_a_directory, replace_by_one_of_the_same_size_and_time],
)
def test_whatever_happens_to_a_file_changes_the_fingerprint(tmp_path: Path, change: Callable[[Path], None]) -> None:
    file = put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    delivery, listing = fingerprint(tmp_path), look(tmp_path).fingerprint
    change(file)
    assert fingerprint(tmp_path) != delivery
    assert look(tmp_path).fingerprint != listing


def test_a_removed_file_and_a_removed_delivery_change_the_fingerprint(tmp_path: Path) -> None:
    one, other = (put(tmp_path, f"netflix_cast/{DAY}/{name}.csv") for name in "xy")
    both, listing = fingerprint(tmp_path), look(tmp_path).fingerprint
    one.unlink()
    assert fingerprint(tmp_path) != both
    other.unlink()
    assert look(tmp_path).fingerprint not in (listing, both)


def test_the_same_files_of_another_date_are_another_listing(tmp_path: Path) -> None:
    put(tmp_path, f"netflix_cast/{DAY}/x.csv")
    before = look(tmp_path).fingerprint
    (tmp_path / "netflix_cast" / DAY).rename(tmp_path / "netflix_cast" / "2020-02-02")
    assert look(tmp_path).fingerprint != before


def test_two_files_are_not_one_file() -> None:
    one, two = LandedFile("/landing/a", 1, 2, "m"), LandedFile("/landing/b", 1, 2, "m")
    prints = {Delivery("s", DAY, files).fingerprint for files in ((one,), (two,), (one, two))}
    assert len(prints) == 3


# Landing a file


def test_a_landed_file_is_a_copy_in_its_place(tmp_path: Path) -> None:
    file = put(tmp_path, "inbox/x.csv", "cast,show_id\nA,1\n")
    target = land(tmp_path / "landing", file, CAST, DAY)
    assert target == tmp_path / "landing" / "netflix_cast" / DAY / "x.csv"
    assert target.read_bytes() == file.read_bytes()
    assert only_file(tmp_path / "landing").path == str(target)


def test_landing_again_replaces_and_leaves_nothing_else_behind(tmp_path: Path) -> None:
    file = put(tmp_path, "inbox/x.csv", "old")
    land(tmp_path / "landing", file, CAST, DAY)
    file.write_text("new")
    target = land(tmp_path / "landing", file, CAST, DAY)
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["x.csv"]


def test_a_file_that_already_lies_in_its_place_can_be_landed(tmp_path: Path) -> None:
    target = put(tmp_path, f"netflix_cast/{DAY}/x.csv", "text")
    assert land(tmp_path, target, CAST, DAY).read_text() == "text"


@pytest.mark.parametrize("day", ["2020-2-1", "2020-02-30", "20200201", "..", ""])
def test_nothing_is_landed_under_a_date_that_is_none(tmp_path: Path, day: str) -> None:
    file = put(tmp_path, "inbox/x.csv")
    with pytest.raises(ValueError, match="write it as YYYY-MM-DD"):
        land(tmp_path / "landing", file, CAST, day)
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize("name", ["x.txt", "x.CSV", "csv", "x.csv.gz"])
def test_nothing_is_landed_under_a_name_that_the_source_does_not_use(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"the files of netflix_cast are called \*\.csv"):
        land(tmp_path / "landing", put(tmp_path, f"inbox/{name}"), CAST, DAY)
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize("name", ["_x.csv", ".x.csv"])
def test_nothing_is_landed_under_a_name_that_the_listing_passes_over(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="passed over"):
        land(tmp_path / "landing", put(tmp_path, f"inbox/{name}"), CAST, DAY)
    assert not (tmp_path / "landing").exists()


def test_a_failed_copy_leaves_the_landed_file_as_it_was(tmp_path: Path) -> None:
    target = put(tmp_path, f"netflix_cast/{DAY}/x.csv", "old")
    (tmp_path / "inbox" / "x.csv").mkdir(parents=True)
    for wrong in (tmp_path / "inbox" / "x.csv", tmp_path / "gone" / "x.csv"):
        with pytest.raises(OSError, match=r"x\.csv"):
            land(tmp_path, wrong, CAST, DAY)
    assert (target.read_text(), os.listdir(target.parent)) == ("old", ["x.csv"])


def test_a_directory_in_the_place_of_the_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "netflix_cast" / DAY / "x.csv").mkdir(parents=True)
    with pytest.raises(OSError, match=r"x\.csv"):
        land(tmp_path, put(tmp_path, "inbox/x.csv"), CAST, DAY)
    assert os.listdir(tmp_path / "netflix_cast" / DAY) == ["x.csv"]


def test_many_who_land_the_same_name_at_once_never_mix(tmp_path: Path) -> None:
    def bring(number: int) -> None:
        land(tmp_path / "landing", put(tmp_path, f"{number}/x.csv", str(number) * 300_000), CAST, DAY)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, range(8)))
    target = tmp_path / "landing" / "netflix_cast" / DAY / "x.csv"
    assert target.read_text() in {str(number) * 300_000 for number in range(8)}
    assert os.listdir(target.parent) == ["x.csv"]


def test_whoever_looks_while_a_file_is_landed_sees_it_whole_or_not_at_all(tmp_path: Path) -> None:
    file = put(tmp_path, "inbox/x.csv", "x" * 1_000_000)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(lambda: [land(tmp_path / "landing", file, CAST, DAY) for _ in range(20)])
        sizes = {f.size for _ in iter(done.done, True) for d in look(tmp_path / "landing").deliveries for f in d.files}
        done.result()
    assert sizes | {only_file(tmp_path / "landing").size} == {1_000_000}
