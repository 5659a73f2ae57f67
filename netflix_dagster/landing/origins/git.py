"""A file in a git repository, and its history, over the git protocol: commits and trees first, then the wanted blobs.

The `git` command makes a bare partial clone (``--filter=blob:none``) in the staging folder and nothing is checked out:
no hook, filter or attribute of the repository runs. What is kept there is only a cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from netflix_dagster.azure.redaction import redact
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.hosts import public_addresses
from netflix_dagster.landing.origins.http import Progress
from netflix_dagster.landing.origins.model import Origin

MOST_COMMITS = 5_000
"""Commits of one path that its history may have."""
AT_ONCE = 40
"""Blobs that are asked for together."""
_REF = "refs/origin/ref"
_COMMIT = re.compile(r"@(?P<commit>[0-9a-f]{40,64}) (?P<time>\d+)")
_RAW = re.compile(r":\d{6} (?P<mode>\d{6}) [0-9a-f]+ (?P<blob>[0-9a-f]+) (?P<status>[A-Z])\d*\t")
_FILES = ("100644", "100755")
_LOOKS_EVERY = 0.1
_PATIENCE = 2.0
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of the file: the blob, and the commit that brought it."""

    commit: str
    blob: str
    time: datetime


class Repository:
    """The partial clone of an origin's repository."""

    def __init__(self, origin: Origin, staging: Path, progress: Progress) -> None:
        self.origin, self.progress = origin, progress
        self.shallow = origin.date is not None
        known = hashlib.sha256(f"{origin.repository}\0{origin.ref}".encode()).hexdigest()[:16]
        self.folder = staging / "git" / (known + ("-tip" if self.shallow else ""))
        self._ends = time.monotonic() + origin.max_seconds

    def update(self) -> None:
        """Fetch what is new of the ref. Raises ``FetchError``."""
        if shutil.which("git") is None:
            raise FetchError(f"{self.origin.name} needs the command git, which is not installed; install it first")
        made = self.folder / "made"
        if not made.exists():  # or not to its end: whoever made it was killed
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._git("init", "--bare", "--quiet", ".")
            self._git("config", "remote.origin.url", self.origin.repository)
            self._git("config", "remote.origin.promisor", "true")
            self._git("config", "remote.origin.partialclonefilter", "blob:none")
            self._git("config", "extensions.partialClone", "origin")
            made.touch()
        for left in (*self.folder.glob("*.lock"), *self.folder.glob("refs/**/*.lock")):
            left.unlink(missing_ok=True)  # by a git that was killed: nobody else is at work here
        depth = ["--depth=1"] if self.shallow else []
        wanted = f"+{self.origin.ref}:{_REF}"
        self._git("fetch", "--quiet", "--no-tags", "--filter=blob:none", *depth, "origin", wanted, remote=True)

    def revisions(self) -> list[Revision]:
        """The states of the file along the first parents of the ref, oldest first; the newest one only of a repository
        of which only the tip was fetched. Raises ``FetchError`` when there is no such file."""
        path = self.origin.path or ""
        if self.shallow:
            listed = self._git("ls-tree", _REF, "--", path).split()
            when = self._git("log", "-1", "--format=%H %ct", _REF).split()
            if len(listed) < 3 or listed[0] not in _FILES:
                raise self._absent()
            return [Revision(when[0], listed[2], _instant(when[1]))]
        most = f"--max-count={MOST_COMMITS + 1}"
        form = ["--first-parent", "--diff-merges=first-parent", "--raw", "--no-abbrev", "--no-renames", most]
        found = list(_read_log(self._git("log", *form, "--format=@%H %ct", _REF, "--", path).splitlines()))
        if len(found) > MOST_COMMITS:
            raise FetchError(f"{self.origin.name} has more than {MOST_COMMITS:,} commits, which is not expected")
        if not found:
            raise self._absent()
        return found[::-1]

    def fetch_blobs(self, blobs: Sequence[str]) -> None:
        """Have the blobs here, in one request for all of them."""
        options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none"]
        config = ["-c", "fetch.negotiationAlgorithm=noop"]
        self._git(*config, "fetch", *options, "--stdin", "origin", remote=True, said="\n".join(blobs) + "\n")

    def write(self, blob: str, into: Path) -> None:
        """Write a blob that is here into a file."""
        size = int(self._git("cat-file", "-s", blob))
        if size > self.origin.max_mb * _MB:
            raise FetchError(
                f"{self.origin.name} was not taken: it has {size:,} bytes, the limit is {self.origin.max_mb:,} MB. If"
                " that is right, raise max_mb"
            )
        into.parent.mkdir(parents=True, exist_ok=True)
        with into.open("wb") as file:
            subprocess.run(
                [*self._command(), "cat-file", "blob", blob],
                cwd=self.folder,
                env=_environment(""),
                stdout=file,
                check=True,
            )

    def _absent(self) -> FetchError:
        return FetchError(f"{self.origin.name}: there is no such file there. Is path right, was it renamed?")

    def _command(self) -> list[str]:
        return ["git", "--literal-pathspecs", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"]

    def _git(self, *arguments: str, remote: bool = False, said: str = "") -> str:
        """Run git; what it prints. With ``remote`` it may talk to the origin, as long and as much as is allowed."""
        config = self._where() if remote else []
        allowed = self._protocol() if remote else ""
        folder = self.folder.parent
        errors = folder / f"{self.folder.name}.stderr"
        with errors.open("w+") as told:
            process = subprocess.Popen(
                [*self._command(), *config, *arguments],
                cwd=self.folder,
                env=_environment(allowed),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            try:
                output = self._watched(process, said, remote)
            finally:
                if process.poll() is None:
                    _end(process)
            told.seek(0)
            if process.returncode:
                words = redact(" ".join(told.read().split()))[-400:].replace(self.origin.repository, self.origin.name)
                raise FetchError(
                    f"{self.origin.name} cannot be had, git says: {words}."
                    " Landing is as it was; fetch it again later, or look whether the repository, the ref and the path"
                    " are right"
                )
        return output

    def _watched(self, process: subprocess.Popen[str], said: str, remote: bool) -> str:
        given: str | None = said
        while True:
            try:
                output, _ = process.communicate(given, timeout=_LOOKS_EVERY)
                return output
            except subprocess.TimeoutExpired:
                given = None
            if time.monotonic() > self._ends:
                raise FetchError(
                    f"{self.origin.name} did not come within {self.origin.max_seconds:,} seconds. Landing is as it was;"
                    " raise max_seconds, or fetch it again"
                )
            if remote:
                size = _size(self.folder)
                self.progress(self.origin.name, size, None)
                if size > 4 * self.origin.max_mb * _MB:
                    raise FetchError(
                        f"{self.origin.name} was given up: its repository has more than {4 * self.origin.max_mb:,} MB"
                        " without its files. Raise max_mb if that is right"
                    )

    def _protocol(self) -> str:
        scheme = urlsplit(self.origin.repository).scheme
        if scheme != "https" and not self.origin.private:
            raise FetchError(
                f"{self.origin.name}: a repository is fetched by https, not {scheme}, unless it is private"
            )
        return scheme

    def _where(self) -> list[str]:
        """Settings that keep git to the host that was looked at."""
        parts = urlsplit(self.origin.repository)
        settings = ["-c", "http.followRedirects=false", "-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=60"]
        if parts.scheme != "https" or self.origin.private:
            return settings
        host, port = str(parts.hostname), parts.port or 443
        try:
            addresses = public_addresses(host, port)
        except OSError as error:
            raise FetchError(
                f"{self.origin.name} cannot be had: {host} is not known ({error.strerror or error}). Landing is as it"
                " was; is there a network?"
            ) from None
        return [*settings, "-c", f"http.curloptResolve={host}:{port}:{','.join(addresses)}"]


def _read_log(lines: Iterable[str]) -> Iterator[Revision]:
    """Newest first. A commit that removed the file, or made it something else than a file, is none of its states."""
    commit: re.Match[str] | None = None
    for line in lines:
        if found := _COMMIT.fullmatch(line):
            commit = found
        elif (raw := _RAW.match(line)) and commit and raw["mode"] in _FILES:
            yield Revision(commit["commit"], raw["blob"], _instant(commit["time"]))


def _end(process: subprocess.Popen[str]) -> None:
    """Ask git and its helpers to end, which removes their locks; then make them."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _instant(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _environment(protocol: str) -> dict[str, str]:
    kept = {
        name: os.environ[name] for name in ("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ
    }
    return {
        **kept,
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": protocol or "none",
    }


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:  # git was done with it in the meantime
                continue
    return total
