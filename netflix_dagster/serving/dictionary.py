"""The data dictionary: every contract as Markdown, for readers who have never seen how the tables are built.

``docs/data-dictionary.md`` is this text, committed; a test says when it is stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import netflix_dagster
import netflix_dagster.tables
from netflix_dagster.contracts import bookkeeping
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import LAYERS, TABLES, Column, Contract, Table
from netflix_dagster.contracts.expectations import all_rules
from netflix_dagster.contracts.metrics import FACTS, METRICS, Metric, in_words
from netflix_dagster.landing.sources import Sources

OPENING = """\
# Data dictionary

Every table of the lakehouse: what one row is, what its columns mean, and what is promised of it. This file is made
from the contracts in `netflix_dagster/tables/` and `netflix_dagster/contracts/bookkeeping.py`; change those and run
`make docs`.

## How to read it

- **Start with gold.** Gold tables answer questions; silver tables hold what was delivered, typed and cleaned; bronze
  tables hold it as it came, every column as text, to find out what exactly a file said. Quality tables are the
  platform's own books: what became of each delivery, which rows were refused and why.
- **One row is** says the grain. Count rows only after reading it.
- **Key** columns together name one row; no two rows share them.
- A **delivery** is what arrived from one source on one date; `delivery_date` is that date. A **feed** is a family of
  sources that describe the same thing.
- In the tables of columns, **null** says whether a value may be missing, and **made from** the columns that a value
  comes from; nothing there means that it is computed from the row's other columns.
- **What is checked** lists the rules that rows are judged by, before anything is written. What happens to a row that
  breaks one depends on the rule:

| the rule says | what happens to broken rows |
| --- | --- |
| warn | They stay in the table and are counted; the check of the table shows how many. |
| drop | They are left out of the table and go to `quality.quarantine`, with all the reasons and how to mend them. |
| fail | One broken row holds the whole delivery back; the table stays as it was before. |

