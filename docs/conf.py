"""The site of these documents: `make docs-site`. The same files are read on GitHub, so links are those of files."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = "https://github.com/{}/blob/main".format(os.environ.get("GITHUB_REPOSITORY", "OWNER/netflix-dagster"))
"""Where a reader finds what is not a document: code and files of the repository."""

project = "netflix_dagster"
release = subprocess.run(
    [sys.executable, "-m", "setuptools_scm", "--root", ROOT], capture_output=True, text=True, check=True
).stdout.strip()
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_title = f"netflix_dagster {release.partition('+')[0]}"
exclude_patterns = ["_build"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
suppress_warnings = ["misc.highlighting_failure", "myst.header"]  # `$ command` and SQL with options are no faults


def elsewhere(_app: Any, _document: str, source: list[str]) -> None:
    """Links out of this folder lead to the repository."""
    source[0] = source[0].replace("](../", f"]({SOURCE}/")


def setup(app: Any) -> None:
    app.connect("source-read", elsewhere)
