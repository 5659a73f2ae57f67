"""What stands in a terminal: nothing broken by its width, columns aligned, nothing left of what was under way."""

from __future__ import annotations

import re

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import life, quarantine
from netflix_dagster_tests.cli.shell import NOISE, Shell

HEADER = "show_id,type,title,director,cast,country,date_added,release_year,rating,duration,listed_in,description"


def test_a_run_fits_the_terminal(lake: Shell) -> None:
    columns = 80
    lake.land("netflix_catalogue", "2026-05-01", f"{HEADER}\ns1,Movie,Cut\n", "rude\x1b]0;title\x07.csv")
    shown = lake.terminal(columns, "run")
    paths = (str(lake.landing), str(lake.lake))
    assert [line for line in shown if len(line) > columns and not any(path in line for path in paths)] == []
    assert not any(word in line for word in NOISE for line in shown)
    assert not any(re.search(r"of \d+ tables|what has landed|\x1b", line) for line in shown), "the spinner is gone"
    assert any("rude\\x1b]0;title\\x07.csv" in line for line in shown), "a file's name must not steer the terminal"
    (built,) = (line for line in shown if line.startswith("  bronze.netflix_catalogue "))
    assert built.endswith("1 held back, 1 quarantined")

    head = next(place for place, line in enumerate(shown) if line.split() == ["table", "rows", "version"])
    table = [line for line in shown[head : shown.index("", head)] if "." in line]
    told = [name for name in lake.versions() if name in (*TABLES, quarantine.NAME, life.NAME)]
    assert sorted(line.split()[0] for line in table) == sorted(told) and {len(line.rstrip()) for line in table} == {
        len(shown[head])
    }
    held = shown.index(next(line for line in shown if line.startswith("refused     netflix_catalogue 2026-05-01")))
    assert shown[held + 1].startswith(" " * 12), "what is too long goes on below its beginning"
    assert "land it again" in " ".join(line.strip() for line in shown[held : held + 4])


def test_a_wide_answer_is_shown_row_by_row(built: Shell) -> None:
    shown = built.terminal(80, "query", "SELECT * FROM gold.dim_title WHERE is_current ORDER BY title_sk LIMIT 2")
    assert [line for line in shown if len(line) > 80] == []
    assert [line for line in shown if line.startswith("row ")] == ["row 1", "row 2"] and shown[-2] == "2 rows"
    titles = [line.split() for line in shown if line.startswith("title_key")]
    assert len(titles) == 2 and all(len(words) >= 2 for words in titles)

    narrow = built.terminal(80, "query", "SELECT rating, count(*) AS titles FROM gold.dim_title GROUP BY 1")
    assert narrow[0].split() == ["rating", "titles"]
    wrong = built.terminal(80, "query", "SELECT * FROM gold.nope")
    assert [line for line in wrong if len(line) > 80] == [] and any("kpi_catalogue" in line for line in wrong)
