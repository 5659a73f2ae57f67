"""Azure on this machine, under its own names: storage, identity and Key Vault with TLS and tokens.

Processes are sent here by a proxy (``HTTPS_PROXY``), so that they use the addresses that they use in Azure
(``<account>.blob.core.windows.net``, ``<vault>.vault.azure.net``, ``login.microsoftonline.com``) and nothing in the
project has to know of it. A name that is not Azure's is refused: no test reaches the world by mistake.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite, free_port
from netflix_dagster_tests.emulators.entra import LOGIN, TENANT, Entra
from netflix_dagster_tests.emulators.keyvault import KeyVault
from netflix_dagster_tests.emulators.serving import serving
from netflix_dagster_tests.emulators.tls import Authority

HERE = "127.0.0.1,localhost"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A running stand-in for Azure; ``environment`` makes a process live in it, with a managed identity."""

    storage: Azurite
    entra: Entra
    vault: KeyVault
    authority: Authority
    proxy: str
    identity: str

    @property
    def network(self) -> dict[str, str]:
        """What sends a process here, as nobody yet."""
        here = {"HTTPS_PROXY": self.proxy, "NO_PROXY": HERE, "no_proxy": HERE}
        return {**here, **self.authority.environment}

    @property
    def environment(self) -> dict[str, str]:
        """What a program on an Azure host finds in its environment: its identity, and which account and vault."""
        return {
            **self.network,
            "IDENTITY_ENDPOINT": self.identity,
            "IDENTITY_HEADER": self.entra.header,
            "NETFLIX_ENV": "azure",
            "NETFLIX_ACCOUNT": ACCOUNT,
            "NETFLIX_TENANT": TENANT,
            "NETFLIX_VAULT": self.vault.name,
        }


@contextmanager
def cloud(folder: Path, data: Path | None = None) -> Iterator[Cloud]:
    """Azure in a ``folder`` for its certificates; ``data`` keeps what is stored, else it is gone in the end."""
    authority = Authority(folder)
    certificate = authority.issue(
        "*.blob.core.windows.net", "*.queue.core.windows.net", "*.vault.azure.net", LOGIN, "localhost", "127.0.0.1"
    )
    with ExitStack() as stack:
        options = ("--oauth", "basic", "--cert", str(certificate[0]), "--key", str(certificate[1]))
        storage = Azurite(free_port(), free_port(), data, options, scheme="https", authority=authority.ca)
        stack.callback(storage.stop)
        storage.start()
        storage.make_zones()
        entra, vault = Entra(), KeyVault()
        login = stack.enter_context(serving(entra.login, certificate))
        identity = stack.enter_context(serving(entra.managed_identity))
        secrets = stack.enter_context(serving(vault.answer, certificate))
        routes = {
            f"{ACCOUNT}.blob.core.windows.net": storage.blob_port,
            f"{ACCOUNT}.queue.core.windows.net": storage.queue_port,
            f"{vault.name}.vault.azure.net": secrets,
            LOGIN: login,
        }
        proxy = stack.enter_context(proxy_to(routes))
        yield Cloud(
            storage, entra, vault, authority, f"http://127.0.0.1:{proxy}", f"http://127.0.0.1:{identity}/msi/token"
        )


@contextmanager
def proxy_to(routes: Mapping[str, int]) -> Iterator[int]:
    """A proxy that connects to a port of this machine whoever asks for a host of ``routes``.

    Not a thread a connection: the embedded engine holds a thousand of them open.
    """

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            asked = (await reader.readuntil(b"\r\n\r\n")).split()
            port = routes.get(asked[1].decode().rsplit(":", 1)[0]) if asked[0] == b"CONNECT" else None
            if port is None:
                writer.write(b"HTTP/1.1 403 not a part of this cloud\r\n\r\n")
            else:
                await _carry(reader, writer, port)
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for left in asyncio.all_tasks(loop):
            left.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Connect to a port and carry bytes both ways until one side ends."""
    try:
        answers, requests = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.write(b"HTTP/1.1 502 that part of this cloud is down\r\n\r\n")
        return
    writer.write(b"HTTP/1.1 200 connected\r\n\r\n")

    async def carry(one: asyncio.StreamReader, other: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await one.read(65536):
                other.write(data)
                await other.drain()

    ways = [asyncio.ensure_future(carry(reader, requests)), asyncio.ensure_future(carry(answers, writer))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    requests.close()
