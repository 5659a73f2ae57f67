"""What a worker of Python functions may do on serverless compute: compute. It reaches no network.

"Serverless compute limitations": user-defined functions cannot access the internet. Whether storage is meant too cannot
be known here, so it is shut as well: sockets connect to Spark only, and clients of storage cannot be loaded, which have
sockets of their own.
"""

import os
import socket
import sys
from importlib.abc import MetaPathFinder

CLIENTS = ("obstore", "deltalake", "azure", "databricks", "httpx", "requests")
_connect = socket.socket.connect


def connect(self: socket.socket, address: object) -> None:
    ours = os.environ.get("PYTHON_WORKER_FACTORY_PORT")
    if self.family != socket.AF_UNIX and not (isinstance(address, tuple) and str(address[1]) == ours):
        raise OSError(f"a Python function has no network here, and it wants {address}")
    _connect(self, address)


class NoClients(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] in CLIENTS:
            raise ImportError(f"a Python function opens no storage here, and it loads {name}")


socket.socket.connect = connect  # type: ignore[assignment, method-assign]
sys.meta_path.insert(0, NoClients())
