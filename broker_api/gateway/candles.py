"""Bars of the account's broker, for the history of the data layer: they wait until nobody else has anything to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Final

from atrader.bus import Caller, Handler, Reply
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, Clock
from atrader.errors import Rejected, Retryable
from atrader.frames import frames_of_bars
from atrader.messages.gateway import CandlesAnswer, GetCandles
from atrader.timeframes import Timeframe
from atrader.wire import Request
from broker_api.gateway.budget import Budget, Priority
from broker_api.prices import PriceSource

PAGES_AT_ONCE: Final = 2
"""An account has few connections; an exit does not wait in line behind pages that are slow to come."""

_ANSWER_MARGIN_S: Final = 1.0  # before the caller's deadline, for the broker's answer


class Candles:
    """Answers `GetCandles`.

    Parameters
    ----------
    source : PriceSource, optional
        The broker; None when it has no bars.
    budget : Budget
        Of the account; a page costs one request, of the least urgent kind.
    instruments : callable
        Returns the symbols of the account; none before the broker was reached.
    calendar_of : callable
        Gives the calendar of an instrument.
    clock : Clock
        The host's: deadlines are in its time.
    """

    def __init__(
        self,
        source: PriceSource | None,
        budget: Budget,
        instruments: Callable[[], Collection[str]],
        calendar_of: Callable[[str], Calendar],
        clock: Clock,
    ) -> None:
        self._source = source
        self._budget = budget
        self._instruments = instruments
        self._calendar_of = calendar_of
        self._clock = clock
        self._few = asyncio.Semaphore(PAGES_AT_ONCE)

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return what answers which request."""
        return {GetCandles: self.candles}

    async def candles(self, request: GetCandles, caller: Caller) -> Reply:
        """Fetch one page.

        Raises
        ------
        Rejected
            When the broker will never have such bars.
        Retryable
            When it does not answer now, or the request would have to wait for longer than the caller does.
        """
        if self._source is None:
            raise Rejected("the broker of this account is not asked for bars", details={"reason": "no-bars"})
        instruments = self._instruments()
        if not instruments:
            raise Retryable("the broker was not reached yet: ask again")
        if request.instrument not in instruments:
            raise Rejected(f"the broker has no {request.instrument}", details={"reason": "instrument"})
        left_s = (caller.deadline_ns - self._clock.now_ns()) / NS_PER_S - _ANSWER_MARGIN_S
        try:
            async with asyncio.timeout(max(0.0, left_s)) as patience, self._few:
                await self._budget.take(Priority.HISTORY)
                patience.reschedule(None)
                page = await self._source.candles(
                    request.instrument,
                    Timeframe.parse(request.timeframe),
                    self._calendar_of(request.instrument),
                    request.start_ns,
                    request.end_ns,
                )
        except TimeoutError:
            raise Retryable("the account's requests are needed for more urgent things: ask again") from None
        answer = CandlesAnswer(count=len(page.bars), answered_until_ns=page.answered_until_ns)
        return Reply(answer, frames_of_bars(page.bars))
