"""What a market feed is: a source of prices inside the data layer, and the two sides it works with.

A feed reads what is stored through a `MarketSource` and hands the market on through a `MarketSink`; it knows neither
sockets nor stores. All methods are to be called from the asyncio loop that runs the feed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal, Protocol

from atrader.market import Bar, Bars, Quotes, Tick
from atrader.messages.series import SeriesInfo

ReplayState = Literal["none", "waiting", "running", "finished"]


class MarketSource(Protocol):
    """What is stored, without regard to the market clock: only feeds may see the future of a replay."""

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the bars with ``start_ns <= open_time < end_ns``, stored or built from finer stored ones."""
        ...

    def tick_pages(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Quotes]:
        """Yield the stored quotes with ``start_ns <= time < end_ns`` in parts of bearable size, oldest first."""
        ...

    def series(self, instrument: str) -> Sequence[SeriesInfo]:
        """List what is stored of an instrument; quotes have the timeframe ``ticks``."""
        ...

    def last_tick(self, instrument: str) -> Tick | None:
        """Return the last price known of an instrument: to go on from after a restart."""
        ...


class MarketSink(Protocol):
    """What a feed hands its market to. Nothing here blocks but `turn` and `ready`."""

    def ticks(self, ticks: Sequence[Tick]) -> None:
        """Take quotes, oldest first: last prices, tick stream, and (unless bars come ready-made) base bars.

        In a replay the market clock follows the quotes.
        """
        ...

    def complete_bars(self, bars: Sequence[tuple[str, Bar]]) -> None:
        """Take complete bars of the feed's `Feed.timeframe`, in place of bars built from quotes.

        They and the higher bars that they complete are published by the next `advance_clock`.
        """
        ...

    def advance_clock(self, market_ns: int) -> None:
        """Move the market clock of a replay (ns UTC): whatever ended by then is complete and is published.

        Only replays call this; in a live market the data layer's own timer does.
        """
        ...

    async def ready(self, participants: Collection[str]) -> None:
        """Wait until every participant (process names) said ``replay-ready``."""
        ...

    def is_due(self, worker: str) -> bool:
        """Tell whether there is something in a worker's turn of this step; to be asked once, before the turn."""
        ...

    async def turn(self, step: int, market_ns: int, phase: str, participants: Collection[str]) -> None:
        """Publish REPLAY_STEP(step, market_ns, phase) and wait until every participant acknowledged it.

        Published again, with the quotes of the step, each 0.5 s while somebody is missing and at once when somebody
        says ``replay-ready`` again. Without participants it only publishes.
        """
        ...

    def progress(self, state: ReplayState, done: int, total: int) -> None:
        """Tell how far a replay is, for beats and `atrader.messages.data.GetReplay`."""
        ...


class Feed(Protocol):
    """A source of prices."""

    @property
    def name(self) -> str:
        """What stored series give as their source: ``synthetic``, ``replay``."""
        ...

    @property
    def timeframe(self) -> str | None:
        """Timeframe of the bars it brings ready-made; None: bars are built from its quotes."""
        ...

    @property
    def is_replay(self) -> bool:
        """Whether it plays what is stored: then nothing is written, and queries end at the market clock."""
        ...

    def prepare(self, sink: MarketSink, source: MarketSource) -> None:
        """Get ready, before anybody may ask for anything; a replay moves the market clock to its start here.

        Raises
        ------
        ConfigError
            When there is nothing to play, or an instrument is not known.
        """
        ...

    async def run(self) -> None:
        """Bring the market until it ends (a replay) or the task is cancelled."""
        ...
