"""The valuation of a gateway: as `atrader.valuation`, and one can wait for the first quote of an instrument."""

from __future__ import annotations

from collections.abc import Sequence

from atrader import valuation
from atrader.market import Tick
from broker_api.gateway.first_quotes import FirstQuotes


class Valuation(valuation.Valuation):
    """Keeps the last quotes and the balance, values the trades with them, and tells who waits for a first quote."""

    def __init__(self, currency: str, currency_digits: int, *, nets: bool = False) -> None:
        super().__init__(currency, currency_digits, nets=nets)
        self.first_quotes = FirstQuotes()

    def take_ticks(self, ticks: Sequence[Tick]) -> None:
        """Keep the newest quote of each instrument; crossed or empty ones are passed over."""
        super().take_ticks(ticks)
        for tick in ticks:
            if tick.instrument in self.ticks:
                self.first_quotes.came(tick.instrument)

    async def first_quote(self, symbol: str) -> None:
        """Wait until an instrument was quoted since the start."""
        if symbol not in self.ticks:
            await self.first_quotes.wait(symbol)
