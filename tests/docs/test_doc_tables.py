"""Tables in the documentation say what the program does."""

import pytest

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from tests.support.config_reference import duration_text, tables, type_text
from tests.support.doc_tables import DOCS, TABLES, blocks_in, pages, rewritten


@pytest.mark.parametrize("page", [page for page in pages() if blocks_in(page.read_text())], ids=lambda page: page.name)
def test_every_generated_block_is_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert rewritten(text) == text, f"run .venv/bin/python -P docs/generate.py for {page.relative_to(DOCS)}"


def test_every_table_stands_in_exactly_one_page():
    found = [name for page in pages() for name in blocks_in(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(TABLES)


def test_a_block_that_says_something_else_is_found_out():
    stale = "before\n<!-- table: exit-codes -->\n| 0 | it went badly |\n<!-- end -->\nafter\n"
    assert rewritten(stale) != stale
    assert rewritten(rewritten(stale)) == rewritten(stale)
    assert rewritten(stale).startswith("before\n<!-- table: exit-codes -->\n| code |")
    assert rewritten(stale).endswith("<!-- end -->\nafter\n")


@pytest.mark.parametrize("model", [FleetConfig, AccountConfig, InstanceConfig])
def test_every_key_of_the_configuration_has_a_meaning(model):
    rows = [line for part in tables(model) for line in part.splitlines() if line.startswith("| `")]
    assert len(rows) > 10
    assert not [row for row in rows if row.endswith("| |")]


def test_types_and_durations_are_written_as_in_the_files():
    burst = FleetConfig.model_fields["max_workers"]
    assert type_text(burst.annotation, tuple(burst.metadata)) == "integer > 0"
    window = InstanceConfig.model_fields["time_budget"]
    assert type_text(window.annotation, tuple(window.metadata)) == "duration"
    assert [duration_text(value) for value in (0.0, 0.25, 1.5, 60.0, 3600.0, 86400.0)] == [
        *("0s", "250ms", "1.5s", "1m", "1h", "1d")
    ]
