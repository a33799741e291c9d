"""The same account twice in one process: at the paper broker, and at the simulated OANDA over its sockets.

Both get the same intents and the same prices, each through a gateway of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from atrader.clock import parse_time
from atrader.instruments import KNOWN
from atrader.ledger import AVERAGE_DECIMALS
from atrader.orders.model import Order, Trade
from broker_api.adapter import Snapshot
from broker_api.oanda.adapter import OandaAdapter
from broker_api.paper import PaperAdapter
from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, AccountSettings, Level, Limits, OandaSimulator
from tests.support.gateways import START, GatewayBench
from tests.support.oanda import TOKEN_VARIABLE, NoJournal
from tests.support.skipping_loop import LoopClock, SkippingLoop

BALANCE: Final = Decimal(1_000_000)
SYMBOLS: Final = ("EUR/USD", "USD/JPY", "EUR/GBP", "GBP/USD")
"""Traded; the last converts what the third earns."""

_LAST_DIGIT: Final = Decimal("0.0001")
_LAST_DECIMAL: Final = Decimal(1).scaleb(-AVERAGE_DECIMALS)
_LIQUIDITY: Final = Decimal(1_000_000_000)
TOKEN: Final = "practice-0123456789abcdef-fedcba9876543210"
"""Of the simulator; a test puts it into the environment under `TOKEN_VARIABLE`."""

_SETTLED_S: Final = 1.0
"""Of the loop's time: everything that a step causes is through then, on an account that nothing disturbs."""


class Close(NamedTuple):
    """What closing brought: the sum and the average of so many executions, each of them rounded."""

    profit: Decimal
    price: Decimal
    executions: int


class Result(NamedTuple):
    """What became of everything, as a strategy and its owner see it."""

    orders: dict[str, tuple[object, ...]]
    trades: dict[str, tuple[object, ...]]
    closes: dict[str, Close]


class Account:
    """One of the two."""

    def __init__(self, bench: GatewayBench) -> None:
        self.bench = bench

    def result(self) -> Result:
        """Return what was published last of each order and trade."""
        recorder = self.bench.recorder
        orders = {order.client_id: _order(order) for order in recorder.orders if order.intent.n > 0}
        closes = {}
        for trade in recorder.trades:
            parts = {other.units_closed for other in recorder.trades if other.trade_id == trade.trade_id} - {0}
            closes[trade.trade_id] = Close(trade.profit, trade.close_price or Decimal(0), len(parts))
        return Result(orders, {trade.trade_id: _trade(trade) for trade in recorder.trades}, closes)

    async def begin(self) -> None:
        """Connect, and stay connected."""
        self.bench.start()
        await self.bench.gateway.connect()
        self.bench.gateway.tasks.spawn(self.bench.gateway.stay_connected())

    def open_trades(self) -> list[Trade]:
        """Return what is open."""
        return list(self.bench.gateway.book.own_trades())

    def working(self) -> list[Order]:
        """Return the working orders of strategies."""
        return list(self.bench.gateway.book.live_opens())


