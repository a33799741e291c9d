"""The last price of each instrument."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from atrader.clock import NS_PER_S
from atrader.market import Tick
from atrader.messages.data import Price


class LastPrices:
    """Keeps the newest quote of each instrument; a quote older than it never replaces it.

    Attributes
    ----------
    counters : Counter of str
        ``taken older``.
    """

    def __init__(self) -> None:
        self._ticks: dict[str, Tick] = {}
        self.counters: Counter[str] = Counter()

    def put(self, tick: Tick) -> bool:
        """Take a quote; False when a newer one is known."""
        known = self._ticks.get(tick.instrument)
        if known is not None and tick.time_ns < known.time_ns:
            self.counters["older"] += 1
            return False
        self._ticks[tick.instrument] = tick
        self.counters["taken"] += 1
        return True

    def get(self, instrument: str) -> Tick | None:
        """Return the newest quote."""
        return self._ticks.get(instrument)

    def prices(self, instruments: Iterable[str], now_ns: int) -> tuple[Price, ...]:
        """Return the prices of some instruments (none named: of all); those without one are left out."""
        wanted = [self._ticks.get(symbol) for symbol in instruments or sorted(self._ticks)]
        return tuple(_price(tick, now_ns) for tick in wanted if tick is not None)


def is_sound(tick: Tick) -> bool:
    """Tell whether a quote can be one: finite positive prices, ask not below bid, a time."""
    return math.isfinite(tick.bid) and math.isfinite(tick.ask) and 0 < tick.bid <= tick.ask and tick.time_ns > 0


def _price(tick: Tick, now_ns: int) -> Price:
    """Make the answer; the age counts from the venue's time, so that a delayed stream shows."""
    age_s = max(0, now_ns - min(tick.time_ns, tick.received_ns)) / NS_PER_S
    return Price(
        instrument=tick.instrument,
        time_ns=tick.time_ns,
        received_ns=tick.received_ns,
        bid=tick.bid,
        ask=tick.ask,
        age_s=age_s,
    )
