"""Stored bars for the market's loop, which must not wait for a store: soon, or not at all."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from atrader.errors import StoreUnavailable
from atrader.market import Bars
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary

PATIENCE_S: Final = 0.5
"""How long prices may wait for the store; a read takes a millisecond."""

_IN_TROUBLE_S: Final = 0.05  # the same after a read that took too long, until one is in time again


class PromptBars:
    """Reads in a thread of its own, and gives up soon: a server that hangs without a word must not stop the prices.

    A read that was given up is waited for by nobody, but while it lasts the store counts as away. For one thread.

    Parameters
    ----------
    library : BarLibrary
        Used from here on by nobody else.

    Attributes
    ----------
    patience_s : float, optional
        Longest wait of a call, seconds; None, at first, for as long as it takes: before anybody is served, and in a
        replay, whose time stands still meanwhile.
    """

    def __init__(self, library: BarLibrary) -> None:
        self._library = library
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="market-reader")
        self._overdue: Future[Bars] | None = None
        self._in_trouble = False
        self._revised: set[str] = set()
        self.patience_s: float | None = None

    def bars(
        self,
        instrument: str,
        timeframe: Timeframe,
        *,
        horizon_ns: int,
        start_ns: int | None = None,
        count: int | None = None,
    ) -> Bars:
        """Return bars as `BarLibrary.bars` does.

        Raises
        ------
        StoreUnavailable
            When they are not there within `patience_s`, or an earlier read still lasts; may be repeated.
        StoreError
            When the store cannot be read.
        """
        if self._overdue is not None and not self._overdue.done():
            raise _away(instrument)
        revised, self._revised = self._revised, set()

        def read() -> Bars:
            for symbol in revised:
                self._library.forget(symbol)
            return self._library.bars(instrument, timeframe, start_ns=start_ns, count=count, horizon_ns=horizon_ns)

        self._overdue = self._pool.submit(read)
        patience_s = _IN_TROUBLE_S if self._in_trouble and self.patience_s is not None else self.patience_s
        try:
            found = self._overdue.result(patience_s)
        except TimeoutError:
            self._in_trouble = True
            raise _away(instrument) from None
        self._in_trouble, self._overdue = False, None
        return found

    def forget(self, instrument: str) -> None:
        """Forget what was built for an instrument: its stored bars were replaced."""
        self._revised.add(instrument)

    def close(self) -> None:
        """End the thread; waits for a read that lasts."""
        self._pool.shutdown()


def _away(instrument: str) -> StoreUnavailable:
    return StoreUnavailable(f"the store does not answer: what is stored of {instrument} is not known; ask again later")
