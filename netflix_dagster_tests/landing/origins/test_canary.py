"""No secret of an origin is told or kept, whichever kind of origin fails in whichever way: one is planted in each."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
import stamina

from netflix_dagster.azure import redaction
from netflix_dagster.defs.origins import origin_assets, origin_key
from netflix_dagster.defs.resources import Lake
from netflix_dagster.landing.sources import SourcesError, load_sources
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.landing.origins.server import Asked, Server, serving
from netflix_dagster_tests.tables.test_generic import sources_with

CANARY = "c4nary/S3cret+Value=="
"""Looks otherwise in a URL than in a header."""
FORMS = {CANARY, quote(CANARY, safe=""), quote(CANARY), "c4nary"}
PETS = b"name,legs\nRex,4\nMimi,4\n"
ENTRY = """
  {name}:
    feed: pets
    form: whole
    description: Pets
    files: "*"
    format: {format}
    columns:
      name: {{description: "What it is called", required: false}}
      legs: {{description: "How many legs it has", required: false}}
    origin: {origin}
"""


def origins(port: int, outside: Path) -> dict[str, str]:
    """An origin of every kind, each with the secret in all the places where it can have one."""
    here, said = f"http://127.0.0.1:{port}", quote(CANARY, safe="")
    return {
        "signed": f"{{url: '{here}/signed.csv?sig={said}&X-Amz-Signature={said}&code={said}', private: true}}",
        "by_header": f"{{url: '{here}/header.csv', private: true, token: 'env://CANARY'}}",
        "by_query": f"{{url: '{here}/query.csv', private: true, query: {{apikey: 'env://CANARY', x: 'y'}}}}",
        "nobody": f"{{url: 'http://127.0.0.1:1/gone.csv?token={said}', private: true, query: {{key: 'env://CANARY'}}}}",
        "kaggle": "{kaggle: owner/set, path: pets.csv, token: 'env://KAGGLE', private: true}",
        "in_git": f"{{git: '{here}/pets.git', path: pets.csv, private: true}}",
        "storage": f"{{storage: '{outside}/pets.csv'}}",
        "account": "{storage: 'abfss://c@nowhere.dfs.core.windows.net/pets.csv'}",
        "closed": "{database: 'env://CLOSED', table: pets}",
        "unknown": "{database: 'env://UNKNOWN', table: pets}",
        "garbage": "{database: 'env://CANARY', table: pets}",
    }


ENVIRONMENT = {
    "CANARY": CANARY,
    "KAGGLE": f"somebody:{CANARY}",
    "CLOSED": f"postgresql+psycopg2://reader:{quote(CANARY, safe='')}@127.0.0.1:1/shop",
    "UNKNOWN": f"mysql://reader:{quote(CANARY, safe='')}@127.0.0.1:1/shop?ssl_key={quote(CANARY, safe='')}",
}


def page(asked: Asked) -> None:
    """Repeats what it was asked, as pages of errors do."""
    asked.answer(f"<html>{asked.path} {asked.headers.get('Authorization')}</html>".encode(), 200)


def elsewhere(asked: Asked) -> None:
    asked.head(302, {"Location": f"http://localhost:1/x.csv?sig={quote(CANARY, safe='')}", "Content-Length": "0"})


ANSWERS = {
    "forbidden": lambda asked: asked.answer(asked.path.encode(), 403),
    "busy": lambda asked: asked.answer(asked.path.encode(), 503),
    "a page": page,
    "elsewhere": elsewhere,
    "cut short": lambda asked: asked.answer(PETS, length=10_000),
    "not HTTP": lambda asked: asked.send(f"what? {asked.path}\r\n".encode()),
}
"""How servers disappoint."""
PATHS = ("/signed.csv", "/header.csv", "/query.csv", "/api/owner/set/pets.csv")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as running, stamina.set_testing(True, attempts=2):
        monkeypatch.setattr("netflix_dagster.landing.origins.fetching._KAGGLE", running.url("/api"))
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        yield running


def test_no_secret_of_an_origin_is_told_or_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redaction, "_values", set())
    shell, home = Shell(tmp_path / "shell"), tmp_path / "home"
    shell.cwd.mkdir()
    home.mkdir()
    (tmp_path / "outside").mkdir()
    known = origins(server.port, tmp_path / "outside")
    formats = {name: "parquet" if "database" in origin else "csv" for name, origin in known.items()}
    said = [ENTRY.format(name=name, origin=origin, format=formats[name]) for name, origin in known.items()]
    own = sources_with("".join(said), tmp_path)
    settings = {"NETFLIX_SOURCES": own, **ENVIRONMENT}

    asked = [name for name in known if name != "account"]  # it takes a while to find out that there is none
    told = [shell.here("fetch", "account", **settings)]
    assert told[0].code == 1, told[0].err
    for answer in ANSWERS.values():
        server.answers.clear()
        server.answers.update(dict.fromkeys(PATHS, answer))
        (tmp_path / "outside" / "pets.csv").write_bytes(b"<html></html>")
        told.append(shell.here("fetch", *asked, "--json", **settings))
        assert {one["source"] for one in told[-1].json["failed"]} == set(asked), told[-1].err
        if answer in (page, elsewhere):
            materialized(own, asked, shell, home, monkeypatch)
    assert any(CANARY in str(asked.headers.get("Authorization")) for asked in server.asked), "it was used"
    told.append(shell.here("source", "check", **settings))
    told.append(shell.here("fetch", "in_git", "--history", **settings))

    for path in PATHS:
        server.file(path, PETS)
    (tmp_path / "outside" / "pets.csv").write_bytes(PETS)
    good = [name for name in known if name in ("signed", "by_header", "by_query", "kaggle", "storage")]
    told.append(shell.here("fetch", *good, "--json", **settings))
    assert {one["outcome"] for one in told[-1].json["fetched"]} == {"delivered"}, "the next day works"
    materialized(own, asked, shell, home, monkeypatch)
    told.append(shell.here("run", "--json", **settings))
    assert told[-1].json["tables"]["bronze.signed"]["rows"] == 2

    kept = {"stdout": "".join(one.out + one.err for one in told), "streams": "".join(capfd.readouterr())}
    for folder in (shell.cwd, home):
        kept |= {str(file): _text(file) for file in folder.rglob("*") if file.is_file()}
    kept |= {name: "\n".join(rows) for name, rows in shell.contents().items()}
    assert any("event" in name or name.endswith(".db") for name in kept) and any("_origins" in name for name in kept)
    assert [(name, _around(text)) for name, text in kept.items() if any(form in text for form in FORMS)] == []


def materialized(own: Path, names: list[str], shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch all of them by Dagster, on an instance that keeps everything in files."""
    sources = load_sources(own)
    monkeypatch.setattr(Lake, "sources", sources)
    lake = Lake(landing=str(shell.landing), lake=str(shell.lake))
    assets = [asset for asset in origin_assets(sources) if asset.keys <= set(map(origin_key, names))]
    assert len(assets) == len(names)
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        done = dg.materialize(assets, resources={"lake": lake}, instance=instance, raise_on_error=False)
        assert not done.success


