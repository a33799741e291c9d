"""Loads what a backtest needs from the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar, Period
from atrader.clock import NS_PER_S, iso_from_ns
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.instruments import KNOWN, Instrument, known_instrument
from atrader.market import Bars, Quotes
from atrader.market_checks import long_gaps
from atrader.messages.series import SeriesInfo
from atrader.strategy import SignalStrategy, Strategy
from atrader.timeframes import Timeframe
from data_layer.bars import divides
from data_layer.offline import Market
from manager.backtests.request import Request
from research.events.plan import Plan, SeriesKey
from research.events.tape import BarTape, QuoteTape, Tape

TICKS: Final = "ticks"
_MINUTE: Final = Timeframe.parse("1m")
_WINDOW_NS: Final = 1_000_000_000  # quotes of one second are one step, as in a replay
_LISTED: Final = "'atrader data list' shows what is stored, 'data import' and 'data backfill' bring more"


def load_plan(
    request: Request, strategies: Iterable[tuple[InstanceConfig, Strategy]], fleet: FleetConfig, market: Market
) -> Plan:
    """Load bars and quotes.

    Parameters
    ----------
    strategies : iterable of (InstanceConfig, Strategy)
        Already prepared: what they look at besides their own bars is asked for here.

    Raises
    ------
    ConfigError
        When something that is needed is not stored for the period, or is no market.
    StoreError
        When the store cannot be read.
    """
    chosen = list(strategies)
    wanted = _series_of(chosen)
    symbols = {key.instrument for key in wanted}
    loader = _Loader(market, request, fleet)
    symbols |= _converting(symbols, request.account.currency, fleet, loader.stored)
    tapes = [loader.tape(symbol, wanted) for symbol in sorted(symbols)]
    series = {key: loader.history(key) for key in wanted if key.timeframe}
    whole = {config.name for config, strategy in chosen if _needs_whole(strategy)}
    missing = {
        SeriesKey(config.instrument, config.timeframe): loader.gaps(SeriesKey(config.instrument, config.timeframe))
        for config, _ in chosen
        if config.name in whole
    }
    return Plan(
        account=request.account,
        instances=chosen,
        instruments={**KNOWN, **fleet.instruments},
        calendar_of=_calendars(fleet),
        tapes=tapes,
        series=series,
        missing=missing,
        signals=request.signals,
    )


def _needs_whole(strategy: Strategy) -> bool:
    return isinstance(strategy, SignalStrategy) and strategy.needs_whole_warm_up


def _series_of(chosen: Iterable[tuple[InstanceConfig, Strategy]]) -> list[SeriesKey]:
    found: dict[SeriesKey, None] = {}
    for config, strategy in chosen:
        found[SeriesKey(config.instrument, config.timeframe)] = None
        if config.selection is not None:
            found[SeriesKey(config.instrument, config.selection.timeframe or config.timeframe)] = None
        for one in strategy.other_series:
            found[SeriesKey(one.instrument, one.timeframe if one.bars else "")] = None
    return list(found)


def _finest_wanted(symbol: str, wanted: Collection[SeriesKey]) -> Timeframe | None:
    frames = [Timeframe.parse(key.timeframe) for key in wanted if key.instrument == symbol and key.timeframe]
    return min(frames, key=lambda frame: frame.seconds, default=None)


def _calendars(fleet: FleetConfig) -> Callable[[str], Calendar]:
    known: dict[str, Calendar] = {}

    def calendar_of(symbol: str) -> Calendar:
        if symbol not in known:
            known[symbol] = fleet.calendar_of(symbol)
        return known[symbol]

    return calendar_of


def _converting(symbols: Collection[str], home: str, fleet: FleetConfig, stored: Collection[str]) -> set[str]:
    """Return the instruments that convert what is won into the account's currency.

    Raises
    ------
    ConfigError
        When none of them is stored.
    """
    found = set()
    for symbol in symbols:
        instrument: Instrument = known_instrument(symbol, fleet.instruments)
        pairs = (f"{instrument.quote}/{home}", f"{home}/{instrument.quote}")
        if instrument.quote == home or any(pair in symbols for pair in pairs):
            continue
        pair = next((one for one in pairs if one in stored), None)
        if pair is None:
            raise ConfigError(
                f"{symbol} is paid in {instrument.quote}, the account is in {home}: neither {pairs[0]} nor {pairs[1]}"
                f" is stored; {_LISTED}; or take an account in {instrument.quote} (--account)"
            )
        found.add(pair)
    return found


class _Loader:
    """Reads each series once, also where its bars are decided at and played."""

    def __init__(self, market: Market, request: Request, fleet: FleetConfig) -> None:
        self._market = market
        self._request = request
        self._fleet = fleet
        self._most_ns = int(request.max_gap_s * NS_PER_S)
        self._series = market.series()
        self.stored = {one.instrument for one in self._series}
        self._histories: dict[SeriesKey, Bars] = {}

    def history(self, key: SeriesKey) -> Bars:
        """Return the complete bars of a series up to the end of the period, warm-up included."""
        if key in self._histories:
            return self._histories[key]
        bars = self._read(key, None)
        if not len(bars):
            raise self._nothing(key.instrument, key.timeframe)
        self._histories[key] = bars
        return bars

    def _period_of(self, key: SeriesKey, wanted: Collection[SeriesKey]) -> Bars:
        """Return the bars of the period, out of the history where that is wanted, too."""
        start_ns = self._request.start_ns
        if key not in wanted:
            return self._read(key, start_ns)
        known = self.history(key)
        first = 0 if start_ns is None else int(np.searchsorted(known.open_time_ns, start_ns))
        return known[first:] if first else known

    def _read(self, key: SeriesKey, start_ns: int | None) -> Bars:
        end_ns = self._request.end_ns
        return self._market.bars(key.instrument, key.timeframe, start_ns=start_ns, end_ns=end_ns).sharing_one_price()

    def gaps(self, key: SeriesKey) -> list[tuple[int, int, int]]:
        """Return what is missing of a series."""
        answer = self._market.gaps(key.instrument, key.timeframe, None, self._request.end_ns)
        return [(gap.first_ns, gap.last_ns, gap.count) for gap in answer.gaps]

    def tape(self, symbol: str, wanted: Collection[SeriesKey]) -> Tape:
        """Return what is played of an instrument in the period; what strategies look at is not read twice."""
        if self._request.quotes == TICKS:
            return self._quote_tape(symbol)
        frame = self._frame_of(symbol, _finest_wanted(symbol, wanted))
        bars = self._period_of(SeriesKey(symbol, frame.name), wanted)
        if not len(bars):
            raise self._nothing(symbol, frame.name)
        tape = BarTape(symbol, bars, frame.ns)
        self._check_whole(symbol, frame, bars.open_time_ns)
        return tape

    def _nothing(self, symbol: str, timeframe: str) -> ConfigError:
        """Say that nothing is stored for the period, and what there is instead."""
        what = "quotes" if timeframe == TICKS else f"{timeframe} bars"
        kept = next((one for one in self._series if (one.instrument, one.timeframe) == (symbol, timeframe)), None)
        there = "" if kept is None else f": they go from {iso_from_ns(kept.first_ns)} to {iso_from_ns(kept.last_ns)}"
        return ConfigError(f"no {what} of {symbol} are stored for the period{there}; {_LISTED}")

    def _long_gaps(self, symbol: str, frame: Timeframe, times_ns: NDArray[np.int64]) -> list[Period]:
        """Return where more of the period is missing than may be."""
        request = self._request
        period = Period(request.start_ns or int(times_ns[0]), request.end_ns or int(times_ns[-1]) + frame.ns)
        return long_gaps(times_ns, frame, self._fleet.calendar_of(symbol), period, self._most_ns)

    def _check_whole(self, symbol: str, frame: Timeframe, times_ns: NDArray[np.int64]) -> None:
        """Refuse bars of which much is missing, unless a source said that there was nothing.

        Raises
        ------
        ConfigError
            Names the first such gap.
        """
        for gap in self._long_gaps(symbol, frame, times_ns):
            missing = self._market.gaps(symbol, frame.name, *gap).gaps
            if sum(one.count * Timeframe.parse(one.timeframe).ns for one in missing) > self._most_ns:
                raise _refusal(f"{symbol}: the {frame} bars", gap, "'atrader data backfill' fetches them, ")

    def _quote_tape(self, symbol: str) -> Tape:
        parts = list(self._market.tick_parts(symbol, self._request.start_ns, self._request.end_ns))
        if not parts:
            raise self._nothing(symbol, TICKS)
        quotes = Quotes(
            np.concatenate([part.time_ns for part in parts]),
            np.concatenate([part.received_ns for part in parts]),
            np.concatenate([part.bid for part in parts]),
            np.concatenate([part.ask for part in parts]),
        )
        tape = QuoteTape(symbol, quotes, _WINDOW_NS)
        minutes = quotes.time_ns // _MINUTE.ns
        quoted = minutes[np.diff(minutes, prepend=-1) > 0] * _MINUTE.ns
        for gap in self._long_gaps(symbol, _MINUTE, quoted):
            raise _refusal(f"{symbol}: the quotes", gap)
        return tape

    def _frame_of(self, symbol: str, coarsest: Timeframe | None) -> Timeframe:
        """Return of which bars the quotes are made: those asked for, else the finest that are stored.

        Raises
        ------
        ConfigError
            When a strategy decides at bars that cannot be built of them.
        """
        if self._request.quotes is not None:
            frame = Timeframe.parse(self._request.quotes)
        else:
            stored = [Timeframe.parse(one.timeframe) for one in self._series if _is_bars(one, symbol)]
            usable = [one for one in stored if one.is_fixed]
            if not usable:
                raise ConfigError(f"no bars of {symbol} shorter than a day are stored; {_LISTED}")
            frame = min(usable, key=lambda one: one.seconds)
        if coarsest is not None and frame != coarsest and not divides(frame, coarsest):
            raise ConfigError(
                f"{symbol}: the quotes are made of {frame} bars, and {coarsest} bars are no multiple of them: give"
                " another --timeframe, or shorter bars with --quotes"
            )
        return frame


def _is_bars(info: SeriesInfo, symbol: str) -> bool:
    return info.instrument == symbol and info.timeframe != TICKS


def _refusal(what: str, gap: Period, remedy: str = "") -> ConfigError:
    start, end = map(iso_from_ns, gap)
    return ConfigError(
        f"{what} from {start} to {end} are missing, more than --max-gap allows:"
        f" {remedy}--start and --end leave them out"
    )
