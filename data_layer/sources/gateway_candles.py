"""Bars of a broker, asked for through the gateway of an account: it has the session and the request budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from atrader.bus import CallClient
from atrader.configuration.account import AccountConfig
from atrader.configuration.home import Home
from atrader.errors import AtraderError, ConfigError, Rejected
from atrader.frames import bars_of_frames
from atrader.messages.gateway import CandlesAnswer, GetCandles
from atrader.timeframes import Timeframe
from data_layer.sources.source import BarPage, SourceBusy, SourceLimits, SourceRefused

PAGE_BARS: Final = 500
"""Reading a page keeps the gateway's loop busy for some milliseconds, in which no order goes."""

_TIMEOUT_S: Final = 20.0
_SETTLE_S: Final = 3.0  # how long after its end a bar is complete at a broker


class GatewayCandleSource:
    """A `BarSource` over the gateway of an account.

    Parameters
    ----------
    home : Home
        Where the gateway's socket is.
    account : AccountConfig
        Whose broker is asked.
    timeframes : frozenset of str
        Of the broker's bars.
    brings : callable
        Tells whether this account is the one to ask about an instrument.
    """

    def __init__(
        self, home: Home, account: AccountConfig, timeframes: frozenset[str], brings: Callable[[str], bool]
    ) -> None:
        self._account = account
        self._timeframes = timeframes
        self._brings = brings
        self._calls = CallClient(home.endpoint(f"gateway.{account.name}.call"))

    @property
    def name(self) -> str:
        """What stored bars give as their source."""
        return f"gateway-{self._account.name}"

    @property
    def limits(self) -> SourceLimits:
        """What may be asked of it; the gateway lets everything else go first."""
        budget = self._account.budget
        return SourceLimits(PAGE_BARS, float(budget.per_second), budget.burst, _SETTLE_S)

    def serves(self, instrument: str, timeframe: Timeframe) -> bool:
        """Tell whether it may have bars of exactly this timeframe."""
        return timeframe.name in self._timeframes and self._brings(instrument)

    async def page(self, instrument: str, timeframe: Timeframe, start_ns: int, end_ns: int) -> BarPage:
        """Fetch the bars with ``start_ns <= open_time < end_ns``; see `BarSource.page`."""
        request = GetCandles(instrument=instrument, timeframe=timeframe.name, start_ns=start_ns, end_ns=end_ns)
        answer: CandlesAnswer
        try:
            answer, frames = await self._calls.call_frames(request, _TIMEOUT_S)
            return BarPage(bars_of_frames(frames), answer.answered_until_ns)
        except Rejected as error:
            raise SourceRefused(error.message, details=error.details) from error
        except ConfigError:
            raise
        except AtraderError as error:  # the gateway is down, the broker away, or one of them confused: later
            raise SourceBusy(f"{self.name}: {error.message}", details=error.details) from error

    async def close(self) -> None:
        """Close the socket; may be called twice."""
        await self._calls.close()
