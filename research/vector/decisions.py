"""What is wanted, as indices of bars: from the arrays of a signal strategy, once for many runs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError, StrategyError
from research.vector.prices import Prices, Ticks
from research.vector.protection import Floats, in_ticks, levels

if TYPE_CHECKING:
    from atrader.instruments import Instrument
    from atrader.strategy import Signals
    from research.vector.rules import Rules

RISK_PARTS: Final = 10**12
"""Shares of equity are kept in these."""

_NEVER: Final = np.int32(2**31 - 1)
_NO_RISK: Final = "signals.risk_frac needs stop_loss at every entry: the risk is the distance to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Rows of signals at which something is wanted, oldest first. All arrays have shape (k,).

    Attributes
    ----------
    row : ndarray of int32
        Row of the signals.
    bar : ndarray of int32
        Bar of the prices at whose close it is decided; must not fall.
    entry, leave : ndarray of int8
        As `Signals.entry` and `Signals.exit`.
    price : ndarray of int32
        Of limit and stop orders, ticks; 0 for market orders.
    stop, target, trail : ndarray of int32
        Ticks, 0 = none: prices (or distances from the fill, `Rules.distances`), and the distance a stop trails at.
    steps : ndarray of int64
        Fixed size in unit steps; -1: by risk.
    risk : ndarray of int64
        Share of equity to lose at the stop, in parts of 10**12.
    until, expires : ndarray of int32
        Bar at whose close a trade opened by this row is closed, and an unfilled order ends; 2**31 - 1: never.
    """

    row: Ticks
    bar: Ticks
    entry: NDArray[np.int8]
    leave: NDArray[np.int8]
    price: Ticks
    stop: Ticks
    target: Ticks
    trail: Ticks
    steps: NDArray[np.int64]
    risk: NDArray[np.int64]
    until: Ticks
    expires: Ticks

    def __len__(self) -> int:
        return len(self.bar)

    @property
    def columns(self) -> tuple[NDArray[np.generic], ...]:
        """What the execution reads: all but the rows."""
        first = (self.bar, self.entry, self.leave, self.price, self.stop, self.target, self.trail)
        return (*first, self.steps, self.risk, self.until, self.expires)

    def with_protection(
        self, *, stop: Ticks | None = None, target: Ticks | None = None, trail: Ticks | None = None
    ) -> Decisions:
        """Return the same decisions with other stops, targets or trails, shape (k,): a sweep shares all the rest."""
        for name, value in (("stop", stop), ("target", target), ("trail", trail)):
            if value is not None and (value.shape != self.bar.shape or value.dtype != np.int32):
                raise ConfigError(f"{name}: expected int32 of shape {self.bar.shape}, was {value.dtype} {value.shape}")
        return replace(
            self,
            stop=self.stop if stop is None else stop,
            target=self.target if target is None else target,
            trail=self.trail if trail is None else trail,
        )

    def protected(
        self, paid: Floats, away: Floats, stops: float, targets: float | None, trails: float | None, tick: float
    ) -> Decisions:
        """Return the same decisions with stops at ``paid - stops * away`` and targets at ``paid + targets * away``.

        Parameters
        ----------
        paid, away : ndarray of float64
            Prices and distances, by row of the signals.
        stops, targets, trails : float
            How many; None: no targets, stops that stay. Stops trail at ``trails * away``.
        tick : float
            Of the prices.

        Raises
        ------
        StrategyError
            When a stop or target is no price, or one sized by risk has no stop.
        """
        rows = self._rows
        paid, away = paid[rows], away[rows]
        stop = levels(paid, away, -stops, tick, self.entry, "stop_loss")
        if self.risk.any() and (self.risk[stop == 0] > 0).any():
            raise StrategyError(_NO_RISK)
        target = None if targets is None else levels(paid, away, targets, tick, self.entry, "take_profit")
        behind = None if trails is None else np.abs(away) * trails
        trail = None if behind is None else in_ticks(behind, slice(None), tick, "trailing_distance", self.entry)
        return self.with_protection(stop=stop, target=target, trail=trail)

    def since(self, first_row: int) -> Decisions:
        """Return those of a row and later ones; nothing is copied."""
        first = int(np.searchsorted(self.row, first_row))
        return replace(self, **{one.name: getattr(self, one.name)[first:] for one in fields(self)})

    @property
    def _rows(self) -> slice | Ticks:
        """The rows as a place in an array of all rows; as a slice where none is left out between."""
        if not len(self.row):
            return slice(0)
        first, end = int(self.row[0]), int(self.row[-1]) + 1
        return slice(first, end) if end - first == len(self.row) else self.row

    @property
    def nbytes(self) -> int:
        """What all arrays take."""
        return self.row.nbytes + sum(column.nbytes for column in self.columns)

    @classmethod
    def of(
        cls,
        signals: Signals,
        prices: Prices,
        instrument: Instrument,
        rules: Rules,
        *,
        bars: NDArray[np.int64] | None = None,
        price: NDArray[np.float64] | None = None,
        first_row: int = 0,
    ) -> Decisions:
        """Take what is wanted out of whole arrays.

        Parameters
        ----------
        signals : Signals
            Decided at the close of each of their rows.
        prices : Prices
            What is played.
        instrument : Instrument
            Gives price tick and unit step.
        rules : Rules
            Kind of orders, and how long they and trades last.
        bars : ndarray of int64, shape (n,), optional
            Bar of the prices at whose close each row is decided, -1 = none (`rows_of`), when the prices are finer than
            the signals' bars; by default the rows are those of the prices.
        price : ndarray of float64, shape (n,), optional
            Of limit and stop orders; NaN = none.
        first_row : int
            Rows before it decide nothing; a worker decides from row ``warmup_bars - 1`` on.

        Raises
        ------
        StrategyError
            When an array has the wrong length, holds other values than it may, or a needed one is missing.
        """
        from atrader.signal_checks import check_signals  # the contract of strategies: not for what `at` is given

        count = len(prices) if bars is None else len(bars)
        check_signals(signals, count, price=price)
        is_priced = price is not None or rules.away_pips is not None
        if is_priced == (rules.order_type == "market"):
            raise StrategyError(f"price: {rules.order_type} orders {'have none' if price is not None else 'need one'}")
        wanted = (signals.entry != 0) | (signals.exit != 0)
        wanted[:first_row] = False
        if bars is not None:
            wanted &= bars >= 0
            wanted &= bars < len(prices)
        rows = np.flatnonzero(wanted)
        at = (np.arange(count) if bars is None else bars).astype(np.int32)
        entry = signals.entry[rows].astype(np.int8)
        steps, risk = _sizes(signals, rows, entry, instrument)
        tick = float(instrument.price_tick)
        prices_wanted = in_ticks(price, rows, tick, "price", entry)
        if price is None and rules.away_pips is not None:
            prices_wanted = _waiting(prices, at[rows], entry, rules, instrument)
        if price is not None and (prices_wanted[entry != 0] < 1).any():
            first = rows[entry != 0][np.argmin(prices_wanted[entry != 0])]
            raise StrategyError(f"signals.price is {price[first]} at an entry: {rules.order_type} orders need one")
        return cls(
            row=rows.astype(np.int32),
            bar=at[rows],
            entry=entry,
            leave=signals.exit[rows].astype(np.int8),
            price=prices_wanted,
            stop=in_ticks(signals.stop_loss, rows, tick, "stop_loss", entry),
            target=in_ticks(signals.take_profit, rows, tick, "take_profit", entry),
            trail=in_ticks(signals.trailing_distance, rows, tick, "trailing_distance", entry),
            steps=steps,
            risk=risk,
            until=_later(at, rows, rules.hold_bars),
            expires=_later(at, rows, rules.order_bars),
        )

    @classmethod
    def at(
        cls,
        bars: Ticks,
        entry: NDArray[np.int8],
        leave: NDArray[np.int8],
        *,
        steps: int | NDArray[np.int64] = -1,
        risk: int | NDArray[np.int64] = 0,
        stop: Ticks | None = None,
        target: Ticks | None = None,
        trail: Ticks | None = None,
        hold: int | None = None,
    ) -> Decisions:
        """Put decisions for market orders together that were found as indices (`crossings`), without whole arrays.

        Parameters
        ----------
        bars : ndarray of int32, shape (k,)
            Rising; here they are the rows as well.
        entry, leave : ndarray of int8, shape (k,)
            As `Signals.entry` and `Signals.exit`.
        steps, risk : int or ndarray of int64, shape (k,)
            Fixed size in unit steps, or the share of equity at risk in parts of 10**12 where steps are -1.
        stop, target, trail : ndarray of int32, shape (k,), optional
            Ticks, as the attributes of the same names.
        hold : int, optional
            Bars after which a trade is closed.

        Raises
        ------
        StrategyError
            When a column has another length.
        """
        count = len(bars)
        columns = {"entry": entry, "leave": leave, "stop": stop, "target": target, "trail": trail}
        for name, column in {**columns, "steps": np.asarray(steps), "risk": np.asarray(risk)}.items():
            if column is not None and column.shape not in ((count,), ()):
                raise StrategyError(f"decisions: {name} has shape {column.shape}, expected ({count},)")
        none = np.zeros(count, np.int32)
        return cls(
            row=bars,
            bar=np.ascontiguousarray(bars, np.int32),
            entry=np.ascontiguousarray(entry, np.int8),
            leave=np.ascontiguousarray(leave, np.int8),
            price=none,
            stop=none if stop is None else np.ascontiguousarray(stop, np.int32),
            target=none if target is None else np.ascontiguousarray(target, np.int32),
            trail=none if trail is None else np.ascontiguousarray(trail, np.int32),
            steps=np.ascontiguousarray(np.broadcast_to(steps, count), np.int64),
            risk=np.ascontiguousarray(np.broadcast_to(risk, count), np.int64),
            until=np.full(count, _NEVER) if hold is None else bars + np.int32(hold),
            expires=np.full(count, _NEVER),
        )


