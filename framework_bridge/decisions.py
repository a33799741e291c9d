"""What rows of results mean for the orders there are. Pure; `docs/asirikuy.md` has the same as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final, Literal, NamedTuple

from atrader.clock import NS_PER_S
from atrader.instruments import Instrument
from atrader.market import Tick, decimal_price
from framework_bridge.abi.results import ANY_TICKET, ResultRow
from framework_bridge.abi.signals import OrderKind
from framework_bridge.parameters import AsirikuyParameters

_ROUNDING: Final = Decimal("1e-9")  # lots come as float64: 0.3 may be a little less


class Holding(NamedTuple):
    """An open trade, or an order that waits for its price, under its ticket."""

    ticket: int
    kind: OrderKind
    client_id: str  # of the trade, or of the order
    price: Decimal  # it was opened at, or waits for
    stop_loss: Decimal | None
    take_profit: Decimal | None
    is_leaving: bool = False  # its close or cancel is under way

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its price."""
        return self.kind.order_type != "market"


class Terms(NamedTuple):
    """What the instance trades, and how.

    Attributes
    ----------
    instrument : Instrument
    contract_size : Decimal
        Units of a lot.
    lot_step, min_lots : Decimal
        Lots are rounded down to the one; fewer than the other are not opened.
    minimum_stop : float
        Smallest distance of a stop or target from the price, price units; 0 none.
    """

    instrument: Instrument
    contract_size: Decimal
    lot_step: Decimal
    min_lots: Decimal
    minimum_stop: float


def terms_of(parameters: AsirikuyParameters, instrument: Instrument) -> Terms:
    """Return the terms that are configured; what is not comes from the instrument."""
    size = parameters.contract_size
    return Terms(
        instrument,
        size,
        parameters.lot_step or instrument.unit_step / size,
        parameters.min_lots or instrument.min_units / size,
        float(parameters.minimum_stop_pips * instrument.pip),
    )


@dataclass(frozen=True, slots=True)
class Leave:
    """Close a trade or cancel an order."""

    holding: Holding


@dataclass(frozen=True, slots=True)
class Change:
    """Give a trade or order another protection, an order another price too; None keeps."""

    holding: Holding
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    price: Decimal | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return self.stop_loss is None and self.take_profit is None and self.price is None


