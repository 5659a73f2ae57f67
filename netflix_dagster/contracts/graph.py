"""The graph of tables: which table is built from which, and in what order.

An edge is one entry of a contract's ``reads``. Every runner, job and sensor asks this module.
The build order is topological. Among tables that could come next the earlier layer comes first (bronze, silver, gold),
then the table that was declared first. So tables may be declared in any order: where one table reads another, the
order of imports does not matter.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from netflix_dagster.contracts.contract import LAYERS, TABLES, ContractError, Table


def build_order(names: Iterable[str] | None = None, tables: Mapping[str, Table] = TABLES) -> list[str]:
    """The tables (all of them by default), each after every table that it reads, also through others.

    A name that is not declared is passed over. Raises ``ContractError`` when tables read each other in a circle.
    """
    wanted = None if names is None else set(names)
    return [name for name in _sorted(tables) if wanted is None or name in wanted]


def downstream_of(names: Iterable[str]) -> list[str]:
    """The tables themselves and all that are built from them, in build order."""
    reached = set(names)
    order = build_order()
    for name in order:
        if reached.intersection(TABLES[name].reads):
            reached.add(name)
    return [name for name in order if name in reached]


def upstream_of(names: Iterable[str]) -> list[str]:
    """The tables themselves and all that they are built from, in build order."""
    reached = set(names)
    order = build_order()
    for name in reversed(order):
        if name in reached:
            reached.update(TABLES[name].reads)
    return [name for name in order if name in reached]


def sources_of(table: str) -> tuple[str, ...]:
    """The sources whose rows reach a table."""
    return tuple(name.removeprefix("bronze.") for name in upstream_of([table]) if name.startswith("bronze."))


def touched_tables(feed: str, sources: Iterable[str]) -> list[str]:
    """The tables that deliveries of these sources change, in build order: their bronze tables, and the tables of the
    feed, or shared by feeds, that are built from them."""
    return built_from(feed, (f"bronze.{source}" for source in sources))


def feed_tables(feed: str) -> list[str]:
    """The tables that deliveries of a feed can change, in build order: its own tables, and the tables that several
    feeds share and that are built from them."""
    return built_from(feed, (name for name, table in TABLES.items() if table.feed == feed))


def built_from(feed: str, names: Iterable[str]) -> list[str]:
    """The tables themselves and all of the feed, or shared by feeds, that are built from them, in build order."""
    return [name for name in downstream_of(names) if TABLES[name].feed in (feed, None)]


def left_out(tables: Iterable[str], blocked: Iterable[str]) -> set[str]:
    """The tables that cannot be built because they read a blocked one, or another that is left out.

    A table that is not among ``tables`` is not rebuilt, so it blocks nothing.
    """
    held = set(blocked)
    stopped = set(held)
    for name in build_order(tables):
        if stopped.intersection(TABLES[name].reads):
            stopped.add(name)
    return stopped - held


def check(tables: Mapping[str, Table] = TABLES) -> None:
    """Raise ``ContractError``, with every fault, when a contract says something wrong about another table.

    Faults are: a table reads one that is not declared, a column or a count comes from a column that does not exist,
    tables read each other in a circle, an incremental table reads one that has no deliveries, a table by parts is made
    from one without these parts.
    """
    faults = [f"{name}: {fault}" for name, table in tables.items() for fault in _faults(table, tables)]
    if faults:
        raise ContractError("; ".join(faults))
    build_order(tables=tables)


def _faults(table: Table, tables: Mapping[str, Table]) -> Iterator[str]:
    def there(read: str, column: str) -> bool:
        return read in tables and column in tables[read].column_names

    if unknown := [read for read in table.reads if read not in tables]:
        yield f"it reads tables that are not declared: {', '.join(unknown)}"
    if table.is_incremental and any(read in tables and not tables[read].per_delivery for read in table.reads):
        yield "an incremental table reads per_delivery tables only"
    if table.part is not None:
        known = {read for read in table.reads if not there(read, table.part)}
        looked_up = {rule.references[0] for rule in table.expectations if rule.references}
        if made_from := sorted(known - looked_up):
            yield f"{', '.join(made_from)} has no {table.part}, so a change there would leave parts as they were"
        if known == set(table.reads):
            yield f"it reads no table with the column {table.part}"
    judged = [read for read in table.reads if read in tables and tables[read].judged_by_delivery]
    if table.judged_by_delivery and any(tables[r].delivery_columns != table.delivery_columns for r in judged):
        keyed = {r: " and ".join(tables[r].delivery_columns) for r in judged}
        yield (
            f"a row is of a delivery by {' and '.join(table.delivery_columns)}, and in what it reads by "
            + ", ".join(f"{columns} ({read})" for read, columns in keyed.items())
        )
    for read, since in table.goes_on.narrowed.items() if table.goes_on else ():
        if read not in table.reads or not there(read, since):
            yield f"it goes on with the rows of {read} since some {since}, which it does not read"
    for takes in table.takes:
        if takes.items and not there(takes.read, takes.items[0]):
            yield f"it takes the items of {takes.read}.{takes.items[0]}, which does not exist"
    for column in table.columns:
        for source in column.sources:
            read, _, name = source.rpartition(".")
            if not there(read, name):
                yield f"column {column.name} comes from {source}, which does not exist"


def _sorted(tables: Mapping[str, Table]) -> list[str]:
    """All tables, topologically sorted: of those whose reads are all placed, the smallest rank comes next."""
    rank = {name: (_layer(table), place) for place, (name, table) in enumerate(tables.items())}
    missing = {name: {read for read in table.reads if read in tables} for name, table in tables.items()}
    readers: dict[str, list[str]] = {name: [] for name in tables}
    for name, reads in missing.items():
        for read in reads:
            readers[read].append(name)
    ready = [(rank[name], name) for name, reads in missing.items() if not reads]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _, name = heapq.heappop(ready)
        order.append(name)
        for reader in readers[name]:
            missing[reader].discard(name)
            if not missing[reader]:
                heapq.heappush(ready, (rank[reader], reader))
    if len(order) < len(tables):
        stuck = ", ".join(sorted(set(tables) - set(order)))
        raise ContractError(f"some of these tables read each other in a circle, so none can be built first: {stuck}")
    return order


def _layer(table: Table) -> int:
    return LAYERS.index(table.layer) if table.layer in LAYERS else len(LAYERS)
