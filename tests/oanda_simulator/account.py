"""One account of the venue: its settings, money, orders, trades and log. What happens to it is in the other modules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from tests.oanda_simulator.clock import VenueClock
from tests.oanda_simulator.market import Market
from tests.oanda_simulator.model import Order, Trade
from tests.oanda_simulator.transactions import TransactionLog
from tests.oanda_simulator.values import Fields, Time, money


@dataclass(frozen=True)
class AccountSettings:
    """What kind of account it is.

    Parameters
    ----------
    id : str
        Four numbers joined by ``-``.
    hedging : bool, default False
        Long and short trades live together.
    fifo : bool, default False
        The rules of a US account: oldest trade first, protected trades of distinct sizes.
    mt4_id : int, optional
        Linked to MT4: client extensions are refused.
    currency : str, default "USD"
    balance : Decimal, default 100000
    margin_rate : Decimal, default 0.02
        The least margin; an instrument may ask for more.
    guaranteed_mode : str, default "ALLOWED"
        ``DISABLED``, ``ALLOWED`` or ``REQUIRED``: guaranteed stops.
    conversion : {"sides", "mid"}, default "sides"
        Profit in another currency converts at the bid when gained and the ask when lost, or always in the middle.
    maximum_trades, maximum_orders : int, default 1000
        How many trades and pending orders may exist.
    """

    id: str
    hedging: bool = False
    fifo: bool = False
    mt4_id: int | None = None
    currency: str = "USD"
    balance: Decimal = Decimal(100_000)
    margin_rate: Decimal = Decimal("0.02")
    alias: str = "Primary"
    guaranteed_mode: str = "ALLOWED"
    conversion: Literal["sides", "mid"] = "sides"
    maximum_trades: int = 1_000
    maximum_orders: int = 1_000


class Account:
    """The venue's truth of one account. Tests may read everything; only the venue's modules change it."""

    def __init__(self, settings: AccountSettings, clock: VenueClock, market: Market) -> None:
        self.settings = settings
        self.id = settings.id
        self.clock = clock
        self.market = market
        self.user_id = int(settings.id.split("-")[2])
        self.log = TransactionLog(settings.id, self.user_id, clock)
        self.alias = settings.alias
        self.margin_rate = settings.margin_rate
        self.created = clock.now()
        self.balance = Decimal("0.0000")
        self.pl = Decimal("0.0000")
        self.financing = Decimal("0.0000")
        self.dividends = Decimal("0.0000")
        self.guaranteed_fees = Decimal("0.0000")
        self.last_fill: Time | None = None
        self.margin_call_since: Time | None = None
        self.locked = False
        self.orders: dict[int, Order] = {}
        self.trades: dict[int, Trade] = {}
        self.realized_by: dict[tuple[str, bool], Decimal] = {}  # (instrument, long) -> profit
        self.financed_by: dict[tuple[str, bool], Decimal] = {}
        self._working: dict[int, Order] = {}
        self._working_in: dict[str, dict[int, Order]] = {}
        self._open: dict[int, Trade] = {}
        self._open_in: dict[str, dict[int, Trade]] = {}
        self._open_account()

    def _open_account(self) -> None:
        site, division, user, number = (int(part) for part in self.id.split("-"))
        fields: Fields = {
            "divisionID": division,
            "siteID": site,
            "accountUserID": user,
            "accountNumber": number,
            "homeCurrency": self.settings.currency,
        }
        self.log.append("CREATE", fields)
        self.log.append("CLIENT_CONFIGURE", {"alias": self.alias, "marginRate": self.margin_rate})
        self.transfer(self.settings.balance)

    def transfer(self, amount: Decimal, comment: str | None = None) -> Fields:
        """Pay money in, or out when negative. Returns the transaction."""
        self.balance = money(self.balance + amount)
        fields: Fields = {
            "amount": money(amount),
            "fundingReason": "CLIENT_FUNDING",
            "comment": comment,
            "accountBalance": self.balance,
        }
        return self.log.append("TRANSFER_FUNDS", fields)

    def add_order(self, order: Order) -> None:
        """Take a new order into the books."""
        self.orders[order.id] = order
        if order.pending:
            self._working[order.id] = order
            self._working_in.setdefault(order.instrument, {})[order.id] = order

    def end_order(self, order: Order) -> None:
        """Note that an order does not work any more."""
        self._working.pop(order.id, None)
        self._working_in.get(order.instrument, {}).pop(order.id, None)

    def add_trade(self, trade: Trade) -> None:
        """Take a new trade into the books."""
        self.trades[trade.id] = trade
        self._open[trade.id] = trade
        self._open_in.setdefault(trade.instrument, {})[trade.id] = trade

    def end_trade(self, trade: Trade) -> None:
        """Note that nothing of a trade is left."""
        self._open.pop(trade.id, None)
        self._open_in[trade.instrument].pop(trade.id, None)

    def pending(self, instrument: str | None = None) -> list[Order]:
        """Return the orders that work, oldest first."""
        found = self._working if instrument is None else self._working_in.get(instrument, {})
        return list(found.values())

    def open_trades(self, instrument: str | None = None) -> list[Trade]:
        """Return the open trades, oldest first."""
        found = self._open if instrument is None else self._open_in.get(instrument, {})
        return list(found.values())

    def held(self) -> list[str]:
        """Return the instruments in which a trade is open."""
        return sorted(name for name, trades in self._open_in.items() if trades)

    def find_order(self, specifier: str) -> Order | None:
        """Return an order by its number, or a pending one by ``@`` and its client id."""
        if specifier.startswith("@"):
            return next((order for order in self.pending() if order.client_id == specifier[1:]), None)
        return self.orders.get(int(specifier)) if specifier.isdecimal() else None

    def find_trade(self, specifier: str) -> Trade | None:
        """Return a trade by its number, or an open one by ``@`` and its client id."""
        if specifier.startswith("@"):
            return next((trade for trade in self.open_trades() if trade.client_id == specifier[1:]), None)
        return self.trades.get(int(specifier)) if specifier.isdecimal() else None

    def dependents(self, trade: Trade) -> Iterator[Order]:
        """Yield the pending orders of a trade."""
        for number in list(trade.orders.values()):
            order = self.orders[number]
            if order.pending:
                yield order

    def net_units(self, instrument: str) -> Decimal:
        """Return the net position in an instrument."""
        return sum((trade.units for trade in self.open_trades(instrument)), Decimal(0))
