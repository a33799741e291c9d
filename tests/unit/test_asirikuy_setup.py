"""Everything that can be wrong with an instance of the library: one clear line each, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import ConfigError
from atrader.instruments import KNOWN
from atrader.strategy import Placement
from framework_bridge.abi.settings import Setting
from framework_bridge.parameters import AsirikuyParameters
from framework_bridge.setup import Setup, read_setup
from framework_bridge.strategy import AsirikuyStrategy
from tests.support.asirikuy import framework_files, standin_library

PRESET = "OPERATIONAL_MODE=1\nSTRATEGY_INSTANCE_ID=7\nSTRATEGY_TIMEFRAME=60\nMAX_OPEN_ORDERS=199\nMAX_SPREAD_PIPS=4\n"


class Home:
    """An installation that is right; a test makes one thing wrong."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.xml = framework_files(root / "asirikuy")
        self.preset = root / "one.set"
        self.preset.write_text(PRESET)
        self.values: dict[str, Any] = {
            "library": str(standin_library()), "framework_config": "asirikuy/AsirikuyConfig.xml", "preset": "one.set",
            "strategy_id": 29, "broker_name": "Helsinki", "reference_name": "UTC",
            "rates": [{"symbol": "EUR/USD", "timeframe": "1h", "bars": 100}],
        }  # fmt: skip
        self.placement = Placement(
            root, "bbs", 7, KNOWN["EUR/USD"], "1h", "USD", "gateway", is_live=True, instruments=KNOWN
        )

    def place(self, **values: object) -> None:
        self.placement = self.placement._replace(**values)  # type: ignore[arg-type]

    def rates(self, *entries: object) -> None:
        self.values["rates"] = list(entries)

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def read(self) -> Setup:
        return read_setup(AsirikuyParameters.model_validate(self.values), self.placement)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _bad_library(home: Home, content: bytes) -> None:
    path = home.root / "bad.so"
    path.write_bytes(content)
    home.values["library"] = "bad.so"


