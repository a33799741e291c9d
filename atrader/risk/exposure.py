"""The value of what is held and ordered, in account currency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from atrader.orders.model import SIGN, Side
from atrader.risk.model import Proposal, RiskState

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Signed values by instrument: of all long and of all short units, trades and opening orders together."""

    long: Mapping[str, Decimal]
    short: Mapping[str, Decimal]  # negative
    unvalued: tuple[str, ...]  # instruments without a price or rate

    @property
    def gross(self) -> Decimal:
        """Sum of all values, whatever their side."""
        return sum(self.long.values(), _ZERO) - sum(self.short.values(), _ZERO)

    @property
    def net(self) -> Decimal:
        """Long minus short over all instruments, without sign."""
        return abs(sum(self.long.values(), _ZERO) + sum(self.short.values(), _ZERO))

    def of(self, instruments: tuple[str, ...]) -> Decimal:
        """Return the sum of the instruments' net values, each without sign: correlation may fail either way."""
        return sum((abs(self.long.get(name, _ZERO) + self.short.get(name, _ZERO)) for name in instruments), _ZERO)


def exposure_with(state: RiskState, proposal: Proposal) -> Exposure:
    """Compute the account's exposure as it would be with a proposal filled.

    Values are at the middle of the last quote, else at the trade's open price or the order's price.
    """
    sides: dict[str, dict[str, Decimal]] = {"buy": {}, "sell": {}}
    unvalued: list[str] = []
    for instrument, side, units, price in _holdings(state, proposal):
        quote, rate = state.quotes.get(instrument), state.home_rates.get(instrument)
        price = price if quote is None else quote.mid
        if price is None or rate is None:
            unvalued.append(instrument)
            continue
        value = units * price * rate * SIGN[side]
        sides[side][instrument] = sides[side].get(instrument, _ZERO) + value
    return Exposure(sides["buy"], sides["sell"], tuple(dict.fromkeys(unvalued)))


def pending_margin(state: RiskState, proposal: Proposal) -> Decimal:
    """Compute the margin that opening orders and a proposal would bind, hedges not netted."""
    margin = _margin(state, proposal.instrument.symbol, proposal.units, proposal.entry_price)
    for order, rest in state.pending_opens(proposal.client_id):
        margin += _margin(state, order.intent.instrument, rest, order.intent.price)
    return margin


def _holdings(state: RiskState, proposal: Proposal) -> Iterator[tuple[str, Side, Decimal, Decimal | None]]:
    for trade in state.trades:
        yield trade.instrument, trade.side, trade.units, trade.open_price
    for order, rest in state.pending_opens(proposal.client_id):
        if order.intent.side is not None:
            yield order.intent.instrument, order.intent.side, rest, order.intent.price
    yield proposal.instrument.symbol, proposal.side, proposal.units, proposal.entry_price


def _margin(state: RiskState, instrument: str, units: Decimal, price: Decimal | None) -> Decimal:
    quote, rate = state.quotes.get(instrument), state.home_rates.get(instrument)
    price = price if quote is None else quote.mid
    known = state.instruments.get(instrument)
    if price is None or rate is None or known is None:
        return _ZERO
    return units * price * rate * known.margin_rate_frac
