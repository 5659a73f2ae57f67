"""The oracle of the charts against cases small enough to work out by hand."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import Any

import pytest

from netflix_dagster_tests.real.charts_oracle import Charts, Row, country_chart, global_chart, most_popular, title_key

JAN, FEB, MAR = date(2026, 1, 6), date(2026, 2, 3), date(2026, 3, 3)
PLACE = "week=2026-01-04 category=TV_(English) weekly_rank=1"


def tsv(*records: str) -> bytes:
    """Records as ``column=value column=value``, with ``_`` for spaces; the first names the columns of all."""
    rows = [dict(cell.split("=", 1) for cell in record.split()) for record in records]
    lines = ["\t".join(rows[0]), *("\t".join(row[name] for name in rows[0]) for row in rows)]
    return "\n".join(lines).replace("_(", " (").replace(":_", ": ").encode()


def one(show: str, more: str = "", place: str = PLACE) -> bytes:
    return tsv(f"{place} show_title={show} {more}")


def told(*files: bytes) -> tuple[Row, list[tuple[Any, ...]]]:
    """The only place that monthly files speak of, and what was restated: field, before, now, on, before on."""
    chart = global_chart(zip((JAN, FEB, MAR), files, strict=False))
    [fact] = chart.facts
    kept = ("field", "said_before", "said_now", "delivery_date", "said_before_on")
    return fact, [tuple(row[name] for name in kept) for row in chart.restatements]


def test_what_is_said_once_stands_as_it_was_said() -> None:
    fact, restated = told(
        one("Red", "season_title=Red:_1 weekly_hours_viewed=7000 runtime=2 is_staggered_launch=false")
    )
    assert restated == []
    assert fact == {
        "week": date(2026, 1, 4),
        "category": "TV (English)",
        "weekly_rank": 1,
        "show_title": "Red",
        "season_title": "Red: 1",
        "weekly_hours_viewed": 7000,
        "runtime": 2.0,
        "weekly_views": None,
        "cumulative_weeks_in_top_10": None,
        "is_staggered_launch": False,
        "episode_launch_details": None,
        "chart_title_key": "tv|red",
        "first_stated": JAN,
        "last_changed": JAN,
    }


def test_a_figure_said_anew_is_restated_and_the_same_again_is_not() -> None:
    fact, restated = told(*(one("Red", f"weekly_hours_viewed={hours}") for hours in (70, 70, 80)))
    assert restated == [("weekly_hours_viewed", "70", "80", MAR, JAN)]
    assert (fact["weekly_hours_viewed"], fact["first_stated"], fact["last_changed"]) == (80, JAN, MAR)


def test_a_figure_said_for_the_first_time_is_a_change_and_no_restatement() -> None:
    fact, restated = told(one("Red", "weekly_views=N/A"), one("Red", "weekly_views=5"), one("Red", "weekly_views=6"))
    assert restated == [("weekly_views", "5", "6", MAR, FEB)]
    assert fact["weekly_views"] == 6


@pytest.mark.parametrize("silence", ["", "weekly_views=", "weekly_views=N/A", "runtime=0"])
def test_a_figure_is_not_taken_back_by_silence(silence: str) -> None:
    fact, restated = told(one("Red", "weekly_views=5 runtime=1.5"), one("Red", silence))
    assert (fact["weekly_views"], fact["runtime"], fact["last_changed"], restated) == (5, 1.5, JAN, [])


def test_silence_on_figures_carries_over_more_than_one_delivery() -> None:
    fact, restated = told(one("Red", "views=5"), one("Red"), one("Red", "weekly_views=7"))
    assert (fact["weekly_views"], restated) == (7, [("weekly_views", "5", "7", MAR, JAN)])


def test_a_season_is_taken_back_but_stays_in_a_file_without_seasons() -> None:
    fact, restated = told(one("Red", "season_title=Red:_1"), one("Red"), one("Red", "season_title=N/A"))
    assert (fact["season_title"], restated) == (None, [("season_title", "Red: 1", None, MAR, JAN)])


def test_a_season_said_for_the_first_time_is_a_restatement() -> None:
    _, restated = told(one("Red", "season_title=N/A"), one("Red", "season_title=Red:_1"))
    assert restated == [("season_title", None, "Red: 1", FEB, JAN)]


def test_another_title_takes_nothing_over_and_every_difference_is_restated() -> None:
    fact, restated = told(
        one("Red", "season_title=Red:_1 weekly_views=5 weekly_hours_viewed=9 runtime=N/A"),
        one("Blue", "runtime=1.5 weekly_hours_viewed=9"),
    )
    assert fact["weekly_views"] is None and fact["season_title"] is None
    assert sorted(restated) == [
        ("runtime", None, "1.5", FEB, JAN),
        ("season_title", "Red: 1", None, FEB, JAN),
        ("show_title", "Red", "Blue", FEB, JAN),
        ("weekly_views", "5", None, FEB, JAN),
    ]


def test_a_launch_is_told_in_words() -> None:
    _, restated = told(one("Red", "is_staggered_launch=false"), one("Red", "is_staggered_launch=true"))
    assert restated == [("is_staggered_launch", "false", "true", FEB, JAN)]


def test_quoted_details_are_one_value() -> None:
    header, values = "week\tcategory\tweekly_rank\tshow_title\tepisode_launch_details", '"[{""a"":1}]"'
    file = f"{header}\n2026-01-04\tFilms (English)\t1\tRed\t{values}"
    assert told(file.encode())[0]["episode_launch_details"] == '[{"a":1}]'


def listed(titles: str, week: str = "2026-01-04", more: str = "") -> list[str]:
    """A chart, a letter a title; a point for a place that is not stated."""
    place = f"week={week} category=TV_(English)"
    return [f"{place} weekly_rank={n} show_title={t} {more}" for n, t in enumerate(titles, 1) if t != "."]


def test_a_chart_that_is_stated_again_is_stated_whole_and_the_place_that_ends_is_told() -> None:
    again = tsv(*listed("ABC", more="views=7"))
    chart = global_chart([(JAN, tsv(*listed("ABC", more="views=5"))), (FEB, tsv(*listed("AB"))), (MAR, again)])
    told = [r for r in chart.restatements if r["field"] == "show_title"]
    assert [
        (r["weekly_rank"], r["said_before"], r["said_now"], r["delivery_date"], r["said_before_on"]) for r in told
    ] == [
        (3, "C", None, FEB, JAN),
        (3, None, "C", MAR, FEB),
    ]
    assert [(f["first_stated"], f["last_changed"]) for f in chart.facts if f["weekly_rank"] == 3] == [(JAN, MAR)]
    assert [r["weekly_rank"] for r in chart.restatements if r["field"] == "weekly_views"] == [1, 2]


def test_a_delivery_in_which_many_charts_lost_places_is_held_and_says_nothing() -> None:
    weeks = ["2025-12-21", "2025-12-28", "2026-01-04"]
    whole, cut = (tsv(*(place for week in weeks for place in listed(titles, week))) for titles in ("ABC", "AX"))
    chart = global_chart([(JAN, whole), (FEB, cut)])
    assert chart.held == {FEB: "3 charts have lost 3 places"}
    assert chart.facts == global_chart([(JAN, whole)]).facts
    assert global_chart([(JAN, whole), (FEB, tsv(*listed("AX")))]).held == {}


@pytest.mark.parametrize(
    "more",
    [
        *("weekly_hours_viewed=12,34", "weekly_hours_viewed=1.5", f"weekly_hours_viewed={2**63 - 1}"),
        *("runtime=1,97", "runtime=-1", "runtime=1001", "cumulative_weeks_in_top_10=0", "views=-1"),
    ],
)
def test_a_record_that_cannot_be_understood_says_nothing(more: str) -> None:
    column = more.split("=")[0]
    records = [*listed("AB", more=f"{column}=1"), *listed("..C", more=more)]
    assert sorted(fact["show_title"] for fact in global_chart([(JAN, tsv(*records))]).facts) == ["A", "B"]


def test_a_file_of_both_windows_has_each_under_its_own_days() -> None:
    both = "hours_viewed_first_28_days={} hours_viewed_first_91_days={}"
    rows = most_popular(
        [
            (
                JAN,
                tsv(
                    f"category=TV_(English) rank=1 show_title=A {both.format(28, '')}",
                    f"category=TV_(English) rank=2 show_title=B {both.format(28, 91)}",
                    f"category=TV_(English) rank=3 show_title=C {both.format('', '')}",
                ),
            )
        ]
    )
    assert [(row["window_days"], row["hours_viewed"]) for row in rows] == [(28, 28), (91, 91), (91, None)]


def test_a_chart_that_a_newer_delivery_lacks_stays_and_comes_back_unchanged() -> None:
    other = one("Blue", place=PLACE.replace("01-04", "02-01"))
    chart = global_chart([(JAN, one("Red")), (FEB, other), (MAR, one("Red"))])
    assert sorted(fact["show_title"] for fact in chart.facts) == ["Blue", "Red"]
    assert chart.restatements == []
    assert {fact["first_stated"] for fact in chart.facts} == {JAN, FEB}


def test_the_first_record_of_a_place_counts() -> None:
    fact, restated = told(tsv(f"{PLACE} show_title=Red", f"{PLACE} show_title=Blue"), one("Red"))
    assert (fact["show_title"], restated) == ("Red", [])


@pytest.mark.parametrize(
    "garbage",
    [b"", b"null", b'<a href="x">Moved Permanently</a>.\n\n', b"<html>\n<body>\n", one("Red").splitlines()[0]],
    ids=["empty", "null", "link", "page", "header only"],
)
def test_garbage_says_nothing(garbage: bytes) -> None:
    assert told(one("Red", "weekly_views=5"), garbage, one("Red"))[1] == []
    assert global_chart([(JAN, garbage)]).facts == []
    assert most_popular([(JAN, garbage)]) == []
    assert global_chart([(JAN, one("Red")), (JAN, garbage)]).facts == global_chart([(JAN, one("Red"))]).facts


def test_the_order_in_which_deliveries_are_given_means_nothing() -> None:
    files = [(JAN, one("Red", "views=1")), (FEB, one("Red", "views=2")), (MAR, one("Blue", "views=3"))]
    first, *others = (global_chart(order) for order in permutations(files))
    assert len(first.restatements) == 3
    assert all(other == first for other in others)


def test_countries_change_the_names_of_categories_but_not_the_place() -> None:
    place = "country_name={} country_iso2=TR week=2026-01-04 category={} weekly_rank=1"
    chart = country_chart(
        [
            (JAN, one("Red", place=place.format("Turkey", "Films_(English)"))),
            (FEB, one("Red", place=place.format("Turkey", "Films"))),
            (MAR, one("Red", place=place.format("Türkiye", "Films"))),
        ]
    )
    [fact], [restated] = chart.facts, chart.restatements
    assert (fact["category"], fact["country_iso2"], fact["country_name"]) == ("Films", "TR", "Türkiye")
    assert fact["chart_title_key"] == "film|red" and "weekly_views" not in fact
    assert (restated["scope"], restated["field"], restated["said_before"]) == ("TR", "country_name", "Turkey")


def test_most_popular_is_a_snapshot_with_the_window_that_the_file_has() -> None:
    place = "category=Films_(English) rank=1 show_title=Red"
    narrow = tsv(
        f"{place} season_title=N/A hours_viewed_first_28_days=90",
        f"{place} season_title=N/A hours_viewed_first_28_days=80",
    )
    wide = tsv(f"{place} hours_viewed_first_91_days=95 runtime=2.5 views_first_91_days=38")
    first, second = most_popular([(FEB, wide), (JAN, narrow)])
    assert first == {
        "delivery_date": JAN,
        "category": "Films (English)",
        "rank": 1,
        "show_title": "Red",
        "season_title": None,
        "window_days": 28,
        "hours_viewed": 90,
        "views": None,
        "runtime": None,
    }
    assert [second[name] for name in ("window_days", "hours_viewed", "views", "runtime")] == [91, 95, 38, 2.5]


def test_weeks_are_those_of_both_charts() -> None:
    country = f"country_name=Turkey country_iso2=TR {PLACE.replace('01-04', '01-11')}"
    charts = Charts.from_deliveries([(JAN, one("Red"))], [(FEB, one("Red", place=country))], [])
    assert charts.rows["gold.dim_week"] == [{"week": date(2026, 1, 4)}, {"week": date(2026, 1, 11)}]


@pytest.mark.parametrize(
    ("category", "title", "key"),
    [
        ("Films", "Red Notice", "film|red notice"),
        ("TV (Non-English)", "Élite", "tv|élite"),
        ("Films (English)", "Oct-01", "film|1-oct"),
        ("Films (English)", "01-Oct", "film|1-oct"),
    ],
)
def test_the_key_of_a_title_is_what_it_is_and_its_title_in_lower_case(category: str, title: str, key: str) -> None:
    assert title_key(category, title) == key
