"""What to do next, as whole commands: as they have to be typed here, with the folders that this call was given."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from netflix_dagster.settings import Settings
from netflix_dagster.storage import at

if TYPE_CHECKING:
    from netflix_dagster.deliveries.life import Attempt, Life

BECAUSE = '--because "WHY"'
MOST = 3
"""So many deliveries are told what to do with; the others are named by ``deliveries list``."""
OF_BOTH = ("run", "land", "accept", "deliveries withdraw", "deliveries show", "quarantine show", "quarantine replay")
"""The commands that take both folders, some only to say what to do next; of the others hints need the lake."""


def command(settings: Settings, what: str) -> str:
    """A call of this command, such as ``run``."""
    folders = ("landing", "lake") if what.startswith(OF_BOTH) else ("lake",)
    given = [option for name in folders if (option := _option(settings, name))]
    return " ".join([me(), what, *given])


def me() -> str:
    """How to call this command again: by its name if the shell finds it, else by where it lies."""
    return "netflix-dagster" if shutil.which("netflix-dagster") else shlex.quote(os.path.relpath(sys.argv[0]))


def again() -> str:
    """``: `` and this call as it was typed; nothing when an address in it may hold a secret."""
    typed = sys.argv[1:]
    if any((parts := urlsplit(word)).query or parts.password for word in typed):
        return ""
    return f": {' '.join([me(), shlex.join(typed)])}"


def build(settings: Settings) -> str:
    """The call that builds what is due."""
    return f"{command(settings, 'run')}   # or let the sensor of `make dev` take it up"


def remedies(settings: Settings, held: Sequence[Attempt], life: Life) -> list[str]:
    """What a person can do about deliveries that are refused or held: mend, accept, or withdraw what is before them."""
    return [*dict.fromkeys(_remedies(settings, held, life))]


def _remedies(settings: Settings, held: Sequence[Attempt], life: Life) -> Iterator[str]:
    from netflix_dagster.deliveries.decisions import may_be_overruled

    shown: dict[tuple[str, str], Attempt] = {}
    for attempt in held:
        for name in [attempt.feed] if may_be_overruled(attempt) else _to_mend(life, attempt):
            shown.setdefault((name, attempt.key), attempt)
    for (name, key), attempt in list(shown.items())[:MOST]:
        if not may_be_overruled(attempt):
            yield command(settings, f"land FILE --source {name} --date {key} --replace")
            continue
        config = {"feed": name, "delivery_date": key, "because": "WHY"}
        launch = json.dumps({"ops": {"decide": {"config": config}}})
        yield (command(settings, f"accept {name} {key} {BECAUSE}") + f"   # in the UI: job accept_delivery, {launch}")
        for source in _before(life, attempt):
            yield command(settings, f"deliveries withdraw {source} {BECAUSE}") + "   # if that one is wrong"
    if len(shown) > MOST:
        yield command(settings, "deliveries list") + f"   # and {len(shown) - MOST} more"


def _to_mend(life: Life, attempt: Attempt) -> list[str]:
    """The sources of which another file may help: of what a table holds those from which it is made, and which do not
    stand; the others of the date only wait with them."""
    from netflix_dagster.contracts.graph import sources_of

    read = sources_of(attempt.table or "")
    made_from = [other for other in life.of_date(attempt.feed, attempt.key) if other.source in read and other.attempts]
    return [other.source for other in made_from if not other.newest.stands] or [attempt.source]


def _before(life: Life, held: Attempt) -> list[str]:
    """The sources, with their date, of the newest delivery that stands before a held one and that its gate reads."""
    from netflix_dagster.contracts.graph import sources_of

    read = sources_of(held.table or "")
    keys = [key for feed, key in life.dates if feed == held.feed and key < held.key and life.standing(feed, key, read)]
    return [f"{source} {max(keys)}" for source in life.standing(held.feed, max(keys), read)] if keys else []


def _option(settings: Settings, name: str) -> str:
    """The option that a call needs to use the same folder, if it is not the default one."""
    chosen = str(getattr(settings, name))
    return "" if chosen == str(at(Settings.model_fields[name].default)) else f"--{name} {shlex.quote(chosen)}"
