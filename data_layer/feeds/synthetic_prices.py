"""Synthetic prices: seeded, free of arbitrage between crosses, with volatility that comes and goes.

Each currency has a log value in US dollars that follows a random walk; a pair is the difference of two of them, so
EUR/JPY always agrees with EUR/USD and USD/JPY. Volatility is a slowly mean-reverting factor (an Ornstein-Uhlenbeck
process of its logarithm) times the hour of the day; spreads widen with volatility and around 17:00 New York. Quotes
come as a Poisson process. Same seed, same start, same instruments: same quotes.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np

from atrader.clock import NS_PER_S, utc_from_ns
from atrader.configuration.fleet import SyntheticMarket
from atrader.instruments import Instrument
from atrader.market import Tick

_REFERENCE_USD: Mapping[str, float] = {
    "EUR": 1.10, "GBP": 1.27, "AUD": 0.66, "NZD": 0.61, "CHF": 1.12, "CAD": 0.73, "JPY": 1 / 150.0,
    "XAU": 2300.0, "XAG": 27.0, "BTC": 60_000.0, "ETH": 3_000.0, "USD": 1.0, "USDT": 1.0,
}  # fmt: skip
_RELATIVE_VOLATILITY: Mapping[str, float] = {"XAU": 2.0, "XAG": 4.0, "BTC": 8.0, "ETH": 10.0, "USD": 0.0, "USDT": 0.0}
_SPREAD_PIPS: Mapping[str, float] = {"fx": 0.8, "metal": 3.0, "cfd": 2.0, "spot": 5.0, "linear": 2.0, "inverse": 2.0}
_YEAR_S = 252 * 24 * 3600.0  # seconds in which FX trades
_MEMORY_S = 1800.0  # time in which the volatility factor forgets
_WOBBLE = 0.4  # standard deviation of its logarithm
_NEW_YORK = ZoneInfo("America/New_York")


class SyntheticPrices:
    """Quotes of several instruments in the order of time.

    Parameters
    ----------
    settings : SyntheticMarket
        Seed, rate, volatility.
    instruments : sequence of Instrument
        What is quoted; a currency without a reference value starts at 1 US dollar.
    start_ns : int
        Time of the first possible quote, ns UTC.
    last_mids : mapping of str to float, optional
        Prices to go on from (a restarted data layer), by symbol.
    """

    def __init__(
        self,
        settings: SyntheticMarket,
        instruments: Sequence[Instrument],
        start_ns: int,
        last_mids: Mapping[str, float] | None = None,
    ) -> None:
        self._settings = settings
        self._instruments = {item.symbol: item for item in instruments}
        self._random = np.random.default_rng(settings.seed)
        currencies = sorted({code for item in instruments for code in (item.base, item.quote)})
        self._values = {code: math.log(_REFERENCE_USD.get(code, 1.0)) for code in currencies}
        self._moved_ns = dict.fromkeys(currencies, start_ns)
        self._factor = 0.0
        self._factor_ns = start_ns
        self._offsets: dict[str, float] = {}
        self._offsets = {
            symbol: math.log(last) - self._log_price(self._instruments[symbol])
            for symbol, last in (last_mids or {}).items()
            if symbol in self._instruments and last > 0
        }
        self._due = [(start_ns + self._wait_ns(), symbol) for symbol in self._instruments]
        heapq.heapify(self._due)

    def until(self, time_ns: int) -> list[Tick]:
        """Return the quotes up to and including a time, oldest first."""
        ticks = []
        while self._due and self._due[0][0] <= time_ns:
            due_ns, symbol = self._due[0]
            ticks.append(self._quote(self._instruments[symbol], due_ns))
            heapq.heapreplace(self._due, (due_ns + self._wait_ns(), symbol))
        return ticks

    @property
    def next_ns(self) -> int:
        """Time of the next quote."""
        return self._due[0][0]

    def _wait_ns(self) -> int:
        return max(1, int(self._random.exponential(1.0 / self._settings.ticks_per_second) * NS_PER_S))

    def _quote(self, instrument: Instrument, time_ns: int) -> Tick:
        activity = self._activity(time_ns)
        for code in (instrument.base, instrument.quote):
            self._move(code, time_ns, activity)
        mid = math.exp(self._log_price(instrument))
        pips = _SPREAD_PIPS[instrument.kind] * math.exp(0.5 * self._factor) * self._spread_factor(time_ns)
        spread = max(
            float(instrument.price_tick), pips * float(instrument.pip) * float(self._random.gamma(8.0, 1 / 8.0))
        )
        tick = float(instrument.price_tick)
        digits = max(0, -instrument.price_tick.as_tuple().exponent)  # type: ignore[operator]
        bid = round(round((mid - spread / 2) / tick) * tick, digits)
        ask = round(max(round((mid + spread / 2) / tick), round(bid / tick) + 1) * tick, digits)
        return Tick(instrument.symbol, time_ns, time_ns, bid, ask)

    def _log_price(self, instrument: Instrument) -> float:
        offset = self._offsets.get(instrument.symbol, 0.0)
        return self._values[instrument.base] - self._values[instrument.quote] + offset

    def _move(self, code: str, time_ns: int, activity: float) -> None:
        elapsed_s = (time_ns - self._moved_ns[code]) / NS_PER_S
        if elapsed_s <= 0:
            return
        self._moved_ns[code] = time_ns
        relative = _RELATIVE_VOLATILITY.get(code, 1.0)
        deviation = self._settings.volatility_frac * relative * activity * math.sqrt(elapsed_s / _YEAR_S)
        self._values[code] += deviation * float(self._random.standard_normal())

    def _activity(self, time_ns: int) -> float:
        """Volatility now over its long-run level: the slow factor times the hour (London and New York are busier)."""
        elapsed_s = (time_ns - self._factor_ns) / NS_PER_S
        if elapsed_s > 0:
            self._factor_ns = time_ns
            kept = math.exp(-elapsed_s / _MEMORY_S)
            noise = float(self._random.standard_normal())
            self._factor = self._factor * kept + _WOBBLE * math.sqrt(1 - kept * kept) * noise
        hour = time_ns / NS_PER_S / 3600 % 24
        daily = 1.0 + 0.3 * math.exp(-((hour - 14.0) ** 2) / 18.0) - 0.2 * math.exp(-((hour - 23.0) ** 2) / 8.0)
        return math.exp(self._factor) * daily

    @staticmethod
    def _spread_factor(time_ns: int) -> float:
        local = utc_from_ns(time_ns).astimezone(_NEW_YORK)
        minutes = abs((local.hour * 60 + local.minute) - 17 * 60)
        return 1.0 + 4.0 * math.exp(-minutes / 10.0)
