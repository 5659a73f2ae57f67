"""Declares a table once: columns, grain, key, the tables it reads, its rules, and the function that builds it.

The Dagster asset, its checks and column lineage, the schema that is enforced at write time and the documentation are
all made from this declaration. ::

    @table(
        "gold.dim_genre", feed="catalogue", grain="one genre", key=("genre_key",), reads=("silver.title_genres",),
        columns=[Column("genre_key", "string", "The genre in lower case"), Column("genre", "string", "Its name")],
    )
    def dim_genre(title_genres):
        \"\"\"The genres that titles are listed in.\"\"\"
        return title_genres.selectExpr("lower(genre) AS genre_key", "genre").distinct()
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from netflix_dagster.contracts.delivery_rules import DeliveryRule, OnFail
from netflix_dagster.landing import keys

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

    from netflix_dagster.landing.sources import Source

Write = Literal["per_delivery", "whole", "incremental", "parts", "gate"]

LAYERS = ("bronze", "silver", "gold")
AT_HAND = 2 * 1024**3
"""Bytes of Arrow that the process which builds a table holds at the most at once: columns of a delivery that are
counted, the rows of it that are refused, a table of the book-keeping. More is refused (``lake.bounded``)."""
MOST_RULES = 60
"""The most rules of a table: the rules that a row breaks are bits of one number."""


class ContractError(Exception):
    """A table does not fit its contract: a fault of the code, not of the data."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``type`` is written as in Spark SQL; ``sources`` are the columns it is made from, unless it has the
    name of a column that the table reads.

    ``length`` is for readers that must know how wide a text is: the bytes of UTF-8 that it takes at most, an array as
    JSON. Delta has no such limit; a check tells when a text is longer.
    """

    name: str
    type: str
    description: str
    nullable: bool = True
    sources: tuple[str, ...] = ()
    length: int = 1000


@dataclass(frozen=True, slots=True)
class Expectation:
    """A rule for every row, as a SQL condition; a row for which it is null keeps the rule.

    ``warn``: rows that break it stay and are counted. ``drop``: they go to the quarantine. ``fail``: one such row
    blocks the delivery, and the table stays as it was. ``because`` names a column with the reason in words.
    ``references`` is the table, with its columns, that must have the row's ``foreign_key``.
    """

    name: str
    condition: str
    on_fail: OnFail
    description: str
    hint: str = "see the quarantine for the rows"
    because: str | None = None
    foreign_key: tuple[str, ...] = ()
    references: tuple[str, tuple[str, ...]] | None = None

    @property
    def blocking(self) -> bool:
        return self.on_fail == "fail"


def not_null(column: str, on_fail: OnFail = "drop", hint: str = "the row needs this value") -> Expectation:
    """The column has a value in every row."""
    return Expectation(f"{column}_not_null", f"{column} IS NOT NULL", on_fail, f"{column} must not be null", hint)


def in_set(column: str, values: Iterable[str], on_fail: OnFail = "warn", hint: str = "a new value?") -> Expectation:
    """The column is null or one of the values."""
    listed = ", ".join("'" + value.replace("'", "\\'") + "'" for value in values)
    return Expectation(f"{column}_known", f"{column} IN ({listed})", on_fail, f"{column} must be one of {listed}", hint)


def between(column: str, low: float, high: float, on_fail: OnFail = "warn", hint: str = "implausible") -> Expectation:
    """The column is null or within the bounds, both included."""
    condition = f"{column} BETWEEN {low} AND {high}"
    return Expectation(f"{column}_plausible", condition, on_fail, f"{column} must lie in {low}..{high}", hint)


def matches(column: str, pattern: str, on_fail: OnFail = "warn", hint: str = "another form?") -> Expectation:
    """The column is null or matches the regular expression."""
    escaped = pattern.replace("\\", "\\\\").replace("'", "\\'")
    described = f"{column} must match {pattern}"
    return Expectation(f"{column}_well_formed", f"{column} RLIKE '{escaped}'", on_fail, described, hint)


def references(
    columns: Sequence[str],
    table: str,
    their_columns: Sequence[str] = (),
    *,
    where: str = "true",
    on_fail: OnFail = "warn",
    hint: str = "the other table lacks the row that is meant",
) -> Expectation:
    """The columns are a key of ``table`` (of ``their_columns``, when they have other names there), or one of them is
    null. The rule applies to rows ``where`` the condition is true. The contract must also read the table."""
    name = f"{'_'.join(columns)}_in_{table.split('.')[1]}"
    described = f"{', '.join(columns)} must be found in {table}"
    theirs = tuple(their_columns or columns)
    absent = " OR ".join(f"{column} IS NULL" for column in columns)
    condition = f"NOT ({where}) OR {absent} OR `{FOUND}{name}`"
    return Expectation(name, condition, on_fail, described, hint, None, tuple(columns), (table, theirs))


FOUND = "_found_"
"""The prefix of the column that records whether a row's foreign key was found; the name of the rule follows."""


