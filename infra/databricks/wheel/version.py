"""The version of the wheel: that of the project, and a mark of what is in it.

A cluster that has a version does not install the same one again: with another content there is another version.
"""

import hashlib
from pathlib import Path

from setuptools_scm import get_version

HERE = Path(__file__).resolve().parent
_files = sorted((HERE.parents[2] / "netflix_dagster").rglob("*"))
_digest = hashlib.sha256((HERE / "pyproject.toml").read_bytes())
for _file in _files:
    if _file.is_file() and "__pycache__" not in _file.parts:
        _digest.update(f"{_file.relative_to(HERE.parents[2])}\0".encode() + _file.read_bytes())

_of_git = get_version(HERE.parents[2], fallback_version="0.0.0", local_scheme="no-local-version")
__version__ = f"{_of_git}+{_digest.hexdigest()[:12]}"
