"""What people decide about deliveries: accept one that a gate holds, reopen one, take one away.

A decision is an event in the life of one attempt: another file of the same date needs another decision. The rule that
was overruled goes on to hold for every other delivery.
"""

from __future__ import annotations

import getpass
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.deliveries.life import Attempt, Decision, Delivery, Event, Life, Status, record
from netflix_dagster.landing.keys import parts
from netflix_dagster.storage import Place

READ_AS = "delivery_date date, decided_by string, decided_because string"
"""What a gate reads of the decisions in force: one row a delivery that a person has accepted."""
READ_AS_BY_HOUR = f"{READ_AS}, delivery_hour int"


class DecisionError(ValueError):
    """There is nothing to decide about this delivery; the message says what there is."""


def accept(lake: Place, name: str, key: str, because: str, by: str = "") -> str:
    """Overrule the gate that holds the deliveries of a date, and have them built. Returns the reason for which they
    were held. ``name`` is a feed or a source, see ``to_accept``.

    Raises ``DecisionError`` unless a gate that a person may overrule holds them.
    """
    held = to_accept(Life.read(lake), name, key)
    if not because.strip():
        raise DecisionError("say why the delivery is right all the same; the reason is kept with the decision")
    record(lake, [_decided(attempt, Decision.ACCEPT, because, by) for attempt in held])
    return f"{held[0].table}: {held[0].reason}"


def to_accept(life: Life, name: str, key: str) -> list[Attempt]:
    """The attempts that a person would accept: all of a feed's date that a gate holds; of a source, its own and those
    that the same gate holds with it, for it judges what the sources of a date say together.

    Raises ``DecisionError``, which says what there is, when there are none.
    """
    of_source = life.deliveries.get((name, key))
    if (name, key) in life.dates or of_source is None:
        deliveries = life.of_date(name, key)
    else:
        deliveries = [other for other in life.of_date(of_source.feed, key) if _held_together(of_source, other)]
    waiting = [d.newest for d in deliveries if d.attempts and d.newest.waits and not d.newest.withdrawn]
    held = [attempt for attempt in waiting if may_be_overruled(attempt)]
    if not waiting:
        raise DecisionError(f"no delivery of {name} on {key} is held back; there is nothing to accept")
    if not held:
        raise DecisionError(
            f"the delivery of {name} on {key} is held back by a rule that nobody can overrule"
            f" ({waiting[0].reason}); mend the file and land it again"
        )
    return held


def _held_together(one: Delivery, other: Delivery) -> bool:
    if one is other or not (one.attempts and other.attempts):
        return one is other
    return one.newest.waits and other.newest.waits and one.newest.table == other.newest.table


def reopen(lake: Place, deliveries: Iterable[Delivery], because: str = "", by: str = "") -> None:
    """Have deliveries taken up again as if they had just arrived, by the sensor and by ``netflix-dagster run``."""
    record(lake, [_decided(delivery.newest, Decision.REOPEN, because, by) for delivery in deliveries])


def withdraw(lake: Place, source: str, key: str, because: str, by: str = "") -> Attempt:
    """Take a delivery away: the next build removes its rows from every table. Returns the attempt that stood, or the
    newest.

    The same file may go on to lie in landing; it is not taken up again. Another file is another attempt.
    Raises ``DecisionError`` when there is no such delivery, or when it is withdrawn already.
    """
    delivery = Life.read(lake).deliveries.get((source, key))
    if delivery is None or not delivery.attempts:
        raise DecisionError(
            f"{source} has delivered nothing on {key}; `netflix-dagster deliveries list` names what did"
        )
    if delivery.newest.withdrawn:
        raise DecisionError(f"{source} of {key} is withdrawn already; nothing was done")
    if not because.strip():
        raise DecisionError("say why the delivery is taken away; the reason is kept with the decision")
    record(lake, [_decided(delivery.newest, Decision.WITHDRAW, because, by)])
    return delivery.standing or delivery.newest


def may_be_overruled(attempt: Attempt) -> bool:
    """Whether a gate holds the attempt, which a person may overrule."""
    table = TABLES.get(attempt.table or "")
    return attempt.status is Status.HELD and table is not None and table.write == "gate"


def _decided(attempt: Attempt, decision: Decision, because: str, by: str) -> Event:
    return Event(
        Status.DECIDED,
        attempt.feed,
        attempt.key,
        source=attempt.source,
        fingerprint=attempt.fingerprint,
        decision=decision,
        table_name=attempt.table,
        rule=attempt.rule,
        decided_by=by or getpass.getuser(),
        decided_because=because.strip() or None,
    )


def in_force(
    life: Life, combinations: Mapping[str, Mapping[str, str]], sources: Collection[str]
) -> list[tuple[str, str, str]]:
    """Who overruled the gates for some combinations, and why: one (date, person, reason) each.

    A decision speaks of the attempt of the ``sources`` that landed last: with another file it is in force no more.
    """
    found = []
    for key, combination in combinations.items():
        attempts = [life.attempt(source, key, attempt) for source, attempt in combination.items() if source in sources]
        newest = max(attempts, key=lambda attempt: attempt.at.timestamp() if attempt.at else 0.0, default=None)
        if newest and newest.accepted:
            found.append((key, *newest.accepted))
    return found


def as_rows(decided: Sequence[tuple[str, str, str]], gate: Table) -> tuple[list[tuple[Any, ...]], str]:
    """What a gate reads of the decisions in force, and its columns, see ``READ_AS``; of a feed that delivers by the
    hour ``delivery_hour``, too."""
    if "delivery_hour" not in gate.delivery_columns:
        return [(parts(key)[0], by, because) for key, by, because in decided], READ_AS
    return [(day, by, because, hour) for key, by, because in decided for day, hour in [parts(key)]], READ_AS_BY_HOUR
