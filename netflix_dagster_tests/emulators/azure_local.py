"""``make azure-local``: the Azure profile without an account. Storage, identity and Key Vault run on this machine, the
sample deliveries land there, and ``dagster dev`` works on them as it would in Azure.

What is stored stays in the folder from one time to the next. Ctrl-C ends all of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from netflix_dagster_tests.emulators import azurite
from netflix_dagster_tests.emulators.azurite import ACCOUNT
from netflix_dagster_tests.emulators.cloud import cloud

REPO = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
OURS = ("NETFLIX_", "AZURE_", "DAGSTER_", "IDENTITY_", "MSI_", "SSL_CERT_DIR")
STOPS_WITHIN = 30.0


def main() -> None:
    """Start it all, wait for Ctrl-C, stop it all."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--folder", type=Path, default=REPO / "data" / "azure", help="where what is stored stays")
    asked.add_argument("--port", type=int, default=3000, help="of Dagster's web pages")
    said = asked.parse_args()
    if why := azurite.missing():
        sys.exit(why)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # what a shell starts in the background would ignore it
    folder = said.folder.absolute()
    try:
        with cloud(folder / "certificates", folder / "storage") as running:
            run(running.environment, folder, said.port)
    except KeyboardInterrupt:
        print("Stopped. What was stored stays in", folder)  # noqa: T201


def run(azure: Mapping[str, str], folder: Path, port: int) -> None:
    """Land the sample and keep ``dagster dev`` running in this Azure."""
    ours = {
        **azure,
        "NETFLIX_LANDING": f"abfss://landing@{ACCOUNT}.dfs.core.windows.net",
        "NETFLIX_LAKE": f"abfss://{{zone}}@{ACCOUNT}.dfs.core.windows.net",
        "DAGSTER_HOME": str(folder / "home"),
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | ours
    for command in (["sample", ours["NETFLIX_LANDING"]], ["home"]):
        subprocess.run([BIN / "netflix-dagster", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    exports = folder / "environment"
    exports.touch(mode=0o600)
    exports.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in ours.items()))
    print(  # noqa: T201
        f"Azure on this machine, until Ctrl-C:\n  Dagster         http://127.0.0.1:{port}\n"
        f"  landing         {ours['NETFLIX_LANDING']}\n  lake            {ours['NETFLIX_LAKE']}\n"
        f"  another shell   source {shlex.quote(str(exports))}; {BIN / 'netflix-dagster'} doctor",
        flush=True,
    )
    command = [BIN / "dagster", "dev", "-w", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)]
    dev = subprocess.Popen(command, cwd=REPO, env=environment, start_new_session=True)
    try:
        if code := dev.wait():
            sys.exit(code)
    finally:
        _stop(dev)


def _stop(dev: subprocess.Popen[bytes]) -> None:
    """Let Dagster end its processes, then end what is left of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dev.terminate()
    try:
        dev.wait(STOPS_WITHIN)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(dev.pid, signal.SIGKILL)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
