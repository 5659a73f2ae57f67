"""The functions that decide what is what, on thousands of deliveries at once: each on a date of its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from netflix_dagster.contracts import expectations
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import drift
from netflix_dagster.deliveries.columns import Seen, look
from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Source, SourceColumn
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.model import catalogue, charts
from netflix_dagster_tests.model import drift as by_the_book
from netflix_dagster_tests.model.catalogue import LISTS, Release, Row, Told
from netflix_dagster_tests.model.compare import shown
from netflix_dagster_tests.model.histories import Author
from netflix_dagster_tests.model.platform import CATALOGUE, read
from netflix_dagster_tests.model.test_histories import seeds
from netflix_dagster_tests.model.text import Record

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FEW, MANY = 100, 2_000
FIRST = date(2001, 1, 7)


def delivered(author: Author, source: str, content: Any) -> list[Record]:
    """The records of a content that every door lets in."""
    found = read(source, content)
    assert not found.faulty, (author.seed, source)
    return found.records


def bronze(spark: SparkSession, source: str, every: Mapping[date, Iterable[Record]]) -> DataFrame:
    """The records of many dates as a bronze table."""
    table = TABLES[f"bronze.{source}"]
    rows = []
    for day, records in every.items():
        for record in records:
            said = {**record.said, "source_header": ",".join(record.said), "source_file": record.file}
            said |= {"delivery_date": day, "record_number": record.number}  # type: ignore[dict-item]
            rows.append(tuple(said.get(name) for name in table.column_names))
    return spark.createDataFrame(rows, store.ddl(table))


def kept(name: str, *reads: DataFrame) -> list[Row]:
    """The rows that a table keeps of what it reads."""
    table = TABLES[name]
    annotated = expectations.annotate(table.function(*reads), table)
    aside = annotated.sparkSession.createDataFrame(annotated.toArrow())  # as a build puts it aside
    return expectations.kept(expectations.settle(aside, table), table).select(*table.column_names).toArrow().to_pylist()


def compare(name: str, found: list[Row], wanted: list[Row], seed: int) -> None:
    columns = sorted(set().union(*wanted)) if wanted else []
    there, meant = (Counter(shown(row, columns) for row in side) for side in (found, wanted))
    assert not (differ := [*(there - meant), "lacks", *(meant - there)][:6]) or there == meant, (name, seed, differ)


@pytest.fixture(scope="module")
def seed() -> int:
    return seeds(1)[0]


@pytest.fixture(scope="module", params=[FEW, pytest.param(MANY, marks=pytest.mark.soak)])
def count(request: pytest.FixtureRequest) -> int:
    """How many deliveries there are."""
    return examples(request.param)


@pytest.fixture(scope="module")
def releases(seed: int, count: int) -> tuple[list[Release], dict[str, dict[date, list[Record]]]]:
    """Thousands of small releases, in one form, the other or both; and their files."""
    found, files = [], {source: {} for source in CATALOGUE}
    for nth in range(count):
        day = FIRST + timedelta(days=nth)
        author = Author(seed * MANY + nth % 40, without={"a file that cannot be read"})
        author.random = random.Random(seed * MANY + nth)
        titles = author.titles(str(day))
        titles = author.random.sample(titles, min(6, len(titles)))
        contents = {"netflix_catalogue": author.whole(titles)} if author.random.random() < 0.7 else {}
        if not contents or author.random.random() < 0.4:
            contents |= author.split(author.random.sample(titles, len(titles)))
        said = {source: delivered(author, source, content) for source, content in contents.items()}
        for source, records in said.items():
            files[source][day] = records
        found.append(catalogue.release(day, said))
    return found, files


def test_titles_and_lists_are_identified_as_the_model_does(
    spark: SparkSession, releases: tuple[list[Release], Any], seed: int
) -> None:
    told, files = releases
    frames = {source: bronze(spark, source, every) for source, every in files.items()}
    rows = kept("silver.titles", frames["netflix_catalogue"], frames["netflix_titles"])
    compare("silver.titles", rows, [row for one in told for row in one.titles.rows], seed)
    titles = spark.createDataFrame(
        [tuple(row[name] for name in TABLES["silver.titles"].column_names) for row in rows],
        store.ddl(TABLES["silver.titles"]),
    )
    for name, (_, source, _, _) in LISTS.items():
        listed = kept(f"silver.title_{name}", frames["netflix_catalogue"], frames[source], titles)
        compare(name, listed, [row for one in told for row in one.lists[name].rows], seed)


def test_a_history_of_a_thousand_releases_is_what_the_model_says(
    spark: SparkSession, releases: tuple[list[Release], Any], seed: int
) -> None:
    told = [one for one in releases[0][::5] if one.titles.rows]

    def frame(name: str, rows: Iterable[Row]) -> DataFrame:
        table = TABLES[name]
        return spark.createDataFrame([tuple(r.get(c) for c in table.column_names) for r in rows], store.ddl(table))

    titles = frame("silver.titles", (row for one in told for row in one.titles.rows))
    listed = [frame(f"silver.title_{n}", (row for one in told for row in one.lists[n].rows)) for n in LISTS]
    accepted = frame("silver.releases", ({"delivery_date": one.on, "is_accepted": True} for one in told))
    found = TABLES["silver.title_history"].function(accepted, titles, *listed)
    versions = catalogue.history(told)
    compare("silver.title_history", found.toArrow().to_pylist(), versions, seed)
    changes = TABLES["gold.fact_catalogue_change"].function(found).toArrow().to_pylist()
    wanted = [{k: v for k, v in row.items() if k != "title_sk"} for row in catalogue.gold(told, versions)[_CHANGES]]
    compare(_CHANGES, changes, wanted, seed)

    decisions = spark.createDataFrame([], "delivery_date date, decided_by string, decided_because string")
    gate = catalogue.Gate()
    verdicts = [row for one in told if (row := gate.verdict(one, None))]
    judged = TABLES["silver.releases"].function(titles, *listed, decisions).toArrow().to_pylist()
    compare("silver.releases", judged, verdicts, seed)


_CHANGES = "gold.fact_catalogue_change"


@pytest.mark.parametrize("source", ["top10_global", "top10_countries"])
def test_places_are_known_as_the_model_does(spark: SparkSession, source: str, seed: int, count: int) -> None:
    """Deliveries of charts, in order and in two goes: what is added to a history is what it would be at once."""
    told: list[Told] = []
    files: dict[date, list[Record]] = {}
    for nth in range(count // 5):
        day = date(2023, 7, 5) + timedelta(days=nth)
        author = Author(seed * MANY + nth % 3, without={"a file that cannot be read", "a week to come"})
        author.random = random.Random(seed * MANY + nth)
        files[day] = delivered(author, source, author.chart(source, str(day)))
        told.append(charts.weekly(source, day, files[day]))
    rows = kept(f"silver.{source}", bronze(spark, source, files))
    compare(f"silver.{source}", rows, [row for one in told for row in one.rows], seed)

    silver, table = TABLES[f"silver.{source}"], TABLES[f"silver.{source}_history"]
    half = date(2023, 7, 5) + timedelta(days=len(told) // 2)
    before = spark.createDataFrame([], store.ddl(table))
    for part in ([r for r in rows if r["delivery_date"] < half], [r for r in rows if r["delivery_date"] >= half]):
        given = spark.createDataFrame([tuple(r[c] for c in silver.column_names) for r in part], store.ddl(silver))
        grown = table.function(before, given).select(*table.column_names).toArrow().to_pylist()
        before = spark.createDataFrame([tuple(r[c] for c in table.column_names) for r in grown], store.ddl(table))
    wanted = charts.history(source, [one for one in told if one.rows])
    compare(table.name, grown, wanted, seed)

    decisions = spark.createDataFrame([], "delivery_date date, decided_by string, decided_because string")
    gate = charts.Gate(source)
    every = spark.createDataFrame([tuple(r[c] for c in silver.column_names) for r in rows], store.ddl(silver))
    judged = TABLES[f"silver.{source}_deliveries"].function(every, decisions).toArrow().to_pylist()
    compare(f"{source}_deliveries", judged, [v for one in told if (v := gate.verdict(one, None))], seed)


def test_drift_is_what_the_texts_of_two_files_say(seed: int, count: int) -> None:
    """What came, went, was renamed, retyped or emptied; a column that came may be one that went, but only one."""
    columns = {
        name: SourceColumn(description=name, aliases=others, required=name != "note")
        for name, others in by_the_book.KNOWN.items()
    }
    source = Source(name="drifting", feed="f", form="whole", description="d", columns=columns)
    for nth in range(count):
        author = random.Random(seed * MANY + nth)
        (old, before), (new, now) = by_the_book.file(author), by_the_book.file(author)
        was, came = ({seen.key: seen for seen in look(parse_bytes(data, source), source)} for data in (old, new))
        for seen, column in [(s, c[key]) for side, c in ((was, before), (came, now)) for key, s in side.items()]:
            assert (seen.kind, seen.filled, seen.records) == (column.kind, column.filled, column.records), (seed, nth)
        assert (was.keys(), came.keys()) == (before.keys(), now.keys()), (seed, nth)
        found = drift.compare("2023-01-01", list(was.values()), list(came.values()))
        pairs = [_pair(said, came, was) for said in found.perhaps]
        assert sorted([*found.new, *(one.name for one, _ in pairs)]) == _names(came, now.keys() - before.keys())
        assert sorted([*found.gone, *(one.name for _, one in pairs)]) == _names(was, before.keys() - now.keys())
        assert set(found.renamed) == by_the_book.renamed(before, now), (seed, nth)
        stayed = [(key, key) for key in before.keys() & now.keys()]
        compared = [*stayed, *((old.key, new.key) for new, old in pairs)]
        retyped = {came[b].name for a, b in compared if by_the_book.retyped(before[a], now[b])}
        assert {said.split(":")[0] for said in found.retyped} == retyped, (seed, nth)
        emptied = {came[key].name for key, _ in stayed if by_the_book.emptied(before[key], now[key])}
        assert {said.split(":")[0] for said in found.emptied} == emptied, (seed, nth)
        if before.keys() - now.keys() == {"note"} and now.keys() - before.keys() == {"note_a"}:
            assert found.perhaps == ("note_a (was note?)",), (seed, nth)


def _pair(said: str, came: Mapping[str, Seen], was: Mapping[str, Seen]) -> tuple[Seen, Seen]:
    new, old = said.removesuffix("?)").split(" (was ")
    one, other = ([s for s in side.values() if s.name == name] for side, name in ((came, new), (was, old)))
    return one[0], other[0]


def _names(side: Mapping[str, Seen], keys: Iterable[str]) -> list[str]:
    return sorted(side[key].name for key in keys)
