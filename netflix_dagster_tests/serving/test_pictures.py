"""Every gold table of the sample has a chart of its own on its page in Dagster, and it counts all rows."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.serving.pictures import FIGURES, MOST_BARS, picture
from netflix_dagster_tests.cli.shell import Shell

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("table", [name for name, table in TABLES.items() if table.layer == "gold"])
def test_a_gold_table_has_a_chart_of_its_rows(built: Shell, table: str) -> None:
    said = picture(built.lake, table)
    assert said is not None and said.startswith("![")
    drawn = ET.fromstring(base64.b64decode(said.partition(";base64,")[2].removesuffix(")")))
    bars = [str(bar.findtext(f"{SVG}title")) for bar in drawn.iter(f"{SVG}rect")]
    values = [float(bar.rpartition(": ")[2].replace(",", "")) for bar in bars]
    _, rows = store.standing(built.lake, table)
    if table in FIGURES:
        assert values and min(values) > 0
    else:
        assert sum(values) == rows or (len(bars) == MOST_BARS and 0 < sum(values) < rows)
