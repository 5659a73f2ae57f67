"""The report as a picture, drawn from its own definition: every page with its visuals where they lie.

It shows no data: a sign says of which kind a visual is.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from netflix_dagster.serving.powerbi import report
from netflix_dagster.serving.powerbi.pbir import Position
from netflix_dagster.serving.powerbi.report import GAP, WIDTH, Placed

SCALE, HEAD = 0.5, 44
_LINE, _BARS, _COLUMNS = ((0, 0.7), (0.25, 0.45), (0.5, 0.6), (0.75, 0.2), (1, 0.3)), (1, 0.7, 0.55, 0.3), (0.4, 0.7, 1)


def svg() -> str:
    """The picture, two pages beside each other. Colours are those of the theme."""
    theme = report.theme()
    pages = list(report.pages().items())
    rows = [pages[nth : nth + 2] for nth in range(0, len(pages), 2)]
    said, top = [], 0.0
    for row in rows:
        heights = []
        for nth, (name, placed) in enumerate(row):
            height = max(_bottom(one.visual.position) for one in placed) + GAP
            said.append(f'<g transform="translate({nth * (WIDTH + GAP)} {top + HEAD})">')
            said.append(f'<text class="page" x="{GAP}" y="-12">{escape(name.capitalize())}</text>')
            said.append(f'<rect class="page" width="{WIDTH}" height="{height:g}"/>')
            said += [line for one in placed for line in _visual(one, theme.data_colors)]
            said.append("</g>")
            heights.append(height)
        top += max(heights) + HEAD + GAP
    width = 2 * WIDTH + GAP
    style = (
        f"text{{font:17px Segoe UI,sans-serif;fill:{theme.foreground}}} text.page{{font-size:28px}}"
        f" rect.page{{fill:#f5f6f8}} rect.visual{{fill:{theme.background};stroke:#dde1e7}}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {top:g}"'
    label = "The pages of the report of Power BI, with the places of their visuals"
    size = f' width="{width * SCALE:g}" height="{top * SCALE:g}" aria-label="{label}">'
    return "\n".join((head + size, f"<style>{style}</style>", *said, "</svg>")) + "\n"


def _bottom(position: Position) -> float:
    return position.y + position.height


def _visual(placed: Placed, colours: tuple[str, ...]) -> Iterator[str]:
    place, what = placed.visual.position, placed.visual.visual
    title = what.container.title[0].properties.text.expr.literal.value.strip("'").replace("''", "'")
    alt = what.container.general[0].properties.alt_text.expr.literal.value.strip("'").replace("''", "'")
    yield f'<g transform="translate({place.x:g} {place.y:g})"><title>{escape(alt)}</title>'
    yield f'<rect class="visual" width="{place.width:g}" height="{place.height:g}" rx="6"/>'
    yield f'<text x="14" y="30">{escape(title)}</text>'
    yield from _sign(what.visual_type, 14, 48, place.width - 28, place.height - 64, colours)
    yield "</g>"


def _sign(kind: str, x: float, y: float, width: float, height: float, colours: tuple[str, ...]) -> Iterator[str]:
    colour, faint = colours[0], colours[-1]
    match kind:
        case "lineChart":
            points = " ".join(f"{x + width * across:g},{y + height * down:g}" for across, down in _LINE)
            yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="4"/>'
        case "clusteredBarChart":
            step = height / len(_BARS)
            for nth, part in enumerate(_BARS):
                yield _rect(x, y + nth * step, width * part, step * 0.7, colour)
        case "clusteredColumnChart":
            step = width / len(_COLUMNS)
            for nth, part in enumerate(_COLUMNS):
                yield _rect(x + nth * step, y + height * (1 - part), step * 0.7, height * part, colour)
        case "scatterChart":
            for across, down in _LINE:
                yield f'<circle cx="{x + width * across:g}" cy="{y + height * down:g}" r="7" fill="{colour}"/>'
        case "tableEx":
            for nth in range(5):
                down = y + height * nth / 4
                yield f'<path d="M{x:g} {down:g}h{width:g}" stroke="{faint}" stroke-width="2"/>'
        case "card":
            yield _rect(x, y, min(width, 120), height * 0.8, colour)
        case "slicer":
            yield f'<path d="M{x:g} {y + 4:g}h{width - 24:g}l10 12l10 -12" fill="none" stroke="{faint}"/>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>'
