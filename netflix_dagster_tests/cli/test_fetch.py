"""``netflix-dagster fetch``: it tells how far it is, can be stopped, and goes on."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time

from netflix_dagster.landing.sources import PACKAGED
from netflix_dagster_tests.cli.shell import Shell, on_screen
from netflix_dagster_tests.landing.origins.server import Asked, serving

BODY = b"cast,show_id\n" + b"Uma Thurman,1\n" * 100_000


def test_it_is_stopped_and_goes_on_where_it_was(shell: Shell) -> None:
    """Also killed: what came stays in the staging folder, and nothing of it is seen in landing."""

    def slow(asked: Asked) -> None:
        begin = int(asked.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        said = {"ETag": '"1"', "Content-Length": str(len(BODY) - begin)}
        if begin:
            said["Content-Range"] = f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}"
        asked.head(206 if begin else 200, said)
        if asked.number == 3:
            asked.send(BODY[begin:])
            return
        for start in range(begin, begin + 400_000, 20_000):
            asked.send(BODY[start : start + 20_000])
            time.sleep(0.1)
        time.sleep(30)

    with serving() as server:
        server.answers["/netflix_cast.csv"] = slow
        cast = "      github: vvsadi/azure-dataengineering\n      path: netflix_cast.csv\n"
        entry, _, rest = PACKAGED.read_text().partition(cast)
        after = rest.split("      license:", 1)[1]
        origin = f"      url: {server.url('/netflix_cast.csv')}\n      private: true\n      license:{after}"
        (shell.cwd / "own.yaml").write_text(entry + origin)
        (shell.cwd / ".env").write_text("NETFLIX_SOURCES=own.yaml\n")
        screen, end = pty.openpty()
        for asked, how, code, heard in (
            (1, signal.SIGINT, 130, {"FORCE_COLOR": 1, "stderr": subprocess.PIPE}),
            (2, signal.SIGKILL, -signal.SIGKILL, {"TERM": "xterm", "stderr": end}),
        ):
            command = shell.start("fetch", "netflix_cast", **heard)  # type: ignore[arg-type]
            until = time.monotonic() + 60
            while len(server.asked) < asked and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(2)
            command.send_signal(how)
            _, said = command.communicate(timeout=60)
            assert command.returncode == code, said
            if how == signal.SIGINT:
                sentence = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", said).split())
                assert sentence.startswith("stopped; what has landed is whole and stays"), "a log has no progress"
                assert sentence.endswith(" fetch netflix_cast"), "and says what to type"
            assert not list(shell.landing.glob("netflix_cast/*/*"))
        os.close(end)
        shown = on_screen(screen)
        assert re.search(r"netflix_cast.csv .*0\.\d MB of 1\.4 MB", shown), "a terminal shows how far it is"
        assert shell("fetch", "netflix_cast").code == 0
    begins = [int(asked.headers["Range"][6:-1]) for asked in server.asked[1:]]
    assert 0 < begins[0] < begins[1] < len(BODY)
    (landed,) = shell.landing.glob("netflix_cast/*/*")
    assert landed.read_bytes() == BODY