def _text(file: Path) -> str:
    """What a file holds; of a database all its rows, which lie on several pages."""
    if file.suffix != ".db":
        return file.read_bytes().decode("utf-8", "replace")
    with sqlite3.connect(file) as opened:
        return "\n".join(opened.iterdump())


def _around(text: str) -> str:
    place = min(text.find(form) for form in FORMS if form in text)
    return text[max(0, place - 150) : place + 50]


@pytest.mark.parametrize(
    "origin",
    [
        f"{{url: 'https://me:{quote(CANARY, safe='')}@example.org/pets.csv'}}",
        f"{{git: 'https://me:{quote(CANARY, safe='')}@example.org/pets.git', path: pets.csv}}",
        f"{{url: 'ftp://example.org/pets.csv?sig={quote(CANARY, safe='')}'}}",
        f"{{database: 'postgresql://me:{quote(CANARY, safe='')}@host/shop', table: pets}}",
        f"{{url: 'https://example.org/pets.csv', token: '{CANARY}'}}",
        f"{{git: 'https://example.org/pets.git?access_token={quote(CANARY, safe='')}', path: pets.csv}}",
        f"{{storage: 'abfss://c@account.dfs.core.windows.net/pets.csv?sig={quote(CANARY, safe='')}'}}",
        f"{{url: 'https://example.org/pets.csv?sig={quote(CANARY, safe='')}', table: pets}}",
    ],
)
def test_a_secret_where_none_belongs_is_refused_and_not_repeated(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SourcesError) as refused:
        load_sources(sources_with(ENTRY.format(name="pets", format="csv", origin=origin), tmp_path))
    shown = "".join(traceback.format_exception(refused.value))
    assert not any(form in shown for form in FORMS), shown
