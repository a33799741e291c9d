"""Prices that move by themselves: a random walk by a seed, and minutes of it as history."""

from __future__ import annotations

import asyncio
import math
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from tests.oanda_simulator.candle_store import Columns
from tests.oanda_simulator.hours import Hours, is_open
from tests.oanda_simulator.instruments import Spec
from tests.oanda_simulator.values import NS_PER_S

if TYPE_CHECKING:
    from tests.oanda_simulator.simulator import OandaSimulator

_MINUTE_NS: Final = 60 * NS_PER_S
_PER_MINUTE: Final = 4
_STEP: Final = 1e-4 / math.sqrt(_PER_MINUTE)  # relative movement of a minute: one basis point
_PULL: Final = 1e-5  # towards the first price, so that years of it stay where prices belong
_USD: Final = "USD"


def load_history(simulator: OandaSimulator, seed: int, days: float, hours: Hours) -> None:
    """Give every instrument minutes of the last days that lead to its present price."""
    now = simulator.clock.now()
    end = now - now % _MINUTE_NS
    starts = np.arange(end - int(days * 86_400) * NS_PER_S // _MINUTE_NS * _MINUTE_NS, end, _MINUTE_NS, dtype=np.int64)
    if hours == "fx" and len(starts):
        starts = starts[_open_minutes(starts)]
    walks: dict[str, NDArray[np.float64]] = {}
    for number, spec in enumerate(simulator.venue.specs.values()):
        if not _is_cross(spec, simulator.venue.specs):
            noise = np.random.default_rng([seed, number]).normal(0.0, _STEP, len(starts) * _PER_MINUTE)
            path = np.cumsum(noise)
            walks[spec.name] = path - path[-1] if len(path) else path
    for number, spec in enumerate(simulator.venue.specs.values()):
        walk = walks.get(spec.name)
        if walk is None:
            walk = _leg(walks, spec.base) - _leg(walks, spec.quote)
        volumes = np.random.default_rng([seed, number, 1]).integers(20, 200, len(starts))
        simulator.venue.market.candles.load(spec.name, _minutes(spec, starts, walk, volumes))


def _is_cross(spec: Spec, specs: dict[str, Spec]) -> bool:
    """Return whether the price follows from those of its two currencies against the dollar."""
    pairs = ({f"{each}_{_USD}", f"{_USD}_{each}"} for each in (spec.base, spec.quote))
    return _USD not in {spec.base, spec.quote} and all(pair & specs.keys() for pair in pairs)


def _open_minutes(starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which minutes lie in the market's week: each hour is asked once, the hours of its edges by the minute."""
    hour_ns = 60 * _MINUTE_NS
    open_hours = {
        int(hour): (is_open(int(hour), "fx"), is_open(int(hour) + hour_ns - 1, "fx"))
        for hour in np.unique(starts - starts % hour_ns)
    }
    found = np.zeros(len(starts), np.bool_)
    for row, start in enumerate(starts.tolist()):
        first, last = open_hours[start - start % hour_ns]
        found[row] = first if first == last else is_open(start, "fx")
    return found


def _leg(walks: dict[str, NDArray[np.float64]], currency: str) -> NDArray[np.float64]:
    """Return the walk of a currency against the dollar."""
    direct = walks.get(f"{currency}_{_USD}")
    return direct if direct is not None else -walks[f"{_USD}_{currency}"]


def _minutes(spec: Spec, starts: NDArray[np.int64], walk: NDArray[np.float64], volumes: NDArray[np.int64]) -> Columns:
    mids = float(spec.start_price) * np.exp(walk.reshape(-1, _PER_MINUTE))
    bars = np.column_stack((mids[:, 0], mids.max(axis=1), mids.min(axis=1), mids[:, -1]))
    half = float(spec.spread) / 2
    digits = spec.display_precision
    return Columns(starts, np.round(bars - half, digits), np.round(bars + half, digits), volumes)


class MovingPrices:
    """Quotes every instrument again and again: those against the dollar walk, crosses follow from them."""

    def __init__(self, simulator: OandaSimulator, seed: int, every_s: float) -> None:
        self._simulator = simulator
        self._random = random.Random(seed)
        self._every_s = every_s
        self._logs = {
            name: 0.0 for name, spec in simulator.venue.specs.items() if not _is_cross(spec, simulator.venue.specs)
        }

    async def run(self) -> None:
        """Move until cancelled, while the market is open."""
        while True:
            await asyncio.sleep(self._every_s)
            if self._simulator.prices_move:
                self.step()

    def step(self) -> None:
        """Move every price once."""
        size = 1e-4 * math.sqrt(self._every_s / 60) * 3
        for name, value in self._logs.items():
            self._logs[name] = value * (1 - _PULL) + self._random.gauss(0.0, size)
        for spec in self._simulator.venue.specs.values():
            if self._simulator.venue.market.trades(spec.name):
                self._quote(spec, self._log_of(spec))

    def _log_of(self, spec: Spec) -> float:
        if spec.name in self._logs:
            return self._logs[spec.name]
        return self._dollars(spec.base) - self._dollars(spec.quote)

    def _dollars(self, currency: str) -> float:
        direct = self._logs.get(f"{currency}_{_USD}")
        return direct if direct is not None else -self._logs[f"{_USD}_{currency}"]

    def _quote(self, spec: Spec, log: float) -> None:
        mid = spec.start_price * Decimal(math.exp(log))
        half = spec.spread * Decimal(self._random.choice(("0.5", "0.5", "0.6", "0.8")))
        self._simulator.quote(spec.name, spec.price(mid - half), spec.price(mid + half))
