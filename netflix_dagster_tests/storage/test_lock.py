"""One writer at a time in ADLS: a lock that is a file, which its holder renews and others take over when it does not.

Other holders are other leases of this process: they meet in the storage account alone.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from netflix_dagster import storage
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.report import Report
from netflix_dagster.deliveries.life import Life
from netflix_dagster.lake import lock, store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder
from netflix_dagster_tests.databricks.cloud import CHAIN, wait_for
from netflix_dagster_tests.emulators.azurite import ACCOUNT
from netflix_dagster_tests.lakehouse import as_csv, title

DAY = "2020-01-01"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """All waits are short."""
    for name, seconds in {"RENEWED_EVERY": 0.2, "STALE": 1.5, "_LOOKS_FOR_LEASES_EVERY": 0.1}.items():
        monkeypatch.setattr(lock, name, seconds)


def file_of(lake: AzureFolder, name: str = "catalogue") -> AzureFolder:
    return lake / lock.FOLDER / f"{name}.lock"


def left_by_the_dead(lake: AzureFolder) -> None:
    """A lock whose holder was killed."""
    assert storage.create(file_of(lake), b'{"who": "a killed run", "token": "0"}')


@pytest.fixture
def stands_still(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is set, no holder of this process renews what it holds."""
    still, renew = threading.Event(), lock._Lease.renew

    def or_not(lease: lock._Lease) -> bool:
        while still.is_set() and threading.current_thread() is not threading.main_thread():
            time.sleep(0.01)
        return renew(lease)

    monkeypatch.setattr(lock._Lease, "renew", or_not)
    yield still
    still.clear()


def taken_over(lake: AzureFolder, name: str = "catalogue") -> None:
    """Somebody else takes the lock over, as one who has watched it for long enough does."""
    tag = storage.tag(file_of(lake, name))
    assert tag and storage.swap(file_of(lake, name), b'{"who": "another run", "token": "1"}', tag)


def test_two_holders_come_one_after_the_other(lake: AzureFolder, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []

    def second() -> None:
        with lock.alone(lake, "catalogue", "the second"):
            told.append("second")

    waiting = threading.Thread(target=second)
    with lock.alone(lake, "catalogue", "the first"), lock.alone(lake, "charts", "beside it"):
        waiting.start()
        time.sleep(2 * lock.STALE)  # it is renewed all the while
        assert lock.is_held(lake, "catalogue")
        told.append("first")
    waiting.join(20)
    assert told == ["first", "second"]
    assert "waiting for another build of this lake" in caplog.text
    assert "the first" in caplog.text
    assert not lock.is_held(lake, "catalogue")
    assert storage.folders(lake / lock.FOLDER) == []
    assert list(storage.stored(lake / lock.FOLDER)) == []


def test_a_lock_that_nobody_renews_is_taken_over_after_a_while_by_one(lake: AzureFolder) -> None:
    left_by_the_dead(lake)
    started, inside, most = time.monotonic(), [], []

    def take(number: int) -> None:
        with lock.alone(lake, "catalogue", f"run {number}"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.3)
            inside.remove(number)

    racing = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in racing:
        thread.start()
    for thread in racing:
        thread.join(60)
    assert most == [1, 1, 1, 1]
    assert time.monotonic() - started > lock.STALE


def test_a_holder_that_lost_its_lock_writes_nothing_more_and_leaves_it_to_the_other(
    lake: AzureFolder, stands_still: threading.Event
) -> None:
    rows = pa.table({"number": [1]})
    with lock.alone(lake, "catalogue", "the slow one"):
        store.write_arrow(lake, "quality.things", rows)
        stands_still.set()
        taken_over(lake)
        time.sleep(lock.STALE)
        with pytest.raises(lock.LockLost, match=r"another run.*every table is whole"):
            store.write_arrow(lake, "quality.things", rows)
        stands_still.clear()
        other = AzureFolder(ACCOUNT, storage.ZONE, f"{lake.path}x")
        store.write_arrow(other, "quality.things", rows)  # another lake is another's
    assert store.row_count(lake, "quality.things") == 1
    assert b"another run" in storage.read(file_of(lake))


def test_a_holder_that_was_slow_and_met_nobody_goes_on(lake: AzureFolder, stands_still: threading.Event) -> None:
    with lock.alone(lake, "catalogue", "the slow one"):
        stands_still.set()
        time.sleep(lock.STALE)
        store.write_arrow(lake, "quality.things", pa.table({"number": [1]}))
        stands_still.clear()
    assert not storage.is_file(file_of(lake))


def test_a_renewal_of_which_nobody_hears_whether_it_was_made_is_one(
    lake: AzureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = storage.swap
    with lock.alone(lake, "catalogue", "the lucky one"):
        (lease,) = lock._LEASES
        monkeypatch.setattr(storage, "swap", lambda *said: swap(*said) and None)
        assert lease.renew()
        lease.ensure()


@pytest.mark.soak  # a lease of two seconds is too short beside other work
def test_a_build_whose_lock_is_taken_over_fails_and_is_due_again(
    lake: AzureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing, sources = AzureFolder(ACCOUNT, "landing", lake.path), load_sources()
    storage.write(landing / "netflix_catalogue" / DAY / "file.csv", as_csv([title(1), title(2)]).encode())
    settings = Settings(landing=landing, lake=lake)
    build = Session.build

    def disturbed(session: Session, name: str) -> Report:
        if name == "silver.titles":
            taken_over(lake)
            wait_for(lambda: lock._LEASES[0].lost, "the holder to hear of it")
        return build(session, name)

    def built() -> Session:
        with Session(settings, sources, "run", CHAIN, {"catalogue": [DAY]}) as session:
            list(session.run())
        return session

    with monkeypatch.context() as patch:
        patch.setattr(Session, "build", disturbed)
        lost = built()
    assert "LockLost" in lost.failed["silver.titles"]
    assert lost.built == {"bronze.netflix_catalogue"}
    assert not store.exists(lake, "silver.titles")
    assert Life.read(lake).due("catalogue", DAY) >= set(CHAIN)

    assert built().failed == {}  # once the other is stale in its turn
    assert Life.read(lake).due("catalogue", DAY).isdisjoint(CHAIN)
    assert [store.row_count(lake, name) for name in CHAIN] == [2, 2, 4, 1, 2]


HOLDS = """
import sys
from netflix_dagster import storage
from netflix_dagster.azure import access
from netflix_dagster.lake import lock
from netflix_dagster.settings import get_settings
access.connect(get_settings())
with lock.alone(storage.at(sys.argv[1]), "catalogue", "another process"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_another_process_is_waited_for_and_its_death_is_outlived(lake: AzureFolder, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(lake)]
    for kill in (False, True):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, encoding="utf-8"
        ) as other:
            assert other.stdin and other.stdout
            assert other.stdout.readline() == "held\n"
            assert lock.is_held(lake, "catalogue")
            if kill:
                other.kill()
            else:
                other.stdin.write("\n")
                other.stdin.flush()
            with lock.alone(lake, "catalogue", "this process"):
                assert other.wait(20) == (-9 if kill else 0)
