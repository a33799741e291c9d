"""Which bars are put into shared memory when somebody on this host asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from atrader.calendars import Calendar
from atrader.market import Bars
from atrader.messages.data import GetBars, SharedBars
from atrader.messages.series import SeriesInfo
from atrader.timeframes import Timeframe
from data_layer.live_market import LiveMarket
from data_layer.market_values import Snapshot
from data_layer.shared import BarShare, Begun
from data_layer.shared.layout import WHOLE_NS

_FEWEST: Final = 1024  # bars that are shared: who asks for 100 will ask for 200


class Read(Protocol):
    """Reads bars from the store and from memory."""

    def __call__(
        self, instrument: str, timeframe: Timeframe, *, start_ns: int | None, count: int | None
    ) -> tuple[Bars, Snapshot]:
        """Return bars and the moment they belong to."""
        ...


class BarSharing:
    """Shares a series that only grows by bars that are published; for the thread that answers bulk requests.

    Parameters
    ----------
    read : callable
        Reads bars.
    series_of : callable
        Lists what is stored of an instrument.
    want_published : callable
        Asks that a timeframe be published; until it is, its bars go by the bus.
    """

    def __init__(
        self,
        market: LiveMarket,
        share: BarShare,
        read: Read,
        series_of: Callable[[str], list[SeriesInfo]],
        calendar_of: Callable[[str], Calendar],
        want_published: Callable[[str, Timeframe], None],
    ) -> None:
        self._market = market
        self._share = share
        self._read = read
        self._series_of = series_of
        self._calendar_of = calendar_of
        self._want_published = want_published

    def shared(self, request: GetBars, timeframe: Timeframe) -> SharedBars | None:
        """Return where what is asked for can be mapped; None when it goes by the bus."""
        if request.end_ns is not None or (request.count is not None and request.count < 0):
            return None  # history that somebody reads once
        key = (request.instrument, timeframe.name)
        found = self._share.find(key, request.start_ns, request.count)
        if found is not None:
            return found
        if self._market.is_fed(request.instrument) and not self._market.publishes(request.instrument, timeframe):
            self._want_published(request.instrument, timeframe)
            return None
        begun = self._share.begin(key)
        try:
            return self._begin(request, timeframe, begun)
        finally:
            self._share.abandon(key)

    def _begin(self, request: GetBars, timeframe: Timeframe, begun: Begun) -> SharedBars | None:
        start_ns, count = request.start_ns, _rounded_up(request.count)
        bars, snapshot = self._read(request.instrument, timeframe, start_ns=start_ns, count=count)
        if not self._only_grows_when_published(request.instrument, timeframe, snapshot.horizon_ns):
            return None
        if count is not None and len(bars) == count:
            from_ns = int(bars.open_time_ns[0])
        else:
            from_ns = WHOLE_NS if start_ns is None else start_ns
        return self._share.commit((request.instrument, timeframe.name), begun, bars, from_ns, snapshot.seq)

    def _only_grows_when_published(self, instrument: str, timeframe: Timeframe, horizon_ns: int) -> bool:
        """Tell whether no stored bar becomes complete just because time passes."""
        calendar = self._calendar_of(instrument)
        for info in self._series_of(instrument):
            if info.timeframe == "ticks":
                continue
            end_ns = calendar.next_bar_open(info.last_ns, Timeframe.parse(info.timeframe))
            if not self._market.is_fed(instrument):  # nobody publishes the bar that the last stored ones begin
                end_ns = calendar.next_bar_open(calendar.bar_open(end_ns - 1, timeframe), timeframe)
            if end_ns > horizon_ns:
                return False
        return True


def _rounded_up(count: int | None) -> int | None:
    return None if count is None else max(_FEWEST, 1 << (count - 1).bit_length())
