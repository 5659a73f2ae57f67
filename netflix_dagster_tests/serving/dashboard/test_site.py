"""The dashboard as files: written once, never half, with nothing in them that a browser takes for something else."""

from __future__ import annotations

import hashlib
import json
import re
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import dashboard
from netflix_dagster.serving.dashboard import lineage, site
from netflix_dagster.serving.dashboard.cards import CARDS, metrics
from netflix_dagster.serving.dashboard.titles import bucket
from netflix_dagster_tests.cli.conftest import built, first_run  # noqa: F401  the sample lake, built once
from netflix_dagster_tests.cli.shell import Shell

ABOUT = {"about": {"chunks": [], "metrics": {}, "cards": [], "versions": {}}}


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_script_holds_its_content_and_no_markup(content: object) -> None:
    said = site.script("name", content).decode()
    assert not set(said) & set("<>&\u2028\u2029")
    held = said.removeprefix('dashboard.take("name",').removesuffix(");\n")
    assert json.loads(held) == content


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    first = site.write(tmp_path, ABOUT)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert first.changed and len(stamps) == first.files
    assert not site.write(tmp_path, ABOUT).changed
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}


def test_an_open_page_keeps_its_files_until_the_build_after_next(tmp_path: Path) -> None:
    index, needed = tmp_path / site.INDEX, []
    for n in range(4):
        site.write(tmp_path, ABOUT | {"n": n})
        (data,) = re.findall(r'dashboard-data" content="([^"]+)"', index.read_text(encoding="utf-8"))
        needed.append(data)
        there = {path.name for path in tmp_path.glob("data-*")}
        assert there == set(needed[-2:])


def test_libraries_are_as_published() -> None:
    vendor = files("netflix_dagster.serving.dashboard") / "vendor"
    versions = json.loads((vendor / "versions.json").read_text(encoding="utf-8"))
    held = {file.name for file in vendor.iterdir() if file.name not in ("README.md", "LICENSE", "versions.json")}
    assert held == set(versions)
    for name, said in versions.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == said["sha256"], name


def test_the_policy_allows_no_network_and_no_evaluated_code(tmp_path: Path) -> None:
    site.write(tmp_path, ABOUT)
    page = (tmp_path / site.INDEX).read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy and "connect-src" not in policy and "unsafe" not in policy
    assert not re.search(r"https?://|\son\w+=|<script>(?!</)", page)
    hosted = json.loads((Path(__file__).parents[3] / "infra/dashboard/staticwebapp.config.json").read_text())
    assert hosted["globalHeaders"]["Content-Security-Policy"].startswith(policy)


def test_who_has_not_signed_in_gets_no_file_of_the_hosted_dashboard(tmp_path: Path) -> None:
    """Routes of Static Web Apps are tried from the top: only those of signing in come before the last."""
    hosted = json.loads((Path(__file__).parents[3] / "infra/dashboard/staticwebapp.config.json").read_text())
    site.write(tmp_path, ABOUT)
    made = [f"/{path.relative_to(tmp_path).as_posix()}" for path in tmp_path.rglob("*") if path.is_file()]

    def rule(address: str) -> Any:
        return next(route for route in hosted["routes"] if fnmatch(address, route["route"]))

    for address in ("/", *made):
        assert rule(address) == {"route": "/*", "allowedRoles": ["authenticated"]}, address
    assert rule("/.auth/login/aad")["allowedRoles"] == ["anonymous"], "else nobody could sign in"
    assert rule("/.auth/login/github") == {"route": "/.auth/login/github", "statusCode": 404}
    assert hosted["responseOverrides"]["401"] == {"redirect": "/.auth/login/aad", "statusCode": 302}
    (provider,) = hosted["auth"]["identityProviders"]
    registration = hosted["auth"]["identityProviders"][provider]["registration"]
    assert provider == "azureActiveDirectory" and "<tenant id>" in registration["openIdIssuer"]
    assert "navigationFallback" not in hosted, "a file that is not there is not the page: addresses are behind the #"


def test_every_card_is_followed_to_the_files() -> None:
    told = lineage.chunks(load_sources())["lineage"]
    tables, known = told["tables"], metrics()
    for card in CARDS:
        queue = [column for name in card.metrics for column in known[name]["columns"]] + list(card.columns)
        seen: set[str] = set()
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                table, column = name.rsplit(".", 1)
                queue += tables[table]["columns"][column]["from"]
        assert {name.rsplit(".", 1)[0] for name in seen} & set(told["files"]), f"{card.page}/{card.id} ends in no file"


def test_the_same_lake_gives_the_same_pages(built: Shell) -> None:  # noqa: F811
    lake, sources = built.cwd / "data" / "lake", load_sources()
    one, other = (dashboard.extract(lake, sources)[0] for _ in range(2))
    assert {name: site.script(name, one[name]) for name in one} == {
        name: site.script(name, other[name]) for name in other
    }
    index = one["titles"]
    assert set(index["key"]) == {key for n in range(index["buckets"]) for key in one[f"title-{n}"]}
    assert all(key in one[f"title-{bucket(key, index['buckets'])}"] for key in index["key"])
