"""Does one operation at a time beside the data layer's work, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from atrader.configuration.fleet import DataConfig
from atrader.configuration.home import Home
from atrader.errors import Rejected
from atrader.messages.operations import OperationAnswer, OperationName
from data_layer.history_writer import HistoryWriter
from data_layer.market_writer import MarketWriter
from data_layer.operations.work import Options, operate
from data_layer.store import HistoryStore, MarketStore
from data_layer.store.places import StorePlace

_END_S: Final = 5.0  # for an operation to notice that the data layer stops


class RunningAccess:
    """The stores of this data layer: written by its writers, between their own work.

    Methods are for a thread that is not the loop's.
    """

    def __init__(
        self,
        home: Home,
        config: DataConfig,
        place: StorePlace,
        market: MarketWriter,
        history: HistoryWriter,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.home = home
        self.config = config
        self.place = place
        self._market = market
        self._history = history
        self._loop = loop

    def with_market(self, work: Callable[[MarketStore], Any]) -> Any:
        """Let the market's writer do something."""
        return asyncio.run_coroutine_threadsafe(self._market.do(work), self._loop).result()

    def with_history(self, work: Callable[[HistoryStore], Any]) -> Any:
        """Let the history's writer do something."""
        return asyncio.run_coroutine_threadsafe(self._history.do(work), self._loop).result()


class Runner:
    """Starts operations and knows how far they are. For the loop's thread."""

    def __init__(self, access: RunningAccess) -> None:
        self._access = access
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="operations")
        self._id = 0
        self._name: OperationName = "check"
        self._future: Future[dict[str, Any]] | None = None
        self._progress = (0, 0, "")
        self._stopping = False

    def start(self, name: OperationName, options: Options) -> OperationAnswer:
        """Begin.

        Raises
        ------
        Rejected
            While another one works.
        """
        if self._future is not None and not self._future.done():
            raise Rejected(f"a {self._name} is under way; wait until it is done", details={"reason": "busy"})
        self._id += 1
        self._name = name
        self._progress = (0, 0, "")
        self._future = self._pool.submit(operate, name, self._access, options, self._note)
        return self.look(self._id)

    def look(self, number: int) -> OperationAnswer:
        """Return how far an operation is; raises what it raised when it failed.

        Raises
        ------
        Rejected
            When it is not the last one that was started here.
        """
        if number != self._id or self._future is None:
            raise Rejected("that operation is not known: the data layer began anew", details={"reason": "unknown"})
        done, total, doing = self._progress
        is_done = self._future.done()
        result = self._future.result() if is_done else None
        return OperationAnswer(
            id=number, name=self._name, is_done=is_done, done=done, total=total, doing=doing, result=result
        )

    async def do(self, name: OperationName, options: Options) -> dict[str, Any]:
        """Begin as soon as nothing else works, and wait; return the result or raise what it raised."""
        while self._future is not None and not self._future.done():
            await asyncio.wait({asyncio.wrap_future(self._future)})
        self.start(name, options)
        assert self._future is not None
        return await asyncio.wrap_future(self._future)

    async def close(self) -> None:
        """Stop what works at its next step: every operation may be stopped anywhere."""
        self._stopping = True
        if self._future is not None:
            await asyncio.wait({asyncio.wrap_future(self._future)}, timeout=_END_S)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _note(self, done: int, total: int, doing: str) -> None:
        self._progress = (done, total, doing)
        if self._stopping:
            raise Rejected("the data layer stops", details={"reason": "stopping"})
