"""The report: the pages of the dashboard that show gold, their cards as visuals of the semantic model.

A metric is only cut by what it may be cut by, or by a column that its card lists. Where that leaves a visual with
another axis than the card has on the dashboard, a label of its own says what it shows. The pages *Quality* and *Runs*
show the book-keeping, which is not in the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from netflix_dagster.contracts.contract import ContractError
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.serving import dashboard
from netflix_dagster.serving.dashboard.cards import CARDS, Card
from netflix_dagster.serving.powerbi import dax, model, pbir, source
from netflix_dagster.serving.powerbi.pbir import FieldOf

_CATALOGUE, _LISTING, _CHANGE = "fact_release_title", "fact_release_listing", "fact_catalogue_change"
_WORLD, _COUNTRY, _REPORT = "fact_top10_global_weekly", "fact_top10_country_weekly", "fact_engagement"
_KINDS = {
    "card": "A number",
    "slicer": "A filter",
    "lineChart": "A line chart",
    "clusteredBarChart": "A bar chart",
    "clusteredColumnChart": "A column chart",
    "scatterChart": "A scatter chart",
    "tableEx": "A table",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """One visual of a card: metrics by a column, and by a second one as series."""

    page: str
    card: str
    kind: str
    metrics: tuple[str, ...] = ()
    by: tuple[str, str] | None = None
    series: tuple[str, str] | None = None
    columns: bool = False
    """Whether the columns of the card are shown: then it lists rows."""
    label: str | None = None
    """What stands above it where it is drawn by something else than on the dashboard; None: the label of the card."""


_LINE, _BAR, _COLUMN, _TABLE = "lineChart", "clusteredBarChart", "clusteredColumnChart", "tableEx"
DRAWN = (
    Drawn("catalogue", "growth", "card", ("titles",)),
    Drawn("catalogue", "growth", "card", ("net_growth",)),
    Drawn("catalogue", "growth", _LINE, ("titles", "net_growth"), (_CATALOGUE, "release_date")),
    Drawn("catalogue", "movement", _COLUMN, ("changed_titles",), (_CHANGE, "release_date"), (_CHANGE, "change")),
    Drawn("catalogue", "changes", _TABLE, ("changed_titles",), (_CHANGE, "change"), columns=True),
    Drawn("catalogue", "added", _COLUMN, ("titles",), (_CATALOGUE, "month_added")),
    Drawn("catalogue", "genres", _BAR, ("genre_titles",), (_LISTING, "member")),
    Drawn("catalogue", "countries", _BAR, ("country_titles",), (_LISTING, "member")),
    Drawn("catalogue", "ratings", _BAR, ("titles",), (_CATALOGUE, "rating")),
    Drawn("catalogue", "lags", _LINE, ("lag_to_addition_median", "lag_to_addition_mean"), (_CATALOGUE, "release_date")),
    Drawn(
        "catalogue", "lengths", _LINE, ("movie_minutes_median", "movie_minutes_longest"), (_CATALOGUE, "release_date")
    ),
    Drawn("catalogue", "seasons", _COLUMN, ("shows",), (_CATALOGUE, "duration_seasons")),
    Drawn("catalogue", "seasons", "card", ("show_seasons_mean",)),
    Drawn("catalogue", "people", _TABLE, ("cast_titles", "director_titles"), (_LISTING, "member")),
    Drawn("catalogue", "pairs", _BAR, ("pair_titles",), (_LISTING, "member")),
    Drawn("catalogue", "pairs", "card", ("co_production_share",)),
    Drawn("charts", "top10", "card", ("hours",)),
    Drawn("charts", "top10", _TABLE, ("hours",), columns=True),
    Drawn("charts", "run", _LINE, ("hours", "views"), (_WORLD, "week"), label="Hours and views by week"),
    Drawn("charts", "bump", _TABLE, columns=True),
    Drawn("charts", "reach", _BAR, ("country_reach",), (_COUNTRY, "chart_title_key"), label="Countries by title"),
    Drawn("charts", "hours", _LINE, ("hours",), (_WORLD, "week"), (_WORLD, "category")),
    Drawn("charts", "retention", "card", ("retention",)),
    Drawn("charts", "retention", _LINE, ("retention",), (_WORLD, "week"), (_WORLD, "category")),
    Drawn("charts", "concentration", _LINE, ("concentration", "leader_share"), (_WORLD, "week")),
    Drawn("charts", "languages", "card", ("non_english_share",)),
    Drawn("charts", "languages", _LINE, ("non_english_share",), (_WORLD, "week"), (_WORLD, "kind")),
    Drawn("charts", "restatements", _TABLE, columns=True),
    Drawn("engagement", "most", "card", ("engagement_hours",)),
    Drawn("engagement", "most", _BAR, ("engagement_hours",), (_REPORT, "chart_title_key")),
    Drawn(
        "engagement",
        "concentration",
        _COLUMN,
        ("engagement_hours", "engagement_titles"),
        (_REPORT, "period"),
        label="Hours and titles by half-year",
    ),
    Drawn(
        "engagement",
        "weeks",
        "scatterChart",
        ("engagement_hours", "hours"),
        ("bridge_title_chart", "show_title"),
        label="Hours in reports against hours in the Top 10",
    ),
    Drawn(
        "engagement",
        "released",
        _COLUMN,
        ("engagement_hours",),
        (_REPORT, "release_date"),
        label="Hours by release date",
    ),
    Drawn("title", "runs", _LINE, ("hours", "views"), (_WORLD, "week")),
    Drawn("title", "versions", _TABLE, columns=True),
    Drawn("title", "reports", _COLUMN, ("engagement_hours", "engagement_views"), (_REPORT, "period")),
    Drawn("title", "countries", _LINE, ("country_reach",), (_COUNTRY, "week")),
)
SLICERS = {
    "catalogue": (("dim_date", "year"), (_CATALOGUE, "type")),
    "charts": (("dim_week", "year"), (_WORLD, "category")),
    "engagement": ((_REPORT, "period"), (_REPORT, "kind")),
    "title": (("bridge_title_chart", "show_title"),),
}
PAGES = tuple(dict.fromkeys(card.page for card in CARDS))
WIDTH, GAP, TILE, CHART, ACROSS = 1280, 16, 96, 272, 3
PHONE = 320


@dataclass(frozen=True, slots=True)
class Placed:
    """A visual and where it is: on the page and on a phone."""

    visual: pbir.Visual
    mobile: pbir.Mobile


def files() -> dict[str, str]:
    """The files of the report by their place in its folder."""
    colours = theme()
    theme_file = f"{colours.name}.json"
    package = pbir.ResourcePackage(items=(pbir.ResourceItem(name=theme_file, path=theme_file),))
    said = {
        "definition.pbir": pbir.ReportDefinition(
            dataset=pbir.DatasetReference(by_path=pbir.ByPath(path=f"../{model.NAME}.SemanticModel"))
        ),
        "definition/version.json": pbir.Version(),
        "definition/report.json": pbir.Report(
            themes=pbir.Themes(custom=pbir.ThemeMetadata(name=theme_file, type="RegisteredResources")),
            resources=(package,),
        ),
        "definition/pages/pages.json": pbir.Pages(page_order=PAGES, active_page_name=PAGES[0]),
        f"StaticResources/RegisteredResources/{theme_file}": colours,
    }
    for page in PAGES:
        folder, placed = f"definition/pages/{page}", pages()[page]
        height = max(one.visual.position.y + one.visual.position.height for one in placed) + GAP
        said[f"{folder}/page.json"] = pbir.Page(name=page, display_name=page.capitalize(), height=height, width=WIDTH)
        for one in placed:
            said[f"{folder}/visuals/{one.visual.name}/visual.json"] = one.visual
            said[f"{folder}/visuals/{one.visual.name}/mobile.json"] = one.mobile
    return {path: file.json_text() for path, file in said.items()}


@cache
def pages() -> dict[str, tuple[Placed, ...]]:
    """The visuals of each page. Raises ``ContractError`` for what cards, metrics and model do not have."""
    if faults := list(_faults()):
        raise ContractError("the report of Power BI: " + "; ".join(faults))
    return {page: tuple(_placed(page)) for page in PAGES}


def _placed(page: str) -> Iterator[Placed]:
    drawn = [one for one in DRAWN if one.page == page]
    small = [*(_slicer(page, by) for by in SLICERS[page]), *(one for one in drawn if one.kind == "card")]
    tiles = [one for one in small if isinstance(one, Drawn)]
    charts = [one for one in drawn if one.kind != "card"]
    wide = (WIDTH - GAP * (len(tiles) + 1)) / len(tiles)
    each = (WIDTH - GAP * (ACROSS + 1)) / ACROSS
    down = float(GAP)
    for nth, one in enumerate((*tiles, *charts)):
        if nth < len(tiles):
            x, y, width, height = GAP + nth * (wide + GAP), GAP, wide, TILE
        else:
            row, column = divmod(nth - len(tiles), ACROSS)
            x, y = GAP + column * (each + GAP), TILE + 2 * GAP + row * (CHART + GAP)
            width, height = each, CHART
        place = pbir.Position(x=round(x), y=round(y), height=height, width=round(width), tab_order=nth)
        visual = pbir.Visual(name=_name(one), position=place, visual=_configuration(one))
        there = pbir.Position(x=0, y=down, height=TILE if height == TILE else CHART, width=PHONE, tab_order=nth)
        down += there.height + GAP
        yield Placed(visual, pbir.Mobile(position=there))


def _slicer(page: str, by: tuple[str, str]) -> Drawn:
    return Drawn(page, "filter", "slicer", by=by)


def _name(drawn: Drawn) -> str:
    """The same at every build, and another for each visual of a page."""
    what = "_".join((drawn.card, drawn.kind, *drawn.metrics, *(drawn.by or ())))
    return model.tag("visual", drawn.page, what).replace("-", "")[:20]


def _configuration(drawn: Drawn) -> pbir.Configuration:
    query = pbir.Query(query_state={name: _role(fields) for name, fields in _roles(drawn).items() if fields})
    general = pbir.General(properties=pbir.GeneralProperties(alt_text=pbir.literal(alt_text(drawn))))
    titled = pbir.Title(properties=pbir.TitleProperties(text=pbir.literal(title(drawn))))
    kind: Any = drawn.kind
    return pbir.Configuration(
        visual_type=kind, query=query, container=pbir.Container(title=(titled,), general=(general,))
    )


def _roles(drawn: Drawn) -> dict[str, list[FieldOf]]:
    values, by = [_measure(name) for name in drawn.metrics], [_column(*drawn.by)] if drawn.by else []
    series = [_column(*drawn.series)] if drawn.series else []
    match drawn.kind:
        case "card" | "slicer":
            return {"Values": values or by}
        case "tableEx":
            listed = [_column(*column) for column in columns(drawn) if column != drawn.by]
            return {"Values": [*by, *listed, *values]}
        case "scatterChart":
            return {"Category": by, "X": values[:1], "Y": values[1:]}
    return {"Category": by, "Series": series, "Y": values}


def columns(drawn: Drawn) -> list[tuple[str, str]]:
    """The columns that a visual lists: those of its card that the model has, lists are not among them."""
    if not drawn.columns:
        return []
    named = [tuple(column.split(".")[1:]) for column in _card(drawn).columns]
    return [(table, column) for table, column in named if (table, column) in _known()]


def title(drawn: Drawn) -> str:
    """What stands above the visual."""
    if drawn.kind == "slicer":
        return str(drawn.by[1] if drawn.by else "").replace("_", " ").capitalize()
    return dax.name(METRICS[drawn.metrics[0]]) if drawn.kind == "card" else drawn.label or _card(drawn).label


def alt_text(drawn: Drawn) -> str:
    """What a screen reader says of the visual."""
    shown = [METRICS[name].meaning for name in drawn.metrics]
    shown += [column.replace("_", " ") for _, column in columns(drawn)]
    by = [side[1].replace("_", " ") for side in (drawn.by, drawn.series) if side]
    what = f" of {'; '.join(shown)}" if shown else ""
    return f"{title(drawn)}. {_KINDS[drawn.kind]}{what}{' by ' + ' and '.join(by) if by else ''}."


def _role(fields: list[FieldOf]) -> pbir.Role:
    return pbir.Role(
        projections=tuple(
            pbir.Projection(field=one, query_ref=".".join(one.names), native_query_ref=one.names[1], active=True)
            for one in fields
        )
    )


def _property(table: str, name: str) -> pbir.Property:
    return pbir.Property(expression=pbir.SourceRef(source=pbir.Entity(entity=table)), property=name)


def _column(table: str, name: str) -> FieldOf:
    return FieldOf(column=_property(table, name))


def _measure(name: str) -> FieldOf:
    metric = METRICS[name]
    return FieldOf(measure=_property(metric.of.name, dax.name(metric)))


def _card(drawn: Drawn) -> Card:
    return next(card for card in CARDS if (card.page, card.id) == (drawn.page, drawn.card))


@cache
def _known() -> frozenset[tuple[str, str]]:
    return frozenset((table.name, column.of.name) for table in model.tables() for column in table.columns)


def _faults() -> Iterator[str]:
    cards = {(card.page, card.id): card for card in CARDS}
    for key in dict.fromkeys((drawn.page, drawn.card) for drawn in DRAWN):
        if key not in cards:
            yield f"there is no card {'/'.join(key)}"
    for key, card in cards.items():
        drawn = [one for one in DRAWN if (one.page, one.card) == key]
        if missing := set(card.metrics) - {name for one in drawn for name in one.metrics}:
            yield f"{'/'.join(key)} does not show {', '.join(sorted(missing))}"
        if not drawn:
            yield f"{'/'.join(key)} is not drawn"
    for one in (*DRAWN, *(_slicer(page, by) for page in PAGES for by in SLICERS[page])):
        told = f"{one.page}/{one.card}"
        sides = [side for side in (one.by, one.series) if side]
        yield from (f"{told} uses {'.'.join(side)}, which the model has not" for side in sides if side not in _known())
        listed = (
            {tuple(column.split(".")[1:]) for column in cards[one.page, one.card].columns} if one.metrics else set()
        )
        for name in one.metrics:
            yield from (
                f"{told}: {name} is not cut by {'.'.join(side)}"
                for side in sides
                if side not in listed and side not in _cuts(name)
            )


def _cuts(metric: str) -> set[tuple[str, str]]:
    """The columns that a metric may be cut by: those of its fact, and of the titles that its fact is related to."""
    said = METRICS[metric]
    found = {(said.of.name, source.column_of(said.of, dimension)) for dimension in said.dimensions}
    if "title" in said.by and (said.of.name, "chart_title_key") in found:
        found.add(("bridge_title_chart", "show_title"))
    return found


def theme() -> pbir.Theme:
    """The colours of the dashboard, from its own style sheet."""
    said = (Path(dashboard.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
    colours = dict(reversed(re.findall(r"--([a-z]+\d?): (#[0-9a-f]{6});", said)))  # the first of each: by day
    text = colours["text"]
    return pbir.Theme(
        name=model.NAME,
        data_colors=tuple(colours[f"c{nth}"] for nth in range(1, 6)),
        background=colours["paper"],
        foreground=text,
        table_accent=colours["accent"],
        good=colours["good"],
        neutral=colours["warn"],
        bad=colours["bad"],
        text={
            "title": pbir.TextClass(size=12, color=text),
            "label": pbir.TextClass(size=10, color=colours["soft"]),
            "callout": pbir.TextClass(size=24, color=text),
        },
    )
