"""What is known of the origins of a source: what lay there at the last look, and which deliveries were made of it.

One file for each source, ``<landing>/_origins/<source>.json``, beside the deliveries that it tells of. It holds names
of origins (URLs without parameters), validators and checksums, and no secret. Losing it costs a download each and no
delivery: a file that lies in landing already, byte for byte, is not landed again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from netflix_dagster import storage
from netflix_dagster.landing.origins.http import Validators
from netflix_dagster.storage import Place

FOLDER = "_origins"
log = logging.getLogger("netflix_dagster.landing.origins")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one origin. ``etag`` is its own name of the content: an ETag, a blob of git, a tag of a storage.

    ``sha256`` is the content that was seen last. ``intended`` says, from before a file is landed, which content is to
    be the delivery of which date: a fetch that was killed in between goes on with it, and makes the same one delivery.
    ``cursor`` is of a table that is read by what is new: the column ``by``, and ``date``, ``low``, ``high`` and
    ``window`` of its newest delivery, see ``fetching``. ``deliveries`` are the dates that came from here, with the
    content of each.
    """

    etag: str | None = None
    modified: str | None = None
    content_type: str | None = None
    sha256: str | None = None
    intended: tuple[str, str] | None = None
    cursor: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, str] = field(default_factory=dict)

    @property
    def validators(self) -> Validators:
        return Validators(self.etag, self.modified)

    def intending(self, date: str, sha256: str) -> Known:
        return replace(self, intended=(date, sha256))

    def delivered(self, date: str, content: str) -> Known:
        return replace(self, intended=None, deliveries={**self.deliveries, date: content})


class Book:
    """The file of one source."""

    def __init__(self, landing: Place, source: str) -> None:
        self.place = landing / FOLDER / f"{source}.json"
        self._known = self._read()

    def of(self, origin: str) -> Known:
        return self._known.get(origin, Known())

    def record(self, origin: str, known: Known) -> None:
        """Write down what is known now, whole or not at all."""
        if self._known.get(origin) == known:
            return
        self._known[origin] = known
        said = {name: asdict(each) for name, each in sorted(self._known.items())}
        storage.write(self.place, (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode())

    def _read(self) -> dict[str, Known]:
        try:
            said = json.loads(storage.read(self.place))
            return {origin: _known(known) for origin, known in said.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError):
            log.warning(
                "%s cannot be read; everything is fetched once more, and nothing is delivered twice", self.place
            )
            return {}


def _known(said: dict[str, Any]) -> Known:
    kept = {each.name: said[each.name] for each in fields(Known) if each.name in said}
    if kept.get("intended"):
        kept["intended"] = tuple(kept["intended"])
    return Known(**kept)
