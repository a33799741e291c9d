"""What holds for a paper account whatever is ordered, whatever is quoted, and wherever it is killed in between."""

import asyncio
import math
import tempfile
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.errors import Rejected
from atrader.instruments import KNOWN
from atrader.orders.model import SIGN
from atrader.paper.desk import Desk
from atrader.paper.margin_watch import MarginWatch
from broker_api.adapter import AnyReport, BrokerOrder, FillReport, Modification, Snapshot, SwapReport
from tests.support.paper import PaperBench

pytestmark = pytest.mark.property

D = Decimal
SYMBOLS = ("EUR/USD", "USD/JPY", "EUR/JPY")
INSTRUMENTS = {symbol: KNOWN[symbol] for symbol in SYMBOLS}
START = {"EUR/USD": 110_000, "USD/JPY": 150_000, "EUR/JPY": 165_000}  # in price ticks
BALANCE = D(20_000)


@dataclass(frozen=True)
class Step:
    """One thing that happens; numbers choose among what there is, so that every script is possible."""

    what: str
    symbol: str = SYMBOLS[0]
    side: str = "buy"
    kind: str = "market"
    number: int = 0
    units: int = 1
    distance: int = 0  # price ticks
    protect: tuple[int, int, int] = (0, 0, 0)  # stop, target, trailing in price ticks; 0 = none
    after_s: float = 1.0
    crash: bool = False  # kill -9 before it


symbols = st.sampled_from(SYMBOLS)
numbers = st.integers(0, 20)
sides = st.sampled_from(("buy", "sell"))
distances = st.sampled_from((0, 50, 200))
protections = st.tuples(distances, distances, distances)
quotes = st.builds(
    Step,
    what=st.just("quote"),
    symbol=symbols,
    distance=st.integers(-400, 400) | st.integers(-8000, 8000),
    units=st.integers(0, 30),  # spread in price ticks
    after_s=st.sampled_from((0.0, 0.1, 1.0, 60.0, 3600.0, 86_400.0)),
)
opens = st.builds(
    Step,
    what=st.just("open"),
    symbol=symbols,
    side=sides,
    kind=st.sampled_from(("market", "market", "limit", "stop")),
    units=st.integers(1, 60_000),
    distance=st.integers(-300, 300),
    protect=protections,
    after_s=st.sampled_from((0.0, 0.0, 120.0)),  # expiry, 0 = none
)
closes = st.builds(Step, what=st.just("close"), number=numbers, units=st.integers(1, 60_000))
cancels = st.builds(Step, what=st.just("cancel"), number=numbers)
changes = st.builds(Step, what=st.just("change"), number=numbers, distance=st.integers(-300, 300), protect=protections)
steps = quotes | quotes | opens | closes | cancels | changes


def long_script(seed: int) -> list[Step]:
    """Write a script as lively as a bad day: small lists hardly ever let a stop fire."""
    random = Random(seed)
    script = []
    for _ in range(60):
        what = random.choices(("quote", "open", "close", "cancel", "change"), (50, 30, 8, 2, 6))[0]
        protect = (random.choice((0, 60, 150)), random.choice((0, 60, 150)), random.choice((0, 0, 100)))
        is_wild = random.random() < 0.03
        script.append(
            Step(
                what=what,
                symbol=random.choice(SYMBOLS),
                side=random.choice(("buy", "sell")),
                kind=random.choice(("market", "market", "limit", "stop")),
                number=random.randrange(20),
                units=random.randrange(30) if what == "quote" else random.randint(1, 40_000),
                distance=random.randint(-6000, 6000) if is_wild else random.randint(-150, 150),
                protect=protect,
                after_s=random.choice((0.0, 1.0, 1.0, 60.0, 20_000.0)) if what == "quote" else 0.0,
            )
        )
    return script


scripts = st.lists(steps, min_size=5, max_size=40) | st.integers(0, 2**32).map(long_script)
accounts = st.fixed_dictionaries(
    {
        "positions": st.sampled_from(("hedging", "netting")),
        "seed": st.integers(0, 3),
        "slippage_pips": st.sampled_from(("0", "0.5")),
        "extra_spread_pips": st.sampled_from(("0", "0.3")),
        "commission_per_million": st.sampled_from((0, 35)),
        "swap_long_frac": st.just("-0.03"),
        "swap_short_frac": st.just("0.01"),
        "partial_fill_share": st.sampled_from((0.0, 0.7)),
        "reject_share": st.sampled_from((0.0, 0.1)),
        "latency": st.sampled_from((0.0, "500ms")),
        "leverage": st.sampled_from((30, 5)),
    }
)