def holds(
    name: str,
    condition: str,
    description: str,
    on_fail: OnFail = "warn",
    hint: str = "",
    because: str | None = None,
) -> Expectation:
    """Any SQL condition on a row; the description says it in words."""
    return Expectation(name, condition, on_fail, description, hint or "see the quarantine for the rows", because)


@dataclass(frozen=True, slots=True)
class Takes:
    """How many rows a per_delivery table makes of a bronze table: one for each record.

    ``items``: a column, and a regular expression for an item of its list; then one row for each item. ``form``: the
    value of the column ``form`` in these rows, None when all rows come from this bronze table. ``halves``: the repair,
    among the row's ``repairs``, that joins a record with the next one into one row.
    """

    read: str
    items: tuple[str, str] | None = None
    form: str | None = None
    halves: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How the files of a table lie and how long old ones stay: what upkeep keeps, and no row depends on.

    ``cluster_by``: rows with near values of these columns lie in the same files, so that a query for some of them opens
    few; in the order of how often people ask for them. ``file_bytes``: how large files are made when they are joined.
    ``keep_hours``: how far back time travel reaches.
    """

    cluster_by: tuple[str, ...] = ()
    file_bytes: int = 128 * 1024**2
    keep_hours: int = 168

    @property
    def properties(self) -> dict[str, str]:
        """The same as properties of a Delta table, for other programs that look after it."""
        return {
            "delta.targetFileSize": str(self.file_bytes),
            "delta.deletedFileRetentionDuration": f"interval {self.keep_hours} hours",
        }


@dataclass(frozen=True)
class Contract:
    """What any table of the lake promises its readers: what one row is, its key, what its columns mean."""

    name: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        return self.name.split(".")[1]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def comment(self) -> str:
        """What the table means, as Delta and catalogs keep it."""
        return f"{self.description}\n\nGrain: {self.grain}. Key: {', '.join(self.key)}."

    @property
    def delivery_columns(self) -> tuple[str, ...]:
        """The columns with the delivery of a row: the day, and the hour where the feed delivers by the hour. A
        per_delivery table is partitioned by them."""
        return tuple(name for name in keys.COLUMNS if name in self.column_names)

    @property
    def delivery_key(self) -> str:
        """The key of the delivery of a row, as a SQL expression of type string."""
        day = "CAST(delivery_date AS STRING)"
        if len(self.delivery_columns) == 1:
            return day
        return f"concat({day}, 'T', lpad(CAST(delivery_hour AS STRING), 2, '0'))"


@dataclass(frozen=True, slots=True)
class GoesOn:
    """How a whole table, or a gate, goes on from what stands, so that building it costs what has changed.

    Its function then gets of the tables of deliveries only ``since``, the first delivery that is new or changed, and
    all later ones; any other table it gets whole. What that comes to is joined to what stands:

    - ``slices`` names a column with the date of the delivery: rows of ``since`` and later are replaced;
    - ``merge`` says what the table is, from what stands, what was built, ``since``, and what was read.

    ``narrowed`` names, of a table that the function else gets whole, the column with the date since which a row is
    what it is: the function gets the rows of ``since`` and later, ``merge`` all.

    Both must come to the rows that the function makes of all deliveries. A table that cannot go ``back`` is built anew
    unless only newer deliveries have come. One that can gets the last of the earlier deliveries besides, and those that
    ``sees`` names; it is told what the Delta log says of each earlier delivery of each table that is read: its
    ``rows``, and the ``greatest`` values of some columns. ``lookups`` are columns of tables that earlier rows hold
    copies of: when one of these rows has changed or gone, the table is built anew.
    """

    slices: str = ""
    merge: Callable[..., DataFrame] | None = None
    sees: Callable[[Mapping[str, Mapping[str, Mapping[str, Any]]]], Iterable[str]] | None = None
    greatest: tuple[str, ...] = ()
    back: bool = True
    lookups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    narrowed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table(Contract):
    """One table of the lake: its contract, its rules, and the function that builds it.

    ``write`` is how the table follows its deliveries:

    - ``per_delivery``: it holds every delivery, each in its own partition (``delivery_date``, and ``delivery_hour`` in
      feeds that deliver by the hour); rebuilding a delivery costs what that delivery costs.
    - ``whole``: a function of all deliveries. It is built anew each time, unless it says how it ``goes_on``.
    - ``incremental``: also a function of all deliveries, but deliveries newer than all others are added to the table.
      Its function gets the table as it is, then the tables that it reads, restricted to the new deliveries. From an
      empty table and all deliveries it must make the same rows.
    - ``parts``: a function of all deliveries, too, but part by part: the text column ``part`` says of which part a row
      is, in this table and in all that it is made from. Only parts that have changed there are built anew. A table
      without that column may be read for the foreign keys of rules alone.
    - ``gate``: whole, with a row for every delivery. A row that breaks a blocking rule stays, and its delivery is
      kept out of the tables downstream. Its function gets people's decisions about deliveries as its last argument.

    ``feed`` is the feed whose deliveries build it, None for a table that several feeds share. ``takes`` declares
    how many rows of a per_delivery table the records of bronze make; a build proves that none is lost or added.
    ``source`` is the source of a bronze table; every other table has none.

    ``variant`` is what the function was made with, where one function makes many tables and its code does not say it.

    ``divided_by``: a column by whose values the rows can be computed in several goes, where memory is bounded. Each go
    is the same function with a condition on this column, so the rows are the same; it should be one by which the
    function groups and joins, for then an engine reads and keeps only the rows of that go.

    ``gathers``: the most rows of one delivery that the function brings together in one task (``tables.gathering``);
    more are refused. Without it the engine may compute every row apart from the others.

    ``identify`` gives rows their identity. It gets the kept rows (and repeats of them, marked ``_copy``) after all row
    rules are evaluated, and fills columns that the contract declares and the function does not make. It may mark
    further copies in ``is_duplicate``. It never gets a refused row. Its second argument is a condition: of two rows
    with the same ``alike`` it selects both. Most rows are alone in these columns and need no comparison.
    """

    feed: str | None
    reads: tuple[str, ...]
    function: Callable[..., DataFrame]
    write: Write
    expectations: tuple[Expectation, ...] = ()
    provenance: tuple[str, ...] = ()
    order: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    delivery_rules: tuple[DeliveryRule, ...] = ()
    takes: tuple[Takes, ...] = ()
    source: Source | None = None
    identify: Callable[[DataFrame, Expression], DataFrame] | None = None
    alike: tuple[str, ...] = ()
    divided_by: str | None = None
    variant: str = ""
    part: str | None = None
    goes_on: GoesOn | None = None
    gathers: int | None = None
    layout: Layout = Layout()

    @property
    def per_delivery(self) -> bool:
        return self.write == "per_delivery"

    @property
    def partitioned_by(self) -> tuple[str, ...]:
        """The columns by whose values the rows lie in files of their own; none where a write replaces all of them."""
        return self.delivery_columns if self.per_delivery else (self.part,) if self.part else ()

    @property
    def is_incremental(self) -> bool:
        return self.write == "incremental"

    @property
    def judged_by_delivery(self) -> bool:
        """Whether the rules are evaluated for every delivery by itself, not for all of them together."""
        return self.write in ("per_delivery", "gate")

    @property
    def rules(self) -> tuple[Expectation, ...]:
        """Every row rule: the declared ones, and that columns which are not nullable have a value."""
        required = [column.name for column in self.columns if not column.nullable]
        if not required:
            return self.expectations
        condition = " AND ".join(f"{name} IS NOT NULL" for name in required)
        described = f"{', '.join(required)} must not be null"
        return (
            *self.expectations,
            Expectation("required_columns", condition, "fail", described, "a fault of the code"),
        )

    @cached_property
    def code_version(self) -> str:
        """Changes when the rows can change: with the functions and the contract, but not with words about them."""
        contract = (
            [(column.name, column.type, column.nullable) for column in self.columns],
            self.key,
            [(r.name, r.condition, r.on_fail, r.because, r.foreign_key, r.references) for r in self.expectations],
            [(r.name, r.kind, r.measure, r.limit, r.on_fail, r.compares) for r in self.delivery_rules],
            self.write,
            self.reads,
            *((self.variant,) if self.variant else ()),
            *((self.part,) if self.part else ()),
            *((self.order, self.provenance) if self.order or self.provenance else ()),  # which of two rows is kept
        )
        functions = _code(self.function) + (_code(self.identify) if self.identify else "")
        return hashlib.sha256((functions + repr(contract)).encode()).hexdigest()[:12]

    def column_sources(self, column: Column) -> list[tuple[str, str]]:
        """The (table, column) pairs from which a column is made."""
        if column.sources:
            return [(source.rsplit(".", 1)[0], source.rsplit(".", 1)[1]) for source in column.sources]
        return [(name, column.name) for name in self.reads if column.name in TABLES[name].column_names]


TABLES: dict[str, Table] = {}
"""Every table by its name, in the order in which they are declared."""


def table(
    name: str,
    *,
    feed: str | None,
    grain: str,
    key: Sequence[str],
    columns: Sequence[Column],
    reads: Sequence[str],
    write: Write = "whole",
    expectations: Sequence[Expectation] = (),
    provenance: Sequence[str] = (),
    order: str | None = None,
    tags: Mapping[str, str] | None = None,
    delivery_rules: Sequence[DeliveryRule] = (),
    takes: Sequence[Takes] = (),
    identify: Callable[[DataFrame, Expression], DataFrame] | None = None,
    alike: Sequence[str] = (),
    divided_by: str | None = None,
    part: str | None = None,
    goes_on: GoesOn | None = None,
    gathers: int | None = None,
    cluster_by: Sequence[str] = (),
) -> Callable[[Callable[..., DataFrame]], Callable[..., DataFrame]]:
    """Declare a table. The decorated function gets the tables that it ``reads``, in that order, as DataFrames.

    ``expectations`` are rules for rows, ``delivery_rules`` for all rows of a delivery together. ``provenance`` names
    columns that tell where a row came from and do not make two rows different. Of several rows with one key in a
    per_delivery table the first by ``order``, a SQL ``ORDER BY``, is kept.
    """

    def declare(function: Callable[..., DataFrame]) -> Callable[..., DataFrame]:
        add_table(
            Table(
                name=name,
                feed=feed,
                description=inspect.cleandoc(function.__doc__ or ""),
                grain=grain,
                key=tuple(key),
                columns=tuple(columns),
                reads=tuple(reads),
                function=function,
                write=write,
                expectations=tuple(expectations),
                provenance=tuple(provenance),
                order=order,
                tags=tags or {},
                delivery_rules=tuple(delivery_rules),
                takes=tuple(takes),
                identify=identify,
                alike=tuple(alike),
                divided_by=divided_by,
                part=part,
                goes_on=goes_on,
                gathers=gathers,
                layout=Layout(tuple(cluster_by)),
            )
        )
        return function

    return declare


def add_table(declared: Table) -> Table:
    """Check a contract and put the table into ``TABLES``.

    ``graph.check`` checks what it says about other tables, when all tables are declared.
    """
    faults = ["declared twice"] if declared.name in TABLES else []
    TABLES[declared.name] = checked(declared, *faults)
    return declared


def checked(declared: Table, *faults: str) -> Table:
    """The table itself. Raises ``ContractError`` when its contract cannot be kept, or has these faults as well."""
    if found := [*faults, *_faults(declared)]:
        raise ContractError(f"{declared.name}: " + "; ".join(found))
    return declared


def _faults(declared: Table) -> Iterable[str]:
    names = declared.column_names
    if declared.layer not in LAYERS:
        yield f"the layer is one of {', '.join(LAYERS)}"
    if not declared.description:
        yield "the function needs a docstring that says what the table means"
    if len(set(names)) != len(names):
        yield "a column is declared twice"
    if missing := [column for column in declared.key if column not in names]:
        yield f"the key names columns that are not there: {', '.join(missing)}"
    if declared.judged_by_delivery and "delivery_date" not in names:
        yield f"a {declared.write} table has a column delivery_date"
    if missing := [column for column in declared.layout.cluster_by if column not in names]:
        yield f"the layout names columns that are not there: {', '.join(missing)}"
    if declared.layout.cluster_by and declared.per_delivery:
        yield "a per_delivery table is divided by its deliveries, and its files change only with these"
    rules = [*(rule.name for rule in declared.rules), *(rule.name for rule in declared.delivery_rules)]
    if twice := sorted({name for name in rules if rules.count(name) > 1}):
        yield f"two rules are called {', '.join(twice)}"
    if len(rules) > MOST_RULES:
        yield f"it has {len(rules)} rules; {MOST_RULES} are possible"
    for rule in declared.expectations:
        if rule.references and rule.references[0] not in declared.reads:
            yield f"the rule {rule.name} refers to {rule.references[0]}, which the table does not read"
    for takes in declared.takes:
        if not declared.per_delivery or not {"source_file", "record_number"} <= set(names):
            yield f"what it takes from {takes.read} is counted by source_file and record_number, delivery by delivery"
        if takes.read not in declared.reads:
            yield f"it takes from {takes.read}, which it does not read"
        if (takes.form and "form" not in names) or (takes.halves and "repairs" not in names):
            yield "rows need a column form for where they are from, and a column repairs for those that were joined"
    if (declared.write == "parts") != (declared.part is not None):
        yield "a table by parts, and no other, says which column is the part of a row"
    if declared.part and (declared.part, "string") not in [(column.name, column.type) for column in declared.columns]:
        yield f"its part {declared.part} is not one of its columns of type string"
    on = declared.goes_on
    if on and (declared.write not in ("whole", "gate") or bool(on.slices) == bool(on.merge)):
        yield "a table that goes on is whole or a gate, and replaces slices or merges"
    if declared.identify and not declared.per_delivery:
        yield "only a per_delivery table identifies rows: among those of a delivery"
    if declared.divided_by and (declared.per_delivery or declared.divided_by not in declared.column_names):
        yield "a table that is not built by delivery, and no other, is divided by one of its columns"
    if bool(declared.identify) != bool(declared.alike):
        yield "a table that identifies rows, and no other, says in which columns they are alike"


def _code(function: Callable[..., Any]) -> str:
    """The source of a function without its decorators and docstring."""
    try:
        lines, before = inspect.findsource(inspect.unwrap(function))
        rows = _rows_of_code("".join(lines)).get(before + 1)
        if rows is None:  # a lambda, say
            return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError, SyntaxError):
        return getattr(function, "__qualname__", repr(function))
    return textwrap.dedent("".join(lines[row - 1] for row in rows)).rstrip("\n")


@cache
def _rows_of_code(module: str) -> Mapping[int, Sequence[int]]:
    """By the first line of each function of a module: its lines without decorators and docstring."""
    found, statements = {}, list(ast.parse(module).body)
    while statements:
        node = statements.pop()
        statements += getattr(node, "body", ())
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            words = node.body[0] if ast.get_docstring(node) is not None else None
            docstring = range(words.lineno, (words.end_lineno or 0) + 1) if words else ()
            rows = range(node.lineno, (node.end_lineno or 0) + 1)
            found[first] = [row for row in rows if row not in docstring]
    return found
