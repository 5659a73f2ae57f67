"""A contract that cannot be kept is refused when it is declared; what it says is read from one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import (
    TABLES,
    Column,
    ContractError,
    Expectation,
    GoesOn,
    between,
    in_set,
    not_null,
    table,
)
from netflix_dagster.contracts.graph import check, downstream_of


@pytest.fixture(autouse=True)
def _leave_the_registry_as_it_was() -> Iterator[None]:
    before = dict(TABLES)
    yield
    TABLES.clear()
    TABLES.update(before)


def declare(name: str = "gold.trial", **said: object) -> None:
    contract: dict[str, object] = {
        "feed": "catalogue",
        "grain": "one title",
        "key": ("title",),
        "reads": ("silver.titles",),
        "columns": [Column("title", "string", "The title")],
        **said,
    }

    @table(name, **contract)  # type: ignore[arg-type]
    def trial(titles):  # type: ignore[no-untyped-def]
        """A trial."""
        return titles


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"name": "silver.titles"}, "declared twice"),
        ({"name": "platinum.trial"}, "the layer is one of"),
        ({"key": ("nothing",)}, "the key names columns that are not there: nothing"),
        ({"reads": ("silver.nothing",)}, "not declared: silver.nothing"),
        ({"columns": [Column("title", "string", "")] * 2}, "declared twice"),
        ({"write": "per_delivery"}, "has a column delivery_date"),
        (
            {"goes_on": GoesOn(slices="title", narrowed={"silver.titles": "nothing"})},
            "it goes on with the rows of silver.titles since some nothing, which it does not read",
        ),
        ({"columns": [Column("title", "string", "", sources=("silver.titles.nothing",))]}, "does not exist"),
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused(said: dict[str, object], reason: str) -> None:
    with pytest.raises(ContractError) as refused:
        declare(**said)  # type: ignore[arg-type]
        check()
    assert reason in str(refused.value)


def test_a_table_without_a_docstring_is_refused() -> None:
    with pytest.raises(ContractError, match="needs a docstring"):
        table("gold.trial", feed=None, grain="", key=(), columns=[], reads=())(lambda: None)  # type: ignore[arg-type]


def test_a_column_comes_from_the_columns_of_its_name_unless_said_otherwise() -> None:
    declare(columns=[Column("title", "string", ""), Column("year", "int", "", sources=("silver.titles.release_year",))])
    title, year = TABLES["gold.trial"].columns
    assert TABLES["gold.trial"].column_sources(title) == [("silver.titles", "title")]
    assert TABLES["gold.trial"].column_sources(year) == [("silver.titles", "release_year")]


def test_the_code_version_changes_with_the_contract() -> None:
    declare()
    one = TABLES.pop("gold.trial").code_version
    for other in ({"key": ()}, {"order": "year"}, {"provenance": ("year",)}):  # each may keep other rows
        declare(**other)
        assert TABLES.pop("gold.trial").code_version != one, other


def test_the_code_version_does_not_change_with_words() -> None:
    def of(function: Callable[..., object], **contract: object) -> str:
        declare(**contract)
        return replace(TABLES.pop("gold.trial"), function=function).code_version

    def one() -> Callable[..., object]:
        def build(titles: str) -> str:
            """A meaning."""
            return titles.upper()

        return build

    def other(titles: str) -> str:
        return titles.lower()

    def same() -> Callable[..., object]:
        def build(titles: str) -> str:
            """A meaning.

            In other words.
            """
            return titles.upper()

        return build

    described = [Column("title", "string", "In other words")]
    rule = not_null("title")
    words = replace(rule, description="in other words", hint="mend it")
    assert of(one(), expectations=[rule]) == of(same(), columns=described, expectations=[words])
    assert of(one()) != of(other)
    assert of(one()) != of(one(), columns=[Column("title", "int", "The title")])
    assert of(one(), expectations=[rule]) != of(one(), expectations=[replace(rule, condition="true")])


def test_columns_that_cannot_be_null_make_one_blocking_rule() -> None:
    declare(columns=[Column("title", "string", "", nullable=False), Column("type", "string", "", nullable=False)])
    (rule,) = TABLES["gold.trial"].rules
    assert (rule.name, rule.blocking) == ("required_columns", True)
    assert rule.condition == "title IS NOT NULL AND type IS NOT NULL"


def test_rules_quote_what_they_are_given() -> None:
    assert in_set("kind", ("Kids' TV",)).condition == r"kind IN ('Kids\' TV')"
    assert between("year", 1900, 2100).condition == "year BETWEEN 1900 AND 2100"
    assert not_null("title") == Expectation(
        "title_not_null", "title IS NOT NULL", "drop", "title must not be null", "the row needs this value"
    )


def test_downstream_goes_to_the_end_in_build_order() -> None:
    reached = downstream_of(["bronze.netflix_directors"])
    assert reached[:2] == ["bronze.netflix_directors", "silver.title_directors"]
    assert {"gold.dim_title", "gold.bridge_title_director", "gold.kpi_catalogue"} <= set(reached)
    assert not {"silver.titles", "silver.title_cast", "bronze.netflix_cast", "silver.top10_global"} & set(reached)


def test_every_table_says_what_it_means() -> None:
    for declared in TABLES.values():
        assert declared.grain and declared.key and declared.description, declared.name
        assert all(column.description for column in declared.columns), declared.name


def test_every_column_of_silver_and_gold_has_a_source() -> None:
    free = {"form", "repairs", "source_file", "record_number"}
    for declared in TABLES.values():
        if declared.layer != "bronze":
            lost = [c.name for c in declared.columns if not declared.column_sources(c) and c.name not in free]
            assert not lost, f"{declared.name}: {lost}"
