"""The venue without its network: accounts, market and clock, and what happens when a price or a time comes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from tests.oanda_simulator import closeout, financing, triggers
from tests.oanda_simulator.account import Account, AccountSettings
from tests.oanda_simulator.clock import VenueClock
from tests.oanda_simulator.hours import Hours, next_day_end, next_flip
from tests.oanda_simulator.instruments import SPECS, Spec
from tests.oanda_simulator.market import LIQUIDITY, Level, Market, Quote


class Venue:
    """Everything that goes on whether or not a client is there."""

    def __init__(
        self,
        settings: Sequence[AccountSettings],
        clock: VenueClock,
        hours: Hours,
        specs: dict[str, Spec] | None = None,
    ) -> None:
        self.clock = clock
        self.specs = dict(specs or SPECS)
        self.market = Market(clock, self.specs, hours)
        for spec in self.specs.values():
            half = spec.spread / 2
            self.quote(spec.name, spec.price(spec.start_price - half), spec.price(spec.start_price + half))
        self.accounts = {each.id: Account(each, clock, self.market) for each in settings}
        self.market.listen(self._on_quote)
        clock.at(next_day_end(clock.now()), self._end_day)
        if hours == "fx":
            clock.at(next_flip(clock.now()), self._flip)

    def quote(
        self,
        instrument: str,
        bid: Decimal | str | None = None,
        ask: Decimal | str | None = None,
        bids: Sequence[Level] = (),
        asks: Sequence[Level] = (),
    ) -> Quote:
        """Make a price: one level of ten million units each side, or the ladders given."""
        if bid is not None:
            bids = (Level(Decimal(bid), LIQUIDITY),)
        if ask is not None:
            asks = (Level(Decimal(ask), LIQUIDITY),)
        if not bids and not asks:
            raise ValueError("a quote needs a bid or an ask")
        return self.market.quote(instrument, bids, asks)

    def _on_quote(self, quote: Quote) -> None:
        if not quote.fresh:
            return
        for account in self.accounts.values():
            closeout.trade_delayed(account, quote)
            triggers.run(account, quote)
            closeout.check(account, quote)

    def _end_day(self) -> None:
        ended_ns = self.clock.now()
        for account in self.accounts.values():
            financing.charge(account, ended_ns)
        self.clock.at(next_day_end(ended_ns), self._end_day)

    def _flip(self) -> None:
        self.market.refresh()
        self.clock.at(next_flip(self.clock.now()), self._flip)
