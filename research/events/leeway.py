"""Entries that are far from every limit: no rule of the gate could object, so none has to be asked.

As with a close-out (`atrader.paper.margin_watch`) float64 and a margin tell what is certain, and only that; whatever is
near a limit, or has one that is not looked at here, is decided by the rules with exact figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from atrader.clock import NS_PER_S
from atrader.instruments import Instrument
from atrader.orders.model import SIGN, Intent
from atrader.risk import RiskLimits
from atrader.risk.gate import asked

if TYPE_CHECKING:
    from research.events.account import Account

_LOOKED_AT: Final = frozenset(
    {
        "trading-state",
        "instrument-locked",
        "duplicate-decision",
        "price-age",
        "intent-age",
        "home-rate",
        "min-units",
        "venue-max-units",
        "max-units",
        "max-spread",
        "stop-required",
        "protection-side",
        "price-band",
        "orders-per-minute",
        "unvalued",
    }
)
"""Rules of the gate that are known here; where another one has a limit nothing is certain."""

_ROUNDING: Final = 1e-9  # of a price: far more than float64 loses
_BELOW: Final = 0.999  # of a limit


class _Bounds(NamedTuple):
    """Limits of one instance in its instrument, a little stricter than they are."""

    instrument: Instrument
    least_units: Decimal
    most_units: Decimal
    tick: float
    price_age_ns: float
    intent_age_ns: float
    most_spread: float
    band: float
    needs_stop: bool
    per_minute: int | None


class Leeway:
    """Tells of market entries that the gate would let pass.

    Parameters
    ----------
    account : Account
        Whose limits and prices.
    limits : Mapping of int to RiskLimits
        By magic number.
    """

    def __init__(self, account: Account, limits: Mapping[int, RiskLimits]) -> None:
        self.account = account
        self.limits = limits
        self._known: dict[tuple[int, str], _Bounds | None] = {}

    def units_of(self, intent: Intent, recent: Callable[[int, int], int]) -> Decimal | None:
        """Return the units that an intent to open comes to, if it is certain that no rule objects; else None.

        Parameters
        ----------
        recent : callable
            Takes a magic number and a time; returns how many intents the minute before had.
        """
        account, symbol = self.account, intent.instrument
        now_ns, tick = account.now_ns, account.valuation.ticks.get(symbol)
        key = intent.magic, symbol
        bounds = self._known[key] if key in self._known else self._learn(*key)
        if (
            bounds is None
            or tick is None
            or intent.units is None
            or intent.side is None
            or intent.order_type != "market"
            or intent.trailing_distance is not None
            or account.states
            or account.selected
            or account.open_orders
            or now_ns - tick.time_ns > bounds.price_age_ns
            or now_ns - intent.time_ns > bounds.intent_age_ns
            or (bounds.per_minute is not None and recent(intent.magic, now_ns) >= bounds.per_minute)
            or account.ledger.holds_other_than(symbol)
        ):
            return None
        units = bounds.instrument.round_units(intent.units)
        is_sized = bounds.least_units <= units <= bounds.most_units
        return units if is_sized and _is_priced(intent, SIGN[intent.side], tick.bid, tick.ask, bounds) else None

    def _learn(self, magic: int, symbol: str) -> _Bounds | None:
        account = self.account
        bounds = self._known[magic, symbol] = _bounds(self.limits[magic], account.instruments[symbol])
        if account.instruments[symbol].quote != account.config.currency:
            bounds = self._known[magic, symbol] = None  # its rate needs a quote as well
        return bounds


def _is_priced(intent: Intent, sign: int, bid: float, ask: float, bounds: _Bounds) -> bool:
    """Tell whether prices are on their sides, near the market, and the spread is narrow; certainly."""
    slop = 2 * bounds.tick + _ROUNDING * ask
    entry, middle = ask if sign > 0 else bid, (bid + ask) / 2
    away = ask - bid + slop
    if intent.stop_loss:
        stop = float(intent.stop_loss)
        if (entry - stop) * sign <= slop:
            return False
        away = max(away, abs(stop - middle) + slop)
    elif bounds.needs_stop:
        return False
    if intent.take_profit:
        target = float(intent.take_profit)
        if (target - entry) * sign <= slop:
            return False
        away = max(away, abs(target - middle) + slop)
    return ask - bid + slop <= bounds.most_spread and away <= bounds.band * middle


def _bounds(limits: RiskLimits, instrument: Instrument) -> _Bounds | None:
    if any(rule.name not in _LOOKED_AT for rule in asked(limits, "open")):
        return None
    trade, per_minute = limits.trade, limits.instance.max_orders_per_minute
    most = instrument.max_units if trade.max_units is None else min(trade.max_units, instrument.max_units)
    spread = float("inf") if trade.max_spread is None else float(trade.max_spread) * _BELOW
    return _Bounds(
        instrument=instrument,
        least_units=instrument.min_units,
        most_units=most,
        tick=float(instrument.price_tick),
        price_age_ns=trade.max_price_age * NS_PER_S * _BELOW,
        intent_age_ns=trade.max_intent_age * NS_PER_S * _BELOW,
        most_spread=spread,
        band=float(trade.price_band_frac) * _BELOW,
        needs_stop=trade.stop_required,
        per_minute=per_minute,
    )
