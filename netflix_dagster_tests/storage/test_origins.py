"""Origins in a storage account, and landing folders in one: the same one delivery as on this machine."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from netflix_dagster import storage
from netflix_dagster.files.arriving import unlike
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.fetching import Fetch, Fetched
from netflix_dagster.landing.sources import Source, Sources, load_sources
from netflix_dagster.storage import AzureFolder
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite

BODY = b"cast,show_id\nUma Thurman,1\n"


def test_from_one_account_into_another_folder_of_it(account: Azurite, tmp_path: Path) -> None:
    home = uuid.uuid4().hex[:8]
    landing, elsewhere = AzureFolder(ACCOUNT, "landing", home), AzureFolder(ACCOUNT, "landing", f"{home}-origin")
    place = elsewhere / "netflix_cast.csv"
    packaged = load_sources()
    said = {**packaged.sources["netflix_cast"].model_dump(exclude={"origin"}), "origin": {"storage": str(place)}}
    source = Source.model_validate(said)

    def fetch() -> list[Fetched]:
        return list(Fetch(source, landing, unlike, staging=tmp_path).newest())

    with pytest.raises(FetchError, match="no such file"):
        fetch()
    storage.write(place, BODY)
    (first,) = fetch()
    assert (first.outcome, [one.outcome for one in fetch()]) == ("delivered", ["unchanged"])
    storage.write(place, BODY + b"Lucy Liu,2\n")
    assert [one.outcome for one in fetch()] == ["delivered"]
    listing = list_landing(landing, Sources(feeds=packaged.feeds, sources={"netflix_cast": source}))
    (delivery,) = listing.deliveries
    assert (delivery.date, listing.strays, listing.unknown_sources) == (first.date, (), ())
    assert storage.read(landing / "netflix_cast" / str(first.date) / "netflix_cast.csv") == BODY + b"Lucy Liu,2\n"
    storage.remove_file(landing / "_origins" / "netflix_cast.json")
    before = storage.tag(landing / "netflix_cast" / str(first.date) / "netflix_cast.csv")
    fetch()
    assert storage.tag(landing / "netflix_cast" / str(first.date) / "netflix_cast.csv") == before
