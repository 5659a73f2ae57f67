"""A connection to a pool of Synapse, over Microsoft's driver ``mssql-python``, as the identity of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure import identity

if TYPE_CHECKING:
    from mssql_python import Connection

PORT = 1433
SECONDS = 60
"""For logging in, and as long again for a pool that wakes up."""


class SynapseError(RuntimeError):
    """Synapse did not do what it was asked; the message says what, what holds, and what to do."""


class Server:
    """One database of a pool. Each statement is a transaction of its own: the pools take most of DDL in no other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, sql: str) -> None:
        """Run a statement. Raises ``SynapseError`` with the server's own words."""
        self.rows(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer to a statement, none if it has no answer."""
        import mssql_python

        try:
            with closing(self._connection.cursor()) as cursor:
                cursor.execute(sql)
                return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        except mssql_python.Error as error:
            raise SynapseError(str(error)) from error


@contextmanager
def connected(endpoint: str, database: str, tenant: str | None = None) -> Iterator[Server]:
    """A connection to a database of an endpoint, ``name-ondemand.sql.azuresynapse.net`` or another ``host:port``."""
    try:
        import mssql_python
    except ImportError as error:
        raise SynapseError("The driver is not installed: pip install 'netflix-dagster[synapse]'") from error

    mssql_python.pooling(enabled=False)  # a few statements a day; the pool would keep transactions open between them
    host, _, port = endpoint.partition(":")
    try:
        connection = mssql_python.connect(
            f"Server={host},{port or PORT};Database={database};Encrypt=yes",
            autocommit=True,
            timeout=SECONDS,
            token_provider=_Identity(tenant),
        )
    except mssql_python.Error as error:
        raise SynapseError(
            f"{endpoint} lets nobody in to {database}: {error}. Nothing was changed. See that the endpoint is right,"
            " that its firewall knows this address and that it knows the identity (docs/synapse.md); then run again"
        ) from error
    with closing(connection):
        yield Server(connection)


class _Identity:
    """Gives the driver a token when it connects."""

    def __init__(self, tenant: str | None) -> None:
        self.tenant = tenant

    def get_token(self, scope: str) -> Any:
        return identity.token(scope, self.tenant)
