"""The same intents and prices through the paper account and through OANDA: the same trades, prices and profit.

Scripts drawn by seed are played on both, step by step, and compared to the last digit of the account currency. What the
two are meant to do differently is listed in docs/paper.md; scripts keep out of its way. A script that fails is printed.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from atrader.clock import NS_PER_S
from atrader.instruments import KNOWN
from atrader.orders.model import SIGN, Side
from tests.support.oanda import TOKEN_VARIABLE
from tests.support.skipping_loop import SkippingLoop
from tests.support.soak import soak_seeds
from tests.support.twin_accounts import SYMBOLS, TOKEN, Account, TwinAccounts

_SPREADS: Final = (2, 30)
"""Of all prices, ticks."""
_AWAY: Final = (40, 250)
"""Ticks from the price of an order to its protection: more than the widest spread."""
_TRAILS: Final = (50, 200)
_MOVES: Final = 250

_Kind = Literal["hedging", "netting"]
_CHOICES: Final = {"move": 10, "open": 5, "close": 2, "protect": 3, "change": 2, "cancel": 1}


class Play:
    """A script on two accounts; what to do next is drawn, as far as there is something to do it to."""

    def __init__(self, twins: TwinAccounts, seed: int) -> None:
        self.twins = twins
        self.chance = random.Random(seed)
        self.symbols = self.chance.sample(SYMBOLS, 2)
        self.told: list[str] = []

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            (choice,) = self.chance.choices(list(_CHOICES), list(_CHOICES.values()))
            await getattr(self, choice)()
            self.compare(list(self.twins.differences()))
        self.compare(await self.twins.broken_books())

    def compare(self, found: Sequence[str]) -> None:
        """Fail with the whole script when something differs."""
        assert not found, "\n".join([*self.told, *found])

    async def submit(self, magic: int, symbol: str, **values: Any) -> None:
        self.told.append(" ".join([str(magic), symbol, *(f"{key}={value}" for key, value in values.items())]))
        await self.twins.submit(magic, instrument=symbol, **values)

    async def quote(self, symbol: str, bid: Decimal, ask: Decimal, after_s: float = 1.0) -> None:
        self.told.append(f"{symbol} {bid} {ask}")
        await self.twins.quote(symbol, bid, ask, after_s)

    # -- steps

    async def open(self) -> None:
        symbol = self.chance.choice(self.symbols)
        side: Side = "buy" if self.chance.random() < 0.5 else "sell"
        order_type = self.chance.choice(("market", "market", "limit", "stop"))
        bid, ask = self.twins.quotes[symbol]
        values: dict[str, Any] = {"side": side, "order_type": order_type, "units": Decimal(self._units())}
        reference = bid if side == "buy" else ask
        if order_type != "market":
            values["price"] = reference = self._entry(symbol, side, order_type)
            if self.chance.random() < 0.3:
                lives_s = self.chance.randint(1, 120)
                values["expires_ns"] = self.twins.paper.bench.clock.now_ns() + lives_s * NS_PER_S
        wrong = order_type == "market" and self.chance.random() < 0.05
        values |= self._protection(symbol, side, reference, -1 if wrong else 1)
        if trail := self._maybe(*_TRAILS, share=0.25):
            values["trailing_distance"] = trail * KNOWN[symbol].price_tick
        await self.submit(self.chance.choice((7, 8)), symbol, action="open", **values)

    async def close(self) -> None:
        if trade := self._any(self.twins.paper.open_trades()):
            units = None
            if self.chance.random() < 0.5:
                units = max(Decimal(1), (trade.units * self.chance.randint(1, 99) / 100).quantize(Decimal(1)))
            await self.submit(trade.magic, trade.instrument, action="close", trade_id=trade.trade_id, units=units)

    async def protect(self) -> None:
        if trade := self._any(self.twins.paper.open_trades()):
            bid, ask = self.twins.quotes[trade.instrument]
            values = self._protection(trade.instrument, trade.side, bid if trade.side == "buy" else ask)
            if trail := self._maybe(*_TRAILS, share=0.25):
                values["trailing_distance"] = trail * KNOWN[trade.instrument].price_tick
            values |= {name: Decimal(0) for name in ("stop_loss", "take_profit") if self.chance.random() < 0.1}
            if trade.trailing_distance:
                values = {name: price for name, price in values.items() if name == "take_profit"}
            await self.submit(trade.magic, trade.instrument, action="modify", trade_id=trade.trade_id, **values)

    async def change(self) -> None:
        if order := self._any(self.twins.paper.working()):
            intent = order.intent
            assert intent.side is not None
            price = self._entry(intent.instrument, intent.side, intent.order_type)
            values = self._protection(intent.instrument, intent.side, price, share=1.0)  # none stays where it was
            await self.submit(
                intent.magic, intent.instrument, action="modify", order_id=order.client_id, price=price, **values
            )

    async def cancel(self) -> None:
        if order := self._any(self.twins.paper.working()):
            intent = order.intent
            await self.submit(intent.magic, intent.instrument, action="cancel", order_id=order.client_id)

    async def move(self) -> None:
        """Move the price, then the ask alone; stop at each price that one side fills at and the other side better."""
        symbol = self.chance.choice((*self.symbols, *self.symbols, *SYMBOLS))
        tick, (bid, ask) = KNOWN[symbol].price_tick, self.twins.quotes[symbol]
        width, goal = ask - bid, bid + self.chance.randint(-_MOVES, _MOVES) * tick
        await self.quote(symbol, bid, ask, self.chance.randint(1, 40))
        while bid != goal:
            bid = self._next(bid, goal, [bid_of(*level, width) for level in self._levels(symbol)])
            await self.quote(symbol, bid, bid + width)
        ask, goal = bid + width, bid + self.chance.randint(*_SPREADS) * tick
        while ask != goal:
            ask = self._next(ask, goal, [price for side, price in self._levels(symbol) if side == "buy"])
            await self.quote(symbol, bid, ask)

    # -- draws

    def _units(self) -> int:
        return self.chance.choice((1, self.chance.randint(1, 1000), self.chance.randint(1000, 60_000)))

    def _maybe(self, low: int, high: int, share: float) -> int | None:
        return self.chance.randint(low, high) if self.chance.random() < share else None

    def _any(self, items: Sequence[Any]) -> Any:
        return self.chance.choice(items) if items else None

    def _entry(self, symbol: str, side: Side, order_type: str) -> Decimal:
        """Return the price of a limit or stop order, mostly where it has to wait."""
        bid, ask = self.twins.quotes[symbol]
        ahead = SIGN[side] * (1 if order_type == "stop" else -1)
        return (ask if side == "buy" else bid) + ahead * self.chance.randint(-20, 200) * KNOWN[symbol].price_tick

    def _protection(
        self, symbol: str, side: Side, reference: Decimal, right: int = 1, share: float = 0.5
    ) -> dict[str, Decimal]:
        step, values = SIGN[side] * right * KNOWN[symbol].price_tick, dict[str, Decimal]()
        if away := self._maybe(*_AWAY, share):
            values["stop_loss"] = reference - away * step
        if away := self._maybe(*_AWAY, share):
            values["take_profit"] = reference + away * step
        return values

    # -- where prices have to stop

    def _levels(self, symbol: str) -> Iterator[tuple[Side, Decimal]]:
        for trade in self.twins.paper.open_trades():
            if trade.instrument == symbol and trade.take_profit:
                yield ("sell" if trade.side == "buy" else "buy"), trade.take_profit
        for order in self.twins.paper.working():
            intent = order.intent
            if intent.instrument == symbol and intent.price and (intent.order_type == "limit" or intent.take_profit):
                assert intent.side is not None
                yield intent.side, intent.price

    @staticmethod
    def _next(at: Decimal, goal: Decimal, levels: Sequence[Decimal]) -> Decimal:
        between = [level for level in (*levels, goal) if at < level <= goal or goal <= level < at]
        return min(between, key=lambda level: abs(level - at))


def bid_of(side: Side, price: Decimal, width: Decimal) -> Decimal:
    """Return the bid at which a side executes at a price."""
    return price if side == "sell" else price - width


def on_both(kind: _Kind, part: Callable[[SkippingLoop, Path, bool], Coroutine[Any, Any, None]]) -> None:
    """Run something over two accounts in a directory of its own."""
    memory = Path("/dev/shm")
    loop = SkippingLoop()
    try:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
            loop.run_until_complete(part(loop, Path(directory), kind == "hedging"))
    finally:
        loop.close()


def play(kind: _Kind, seed: int, steps: int) -> None:
    async def part(loop: SkippingLoop, root: Path, hedging: bool) -> None:
        async with TwinAccounts(loop, root, hedging=hedging) as twins:
            await Play(twins, seed).run(steps)

    on_both(kind, part)


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["hedging", "netting"])
def test_both_come_to_the_same(kind: _Kind, seed: int) -> None:
    play(kind, seed, 40)


@pytest.mark.soak
@pytest.mark.parametrize("first", soak_seeds(20, each=50))
@pytest.mark.parametrize("kind", ["hedging", "netting"])
def test_both_come_to_the_same_in_many_scripts(kind: _Kind, first: int) -> None:
    for seed in range(first, first + 50):
        play(kind, seed, 80)


D = Decimal
_Quotes = Sequence[tuple[str, str]]


@pytest.mark.parametrize(
    ("order", "quotes", "paper", "oanda"),
    [
        pytest.param(
            {"order_type": "limit", "price": D("1.09900")},
            [("1.09800", "1.09810")],
            ("FILLED", "1.09900", None),
            ("FILLED", "1.09810", None),
            id="a limit order is jumped over",
        ),
        pytest.param(
            {"take_profit": D("1.10100")},
            [("1.10150", "1.10160")],
            ("FILLED", "1.10010", "1.10100"),
            ("FILLED", "1.10010", "1.10150"),
            id="a target is jumped over",
        ),
        pytest.param(
            {"order_type": "limit", "price": D("1.09900"), "stop_loss": D("1.09850")},
            [("1.09800", "1.09810")],
            ("FILLED", "1.09900", "1.09800"),
            ("CANCELLED", None, None),
            id="entry and stop are jumped over",
        ),
        pytest.param(
            {"trailing_distance": D("0.00020")},
            [],
            ("FILLED", "1.10010", None),
            ("REJECTED", None, None),
            id="a trailing distance below the least of the broker",
        ),
    ],
)
def test_what_differs_is_what_the_page_says(
    order: dict[str, Any], quotes: _Quotes, paper: tuple[object, ...], oanda: tuple[object, ...]
) -> None:
    async def part(loop: SkippingLoop, root: Path, hedging: bool) -> None:
        async with TwinAccounts(loop, root, hedging=hedging) as twins:
            await twins.quote("EUR/USD", D("1.10000"), D("1.10010"))
            await twins.submit(7, action="open", instrument="EUR/USD", side="buy", units=D(1000), **order)
            for bid, ask in quotes:
                await twins.quote("EUR/USD", D(bid), D(ask))
            assert [_story(account) for account in twins.both] == [paper, oanda]

    on_both("hedging", part)


def test_another_distance_begins_anew_at_the_broker_and_never_moves_a_stop_back_here() -> None:
    async def part(loop: SkippingLoop, root: Path, hedging: bool) -> None:
        async with TwinAccounts(loop, root, hedging=hedging) as twins:
            await twins.quote("EUR/USD", D("1.10000"), D("1.10010"))
            opening = {"side": "buy", "units": D(1000), "trailing_distance": D("0.00100")}
            await twins.submit(7, action="open", instrument="EUR/USD", **opening)
            wider = {"trade_id": "a000007w1", "trailing_distance": D("0.00300")}
            await twins.submit(7, action="modify", instrument="EUR/USD", **wider)
            stops = [(await account.bench.adapter.snapshot()).trades[0].stop_loss for account in twins.both]
            assert stops == [D("1.09900"), D("1.09700")]

    on_both("hedging", part)


def _story(account: Account) -> tuple[object, ...]:
    """Return the state of the only order, where it filled, and where its trade closed."""
    order = account.bench.recorder.orders[-1]
    trade = next(iter(reversed(account.bench.recorder.trades)), None)
    closed = None if trade is None or trade.close_price is None else str(trade.close_price)
    return str(order.state), None if order.average_price is None else str(order.average_price), closed
