"""The position ledger: virtual trades by magic number, and the proof that together they are the real position.

Pure: values in, values out, no clock and no I/O. The gateway feeds it from its journal, the backtest from its fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache

from atrader.errors import InvariantBroken
from atrader.fast_models import changed, made
from atrader.orders.model import OPPOSITE, SIGN, Fill, Order, Side, Trade

FOREIGN_MAGIC = 0
"""Magic number of trades that no instance of ours opened."""

AVERAGE_DECIMALS = 10
"""Decimals of an average price at most: far below any price step, and short enough to read, store and compare."""

_ZERO = Decimal(0)
_ONE = Decimal(1)
_AVERAGE = _ONE.scaleb(-AVERAGE_DECIMALS)
# Averages are quotients: a context of our own keeps them the same whatever a caller did to the thread's context.
_CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
_subtract, _multiply, _quantize = _CONTEXT.subtract, _CONTEXT.multiply, _CONTEXT.quantize  # half the time of `context=`


@dataclass(frozen=True, slots=True)
class Break:
    """One instrument for which the ledger and the broker disagree."""

    instrument: str
    virtual_units: Decimal  # what our trades add up to, long positive
    real_units: Decimal  # what the broker says

    def __str__(self) -> str:
        return f"{self.instrument}: ledger {self.virtual_units}, broker {self.real_units}"


def profit_of(
    side: Side, units: Decimal, open_price: Decimal, close_price: Decimal, home_rate: Decimal, digits: int
) -> Decimal:
    """Compute the profit of closing units, without commission and swap.

    Parameters
    ----------
    side : {"buy", "sell"}
        Side the trade was opened with.
    units : Decimal
        Units closed, positive.
    open_price, close_price : Decimal
        Prices in the instrument's quote currency.
    home_rate : Decimal
        Account currency per quote currency at the close.
    digits : int
        Digits of the account currency; the result is rounded half to even.

    Returns
    -------
    Decimal
        Account currency; negative = lost.
    """
    opened, closed = (open_price, close_price) if side == "buy" else (close_price, open_price)
    in_quote = _multiply(units, _subtract(closed, opened))
    return _quantize(_multiply(in_quote, home_rate), quantum(digits))


@cache
def quantum(digits: int) -> Decimal:
    """Return the smallest amount of so many decimals."""
    return _ONE.scaleb(-digits)


def average_price(units: Decimal, price: Decimal, more_units: Decimal, more_price: Decimal) -> Decimal:
    """Return the average price of two amounts, rounded half to even to at most `AVERAGE_DECIMALS` decimals.

    Ledger, gateway and paper broker all use this one, so that their figures agree to the last digit.
    """
    if units:
        value = _CONTEXT.add(_multiply(units, price), _multiply(more_units, more_price))
        exact = _CONTEXT.divide(value, _CONTEXT.add(units, more_units))
    else:
        exact = more_price  # most orders have one fill
    rounded = _quantize(exact, _AVERAGE)
    return exact if exact == rounded else rounded


def _given(
    stop_loss: Decimal | None, take_profit: Decimal | None, trailing_distance: Decimal | None
) -> dict[str, object]:
    """Return the protection that is given, by field; 0 removes, so it becomes None."""
    found: dict[str, object] = {}
    if stop_loss is not None:
        found["stop_loss"] = stop_loss or None
    if take_profit is not None:
        found["take_profit"] = take_profit or None
    if trailing_distance is not None:
        found["trailing_distance"] = trailing_distance or None
    return found


def _first_stop(fill: Fill, stop_loss: Decimal | None, trailing_distance: Decimal | None) -> Decimal | None:
    """Return the stop a new trade begins with: its stop-loss, else the trailing distance from its price."""
    if stop_loss is not None or trailing_distance is None:
        return stop_loss
    return fill.price - SIGN[fill.side] * trailing_distance


class Ledger:
    """Open trades of one account.

    A trade has the id of the order that opened it, so that several fills of one order make one trade with an
    averaged price. Closed trades leave the ledger with the call that closed them.

    Parameters
    ----------
    account : str
        Name of the account; fills of another one break an invariant.
    currency_digits : int
        Digits of the account currency; profit is rounded to it per fill, as brokers book it.
    """

    __slots__ = ("_currency_digits", "_trades", "account")

    def __init__(self, account: str, currency_digits: int) -> None:
        self.account = account
        self._currency_digits = currency_digits
        self._trades: dict[str, Trade] = {}

    def restore(self, trades: Iterable[Trade]) -> None:
        """Replace everything by the open trades given.

        Raises
        ------
        InvariantBroken
            When a trade is closed, occurs twice, or belongs to another account; the ledger is then unchanged.
        """
        restored: dict[str, Trade] = {}
        for trade in trades:
            if trade.account != self.account or not trade.is_open or trade.trade_id in restored:
                raise InvariantBroken(
                    f"trade {trade.trade_id} cannot be restored into the ledger of {self.account}:"
                    f" account {trade.account}, {trade.units} units, known already: {trade.trade_id in restored}"
                )
            restored[trade.trade_id] = trade
        self._trades = restored

    def trade(self, trade_id: str) -> Trade | None:
        """Return an open trade, or None when there is none of that id."""
        return self._trades.get(trade_id)

    def open_trades(self, magic: int | None = None, instrument: str | None = None) -> tuple[Trade, ...]:
        """Return the open trades, oldest first, of one magic number and one instrument or of all."""
        if magic is None and instrument is None:
            return tuple(self._trades.values())
        return tuple(
            trade
            for trade in self._trades.values()
            if magic in (None, trade.magic) and instrument in (None, trade.instrument)
        )

    def holds_other_than(self, instrument: str) -> bool:
        """Tell whether a trade in another instrument is open."""
        for trade in self._trades.values():  # noqa: SIM110 # asked with every order
            if trade.instrument != instrument:
                return True
        return False

    def apply_open(
        self,
        order: Order | None,
        fill: Fill,
        *,
        broker_trade_id: str | None = None,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_distance: Decimal | None = None,
    ) -> Trade:
        """Book a fill that opens a trade or adds to the trade of the same order.

        Parameters
        ----------
        order : Order or None
            The order behind it *as it was before this fill*; None for foreign fills. When its trade was closed
            between two of its fills, the later fill opens a trade of its own, ``CLIENT_ID-FILL_ID``.
        fill : Fill
            The execution; its ``trade_id``, if set, wins over the order's client id.
        broker_trade_id : str, optional
            Ticket at the broker, on hedging accounts.
        stop_loss, take_profit, trailing_distance : Decimal, optional
            Protection as the broker holds it. None: a new trade takes the order's, a known one keeps its own.

        Raises
        ------
        InvariantBroken
            When the fill belongs to another account, or to another side, instrument or magic number than its trade.
        """
        self._check_account(fill)
        trade_id = fill.trade_id or self.opened_by(order, fill.fill_id, fill.client_id, broker_trade_id)
        known = self._trades.get(trade_id)
        if known is None:
            if order is not None:
                intent = order.intent
                stop_loss = intent.stop_loss if stop_loss is None else stop_loss
                take_profit = intent.take_profit if take_profit is None else take_profit
                trailing_distance = intent.trailing_distance if trailing_distance is None else trailing_distance
            opened = self._new_trade(trade_id, fill, broker_trade_id, stop_loss, take_profit, trailing_distance)
            self._trades[trade_id] = opened  # what a fill opens has units
            return opened
        update = _given(stop_loss, take_profit, trailing_distance)
        if broker_trade_id is not None:
            update["broker_trade_id"] = broker_trade_id
        if (known.instrument, known.side, known.magic) != (fill.instrument, fill.side, fill.magic):
            raise InvariantBroken(
                f"fill {fill.fill_id} ({fill.side} {fill.instrument}, magic {fill.magic}) cannot add to trade"
                f" {trade_id} ({known.side} {known.instrument}, magic {known.magic})"
            )
        if known.initial_stop is not None and known.initial_risk is not None:
            update["initial_risk"] = self._risk(known.side, fill, known.initial_stop, known.initial_risk)
        trade = changed(
            known,
            units_opened=known.units_opened + fill.units,
            units=known.units + fill.units,
            open_price=average_price(known.units, known.open_price, fill.units, fill.price),
            commission=known.commission + fill.commission,
            version=known.version + 1,
            **update,
        )
        return self._keep(trade)

    def apply_close(
        self, trade_id: str, fill: Fill, *, reason: str | None = None, profit: Decimal | None = None
    ) -> tuple[Fill, Trade]:
        """Book a fill that closes a trade, partly or wholly.

        Parameters
        ----------
        trade_id : str
            The trade it closes.
        fill : Fill
            The execution: opposite side, at most the units still open.
        reason : str, optional
            Becomes the trade's ``close_reason``; default is the fill's reason.
        profit : Decimal, optional
            What the broker says that the fill realised of this trade; default is `profit_of` the prices.

        Returns
        -------
        Fill
            The fill with its profit and trade id.
        Trade
            The trade after it. A partial close keeps the open price; a full one sets ``close_time_ns``.

        Raises
        ------
        InvariantBroken
            When there is no such open trade, it holds fewer units, or side, instrument or account do not match.
        """
        self._check_account(fill)
        trade = self._open_trade(trade_id)
        if fill.instrument != trade.instrument or fill.side != OPPOSITE[trade.side]:
            raise InvariantBroken(
                f"fill {fill.fill_id} ({fill.side} {fill.instrument}) cannot close trade {trade_id}"
                f" ({trade.side} {trade.instrument})"
            )
        if fill.units > trade.units:
            raise InvariantBroken(
                f"fill {fill.fill_id} closes {fill.units} units of trade {trade_id}, which holds {trade.units}"
            )
        if profit is None:
            digits = self._currency_digits
            profit = profit_of(trade.side, fill.units, trade.open_price, fill.price, fill.home_rate, digits)
        units = trade.units - fill.units
        closed = changed(
            trade,
            units=units,
            units_closed=trade.units_closed + fill.units,
            close_price=average_price(trade.units_closed, trade.close_price or _ZERO, fill.units, fill.price),
            close_time_ns=fill.time_ns if units == 0 else None,
            close_reason=fill.reason if reason is None else reason,
            profit=trade.profit + profit,
            commission=trade.commission + fill.commission,
            version=trade.version + 1,
        )
        if units == 0:
            del self._trades[trade_id]
        else:
            self._trades[trade_id] = closed
        if fill.profit is profit and fill.trade_id == trade_id:
            return fill, closed
        return changed(fill, profit=profit, trade_id=trade_id), closed

    def apply_foreign(self, fill: Fill) -> list[tuple[Fill, Trade]]:
        """Book a fill of nobody on a netting account: it closes foreign trades, oldest first, the rest opens one.

        Returns
        -------
        list of (Fill, Trade)
            The fill in parts whose units add up to it; a part that closes has its profit. Parts of a split fill
            have ids ``FILL_ID/1``, ``FILL_ID/2`` ...; the commission is booked with the first.
        """
        self._check_account(fill)
        rest, parts = fill.units, list[tuple[Fill, Trade | None]]()
        for trade in self.open_trades(FOREIGN_MAGIC, fill.instrument):
            if trade.side != fill.side and rest:
                units = min(rest, trade.units)
                parts.append((changed(fill, units=units), trade))
                rest -= units
        if rest:
            parts.append((changed(fill, units=rest), None))
        booked = list[tuple[Fill, Trade]]()
        for number, (part, closes) in enumerate(parts, start=1):
            if len(parts) > 1:
                commission = fill.commission if number == 1 else _ZERO
                part = changed(part, fill_id=f"{fill.fill_id}/{number}", commission=commission)
            if closes is not None:
                booked.append(self.apply_close(closes.trade_id, part))
            else:
                opened = self.apply_open(None, part)
                booked.append((changed(part, trade_id=opened.trade_id), opened))
        return booked

    def protect(
        self,
        trade_id: str,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_distance: Decimal | None = None,
    ) -> Trade:
        """Note a trade's protection; None keeps a value, 0 removes it. Nothing changed: the same version.

        Raises
        ------
        InvariantBroken
            When there is no such open trade.
        """
        trade = self._open_trade(trade_id)
        update = _given(stop_loss, take_profit, trailing_distance)
        if all(getattr(trade, name) == value for name, value in update.items()):
            return trade
        return self._keep(changed(trade, **update, version=trade.version + 1))

    def assign(self, trade_id: str, magic: int, instance: str) -> Trade:
        """Give a trade another owner; what it won so far stays with it.

        Raises
        ------
        InvariantBroken
            When there is no such open trade.
        """
        trade = self._open_trade(trade_id)
        return self._keep(changed(trade, magic=magic, instance=instance, version=trade.version + 1))

    def add_swap(self, trade_id: str, amount: Decimal) -> Trade:
        """Book financing on a trade (account currency, negative = paid).

        Raises
        ------
        InvariantBroken
            When there is no such open trade.
        """
        trade = self._open_trade(trade_id)
        return self._keep(changed(trade, swap=trade.swap + amount, version=trade.version + 1))

    def net_units(self, magic: int | None = None) -> dict[str, Decimal]:
        """Return net units by instrument, long positive; instruments that are flat are left out."""
        net: dict[str, Decimal] = {}
        for trade in self.open_trades(magic):
            net[trade.instrument] = net.get(trade.instrument, _ZERO) + trade.units * SIGN[trade.side]
        return {instrument: units for instrument, units in net.items() if units}

    def proof(self, real: Mapping[str, Decimal]) -> list[Break]:
        """Compare with the broker's net units; an empty list means that the proof holds.

        Parameters
        ----------
        real : Mapping of str to Decimal
            Net units by instrument at the broker, long positive; an instrument left out is flat.
        """
        virtual = self.net_units()
        return [
            Break(instrument, virtual.get(instrument, _ZERO), real.get(instrument, _ZERO))
            for instrument in sorted({*virtual, *real})
            if virtual.get(instrument, _ZERO) != real.get(instrument, _ZERO)
        ]

    def opened_by(
        self, order: Order | None, fill_id: str, client_id: str | None = None, broker_trade_id: str | None = None
    ) -> str:
        """Return the id of the trade that a fill opens or adds to.

        Parameters
        ----------
        order : Order or None
            The order behind the fill as it was before it; None for foreign fills.
        fill_id : str
            Of the fill.
        client_id, broker_trade_id : str, optional
            What the broker says of a fill without an order of ours.
        """
        if order is None:
            return client_id or f"foreign-{broker_trade_id or fill_id}"
        if order.filled_units and order.client_id not in self._trades:
            return f"{order.client_id}-{fill_id}"
        return order.client_id

    def _new_trade(
        self,
        trade_id: str,
        fill: Fill,
        ticket: str | None,
        stop_loss: Decimal | None,
        take_profit: Decimal | None,
        trailing_distance: Decimal | None,
    ) -> Trade:
        stop = _first_stop(fill, stop_loss or None, trailing_distance or None)
        return made(
            Trade,
            trade_id=trade_id,
            account=self.account,
            magic=fill.magic,
            instance=fill.instance,
            instrument=fill.instrument,
            side=fill.side,
            units_opened=fill.units,
            units=fill.units,
            open_time_ns=fill.time_ns,
            open_price=fill.price,
            stop_loss=stop_loss or None,
            take_profit=take_profit or None,
            trailing_distance=trailing_distance or None,
            initial_stop=stop,
            initial_risk=None if stop is None else self._risk(fill.side, fill, stop),
            broker_trade_id=ticket,
            commission=fill.commission,
        )

    def _risk(self, side: Side, fill: Fill, stop: Decimal, before: Decimal = _ZERO) -> Decimal | None:
        """Return what a trade risks with one more fill; None where its first stop is not on the losing side."""
        risk = -profit_of(side, fill.units, fill.price, stop, fill.home_rate, self._currency_digits)
        return risk + before if risk > 0 else None

    def _open_trade(self, trade_id: str) -> Trade:
        trade = self._trades.get(trade_id)
        if trade is None:
            raise InvariantBroken(f"account {self.account} has no open trade {trade_id}")
        return trade

    def _check_account(self, fill: Fill) -> None:
        if fill.account != self.account or fill.units <= 0:
            raise InvariantBroken(
                f"fill {fill.fill_id} of account {fill.account} with {fill.units} units cannot enter the ledger of"
                f" {self.account}"
            )

    def _keep(self, trade: Trade) -> Trade:
        if trade.is_open:
            self._trades[trade.trade_id] = trade
        else:
            del self._trades[trade.trade_id]
        return trade
