"""The tables. Importing this package declares every table, bronze to gold, over the packaged sources.

It does not read the environment. The edge of a process declares the user's own sources, with ``declare``.
"""

# isort: off
from netflix_dagster.contracts import graph
from netflix_dagster.contracts.contract import TABLES, ContractError, Table, add_table, checked
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster.tables import bronze, generic

for _source in load_sources().sources.values():
    add_table(bronze.bronze_table(_source))

from netflix_dagster.tables import silver  # noqa: E402
from netflix_dagster.tables import gold  # noqa: E402
from netflix_dagster.tables import metrics  # noqa: E402

graph.check()

__all__ = ["bronze", "declare", "gold", "metrics", "silver"]


def declare(sources: Sources) -> None:
    """Declare the bronze tables of these sources and of packaged sources that other tables read, and the silver tables
    that the sources describe themselves; remove all others.

    A source of the user replaces the packaged one of the same name. Raises ``ContractError``, and leaves all tables as
    they are, when a table reads a column that its source no longer has. The edge of a process calls this once.
    """
    coded = {name: table for name, table in TABLES.items() if table.source is None and table.tags != generic.FROM_DATA}
    read = {name for table in coded.values() for name in table.reads}
    packaged = {name: source for name, source in load_sources().sources.items() if source.bronze in read}
    wanted = {source.bronze: source for source in {**packaged, **sources.sources}.values()}
    delivered = {name: _as_it_is(name, source) for name, source in wanted.items()}
    plain = [made for source in sources.sources.values() if source.silver for made in generic.silver_tables(source)]
    if twice := [table.name for table in plain if table.name in coded]:
        raise ContractError(f"{', '.join(twice)}: code declares this table; take `silver` out of its source")
    graph.check(now := {**delivered, **coded, **{table.name: table for table in map(checked, plain)}})
    TABLES.clear()  # filled anew in the order of the sources, whatever was declared before
    TABLES.update(now)


def _as_it_is(name: str, source: Source) -> Table:
    """The bronze table of a source: the declared one, if the source is unchanged."""
    known = TABLES.get(name)
    return known if known is not None and known.source == source else bronze.bronze_table(source)
