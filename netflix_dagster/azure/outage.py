"""Recognises outages of the storage account by their errors, waits, and does the work again.

Every client of the account repeats a request ten times by itself, within seconds, and does not repeat one whose answer
breaks off in the middle. This module waits for longer outages: building a table again is always safe.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from netflix_dagster.storage import StorageError, adls, in_short

T = TypeVar("T")
log = logging.getLogger("netflix_dagster.build")
PAUSES = (2.0, 10.0, 30.0, 60.0, 120.0)
"""Seconds between two attempts, more or less; together some minutes, as long as most outages."""

_PASSES = re.compile(
    r"\b(408 Request Timeout|429 Too Many Requests|50[0234] (Internal Server|Bad Gateway|Service Unavail|Gateway Time))"
    r"|\b(ServerBusy|TooManyRequests|OperationTimedOut|InternalError)\b|operation timed out"
    r"|error sending request|error decoding response body|\bbody error|(request or )?response body|body from connection"
    r"|connection closed before message|Connection (refused|reset)|tcp connect error|dns error|Broken pipe",
    re.IGNORECASE,
)
_ENGINE_IS_GONE = "StatusCode."
"""In errors of gRPC, the connection to the engine: an engine that has ended does not come back."""


def passes(error: BaseException) -> bool:
    """Whether this is an outage of the storage account or of the network, which passes by itself."""
    text = str(error)
    return bool(_PASSES.search(text)) and _ENGINE_IS_GONE not in text


def outlast(work: Callable[[], T], what: str) -> T:
    """Do work that may be repeated, and repeat it while the account is out of order.

    Raises ``StorageError`` when that takes too long, or when the account refuses access once more with fresh access.
    """
    started, refused = time.monotonic(), False
    pauses = iter(PAUSES)
    while True:
        try:
            return work()
        except Exception as error:
            why = in_short(error)
            if adls.refused(error):
                if refused:
                    raise StorageError(
                        f"{what}: the storage account refuses access, with a fresh token or secret as well: {why}."
                        f" {_SAFE} Look at the roles of this identity and at the account's firewall (`netflix-dagster"
                        f" doctor`); {_AGAIN}"
                    ) from error
                refused = True
                continue
            if not passes(error):
                raise
            pause = next(pauses, None)
            if pause is None:
                raise StorageError(
                    f"{what}: the storage account has been busy or out of reach for {time.monotonic() - started:.0f}"
                    f" seconds: {why}. {_SAFE} When it answers again (`netflix-dagster doctor` says so), {_AGAIN}"
                ) from error
            log.warning("%s: the storage account is busy or out of reach (%s); again in %.0f s", what, why, pause)
            time.sleep(pause * (0.5 + random.random()))


_SAFE = "No table was harmed: each is written whole or not at all."
_AGAIN = "run it again: `netflix-dagster run`, or Re-execute in Dagster."
