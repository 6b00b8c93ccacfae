"""SECURITY.md names the tests that prove what it says: each has to exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)((?:::\w+)*)`", TEXT)))
# The items of ASVS 5.0 Level 2 that a test can prove.
WANTED = re.findall(
    r"\S+",
    """
    10.1.1 10.1.2 10.2.1 10.2.2 10.5.1 10.5.2 10.5.3 10.5.4 6.1.1 6.2.x 6.3.1 6.3.2
    6.3.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 3.3.1 3.3.3
    3.3.4 14.2.1 14.3.2 14.3.3 16.2.5 16.3.1 16.4.1 16.5.1 3.5.3 3.7.2 1.3.6 13.1.1
    13.2.4 13.2.5 13.2.3 13.3.1 13.4.2 13.4.5
    """,
)


@pytest.mark.parametrize(("file", "name"), NAMED, ids="".join)
def test_every_test_it_names_exists(file: str, name: str) -> None:
    path = next((path for path in (ROOT / "tests" / file, ROOT / file) if path.is_file()), None)
    assert path
    inside: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    for part in filter(None, name.split("::")):
        found = [one for one in ast.iter_child_nodes(inside) if getattr(one, "name", None) == part]
        assert found, f"{file} has no {part}"
        inside = found[0]


def test_every_item_has_its_line() -> None:
    table = TEXT.partition("## OWASP ASVS")[2]
    assert [item for item in WANTED if not re.search(rf"\b{re.escape(item)}\b", table)] == []
    assert "3.4.1–3.4.6" in table
