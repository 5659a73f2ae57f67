"""Which title a record states, and whose list it is: refused records leave no trace. Examples, then a plain model.

The model is written in plain Python from the rules alone. Many deliveries are asked of the engine at once, each a date
of its own, so that thousands take seconds.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts import expectations, tallies
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.tables.test_silver import bronze, judged

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EXAMPLES = int(os.environ.get("NETFLIX_SOAK") or examples(4))
FIRST = date(2020, 1, 1)
TITLES, CAST = TABLES["silver.titles"], TABLES["silver.title_cast"]
Record = dict[str, Any]


class Outcome(NamedTuple):
    """What became of a record, or of one item of it: kept, copy, or the rules by which it is refused."""

    what: str
    title_key: str | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """What lands on one date: records of a whole file, titles of the split form, and its cast."""

    whole: tuple[Record, ...] = ()
    titles: tuple[Record, ...] = ()
    cast: tuple[Record, ...] = ()


@dataclass
class Built:
    """What the tables make of a delivery: titles by form and record, cast by form, record and item."""

    titles: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    cast: dict[tuple[str, int, str], Counter[Outcome]] = field(default_factory=dict)


def movie(show_id: str | None = "1", title: str | None = "Red", **said: Any) -> Record:
    """A record of a title, sound unless told otherwise."""
    return {"show_id": show_id, "type": "Movie", "title": title, "release_year": "2018", "description": "Words."} | said


def build(spark: SparkSession, *deliveries: Delivery) -> list[Built]:
    """The two tables as their functions and rules make them, of each delivery."""
    found = [Built() for _ in deliveries]
    catalogue, split, cast = (
        bronze(spark, source, *_dated(deliveries, part))
        for source, part in (("netflix_catalogue", "whole"), ("netflix_titles", "titles"), ("netflix_cast", "cast"))
    )
    titles = _judged(spark, TITLES.name, catalogue, split)
    for row in titles:
        built = found[(row["delivery_date"] - FIRST).days]
        built.titles[row["form"], row["record_number"]] = _outcome(row)
    kept = [tuple(row[name] for name in TITLES.column_names) for row in titles if _outcome(row).what == "kept"]
    known = spark.createDataFrame(kept, store.ddl(TITLES))
    for row in _judged(spark, CAST.name, catalogue, cast, known):
        built = found[(row["delivery_date"] - FIRST).days]
        place = (row["form"], row["record_number"], row["person_key"])
        built.cast.setdefault(place, Counter())[_outcome(row)] += 1
    return found


def _dated(deliveries: Iterable[Delivery], part: str) -> list[Record]:
    return [
        {"record_number": number} | record | {"delivery_date": FIRST + timedelta(n)}
        for n, delivery in enumerate(deliveries)
        for number, record in enumerate(getattr(delivery, part), 1)
    ]


def _judged(spark: SparkSession, name: str, *reads: Any) -> list[Any]:
    """Every row that the table's function makes, with what it breaks."""
    table = TABLES[name]
    rows = judged(table.function(*reads), table)
    rules = [rule.name for rule in expectations.all_rules(table) if rule.on_fail == "drop"]
    breaks = [expectations.breaks(table, rule).alias(f"_breaks_{rule}") for rule in rules]
    return rows.select(*table.column_names, expectations.COPY, *breaks).collect()


def _outcome(row: Any) -> Outcome:
    if row[expectations.COPY]:
        return Outcome("copy")
    breaks = {name.removeprefix("_breaks_"): value for name, value in row.asDict().items() if name[:8] == "_breaks_"}
    refusals = tuple(rule for rule, broken in breaks.items() if broken)
    return Outcome("refused", None, refusals) if refusals else Outcome("kept", row["title_key"])


# Examples


def test_the_cast_of_a_refused_title_goes_to_no_other(spark: SparkSession) -> None:
    clash = Delivery(whole=(movie(title="A", cast="Ann"), movie(title="Q", cast="Quentin, Ann")))
    (built,) = build(spark, clash)
    assert built.titles["whole", 2] == Outcome("refused", None, ("unique_key",))
    assert built.cast == {
        ("whole", 1, "ann"): Counter([Outcome("kept", "movie|a|2018")]),
        ("whole", 2, "quentin"): Counter([Outcome("refused", None, ("title_delivered",))]),
        ("whole", 2, "ann"): Counter([Outcome("refused", None, ("title_delivered",))]),
    }


