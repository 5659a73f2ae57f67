"""Removes secrets from the text of errors.

Errors travel far: into Dagster's event log, onto a page, into a log that others read. This module replaces everything
that looks like a secret of Azure, and every value that this process got from its vault.
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
    """The text of another error, without the secrets that it held."""


def hide(value: str) -> None:
    """Remove this value from all errors from now on. A very short value is left: it would also match harmless words."""
    if len(value) >= _SHORTEST:
        _values.update({value, quote(value, safe="")})


def redact(text: str) -> str:
    """The text without secrets."""
    for value in sorted(_values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return _LOOKS_SECRET.sub(lambda found: (found["before"] or "") + HIDDEN, text)


@contextmanager
def redacted() -> Iterator[None]:
    """Raises an error that holds a secret as ``RedactedError``, any other as it is."""
    try:
        yield
        return
    except Exception as error:
        text = "".join(traceback.format_exception_only(error))
        if not any(redact(message) != message for message in _messages(error)):
            raise
    raise RedactedError(redact(text).strip()) from None


def _messages(error: BaseException | None) -> Iterator[str]:
    """The texts of an error, its causes and contexts: all of them reach Dagster's event log."""
    behind: list[BaseException | None] = [error]
    seen: set[int] = set()
    while behind:
        found = behind.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield "".join(traceback.format_exception_only(found))
            behind += [found.__cause__, found.__context__]
