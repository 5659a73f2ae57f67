"""``netflix-dagster sql``: statements from a file, and a shell that completes and remembers."""

from __future__ import annotations

from pathlib import Path

from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from netflix_dagster.cli import sql_shell
from netflix_dagster.lake import query
from netflix_dagster.serving.warehouse import define_views
from netflix_dagster_tests.cli.shell import Shell


def test_a_file_of_statements_is_answered_one_by_one(built: Shell) -> None:
    said = "SELECT count(*) AS weeks\nFROM dim_week;\n\\d dim_week\nSELECT ';' AS x; FROM metrics.retention LIMIT 1"
    found = built.here("sql", "--format", "csv", stdin=said)
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "weeks" and int(lines[1]) > 5 and "week_key,INTEGER" in found.out
    assert "x\n;\n" in found.out and lines[-2] == "week,dimension,member,value"


def test_what_has_no_answer_is_told_and_the_rest_is_answered(built: Shell) -> None:
    said = "SELECT nope;\n\\x\nDROP TABLE dim_week; SELECT 7 AS seven"
    found = built.here("sql", "--format", "csv", stdin=said)
    assert found.code == 2 and found.out == "seven\n7\n"
    assert all(word in found.err for word in ("nope", "\\x is no command", "write a SELECT"))


def test_a_person_types_leaves_and_finds_it_again(built: Shell, tmp_path: Path) -> None:
    connection = query.connect(built.lake, prepare=define_views)
    folder = tmp_path / "history"
    for typed in ("SELECT 1\r AS one;\r\\q\r", "\x1b[A\x1b[A\r\x04"):  # the second: up twice, Enter; then Ctrl-D
        with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
            keys.send_text(typed)
            said = list(sql_shell._typed(connection, folder))
        assert [" ".join(each.split()) for each in said] in (["SELECT 1 AS one;"], ["SELECT 1 AS one"])


def test_tables_columns_and_metrics_are_completed(built: Shell) -> None:
    completer = sql_shell.completer(query.connect(built.lake, prepare=define_views))

    def completed(text: str) -> set[str]:
        return {found.text for found in completer.get_completions(Document(text), CompleteEvent())}

    assert {"gold.dim_title", "gold.dim_week"} <= completed("SELECT * FROM gold.d")
    assert "metrics.retention" in completed("select * from METRICS.ret") and "weekly_rank" in completed(
        "select weekly_r"
    )
