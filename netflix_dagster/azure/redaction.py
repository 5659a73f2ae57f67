"""Secrets are taken out of what is said when something goes wrong.

Errors travel far: into Dagster's event log, onto a page, into a log that others read. What looks like a secret of
Azure's is replaced wherever it stands; so is every value that this process has had from its vault.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

HIDDEN = "[hidden]"
_LOOKS_SECRET = re.compile(
    r"(?P<before>\bsig=|\b(?:Account|SharedAccess)Key=|\bSharedAccessSignature=|\bclient_secret=|\bBearer\s+)[^\s&;,'\"<>\\]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*",  # the second is a token of Entra's, wherever it stands
    re.IGNORECASE,
)
_SHORTEST = 6
_values: set[str] = set()


class RedactedError(RuntimeError):
    """An error as it was, but for the secrets that its text held."""


def hide(value: str) -> None:
    """From now on this value stands in no error; something very short would take harmless words with it."""
    if len(value) >= _SHORTEST:
        _values.update({value, quote(value, safe="")})


def redact(text: str) -> str:
    """The text without secrets."""
    for value in sorted(_values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return _LOOKS_SECRET.sub(lambda found: (found["before"] or "") + HIDDEN, text)


@contextmanager
def redacted() -> Iterator[None]:
    """Errors leave without secrets. One that holds none leaves as it is, one that does as ``RedactedError``."""
    try:
        yield
        return
    except Exception as error:
        told = "".join(traceback.format_exception_only(error))
        if not any(redact(said) != said for said in _all_said(error)):
            raise
    raise RedactedError(redact(told).strip()) from None


def _all_said(error: BaseException | None) -> Iterator[str]:
    """What an error says, and the errors behind it: all of them reach an event."""
    behind: list[BaseException | None] = [error]
    seen: set[int] = set()
    while behind:
        found = behind.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield "".join(traceback.format_exception_only(found))
            behind += [found.__cause__, found.__context__]
