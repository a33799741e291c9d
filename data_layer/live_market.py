"""The market as it comes: quotes in; prices, ticks and complete bars out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from atrader.bus import StreamServer
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.errors import ConfigError, StoreUnavailable
from atrader.market import BAR, REVISION, TICK, Bar, Bars, Tick, bar_topic, revision_topic, tick_topic
from atrader.timeframes import Timeframe
from data_layer.bars import BarBuilder, newest_of
from data_layer.doubts import Doubts
from data_layer.longer_bars import LongerBars
from data_layer.market_values import Completed, Snapshot
from data_layer.prices import LastPrices, is_sound
from data_layer.prompt_bars import PromptBars
from data_layer.shared import BarShare, PriceTable

MAX_WAITING: Final = 50_000
"""Bars of one instrument kept in memory while the store does not take them: 35 days of minutes."""

_NEVER_NS: Final = 2**62  # the year 2116
_FUTURE_NS: Final = 60 * NS_PER_S  # a quote farther ahead of its arrival has a wrong time


@dataclass(slots=True)
class _Fed:
    """One instrument that gets quotes or bars."""

    calendar: Calendar
    builder: BarBuilder
    ready_made: list[Bar] = field(default_factory=list)
    horizon_ns: int = 0  # published up to here
    emitted_ns: int = 0  # handed to the writer up to here
    unpublished: list[Bar] = field(default_factory=list)  # handed over, and not yet published
    follows: bool = False  # its bars come from a bar source: complete when that has told them, not by the clock
    heard: bool = False  # a bar of this life has a quote


class LiveMarket:
    """Prices, forming bars and subscriptions of all instruments.

    Everything is called from one asyncio loop; only `snapshot` may be called from any thread.

    Parameters
    ----------
    stream : StreamServer
        Where ticks and bars are published.
    stored : PromptBars
        Stored bars, to go on from.
    calendar_of : callable
        Gives the calendar of an instrument, `ConfigError` for one that nobody knows.
    base : Timeframe
        Of the bars that are built from quotes.
    now_ns : callable
        Time of the market, already behind by the grace for late quotes.

    Attributes
    ----------
    doubts : Doubts
        Times whose bars may lack quotes, as nobody listened for a while.
    price_table : PriceTable, optional
        Where the last prices are shown to readers on this host.
    bar_share : BarShare, optional
        Where bars are shown to readers on this host.
    hand_over : callable
        Takes each `Completed` and calls `publish` when it is stored; at first it publishes without storing.
    counters : Counter of str
        ``ticks unsound future unknown unshared``.
    latest : dict of str to int
        Open time of the last bar published, by ``INSTRUMENT|TIMEFRAME``.
    """

    def __init__(
        self,
        stream: StreamServer,
        stored: PromptBars,
        calendar_of: Callable[[str], Calendar],
        base: Timeframe,
        now_ns: Callable[[], int],
    ) -> None:
        self._stream = stream
        self._stored = stored
        self._calendar_of = calendar_of
        self._now_ns = now_ns
        self._fed: dict[str, _Fed] = {}
        self._longer = LongerBars(base, calendar_of, self._published)
        self._waiting: dict[str, list[Bar]] = {}
        self._revisions: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.base = base
        self.doubts = Doubts(calendar_of, base)
        self.prices = LastPrices()
        self.price_table: PriceTable | None = None
        self.bar_share: BarShare | None = None
        self.counters: Counter[str] = Counter()
        self.latest: dict[str, int] = {}
        self.hand_over: Callable[[Completed], None] = self._publish_at_once

    def resume(self, instrument: str, complete_until_ns: int, forming: Bar | None) -> None:
        """Go on where a predecessor stopped: with its forming bar, and without opening a stored bar again."""
        calendar = self._calendar_of(instrument)
        builder = BarBuilder(self.base, calendar, complete_until_ns, forming)
        horizon_ns = complete_until_ns
        if builder.forming is not None:
            horizon_ns = builder.forming.open_time_ns
            self.doubts.add(instrument, horizon_ns, self._now_ns())
        self._fed[instrument] = _Fed(calendar, builder, horizon_ns=horizon_ns, emitted_ns=horizon_ns)
        if self.bar_share is not None:
            self.bar_share.drop(instrument)  # shared as bars that nobody adds to

    def ticks(self, ticks: Sequence[Tick], *, build: bool = True) -> list[Tick]:
        """Take quotes: prices, tick stream and, if wanted, bars. Return those that were taken as prices."""
        taken = []
        for tick in ticks:
            fed = self._sound(tick)
            if fed is None:
                continue
            if self.prices.put(tick):
                self._show(tick)
                self._stream.publish(tick_topic(tick.instrument), TICK, tuple(tick))
                taken.append(tick)
            done = self._build(fed, tick) if build and not fed.follows else None
            if self.bar_share is not None:
                self.bar_share.show_forming((tick.instrument, self.base.name), fed.builder.forming)
            if done is not None:
                forming = fed.builder.forming
                horizon_ns = fed.calendar.next_bar_open(done.open_time_ns, self.base)
                self._emit(tick.instrument, fed, (done,), forming.open_time_ns if forming else horizon_ns)
        self.counters["ticks"] += len(taken)
        return taken

    def ready_made(self, instrument: str, bar: Bar) -> None:
        """Take a complete base bar that a feed brings; it is published by the next `advance`."""
        self._feed(instrument).ready_made.append(bar)

    def follow(self, instrument: str) -> None:
        """Publish what a bar source tells of an instrument (see `told`) instead of bars built from quotes.

        A second time changes nothing. While the store does not answer nothing does: to be repeated.
        """
        fed = self._feed(instrument)
        if fed.follows:
            return  # what is stored by now may still have to be told
        try:
            last = self._stored.bars(instrument, self.base, count=1, horizon_ns=self._now_ns())
        except StoreUnavailable:
            return
        fed.follows = True
        if len(last):
            fed.horizon_ns = fed.emitted_ns = fed.calendar.next_bar_open(int(last.open_time_ns[0]), self.base)

    def built_until_ns(self, instrument: str) -> int:
        """Return up to where bars built from quotes are stored; far ahead where bars come from a source."""
        fed = self._fed.get(instrument)
        return _NEVER_NS if fed is not None and fed.follows else self._horizon_ns(instrument)

    def next_close_ns(self, instrument: str, time_ns: int) -> int:
        """Return when the base bar that covers a time ends."""
        return self._calendar_of(instrument).next_bar_open(time_ns, self.base)

    def told(self, instrument: str, bars: Bars, start_ns: int, until_ns: int) -> None:
        """Take base bars that a source told, all there are in ``[start_ns, until_ns)``; they are stored already.

        Of an instrument that follows its source, those that come next are published as bars; all others are what
        `revised` is for.
        """
        fed = self._fed.get(instrument)
        if fed is None or not fed.follows or not start_ns <= fed.emitted_ns < until_ns:
            return
        first = int(np.searchsorted(bars.open_time_ns, fed.emitted_ns))
        self._emit(instrument, fed, tuple(map(bars.row, range(first, len(bars)))), until_ns)

    def advance(self, time_ns: int) -> None:
        """Complete and hand over the bars that ended by a time (of the market, behind by the grace)."""
        for instrument, fed in self._fed.items():
            if fed.follows:
                continue
            done = fed.builder.advance(time_ns)
            bars = (*fed.ready_made, *((done,) if done is not None else ()))
            forming = fed.builder.forming
            horizon_ns = fed.calendar.bar_open(time_ns, self.base) if forming is None else forming.open_time_ns
            if bars or horizon_ns > fed.emitted_ns:
                fed.ready_made.clear()
                self._emit(instrument, fed, bars, max(horizon_ns, fed.emitted_ns))

    def close_prices(self) -> None:
        """Show no more prices to readers on this host."""
        table, self.price_table = self.price_table, None
        if table is not None:
            table.close()

    def beat(self) -> None:
        """Tell readers of shared memory that the market goes on."""
        for shared in (self.price_table, self.bar_share):
            if shared is not None:
                shared.beat()

    def forming(self) -> dict[str, Bar]:
        """Return the bars that form now, by instrument."""
        return {symbol: fed.builder.forming for symbol, fed in self._fed.items() if fed.builder.forming is not None}

    def forming_bar(self, instrument: str, timeframe: Timeframe) -> Bar | None:
        """Return the bar of a timeframe that forms now: what is complete later, so far; None when none does.

        A longer timeframe is built from here on; raises as `subscribe`.
        """
        self.subscribe(instrument, timeframe)
        fed = self._fed.get(instrument)
        forming = None if fed is None else fed.builder.forming
        if timeframe == self.base:
            return forming
        parts = [] if fed is None else fed.unpublished
        begun = self._longer.forming(instrument, timeframe)
        pieces = [piece for piece in (begun, *parts, forming) if piece is not None]
        return newest_of(pieces, timeframe, self._calendar_of(instrument))

    def subscribe(self, instrument: str, timeframe: Timeframe) -> None:
        """Build and publish the bars of a longer timeframe from now on; a second time changes nothing.

        Raises
        ------
        Rejected
            When they cannot be built from the base bars.
        ConfigError
            When nobody knows the instrument.
        StoreUnavailable
            When the store does not answer; may be repeated.
        """
        self._longer.subscribe(instrument, timeframe, self._horizon_ns(instrument))

    def renew_what_is_stale(self) -> None:
        """Build longer bars again whose base bars were revised while the store was away."""
        self._longer.renew_what_is_stale(self._horizon_ns)

    def publish(self, completed: Completed, *, stored: bool) -> None:
        """Publish base bars and the longer ones that they complete.

        Parameters
        ----------
        stored : bool
            Whether queries find them in the store; if not, they are kept in memory.
        """
        instrument, bars, horizon_ns = completed
        with self._lock:
            if not stored and bars:
                waiting = self._waiting.setdefault(instrument, [])
                waiting.extend(bars)
                del waiting[:-MAX_WAITING]
            for bar in bars:
                self._publish(instrument, self.base.name, bar)
            for timeframe, longer in self._longer.add(instrument, bars, horizon_ns):
                self._publish(instrument, timeframe, longer)
            fed = self._fed.get(instrument)
            if fed is not None:
                fed.horizon_ns = max(fed.horizon_ns, horizon_ns)
                del fed.unpublished[: len(bars)]

    def is_fed(self, instrument: str) -> bool:
        """Tell whether an instrument has had quotes or bars in this life; from any thread."""
        return instrument in self._fed

    def publishes(self, instrument: str, timeframe: Timeframe) -> bool:
        """Tell whether the bars of a timeframe are published as they complete; from any thread."""
        return timeframe == self.base or self._longer.has(instrument, timeframe)

    def snapshot(self, instrument: str, timeframe: Timeframe) -> Snapshot:
        """Return what a query has to know; from any thread."""
        with self._lock:
            epoch, seq = self._stream.last(bar_topic(instrument, timeframe.name))
            waiting = Bars.from_rows(self._waiting.get(instrument, []))
            return Snapshot(epoch, seq, self._horizon_ns(instrument), waiting, self._revisions[instrument])

    def waiting(self) -> list[tuple[str, Bar]]:
        """Return the bars that the store has not taken."""
        return [(symbol, bar) for symbol, bars in self._waiting.items() for bar in bars]

    def waiting_is_stored(self) -> None:
        """Forget the waiting bars: queries find them in the store."""
        with self._lock:
            self._waiting.clear()

    def revised(self, instrument: str, start_ns: int, end_ns: int, bars: int) -> None:
        """Note that stored bars of a period came or changed, and tell those who hold bars built from them.

        Parameters
        ----------
        bars : int
            How many base bars.
        """
        with self._lock:
            self._revisions[instrument] += 1
            if self.bar_share is not None:
                self.bar_share.drop(instrument)
            self._stored.forget(instrument)
            horizon_ns = self._horizon_ns(instrument)
            timeframes = [self.base, *self._longer.timeframes(instrument)]
        calendar = self._calendar_of(instrument)
        for timeframe in timeframes:
            first_ns = calendar.bar_open(start_ns, timeframe)
            stop_ns = calendar.next_bar_open(end_ns - 1, timeframe)
            forming_ns = calendar.bar_open(horizon_ns, timeframe)
            if timeframe != self.base and stop_ns > forming_ns:
                self._longer.renew(instrument, timeframe, horizon_ns)
            if first_ns < forming_ns:
                values = (instrument, timeframe.name, first_ns, min(stop_ns, forming_ns), bars)
                self._stream.publish(revision_topic(instrument, timeframe.name), REVISION, values)

    @property
    def late(self) -> int:
        """Quotes and bars that came after their bar was complete."""
        builders = sum(fed.builder.late for fed in self._fed.values())
        return builders + self._longer.late

    def _published(self, instrument: str, start_ns: int, horizon_ns: int) -> list[Bar]:
        """Return the base bars of a period, from the store and from memory."""
        stored = self._stored.bars(instrument, self.base, start_ns=start_ns, horizon_ns=horizon_ns)
        known = {bar.open_time_ns: bar for bar in self._waiting.get(instrument, ()) if bar.open_time_ns >= start_ns}
        known |= {bar.open_time_ns: bar for bar in map(stored.row, range(len(stored)))}
        return [bar for _, bar in sorted(known.items())]

    def _horizon_ns(self, instrument: str) -> int:
        fed = self._fed.get(instrument)
        return self._now_ns() if fed is None else fed.horizon_ns

    def _show(self, tick: Tick) -> None:
        """Show a price to readers on this host; without memory for more of them, the bus has to serve them all."""
        try:
            if self.price_table is not None:
                self.price_table.put(tick)
        except OSError:
            self.close_prices()
            self.counters["unshared"] += 1

    def _sound(self, tick: Tick) -> _Fed | None:
        if not is_sound(tick):
            self.counters["unsound"] += 1
        elif tick.time_ns > tick.received_ns + _FUTURE_NS:
            self.counters["future"] += 1
        else:
            try:
                return self._feed(tick.instrument)
            except ConfigError:
                self.counters["unknown"] += 1
        return None

    def _feed(self, instrument: str) -> _Fed:
        fed = self._fed.get(instrument)
        if fed is None:
            now_ns = self._now_ns()
            calendar = self._calendar_of(instrument)
            try:
                last = self._stored.bars(instrument, self.base, count=1, horizon_ns=now_ns)
                until_ns = calendar.next_bar_open(int(last.open_time_ns[0]), self.base) if len(last) else 0
            except StoreUnavailable:  # nobody knows what is stored of the present bar: begin with the next one
                until_ns = calendar.next_bar_open(calendar.bar_open(now_ns, self.base), self.base)
            self.resume(instrument, max(until_ns, calendar.bar_open(now_ns, self.base)), None)
            fed = self._fed[instrument]
        return fed

    def _build(self, fed: _Fed, tick: Tick) -> Bar | None:
        """Add a quote to its bar; return the bar that it completes."""
        done, forming = fed.builder.add(tick), fed.builder.forming
        if not fed.heard and forming is not None and tick.time_ns >= forming.open_time_ns:
            fed.heard = True
            self.doubts.add(tick.instrument, tick.time_ns, tick.time_ns)  # it may have had quotes before this one
        return done

    def _emit(self, instrument: str, fed: _Fed, bars: tuple[Bar, ...], horizon_ns: int) -> None:
        fed.emitted_ns = max(fed.emitted_ns, horizon_ns)
        fed.unpublished.extend(bars)
        self.hand_over(Completed(instrument, bars, horizon_ns))

    def _publish_at_once(self, completed: Completed) -> None:
        self.publish(completed, stored=False)

    def _publish(self, instrument: str, timeframe: str, bar: Bar) -> None:
        seq = self._stream.publish(bar_topic(instrument, timeframe), BAR, (instrument, timeframe, *bar, True))
        if self.bar_share is not None:
            self.bar_share.append((instrument, timeframe), bar, seq)
        self.latest[f"{instrument}|{timeframe}"] = bar.open_time_ns
