"""The gates: every table that a delivery must pass is built aside and judged before anything that people read changes.

A *group* are the sources that meet in the same tables of deliveries, with these tables and the gates behind them. Of
each date in play the newest combination of attempts is tried; when a gate holds it, the one before, until one passes
or none is left. Gates that compare a delivery with the accepted one before it (tables with ``write="gate"``) are
asked again for every later date, so what stands is a function of the attempts seen and of the decisions, in whatever
order they came.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from netflix_dagster.build import conservation, judgement
from netflix_dagster.build.refusals import refused_rows
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.graph import build_order, sources_of
from netflix_dagster.contracts.report import Outcome
from netflix_dagster.deliveries import attempts, decisions, drift, quarantine, results
from netflix_dagster.deliveries.life import Attempt, Combination, Life, Status, combination_id
from netflix_dagster.engine import sessions
from netflix_dagster.lake import incremental, store
from netflix_dagster.lake.staging import Staged
from netflix_dagster.landing.keys import of_row
from netflix_dagster.landing.sources import Source, Sources
from netflix_dagster.settings import Settings
from netflix_dagster.tables.bronze import bronze_table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

MOST_RECORDS = 400_000
"""Records that one pass tries together, so that memory is bounded by the batch and not by the backfill."""


@dataclass(frozen=True, slots=True)
class Group:
    """Sources that meet in the same tables. ``tables`` hold deliveries, ``gates`` compare them; both in build order."""

    feed: str
    sources: tuple[str, ...]
    tables: tuple[str, ...]
    gates: tuple[str, ...]
    reached_by: Mapping[str, tuple[str, ...]]

    def part_id(self, table: str, combination: Combination) -> str:
        """The identity of the part of a combination that a table is made from: where only others change, the table is
        not built again, and what it refused stays what it was."""
        sources = self.sources_of(table)
        return combination_id({source: attempt for source, attempt in combination.items() if source in sources})

    def sources_of(self, table: str) -> tuple[str, ...]:
        """The sources whose rows reach a table of the group; asked for every table and date, so worked out once."""
        return self.reached_by[table]


def groups(feed: str) -> list[Group]:
    """The groups of a feed, in build order of their first tables."""
    judged = [name for name in build_order() if TABLES[name].feed == feed and TABLES[name].judged_by_delivery]
    of: dict[str, set[str]] = {}
    for name in judged:
        together = {name}.union(*(of[read] for read in TABLES[name].reads if read in of))
        for member in together:
            of[member] = together
    found = list({id(members): members for members in of.values()}.values())
    return [_group(feed, [name for name in judged if name in members]) for members in found]


def _group(feed: str, names: Sequence[str]) -> Group:
    bronze = tuple(name.removeprefix("bronze.") for name in names if TABLES[name].layer == "bronze")
    judged = tuple(name for name in names if TABLES[name].per_delivery and TABLES[name].layer != "bronze")
    gates = tuple(name for name in names if TABLES[name].write == "gate")
    return Group(feed, bronze, judged, gates, {name: sources_of(name) for name in names})


@dataclass(frozen=True, slots=True)
class Held:
    """Which combination of a date is held, by which table and rule, and why."""

    combination: Combination
    table: str
    rule: str
    reason: str


@dataclass(slots=True)
class Tried:
    """One combination of one date, tried: what each table says of it, and the table that holds it."""

    combination: Combination
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    held: Held | None = None
    reused: set[str] = field(default_factory=set)
    refused: list[quarantine.Refused] = field(default_factory=list)


Trying = tuple[str, str]
"""A date and the identity of a combination."""


@dataclass(slots=True)
class Kept:
    """Judged rows of a table that lie aside, and the combination of each date that they are of."""

    judged: Staged
    of: dict[str, str]

    def of_dates(self, of: Mapping[str, str]) -> list[str]:
        """The dates whose rows are those of these combinations."""
        return [key for key, combination in of.items() if self.of.get(key) == combination]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table that are to be written, as Arrow and as an engine has them; ``few`` are written from here."""

    table: Table
    few: bool
    batches: Callable[[], Iterator[pa.RecordBatch]]
    frame: Callable[[], DataFrame]


