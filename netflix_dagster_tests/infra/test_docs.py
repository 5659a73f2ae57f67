"""The documents: each link leads somewhere, each make target and file that they name is there."""

from __future__ import annotations

import re
import subprocess
import sys
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


def test_the_index_lists_every_page_for_people_and_for_the_site() -> None:
    folder = ROOT / "docs"
    text = (folder / "index.md").read_text()
    pages = {path.stem for path in folder.glob("*.md")} - {"index"}
    listed = re.findall(r"^- \[.*?\]\(([\w-]+)\.md\)", text, re.MULTILINE)
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    of_site = [line for tree in trees for line in tree.splitlines() if re.fullmatch(r"[\w-]+", line)]
    assert sorted(listed) == sorted(of_site) == sorted(pages)
    decisions = (folder / "decisions" / "README.md").read_text()
    assert {path.name for path in folder.glob("decisions/0*.md")} == set(re.findall(r"\((0[\w-]+\.md)\)", decisions))


def test_the_pictures_of_the_architecture_show_the_rooms_that_there_are() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    said = re.findall(r"`(\w+)`", (ROOT / "CONTRIBUTING.md").read_text().partition("a room imports only")[2][:400])
    (drawn,) = [block for block in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL) if "storage --> azure" in block]
    order = list(dict.fromkeys(re.findall(r"\b([a-z]+)\b(?= -->|\n)", drawn)))
    assert order == said[: len(order)] and set(order) <= {path.name for path in (ROOT / "netflix_dagster").iterdir()}


@pytest.mark.soak
def test_the_site_is_made_without_a_warning(tmp_path: Path) -> None:
    """`make docs-site`: Sphinx finds every page, link and heading."""
    pytest.importorskip("sphinx", reason="the dependency group `site` is not installed: `make docs-site` installs it")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-b", "html"]
    ran = subprocess.run([*command, ROOT / "docs", tmp_path], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    made = (tmp_path / "deploy.html").read_text()
    assert "/blob/main/infra/access.yaml" in made and 'href="verify.html"' in made
