"""A small chart of a gold table, as an image that Markdown can hold: shown on the table's page in Dagster.

It is drawn as SVG by hand, some bars and two labels: it is made whenever a table is built, so it must cost nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.storage import Place, StorageError, is_local

FIGURES: Mapping[str, tuple[str, str, str]] = {
    "gold.kpi_catalogue": ("delivery_date", "titles", "Titles by release"),
    "gold.kpi_top10": ("week", "hours", "Hours viewed in the Top 10 of the world by week"),
}
"""Of a table of figures: its period, the figure that is drawn, and what that is."""
COUNTED_BY = (
    *("week", "period", "release_date", "delivery_date", "valid_from", "first_release", "first_seen", "year"),
    *("event_hour", "lists", "rating_family", "in_charts", "is_current"),
)
"""Columns by which the rows of the other tables are counted: the first that the table has."""
MOST_FETCHED = 64_000_000
"""Of a larger table in ADLS no chart is drawn: its files would have to be fetched whole. All of gold of the real
deliveries has 14 MB."""
MOST_BARS = 60
_WIDTH, _HEIGHT, _TOP, _BOTTOM = 640, 150, 24, 20
_BAR, _TEXT = "#3b78d0", "#7a8494"
"""Contrasts of 3:1 on white and on black, since nobody knows how the page around it looks."""


def picture(lake: Place, table: str) -> str | None:
    """Markdown with the chart of a table as it is now, or why it has none; None when there is nothing to draw."""
    try:
        if not is_local(lake) and (size := store.stored_bytes(lake, table)) > MOST_FETCHED:
            return f"*The table has {size / 1e6:,.0f} MB in ADLS: too much to be fetched for a chart.*"
        found = _bars(lake, table)
    except StorageError as trouble:  # the table is built: what cannot be shown of it fails nothing
        return f"*There is no chart: {trouble}*"
    if found is None or not found[1]:
        return None
    title, bars = found
    data = base64.b64encode(svg(title, bars).encode()).decode()
    return f"![{title}](data:image/svg+xml;base64,{data})"


def svg(title: str, bars: Sequence[tuple[str, float]]) -> str:
    """Bars with the largest value and the first and last name written at them."""
    shown = bars[-MOST_BARS:]
    most = max((value for _, value in shown), default=0) or 1
    step = _WIDTH / max(len(shown), 8)
    high = _HEIGHT - _TOP - _BOTTOM
    drawn = []
    for place, (name, value) in enumerate(shown):
        tall = max(1.0, high * max(value, 0) / most)
        drawn.append(
            f'<rect x="{place * step:.1f}" y="{_TOP + high - tall:.1f}" width="{step * 0.8:.1f}" height="{tall:.1f}">'
            f"<title>{escape(name)}: {value:,.0f}</title></rect>"
        )
    ends = [f'<text x="0" y="{_HEIGHT - 5}">{escape(shown[0][0])}</text>'] if shown else []
    if len(shown) > 1:
        right = min(_WIDTH, len(shown) * step)
        ends.append(f'<text x="{right:.0f}" y="{_HEIGHT - 5}" text-anchor="end">{escape(shown[-1][0])}</text>')
    said = f'<text x="0" y="14">{escape(title)}; the most: {most:,.0f}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif"'
        f' font-size="12"><g fill="{_BAR}">{"".join(drawn)}</g><g fill="{_TEXT}">{said}{"".join(ends)}</g></svg>'
    )


def _bars(lake: Place, table: str) -> tuple[str, list[tuple[str, float]]] | None:
    import pyarrow.compute as pc

    if table in FIGURES:
        period, kpi, title = FIGURES[table]
        wanted = (pc.field("kpi") == kpi) & (pc.field("member") == "all")
        rows = store.read_arrow(lake, table, columns=[period, "value"], where=wanted)
        return title, [] if rows is None else _sorted(
            zip(rows[period].to_pylist(), rows["value"].to_pylist(), strict=True)
        )
    names = TABLES[table].column_names
    by = next((name for name in COUNTED_BY if name in names), None)
    if by is None:
        return None
    rows = store.read_arrow(lake, table, columns=[by])
    counts = [] if rows is None else rows[by].value_counts().to_pylist()
    return f"Rows by {by.replace('_', ' ')}", _sorted((count["values"], count["counts"]) for count in counts)


def _sorted(pairs: Any) -> list[tuple[str, float]]:
    return sorted((("not stated" if name is None else str(name))[:40], float(value)) for name, value in pairs)