class Trial:
    """One group under trial for some dates. ``play`` are the combinations that each date may still come to, the first
    of which is the one that passes in the end; empty: nothing of the date stands. ``held`` says why the newest does not
    pass, ``held_by_gate`` which is the newest that a gate which compares has held."""

    def __init__(
        self,
        group: Group,
        life: Life,
        settings: Settings,
        sources: Sources,
        aside: ExitStack,
        selected: Collection[str],
    ) -> None:
        self.group, self.life, self.settings, self.sources = group, life, settings, sources
        self.aside, self.selected = aside, set(selected)
        self.play: dict[str, list[dict[str, str]]] = {}
        self.newest: dict[str, dict[str, str]] = {}
        self.anew: set[str] = set()
        self.lost: set[str] = set()
        self.tried: dict[Trying, Tried] = {}
        self.kept: dict[str, list[Kept]] = {name: [] for name in group.tables}
        self.verdicts: dict[str, Rows] = {}
        self.verdict_outcomes: dict[str, dict[str, Outcome]] = {}
        self.held: dict[str, Held] = {}
        self.held_by_gate: dict[str, Held] = {}
        self._told_held: dict[str, dict[str, Outcome]] = {name: {} for name in group.gates}

    def run(self, dates: Iterable[str], anew: Collection[str], lost: Collection[str] = ()) -> None:
        """Judge some dates, and whatever depends on them. Those ``anew`` are built again when the newest that came
        stands already; of those ``lost`` a build was killed, so that whatever is to stand is written again."""
        self.anew, self.lost = set(anew), set(lost)
        for key in sorted({*dates, *self._held_later(min(dates, default=""))}):
            self._bring_into_play(key)
        while True:
            self._try_all()
            if not self._drop_held() and not self._ask_gates():
                return

    def chosen(self, key: str) -> dict[str, str]:
        """The combination of a date that is to stand; empty when none is."""
        if key not in self.play:
            return self.standing(key)
        return self.play[key][0] if self.play[key] else {}

    def standing(self, key: str) -> dict[str, str]:
        return self.life.standing(self.group.feed, key, self.group.sources)

    def changed(self, table: str, key: str) -> bool:
        """Whether a table is to hold something else of a date than it does."""
        was, now = self.standing(key), self.chosen(key)
        if table in self.group.gates:
            return was != now
        sources = self.group.sources_of(table)
        return {s: was.get(s) for s in sources} != {s: now.get(s) for s in sources}

    def to_write(self, table: str) -> list[str]:
        """The dates of which a table is to be written."""
        return [key for key in sorted(self.play) if self.changed(table, key) or self._built(table, key)]

    def _built(self, table: str, key: str) -> bool:
        """Whether the rows that are to stand were built here, though they may be those that stand."""
        if TABLES[table].layer == "bronze":
            return self._is_anew(key, self.chosen(key)) and self.chosen(key) != {}
        found = self.tried.get(_trying(key, self.chosen(key)))
        return found is not None and table in found.outcomes and table not in found.reused

    def to_stand(self, name: str, keys: Collection[str]) -> Rows:
        """The rows of some dates that are to stand in a table of the group, and the table as it is with them."""
        table, lake = TABLES[name], self.settings.lake
        if table.source is None:
            of = {key: combination_id(self.chosen(key)) for key in keys}
            few = sum(kept.judged.count() for kept in self.kept[name] if kept.of_dates(of)) <= store.FEW_ROWS
            return Rows(table, few, partial(self._kept_batches, name, of), partial(self._kept, name, of))
        picked = {key: now[table.short_name] for key in keys if table.short_name in (now := self.chosen(key))}
        table = self._grown(table.source, picked)
        found = [self.life.attempt(table.short_name, key, attempt) for key, attempt in picked.items()]
        records, size = sum(attempt.records for attempt in found), sum(attempt.bytes for attempt in found)
        return Rows(
            table,
            records <= store.FEW_RECORDS and size <= store.FEW_BYTES,
            lambda: attempts.batches(lake, table, picked),
            lambda: attempts.frame(self._spark(), lake, table, picked),
        )

    def _grown(self, source: Source, picked: Mapping[str, str]) -> Table:
        """The bronze table of a source with the columns that it has grown, and with those that some attempts bring."""
        if source.on_drift != "evolve":
            return TABLES[source.bronze]
        lake = self.settings.lake
        facts = (attempts.facts(lake, source.name, key, attempt) for key, attempt in picked.items())
        brought = {seen.name for found in facts if found for seen in found.columns if seen.kept == "evolved"}
        return bronze_table(drift.as_held(source, lake).evolved(brought))

    def outcome(self, table: str, key: str) -> Outcome:
        """What a table says of a date: of the newest combination, for it is what people ask about."""
        found = self.tried.get(_trying(key, self.newest.get(key, {})))
        if found is None:
            return Outcome(delivered=False)
        if table in self.group.gates:
            return self.verdict_outcomes.get(table, {}).get(key, Outcome(delivered=False))
        outcome = found.outcomes.get(table) or Outcome(delivered=found.held is not None)
        held = self.held.get(key)
        if held and not outcome.held_back:
            outcome.behind = held.table
        return outcome

    def tried_before_the_newest(self, table: str) -> dict[str | None, Outcome]:
        """What a table says of the dates of which another combination than the newest was tried and is to stand."""
        found: dict[str | None, Outcome] = {}
        for key in self.play:
            tried = self.tried.get(_trying(key, self.chosen(key)))
            if tried and tried.combination != self.newest[key] and table in tried.outcomes:
                found[key] = tried.outcomes[table]
        return found

    # ---- combinations

    def _bring_into_play(self, key: str) -> None:
        found = self._seen(key)
        self.play[key] = found
        self.newest[key] = dict(found[0]) if found else {}

    def _held_later(self, since: str) -> list[str]:
        """Later dates of which an attempt is held: a gate may have another verdict on it, or on one before it. Where
        rows hold the only combination, no other delivery changes that."""
        later = (key for of, key in self.life.dates if of == self.group.feed and key > since)
        held = {key: [attempt for attempt in self._attempts_held(key) if not attempt.withdrawn] for key in later}
        return [
            key
            for key, found in held.items()
            if any(attempt.table in self.group.gates for attempt in found) or (found and len(self._seen(key)) > 1)
        ]

    def _attempts_held(self, key: str) -> Iterator[Attempt]:
        for delivery in self.life.of_date(self.group.feed, key):
            if delivery.source in self.group.sources:
                yield from (attempt for attempt in delivery.attempts.values() if attempt.status is Status.HELD)

    def _drop_held(self) -> bool:
        """Go on to the combination before where a table holds the one that was tried."""
        dropped = False
        for key, candidates in self.play.items():
            while candidates and (found := self.tried.get(_trying(key, candidates[0]))) and found.held:
                self._note(key, found.held)
                candidates.pop(0)
                dropped = True
        return dropped and any(candidates and self._is_to_try(key) for key, candidates in self.play.items())

    def _note(self, key: str, held: Held) -> None:
        if held.combination == self.newest.get(key):
            self.held[key] = held

    # ---- tables of deliveries

    def _is_to_try(self, key: str) -> bool:
        candidates = self.play[key]
        if not candidates or _trying(key, candidates[0]) in self.tried:
            return False
        return self._is_anew(key, candidates[0]) or candidates[0] != self.standing(key)

    def _is_anew(self, key: str, combination: Combination) -> bool:
        """Whether a combination is built again though it may stand."""
        return key in self.lost or (key in self.anew and combination == self.newest[key])

    def _try_all(self) -> None:
        batch: dict[str, dict[str, str]] = {}
        records = 0
        for key in sorted(self.play):
            if self._is_to_try(key):
                batch[key] = self.play[key][0]
                records += sum(self.life.attempt(s, key, a).records for s, a in batch[key].items())
                if records > MOST_RECORDS:
                    self._try(batch)
                    batch, records = {}, 0
        if batch:
            self._try(batch)

    def _try(self, batch: Mapping[str, dict[str, str]]) -> None:
        tried = {key: Tried(combination) for key, combination in batch.items()}
        self.tried |= {_trying(key, found.combination): found for key, found in tried.items()}
        for name in self.group.tables:
            concerned = {k: t for k, t in tried.items() if not t.held and self._concerns(name, t.combination)}
            for key, found in concerned.items():
                if self._may_be_reused(name, key, found.combination):
                    found.reused.add(name)
                    found.outcomes[name] = Outcome()
            anew = {key: found for key, found in concerned.items() if name not in found.reused}
            if anew:
                self._build(TABLES[name], anew)

    def _concerns(self, table: str, combination: Combination) -> bool:
        return not combination.keys().isdisjoint(self.group.sources_of(table))

    def _may_be_reused(self, table: str, key: str, combination: Combination) -> bool:
        """Whether a table holds what this combination comes to in it, and is not among those to be built."""
        if table in self.selected and self._is_anew(key, combination):
            return False
        standing, sources = self.standing(key), self.group.sources_of(table)
        same = {s: standing.get(s) for s in sources} == {s: combination.get(s) for s in sources}
        return same and table not in self.life.due(self.group.feed, key)

    def _build(self, table: Table, tried: Mapping[str, Tried]) -> None:
        try:
            self._build_aside(table, tried)
        except Exception as error:
            error.add_note(f"while {table.name} was built aside for {', '.join(sorted(tried))}; nothing was written")
            raise

    def _build_aside(self, table: Table, tried: Mapping[str, Tried]) -> None:
        lake, keys = self.settings.lake, sorted(tried)
        reads = {name: self._read(name, tried) for name in table.reads}
        annotated = expectations.annotate(table.function(*reads.values()), table, reads)
        judged, counted = judgement.judge(annotated, table, lake, self.aside)
        outcomes = judgement.outcomes_of(judged, counted, table, keys, self._measured(table))
        given = {takes.read: self._picked(takes.read, tried) for takes in table.takes}
        proofs = conservation.prove(lake, table, judged, counted, given)
        judgement.note_conserved(outcomes, proofs, table)
        self.kept[table.name].append(Kept(judged, {key: combination_id(t.combination) for key, t in tried.items()}))
        refused = refused_rows(judged, table, outcomes, self.settings.lake, self.sources, given)
        for key, found in tried.items():
            outcome = found.outcomes[table.name] = outcomes[key]
            attempt = self.group.part_id(table.name, found.combination)
            found.refused += [replace(row, attempt=attempt) for row in refused if row.delivery_date == key]
            if outcome.held_back:
                found.held = Held(found.combination, table.name, outcome.rule or "", outcome.held_back)

    def _measured(self, table: Table) -> dict[str, dict[str, Any]]:
        """What the rules that compare deliveries have measured of those that stand, or are to stand."""
        rules = {rule.name for rule in table.delivery_rules if rule.compares}
        if not rules:
            return {}
        feed, own = self.group.feed, self.group.sources_of(table.name)
        stand: dict[str, set[str]] = {}
        for key in (key for of, key in self.life.dates if of == feed):
            now = self.chosen(key)
            same = {combination_id(c) for c in self._seen(key) if all(c.get(s) == now.get(s) for s in own)}
            if not now.keys().isdisjoint(own):
                stand[key] = same | {combination_id(now)}
        found = results.measured(self.settings.lake, table.name, rules, stand)
        for (key, combination), tried in self.tried.items():
            for check in tried.outcomes[table.name].checks if table.name in tried.outcomes and not tried.held else ():
                if check.name in rules and combination in stand.get(key, ()):
                    found.setdefault(check.name, {})[key] = check.measured
        return found

    def _seen(self, key: str) -> list[dict[str, str]]:
        return self.life.candidates(self.group.feed, key, self.group.sources)

    def _picked(self, bronze: str, tried: Mapping[str, Tried]) -> dict[str, str]:
        source = TABLES[bronze].short_name
        return {key: t.combination[source] for key, t in tried.items() if source in t.combination}

    def _read(self, name: str, tried: Mapping[str, Tried]) -> DataFrame:
        """What a table reads of the combinations under trial."""
        if TABLES[name].layer == "bronze":
            return attempts.frame(self._spark(), self.settings.lake, TABLES[name], self._picked(name, tried))
        return self._kept(name, {key: combination_id(found.combination) for key, found in tried.items()})

    def _kept(self, name: str, of: Mapping[str, str]) -> DataFrame:
        """The kept rows of some combinations, where they lie aside or stand already."""
        table = TABLES[name]
        found: DataFrame | None = None
        for kept in self.kept[name]:
            if keys := kept.of_dates(of):
                rows = expectations.kept(kept.judged.frame, table).select(*table.column_names)
                if len(keys) < len(kept.of):
                    rows = rows.where(store.delivery_condition(keys))
                found = rows if found is None else found.unionByName(rows)
        stands = self._stands(name, of)
        if stands or found is None:
            rows = store.read(self._spark(), self.settings.lake, table, stands).select(*table.column_names)
            found = rows if found is None else found.unionByName(rows)
        return found

    def _kept_batches(self, name: str, of: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        """The rows that ``_kept`` tells of, some at a time and read without an engine."""
        table = TABLES[name]
        for kept in self.kept[name]:
            if keys := kept.of_dates(of):
                here = tallies.stay(table)
                here = here if len(keys) == len(kept.of) else here & store.delivery_filter(keys)
                yield from kept.judged.batches(table.column_names, here)
        if stands := self._stands(name, of):
            yield from store.batches(self.settings.lake, table, deliveries=stands)

    def _stands(self, name: str, of: Mapping[str, str]) -> list[str]:
        """The dates of which the table holds the rows of these combinations already."""
        found = ((key, combination, self.tried.get((key, combination))) for key, combination in of.items())
        return [
            key
            for key, combination, tried in found
            if (tried is None or name in tried.reused) and combination != combination_id({})
        ]

    # ---- gates that compare

    def _ask_gates(self) -> bool:
        """Have the gates judge what is in play; True when another combination of some date must be tried."""
        if not self.verdicts and not any(self._is_news(key) for key in self.play):
            return False
        for name in self.group.gates:
            held = self._verdicts(TABLES[name])
            for key in sorted(held):
                if key not in self.play:
                    self._bring_into_play(key)
                    standing = self.standing(key)
                    while self.play[key] and self.play[key][0] != standing:
                        self.play[key].pop(0)
                    self.newest[key] = dict(standing)
                candidates = self.play[key]
                if candidates:
                    why = held[key]
                    found = Held(candidates[0], name, why.rule or "", why.held_back or "")
                    self._note(key, found)
                    self.held_by_gate.setdefault(key, found)
                    if candidates[0] == self.newest.get(key):
                        self._told_held[name][key] = why  # told, whichever combination before it stands in the end
                    as_it_stands = Tried(candidates[0], reused=set(self.group.tables))
                    self.tried.setdefault(_trying(key, candidates[0]), as_it_stands)
                    if candidates.pop(0) != self.newest[key] or candidates:
                        return True  # to try the one before; when none is left, to have the first verdict again
        return False

    def _is_news(self, key: str) -> bool:
        """Whether a date has come to something else than what stands, or was built again, or what a gate held of it
        was withdrawn: its verdict goes as well."""
        first, standing = next(iter(self.play[key]), {}), self.standing(key)
        if not first and any(attempt.withdrawn for attempt in self._attempts_held(key)):
            return True
        return first != standing or (bool(first) and _trying(key, first) in self.tried)

    def _verdicts(self, table: Table) -> dict[str, Outcome]:
        """What a gate says of every date that stands or is in play; the held ones are returned."""
        lake, feed = self.settings.lake, self.group.feed
        sources = self.group.sources_of(table.name)
        judged = {k: self._under_judgement(k, table) for k in self.play}
        judged = {key: combination for key, combination in judged.items() if combination}
        standing = {
            key: combination
            for of, key in self.life.dates
            if of == feed and key not in self.play and (combination := self.life.standing(feed, key, sources))
        }
        stay, seen = self._verdicts_that_stay(table, sorted(standing))
        every = {key: of for key, of in (standing | judged).items() if key not in stay or key in seen}
        of = {key: combination_id(combination) for key, combination in every.items()}
        asked = {key: combination for key, combination in every.items() if key not in seen}
        decided = decisions.in_force(self.life, asked, sources)
        decided += [(key, "", "it stands") for key in seen]
        frames = {name: self._kept(name, of) for name in table.reads}
        people = self._spark().createDataFrame(*decisions.as_rows(decided, table))
        annotated = expectations.annotate(table.function(*frames.values(), people), table, frames)
        settled, counted = judgement.judge(annotated, table, lake, self.aside)
        outcomes = judgement.outcomes_of(settled, counted, table, sorted(judged))
        told = {str(key): outcome for key, outcome in outcomes.items() if key in self.play}
        self.verdict_outcomes[table.name] = told | self._told_held[table.name]
        self.verdicts[table.name] = self._with_others(table, settled, {*asked, *self.play})
        return {str(key): outcome for key, outcome in outcomes.items() if outcome.held_back and str(key) in asked}

    def _verdicts_that_stay(self, table: Table, standing: Sequence[str]) -> tuple[list[str], list[str]]:
        """The dates before the first in play, whose verdicts stay as they are, and those of them that later ones are
        compared with. None where the table lacks one of them."""
        earlier = [key for key in standing if key < min(self.play)]
        if not earlier or table.goes_on is None:
            return [], []
        rows = store.read_arrow(self.settings.lake, table.name, columns=list(table.delivery_columns))
        told = {of_row(row) for row in rows.to_pylist()} if rows is not None else set()
        return (earlier, incremental.seen(self.settings.lake, table, earlier)) if told >= set(earlier) else ([], [])

    def _with_others(self, table: Table, settled: Staged, judged: Collection[str]) -> Rows:
        """The verdicts on some dates, and those on the others as they are: before the first in play, or held."""
        lake, names = self.settings.lake, table.column_names

        def batches() -> Iterator[pa.RecordBatch]:
            yield from store.batches(lake, table, ~store.delivery_filter(judged))
            yield from settled.batches(names, tallies.stay(table) & store.delivery_filter(judged))

        def frame() -> DataFrame:
            others = store.read(self._spark(), lake, table).select(*names)
            others = others.where(f"NOT {store.delivery_condition(judged)}")
            found = expectations.kept(settled.frame, table).where(store.delivery_condition(judged))
            return others.unionByName(found.select(*names))

        few = store.row_count(lake, table.name) + settled.count() <= store.FEW_ROWS
        return Rows(table, few, batches, frame)

    def _under_judgement(self, key: str, table: Table) -> dict[str, str]:
        """The combination of a date that a gate looks at; one that a table holds does not come before it."""
        candidates = self.play[key]
        if not candidates:
            return self._held_here(key, table)
        found = self.tried.get(_trying(key, candidates[0]))
        return {} if found and found.held else candidates[0]

    def _held_here(self, key: str, table: Table) -> dict[str, str]:
        """The newest combination that this gate holds: while nothing of the date stands, its verdict says why."""
        held = self.held_by_gate.get(key)
        return dict(held.combination) if held and held.table == table.name else {}

    def _spark(self):  # type: ignore[no-untyped-def]
        return sessions.session(self.settings)


def _trying(key: str, combination: Combination) -> Trying:
    return key, combination_id(combination)