class TwinAccounts:
    """Paper and OANDA side by side.

    Parameters
    ----------
    loop : SkippingLoop
        Everything runs in it.
    root : Path
        Two installations are made in it.
    hedging : bool
        The accounts' kind.
    """

    def __init__(self, loop: SkippingLoop, root: Path, *, hedging: bool) -> None:
        self.hedging = hedging
        self.account_id = HEDGING_ACCOUNT if hedging else NETTING_ACCOUNT
        self.sim = OandaSimulator(
            [AccountSettings(self.account_id, hedging=hedging, balance=BALANCE, conversion="mid")],
            start_ns=parse_time(START),
            limits=Limits.loose(),
            price_window_s=0,
        )
        self._loop = loop
        self._root = root
        self.quotes: dict[str, tuple[Decimal, Decimal]] = {}

    async def __aenter__(self) -> Self:
        """Open the venue and both accounts; everything is quoted."""
        await self.sim.__aenter__()
        common: dict[str, Any] = {
            "positions": "hedging" if self.hedging else "netting",
            "currency_digits": 4,
            "trade": {"max_price_age": "1h"},
        }
        host = LoopClock(self._loop, parse_time(START))
        oanda = {
            "account_id": self.account_id,
            "token": f"env:{TOKEN_VARIABLE}",
            "rest_url": self.sim.rest_url,
            "stream_url": self.sim.stream_url,
            "new_connections_per_s": 1000,
        }
        paper_bench = GatewayBench(
            self._root / "paper", _paper, host_clock=host, paper={"initial_balance": BALANCE}, **common
        )
        oanda_bench = GatewayBench(
            self._root / "oanda", _oanda, host_clock=host, broker="oanda", oanda=oanda, order_timeout="10s", **common
        )
        self.paper, self.oanda = Account(paper_bench), Account(oanda_bench)
        for account in self.both:
            await account.begin()
        for symbol in SYMBOLS:
            spec = self.sim.venue.market.specs[symbol.replace("/", "_")]
            await self.quote(symbol, spec.start_price, spec.start_price + spec.spread)
        return self

    async def __aexit__(self, *error: Any) -> None:
        for account in self.both:
            await account.bench.stop()
        await self.sim.__aexit__(None, None, None)

    @property
    def both(self) -> tuple[Account, Account]:
        """Paper, OANDA."""
        return self.paper, self.oanda

    async def quote(self, symbol: str, bid: Decimal, ask: Decimal, after_s: float = 1.0) -> None:
        """Quote an instrument on both, some market seconds later, and wait until all is done that this causes."""
        self.quotes[symbol] = bid, ask
        self.sim.clock.advance(after_s)
        bids, asks = ([Level(price, _LIQUIDITY)] for price in (bid, ask))
        self.sim.quote(symbol.replace("/", "_"), bids=bids, asks=asks)
        await self.settle()
        for account in self.both:
            account.bench.quote(float(bid), float(ask), after_s, symbol)
        await self.settle()

    async def submit(self, magic: int, **values: Any) -> None:
        """Hand an intent to both, and wait until all is done that it causes."""
        for account in self.both:
            await account.bench.submit(magic, **values)
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing happens any more."""
        await asyncio.sleep(_SETTLED_S)

    def differences(self) -> Iterator[str]:
        """Yield in what the two differ, one line each."""
        paper, oanda = self.paper.result(), self.oanda.result()
        for ours, theirs in ((paper.orders, oanda.orders), (paper.trades, oanda.trades)):
            for name in sorted({*ours, *theirs}):
                if ours.get(name) != theirs.get(name):
                    yield f"{name}:\n   paper {_text(ours.get(name))}\n   oanda {_text(theirs.get(name))}"
        for name in paper.closes.keys() & oanda.closes.keys():
            here, there = paper.closes[name], oanda.closes[name]
            # A stop at the broker closes what the net position leaves it, the gateway the rest: rounded apart.
            apart = abs(here.executions - there.executions)
            differs = abs(here.profit - there.profit) > apart * _LAST_DIGIT
            if differs or abs(here.price - there.price) > apart * _LAST_DECIMAL or (apart and self.hedging):
                yield f"{name}:\n   paper {_text(here)}\n   oanda {_text(there)}"
        for account, name in zip(self.both, ("paper", "oanda"), strict=True):
            if account.bench.failures:
                yield f"{name} failed: {account.bench.failures}"

    async def broken_books(self) -> list[str]:
        """Compare what the brokers themselves say; on netting accounts only positions.

        A net position averages its prices here, and closes its tickets first in, first out there.
        """
        snapshots = [await account.bench.adapter.snapshot() for account in self.both]
        says = [(_positions(snapshot), *(_money(snapshot) if self.hedging else ())) for snapshot in snapshots]
        found = zip(("positions", "money", "tickets"), *says, strict=False)
        return [f"{what}:\n   paper {here}\n   oanda {there}" for what, here, there in found if here != there]


def _paper(bench: GatewayBench) -> PaperAdapter:
    return PaperAdapter(bench.config, bench.home, {symbol: KNOWN[symbol] for symbol in SYMBOLS}, bench.clock)


def _oanda(bench: GatewayBench) -> OandaAdapter:
    known = {symbol: KNOWN[symbol] for symbol in SYMBOLS}
    return OandaAdapter(bench.config, known, bench.clock, bench.host_clock, bench.budget, NoJournal())


def _positions(snapshot: Snapshot) -> object:
    return sorted(snapshot.net_units.items())


def _money(snapshot: Snapshot) -> tuple[object, object]:
    tickets = sorted(
        (trade.client_id or "", trade.side, trade.units, trade.open_price, trade.stop_loss or 0,
         trade.take_profit or 0, trade.trailing_distance or 0)
        for trade in snapshot.trades
    )  # fmt: skip
    return (snapshot.account.balance, snapshot.account.equity), tickets


def _order(order: Order) -> tuple[object, ...]:
    why = order.reason.partition(":")[0]
    return order.state, order.units, order.filled_units, order.average_price, why


def _trade(trade: Trade) -> tuple[object, ...]:
    both = bool(trade.initial_stop or trade.stop_loss) and trade.trailing_distance
    why = "a stop" if both and trade.close_reason in ("stop-loss", "trailing-stop") else trade.close_reason
    return (
        trade.instrument, trade.side, trade.units_opened, trade.units, trade.open_price,
        trade.stop_loss, trade.take_profit, trade.trailing_distance, trade.commission, why,
    )  # fmt: skip


def _text(value: tuple[object, ...] | None) -> str:
    return "-" if value is None else " ".join(str(item) for item in value)
