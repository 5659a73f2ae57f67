"""A landing folder in ADLS is looked at as one of this machine is, and costs as many requests as it must."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netflix_dagster.landing import blobs
from netflix_dagster.landing.deliveries import Listing, deliveries_at, delivery_at, land, list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.landing.watermark import EVERYTHING_EVERY, YOUNG_DAYS, Watermark
from netflix_dagster.storage import AzureFolder, StorageError, read, write
from netflix_dagster_tests.emulators.account import LANDING, empty, in_use, requests_counted, storage_account
from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, Azurite
from netflix_dagster_tests.emulators.faulty import faulty

SOURCES = load_sources()
CAST = SOURCES.sources["netflix_cast"]
DAY = "2020-02-01"
NOW = 1_600_000_000.0
"""September 2020."""


@pytest.fixture(scope="module")
def account() -> Iterator[Azurite]:
    with storage_account() as running:
        yield running


@pytest.fixture
def landing(account: Azurite) -> AzureFolder:
    empty(account)
    return LANDING


def put(landing: AzureFolder, place: str, text: str = "cast,show_id\nA,1\n") -> None:
    write(AzureFolder(landing.account, landing.container, "/".join(filter(None, (landing.path, place)))), text.encode())


def upload(account: Azurite, name: str, data: bytes = b"x", **said: dict[str, str]) -> None:
    """Put a blob by Azure's own client, which takes any name."""
    from azure.storage.blob import BlobClient

    with BlobClient(account.blob_url, "landing", name, credential=KEY) as blob:
        blob.upload_blob(data, overwrite=True, **said)


def seen(listing: Listing, root: object) -> object:
    """A listing without what differs between places: the root, the times."""
    deliveries = [(d.source, d.date, [(f.name, f.size, f.problem) for f in d.files]) for d in listing.deliveries]
    odd = [sorted(text.replace(str(root), "") for text in said) for said in (listing.strays, listing.unknown_sources)]
    return deliveries, odd, listing.waiting


FILES = [
    f"netflix_titles/{DAY}/x.csv",
    "netflix_cast/2021-01-01/x.csv",
    f"netflix_cast/{DAY}/b.csv",
    f"netflix_cast/{DAY}/a.csv",
    f"netflix_cast/{DAY}/a b #1 100%25 ü?.csv",
    f"netflix_cast/{DAY}/notes.txt",
    f"netflix_cast/{DAY}/old/x.csv",
    f"netflix_cast/{DAY}/spark.csv/part-0",
    f"netflix_cast/{DAY}/_SUCCESS",
    f"netflix_cast/{DAY}/.x.csv",
    f"netflix_cast/{DAY}/x.csv.part",
    "netflix_cast/2020-2-1/x.csv",
    "netflix_cast/latest/x.csv",
    "netflix_cast/.tmp/x.csv",
    "netflix_cast/x.csv",
    "netflix_category/2020-02-02",
    "netflix_countries",
    f"netflix_trailers/{DAY}/x.csv",
    "_staging/x.csv",
    ".git/x.csv",
    "readme.txt",
]


@pytest.mark.parametrize("path", ["", "in/here"])
def test_the_same_files_are_the_same_listing_as_in_a_folder(landing: AzureFolder, tmp_path: Path, path: str) -> None:
    landing = replace(landing, path=path)
    for name in FILES:
        put(landing, name)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("cast,show_id\nA,1\n")
    here = list_landing(tmp_path, SOURCES)
    assert len(here.deliveries) == 3
    assert seen(list_landing(landing, SOURCES), landing) == seen(here, tmp_path)
    only = ["netflix_cast", "netflix_titles"]
    there = list_landing(landing, SOURCES, only)
    assert there.deliveries == list_landing(landing, SOURCES).deliveries
    for delivery in there.deliveries:
        assert delivery_at(landing, SOURCES.sources[delivery.source], delivery.date) == delivery


def test_an_empty_folder_has_no_deliveries(landing: AzureFolder) -> None:
    assert list_landing(landing, SOURCES) == Listing()
    assert delivery_at(landing, CAST, DAY) is None
    assert deliveries_at(landing, SOURCES, []) == Listing()


def test_a_container_that_is_not_there_is_an_error_that_names_it(landing: AzureFolder) -> None:
    with pytest.raises(StorageError, match="ContainerNotFound"):
        list_landing(AzureFolder(landing.account, "nowhere"), SOURCES)


