"""Which hosts may be asked: none in a private network, unless an origin says so, whatever a name resolves to.

The name is resolved here, once, and the connection goes to an address that was looked at: a name that answers
otherwise a moment later leads nowhere else.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netflix_dagster.landing.origins.errors import PrivateAddressError

if TYPE_CHECKING:
    import httpx


def public_addresses(host: str, port: int, allowed: frozenset[tuple[str, int]] = frozenset()) -> list[str]:
    """The addresses of a host. Raises ``PrivateAddressError`` when one of them is not of the internet, unless the host
    and port are among the allowed ones; ``OSError`` when there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if (host.lower(), port) not in allowed:
        for address in addresses:
            if not _is_public(address):
                raise PrivateAddressError(
                    f"{host} has the address {address}, which is of a private network, and was not asked. If that is"
                    " meant, say `private: true` in its origin"
                )
    return addresses


def _is_public(address: str) -> bool:
    ip: Any = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.ip_address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return bool(ip.is_global and not ip.is_multicast)


def guarded_transport(allowed: frozenset[tuple[str, int]]) -> httpx.BaseTransport:
    """A transport of httpx that connects to addresses that were looked at only. It asks no proxy."""
    import httpcore
    import httpx

    class Guarded(httpcore.SyncBackend):
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.NetworkStream:
            try:
                addresses = public_addresses(host, port, allowed)
            except OSError as error:
                raise httpcore.ConnectError(f"{host} is not known: {error.strerror or error}") from error
            for place, address in enumerate(addresses, 1):
                try:
                    return super().connect_tcp(address, port, timeout, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    if place == len(addresses):
                        raise
            raise httpcore.ConnectError(f"{host} has no address")

    transport = httpx.HTTPTransport(trust_env=False)
    # httpx hands no network backend on to the pool that it makes; a test asks whether this one is in use.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(), network_backend=Guarded(), max_connections=2
    )
    return transport
