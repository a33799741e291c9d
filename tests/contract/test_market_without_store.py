"""A store that is away, or hangs without a word, costs the live market no bar of those it goes on with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.bus import StreamServer, close_context
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.errors import StoreUnavailable
from atrader.market import Bar, Bars, Tick
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary
from data_layer.live_market import LiveMarket
from data_layer.longer_bars import LongerBars
from data_layer.market_values import Completed
from data_layer.prompt_bars import PromptBars
from data_layer.store.market_sqlite import SqliteMarketStore

CALENDAR = Calendar.get("24/7")
BASE, LONGER = Timeframe.parse("1s"), Timeframe.parse("1m")
T0 = 1_700_000_040 * NS_PER_S  # a whole minute


class Library(BarLibrary):
    """A library whose store can be made to hang, or to be away."""

    def __init__(self, store: SqliteMarketStore) -> None:
        super().__init__(store, lambda _: CALENDAR)
        self.reads = 0
        self.answers = threading.Event()
        self.answers.set()
        self.is_away = False

    def bars(self, *args: object, **kwargs: object) -> Bars:
        """Answer as a library, when the store answers."""
        self.reads += 1
        assert self.answers.wait(60)
        if self.is_away:
            raise StoreUnavailable("away")
        return super().bars(*args, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteMarketStore]:
    store = SqliteMarketStore(tmp_path / "market.db", "a test", 1.0)
    yield store
    store.close()


@pytest.fixture
def library(store: SqliteMarketStore) -> Library:
    return Library(store)


@pytest.fixture
def stored(library: Library) -> Iterator[PromptBars]:
    stored = PromptBars(library)
    yield stored
    library.answers.set()
    stored.close()


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[StreamServer]:
    stream = StreamServer(f"ipc://{tmp_path}/stream")
    yield stream
    stream.close()
    close_context()


def bar(second: int, price: float = 1.0) -> Bar:
    return Bar._make((T0 + second * NS_PER_S, *[price] * 8, 1.0))


def test_a_store_that_hangs_is_asked_once_and_counts_as_away_until_it_answers(
    library: Library, stored: PromptBars
) -> None:
    stored.patience_s = 0.01
    library.answers.clear()
    for _ in range(100):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            stored.bars("EUR/USD", BASE, horizon_ns=T0)
    assert library.reads == 1
    library.answers.set()
    stored.patience_s = None
    while True:
        try:
            assert len(stored.bars("EUR/USD", BASE, horizon_ns=T0)) == 0
            break
        except StoreUnavailable:
            continue
    assert library.reads == 2


def test_a_first_quote_is_a_price_while_the_store_hangs(
    library: Library, stored: PromptBars, stream: StreamServer
) -> None:
    market = LiveMarket(stream, stored, lambda _: CALENDAR, BASE, lambda: T0)
    stored.patience_s = 0.01
    library.answers.clear()
    assert len(market.ticks([Tick("EUR/USD", T0, T0, 1.0, 1.1)])) == 1
    market.ticks([Tick("EUR/USD", T0 + NS_PER_S, T0, 1.0, 1.1)])
    assert "EUR/USD" in market.forming(), "from the next bar on"


def test_longer_bars_whose_base_bars_are_revised_while_the_store_is_away_go_on_and_are_renewed_later() -> None:
    known: list[Bar] = [bar(0, 1.0)]
    away = False

    def published(instrument: str, start_ns: int, horizon_ns: int) -> list[Bar]:
        if away:
            raise StoreUnavailable("away")
        return [one for one in known if start_ns <= one.open_time_ns < horizon_ns]

    longer = LongerBars(BASE, lambda _: CALENDAR, published)
    longer.subscribe("EUR/USD", LONGER, T0 + NS_PER_S)
    known[0] = bar(0, 7.0)
    away = True
    longer.renew("EUR/USD", LONGER, T0 + NS_PER_S)
    longer.renew_what_is_stale(lambda _: T0 + NS_PER_S)
    assert list(longer.add("EUR/USD", [bar(1, 2.0)], T0 + 2 * NS_PER_S)) == []
    known.append(bar(1, 2.0))
    away = False
    longer.renew_what_is_stale(lambda _: T0 + 2 * NS_PER_S)
    [(name, done)] = longer.add("EUR/USD", [bar(59, 3.0)], T0 + 60 * NS_PER_S)
    assert (name, done.open_time_ns, done.open, done.high, done.volume) == ("1m", T0, 7.0, 7.0, 3.0)


def test_an_instrument_follows_its_source_once_and_not_while_the_store_is_away(
    store: SqliteMarketStore, library: Library, stored: PromptBars, stream: StreamServer
) -> None:
    handed: list[Completed] = []
    market = LiveMarket(stream, stored, lambda _: CALENDAR, BASE, lambda: T0 + 10 * NS_PER_S)
    market.hand_over = handed.append
    store.put_bars("EUR/USD", BASE.name, "a source", Bars.from_rows([bar(0)]))
    library.is_away = True
    market.follow("EUR/USD")
    library.is_away = False
    market.follow("EUR/USD")
    page = Bars.from_rows([bar(1), bar(2)])
    store.put_bars("EUR/USD", BASE.name, "a source", page)
    market.follow("EUR/USD")  # between the commit of a page and the word of it
    market.told("EUR/USD", page, T0 + NS_PER_S, T0 + 3 * NS_PER_S)
    assert [len(one.bars) for one in handed] == [2]