@dataclass(frozen=True, slots=True)
class Open:
    """Open a trade, or place an order that waits for a price (None: at the market)."""

    kind: OrderKind
    lots: Decimal
    units: Decimal
    price: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    expires_ns: int | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is not done, and why; everything else that was said is."""

    kind: OrderKind
    lots: float
    reason: str
    verb: Literal["open", "update"] = "open"


Decision = Leave | Change | Open | Skipped


def decide(
    rows: Sequence[ResultRow], holdings: Sequence[Holding], tick: Tick, now: tuple[int, int], terms: Terms
) -> list[Decision]:
    """Turn rows into what is to be done, in order: closes, then updates, then opens.

    Parameters
    ----------
    rows : sequence of ResultRow
        As the library wrote them.
    holdings : sequence of Holding
        All of the instance.
    tick : Tick
        The latest price: distances count from it, but those of waiting orders from their own price.
    now : tuple of (int, int)
        Market time in UTC ns, and what the broker's wall clock shows then, in seconds.
    terms : Terms
        Of the instance.

    """
    prices = _Prices(tick, terms)
    leaving = [one for one in holdings if any(_says(row, "close", one) for row in rows)]
    decided: list[Decision] = [Leave(one) for one in leaving if not one.is_leaving]
    for one in holdings:
        if one not in leaving and not one.is_leaving:
            try:
                change = prices.changed(one, rows)
            except _NoPrice as error:  # what else was said goes on: there may be exits in it
                decided.append(Skipped(one.kind, 0.0, str(error), "update"))
                continue
            if not change.is_empty:
                decided.append(change)
    for row in rows:
        for kind in (kind for verb, kind in row.commands if verb == "open"):
            try:
                decided.append(prices.opened(row, kind, now))
            except _NoPrice as error:
                decided.append(Skipped(kind, row.lots, str(error)))
    return decided


class _NoPrice(Exception):
    """Raised when a distance leads to no price."""


def _says(row: ResultRow, verb: str, holding: Holding) -> bool:
    return row.ticket in (ANY_TICKET, holding.ticket) and (verb, holding.kind) in row.commands


def _trails(row: ResultRow, holding: Holding) -> bool:
    # Any ticket means any of the kind that a bit names, and this needs no bit.
    return row.ticket == holding.ticket and row.trailing and row.broker_sl > 0 and not holding.is_pending


class _Prices:
    """Distances turned into prices."""

    def __init__(self, tick: Tick, terms: Terms) -> None:
        self._tick = tick
        self._terms = terms
        self._price_tick = terms.instrument.price_tick
        self._least = terms.minimum_stop + (tick.ask - tick.bid) if terms.minimum_stop > 0 else 0.0

    def changed(self, holding: Holding, rows: Sequence[ResultRow]) -> Change:
        """Return what rows want of an order: an update, else a stop that follows the price."""
        change = self._updated(holding, [row for row in rows if _says(row, "update", holding)])
        return self._trailed(holding, [row for row in rows if _trails(row, holding)]) if change.is_empty else change

    def _updated(self, holding: Holding, rows: Sequence[ResultRow]) -> Change:
        """Return what rows of updates want; of several the last that says something about a value."""
        stop, target, price = None, None, None
        for row in rows:
            if holding.is_pending and row.entry_price > 0:
                price = self._rounded(row.entry_price)
            at = float(price or holding.price) if holding.is_pending else self._market(holding.kind)
            said = self._protection(holding.kind, at, row)
            stop, target = said[0] or stop, said[1] or target
        return Change(
            holding, _new(stop, holding.stop_loss), _new(target, holding.take_profit), _new(price, holding.price)
        )

    def _trailed(self, holding: Holding, rows: Sequence[ResultRow]) -> Change:
        """Return a stop that follows the price; it never moves away from it."""
        for row in rows:
            stop, _ = self._protection(holding.kind, self._market(holding.kind), row)
            if stop is not None and _is_closer(stop, holding):
                return Change(holding, stop)
        return Change(holding)

    def opened(self, row: ResultRow, kind: OrderKind, now: tuple[int, int]) -> Open | Skipped:
        """Return what a row opens: lots are never rounded up, neither to the step nor to the smallest order."""
        terms = self._terms
        steps = Decimal(repr(row.lots)) / terms.lot_step + _ROUNDING
        lots = steps.to_integral_value(ROUND_FLOOR) * terms.lot_step
        units = terms.instrument.round_units(lots * terms.contract_size)
        if lots < terms.min_lots or units < terms.instrument.min_units:
            return Skipped(kind, row.lots, f"{row.lots:g} lots are less than the smallest order")
        expires_ns = None
        if row.expires_s and kind.order_type != "market":
            left_s = row.expires_s - now[1]
            if left_s <= 0:
                return Skipped(kind, row.lots, f"it would end {-left_s} s ago")
            expires_ns = now[0] + left_s * NS_PER_S
        price = None if kind.order_type == "market" else self._rounded(row.entry_price)
        stop, target = self._protection(kind, self._market(kind) if price is None else float(price), row)
        return Open(kind, lots, units, price, stop, target, expires_ns)

    def _market(self, kind: OrderKind) -> float:
        return self._tick.ask if kind.side == "buy" else self._tick.bid

    def _protection(self, kind: OrderKind, at: float, row: ResultRow) -> tuple[Decimal | None, Decimal | None]:
        """Return stop and target of a row; a distance of 0 or below says nothing about it."""
        up = 1 if kind.side == "buy" else -1
        stop = self._rounded(at - up * max(row.broker_sl, self._least)) if row.broker_sl > 0 else None
        target = self._rounded(at + up * max(row.broker_tp, self._least)) if row.broker_tp > 0 else None
        return stop, target

    def _rounded(self, price: float) -> Decimal:
        if not 0 < price < 1e12:
            raise _NoPrice(f"it leads to a price of {price:g}")
        return decimal_price(price, self._price_tick)


def _new(value: Decimal | None, before: Decimal | None) -> Decimal | None:
    return value if value != before else None


def _is_closer(stop: Decimal, holding: Holding) -> bool:
    before = holding.stop_loss
    if before is None:
        return True
    return stop > before if holding.kind.side == "buy" else stop < before