Ask a table with `netflix-dagster query "SELECT * FROM gold.dim_title LIMIT 5"`, or open the Delta table
`<lake>/<layer>/<name>` with any reader.
"""

ABOUT = {
    "gold": "The star schema: dimensions (`dim_`), bridges for what titles have several of (`bridge_`), facts (`fact_`)"
    " and figures (`kpi_`).",
    "silver": "What was delivered, typed, cleaned and judged, every delivery beside the others.",
    "bronze": "What was delivered, as it was delivered: every column is text, nothing is corrected.",
    "quality": "The book-keeping of the platform: what became of the deliveries. No function builds these tables;"
    " they are written as deliveries come in. Every lake has them, empty at first.",
}
GOES_ON = "it goes on from the first delivery that changed; it comes to the same rows as building it anew"
WRITTEN = {
    "per_delivery": "it holds every delivery, and building one again replaces only that one",
    "whole": "it is built anew from all deliveries",
    "incremental": "newer deliveries are added to what stands; it comes to the same rows as building it anew",
    "parts": "the parts that have changed are built anew; it comes to the same rows as building all of them",
    "gate": "it has a row for every delivery; one that breaks a `fail` rule stays and holds its delivery back",
}
METRICS_ARE = """\
Each figure is said once, in `netflix_dagster/tables/metrics.py`: gold's `kpi_` tables, the views `metrics.<name>` of
the [warehouse](warehouse.md) and Python read it from there. A figure that cannot be known is absent, never 0: when
there is nothing to speak of, or a single row does not state what it is made of. How one is added is in
[metrics.md](metrics.md)."""
OVER_TIME = {"any": "computed from all their rows", "last": "the newest speaks"}
HAPPENS = {"warn": "stays, and is counted", "drop": "goes to the quarantine", "fail": "holds the delivery back"}


def render(sources: Sources) -> str:
    """The whole dictionary as Markdown. The same contracts give the same text."""
    parts = [OPENING, _feeds(sources), _contents(), _metrics()]
    for layer in reversed(LAYERS):
        parts.append(f"## {layer.capitalize()}\n\n{ABOUT[layer]}\n")
        parts += [_table(table, sources) for table in _of(layer)]
    parts.append(f"## Quality\n\n{ABOUT['quality']}\n")
    parts += [_book(book) for book in BOOKKEEPING.values()]
    return "\n".join(parts)


def _feeds(sources: Sources) -> str:
    rows = [
        (
            f"`{feed.name}`",
            feed.description,
            ", ".join(f"`{source.name}`" for source in sources.of_feed(feed.name)),
            f"{feed.expected_every_days} days",
            ", ".join(owner.removeprefix("team:") for owner in feed.owners),
        )
        for feed in sources.feeds.values()
    ]
    head = ("feed", "what it describes", "sources", "stale after", "kept by")
    return "## Feeds\n\n" + _grid(head, rows)


def _contents() -> str:
    listed = [*(table for layer in reversed(LAYERS) for table in _of(layer)), *BOOKKEEPING.values()]
    rows = [(_link(table.name), table.grain) for table in listed]
    return "## Tables\n\n" + _grid(("table", "one row is"), rows)


def _metrics() -> str:
    """Every metric, fact by fact: what it means, what it is made of, what it may be cut by."""
    parts = [f"## Metrics\n\n{METRICS_ARE}\n"]
    for fact in FACTS.values():
        rows = [
            (f"`{m.name}`", m.meaning, m.unit, _made(m), ", ".join(m.dimensions), OVER_TIME[m.over_time])
            for m in METRICS.values()
            if m.fact == fact.table
        ]
        head = ("metric", "what it means", "unit", "how it is computed", "cut by", "of several periods")
        owners = sorted({m.owner.removeprefix("team:") for m in METRICS.values() if m.fact == fact.table})
        gained = "".join(f"- `{column.name}`: {column.meaning}\n" for column in fact.derived)
        gained = f"Its rows also have\n\n{gained}\n" if gained else ""
        parts.append(f"### Of {_link(fact.table)}, kept by {', '.join(owners)}\n\n{gained}{_grid(head, rows)}")
    return "\n".join(parts)


def _made(metric: Metric) -> str:
    """The expression of a metric, in words and columns."""
    said = in_words(metric.expression)
    return f"{said}, where `{metric.where}`" if metric.where else said


def _of(layer: str) -> Iterator[Table]:
    return (table for table in TABLES.values() if table.layer == layer)


def _table(table: Table, sources: Sources) -> str:
    """One table: what it means, its facts, its columns, its rules."""
    feed = f"`{table.feed}`" if table.feed else "none alone: it serves all that it reads from"
    facts = [
        *_one_row(table),
        f"- **Feed**: {feed}",
        f"- **Reads**: {', '.join(_link(read) for read in table.reads) or _delivered(table, sources)}",
        f"- **How it is kept**: {GOES_ON if table.goes_on and table.write == 'whole' else WRITTEN[table.write]}",
        f"- **Code**: {_code(table.function.__module__)}",
    ]
    parts = [f"### {table.name}\n", table.description + "\n", "\n".join(facts) + "\n", _columns(table), _rules(table)]
    return "\n".join(parts)


def _book(book: Contract) -> str:
    """One book-keeping table: what it means, its facts, its columns."""
    facts = [*_one_row(book), f"- **Code**: {_code(bookkeeping.__name__)}"]
    rows = [_column(column) for column in book.columns]
    columns = _grid(("column", "type", "null", "meaning"), rows)
    return "\n".join([f"### {book.name}\n", book.description + "\n", "\n".join(facts) + "\n", columns])


def _one_row(contract: Contract) -> tuple[str, str]:
    key = ", ".join(f"`{column}`" for column in contract.key)
    return f"- **One row is** {contract.grain}", f"- **Key**: {key}"


def _delivered(table: Table, sources: Sources) -> str:
    source = sources.sources.get(table.short_name)
    return f"the files `{source.files}` of the source `{source.name}`" if source else "nothing"


def _columns(table: Table) -> str:
    rows = [(*_column(column), _made_from(table, column)) for column in table.columns]
    return _grid(("column", "type", "null", "meaning", "made from"), rows)


def _column(column: Column) -> tuple[str, str, str, str]:
    return f"`{column.name}`", f"`{column.type}`", "yes" if column.nullable else "no", column.description


def _made_from(table: Table, column: Column) -> str:
    """The columns that a column comes from, those of one table together."""
    by_table: dict[str, list[str]] = {}
    for name, source in table.column_sources(column):
        by_table.setdefault(name, []).append(source)
    return "; ".join(f"{name}: {', '.join(columns)}" for name, columns in by_table.items())


def _rules(table: Table) -> str:
    rows = [
        (f"`{rule.name}`", rule.description, f"{rule.on_fail}: {HAPPENS[rule.on_fail]}", rule.hint)
        for rule in all_rules(table)
    ]
    rows += [
        (f"`{rule.name}`", rule.description, f"{rule.on_fail}: of the whole delivery", rule.hint)
        for rule in table.delivery_rules
    ]
    return "What is checked:\n\n" + _grid(("rule", "what must be so", "a row that breaks it", "what to do"), rows)


def _code(declared_in: str) -> str:
    """A link to the module that declares a table, from the folder ``docs``."""
    package = Path(netflix_dagster.__file__).parent
    module = declared_in.split(".")[1:]
    path = package.joinpath(*module)
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    place = file.relative_to(package.parent).as_posix()
    return f"[{'/'.join(module)}](../{place})"


def _link(name: str) -> str:
    """A link to the section of a table, named as Markdown renderers name the anchor of its heading."""
    return f"[{name}](#{re.sub(r'[^a-z0-9_-]', '', name.lower())})"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
