"""The worker's share of the market: warm-up bars, new bars without gaps, the latest quote."""

from __future__ import annotations

from atrader.bus import Gap, Message, StreamClient
from atrader.calendars import Calendar
from atrader.configuration.home import Home
from atrader.errors import Retryable
from atrader.market import Bar, Bars, Tick, bar_topic, revision_topic, tick_topic
from atrader.strategy import WarmUp
from data_layer.client import DataClient
from worker.bar_window import BarWindow
from worker.warm_up import WarmUpWatch


class MarketFeed:
    """Bars and quotes of one instrument and timeframe.

    Bars are lossless: a sequence gap, or a new life of the data layer, is filled by a query. Bars that the data layer
    revises are fetched again; a bar is never handed out twice. Quotes are conflated.
    """

    def __init__(
        self,
        home: Home,
        client: DataClient,
        instrument: str,
        timeframe: str,
        window: int,
        calendar: Calendar,
        *,
        quotes: bool,
    ) -> None:
        self._client = client
        self._instrument = instrument
        self._timeframe = timeframe
        self._kept = BarWindow(max(window, 2))
        self._quotes = quotes
        self._bar_topic = bar_topic(instrument, timeframe)
        self._tick_topic = tick_topic(instrument)
        self._revision_topic = revision_topic(instrument, timeframe)
        self._revised_ns = 0  # end of the newest bars that were revised and not fetched again
        self._caught_ns = -1  # newest bar held when they were fetched last
        self._missed = False  # bars of the stream, not fetched yet
        self._watch = WarmUpWatch(client, instrument, timeframe, calendar, window)
        self.stream = StreamClient(home.endpoint("data.stream"))
        self.tick: Tick | None = None
        self.is_next = False  # whether no quote was passed over between it and the one before
        self._place = (0, 0)  # epoch and number of the newest quote of the stream

    @property
    def bars(self) -> Bars:
        """The last complete bars, a window of them."""
        return self._kept.bars

    @property
    def last_bar_ns(self) -> int:
        """Open time of the newest bar held, 0 = none."""
        return int(self.bars.open_time_ns[-1]) if len(self.bars) else 0

    @property
    def warm_up(self) -> WarmUp:
        """How whole the window is."""
        return self._watch.state(len(self.bars))

    @property
    def missing(self) -> int:
        """How many bars of the window were missing when it was looked last."""
        return self._watch.missing

    @property
    def is_behind(self) -> bool:
        """Whether bars were missed that the data layer has not given yet: `take` has to be called again."""
        return self._missed

    def start(self) -> None:
        """Subscribe first, then fetch the warm-up: nothing can fall between."""
        self.stream.subscribe(self._bar_topic)
        self.stream.subscribe(self._revision_topic)
        if self._quotes:
            self.stream.subscribe(self._tick_topic)
        self._client.subscribe_bars(self._instrument, self._timeframe)
        self._kept.fill(self._fetch(count=self._kept.size))
        self._watch.look()
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

    def only_quote(self, items: list[Message | Gap]) -> Tick | None:
        """Return the quote when the stream brought one and nothing else, as it nearly always does; else `take`.

        In so many workers a turn costs what it touches: a process that was woken has cold caches.
        """
        if len(items) != 1 or self._missed or self._revised_ns or (self._watch.missing and self._watch.is_due):
            return None
        item = items[0]
        if item.topic != self._tick_topic or not isinstance(item, Message):
            return None
        return self._newest(item)

    def take(self, items: list[Message | Gap]) -> tuple[list[Bar], Tick | None]:
        """Sort what the stream brought.

        Blocks for an answer of the data layer when bars were missed. Without one there are no bars, later ones neither,
        and it `is_behind`: the next call asks again.

        Returns
        -------
        tuple of list of Bar and (Tick or None)
            Bars newer than those held, oldest first (already appended to `bars`, one by one by `advance`), and the
            latest quote when there was a new one.
        """
        bars: list[Bar] = []
        latest: Message | None = None
        for item in items:
            if item.topic == self._tick_topic:
                latest = item if isinstance(item, Message) else latest  # a newer one heals what was missed
            elif isinstance(item, Gap):
                self._missed |= item.topic == self._bar_topic
                if item.topic == self._revision_topic:
                    self._must_fetch(self.last_bar_ns + 1)
            elif item.topic == self._revision_topic:
                if self._concerns(item.values.end_ns):
                    self._must_fetch(item.values.end_ns)
            elif item.topic == self._bar_topic:
                bars.append(Bar(item.values.open_time_ns, *item.values[3:-1]))
        is_answering = self._catch_revisions()
        if self._missed:
            bars = self._all_since(bars) if is_answering else []
        if latest is None:
            return self._news(bars), None
        tick = self._newest(latest)
        return self._news(bars) if bars else bars, tick

    def fetch_since(self, open_time_ns: int) -> Bars:
        """Fetch the complete bars after an open time, at most a window of them."""
        return self._fetch(start_ns=open_time_ns + 1, count=self._kept.size)

    def advance(self, bar: Bar) -> None:
        """Append one bar to `bars`."""
        self._kept.append(bar)

    def close(self) -> None:
        """Close the subscription."""
        self.stream.close()

    def _newest(self, item: Message) -> Tick:
        epoch, number = self._place
        self._place = item.epoch, item.seq
        self.is_next = self._place == (epoch, number + 1)
        tick: Tick = item.values
        self.tick = tick
        return tick

    def _concerns(self, end_ns: int) -> bool:
        """Tell whether bars before a time are in the window, or would be if they were known."""
        return len(self.bars) < self._kept.size or end_ns > self.bars.open_time_ns[0]

    def _must_fetch(self, end_ns: int) -> None:
        self._revised_ns, self._caught_ns = max(self._revised_ns, end_ns), -1

    def _catch_revisions(self) -> bool:
        """Fetch the window again when bars in it were revised, without going ahead of what was handled.

        False when the data layer does not answer: whoever asks it again at once waits too long for its own beats.

        A bar that came late, and is newer than all that was handled, is no news any more: it is in the window as soon
        as a bar after it was handled.
        """
        revised = bool(self._revised_ns) and self._caught_ns != self.last_bar_ns
        if not revised and not self._watch.is_due:
            return True
        try:
            if revised:
                end_ns = self.last_bar_ns + 1 if self.last_bar_ns else self._revised_ns
                bars, _, _ = self._client.bars(
                    self._instrument, self._timeframe, end_ns=end_ns, count=self._kept.size, mapped=False
                )
                self._kept.fill(bars)
                self._caught_ns = self.last_bar_ns
                if self._revised_ns <= end_ns:
                    self._revised_ns = 0
            self._watch.look()
        except Retryable:
            return False  # the data layer is away: again with the next news
        return True

    def _all_since(self, streamed: list[Bar]) -> list[Bar]:
        """Return the bars that were missed and those that came after them; none while nobody gives the former."""
        try:
            fetched = self.fetch_since(self.last_bar_ns)
        except Retryable:
            return []  # to be fetched with those that were missed
        self._missed = False
        return [fetched.row(index) for index in range(len(fetched))] + streamed

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