def test_a_record_that_says_a_title_again_and_lists_more_is_refused_there(spark: SparkSession) -> None:
    (built,) = build(spark, Delivery(whole=(movie(cast="Ann, Bob"), movie(cast="ann, Quentin"))))
    assert built.titles["whole", 2] == Outcome("copy")
    assert built.cast["whole", 2, "ann"] == Counter([Outcome("copy")])
    assert built.cast["whole", 2, "quentin"] == Counter([Outcome("refused", None, ("title_delivered",))])


def test_a_copy_has_the_same_type_title_and_year_whatever_its_number(spark: SparkSession) -> None:
    whole = (movie("s1", "Alpha", cast="Ann"), movie("s2", "Beta", cast="Bob"))
    split = (movie("s1", "Gamma"), movie("s77", "Beta", rating="R"))
    cast = ({"show_id": "s1", "cast": "Gus"}, {"show_id": "s77", "cast": "Bob"}, {"show_id": "s2", "cast": "Bob"})
    (built,) = build(spark, Delivery(whole, split, cast))
    assert built.titles == {
        ("whole", 1): Outcome("kept", "movie|alpha|2018"),
        ("whole", 2): Outcome("kept", "movie|beta|2018"),
        ("split", 1): Outcome("kept", "movie|gamma|2018"),
        ("split", 2): Outcome("copy"),
    }
    assert built.cast["split", 1, "gus"] == Counter([Outcome("kept", "movie|gamma|2018")])
    assert built.cast["split", 2, "bob"] == Counter([Outcome("copy")])
    assert built.cast["split", 3, "bob"] == Counter([Outcome("refused", None, ("title_delivered",))]), "no such title"


def test_minutes_are_no_seasons_where_one_number_says_both(spark: SparkSession) -> None:
    (built,) = build(spark, Delivery(whole=(movie(duration="5 min"), movie(duration="5 Seasons"))))
    assert built.titles["whole", 2] == Outcome("refused", None, ("unique_key",)), "it is no copy"


def test_a_split_record_without_its_number_is_refused_and_does_not_vanish(spark: SparkSession) -> None:
    (built,) = build(spark, Delivery((movie(None), movie("2", "Blue")), (movie(None), movie("3", "Green"))))
    assert built.titles["split", 1] == built.titles["whole", 1] == Outcome("refused", None, ("show_id_not_null",))
    assert built.titles["split", 2] == Outcome("kept", "movie|green|2018")


@pytest.mark.parametrize(
    "twin",
    [
        pytest.param(movie(None, description="A."), id="without a number"),
        pytest.param(movie("1", release_year="2018", description="A."), id="whose number is taken"),
    ],
)
def test_a_refused_twin_that_sorts_first_takes_no_number(spark: SparkSession, twin: Record) -> None:
    (built,) = build(spark, Delivery((movie("1"), twin)))
    assert built.titles["whole", 1] == Outcome("kept", "movie|red|2018")
    assert built.titles["whole", 2].what == "refused"


def test_a_whole_title_that_is_refused_makes_no_copy(spark: SparkSession) -> None:
    (built,) = build(spark, Delivery((movie("1", "Red"), movie("1", "Blue")), (movie("9", "Blue"),)))
    assert built.titles["split", 1] == Outcome("kept", "movie|blue|2018")


def test_no_two_titles_share_a_key_because_of_a_separator(spark: SparkSession) -> None:
    titled = [("X", "2018"), ("X", "2018"), ("X|2018", "2"), ("X|2018", "2018"), ("X\\", "2018"), ("X\\|2018", "2")]
    records = tuple(movie(str(n), name, release_year=year) for n, (name, year) in enumerate(titled))
    (built,) = build(spark, Delivery(records))
    keys = [built.titles["whole", n].title_key for n in range(1, len(titled) + 1)]
    assert len(set(keys)) == len(titled) and all(keys)
    assert keys[:2] == ["movie|x|2018", "movie|x|2018|2"]


