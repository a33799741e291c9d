"""Prices: a ladder of liquidity per instrument, halts, and the base bars from which candles are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from tests.oanda_simulator.candle_store import CandleStore
from tests.oanda_simulator.clock import VenueClock
from tests.oanda_simulator.hours import Hours, is_open
from tests.oanda_simulator.instruments import Spec
from tests.oanda_simulator.values import Fields, Time

LIQUIDITY: Final = Decimal(10_000_000)
Halt = Literal["none", "all", "bid", "ask"]


@dataclass(frozen=True)
class Level:
    """What may be traded at one price."""

    price: Decimal
    liquidity: Decimal

    def fields(self) -> Fields:
        """Return the level as the venue tells it: liquidity is an integer."""
        return {"price": self.price, "liquidity": int(self.liquidity)}


@dataclass(frozen=True)
class Quote:
    """A price, best levels first. A side may be empty; the close-out prices never are."""

    instrument: str
    time: Time
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    closeout_bid: Decimal
    closeout_ask: Decimal
    tradeable: bool
    fresh: bool = True  # False: an old price told again because the week opened or closed

    @property
    def bid(self) -> Decimal:
        """The best bid, or the close-out price where there is none."""
        return self.bids[0].price if self.bids else self.closeout_bid

    @property
    def ask(self) -> Decimal:
        """The best ask, or the close-out price where there is none."""
        return self.asks[0].price if self.asks else self.closeout_ask

    @property
    def mid(self) -> Decimal:
        """Between bid and ask."""
        return (self.bid + self.ask) / 2

    def fields(self, time_key: str = "time") -> Fields:
        """Return the quote as the venue tells it (inside fills the time has another name)."""
        return {
            "type": "PRICE",
            time_key: self.time,
            "instrument": self.instrument,
            "tradeable": self.tradeable,
            "status": "tradeable" if self.tradeable else "non-tradeable",
            "bids": [level.fields() for level in self.bids],
            "asks": [level.fields() for level in self.asks],
            "closeoutBid": self.closeout_bid,
            "closeoutAsk": self.closeout_ask,
        }


class Market:
    """The newest price of each instrument, and who wants to hear of it.

    Attributes
    ----------
    candles : CandleStore
        The bars that quotes and loaded history make.
    """

    def __init__(self, clock: VenueClock, specs: dict[str, Spec], hours: Hours) -> None:
        self.specs = specs
        self.candles = CandleStore()
        self._clock = clock
        self._hours = hours
        self._quotes: dict[str, Quote] = {}
        self._halts: dict[str, Halt] = {}
        self.conversions: dict[tuple[str, str], Any] = {}  # by pair of currencies, valid until the next price
        self._listeners: list[Callable[[Quote], None]] = []

    def listen(self, listener: Callable[[Quote], None]) -> Callable[[], None]:
        """Call a function for each new price, in the order of subscription; the returned one ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def get(self, instrument: str) -> Quote | None:
        """Return the newest price, if there was one."""
        return self._quotes.get(instrument)

    def quoted(self) -> list[str]:
        """Return the instruments that have a price."""
        return list(self._quotes)

    def trades(self, instrument: str) -> bool:
        """Return whether an instrument may be traded now."""
        return is_open(self._clock.now(), self._hours) and self._halts.get(instrument) != "all"

    def halted_side(self, instrument: str) -> Halt:
        """Return the side on which an instrument is halted."""
        return self._halts.get(instrument, "none")

    def quote(self, instrument: str, bids: Sequence[Level], asks: Sequence[Level]) -> Quote:
        """Take a new price, tell everybody, and add it to the candles while the market trades."""
        spec = self.specs[instrument]
        bids = [Level(spec.price(level.price), level.liquidity) for level in bids]
        asks = [Level(spec.price(level.price), level.liquidity) for level in asks]
        worst_bid = bids[-1].price if bids else asks[-1].price - spec.spread
        worst_ask = asks[-1].price if asks else bids[-1].price + spec.spread
        quote = Quote(
            instrument,
            self._clock.now(),
            () if self.halted_side(instrument) == "bid" else tuple(bids),
            () if self.halted_side(instrument) == "ask" else tuple(asks),
            spec.price(worst_bid - 2 * spec.tick),
            spec.price(worst_ask + 2 * spec.tick),
            self.trades(instrument),
        )
        if quote.tradeable and quote.bids and quote.asks:
            self.candles.add(instrument, quote.time, quote.bid, quote.ask)
        self._publish(quote)
        return quote

    def halt(self, instrument: str, side: Halt) -> None:
        """Halt an instrument, wholly or on one side, or let it trade again (``none``)."""
        self._halts[instrument] = side
        if quote := self._quotes.get(instrument):
            self._republish(quote, fresh=True)

    def refresh(self) -> None:
        """Tell every price again as the week's opening or close makes it; pending orders wait for a new one."""
        for quote in list(self._quotes.values()):
            self._republish(quote, fresh=False)

    def _republish(self, quote: Quote, fresh: bool) -> None:
        side = self.halted_side(quote.instrument)
        bids = quote.bids or (Level(quote.closeout_bid, LIQUIDITY),)
        asks = quote.asks or (Level(quote.closeout_ask, LIQUIDITY),)
        self._publish(
            Quote(
                quote.instrument,
                self._clock.now(),
                () if side == "bid" else bids,
                () if side == "ask" else asks,
                quote.closeout_bid,
                quote.closeout_ask,
                self.trades(quote.instrument),
                fresh,
            )
        )

    def _publish(self, quote: Quote) -> None:
        self._quotes[quote.instrument] = quote
        self.conversions.clear()
        for listener in list(self._listeners):
            listener(quote)