def test_a_listed_file_can_be_read_by_its_path(landing: AzureFolder) -> None:
    from netflix_dagster.storage import at

    put(landing, f"netflix_cast/{DAY}/a b #1 100%25 ü?.csv", "text")
    (delivery,) = list_landing(landing, SOURCES).deliveries
    assert read(at(delivery.files[0].path)) == b"text"


def test_some_deliveries_are_looked_up_by_themselves(landing: AzureFolder) -> None:
    for place in (f"netflix_titles/{DAY}", f"netflix_cast/{DAY}", "netflix_cast/2021-01-01"):
        put(landing, f"{place}/x.csv")
    wanted = [("netflix_cast", DAY), ("netflix_cast", DAY), ("netflix_titles", "1999-01-01")]
    assert [(d.source, d.date) for d in deliveries_at(landing, SOURCES, wanted).deliveries] == [("netflix_cast", DAY)]


# Names that are no paths


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (f"netflix_cast/{DAY}/new\nline.csv", f"/netflix_cast/{DAY}"),
        (f"netflix_cast/{DAY}//x.csv", f"/netflix_cast/{DAY}"),
        ("netflix_cast//x.csv", "/netflix_cast"),
    ],
)
def test_a_name_that_is_no_path_stops_only_what_lies_beside_it(
    account: Azurite, landing: AzureFolder, name: str, place: str
) -> None:
    put(landing, f"netflix_cast/{DAY}/x.csv")
    put(landing, f"netflix_titles/{DAY}/x.csv")
    upload(account, name)
    found = list_landing(landing, SOURCES)
    assert [d.source for d in found.deliveries] == ["netflix_titles"]
    (stray,) = found.strays
    assert stray.startswith(f"{landing}{place}: cannot be listed")
    assert stray.endswith("rename or delete that file")


def test_folders_written_as_files_of_no_bytes_are_no_files(account: Azurite, landing: AzureFolder) -> None:
    for name in ("netflix_cast", f"netflix_cast/{DAY}"):
        upload(account, name, b"", metadata={"hdi_isfolder": "true"})
    assert list_landing(landing, SOURCES) == Listing()
    put(landing, f"netflix_cast/{DAY}/x.csv")
    found = list_landing(landing, SOURCES)
    assert [len(d.files) for d in found.deliveries] == [1]
    assert found.strays == ()


# Files that are being written, replaced or held


def test_a_file_of_no_bytes_waits_and_is_not_part_of_its_delivery(account: Azurite, landing: AzureFolder) -> None:
    name = f"netflix_cast/{DAY}/x.csv"
    upload(account, name, b"")
    found = list_landing(landing, SOURCES)
    assert (found.deliveries, found.waiting) == ((), (f"{landing}/{name}",))
    assert delivery_at(landing, CAST, DAY) is None
    put(landing, name)
    found = list_landing(landing, SOURCES)
    assert ([d.date for d in found.deliveries], found.waiting) == ([DAY], ())


def test_blocks_that_are_uploaded_and_not_committed_are_not_there(account: Azurite, landing: AzureFolder) -> None:
    from azure.storage.blob import BlobBlock, BlobClient

    with BlobClient(account.blob_url, "landing", f"netflix_cast/{DAY}/x.csv", credential=KEY) as blob:
        blob.stage_block("YQ==", b"half")
        half = list_landing(landing, SOURCES)
        blob.commit_block_list([BlobBlock("YQ==")])
    assert half == Listing()
    assert [d.date for d in list_landing(landing, SOURCES).deliveries] == [DAY]


def test_a_file_replaced_by_one_of_the_same_size_is_another_delivery(landing: AzureFolder) -> None:
    prints = []
    for text in ("one", "two", "two"):
        put(landing, f"netflix_cast/{DAY}/x.csv", text)
        prints.append(list_landing(landing, SOURCES).fingerprint)
    assert len(set(prints)) == 3
    assert list_landing(landing, SOURCES).fingerprint == prints[-1]