def rows_of(prices: Prices, ends_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each signal bar, given by its end, the bar of finer prices at whose close it is decided.

    Parameters
    ----------
    prices : Prices
        Of a timeframe not longer than the signals'.
    ends_ns : ndarray of int64, shape (n,)
        UTC; rising.

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 for what was over before the first price; ``len(prices)`` and more is never decided.
    """
    if np.array_equal(prices.end_ns, ends_ns):
        return np.arange(len(prices))  # told in a twentieth of the time a search takes
    at: NDArray[np.int64] = np.searchsorted(prices.end_ns, ends_ns)
    at[ends_ns <= prices.open_time_ns[0]] = -1
    return at


def _waiting(prices: Prices, bars: Ticks, entry: NDArray[np.int8], rules: Rules, instrument: Instrument) -> Ticks:
    """Return the prices of orders that wait so many pips from the quote they would fill with."""
    assert rules.away_pips is not None
    away = int(instrument.round_price(rules.away_pips * instrument.pip) / instrument.price_tick)
    ahead = -away if rules.order_type == "limit" else away  # a limit order waits for a better price
    market = np.where(entry > 0, prices.ask_close[bars], prices.bid_close[bars]).astype(np.int64)
    wanted = np.where(entry == 0, 0, market + entry * ahead)
    if (wanted[entry != 0] < 1).any():
        raise StrategyError(f"entries that wait {rules.away_pips} pips below the market have no price above 0")
    return wanted.astype(np.int32)


def _sizes(
    signals: Signals, rows: NDArray[np.int64], entry: NDArray[np.int8], instrument: Instrument
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if (signals.units is None) == (signals.risk_frac is None):
        raise StrategyError("signals: exactly one of units and risk_frac must be given")
    opens = entry != 0
    if signals.units is not None:
        return _exact(signals.units[rows], opens, instrument.unit_step, "units"), np.zeros(len(rows), np.int64)
    assert signals.risk_frac is not None
    if signals.stop_loss is None or np.isnan(signals.stop_loss[rows[opens]]).any():
        raise StrategyError(_NO_RISK)
    risk = _exact(signals.risk_frac[rows], opens, Decimal(1) / RISK_PARTS, "risk_frac")
    if (risk > RISK_PARTS).any():
        raise StrategyError(f"signals.risk_frac is {signals.risk_frac[rows].max()}, at most 1 may be risked")
    return np.full(len(rows), -1, np.int64), risk


def _exact(values: NDArray[np.float64], opens: NDArray[np.bool_], step: Decimal, name: str) -> NDArray[np.int64]:
    """Return the values of rows that open something in whole steps, rounded down as decimals are; 0 elsewhere."""
    chosen = values[opens]
    good = np.isfinite(chosen) & (chosen > 0)
    if not good.all():
        raise StrategyError(f"signals.{name} is {chosen[~good][0]} at an entry, expected more than 0")
    is_one = len(chosen) > 0 and bool((chosen == chosen[0]).all())  # nearly always, and sorting is slow
    distinct, which = (chosen[:1], 0) if is_one else np.unique(chosen, return_inverse=True)
    steps = [int((Decimal(repr(value)) / step).to_integral_value(ROUND_DOWN)) for value in distinct.tolist()]
    whole = np.zeros(len(values), np.int64)
    whole[opens] = np.array(steps, np.int64)[which]
    return whole


def _later(at: Ticks, rows: NDArray[np.int64], count: int | None) -> Ticks:
    """Return the bar at whose close the row so many rows later is decided."""
    if count is None:
        return np.full(len(rows), _NEVER)
    later = rows + count
    return np.where(later < len(at), at[np.minimum(later, len(at) - 1)], _NEVER).astype(np.int32)
