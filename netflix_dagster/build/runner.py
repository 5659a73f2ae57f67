"""The one runner: the order of the tables, the door and the gates, a report per table, the life of the deliveries.

A step of Dagster, ``netflix-dagster run``, a task on Databricks and the job without Dagster all call it. ::

    with Session(settings, sources, "run-1", tables, {"catalogue": ["2020-01-01"]}) as session:
        for report in session.run():
            ...

It is alone on the feed: another session waits. It writes down that the builds of its dates have begun before it
touches the first table, and what they came to when it ends; what is killed in between is due again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from netflix_dagster import storage
from netflix_dagster.azure import access, outage
from netflix_dagster.build import conservation, judgement, table, telemetry
from netflix_dagster.build.door import Door
from netflix_dagster.build.gates import Group, Held, Trial, Tried, groups
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.graph import build_order, built_from, left_out
from netflix_dagster.contracts.report import Outcome, Report
from netflix_dagster.deliveries import columns, life, quarantine, results
from netflix_dagster.deliveries.life import Event, Life, Status
from netflix_dagster.lake import lock, store
from netflix_dagster.landing.sources import Sources
from netflix_dagster.settings import Settings

log = logging.getLogger("netflix_dagster.build")
T = TypeVar("T")
COMMON = "common"
"""The lock of the tables that belong to no feed alone."""


class NotJudged(RuntimeError):
    """The gates could not be asked, so nothing was written; the fault that stopped them is told with it."""


class Session:
    """One build of some tables for some deliveries, from its first table to its last.

    ``deliveries`` are the dates of each feed. The sources that are looked at in landing are those whose bronze table is
    among the tables. ``failed`` says which tables raised, and what.
    """

    def __init__(
        self,
        settings: Settings,
        sources: Sources,
        run_id: str,
        tables: Iterable[str],
        deliveries: Mapping[str, Sequence[str]],
        *,
        again: bool = False,
    ) -> None:
        self.settings, self.sources, self.run_id, self.again = settings, sources, run_id, again
        self.tables = build_order(tables)
        self.deliveries = {feed: sorted(set(keys)) for feed, keys in deliveries.items() if keys}
        self.failed: dict[str, str] = {}
        self.built: set[str] = set()
        self.blocked: set[str] = set()
        self.life = Life()
        self.door = Door(settings, sources, run_id)
        self.trials: dict[tuple[str, ...], Trial] = {}
        self._feeds: set[str] = set()
        self._common = False
        self._alone: set[str] = set()
        self._due: set[str] = set()
        self._besides: dict[tuple[str, str], set[str]] = {}
        self._results: list[dict[str, Any]] = []
        self._fault: dict[str, BaseException] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and not self.failed:
                lasting(self.settings, self._end, "the end of the build")
            else:
                self._end_of_what_failed()
        finally:
            self._stack.close()

    def run(self) -> Iterator[Report]:
        """Build all tables in order. One that fails or is blocked stops what is built from it, and nothing else."""
        for name in self.tables:
            if name in left_out(self.tables, {*self.failed, *self.blocked_whole}):
                continue
            try:
                yield self.build(name)
            except Exception as error:
                log.exception("%s failed; it is as it was, and what lies behind it is not built", name)
                self.failed[name] = f"{type(error).__name__}: {error}"

    def build(self, name: str) -> Report:
        """Build one table. Tables of deliveries hold what their gates have let pass, whichever comes first."""
        declared = TABLES[name]
        keys = self.deliveries.get(declared.feed, []) if declared.feed else []
        with telemetry.building(declared, keys, self.settings, self.run_id) as tell:
            try:
                report = lasting(self.settings, lambda: self._build(declared, keys), _named(name, keys))
            except BaseException as error:
                self.failed.setdefault(name, f"{type(error).__name__}: {error}")
                if declared.feed and declared.feed not in self._feeds:
                    self._fault[declared.feed] = error  # the other tables of the feed need not try again
                raise
            tell(report)
        self.failed.pop(name, None)
        self.built.add(name)
        if report.blocked:
            self.blocked.add(name)
        return report

    @property
    def nothing_to_write(self) -> bool:
        """Whether every delivery that was asked for is refused or held, so that every table stays as it is."""
        return bool(self.trials) and not any(
            trial.to_write(name)
            for trial in self.trials.values()
            for name in self.tables
            if name in _tables(trial.group)
        )

    @property
    def idle(self) -> bool:
        """Whether every table stays as it is: all that was asked for is refused or held, and nothing is due."""
        whole = [name for name in self.tables if not TABLES[name].judged_by_delivery]
        return self.nothing_to_write and not any(self._is_due(name) for name in whole)

    def _build(self, declared: Table, keys: Sequence[str]) -> Report:
        started = time.perf_counter()
        if declared.feed:
            self._begin(declared.feed)
        outcomes: dict[str | None, Outcome] = {}  # none of a table of deliveries when no date is asked for
        if not declared.judged_by_delivery:
            outcomes = self._whole(declared)
        elif keys:
            outcomes = self._publish(declared, keys)
        self._keep_results(declared, outcomes)
        report = Report(declared.name, tuple(keys), outcomes)
        report.version, report.total_rows = store.standing(self.settings.lake, declared.name)
        report.idle, report.run_id = self.idle, self.run_id
        report.preview = table.preview(declared, keys, self.settings)
        report.seconds = time.perf_counter() - started
        log.info("built %s in %.2f s", declared.name, report.seconds, extra={"report": report})
        return report

    def _keep_results(self, declared: Table, outcomes: Mapping[str | None, Outcome]) -> None:
        """Keep how every rule fared, on what stands where that is not the newest and on the newest, for the end."""
        name, run_id = declared.name, self.run_id
        if not declared.judged_by_delivery or not outcomes:
            self._results += results.rows_of(name, table.checks_of(outcomes), run_id)
            return
        trial = self._trial_of(declared)
        if declared.layer == "silver":
            stands = trial.tried_before_the_newest(declared.name)
            attempts = {key: life.combination_id(trial.chosen(key)) for key in stands if key}
            self._results += results.rows_of(name, table.checks_of(stands), run_id, attempts)
        judged = {key: self._judged(declared, trial, key) for key in outcomes if key}
        self._results += results.rows_of(name, table.checks_of(outcomes), run_id, judged)

    def _judged(self, declared: Table, trial: Trial, key: str) -> str | None:
        """Which attempt, or combination of attempts, the outcome of a date is of."""
        combination = trial.newest.get(key) or trial.chosen(key)
        if declared.layer != "bronze":
            return life.combination_id(combination) if combination else None
        received = self.door.received.get((declared.short_name, key))
        return received.fingerprint if received else combination.get(declared.short_name)

    def _trial_of(self, declared: Table) -> Trial:
        return next(trial for trial in self.trials.values() if declared.name in _tables(trial.group))

    def _whole(self, declared: Table) -> dict[str | None, Outcome]:
        if self.nothing_to_write and not self._is_due(declared.name):
            return {None: Outcome(delivered=False)}
        if declared.feed is None:
            self._begin_common()
            with lock.alone(self.settings.lake, COMMON, self.run_id):
                return {None: table.build_whole(declared, self.settings)}
        return {None: table.build_whole(declared, self.settings)}

    def _is_due(self, name: str) -> bool:
        """Whether the table had something to be built of before this build began."""
        return name in self._due

    # ---- the gates, once a feed, before its first table

    def _begin(self, feed: str) -> None:
        if feed in self._feeds:
            return
        if feed in self._fault:
            raise NotJudged(f"the deliveries of {feed} could not be judged: {self._fault[feed]}") from self._fault[feed]
        if feed not in self._alone:
            self._stack.enter_context(lock.alone(self.settings.lake, feed, self.run_id))
            self._alone.add(feed)
        self.door = Door(self.settings, self.sources, self.run_id)  # anew, should the storage have failed half-way
        self.life = Life.read(self.settings.lake)
        keys = self.deliveries.get(feed, [])
        self._due |= {name for key in keys for name in self.life.to_build(feed, key)} | self.life.whole_due()
        chosen = [name for name in self.tables if TABLES[name].feed in (feed, None)]
        looked_at = [TABLES[name].short_name for name in chosen if TABLES[name].layer == "bronze"]
        events = self.door.receive(self.life, [(source, key) for key in keys for source in looked_at], again=self.again)
        self._record([*events, *(self._has_begun(feed, key, chosen) for key in keys)])
        for group in groups(feed):
            if any(name in self.tables for name in _tables(group)) and keys:
                self.trials[group.sources] = self._try(group, keys)
        self._keep_refused(feed)
        self._feeds.add(feed)

    def _begin_common(self) -> None:
        """Take up the dates of which nothing is due but tables of no feed alone, when no feed is built here.

        Else they would be due for ever: it is the builds of its date that a table is done with.
        """
        if self._feeds or self._common:
            return
        self._common = True
        self.life = Life.read(self.settings.lake)
        due = {place: self.life.to_build(*place) for place in self.life.dates}
        only_common = {place: names for place, names in due.items() if not any(TABLES[name].feed for name in names)}
        mine = {place: [name for name in self.tables if name in names] for place, names in only_common.items()}
        self._record([self._has_begun(feed, key, names) for (feed, key), names in mine.items() if names])

    def _try(self, group: Group, keys: Sequence[str]) -> Trial:
        aside = self._stack.enter_context(ExitStack())
        trial = Trial(group, self.life, self.settings, self.sources, aside, self.tables)
        lost = [*self._lost(group), *(key for key in keys if self._is_outdated(group, key))]
        refused = {
            key for (source, key), found in self.door.received.items() if found.refused and source in group.sources
        }
        trial.run({*keys, *lost}, {key for key in keys if key not in refused}, lost)
        changed = {key: [name for name in _tables(group) if trial.changed(name, key)] for key in trial.play}
        others = {key: names for key, names in changed.items() if names and key not in keys}
        self._record([self._has_begun(group.feed, key, built_from(group.feed, names)) for key, names in others.items()])
        if group.gates and set(group.gates) <= set(self.tables):
            self._publish_besides(trial, changed)
        return trial

    def _publish_besides(self, trial: Trial, changed: Mapping[str, Sequence[str]]) -> None:
        """Write what a verdict changes in tables of the group that are not to be built here, on other dates or, when a
        part of a date is withdrawn, on this one: else some tables would hold what stands of it, and others what stood.
        """
        for name in dict.fromkeys(name for names in changed.values() for name in names if name not in self.tables):
            keys = [key for key, names in changed.items() if name in names]
            table.put_in_place(TABLES[name], trial, keys, self.settings)
            for key in keys:
                self._besides.setdefault((trial.group.feed, key), set()).add(name)

    def _lost(self, group: Group) -> list[str]:
        """Dates of the group that another build has begun and not ended with: some of their tables may be written."""
        found = []
        for (feed, key), date in self.life.dates.items():
            others = [run_id for run_id in date.open if run_id != self.run_id]
            began = others or (date.builds > (self.run_id in date.open) and date.failed)
            if feed == group.feed and began and not set(_tables(group)).isdisjoint(self.life.due(feed, key)):
                found.append(key)
        return found

    def _is_outdated(self, group: Group, key: str) -> bool:
        """Whether other code has built what stands of a date: it is built again even if nothing newer passes."""
        return bool(self.life.outdated(group.feed, key).intersection(_tables(group), self.tables))

    def _has_begun(self, feed: str, key: str, tables: Iterable[str]) -> Event:
        return Event(Status.BEGUN, feed, key, tables=tuple(tables), run_id=self.run_id)

    def _record(self, events: Sequence[Event]) -> None:
        for event in life.record(self.settings.lake, events):
            self.life.add(event)

    def _keep_refused(self, feed: str) -> None:
        """Put what was refused into the quarantine, in place of what these attempts had there before."""
        lake = self.settings.lake
        for (source, key), found in self.door.received.items():
            bronze = self.sources.sources[source]
            if bronze.feed == feed:
                rows = self.door.quarantined((source, key))
                keep = self._attempts(source, key)
                quarantine.replace(
                    lake, bronze.bronze, rows, attempts={key: found.fingerprint}, keep={key: keep}, run_id=self.run_id
                )
        for trial in (trial for trial in self.trials.values() if trial.group.feed == feed):
            self._forget_superseded(trial)
            for name in trial.group.tables:
                self._keep_refused_rows(trial, name)

    def _forget_superseded(self, trial: Trial) -> None:
        """Take out what the door set aside of an attempt in whose place one stands now that came before this build:
        a person has accepted it, or what held it is gone."""
        for key in trial.play:
            now = trial.chosen(key)
            for source, was in trial.standing(key).items():
                if now.get(source, was) != was and (source, key) not in self.door.received:
                    others = self.life.deliveries[source, key].attempts.keys() - {was}
                    bronze, keep = self.sources.sources[source].bronze, {key: others}
                    quarantine.replace(
                        self.settings.lake, bronze, (), attempts={key: was}, keep=keep, run_id=self.run_id
                    )

    def _keep_refused_rows(self, trial: Trial, name: str) -> None:
        """Of every combination that was tried, and of the one that stands, the refused rows stay in the quarantine."""
        part = partial(trial.group.part_id, name)
        left: dict[tuple[str, str], Tried] = {}
        keep: dict[str, set[str]] = {}
        for (key, _), found in trial.tried.items():
            keep.setdefault(key, {part(trial.chosen(key))}).add(part(found.combination))
            if name in found.outcomes and name not in found.reused:
                left[key, part(found.combination)] = found
        while left:
            now = {key: (combination, found) for (key, combination), found in reversed(left.items())}
            rows = [row for _, found in now.values() for row in found.refused if row.table_name == name]
            attempts: dict[str, str | None] = {key: combination for key, (combination, _) in now.items()}
            quarantine.replace(self.settings.lake, name, rows, attempts=attempts, keep=keep, run_id=self.run_id)
            left = {place: found for place, found in left.items() if now[place[0]][0] != place[1]}

    def _attempts(self, source: str, key: str) -> set[str]:
        """The attempt of a delivery that stands in the end: what was set aside of it stays told."""
        trial = next((trial for trial in self.trials.values() if source in trial.group.sources), None)
        chosen = trial.chosen(key) if trial else self.life.standing(self.sources.sources[source].feed, key)
        return {chosen[source]} if source in chosen else set()

    # ---- publishing

    def _publish(self, declared: Table, keys: Sequence[str]) -> dict[str | None, Outcome]:
        trial = self._trial_of(declared)
        if declared.write == "gate":
            written = set(keys) if table.publish_verdicts(declared, trial, self.settings) else set()
        else:
            written = set(table.publish(declared, trial, self.settings))
        outcomes: dict[str | None, Outcome] = {key: self._outcome(declared, trial, key) for key in keys}
        if declared.write == "gate":
            outcomes = dict(trial.verdict_outcomes.get(declared.name, {})) | outcomes  # type: ignore[operator]
        if declared.layer == "bronze":
            self._bronze_written(declared, trial, written, outcomes)
        for key, outcome in outcomes.items():
            outcome.written = key in written and not outcome.held_back and not outcome.behind
        return outcomes

    def _outcome(self, declared: Table, trial: Trial, key: str) -> Outcome:
        if declared.layer != "bronze":
            return replace(trial.outcome(declared.name, key))
        source = declared.short_name
        newest = trial.newest.get(key, {})
        outcome = self.door.outcome(self.life, (source, key), newest.get(source))
        held = trial.held.get(key)
        if held and source in held.combination and not outcome.held_back:
            outcome.behind = held.table
        return outcome

    def _bronze_written(
        self, declared: Table, trial: Trial, written: Collection[str], outcomes: dict[str | None, Outcome]
    ) -> None:
        """What bronze is asked after it was written: a row for each record, and what its columns look like now."""
        source, lake = declared.short_name, self.settings.lake
        facts = {
            key: self.door.facts(self.life, (source, key), attempt)
            for key in written
            if (attempt := trial.chosen(key).get(source))
        }
        proofs = conservation.prove_bronze(
            lake, declared, {key: found.records - found.quarantined for key, found in facts.items()}
        )
        there = {key: proof for key, proof in proofs.items() if key in outcomes and not outcomes[key].behind}
        judgement.note_conserved(outcomes, there, declared)
        if facts:
            grown = self.door.as_held(self.sources.sources[source])
            seen = {key: columns.settled(found.columns, grown) for key, found in facts.items()}
            columns.record(lake, source, seen, columns.held(lake, source, seen), self.run_id)

    # ---- the end

    @property
    def blocked_whole(self) -> set[str]:
        """The whole tables that a blocking rule left as they were."""
        return {name for name in self.blocked if not TABLES[name].judged_by_delivery}

    def _settled(self) -> set[str]:
        """The tables that hold what they should now: those that were built, or all when there was nothing to write."""
        wrong = {*self.failed, *self.blocked_whole}
        if self.nothing_to_write and not wrong:
            return set(self.tables)
        return self.built - wrong

    def _end_of_what_failed(self) -> None:
        """Write down what came of a build that has told already why it failed: no second error hides the first."""
        try:
            with access.guarded():
                self._end()
        except Exception as error:
            log.warning("the end of this build could not be written down, so it is due again: %s", error)

    def _end(self) -> None:
        """Write down what came of every date: what stands now, what is held, and which tables were built."""
        if not self._feeds and not self._common:
            return
        results.record(self.settings.lake, self._results)
        self._results = []  # the end may be asked for again
        events: list[Event] = []
        settled = self._settled()
        for trial in self.trials.values():
            for key in trial.play:
                events += self._verdict(trial, key, settled)
        began = [(feed, key) for (feed, key), date in self.life.dates.items() if self.run_id in date.open]
        for feed, key in began:
            waits = any(delivery.newest.waits for delivery in self.life.of_date(feed, key))
            held = waits or any(key in trial.held for trial in self.trials.values() if trial.group.feed == feed)
            outcome = "failed" if self.failed or self.blocked_whole else "held" if held else "built"
            done = tuple(name for name in self.tables if name in settled and TABLES[name].feed in (feed, None))
            done += tuple(sorted(self._besides.get((feed, key), ())))
            code = tuple(TABLES[name].code_version for name in done)
            ended = Event(Status.ENDED, feed, key, tables=done, code_versions=code, outcome=outcome, run_id=self.run_id)
            events.append(ended)
        self._record(events)

    def _verdict(self, trial: Trial, key: str, settled: Collection[str]) -> list[Event]:
        feed, now, was = trial.group.feed, trial.chosen(key), trial.standing(key)
        events = []
        written = {*settled, *self._besides.get((feed, key), ())}
        published = all(name in written for name in _tables(trial.group) if trial.changed(name, key))
        if now != was and published:
            events += [self._about(Status.STANDING, feed, key, s, a) for s, a in now.items() if was.get(s) != a]
            events += [self._about(Status.SUPERSEDED, feed, key, s, a) for s, a in was.items() if s not in now]
        held: dict[tuple[str, str], Held] = {}
        for found in filter(None, (trial.held_by_gate.get(key), trial.held.get(key))):
            held.update(dict.fromkeys(found.combination.items(), found))
        return events + [
            self._about(Status.HELD, feed, key, source, attempt, why)
            for (source, attempt), why in held.items()
            if now.get(source) != attempt
            and (published or was.get(source) != attempt)
            and self._is_news(source, key, attempt, why)
        ]

    def _is_news(self, source: str, key: str, attempt: str, held: Held) -> bool:
        known = self.life.attempt(source, key, attempt)
        said = (known.status, known.table, known.rule, known.reason)
        return said != (Status.HELD, held.table, held.rule, held.reason)

    def _about(self, status: Status, feed: str, key: str, source: str, attempt: str, held: Held | None = None) -> Event:
        about = {"table_name": held.table, "rule": held.rule, "reason": held.reason} if held else {}
        return Event(status, feed, key, source=source, fingerprint=attempt, run_id=self.run_id, **about)  # type: ignore[arg-type]


def lasting(settings: Settings, work: Callable[[], T], what: str) -> T:
    """Work again while a storage account is in trouble; what lies on this machine has no such trouble."""
    if storage.is_local(settings.lake) and storage.is_local(settings.landing):
        return work()

    @access.guarded()
    def guarded() -> T:
        try:
            return work()
        except storage.StorageError:
            raise
        except Exception:
            storage.folders(settings.lake / "quality")  # where an engine is let down by the account, this says why
            raise

    return outage.outlast(guarded, what)


def _named(table: str, keys: Sequence[str]) -> str:
    """A table and the deliveries that it is built for, in words."""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"{table} of {', '.join(keys[:3])}{more}" if keys else table


def _tables(group: Group) -> tuple[str, ...]:
    return (*(f"bronze.{source}" for source in group.sources), *group.tables, *group.gates)


def receive(settings: Settings, sources: Sources, places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Let some deliveries through the door before they are built; returns those that it refuses."""
    wanted = list(places)

    def look(feed: str) -> set[tuple[str, str]]:
        with lock.alone(settings.lake, feed, "the door"):
            known, door = Life.read(settings.lake), Door(settings, sources, "")
            mine = [place for place in wanted if sources.sources[place[0]].feed == feed]
            life.record(settings.lake, door.receive(known, mine))
            return {place for place, found in door.received.items() if found.refused}

    feeds = dict.fromkeys(sources.sources[source].feed for source, _ in wanted)
    found = [lasting(settings, partial(look, feed), f"the deliveries of {feed}") for feed in feeds]
    return set[tuple[str, str]]().union(*found)
