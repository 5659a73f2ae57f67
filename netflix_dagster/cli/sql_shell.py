"""``netflix-dagster sql``: a shell over the tables of the lake and the metrics, with completion and history.

Where there is no terminal the statements are read from stdin, so that a file of SQL can be piped in.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster.cli.output import item, print_answer
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    import duckdb

HELP = r"""A SELECT ends with ; and may have several lines. Tab completes, Ctrl-R searches what was asked before.
\d           the tables, \d NAME the columns of one
\m           the metrics and what they mean; SELECT * FROM metrics.hours
\q           leave"""
KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY ALL", "ORDER BY", "LIMIT", "JOIN", "LEFT JOIN", "USING", "HAVING", "WITH"),
    *("AND", "OR", "NOT", "IN", "IS NULL", "IS NOT NULL", "BETWEEN", "LIKE", "DISTINCT", "CASE WHEN", "AS", "DESC"),
    *("count(*)", "sum(", "avg(", "min(", "max(", "median("),
)
_TABLES = (
    "SELECT schema_name || '.' || view_name AS name FROM duckdb_views()"
    " WHERE schema_name IN ('gold', 'silver', 'bronze', 'quality') ORDER BY 1"
)


def shell(settings: Settings, as_of: datetime | None, output: str, console: Console) -> int:
    """Answer statements until there are no more. Returns how many of them went wrong, in a terminal 0."""
    from netflix_dagster.lake import query
    from netflix_dagster.serving.warehouse import define_views

    connection = query.connect(settings.lake, as_of, define_views)
    if not sys.stdin.isatty():
        said = sys.stdin.read()
        return sum(not _answer(connection, settings, as_of, each, output, console) for each in statements(said))
    console.print(f"{settings.lake}   \\? for help", markup=False)
    for each in _typed(connection, settings.serving):
        _answer(connection, settings, as_of, each, output, console)
    return 0


def statements(text: str) -> Iterator[str]:
    """The statements and commands of a text: a command is a line that begins with a backslash."""
    import duckdb

    sql: list[str] = []
    for line in [*text.splitlines(), "\\"]:
        if not line.startswith("\\"):
            sql.append(line)
            continue
        try:
            yield from (found.query for found in duckdb.extract_statements("\n".join(sql)))
        except duckdb.Error:
            yield "\n".join(sql)  # what is wrong with it is said when it is asked
        sql = []
        if line.strip() != "\\":
            yield line.strip()


def _typed(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[str]:
    """What a person types, statement by statement, until they leave."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import ThreadedCompleter
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    folder.mkdir(parents=True, exist_ok=True)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(folder / ".sql_history")),
        completer=ThreadedCompleter(completer(connection)),
        lexer=PygmentsLexer(SqlLexer),
        multiline=Condition(lambda: not _is_whole(session.default_buffer.text)),
    )
    while True:
        try:
            said = session.prompt("netflix> ", prompt_continuation="     ... ")
        except KeyboardInterrupt:
            continue  # forget what was typed so far
        except EOFError:
            return
        if said.strip() in (r"\q", "exit", "quit"):
            return
        yield from statements(said)


def _is_whole(text: str) -> bool:
    """Whether Enter ends what is typed: a command, a statement with its semicolon, or nothing."""
    said = text.strip()
    return not said or said.startswith("\\") or said.endswith(";") or said in ("exit", "quit")


def completer(connection: duckdb.DuckDBPyConnection) -> Any:
    """Completes tables after their layer, columns, metrics and keywords."""
    from prompt_toolkit.completion import WordCompleter

    return WordCompleter(words(connection), ignore_case=True, pattern=re.compile(r"[A-Za-z0-9_.\\(]+"))


def words(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Everything that can be completed: tables with their layer and without, metrics, columns, keywords."""
    views = connection.execute(
        "SELECT DISTINCT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    columns = connection.execute("SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    tables = [name for (name,) in views]
    found = {*tables, *(name.partition(".")[2] for name in tables), *(name for (name,) in columns)}
    return [*sorted(found), *KEYWORDS]


def _answer(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    as_of: datetime | None,
    said: str,
    output: str,
    console: Console,
) -> bool:
    """Answer one statement or command; False, and why on stderr, when it cannot be."""
    from netflix_dagster.lake import query

    known: Callable[[], str] = lambda: query.known(settings.lake, as_of)  # noqa: E731
    try:
        if said.startswith("\\"):
            return _command(connection, said, output, console, known)
        if said.strip().rstrip(";"):
            print_answer(query.ask(connection, said, known), output)
    except query.QueryError as error:
        item(console, "no answer", str(error), style="red")
        return False
    except KeyboardInterrupt:
        connection.interrupt()
        console.print("stopped")
    return True


def _command(
    connection: duckdb.DuckDBPyConnection, said: str, output: str, console: Console, known: Callable[[], str]
) -> bool:
    from netflix_dagster.contracts.metrics import METRICS
    from netflix_dagster.lake import query

    command, _, of = said.partition(" ")
    if command == r"\?":
        console.print(HELP, markup=False)
    elif command == r"\m":
        for metric in METRICS.values():
            item(console, f"{metric.name:<23}", f"{metric.meaning} ({metric.unit}); by {', '.join(metric.dimensions)}")
    elif command == r"\d":
        described = f"DESCRIBE {of}" if of else _TABLES
        print_answer(query.ask(connection, f"FROM ({described})", known), output)
    else:
        item(console, "no answer", f"{command} is no command; \\? says which there are", style="red")
        return False
    return True
