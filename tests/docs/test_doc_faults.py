"""docs/what-happens-when.md says of each row which test shows it: the test has to be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "what-happens-when.md").read_text()
TESTS = {
    name: path
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def rows_with_a_test_column() -> list[tuple[str, list[str]]]:
    """Return what happens and the tests named for it, row by row."""
    found: list[tuple[str, list[str]]] = []
    columns: list[str] = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")] if line.startswith("|") else []
        if not cells:
            columns = []
        elif not columns:
            columns = [cell.strip() for cell in line.strip("|").split("|")]
        elif columns[-1] == "test" and not set(line) <= set("|- "):
            found.append((cells[0], re.findall(r"`(test_\w+)`", cells[-1])))
    return found


@pytest.mark.parametrize(("what", "names"), rows_with_a_test_column(), ids=lambda value: value if value else "")
def test_each_way_to_die_names_a_test_that_exists(what: str, names: list[str]) -> None:
    assert names, f"no test shows what happens when: {what}"
    assert set(names) <= TESTS.keys()


def test_the_page_has_all_its_rows() -> None:
    assert len(rows_with_a_test_column()) >= 20
