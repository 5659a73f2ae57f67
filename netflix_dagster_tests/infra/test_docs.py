"""The documents: each link leads somewhere, each make target and file that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netflix_dagster
from netflix_dagster_tests.infra.test_workflows import TARGETS

ROOT = Path(netflix_dagster.__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/**/*.md")])
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    return FENCED.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The headings of a document as GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if "://" in link or link.startswith("mailto:"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_is_named_is_there(path: Path) -> None:
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)`", path.read_text()))
    assert named <= TARGETS


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "docs/deploy.md"])
def test_the_files_that_people_are_sent_to_are_there(name: str) -> None:
    text = prose(ROOT / name)
    paths = re.findall(r"`((?:netflix_dagster|netflix_dagster_tests|infra|docs|\.github|\.ci)/[\w./-]+)`", text)
    assert paths
    for path in paths:
        assert list(ROOT.glob(path.replace("STACK", "*"))), path
