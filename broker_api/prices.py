"""What an adapter may offer whose broker has prices of its own: a stream of quotes, and bars of the past."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from atrader.calendars import Calendar
from atrader.market import Bars, Tick
from atrader.timeframes import Timeframe


class VenuePrice(NamedTuple):
    """One price of a broker.

    Attributes
    ----------
    tick : Tick
        With the broker's time. Of a halted instrument the prices at which it would close out.
    tradeable : bool
        Whether one can trade at it. What is not tradeable values positions, but makes no bars.
    """

    tick: Tick
    tradeable: bool = True


class CandlePage(NamedTuple):
    """Bars of a broker.

    Attributes
    ----------
    bars : Bars
        Complete ones, oldest first, inside of what was asked for.
    answered_until_ns : int
        The broker told everything from the start of the page up to here: a bar that is not in the page does not exist.
    """

    bars: Bars
    answered_until_ns: int


class PriceSource(Protocol):
    """Prices of one account at one broker. Symbols are canonical; all calls come from one asyncio loop."""

    def prices(self, instruments: Collection[str]) -> AsyncGenerator[Sequence[VenuePrice], None]:
        """Yield what is quoted from now on, at first the last price of each instrument.

        An empty batch says that the connection lives. Prices may come twice and out of order. It ends, or raises
        `Retryable`, when the connection breaks; whoever wants more calls again, after a pause. Closing it hangs up.

        Raises
        ------
        Retryable
            When the broker cannot be reached or does not answer.
        Rejected
            When it will not quote these instruments.
        ConfigError
            When it does not let us in.
        """
        ...

    async def candles(
        self, instrument: str, timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int
    ) -> CandlePage:
        """Fetch the bars with ``start_ns <= open_time < end_ns``: one request; may be repeated.

        Raises
        ------
        Retryable
            When the broker does not answer now; ``details["retry_after_s"]`` is there when it said for how long.
        Rejected
            When it will never have such bars.
        ConfigError
            When it does not let us in.
        """
        ...


@runtime_checkable
class Quoting(Protocol):
    """An adapter whose broker has prices."""

    @property
    def prices(self) -> PriceSource:
        """Where they come from."""
        ...
