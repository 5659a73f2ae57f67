"""Every stand-in that refuses says which page of the service's documentation it follows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REFUSES = re.compile(
    r"raise (invalid|missing|Refused|TsqlError|_denied)\b|Said\.json\(.*, ?[45]\d\d\)"
    r"|return _error\([45]\d\d|raise _?\w*[Rr]efus"
)
PAGE = re.compile(r'"[A-Z][^"]{2,}"|https://\S+|DOCUMENTED|documented \(|\[MS-[A-Z]+\]|documentation')
"""A page by its title, its address, or a table of them."""
REFUSING = [path for path in sorted(HERE.rglob("*.py")) if REFUSES.search(path.read_text()) and path.name != __file__]
REFUSING = [path for path in REFUSING if not path.name.startswith("test_")]


def test_there_are_stand_ins_that_refuse() -> None:
    assert {
        "keyvault.py",
        "entra.py",
        "powerbi.py",
        "specs.py",
        "rights.py",
        "catalog.py",
        "synapse_rights.py",
        "workflows.py",
    } <= {p.name for p in REFUSING}


@pytest.mark.parametrize("path", REFUSING, ids=lambda path: str(path.relative_to(HERE)))
def test_a_refusal_follows_a_page(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert PAGE.search(said), f"{path.name} refuses requests and does not say which documentation it follows"