def test_a_separator_that_cannot_be_mistaken_leaves_the_key_as_it_was(spark: SparkSession) -> None:
    (built,) = build(spark, Delivery((movie(title="Hatchimals | Adventures"),)))
    assert built.titles["whole", 1].title_key == "movie|hatchimals | adventures|2018"


@pytest.mark.parametrize("most", [0, expectations.MOST_NAMED], ids=["too many to name", "named"])
def test_titles_that_share_a_name_are_found_among_those_that_are_alone(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(expectations, "MOST_NAMED", most)
    shared = (movie("1", "Red"), movie("2", "Blue"), movie("3", "Red", description="A."), movie("2", "Blue"))
    (built, alone) = build(spark, Delivery(shared, (movie("9", "Blue"),)), Delivery((movie("5", "Red"),)))
    assert built.titles == {
        ("whole", 1): Outcome("kept", "movie|red|2018|2"),
        ("whole", 2): Outcome("kept", "movie|blue|2018"),
        ("whole", 3): Outcome("kept", "movie|red|2018"),
        ("whole", 4): Outcome("copy"),
        ("split", 1): Outcome("copy"),
    }
    assert alone.titles == {("whole", 1): Outcome("kept", "movie|red|2018")}, "in its delivery nothing is like it"


def test_a_type_in_another_case_is_that_type(spark: SparkSession) -> None:
    rows = _judged(
        spark, TITLES.name, bronze(spark, "netflix_catalogue", movie(type="movie")), bronze(spark, "netflix_titles")
    )
    assert [(row["type"], row["type_flag"], row["title_key"]) for row in rows] == [("Movie", 1, "movie|red|2018")]


@pytest.mark.parametrize(
    ("day", "kept", "broken"),
    [
        ("December 31, 9999", None, {"date_added_plausible": 1, "date_added_readable": 0}),
        ("January 1, 1901", None, {"date_added_plausible": 1, "date_added_readable": 0}),
        ("soon", None, {"date_added_plausible": 0, "date_added_readable": 1}),
        ("January 1, 2021", date(2021, 1, 1), {"date_added_plausible": 0, "date_added_readable": 0}),
    ],
)
def test_a_day_that_cannot_be_counts_as_not_stated_and_is_told(
    spark: SparkSession, day: str, kept: date | None, broken: dict[str, int]
) -> None:
    made = TITLES.function(bronze(spark, "netflix_catalogue", movie(date_added=day)), bronze(spark, "netflix_titles"))
    annotated = expectations.annotate(made, TITLES)
    (tally,) = tallies.tally(annotated.toArrow(), TITLES).values()
    assert {name: tally.broken[name] for name in broken} == broken
    assert [row["date_added"] for row in annotated.collect()] == [kept]


# The model


NUMBERS = ["1", "1", "2", "3", "4", "5", "6", None]
WORDS = ["Red", "Red", "red", "Blue", "Oct-01", "1-Oct", "X", "X|2018", "X\\", None]


@st.composite
def records(draw: st.DrawFn, split: bool = False) -> Record:
    """A title, of which something may be missing and which another may resemble."""
    said: Record = {
        "show_id": draw(st.sampled_from(NUMBERS)),
        "type": draw(st.sampled_from(["Movie", "Movie", "Movie", "movie", "TV Show", None])),
        "title": draw(st.sampled_from(WORDS)),
        "release_year": draw(st.sampled_from(["2018", "2018", "2018", "2", "soon", None])),
        "description": draw(st.sampled_from(["A.", "B.", None])),
    }
    length = draw(st.sampled_from([None, "9", "10"]))
    if split:
        return said | {"duration_minutes": length}
    names = draw(st.lists(st.sampled_from(["Ann", "ann", "Bob", "Cy", " "]), max_size=3))
    return said | {"duration": length and f"{length} min", "cast": ",".join(names)}


credits = st.fixed_dictionaries({"show_id": st.sampled_from(NUMBERS), "cast": st.sampled_from(["Ann", "ann", "Bob"])})


@st.composite
def delivered(draw: st.DrawFn) -> Delivery:
    """Both forms; some records say again what another says, in the same form or in the other."""
    whole = draw(st.lists(records(), min_size=1, max_size=6))
    for again in draw(st.lists(st.sampled_from(whole), max_size=2)):
        whole.append(again | {"cast": draw(st.sampled_from([again["cast"], "Ann", "Cy,Bob"]))})
    titles = draw(st.lists(records(split=True), max_size=3))
    for also in draw(st.lists(st.sampled_from(whole), max_size=2)):
        said = {name: value for name, value in also.items() if name not in ("duration", "cast")}
        titles.append(said | {"show_id": draw(st.sampled_from(NUMBERS)), "duration_minutes": None})
    titles += draw(st.lists(st.sampled_from(titles), max_size=1)) if titles else []
    return Delivery(
        tuple(draw(st.permutations(whole))),
        tuple(draw(st.permutations(titles))),
        tuple(draw(st.lists(credits, max_size=5))),
    )


def worked_out(delivery: Delivery) -> Built:
    """What must become of each record, in plain Python."""
    built, kept, repeats = Built(), {"whole": {}, "split": {}}, {}
    for form, said in (("whole", delivery.whole), ("split", delivery.titles)):
        for number, record in enumerate(said, 1):
            wrong = [f"{name}_not_null" for name in ("show_id", "title", "type") if record[name] is None]
            wrong += [] if str(record["release_year"]).isdigit() else ["release_year_not_null"]
            first = kept[form].get(record["show_id"])
            if wrong:
                built.titles[form, number] = Outcome("refused", None, tuple(wrong))
            elif first is None:
                kept[form][record["show_id"]] = number
            elif _content(said[first - 1]) == _content(record):
                built.titles[form, number], repeats[number, form] = Outcome("copy"), first
            else:
                built.titles[form, number] = Outcome("refused", None, ("unique_key",))
    in_whole = {_names(delivery.whole[number - 1]) for number in kept["whole"].values()}
    elsewhere = {show for show, n in kept["split"].items() if _names(delivery.titles[n - 1]) in in_whole}
    named: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for form, said in (("whole", delivery.whole), ("split", delivery.titles)):
        for show_id, number in kept[form].items():
            record = said[number - 1]
            if form == "split" and show_id in elsewhere:
                built.titles[form, number] = Outcome("copy")
                continue
            length = (record.get("duration") or "").removesuffix(" min") or record.get("duration_minutes")
            by = (record["description"] or "", int(length or 0), show_id, form, number)
            named.setdefault(_names(record), []).append(by)
    for key, alike in named.items():
        for nth, (*_, form, number) in enumerate(sorted(alike), 1):
            built.titles[form, number] = Outcome("kept", "|".join([*key, *([str(nth)] if nth > 1 else [])]))
    _list_whole(delivery, built, repeats)
    _list_split(delivery, built, kept["split"], elsewhere)
    return built


def _list_whole(delivery: Delivery, built: Built, repeats: dict[tuple[int, str], int]) -> None:
    listed = {n: _listed(record) for n, record in enumerate(delivery.whole, 1)}
    for number, names in listed.items():
        title = built.titles["whole", number]
        own = listed.get(repeats.get((number, "whole"), 0), [])
        seen: set[str] = set()
        for name in names:
            if title.what == "kept":
                outcome = Outcome("copy") if name in seen else Outcome("kept", title.title_key)
            elif title.what == "copy" and name in own:
                outcome = Outcome("copy")
            else:
                missing = () if delivery.whole[number - 1]["show_id"] else ("show_id_not_null",)
                outcome = Outcome("refused", None, (*missing, "title_delivered"))
            seen.add(name)
            built.cast.setdefault(("whole", number, name), Counter())[outcome] += 1


def _list_split(delivery: Delivery, built: Built, kept: dict[str, int], elsewhere: set[str]) -> None:
    seen: set[tuple[str, str]] = set()
    for number, record in enumerate(delivery.cast, 1):
        show_id, name = record["show_id"], record["cast"].lower()
        if show_id in elsewhere or (show_id, name) in seen:
            outcome = Outcome("copy")
        elif show_id in kept:
            outcome = Outcome("kept", built.titles["split", kept[show_id]].title_key)
            seen.add((show_id, name))
        else:
            missing = () if show_id else ("show_id_not_null",)
            outcome = Outcome("refused", None, (*missing, "title_delivered"))
        built.cast.setdefault(("split", number, name), Counter())[outcome] += 1


def _names(record: Record) -> tuple[str, str, str]:
    title = {"oct-01": "1-oct", "x|2018": "x\\|2018", "x\\": "x\\\\"}.get(
        record["title"].lower(), record["title"].lower()
    )
    return record["type"].lower(), title, record["release_year"]


def _content(record: Record) -> tuple[Any, ...]:
    said = {name: value for name, value in record.items() if name != "cast"}
    said["type"] = record["type"].lower()
    return tuple(said.items())


def _listed(record: Record) -> list[str]:
    return [name.lower() for name in record["cast"].split(",") if name.strip()]


several = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""What fails is one small delivery of many, and is shown: to make it smaller would take minutes."""
many = st.lists(delivered(), min_size=10, max_size=30)


@several
@given(landed=many)
def test_every_record_comes_to_what_the_model_says(spark: SparkSession, landed: list[Delivery]) -> None:
    for delivery, made in zip(landed, build(spark, *landed), strict=True):
        expected = worked_out(delivery)
        assert made.titles == expected.titles, delivery
        assert made.cast == expected.cast, delivery
        for kind in {f"{form} title: {o.what} {' '.join(o.rules)}" for (form, _), o in made.titles.items()}:
            event(kind)
        for kind in {f"{p[0]} cast: {o.what}" for p, outcomes in made.cast.items() for o in outcomes}:
            event(kind)


@several
@given(landed=many, data=st.data())
def test_a_refused_record_changes_nothing_of_the_others(
    spark: SparkSession, landed: list[Delivery], data: st.DataObject
) -> None:
    """The further records stand anywhere, and take a number between those of the others."""
    spaced = [_spaced(delivery) for delivery in landed]
    dirtied = []
    for delivery in spaced:
        lacks = data.draw(st.sampled_from(["show_id", "title", "type", "release_year"]))
        at = 10 * data.draw(st.integers(0, 6)) + 5
        record = data.draw(records()) | {lacks: None, "record_number": at}
        other = data.draw(records(split=True)) | {lacks: None, "record_number": at}
        dirtied.append(replace(delivery, whole=(*delivery.whole, record), titles=(*delivery.titles, other)))
    for clean, dirty in zip(build(spark, *spaced), build(spark, *dirtied), strict=True):
        further = {place for place in dirty.titles if place[1] % 10}
        assert {dirty.titles.pop(place).what for place in further} == {"refused"}
        assert dirty.titles == clean.titles
        assert {
            place: o for place, o in dirty.cast.items() if not (place[0] == "whole" and place[1] % 10)
        } == clean.cast


@several
@given(landed=many, data=st.data())
def test_the_order_of_records_changes_nothing(spark: SparkSession, landed: list[Delivery], data: st.DataObject) -> None:
    """But for the numbers of the records, and which of two that claim one number is the first."""
    sound = [_without_clashes(delivery) for delivery in landed]
    shuffled = [
        Delivery(*(tuple(data.draw(st.permutations(part))) for part in (d.whole, d.titles, d.cast))) for d in sound
    ]
    for one, other in zip(build(spark, *sound), build(spark, *shuffled), strict=True):
        assert _counted(one) == _counted(other)


def _spaced(delivery: Delivery) -> Delivery:
    return Delivery(
        *(
            tuple(record | {"record_number": 10 * n} for n, record in enumerate(part, 1))
            for part in (delivery.whole, delivery.titles, delivery.cast)
        )
    )


def _without_clashes(delivery: Delivery) -> Delivery:
    def first(records: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple({record["show_id"] or n: record for n, record in enumerate(records)}.values())

    return replace(delivery, whole=first(delivery.whole), titles=first(delivery.titles))


def _counted(built: Built) -> tuple[Counter[Any], Counter[Any]]:
    titles = Counter((form, outcome) for (form, _), outcome in built.titles.items())
    cast: Counter[Any] = Counter()
    for (form, _, name), outcomes in built.cast.items():
        for outcome, times in outcomes.items():
            cast[form, name, outcome] += times
    return titles, cast
