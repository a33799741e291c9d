"""What the data layer shares in memory with clients on its host, and the calls that find it; for both clients.

A method that asks is a generator: it yields questions, is sent their results, and returns what was wanted.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from atrader.bus.questions import Question
from atrader.frames import bars_of_frames
from atrader.market import Bar, Bars
from atrader.messages.data import GetBars
from data_layer.client import questions
from data_layer.shared import BarReader, LastPrice, NotShared, PriceReader

T = TypeVar("T")
Talk: TypeAlias = Generator[Question[Any], Any, T]
"""Questions, and what comes of their results."""


class Memory:
    """Prices and bars that one client maps.

    Parameters
    ----------
    is_local : bool
        Whether the data layer is on this host; else there is nothing to map, and the calls do it all.
    """

    def __init__(self, *, is_local: bool) -> None:
        self.prices = PriceReader(is_allowed=is_local)
        self.bars = BarReader(is_allowed=is_local)
        self._base = ""  # the base timeframe, once it is known

    def ask_last_price(self, instrument: str) -> Talk[LastPrice | None]:
        """Map the table of prices if it is time to; else ask for the price."""
        if self.prices.wants_table:
            self.prices.attach((yield questions.shared_prices()))
            with suppress(NotShared):
                return self.prices.read(instrument)
        for price in (yield questions.prices((instrument,))):
            return LastPrice(price.instrument, price.time_ns, price.received_ns, price.bid, price.ask, price.age_s)
        return None

    def ask_bars(self, request: GetBars) -> Talk[tuple[Bars, int, int]]:
        """Ask for bars, and map them if they are shared."""
        request = request.model_copy(update={"shared": request.shared and self.bars.wants})
        answer, frames = yield questions.bars(request)
        if answer.shared is not None:
            if self.bars.attach(request.instrument, request.timeframe, answer.shared, answer.epoch):
                with suppress(NotShared):
                    return self.read_bars(request)
            answer, frames = yield questions.bars(request.model_copy(update={"shared": False}))
        return bars_of_frames(frames), answer.epoch, answer.seq

    def read_bars(self, request: GetBars) -> tuple[Bars, int, int]:
        """Return bars that are mapped, or raise `NotShared`."""
        return self.bars.read(request.instrument, request.timeframe, request.start_ns, request.end_ns, request.count)

    def ask_forming_bar(self, instrument: str, timeframe: str | None) -> Talk[Bar | None]:
        """Read the bar that forms now, or ask for it; those of longer timeframes are not in memory."""
        if self._base and timeframe in (None, self._base):
            with suppress(NotShared):
                return self.bars.forming(instrument, self._base)
        answer = yield questions.forming_bar(instrument, timeframe)
        if timeframe is None:
            self._base = answer.timeframe
        return Bar(answer.open_time_ns, *answer.values) if answer.values else None

    def close(self) -> None:
        """Let everything go; arrays that were returned stay as they are."""
        self.prices.close()
        self.bars.close()
