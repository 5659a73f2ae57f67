"""A writer of small .xlsx workbooks: a zip of XML parts, the same bytes for the same cells on any machine.

Nothing is compressed and no time is noted, because both could differ. It writes what the engagement reports hold:
text, numbers, days and times.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, time
from xml.sax.saxutils import escape, quoteattr

Cell = str | int | float | bool | date | time | None
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_DAY, _CLOCK = 1, 2
"""Which of the formats in ``_STYLES`` a day and a time have."""
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    '<xf numFmtId="20" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> bytes:
    """A workbook with these sheets: name -> rows from the first of the sheet, None for an empty cell."""
    return packed(parts(sheets))


def packed(contents: Mapping[str, str]) -> bytes:
    """The parts, by their names, as a zip."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, text in contents.items():
            part = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            part.create_system = 3
            archive.writestr(part, _HEAD + text)
    return target.getvalue()


def parts(sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> dict[str, str]:
    """The parts of such a workbook: name -> XML without its declaration."""
    texts: dict[str, int] = {}
    numbered = {f"sheet{n}": (name, rows) for n, (name, rows) in enumerate(sheets.items(), 1)}
    written = {part: _sheet(rows, texts) for part, (_, rows) in numbered.items()}
    shared = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in texts)
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>'
        for n, (name, _) in enumerate(numbered.values(), 1)
    )
    targets = {**{part: f"worksheets/{part}.xml" for part in numbered}, "styles": "styles.xml"}
    targets["sharedStrings"] = "sharedStrings.xml"
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{_kind(part)}" Target="{target}"/>'
        for n, (part, target) in enumerate(targets.items(), 1)
    )
    overrides = "".join(
        f'<Override PartName="/xl/{target}" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.'
        f'{_kind(part)}+xml"/>'
        for part, target in {"sheet.main": "workbook.xml", **targets}.items()
    )
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{overrides}</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>',
        "xl/styles.xml": _STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{shared}</sst>',
        **{f"xl/worksheets/{part}.xml": text for part, text in written.items()},
    }


def _kind(part: str) -> str:
    return "worksheet" if part.startswith("sheet") and part[-1].isdigit() else part


def _sheet(rows: Sequence[Sequence[Cell]], texts: dict[str, int]) -> str:
    lines = []
    for number, row in enumerate(rows, 1):
        cells = [_cell(f"{chr(64 + n)}{number}", value, texts) for n, value in enumerate(row, 1) if value is not None]
        if cells:
            lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(place: str, value: Cell, texts: dict[str, int]) -> str:
    if isinstance(value, str):
        return f'<c r="{place}" t="s"><v>{texts.setdefault(value, len(texts))}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, date):
        return f'<c r="{place}" s="{_DAY}"><v>{(value - date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, time):
        return f'<c r="{place}" s="{_CLOCK}"><v>{(value.hour * 60 + value.minute) / 1440!r}</v></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