def test_a_file_is_landed_whole_and_replaces_one_of_its_name(landing: AzureFolder, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    for size in (10, 3):
        file.write_text("x" * size)
        target = land(landing, file, CAST, DAY)
    assert str(target) == f"{landing}/netflix_cast/{DAY}/x.csv"
    assert read(target) == b"xxx"
    with pytest.raises(ValueError, match="write it as YYYY-MM-DD"):
        land(landing, file, CAST, "..")


def test_a_leased_file_is_read_but_not_replaced(account: Azurite, landing: AzureFolder, tmp_path: Path) -> None:
    from azure.storage.blob import BlobClient

    name = f"netflix_cast/{DAY}/x.csv"
    put(landing, name, "old")
    (tmp_path / "x.csv").write_text("new")
    with BlobClient(account.blob_url, "landing", name, credential=KEY) as blob:
        lease = blob.acquire_lease(-1)
        try:
            (delivery,) = list_landing(landing, SOURCES).deliveries
            with pytest.raises(StorageError, match=rf"{name}: somebody holds a lease.*was not landed"):
                land(landing, tmp_path / "x.csv", CAST, DAY)
            assert read(landing / name) == b"old"
            assert delivery_at(landing, CAST, DAY) == delivery
        finally:
            lease.release()
    land(landing, tmp_path / "x.csv", CAST, DAY)
    assert read(landing / name) == b"new"


# The watermark


def test_a_mark_stands_until_something_young_changes_or_everything_is_due(landing: AzureFolder) -> None:
    put(landing, "netflix_cast/2019-01-01/x.csv")
    put(landing, f"netflix_cast/{DAY}/x.csv")
    mine = {"netflix_cast": CAST}
    mark = Watermark.of(list_landing(landing, SOURCES), NOW)
    assert mark.since == "2020-01-01"
    assert mark.stands(landing, mine, NOW + 1)
    assert not mark.stands(landing, mine, NOW + EVERYTHING_EVERY)
    assert not mark.stands(landing, mine, NOW - 1)
    put(landing, "netflix_cast/2019-01-01/x.csv", "replaced")
    assert mark.stands(landing, mine, NOW + 1)
    for place in (f"netflix_cast/{DAY}/x.csv", f"netflix_cast/{DAY}/y.csv", "netflix_cast/2020-03-01/x.csv"):
        put(landing, place, "changed")
        assert not mark.stands(landing, mine, NOW + 1)
        mark = Watermark.of(list_landing(landing, SOURCES), NOW)
        assert mark.stands(landing, mine, NOW + 1)


def test_a_date_in_the_future_does_not_hide_what_comes_today(landing: AzureFolder) -> None:
    put(landing, "netflix_cast/2999-01-01/x.csv")
    put(landing, f"netflix_cast/{DAY}/x.csv")
    mark = Watermark.of(list_landing(landing, SOURCES), NOW)
    assert mark.since < DAY
    put(landing, "netflix_cast/2020-02-02/x.csv")
    assert not mark.stands(landing, {"netflix_cast": CAST}, NOW)


def test_the_mark_of_an_empty_folder_is_before_every_date(landing: AzureFolder) -> None:
    mark = Watermark.of(Listing(), NOW)
    assert mark.stands(landing, {"netflix_cast": CAST}, NOW)
    put(landing, "netflix_cast/1997-01-01/x.csv")
    assert not mark.stands(landing, {"netflix_cast": CAST}, NOW)


def test_a_look_at_young_deliveries_does_not_list_the_old(account: Azurite, landing: AzureFolder) -> None:
    for year in range(1900, 2020):
        put(landing, f"netflix_cast/{year}-01-01/x.csv")
    mine = {"netflix_cast": CAST, "netflix_titles": SOURCES.sources["netflix_titles"]}
    with requests_counted(account) as counter:
        found = blobs.list_since(landing, mine, "2018-06-01")
        requests = counter.take()
    assert [d.date for d in found.deliveries] == ["2019-01-01"]
    assert len(requests) == 2
    assert all("startFrom" in request for request in requests)
    assert YOUNG_DAYS < 365


def test_a_file_where_the_folder_of_a_source_should_be_hides_only_that_source(
    account: Azurite, landing: AzureFolder
) -> None:
    """With a hierarchical namespace, to list below a file is an error. It may not stop the tick for other sources."""
    put(landing, "netflix_cast")
    put(landing, f"netflix_titles/{DAY}/x.csv")
    with faulty(account.blob_port) as door, in_use({"AZURE_STORAGE_ENDPOINT": f"{door.url}/{ACCOUNT}"}):
        door.fault("misplaced", "GET .*prefix=netflix_cast(%2F|/)")
        found = deliveries_at(landing, SOURCES, [("netflix_cast", DAY), ("netflix_titles", DAY)])
        assert [delivery.source for delivery in found.deliveries] == ["netflix_titles"]
        assert found.strays == (f"{landing}/netflix_cast: a file where a folder should be",)
        door.mend()
        door.fault("misplaced", "GET .*prefix=netflix_titles")
        with pytest.raises(StorageError, match="ResourceTypeMismatch"):  # it is something else, so it is told
            deliveries_at(landing, SOURCES, [("netflix_titles", DAY)])
