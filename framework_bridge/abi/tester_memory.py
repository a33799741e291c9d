"""The memory of one run of the tester: arrays, and arrays of their addresses."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import WallClock
from atrader.errors import ConfigError
from framework_bridge.abi.settings import Setting
from framework_bridge.abi.structures import RATES_ARRAYS, RATES_INFO
from framework_bridge.abi.tester_structures import TEST_SETTINGS, TESTER_RATES
from framework_bridge.abi.tester_values import CTesterSystem


class TesterMemory:
    """Everything that a portfolio test reads; it must live until the test ends.

    Parameters
    ----------
    systems : sequence of CTesterSystem
        At least one.
    clock : WallClock
        The broker's.

    Raises
    ------
    ConfigError
        When bars of the systems do not belong together, or two have the same number.
    """

    def __init__(self, systems: Sequence[CTesterSystem], clock: WallClock) -> None:
        self._kept: list[object] = []
        _require_distinct(systems)
        self.candles = _candles(systems)
        self.settings = self._addresses([self._keep(system.settings.copy()) for system in systems])
        self.accounts = self._addresses([self._keep(np.array(system.account, np.float64)) for system in systems])
        self.test_settings = np.array(
            [(system.spread, system.from_s, system.to_s, 0) for system in systems], TEST_SETTINGS
        )
        self.infos = self._addresses([self._keep(self._info(system)) for system in systems])
        self.rates = self._addresses([ctypes.addressof(self._rates(system, clock)) for system in systems])

    def _info(self, system: CTesterSystem) -> NDArray[Any]:
        infos = np.zeros(RATES_ARRAYS, RATES_INFO)
        for index, plan in enumerate(system.plans):
            if plan is not None:
                infos[index] = plan.info(plan.bars_needed)
        return infos

    def _rates(self, system: CTesterSystem, clock: WallClock) -> ctypes.Array[Any]:
        addresses: list[int | None] = [None] * RATES_ARRAYS
        for index, bars in enumerate(system.bars):
            if bars is not None:
                rows = np.zeros(len(bars), TESTER_RATES)
                for name in ("open", "high", "low", "close", "volume"):
                    rows[name] = getattr(bars, name)
                rows["time"] = clock.seconds(bars.open_time_ns)
                addresses[index] = self._keep(rows)
        return self._addresses(addresses)

    def _keep(self, array: NDArray[Any]) -> int:
        self._kept.append(array)
        return int(array.ctypes.data)

    def _addresses(self, values: Sequence[int | None]) -> ctypes.Array[Any]:
        array = (ctypes.c_void_p * len(values))(*values)
        self._kept.append(array)
        return array


def _require_distinct(systems: Sequence[CTesterSystem]) -> None:
    numbers = Counter(int(system.settings[Setting.STRATEGY_INSTANCE_ID]) for system in systems)
    for number, count in numbers.items():
        if count > 1:
            raise ConfigError(f"instance id {number} twice in one test: the library would run the first only")


def _candles(systems: Sequence[CTesterSystem]) -> int:
    every = [bars for system in systems for bars in system.bars if bars is not None]
    if not every or any(not system.bars or system.bars[0] is None for system in systems):
        raise ConfigError("a test needs bars for rates index 0 of every system")
    for system in systems:
        used = [bars is not None for bars in system.bars]
        if used != [plan is not None for plan in system.plans]:
            raise ConfigError(f"{system.symbol}: bars and plans must be for the same rates indices")
    first = every[0].open_time_ns
    if any(not np.array_equal(bars.open_time_ns, first) for bars in every):
        raise ConfigError("all bars of a test must have the same times: cut them to the common ones first")
    return len(first)
