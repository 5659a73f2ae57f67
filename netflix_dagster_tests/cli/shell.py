"""The command as its users have it: in a folder of their own with no settings, in a process of its own or in this."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

from typer.testing import CliRunner

from netflix_dagster import tables
from netflix_dagster.cli import app
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import life
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.lakehouse import DIFFERS

COMMAND = str(Path(sys.executable).parent / "netflix-dagster")
NOISE = ("Traceback", "INFO", "WARN", "DEBUG", "Warning", "ERROR", "Exception")
"""What has no place on the stderr of a command that ends as it should."""


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        return json.loads(self.out)

    @property
    def quiet(self) -> bool:
        """Nothing on stderr but what the command itself has to say."""
        return not any(word in self.err for word in NOISE)


@dataclass(frozen=True)
class Shell:
    """A folder with a landing folder and a lake, and the command."""

    cwd: Path
    patience: int = 300
    """Seconds after which a command is given up."""

    @property
    def landing(self) -> Path:
        return self.cwd / "data" / "landing"

    @property
    def lake(self) -> Path:
        return self.cwd / "data" / "lake"

    def __call__(self, *arguments: object, **settings: object) -> Said:
        """Run a command to its end; ``settings`` are environment variables."""
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(**settings),
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=self.patience,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def here(self, *arguments: object, stdin: str | None = None, **settings: object) -> Said:
        """The same in this process, which takes a fraction of the time. Progress goes to the process's own stderr."""
        before = dict(os.environ)
        with contextlib.chdir(self.cwd), mock.patch.object(sys, "argv", [COMMAND]):
            os.environ.clear()
            os.environ.update(_of_the_engine(before) | self.environment(**settings))
            get_settings.cache_clear()
            loaded = _Definitions(self.cwd, settings, arguments)
            loaded.put()
            try:
                done = CliRunner().invoke(app, list(map(str, arguments)), stdin, prog_name="netflix-dagster")
            finally:
                started = _of_the_engine(os.environ)
                os.environ.clear()
                os.environ.update(before | started)
                get_settings.cache_clear()
                loaded.keep()
                tables.declare(load_sources())
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(done.exit_code, done.stdout, done.stderr)

    def start(self, *arguments: object, stderr: int = subprocess.PIPE, **settings: object) -> subprocess.Popen[str]:
        """Start a command and do not wait for it. It hears SIGINT, as one that a person started in a terminal does, and
        is with its helpers a process group of its own, to which a terminal would send it."""
        return subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            # What a shell starts in the background ignores interrupts, and so does what that starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            process_group=0,
        )

    def terminal(self, columns: int, *arguments: object) -> list[str]:
        """What stands in a terminal of this width when the command has ended; lines as the command broke them."""
        screen, end = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        command = subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(TERM="xterm"),
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
        os.close(end)
        shown = on_screen(screen)
        command.wait(timeout=60)
        return _as_shown(shown)

    def environment(self, **settings: object) -> dict[str, str]:
        hidden = ("NETFLIX_", "DAGSTER_", "COLUMNS", "LINES", "TERM", "PYTHONWARNINGS", "RUST_LOG", "SPARK_", "FORCE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        return kept | {name: str(value) for name, value in settings.items()}

    def land(self, source: str, day: str, content: str, name: str = "file.csv") -> Path:
        """Put a file into a delivery."""
        path = self.landing / source / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # it may be a link to a delivery that others use
        path.write_text(content, encoding="utf-8", newline="")
        return path

    def copy(self, cwd: Path) -> Shell:
        """Another folder with the same lake and the same deliveries.

        The files of the deliveries are links: copies would be younger, that is, changed deliveries.
        """
        other = Shell(cwd)
        shutil.copytree(self.lake, other.lake)
        for file in self.landing.glob("*/*/*"):
            link = other.landing / file.relative_to(self.landing)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        return other

    @property
    def deliveries(self) -> dict[str, list[str]]:
        """The delivery dates of every source that has landed."""
        return {source.name: sorted(day.name for day in source.iterdir()) for source in sorted(self.landing.iterdir())}

    def contents(self) -> dict[str, list[str]]:
        """Every table but the life of the deliveries by its name: rows in a fixed order, without what may differ."""
        found = {}
        for table in self.versions():
            if table != life.NAME and (rows := store.dataset(self.lake, table)):
                said = ({k: v for k, v in row.items() if k not in DIFFERS} for row in rows.to_table().to_pylist())
                found[table] = sorted(json.dumps(row, default=str, sort_keys=True) for row in said)
        return found

    def versions(self) -> dict[str, int | None]:
        """The Delta version of every table."""
        logs = sorted(self.lake.glob("[a-z]*/*/_delta_log"))
        names = [f"{log.parents[1].name}.{log.parent.name}" for log in logs]
        return {name: store.version(self.lake, name) for name in names}


class _Definitions:
    """What Dagster is told of the tables: it is of the settings that it was loaded with. A command in this process
    takes that of the one before it, as long as nothing differs that it is made of."""

    MODULE = "netflix_dagster.definitions"
    _last: ClassVar[tuple[object, ModuleType | None]] = (None, None)

    def __init__(self, cwd: Path, settings: Mapping[str, Any], arguments: Sequence[object]) -> None:
        files = [cwd / ".env", *sorted(cwd.glob("*.yaml")), cwd / str(settings.get("NETFLIX_SOURCES", ".env"))]
        places = [pair for pair in pairwise(map(str, arguments)) if pair[0] in ("--landing", "--lake", "--engine")]
        said = [file.read_bytes() if file.is_file() else b"" for file in files]
        self.made_of = (cwd, dict(settings), places, said, list(TABLES.values()))

    def put(self) -> None:
        made_of, module = self._last
        sys.modules.pop(self.MODULE, None)
        if module is not None and made_of == self.made_of:
            sys.modules[self.MODULE] = module

    def keep(self) -> None:
        type(self)._last = (self.made_of, sys.modules.pop(self.MODULE, None))


def on_screen(screen: int) -> str:
    """All that is written to a terminal until nobody holds its other end any more."""
    shown = b""
    with contextlib.suppress(OSError):  # which is how the end of a terminal is told
        while piece := os.read(screen, 65536):
            shown += piece
    os.close(screen)
    return shown.decode()


def _of_the_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """What PySpark and the engine of this process have written down in its environment, and go on to read there."""
    return {name: value for name, value in environment.items() if name.startswith(("SPARK_", "SAIL_", "PYSPARK_"))}


def _as_shown(said: str) -> list[str]:
    """The lines that stay on the screen: without colours, and without what was erased again."""
    kept = []
    standing = re.sub(r"[^\n]*\n(\x1b\[\?25h)?\r?\x1b\[1A\x1b\[2K", "", said.replace("\r\n", "\n"))
    for line in standing.split("\n"):
        last = re.split(r"\r?\x1b\[2K", line)[-1]
        kept.append(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last).replace("\r", ""))
    return kept