class Player:
    """Plays a script on an account and keeps what it was told."""

    def __init__(self, path: Path, account: dict[str, Any]) -> None:
        self.bench = PaperBench(path, instruments=INSTRUMENTS, initial_balance=BALANCE, **account)
        self.price = dict(START)
        self.spread = dict.fromkeys(SYMBOLS, 10)
        self.told: list[AnyReport] = []
        self.sent = 0
        self.symbol_of: dict[str, str] = {}  # of client ids and tickets

    async def play(self, script: list[Step]) -> Snapshot:
        await self.bench.start()
        for symbol in SYMBOLS:
            self.quote(symbol, 1.0)
        for step in script:
            if step.crash:
                await self.bench.crash()
            try:
                await self.act(step)
            except Rejected:
                continue
        return await self.bench.adapter.snapshot()

    async def act(self, step: Step) -> None:
        adapter = self.bench.adapter
        snapshot = await adapter.snapshot()
        tick = INSTRUMENTS[step.symbol].price_tick
        if step.what == "quote":
            self.price[step.symbol] = max(1000, self.price[step.symbol] + step.distance)
            self.spread[step.symbol] = step.units
            self.quote(step.symbol, step.after_s)
        elif step.what == "open":
            order = self.order(step, tick)
            self.symbol_of[order.client_id] = order.instrument
            self.told += await adapter.submit(order)
        elif step.what == "close" and snapshot.trades:
            trade, client_id = snapshot.trades[step.number % len(snapshot.trades)], self.client_id()
            self.symbol_of[client_id] = trade.instrument  # a close that filled in part may outlive its ticket
            self.told += await adapter.submit(
                BrokerOrder(
                    client_id=client_id, magic=trade.magic or 1, instance="x", instrument=trade.instrument,
                    side="sell" if trade.side == "buy" else "buy", order_type="market",
                    units=min(trade.units, D(step.units)), close_broker_trade_id=trade.broker_trade_id,
                )
            )  # fmt: skip
        elif step.what == "cancel" and snapshot.orders:
            working = snapshot.orders[step.number % len(snapshot.orders)]
            self.told += await adapter.cancel(self.client_id(), working.client_id)
        elif step.what == "change" and snapshot.trades:
            trade = snapshot.trades[step.number % len(snapshot.trades)]
            tick = INSTRUMENTS[trade.instrument].price_tick
            stop, target, trailing = self.protection(trade.side, self.price[trade.instrument], step.protect, tick)
            change = Modification(
                client_id=self.client_id(), broker_trade_id=trade.broker_trade_id, stop_loss=stop,
                take_profit=target, trailing_distance=trailing,
            )  # fmt: skip
            self.told += await adapter.modify(change)
        elif step.what == "change" and snapshot.orders:
            working = snapshot.orders[step.number % len(snapshot.orders)]
            symbol = self.symbol_of[working.client_id]
            price = (self.price[symbol] + step.distance) * INSTRUMENTS[symbol].price_tick
            change = Modification(client_id=self.client_id(), order_client_id=working.client_id, price=price)
            self.told += await adapter.modify(change)

    def quote(self, symbol: str, after_s: float) -> None:
        tick = INSTRUMENTS[symbol].price_tick
        bid, ask = self.price[symbol] * tick, (self.price[symbol] + self.spread[symbol]) * tick
        self.told += self.bench.quote(symbol, float(bid), float(ask), after_s)

    def order(self, step: Step, tick: Decimal) -> BrokerOrder:
        price = self.price[step.symbol] + step.distance
        reference = self.price[step.symbol] if step.kind == "market" else price
        protect = step.protect if self.bench.config.positions == "hedging" else (0, 0, 0)
        stop, target, trailing = self.protection(step.side, reference, protect, tick)
        return BrokerOrder.model_validate(
            {
                "client_id": self.client_id(),
                "magic": 1 + step.units % 3,
                "instance": "x",
                "instrument": step.symbol,
                "side": step.side,
                "order_type": step.kind,
                "units": D(step.units),
                "price": None if step.kind == "market" else price * tick,
                "stop_loss": stop or None,
                "take_profit": target or None,
                "trailing_distance": trailing or None,
                "expires_ns": self.bench.now_ns() + round(step.after_s * 1e9) if step.after_s else None,
            }
        )

    def protection(
        self, side: str, price: int, protect: tuple[int, int, int], tick: Decimal
    ) -> tuple[Decimal, Decimal, Decimal]:
        stop, target, trailing = protect
        sign = SIGN[side]
        # Beyond the widest spread, so that most are accepted; 0 is none.
        return (
            (price - sign * (stop + 45)) * tick if stop else D(0),
            (price + sign * (target + 45)) * tick if target else D(0),
            trailing * tick,
        )

    def shown(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return bid and ask as the account shows them: 0.3 pips more are three ticks, one of them at the bid."""
        tick = INSTRUMENTS[symbol].price_tick
        wide = bool(self.bench.settings.extra_spread_pips)
        bid, ask = self.price[symbol], self.price[symbol] + self.spread[symbol]
        return (bid - 1 * wide) * tick, (ask + 2 * wide) * tick

    def rate(self, symbol: str) -> Decimal:
        if symbol == "EUR/USD":
            return D(1)
        bid, ask = self.shown("USD/JPY")
        return Context(prec=12).divide(D(2), bid + ask)

    def client_id(self) -> str:
        self.sent += 1
        return f"a000007w{self.sent}"


class Reckoner:
    """Works money and positions out from reports alone, knowing nothing of how the account does it."""

    def __init__(self, *, hedging: bool) -> None:
        self.hedging = hedging
        self.open: dict[str, tuple[Decimal, Decimal]] = {}  # key -> signed units, average open price
        self.balance = BALANCE
        self.ids: list[int] = []

    def take(self, report: AnyReport) -> None:
        self.ids.append(report.transaction_id)
        if isinstance(report, SwapReport):
            self.balance += report.amount
        if not isinstance(report, FillReport):
            return
        key = (report.broker_trade_id or "") if self.hedging else report.instrument
        signed = report.units * SIGN[report.side]
        held, price = self.open.get(key, (D(0), D(0)))
        self.balance += report.commission
        if held * signed >= 0:  # opens or adds
            average = (held * price + signed * report.price) / (held + signed)
            self.open[key] = (held + signed, average)
            return
        closed = min(abs(held), abs(signed))
        profit = closed * (report.price - price) * (1 if held > 0 else -1) * report.home_rate
        self.balance += profit.quantize(D("0.01"))
        left = held + signed
        if self.hedging:
            assert held * left >= 0, "a ticket was closed by more than it held"
        self.open[key] = (left, price if held * left > 0 else report.price)
        if not left:
            del self.open[key]

    def unrealised(self, player: "Player") -> Decimal:
        total = D(0)
        for key, (units, price) in self.open.items():
            symbol = player.symbol_of.get(key, key)
            bid, ask = player.shown(symbol)
            profit = units * ((bid if units > 0 else ask) - price) * player.rate(symbol)
            total += profit.quantize(D("0.01"))
        return total


def check(player: Player, reports: list[AnyReport], snapshot: Snapshot) -> None:
    hedging = player.bench.config.positions == "hedging"
    reckoner = Reckoner(hedging=hedging)
    net: dict[str, Decimal] = {}
    for report in reports:
        reckoner.take(report)
        if isinstance(report, FillReport):
            net[report.instrument] = net.get(report.instrument, D(0)) + report.units * SIGN[report.side]
            player.symbol_of[report.broker_trade_id or ""] = report.instrument
    assert reckoner.ids == sorted(set(reckoner.ids))
    # What was told in answers is what the book holds; only refusals (told as errors) are in the book alone.
    numbers = {report.transaction_id: report for report in reports}
    assert all(numbers.pop(report.transaction_id) == report for report in player.told)
    assert all(getattr(report, "state", None) == "REJECTED" for report in numbers.values())
    # The sum of tickets is the net position, and both are what the fills add up to.
    assert dict(snapshot.net_units) == {symbol: units for symbol, units in net.items() if units}
    if hedging:
        tickets = {trade.broker_trade_id: trade.units * SIGN[trade.side] for trade in snapshot.trades}
        assert tickets == {key: units for key, (units, _) in reckoner.open.items()}
    # No money appears or goes away: profit, commission and financing are all there is.
    assert snapshot.account.balance == reckoner.balance
    assert snapshot.account.equity == reckoner.balance + reckoner.unrealised(player)


async def played(path: Path, account: dict[str, Any], script: list[Step]) -> tuple[list[AnyReport], Snapshot]:
    player = Player(path, account)
    try:
        snapshot = await player.play(script)
        reports = list(await player.bench.adapter.reports_since(0))
    finally:
        await player.bench.stop()
    check(player, reports, snapshot)
    return reports, snapshot


@settings(max_examples=80)
@given(accounts, scripts)
def test_positions_and_money_add_up(account: dict[str, Any], script: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as path:
        asyncio.run(played(Path(path), account, script))


@settings(max_examples=50)
@given(accounts, scripts, st.sets(st.integers(0, 39), min_size=1, max_size=4))
def test_kill_9_between_any_two_steps_changes_nothing(
    account: dict[str, Any], script: list[Step], crashes: set[int]
) -> None:
    crashing = [replace(step, crash=number in crashes) for number, step in enumerate(script)]
    with tempfile.TemporaryDirectory() as path:
        steady = asyncio.run(played(Path(path) / "steady", account, script))
        shaken = asyncio.run(played(Path(path) / "shaken", account, crashing))
    assert shaken == steady


@settings(max_examples=50)
@given(accounts, scripts)
def test_trigger_levels_and_margin_estimate_save_work_and_change_nothing(
    account: dict[str, Any], script: list[Step]
) -> None:
    def at_any_price(desk: Desk) -> None:
        desk.bid_low = desk.bid_high = desk.ask_low = -math.inf
        desk.ask_high = math.inf

    with tempfile.TemporaryDirectory() as path:
        quick = asyncio.run(played(Path(path) / "quick", account, script))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Desk, "set_levels", at_any_price)
            patch.setattr(MarginWatch, "is_near", lambda watch, symbol: True)
            patch.setattr(MarginWatch, "is_surely_enough", lambda watch, more_margin: False)
            slow = asyncio.run(played(Path(path) / "slow", account, script))
    assert quick == slow