WRONG: dict[str, tuple[Callable[[Home], object], str]] = {
    "no library": (lambda home: home.values.update(library="no.so"), r"no\.so: cannot be read"),
    "a Windows library": (lambda home: _bad_library(home, b"MZ" + bytes(100)), "it is a Windows library"),
    "a library for another machine": (
        lambda home: _bad_library(home, b"\x7fELF\x02\x01" + bytes(10) + b"\x03\x00\xb7\x00" + bytes(60)),
        "built for 64-bit aarch64",
    ),
    "half a library": (
        lambda home: _bad_library(home, standin_library().read_bytes()[:9000]),
        "it is not whole: 9000 bytes of .* copy it",
    ),
    "no preset": (lambda home: home.values.update(preset="no.set"), r"no\.set: cannot read the preset"),
    "a random instance id": (
        lambda home: home.change(home.preset, "INSTANCE_ID=7", "INSTANCE_ID=-1"),
        r"one\.set: STRATEGY_INSTANCE_ID: expected 7, this instance's magic; -1",
    ),
    "the instance id of another": (
        lambda home: home.change(home.preset, "INSTANCE_ID=7", "INSTANCE_ID=8"), "8 is not this instance's magic, 7"
    ),
    "another timeframe": (
        lambda home: home.change(home.preset, "TIMEFRAME=60", "TIMEFRAME=15"), "15 minutes, but rates.0. has 1h"
    ),
    "too few arrays for the strategy": (
        lambda home: home.preset.write_text(PRESET + "SECTION_3=own\nAUTOBBS_TREND_MODE=18\n"),
        "parameters.rates: strategy 29 reads indices 2 .* the library ends its process",
    ),
    "no rows for results": (
        lambda home: home.change(home.preset, "ORDERS=199", "ORDERS=0"), "number of rows for results"
    ),
    "a setting that the library refuses": (
        lambda home: home.preset.write_text(PRESET + "TIMED_EXIT_BARS=-2\n"), "TIMED_EXIT_BARS: expected 0 or more"
    ),
    "no framework configuration": (
        lambda home: home.values.update(framework_config="no.xml"), r"no\.xml: cannot be read"
    ),
    "an empty element": (
        lambda home: home.change(home.xml, "<EnableEquityLog>0<", "<EnableEquityLog><"),
        "EnableEquityLog: is empty, and crashes the library's parser: '0' would do",
    ),
    "XML that is none": (lambda home: home.xml.write_text("<AsirikuyConfig>"), "is no whole XML"),
    "no file of clocks": (
        lambda home: home.change(home.xml, "broker-tz.csv", "none.csv"), r"none\.csv: cannot be read"
    ),
    "an unknown clock": (
        lambda home: home.values.update(broker_name="helsinki"), r"broker_name: there is no row 'helsinki'.*Helsinki"
    ),
    "bars of an unknown instrument": (
        lambda home: home.rates({"symbol": "EUR/XYZ", "timeframe": "1h", "bars": 9}), "unknown instrument 'EUR/XYZ'"
    ),
    "bars of seconds": (
        lambda home: home.rates({"symbol": "EUR/USD", "timeframe": "30s", "bars": 9}), "expected whole minutes"
    ),
    "a timeframe at which bars would be skipped": (
        lambda home: home.rates(home.values["rates"][0], {"symbol": "EUR/USD", "timeframe": "15m", "bars": 9}),
        "timeframe: the library has to be called at each bar that it is passed, of 15m here.*write '15m', was '1h'",
    ),
    "bars of another instrument at the first index": (
        lambda home: home.rates({"symbol": "GBP/USD", "timeframe": "1h", "bars": 9}),
        r"rates\[0\].symbol: expected EUR/USD, the instrument that is traded, was 'GBP/USD'",
    ),
    "more patience with time servers than with a call": (
        lambda home: home.change(home.xml, "<Timeout>100<", "<Timeout>5000<"),
        r"a call may wait 5 s for time servers, and parameters.call_deadline = 2 s ends the worker: write 1600 or less",
    ),
    "a session in the worker": (lambda home: home.place(session="worker"), "session = 'gateway'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_line_before_the_library_is_loaded(what: str, home: Home) -> None:
    spoil, says = WRONG[what]
    spoil(home)
    with pytest.raises(ConfigError, match=says) as refused:
        home.read()
    assert len(str(refused.value).splitlines()) == 1


def test_all_that_is_wrong_is_said_at_once(home: Home) -> None:
    home.values.update(library="no.so", broker_name="nobody")
    home.preset.write_text("STRATEGY_INSTANCE_ID=-1\n")
    with pytest.raises(ConfigError) as refused:
        home.read()
    assert len(str(refused.value).splitlines()) == 3


def test_a_pair_that_no_instrument_converts_into_the_accounts_currency_is_refused(home: Home) -> None:
    home.place(currency="PLN")
    with pytest.raises(ConfigError, match="no instrument converts EUR: define EUR/PLN"):
        AsirikuyStrategy(AsirikuyParameters.model_validate(home.values)).prepare(home.placement)


def test_spreads_become_prices_and_sizes_come_from_the_preset(home: Home) -> None:
    setup = home.read()
    assert setup.setting(Setting.MAX_SPREAD) == pytest.approx(4e-4)
    assert setup.setting(Setting.MAX_OPEN_ORDERS) == 199
    assert setup.setting(Setting.ORDERINFO_ARRAY_SIZE) == 200
    assert setup.setting(Setting.INTERNAL_STRATEGY_ID) == 29
    assert setup.setting(Setting.STRATEGY_INSTANCE_ID) == 7
    assert not setup.is_testing
    home.place(is_live=False)
    assert home.read().is_testing, "a replay knows no time servers"


def test_bars_above_an_hour_are_passed_as_hours_and_a_fifth_more_than_wanted(home: Home) -> None:
    home.rates(
        {"symbol": "EUR/USD", "timeframe": "1h", "bars": 100}, "", {"symbol": "EUR/USD", "timeframe": "1d", "bars": 10}
    )
    first, second, third = home.read().plans
    assert first is not None
    assert third is not None
    assert second is None
    assert (first.timeframe, first.rates.bars_needed) == ("1h", 121)
    assert (third.timeframe, third.rates.bars_needed) == ("1h", 289)
    assert (third.rates.required_minutes, third.rates.actual_minutes) == (1440, 60)
    strategy = AsirikuyStrategy(AsirikuyParameters.model_validate(home.values))
    strategy.prepare(home.placement._replace(currency="GBP"))
    assert [tuple(one) for one in strategy.other_series] == [
        ("EUR/USD", "1h", 289), ("EUR/GBP", "", 0), ("GBP/USD", "", 0)
    ]  # fmt: skip
    assert strategy.warmup_bars == 289
