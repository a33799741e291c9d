"""An installation of the stand-in with one instance, called by hand as the adapter would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from atrader.broker_clock import WallClock, read_broker_clocks
from atrader.clock import parse_time
from atrader.market import Bars
from framework_bridge.abi.account import AccountInfo, Prices
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.library import FrameworkLibrary
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.settings import Setting, StrategyId, settings_array
from tests.support.asirikuy import ZONES, framework_files

WEDNESDAY_NS = parse_time("2024-06-12T12:00:00Z")
MINUTE_NS = 60 * 10**9
PRICES = Prices(1.1, 1.1002, 1.25, 1.26, 150.1, 150.2)
ACCOUNT = AccountInfo(1234567, 10_000.0, 10_100.0, 200.0, 50.0, 100_000.0, 0.0001, 50.0, -1.5, 3.0)
SIZES = {Setting.MAX_OPEN_ORDERS: 20.0, Setting.ORDERINFO_ARRAY_SIZE: 0.0}


def bars_until(last_ns: int, count: int, minutes: int = 60) -> Bars:
    """Return bars with prices that tell them apart, the last opening at a time."""
    times = last_ns - np.arange(count - 1, -1, -1, dtype=np.int64) * minutes * MINUTE_NS
    close = 1.1 + (times // (minutes * MINUTE_NS) % 97) * 1e-4
    ask = close + 2e-4
    low, high, volume = close - 3e-4, close + 5e-4, 100.0 + times // MINUTE_NS % 7
    return Bars(times, close - 1e-4, high, low, close, ask - 1e-4, high + 2e-4, low + 2e-4, ask, volume)


class Desk:
    """A loaded library with its files and one instance, in test mode unless said otherwise."""

    def __init__(self, folder: Path, library: Path, *, magic: int = 7, zone: str = "UTC", testing: bool = True) -> None:
        self.config = framework_files(folder / "home")
        self.temp = self.config.parent / "tmp"
        self.library = FrameworkLibrary(library)
        self.magic = magic
        self.zone = zone
        self.now_ns = WEDNESDAY_NS
        self.library.init_instance(magic, self.config, testing=testing)

    @property
    def clock(self) -> WallClock:
        return read_broker_clocks(ZONES, "broker-tz.csv")[self.zone].wall()

    def call(
        self,
        *,
        strategy: int = StrategyId.AUTOBBS,
        mode: int = 0,
        bars: Sequence[Bars] = (),
        common: Mapping[Setting, float] | None = None,
        additional: Mapping[int, float] | None = None,
        reference: str = "",
        plans: Sequence[RatesPlan] = (),
    ) -> StrategyCall:
        """Prepare a call with these arrays of hourly bars; without plans five bars of an hour are wanted of each."""
        given = bars or [bars_until(self.now_ns, 40)]
        settings = settings_array(
            {
                Setting.IS_BACKTESTING: 1,
                Setting.OPERATIONAL_MODE: 1,
                Setting.STRATEGY_INSTANCE_ID: self.magic,
                Setting.INTERNAL_STRATEGY_ID: strategy,
                **SIZES,
                **(common or {}),
            },
            {2: mode, **(additional or {})},
        )
        call = StrategyCall(
            settings,
            symbol="EURUSD",
            currency="USD",
            broker=self.zone,
            reference=reference or self.zone,
            clock=self.clock,
            plans=plans or [RatesPlan(5, 60, 60, 5)] * len(given),
        )
        for index, one in enumerate(given):
            call.set_bars(index, one)
        call.set_now(self.now_ns, PRICES, ACCOUNT)
        return call

    def run(self, call: StrategyCall) -> int:
        return self.library.run(call)
