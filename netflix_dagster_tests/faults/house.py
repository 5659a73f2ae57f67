"""A house in a storage account behind a door where things go wrong, and what it must be like in the end."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from netflix_dagster import storage
from netflix_dagster.lake import store
from netflix_dagster.storage import ZONE, AzureFolder
from netflix_dagster_tests.defs.house import PARTITIONS, House
from netflix_dagster_tests.emulators.azurite import ACCOUNT
from netflix_dagster_tests.lakehouse import DIFFERS, title

DAY = "2020-03-01"
RELEASE = (title(1), title(2, rating="R"), title(5), title(8, release_year="soon"), title(9))
"""Five titles, of which one is refused by silver."""
TABLES = (
    *("bronze.netflix_catalogue", "silver.titles", "silver.title_cast", "silver.releases", "silver.title_history"),
    *("gold.bridge_title_cast", "gold.fact_catalogue_change"),
)
"""A chain through all layers and every way to write: per delivery, verdicts, whole."""


@dataclass
class CloudHouse(House):
    """A house whose deliveries and tables lie in folders of their own in the storage account."""

    folder: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def landing(self) -> AzureFolder:  # type: ignore[override]
        return AzureFolder(ACCOUNT, "landing", self.folder)

    @property
    def tables(self) -> AzureFolder:  # type: ignore[override]
        return AzureFolder(ACCOUNT, ZONE, self.folder)

    def land(self, source: str, day: str, content: str | bytes, name: str = "file.csv") -> AzureFolder:  # type: ignore[override]
        place = self.landing / source / day / name
        storage.write(place, content.encode() if isinstance(content, str) else content)
        self.instance.add_dynamic_partitions(PARTITIONS, [day])
        return place

    def rows(self, table: str) -> list[dict[str, Any]]:
        found = store.read_arrow(self.tables, table)
        rows = found.to_pylist() if found is not None else []
        return [{name: value for name, value in row.items() if name not in DIFFERS} for row in rows]


def state(house: House) -> dict[str, list[str]]:
    """The tables, what lies in the quarantine and what has become of each delivery."""
    refused = sorted(repr(row) for row in house.rows("quality.quarantine"))
    found = house.life.deliveries.items()
    said = sorted(repr((place, d.status, d.newest.why, d.newest.records, d.standing is d.newest)) for place, d in found)
    return {**house.contents(), "quarantine": refused, "deliveries": said}
