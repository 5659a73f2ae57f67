"""The console script, from its first line on: Ctrl-C while the modules load ends it with a sentence.

Loading takes the most of a second. Nothing has begun by then, so the process may end on the spot; an exception could
end inside a half-loaded library, which makes something else of it. Later the commands tell of it, see ``cli.trouble``.
"""

import atexit
import os
import signal
import sys
from types import FrameType

STOPPED = 130
_SAID = "stopped; nothing was begun, and nothing has changed"


def main() -> None:
    """Run ``netflix-dagster`` with the arguments of the process."""
    code: list[int] = []
    atexit.register(_leave, code)  # before all others, so that it comes after them
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # what a shell starts in the background ignores it, and shall
        signal.signal(signal.SIGINT, _stop)
    from netflix_dagster.cli import app

    signal.signal(signal.SIGINT, before)
    try:
        app()
    except SystemExit as ended:
        code += [ended.code or 0] if isinstance(ended.code, int | None) else []
        raise


def _leave(code: list[int]) -> None:
    """End at once what has ended well: to give back the memory of a build piece by piece takes the most of a second."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads any more: Python has its own way to say so
        return
    if code:
        os._exit(code[0])


def _stop(_number: int, _frame: FrameType | None) -> None:
    if "--json" in sys.argv:
        os.write(1, f'{{"status": "stopped", "exit_code": {STOPPED}, "error": "{_SAID}"}}\n'.encode())
    os.write(2, f"{_SAID}\n".encode())
    os._exit(STOPPED)


if __name__ == "__main__":
    main()
