"""The ledger against a naive model: a list of signed fills, and nothing else remembered."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atrader.ledger import AVERAGE_DECIMALS, Ledger
from atrader.orders.model import OPPOSITE, SIGN, Fill
from tests.support.orders import make_fill, make_intent, make_order

INSTRUMENTS = ("EUR/USD", "USD/JPY")
UNITS = st.integers(1, 10_000).map(lambda tenths: Decimal(tenths) / 10)
PRICES = st.integers(1, 200_000).map(lambda ticks: Decimal(ticks) / 1000)
RATES = st.sampled_from([Decimal(1), Decimal("0.0067"), Decimal("1.2345")])


class LedgerMachine(RuleBasedStateMachine):
    """Opens, adds, closes in parts, restores; compares with the plain list of fills."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger("paper", 2)
        self.fills: list[tuple[str, Fill]] = []  # trade id, fill
        self.booked: dict[str, Decimal] = {}
        self.count = 0

    def new_fill(self, side: str, units: Decimal, price: Decimal, magic: int, instrument: str, rate: Decimal) -> Fill:
        self.count += 1
        return make_fill(
            f"f{self.count}", side, str(units), str(price), magic=magic, instrument=instrument, home_rate=rate
        )

    @rule(
        magic=st.integers(1, 3),
        side=st.sampled_from(("buy", "sell")),
        instrument=st.sampled_from(INSTRUMENTS),
        units=UNITS,
        price=PRICES,
    )
    def open(self, magic, side, instrument, units, price):
        intent = make_intent(n=self.count + 1, magic=magic, side=side, instrument=instrument, stop_loss=None)
        fill = self.new_fill(side, units, price, magic, instrument, Decimal(1))
        trade = self.ledger.apply_open(make_order(intent), fill)
        self.fills.append((trade.trade_id, fill))

    @precondition(lambda self: self.ledger.open_trades())
    @rule(data=st.data(), units=UNITS, price=PRICES)
    def add(self, data, units, price):
        trade = data.draw(st.sampled_from(self.ledger.open_trades()))
        fill = self.new_fill(trade.side, units, price, trade.magic, trade.instrument, Decimal(1))
        fill = fill.model_copy(update={"trade_id": trade.trade_id})
        self.ledger.apply_open(None, fill)
        self.fills.append((trade.trade_id, fill))

    @precondition(lambda self: self.ledger.open_trades())
    @rule(data=st.data(), share=st.sampled_from([1, 2, 3, 7]), price=PRICES, rate=RATES)
    def close(self, data, share, price, rate):
        trade = data.draw(st.sampled_from(self.ledger.open_trades()))
        units = max(Decimal("0.1"), (trade.units / share).quantize(Decimal("0.1")))
        units = min(units, trade.units)
        fill = self.new_fill(OPPOSITE[trade.side], units, price, trade.magic, trade.instrument, rate)
        with_profit, after = self.ledger.apply_close(trade.trade_id, fill)
        self.booked[trade.trade_id] = self.booked.get(trade.trade_id, Decimal(0)) + with_profit.profit
        self.fills.append((trade.trade_id, fill))
        assert after.profit == self.booked[trade.trade_id]
        assert abs(Fraction(after.profit) - self.exact_profit(trade.trade_id)) <= self.rounding(trade.trade_id)

    @rule()
    def restart(self):
        restored = Ledger("paper", 2)
        restored.restore(self.ledger.open_trades())
        self.ledger = restored

    def exact_profit(self, trade_id: str) -> Fraction:
        """Value closed units against the average cost of what was held, in exact fractions."""
        units, cost, profit = Fraction(0), Fraction(0), Fraction(0)
        side = next(fill.side for owner, fill in self.fills if owner == trade_id)
        for owner, fill in self.fills:
            if owner != trade_id:
                continue
            if fill.side == side:
                units, cost = units + Fraction(fill.units), cost + Fraction(fill.units) * Fraction(fill.price)
                continue
            average = cost / units
            closed = Fraction(fill.units)
            profit += closed * (Fraction(fill.price) - average) * SIGN[side] * Fraction(fill.home_rate)
            units, cost = units - closed, cost - closed * average
        return profit

    def rounding(self, trade_id: str) -> Fraction:
        fills = [fill for owner, fill in self.fills if owner == trade_id]
        averages = sum((Fraction(fill.units) * Fraction(fill.home_rate) for fill in fills), Fraction(0))
        half_cents, decimals = Fraction(len(fills), 200), Fraction(len(fills), 10**AVERAGE_DECIMALS)
        return half_cents + averages * decimals  # the average price is rounded with each fill, too

    @invariant()
    def virtual_positions_are_the_net_of_all_fills(self):
        net: dict[str, Decimal] = {}
        for _, fill in self.fills:
            net[fill.instrument] = net.get(fill.instrument, Decimal(0)) + fill.units * SIGN[fill.side]
        assert self.ledger.proof(net) == []
        by_magic = [self.ledger.net_units(magic) for magic in (1, 2, 3)]
        for instrument, units in net.items():
            assert sum((held.get(instrument, Decimal(0)) for held in by_magic), Decimal(0)) == units

    @invariant()
    def no_closed_trade_is_kept(self):
        assert all(trade.units > 0 for trade in self.ledger.open_trades())
        assert all(trade.units == trade.units_opened - trade.units_closed for trade in self.ledger.open_trades())


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
