"""Drift: how the columns of a delivery differ from those of the delivery before it, by date, of the same source.

It is told, never acted upon: the rows of a delivery are the same whatever was delivered before, in any order of
arrival. Only a source with ``on_drift: refuse`` holds a delivery back for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netflix_dagster.deliveries.columns import NOTHING, Seen
from netflix_dagster.files.parquet import DECLARED
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Source, fold_header
from netflix_dagster.storage import Place

ENOUGH = 5
"""Fewer values than this say too little about what a column holds."""
MANY = 20
"""Fewer records than this say too little about how often a column is empty."""
JUMP = 0.25
"""A share of empty values that moved by this much is told."""
MOST_EVOLVED = 100
"""A delivery with more unknown columns than this is another file, not the next step of this one: all are rescued."""
MOST_NAMED = 20
_LENGTH = 100
"""So much of a name is compared and told."""
_SIMILAR = 0.7


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed in the columns since the delivery of the date ``since``, in words.

    ``renamed`` columns came under another of their known headers; ``perhaps`` are unknown columns that look like one
    that is gone. ``foreseen`` are those of the new columns that ``sources.yaml`` names.
    """

    since: str
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    foreseen: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """The changes by what they are, in the order in which they are told."""
        every = {
            "new": self.new,
            "gone": self.gone,
            "renamed": self.renamed,
            "perhaps renamed": self.perhaps,
            "retyped": self.retyped,
            "null share": self.emptied,
        }
        return {kind: changes for kind, changes in every.items() if changes}

    @property
    def changes(self) -> int:
        return sum(map(len, self.kinds.values()))

    @property
    def message(self) -> str:
        said = [f"{kind} {named(changes)}" for kind, changes in self.kinds.items()]
        return f"since {self.since}: {'; '.join(said)}" if said else f"the columns are as on {self.since}"

    @property
    def unforeseen(self) -> int:
        """How many of the changes ``sources.yaml`` does not provide for: these a strict source refuses."""
        new = len(self.new) - len(self.foreseen)
        return new + len(self.gone) + len(self.perhaps) + len(self.retyped)


def named(names: Sequence[str]) -> str:
    """Names as a text; of very many the first."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(name if len(name) <= _LENGTH else f"{name[:_LENGTH]}…" for name in names[:MOST_NAMED]) + more


def before(day: str, known: Mapping[str, Sequence[Seen]]) -> str | None:
    """The date of the delivery before this one, of those whose columns are known."""
    return max((other for other in known if other < day), default=None)


def compare(since: str, before: Sequence[Seen], now: Sequence[Seen]) -> Drift:
    """What changed in the columns since the delivery before."""
    old, new = {seen.key: seen for seen in before}, {seen.key: seen for seen in now}
    gone = [seen for key, seen in old.items() if key not in new]
    came = [seen for key, seen in new.items() if key not in old]
    perhaps = _perhaps_renamed(gone, came)
    stayed = [(old[key], seen) for key, seen in new.items() if key in old]
    stayed_or_renamed = stayed + [(gone_one, new_one) for new_one, gone_one in perhaps]
    taken = {seen.name for pair in perhaps for seen in pair}
    came_alone = [seen for seen in came if seen.name not in taken]
    return Drift(
        since,
        new=tuple(seen.name for seen in came_alone),
        gone=tuple(seen.name for seen in gone if seen.name not in taken),
        renamed=tuple(
            f"{is_now.header} (was {was.header})"
            for was, is_now in stayed
            if fold_header(was.header) != fold_header(is_now.header)
        ),
        perhaps=tuple(f"{new_one.name} (was {gone_one.name}?)" for new_one, gone_one in perhaps),
        retyped=tuple(f"{b.name}: {a.kind} -> {b.kind}" for a, b in stayed_or_renamed if _retyped(a, b)),
        emptied=tuple(f"{b.name}: {a.null_share:.0%} -> {b.null_share:.0%}" for a, b in stayed if _emptied(a, b)),
        foreseen=tuple(seen.name for seen in came_alone if seen.kept != "rescued"),
    )


def as_held(source: Source, lake: Place) -> Source:
    """The source with the columns that its bronze table has grown, when it lets its table evolve."""
    if source.on_drift != "evolve":
        return source
    found = store.look(lake, source.bronze)
    fields = found.schema().fields if found else ()
    return source.evolved(field.name for field in fields if str(getattr(field.type, "type", "")) == "string")


def grown(source: Source, unknown: Iterable[Sequence[str]]) -> Source:
    """The source with the columns that deliveries bring now as well; ``unknown`` are those of each delivery."""
    if source.on_drift != "evolve":
        return source
    return source.evolved(name for names in unknown if len(names) <= MOST_EVOLVED for name in names)


def _retyped(was: Seen, now: Seen) -> bool:
    if was.kind.startswith(DECLARED) and now.kind.startswith(DECLARED):
        return was.kind != now.kind  # the files say so, however few records they have
    told = min(was.filled, now.filled) >= ENOUGH and NOTHING not in (was.kind, now.kind)
    return told and was.kind != now.kind


def _emptied(was: Seen, now: Seen) -> bool:
    return min(was.records, now.records) >= MANY and abs(was.null_share - now.null_share) >= JUMP


def _perhaps_renamed(gone: Sequence[Seen], came: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    """Pairs of an unknown column and one that is gone which look alike, the most alike first."""
    unknown = [seen for seen in came if seen.kept != "contract"][:MOST_NAMED]
    pairs = [(_alike(old, new), old, new) for old in gone[:MOST_NAMED] for new in unknown]
    found: list[tuple[Seen, Seen]] = []
    for alike, old, new in sorted(pairs, key=lambda pair: (-pair[0], pair[1].name, pair[2].name)):
        if alike and not any(old in pair or new in pair for pair in found):
            found.append((new, old))
    return found


def _alike(old: Seen, new: Seen) -> float:
    """How much a column looks like another by name; at the same place, with values of one kind, by place alone."""
    said, other = fold_header(new.header[:_LENGTH]), fold_header(old.header[:_LENGTH])
    words, theirs = set(said.split("_")), set(other.split("_"))
    ratio = difflib.SequenceMatcher(None, said, other).ratio()
    if words <= theirs or theirs <= words:
        ratio = max(ratio, 0.75)
    if ratio >= _SIMILAR:
        return ratio
    if old.position != new.position or old.position is None:
        return 0.0
    if NOTHING in (old.kind, new.kind):
        return 0.5 if not new.records else 0.0  # of a refused file nothing but the header is known
    return 0.5 if old.kind == new.kind and _as_long(old, new) else 0.0


def _as_long(old: Seen, new: Seen) -> bool:
    long, short = sorted((old.max_length or 0, new.max_length or 0), reverse=True)
    return long <= 2 * short
