"""Places: what a text names, how places are joined, and what is done to files in both kinds of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from netflix_dagster import storage
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder, Place, PlaceError, StorageError, at
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite

URL = "abfss://{zone}@someaccount.dfs.core.windows.net"
NAMES = (
    "a b.csv",
    "a%20b.csv",
    "100%.csv",
    "x#1?.csv",
    "a+b&c=d.csv",
    "ünï-日本.csv",
    "e\u0301.csv",
    "q'uo\"te.csv",
    "~t",
)
"""What people call files; a URL would have another meaning for much of it."""


@pytest.fixture(params=["folder", "adls"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        (tmp_path / "s").mkdir()
        return tmp_path / "s"
    lake: AzureFolder = request.getfixturevalue("lake")
    return lake / "bronze" / "s"


def test_a_text_names_a_path_or_a_folder_in_adls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert at("data/lake") == tmp_path / "data" / "lake"
    assert at("~/lake") == Path.home() / "lake"
    assert at("abfss://c@acc.dfs.core.windows.net") == AzureFolder("acc", "c")
    assert at("abfss://c@acc.dfs.core.windows.net/a b/c%20d/") == AzureFolder("acc", "c", "a b/c%20d")
    for text in (URL, f"{URL}/x/y", "abfss://c@acc.dfs.core.windows.net/a#b?c"):
        assert str(at(text)) == text
        assert at(at(text)) == at(text)


@pytest.mark.parametrize(
    "text", ["s3://bucket/x", "abfss://c.dfs.core.windows.net/x", "https://acc.blob.core.windows.net"]
)
def test_another_url_is_no_place(text: str) -> None:
    with pytest.raises(PlaceError, match="write abfss://container@account"):
        at(text)


def test_each_zone_of_a_lake_is_a_container() -> None:
    lake = at(f"{URL}/of/mine")
    assert str(lake / "gold" / "dim_title") == "abfss://gold@someaccount.dfs.core.windows.net/of/mine/dim_title"
    assert str(lake / "quality" / "results") == "abfss://quarantine@someaccount.dfs.core.windows.net/of/mine/results"
    assert str(at(URL) / "_staging" / "x") == "abfss://checkpoints@someaccount.dfs.core.windows.net/_staging/x"
    one = at("abfss://lake@someaccount.dfs.core.windows.net")
    assert str(one / "quality" / "x") == "abfss://lake@someaccount.dfs.core.windows.net/quality/x"


def test_azure_needs_an_account_a_tenant_and_a_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETFLIX_LANDING", "NETFLIX_LAKE"):  # make sets them
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETFLIX_ENV", "azure")
    monkeypatch.setenv("NETFLIX_VAULT", "vault")
    with pytest.raises(ValueError, match=r"NETFLIX_ENV=azure also needs NETFLIX_ACCOUNT, NETFLIX_TENANT: "):
        Settings()
    monkeypatch.setenv("NETFLIX_ACCOUNT", "someaccount")
    monkeypatch.setenv("NETFLIX_TENANT", "tenant")
    settings = Settings()
    assert str(settings.landing) == "abfss://landing@someaccount.dfs.core.windows.net"
    assert str(settings.lake) == URL
    monkeypatch.setenv("NETFLIX_LAKE", "here")
    assert (Settings().lake, Settings().landing) == (Path.cwd() / "here", settings.landing)
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_lakes_in_adls_have_a_home_each(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    homes = {Settings(lake=at(text)).dagster_home for text in (URL, f"{URL}/a", URL.replace("some", "other"))}
    assert len(homes) == 3
    assert {home.parent for home in homes} == {tmp_path / "data" / ".dagster"}
    assert Settings(lake=tmp_path).dagster_home == tmp_path / ".dagster"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_keeps_its_name_and_bytes(place: Place, name: str) -> None:
    file = place / name
    storage.write(file, name.encode())
    assert storage.read(at(str(file))) == name.encode()
    assert storage.size(file) == len(name.encode())
    assert storage.is_file(file)
    assert [(found.path, found.size) for found in storage.stored(place)] == [(name, len(name.encode()))]


def test_folders_are_listed_and_removed(place: Place) -> None:
    assert storage.folders(place) == []
    for folder in ("b", "a b"):
        storage.write(place / folder / "x", b"1")
    storage.write(place / "file", b"")
    assert storage.folders(place) == ["a b", "b"]
    assert storage.holds_any(place / "b")
    storage.remove(place / "b")
    storage.remove(place / "never was")
    assert storage.folders(place) == ["a b"]
    assert not storage.holds_any(place / "b")
    assert storage.read(place / "a b" / "x") == b"1"


def test_a_file_that_is_not_there_is_said_to_be_so(place: Place) -> None:
    assert not storage.is_file(place / "x")
    with pytest.raises(FileNotFoundError):
        storage.read(place / "x")
    with pytest.raises(FileNotFoundError):
        storage.size(place / "x")


def test_a_container_that_is_not_there_is_named(account: Azurite) -> None:
    nowhere = AzureFolder(ACCOUNT, "nowhere", "x")
    for ask in (storage.read, storage.folders, storage.holds_any, storage.remove, lambda p: storage.write(p, b"")):
        with pytest.raises(StorageError, match="ContainerNotFound") as raised:
            ask(nowhere)
        assert str(nowhere) in str(raised.value)
        assert "'nowhere'" in str(raised.value)


@pytest.mark.parametrize("lake", ["/Volumes/main/netflix/lake", "/dbfs/lake", "/mnt/lake"])
def test_a_lake_where_databricks_cannot_commit_is_refused_at_load(lake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(Settings(lake=lake).lake) == lake, "on a laptop it is a folder as any other"
    with pytest.raises(ValueError, match=f"NETFLIX_LAKE is {lake}, where no lake can be"):
        Settings(lake=lake, compute="databricks")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    with pytest.raises(ValueError, match="Nothing was read or written"):
        Settings(lake=lake)
    assert Settings(lake="abfss://lake@account.dfs.core.windows.net", landing="/Volumes/main/netflix/landing")
