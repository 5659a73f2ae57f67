"""What the tables are. Importing this package declares every table, bronze to gold, over the packaged sources.

Nothing here asks the environment. Sources of one's own are declared by the edge of a process, with ``declare``.
"""

# isort: off
from netflix_dagster.contracts import graph
from netflix_dagster.contracts.contract import TABLES, Table, add_table
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster.tables import bronze

for _source in load_sources().sources.values():
    add_table(bronze.bronze_table(_source))

from netflix_dagster.tables import silver  # noqa: E402
from netflix_dagster.tables import gold  # noqa: E402
from netflix_dagster.tables import metrics  # noqa: E402

graph.check()

__all__ = ["bronze", "declare", "gold", "metrics", "silver"]


def declare(sources: Sources) -> None:
    """Have exactly the bronze tables of these sources, besides those of packaged sources that other tables read.

    A source of one's own replaces the packaged one of its name. Raises ``ContractError``, and leaves all tables as
    they are, when a table reads a column that its source no longer has. Called once, at the edge of a process.
    """
    read = {name for table in TABLES.values() for name in table.reads}
    packaged = {name: source for name, source in load_sources().sources.items() if source.bronze in read}
    wanted = {source.bronze: source for source in {**packaged, **sources.sources}.values()}
    delivered = {name: _as_it_is(name, source) for name, source in wanted.items()}
    others = {name: table for name, table in TABLES.items() if table.source is None}
    graph.check(now := {**delivered, **others})
    TABLES.clear()  # filled anew in the order of the sources, whatever was declared before
    TABLES.update(now)


def _as_it_is(name: str, source: Source) -> Table:
    """The bronze table of a source: the one that is declared, if nothing has changed."""
    known = TABLES.get(name)
    return known if known is not None and known.source == source else bronze.bronze_table(source)
