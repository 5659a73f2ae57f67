"""The data dictionary says everything that the contracts say, and the committed one says it as they do now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import LAYERS, TABLES
from netflix_dagster.contracts.expectations import all_rules
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import dictionary

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "data-dictionary.md"


@pytest.fixture(scope="module")
def text() -> str:
    return dictionary.render(load_sources())


def section(text: str, table: str) -> str:
    """What the dictionary says of one table."""
    (found,) = re.findall(rf"^### {re.escape(table)}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return found


def test_the_committed_dictionary_is_that_of_the_contracts(text: str) -> None:
    if not COMMITTED.exists() or COMMITTED.read_text(encoding="utf-8") != text:
        place = COMMITTED.relative_to(ROOT)
        pytest.fail(f"{place} is stale: the contracts have changed since it was made; run make docs", pytrace=False)


def test_it_is_the_same_whenever_it_is_made(text: str) -> None:
    assert dictionary.render(load_sources()) == text and text.endswith("\n") and "\r" not in text


@pytest.mark.parametrize("name", TABLES)
def test_everything_about_a_table_is_said(text: str, name: str) -> None:
    table, said = TABLES[name], section(text, name)
    assert table.description in said and f"**One row is** {table.grain}" in said
    assert f"**Key**: {', '.join(f'`{column}`' for column in table.key)}" in said
    assert all(f"[{read}](#" in said for read in table.reads)
    rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| `")]
    columns = [row for row in rows if len(row) == 5]
    assert [row[0].strip("| `") for row in columns] == table.column_names
    assert [row[1].strip("`") for row in columns] == [column.type for column in table.columns]
    assert [row[2] for row in columns] == ["yes" if column.nullable else "no" for column in table.columns]
    rules = {row[0].strip("| `"): row[2] for row in rows if len(row) == 4}
    declared = {r.name: r.on_fail for r in all_rules(table)} | {r.name: r.on_fail for r in table.delivery_rules}
    assert {name: said.split(":")[0] for name, said in rules.items()} == declared


@pytest.mark.parametrize("name", METRICS)
def test_everything_about_a_metric_is_said(text: str, name: str) -> None:
    metric = METRICS[name]
    (row,) = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(f"| `{name}` | "))
    assert row[1] == metric.meaning and row[2] == metric.unit and row[4] == ", ".join(metric.dimensions)
    assert metric.where is None or metric.where in row[3]


@pytest.mark.parametrize("name", BOOKKEEPING)
def test_everything_about_a_book_keeping_table_is_said(text: str, name: str) -> None:
    book, said = BOOKKEEPING[name], section(text, name)
    assert book.description in said and f"**One row is** {book.grain}" in said
    assert f"**Key**: {', '.join(f'`{column}`' for column in book.key)}" in said
    assert f"| [{name}](#" in text, "the table of contents leads to it"
    rows = [line.strip("| ").split(" | ") for line in said.splitlines() if line.startswith("| `")]
    promised = [(f"`{c.name}`", f"`{c.type}`", "yes" if c.nullable else "no", c.description) for c in book.columns]
    assert [tuple(row) for row in rows] == promised


def test_a_column_names_the_columns_that_it_is_made_from(text: str) -> None:
    made = {name: section(text, name) for name in ("silver.titles", "gold.dim_genre")}
    (flag,) = (line for line in made["silver.titles"].splitlines() if line.startswith("| `type_flag` "))
    assert flag.endswith("| bronze.netflix_catalogue: type; bronze.netflix_titles: type |")
    assert "silver.title_genres: genre_key" in made["gold.dim_genre"]


def test_a_bar_in_a_meaning_does_not_break_the_grid(text: str) -> None:
    (key,) = (line for line in section(text, "silver.titles").splitlines() if line.startswith("| `natural_key` "))
    assert r"type\|title\|year" in key and len(re.split(r"(?<!\\)\|", key)) == 7


def test_layers_feeds_and_sources_are_named(text: str) -> None:
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[-len(LAYERS) - 1 :] == ["Gold", "Silver", "Bronze", "Quality"], "what analysts need stands first"
    sources = load_sources()
    for feed in sources.feeds.values():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| `{feed.name}` "))
        assert f"{feed.expected_every_days} days" in line
        assert all(f"`{source.name}`" in line for source in sources.of_feed(feed.name))


def test_every_link_leads_somewhere(text: str) -> None:
    anchors = {re.sub(r"[^a-z0-9_ -]", "", h.lower()) for h in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > len(TABLES)
    for link in links:
        found = link[1:] in anchors if link.startswith("#") else (COMMITTED.parent / link).is_file()
        assert found, f"{link} leads nowhere"
