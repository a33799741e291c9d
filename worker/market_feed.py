"""The worker's share of the market: warm-up bars, new bars without gaps, the latest quote."""

from __future__ import annotations

from atrader.bus import Gap, Message, StreamClient
from atrader.configuration.home import Home
from atrader.market import Bar, Bars, Tick, bar_topic, tick_topic
from data_layer.client import DataClient
from worker.bar_window import BarWindow


class MarketFeed:
    """Bars and quotes of one instrument and timeframe.

    Bars are lossless: a sequence gap, or a new life of the data layer, is filled by a query. Quotes are conflated.
    """

    def __init__(
        self, home: Home, client: DataClient, instrument: str, timeframe: str, window: int, *, quotes: bool
    ) -> None:
        self._client = client
        self._instrument = instrument
        self._timeframe = timeframe
        self._kept = BarWindow(max(window, 2))
        self._quotes = quotes
        self._bar_topic = bar_topic(instrument, timeframe)
        self._tick_topic = tick_topic(instrument)
        self.stream = StreamClient(home.endpoint("data.stream"))
        self.tick: Tick | None = None

    @property
    def bars(self) -> Bars:
        """The last complete bars, a window of them."""
        return self._kept.bars

    @property
    def last_bar_ns(self) -> int:
        """Open time of the newest bar held, 0 = none."""
        return int(self.bars.open_time_ns[-1]) if len(self.bars) else 0

    def start(self) -> None:
        """Subscribe first, then fetch the warm-up: nothing can fall between."""
        self.stream.subscribe(self._bar_topic)
        if self._quotes:
            self.stream.subscribe(self._tick_topic)
        self._client.subscribe_bars(self._instrument, self._timeframe)
        self._kept.fill(self._fetch(count=self._kept.size))
        self.ask_price()

    def ask_price(self) -> Tick | None:
        """Fetch the latest quote, for a strategy that does not listen to them all.

        Raises
        ------
        DeadlineExceeded
            When the data layer does not answer.
        """
        price = self._client.last_price(self._instrument)
        if price is not None:
            self.tick = Tick(price.instrument, price.time_ns, price.received_ns, price.bid, price.ask)
        return self.tick

    def take(self, items: list[Message | Gap]) -> tuple[list[Bar], Tick | None]:
        """Sort what the stream brought.

        Returns
        -------
        tuple of list of Bar and (Tick or None)
            Bars newer than those held, oldest first (already appended to `bars`, one by one by `advance`), and the
            latest quote when there was a new one.
        """
        bars: list[Bar] = []
        tick: Tick | None = None
        missed = False
        for item in items:
            if isinstance(item, Gap):
                missed |= item.topic == self._bar_topic
            elif item.topic == self._tick_topic:
                tick = Tick(*item.values)
            elif item.topic == self._bar_topic:
                bars.append(Bar(item.values.open_time_ns, *item.values[3:-1]))
        if missed:
            fetched = self.fetch_since(self.last_bar_ns)
            bars = [fetched.row(index) for index in range(len(fetched))] + bars
        if tick is not None:
            self.tick = tick
        return self._news(bars), tick

    def fetch_since(self, open_time_ns: int) -> Bars:
        """Fetch the complete bars after an open time, at most a window of them."""
        return self._fetch(start_ns=open_time_ns + 1, count=self._kept.size)

    def advance(self, bar: Bar) -> None:
        """Append one bar to `bars`."""
        self._kept.append(bar)

    def close(self) -> None:
        """Close the subscription."""
        self.stream.close()

    def _fetch(self, *, count: int, start_ns: int | None = None) -> Bars:
        bars, epoch, seq = self._client.bars(
            self._instrument, self._timeframe, start_ns=start_ns, count=count, mapped=False
        )
        self.stream.resume(self._bar_topic, epoch, seq)
        return bars

    def _news(self, bars: list[Bar]) -> list[Bar]:
        newest = self.last_bar_ns
        news = []
        for bar in bars:
            if bar.open_time_ns > newest:
                newest = bar.open_time_ns
                news.append(bar)
        return news
