"""A pool of Synapse on this machine, reached by Microsoft's driver over TDS, with a token and TLS."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.azure import identity
from netflix_dagster.settings import Settings
from netflix_dagster_tests.cli.conftest import first_run, lake, shell
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.emulators import tds
from netflix_dagster_tests.emulators.synapse import Pool
from netflix_dagster_tests.emulators.tls import Authority
from netflix_dagster_tests.serving.conftest import built

__all__ = ["built", "first_run", "lake", "shell"]
FEW = ("fact_top10_global_weekly", "kpi_top10")
TOKEN = "aaaa.bbbb.cccc"


@dataclass(frozen=True)
class Token:
    token: str = TOKEN
    expires_on: int = 1 << 40


@dataclass(frozen=True)
class Served:
    """A pool, the server before it, and the settings that name them."""

    pool: Pool
    server: tds.Server
    settings: Settings


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return Authority(tmp_path_factory.mktemp("tls")).issue("localhost")


@pytest.fixture
def serve(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    """Starts a pool over a lake. This process is somebody whom Entra has given a token."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0].with_name("ca.pem")))
    monkeypatch.setattr(identity, "token", lambda scope, tenant=None: Token(expires_on=int(time.time()) + 3600))
    with ExitStack() as stack:

        def start(lake: Path, **said: Any) -> Served:
            pool = Pool(lake)
            stack.callback(pool.close)
            server = stack.enter_context(tds.serving(pool, *certificate, TOKEN))
            return Served(pool, server, Settings(lake=lake, synapse=f"localhost:{server.port}", **said))

        yield start


@pytest.fixture
def few(built: Shell, tmp_path: Path) -> Path:
    """A lake with two tables of gold, and so with the metrics of one fact."""
    for name in FEW:
        shutil.copytree(built.lake / "gold" / name, tmp_path / "lake" / "gold" / name)
    return tmp_path / "lake"
