"""One file out of a zip that an origin sends, within limits. No name inside of a zip becomes a path."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from netflix_dagster.landing.origins.errors import FetchError

MOST_MEMBERS = 10_000
MAX_RATIO = 200
"""How many times its packed size a member of more than ``RATIO_FROM`` bytes may have; text comes to 20."""
RATIO_FROM = 1024 * 1024
_PIECE = 64 * 1024


def take_out(packed: Path, member: str, into: Path, most: int, origin: str) -> None:
    """Write one member of a zip into a file. Raises ``FetchError`` when it is not there, once, plain and of a size."""
    try:
        with zipfile.ZipFile(packed) as archive:
            if len(archive.infolist()) > MOST_MEMBERS:
                raise _refused(origin, f"has more than {MOST_MEMBERS:,} members")
            found = [one for one in archive.infolist() if one.filename == member]
            if len(found) != 1:
                names = ", ".join(sorted(one.filename for one in archive.infolist())[:10])
                raise _refused(origin, f"holds {member!r} {len(found)} times; in it are: {names[:300]}")
            (one,) = found
            if one.flag_bits & 0x1:
                raise _refused(origin, f"holds {member!r} encrypted")
            size = 0
            with archive.open(one) as source, into.open("wb") as target:
                while piece := source.read(_PIECE):
                    size += len(piece)
                    if size > most or (size > RATIO_FROM and size > MAX_RATIO * max(one.compress_size, 1)):
                        raise _refused(origin, f"unpacks {member!r} to more than {size:,} bytes, and that is too much")
                    target.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refused(origin, f"is damaged: {error}") from None


def _refused(origin: str, why: str) -> FetchError:
    return FetchError(f"{origin} was not taken: the zip that it sends {why}. Landing is as it was")
