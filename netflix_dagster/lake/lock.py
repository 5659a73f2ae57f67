"""One writer at a time: a lock in the lake, which every runner takes before it changes the tables of a feed.

On this machine it is a lock of the operating system, which ends with the process that holds it, however that ends. In
ADLS it is a small file that its holder renews; one that was not renewed for ``STALE`` seconds was left by a killed
process and is taken over, by compare-and-swap. A holder that was only slow learns of it before its next commit
(``ensure``) and writes nothing more.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from netflix_dagster import storage
from netflix_dagster.storage import Place

log = logging.getLogger("netflix_dagster.build")
FOLDER = "_locks"
RENEWED_EVERY, STALE = 5.0, 30.0
_LOOKS_EVERY = 0.2
_LOOKS_FOR_LEASES_EVERY = 2.0
_TELLS_AFTER = 1.0
_LEASES: list[_Lease] = []
"""The locks in ADLS that this process holds."""


class LockLost(RuntimeError):
    """Another build has taken over the lock that this one held; this one must not go on writing."""


@contextmanager
def alone(lake: Place, name: str, who: str) -> Iterator[None]:
    """Wait until nobody else holds this lock of the lake, and hold it. ``who`` is what those who wait are told."""
    hold = _hold_file if storage.is_local(lake) else _hold_lease
    with hold(lake / FOLDER / f"{name}.lock", who):
        yield


def ensure(lake: Place) -> None:
    """Raise ``LockLost`` when a lock of this lake that this process holds is somebody else's by now.

    Asked before every commit. On this machine the operating system takes no lock from a process that lives.
    """
    for lease in list(_LEASES):
        if str(lease.file).startswith(str(lake / FOLDER)):
            lease.ensure()


def is_held(lake: Place, name: str) -> bool:
    """Whether somebody holds this lock of the lake now."""
    if not storage.is_local(lake):
        return _lease_is_fresh(lake / FOLDER / f"{name}.lock")
    file = lake / FOLDER / f"{name}.lock"
    if not file.exists():
        return False
    with file.open("a+") as lock:
        if not _taken(lock):
            return True
        fcntl.flock(lock, fcntl.LOCK_UN)
        return False


@contextmanager
def _hold_file(file: Any, who: str) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as lock:
        started, told = time.monotonic(), False
        while not _taken(lock):
            if not told and time.monotonic() - started > _TELLS_AFTER:
                lock.seek(0)
                log.warning("waiting for another build of this lake: %s", lock.read().strip() or "unknown")
                told = True
            time.sleep(_LOOKS_EVERY)
        lock.seek(0)
        lock.truncate()
        lock.write(f"{who}, process {os.getpid()}")
        lock.flush()
        yield


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(slots=True)
class _Lease:
    """A lock in ADLS that this process holds: its file, the tag of our last write, and when that was sent.

    Every write names the tag of the one before, so that of two who think that the lock is theirs one learns better.
    """

    file: Place
    said: bytes
    token: str
    tag: str
    renewed: float
    lost: bool = False
    _one_by_one: Any = field(default_factory=threading.Lock)

    def renew(self) -> bool:
        """Say that the holder is alive; False when somebody else has taken the lock over."""
        with self._one_by_one:
            if self.lost:
                return False
            began = _now()
            tag = storage.swap(self.file, self.said, self.tag) or _mine(self.file, self.token)
            if tag is None:
                self.lost = True
                return False
            self.tag, self.renewed = tag, began
            return True

    def ensure(self) -> None:
        """Raise ``LockLost`` when somebody else may be at work. Asks the storage only when a renewal is overdue."""
        if self.lost or (_now() - self.renewed > STALE / 2 and not self.renew()):
            raise LockLost(
                f"the lock {self.file} was not renewed for {STALE:.0f} s, as happens when a process or its network"
                f" stands still, and is held by another build now: {_holder(self.file) or 'which has ended'}. Nothing"
                " more is written here, and every table is whole. What is left is due again; run it again"
            )

    def release(self) -> None:
        try:
            if self.renew():  # for a while nobody takes it over now, so what is removed is ours
                storage.remove_file(self.file)
        except storage.StorageError:
            log.warning("the lock %s could not be removed; it is free in %.0f s", self.file, STALE)

    def keep(self, over: threading.Event) -> None:
        """Renew it until it is over or lost."""
        while not over.wait(RENEWED_EVERY):
            try:
                if not self.renew():
                    log.error("the lock %s was taken over by another build; nothing more is written here", self.file)
                    return
            except storage.StorageError:
                log.warning("the lock %s could not be renewed; it is tried again", self.file)


@contextmanager
def _hold_lease(file: Place, who: str) -> Iterator[None]:
    lease = _take_lease(file, f"{who} on {socket.gethostname()}")
    over = threading.Event()
    renewing = threading.Thread(target=lease.keep, args=(over,), daemon=True)
    renewing.start()
    _LEASES.append(lease)
    try:
        yield
    finally:
        _LEASES.remove(lease)
        over.set()
        renewing.join()
        lease.release()


def _take_lease(file: Place, who: str) -> _Lease:
    """Wait for the lock. It is taken over when nobody has written it while we watched for ``STALE`` seconds: by our
    clock alone, since the clocks of two machines differ."""
    token, told = uuid.uuid4().hex, False
    said = json.dumps({"who": who, "token": token}).encode()
    watched, since = None, _now()
    while True:
        began = _now()
        tag = storage.create(file, said)
        if tag is None:
            seen = storage.tag(file)
            if seen != watched:
                watched, since = seen, _now()
                tag = _mine(file, token)  # the answer to our first try may have been lost
            elif seen is not None and _now() - since > STALE:
                tag = storage.swap(file, said, seen) or _mine(file, token)
        if tag is not None:
            return _Lease(file, said, token, tag, began)
        if not told:
            log.warning("waiting for another build of this lake: %s", _holder(file) or "unknown")
            told = True
        time.sleep(_LOOKS_FOR_LEASES_EVERY)


def _mine(file: Place, token: str) -> str | None:
    """The tag of the file if this token is what is in it."""
    while (tag := storage.tag(file)) is not None:
        mine = token in _holder(file)
        if storage.tag(file) == tag:
            return tag if mine else None
    return None


def _holder(file: Place) -> str:
    try:
        return storage.read(file).decode()
    except FileNotFoundError:
        return ""


def _lease_is_fresh(file: Place) -> bool:
    try:
        return time.time() - storage.modified_file(file) < STALE
    except FileNotFoundError:
        return False


def _now() -> float:
    """Seconds that go on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
