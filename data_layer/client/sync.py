"""The client for plain loops: workers and commands."""

from __future__ import annotations

from typing import Self, TypeVar

from atrader.bus import StreamClient, SyncCallClient
from atrader.bus.questions import Question, blocking
from atrader.configuration.home import Home
from atrader.market import Bar, Bars
from atrader.messages.data import GetBars
from data_layer.client import questions
from data_layer.client.address import DataAddress
from data_layer.client.memory import Memory, Talk
from data_layer.client.requests import BULK_TIMEOUT_S, TIMEOUT_S
from data_layer.shared import LastPrice, NotShared

T = TypeVar("T")


class DataClient:
    """Asks the data layer, one call at a time; for one thread.

    Every method blocks until the answer or the time-out and may be repeated; each raises `DeadlineExceeded` when
    nobody answers in time, and whatever the data layer refuses with (`Rejected`, `ConfigError`, `StoreError`).

    Parameters
    ----------
    where : Home or DataAddress
        The installation on this host, or an address (`DataAddress.of_url` for another host).
    timeout_s, bulk_timeout_s : float
        How long small and large calls may take; attributes that may be changed at any time.
    """

    def __init__(
        self, where: Home | DataAddress, timeout_s: float = TIMEOUT_S, bulk_timeout_s: float = BULK_TIMEOUT_S
    ) -> None:
        self.address = DataAddress.of_home(where) if isinstance(where, Home) else where
        self._calls = SyncCallClient(self.address.call, curve=self.address.curve)
        self._bulk = SyncCallClient(self.address.bulk, curve=self.address.curve)
        self._memory = Memory(is_local=self.address.is_local)
        self.timeout_s = timeout_s
        self.bulk_timeout_s = bulk_timeout_s

    prices = blocking(questions.prices)
    ticks = blocking(questions.ticks)
    coverage = blocking(questions.coverage)
    request_bars = blocking(questions.request_bars)
    backfill = blocking(questions.backfill)
    watched = blocking(questions.watched)
    subscribe_bars = blocking(questions.subscribe_bars)
    series = blocking(questions.series)
    import_bars = blocking(questions.import_bars)
    import_quotes = blocking(questions.import_quotes)
    append_history = blocking(questions.append_history)
    history = blocking(questions.history)
    statistics = blocking(questions.statistics)
    start_operation = blocking(questions.start_operation)
    operation = blocking(questions.operation)
    last_seq = blocking(questions.last_seq)
    replay = blocking(questions.replay)

    def ask(self, question: Question[T]) -> T:
        """Ask one of `data_layer.client.questions`; what their methods above do."""
        calls = self._bulk if question.is_large else self._calls
        limit_s = self.bulk_timeout_s if question.is_slow else self.timeout_s
        answer = calls.call_frames(question.request, question.timeout_s or limit_s, question.frames)
        return question.read(*answer)

    def stream(self) -> StreamClient:
        """Return a subscriber to the stream of this data layer; whoever asks closes it."""
        return StreamClient(self.address.stream, curve=self.address.curve)

    def last_price(self, instrument: str) -> LastPrice | None:
        """Return the last price of an instrument with its age; None when there is none.

        On the data layer's host it is read from shared memory in about a microsecond; when that cannot answer, and
        from other hosts, it is a call.
        """
        try:
            return self._memory.prices.read(instrument)
        except NotShared:
            return self._talk(self._memory.ask_last_price(instrument))

    def bars(
        self,
        instrument: str,
        timeframe: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        count: int | None = None,
        mapped: bool = True,
    ) -> tuple[Bars, int, int]:
        """Return complete bars with ``start_ns <= open_time < end_ns``, the last `count` of them.

        Parameters
        ----------
        mapped : bool, default True
            Whether bars that reach up to the present may be views of memory shared with the data layer, on its host:
            the first call has it share the series, further ones take microseconds whatever the count. False for bars
            that are asked for once, so that nothing is shared for them.

        Returns
        -------
        tuple of (Bars, int, int)
            The bars, and epoch and number in the stream of their topic: everything up to there is included. The
            arrays are read-only, not copied, and stay as they are for as long as they are held.
        """
        if mapped:
            try:
                return self._memory.bars.read(instrument, timeframe, start_ns, end_ns, count)
            except NotShared:
                pass
        request = GetBars(
            instrument=instrument, timeframe=timeframe, start_ns=start_ns, end_ns=end_ns, count=count, shared=mapped
        )
        return self._talk(self._memory.ask_bars(request))

    def forming_bar(self, instrument: str, timeframe: str | None = None) -> Bar | None:
        """Return the bar that forms now, as it was at one moment; None when none does.

        Parameters
        ----------
        timeframe : str, optional
            Default: the base timeframe, which is read from shared memory on the data layer's host. A longer one is a
            call, and is built and published from then on; its complete bar is this one with its last quote in it.
        """
        return self._talk(self._memory.ask_forming_bar(instrument, timeframe))

    def _talk(self, talk: Talk[T]) -> T:
        """Ask what a talk asks; return what comes of it."""
        try:
            question = next(talk)
            while True:
                question = talk.send(self.ask(question))
        except StopIteration as end:
            result: T = end.value
            return result

    def close(self) -> None:
        """Close the sockets and let go of shared memory; arrays that were returned stay as they are."""
        self._memory.close()
        self._calls.close()
        self._bulk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
