"""Whatever stands in an old file, its reader answers, names the file, and keeps what it understood."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from framework_bridge.legacy.broker_clocks import parse_old_clocks
from framework_bridge.legacy.conversion import OldFiles, Wish, convert
from framework_bridge.legacy.framework_xml import parse_framework_xml
from framework_bridge.legacy.monitor import parse_monitor
from framework_bridge.legacy.old_config import parse_old_config
from framework_bridge.legacy.old_text import decode
from framework_bridge.legacy.presets import parse_preset
from framework_bridge.legacy.virtual_trades import parse_virtual_trades
from tests.support.old_trader import CLOCKS, CONFIG, MONITOR, OPEN, PRESET, XML, tiny_db

pytestmark = pytest.mark.property

_CHARACTERS = st.text(st.characters(codec="utf-8"), max_size=30)


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """Return a file with some pieces cut out, doubled, or overwritten."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(
            st.one_of(_CHARACTERS, st.just(text[start:end] * 2), st.sampled_from(["\n", "=", ";", "<", "\x00"]))
        )
        text = text[:start] + piece + text[end:]
    return text


@given(damaged(PRESET))
def test_presets_never_fail(text: str) -> None:
    preset = parse_preset(text, "x.set")
    assert all(value == value and abs(value) != float("inf") for value in preset.values.values())
    assert all(finding.file == "x.set" and finding.line > 0 for finding in preset.findings)
    assert preset.settings.keys() <= set(range(64))


@given(st.binary(max_size=200))
def test_every_bytes_are_some_text_that_every_reader_takes(data: bytes) -> None:
    text = decode(data)
    parse_preset(text, "x")
    parse_old_config(text, "x")
    parse_framework_xml(text, "x")
    parse_old_clocks(text, "x")
    parse_monitor(text, "x")
    parse_virtual_trades(text, "x", "UTC", closed=True)


@given(damaged(XML))
def test_whatever_the_xml_was_what_is_written_holds_no_empty_element(text: str) -> None:
    written = parse_framework_xml(text, "x.xml").text()
    assert parse_framework_xml(written, "y.xml").findings == ()


@given(damaged(CLOCKS))
def test_clocks_never_fail_and_mending_them_twice_changes_nothing(text: str) -> None:
    once = parse_old_clocks(text, "tz.csv")
    again = parse_old_clocks(once.text, "tz.csv")
    assert again.text == once.text or not once.clocks


@settings(max_examples=40, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # three files shrink for minutes
@given(damaged(CONFIG), damaged(PRESET), damaged(MONITOR), st.booleans())
def test_a_plan_is_made_of_whatever_was_read_and_the_same_each_time(
    config: str, preset: str, monitor: str, paper: bool
) -> None:
    presets = {name: (parse_preset(preset, name), preset) for name in ("morning.set", "evening")}
    old = OldFiles(parse_old_config(config, "c"), presets, monitor=parse_monitor(monitor, "m"))
    plan = convert([old], Wish(paper=paper, library="/lib.so"))
    assert convert([old], Wish(paper=paper, library="/lib.so")).files == plan.files
    assert "etc/atrader.toml" in plan.files
    for path, text in plan.files.items():
        if ".toml" in path:
            tomllib.loads(text)


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    _CHARACTERS,
    st.lists(st.integers(), max_size=2),
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(OPEN[0])), _VALUES), max_size=4), st.booleans())
def test_rows_of_anything_are_a_trade_or_a_problem_each(rows: list[dict[str, Any]], closed: bool) -> None:
    trades, findings = parse_virtual_trades(json.dumps(rows), "o.json", "Europe/Madrid", closed=closed)
    assert len(trades) + len(findings) == len(rows)


@given(damaged(tiny_db(OPEN)))
def test_damaged_databases_never_fail(text: str) -> None:
    trades, _ = parse_virtual_trades(text, "o.json", "UTC", closed=False)
    assert all(trade.units > 0 and trade.open_price > 0 for trade in trades)
