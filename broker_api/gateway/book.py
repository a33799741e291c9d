"""The gateway's memory of its orders and trades; the journal's image, as far as it is needed often."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from atrader.errors import Rejected
from atrader.ledger import FOREIGN_MAGIC, Ledger
from atrader.orders.ids import IntentId
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import LIVE, TERMINAL
from broker_api.journal import Entry, Journal

_ENDED_KEPT: Final = 2000
_ZERO: Final = Decimal(0)
ADOPTED_DIGEST: Final = b""
"""Digest of an order that the broker told us about: any intent of its id is taken for it."""


class Book:
    """Orders without an outcome, open trades, and the look-ups that keep an intent from being taken twice.

    Ended orders leave memory (the newest stay for a while); asking for one reads the journal.

    Parameters
    ----------
    account : str
        Name of the account.
    currency_digits : int
        Of the account currency.
    journal : Journal
        Restored from it at once.
    """

    def __init__(self, account: str, currency_digits: int, journal: Journal) -> None:
        self.account = account
        self._journal = journal
        self._open = {entry.order.client_id: entry for entry in journal.read.open_orders()}
        self._ended: OrderedDict[str, Entry] = OrderedDict()
        self._counters: dict[int, tuple[int, int]] = {}
        self._decisions: dict[tuple[int, str], str] = {}  # of the orders in memory
        for entry in self._open.values():
            self._note_decision(entry.order)
        self.ledger = Ledger(account, currency_digits)
        self.ledger.restore(journal.read.open_trades())

    # -- orders

    def keep(self, entry: Entry) -> None:
        """Take a new or changed order in."""
        order = entry.order
        if order.state in TERMINAL:
            self._open.pop(order.client_id, None)
            self._ended[order.client_id] = entry
            self._ended.move_to_end(order.client_id)
            if len(self._ended) > _ENDED_KEPT:
                _, evicted = self._ended.popitem(last=False)
                self._drop_decision(evicted.order)
        else:
            self._ended.pop(order.client_id, None)
            self._open[order.client_id] = entry

    def add(self, entry: Entry) -> None:
        """Take the order of a new intent in."""
        magic, n = entry.order.intent_id
        highest, lowest = self.counters(magic)
        self._counters[magic] = max(highest, n), min(lowest, n)
        self._note_decision(entry.order)
        self.keep(entry)

    def forget(self, entry: Entry) -> None:
        """Drop an order that could not be journaled: it never existed."""
        self._open.pop(entry.order.client_id, None)
        self._ended.pop(entry.order.client_id, None)
        self._drop_decision(entry.order)

    def entry(self, client_id: str) -> Entry | None:
        """Return an order by client id, from memory or from the journal."""
        return self._open.get(client_id) or self._ended.get(client_id) or self._journal.read.order(client_id)

    def open_orders(self, magic: int | None = None) -> tuple[Order, ...]:
        """Return the orders without an outcome of a magic number or of all, oldest first."""
        return tuple(entry.order for entry in self._open.values() if magic is None or entry.order.intent.magic == magic)

    # -- dedupe

    def known(self, intent: Intent, digest: bytes) -> Entry | None:
        """Find the order that an intent, or its decision, already has.

        Raises
        ------
        Rejected
            When the id was used for another intent: two workers share a magic number, or a counter went backwards.
        """
        highest, lowest = self.counters(intent.magic)
        if lowest <= intent.n <= highest:
            found = self.entry(intent.client_id)
            if found is not None:
                if found.digest not in (digest, ADOPTED_DIGEST):
                    raise reused(intent)
                return found
        return None if intent.decision is None else self._of_decision(intent.magic, intent.decision)

    def _of_decision(self, magic: int, decision: str) -> Entry | None:
        client_id = self._decisions.get((magic, decision))
        if client_id is not None:
            return self.entry(client_id)
        found = self._journal.read.order_of_decision(magic, decision)
        return None if found is None else self.entry(found.order.client_id)

    def counters(self, magic: int) -> tuple[int, int]:
        """Return the highest worker counter and the lowest gateway counter used; 0 = none."""
        if magic not in self._counters:
            self._counters[magic] = self._journal.read.counters(magic)
        return self._counters[magic]

    def take_own_id(self, magic: int) -> IntentId:
        """Return the identity of the next intent the gateway makes itself; each is given out once."""
        highest, lowest = self.counters(magic)
        self._counters[magic] = highest, lowest - 1
        return IntentId(magic, lowest - 1)

    # -- trades

    def trade_of_ticket(self, broker_trade_id: str) -> Trade | None:
        """Return the open trade that a ticket at the broker belongs to."""
        return next((trade for trade in self.ledger.open_trades() if trade.broker_trade_id == broker_trade_id), None)

    def closing_units(self, trade_id: str, but: str = "") -> Decimal:
        """Return how many units of a trade are being closed by orders without an outcome, one order left out.

        Stops that wait at the broker close nothing yet.
        """
        closing = (order for order in self._closes(trade_id) if not order.intent.is_net_stop)
        return sum((_unfilled(order) for order in closing if order.client_id != but), _ZERO)

    def net_stops(self, trade_id: str | None = None) -> tuple[Order, ...]:
        """Return the orders without an outcome that are stops of a trade, or of all trades, at the broker."""
        return tuple(
            entry.order
            for entry in self._open.values()
            if entry.order.intent.is_net_stop and trade_id in (None, entry.order.intent.trade_id)
        )

    def own_trades(self, magic: int | None = None) -> tuple[Trade, ...]:
        """Return the open trades of our instances, or of one of them; foreign ones never."""
        return tuple(trade for trade in self.ledger.open_trades(magic) if trade.magic != FOREIGN_MAGIC)

    def cancelling(self, order_id: str) -> bool:
        """Tell whether a cancellation of an order is under way."""
        return any(
            entry.order.intent.action == "cancel" and entry.order.intent.order_id == order_id
            for entry in self._open.values()
        )

    def live_opens(self, magic: int | None = None) -> tuple[Order, ...]:
        """Return the working orders that may still open something."""
        return tuple(
            order for order in self.open_orders(magic) if order.intent.action == "open" and order.state in LIVE
        )

    def unknown_fences(self, magic: int) -> dict[str, str]:
        """Return the instruments a magic number may not open in, as an order there has an unknown outcome."""
        return {
            order.intent.instrument: f"order {order.client_id} has an unknown outcome"
            for order in self.open_orders(magic)
            if order.state == "UNKNOWN"
        }

    def _note_decision(self, order: Order) -> None:
        if order.intent.decision is not None:
            self._decisions[order.intent.magic, order.intent.decision] = order.client_id

    def _drop_decision(self, order: Order) -> None:
        if order.intent.decision is not None:
            self._decisions.pop((order.intent.magic, order.intent.decision), None)

    def _closes(self, trade_id: str) -> Iterator[Order]:
        for entry in self._open.values():
            intent = entry.order.intent
            if intent.action == "close" and intent.trade_id == trade_id:
                yield entry.order


def _unfilled(order: Order) -> Decimal:
    return (order.units or _ZERO) - order.filled_units


def reused(intent: Intent) -> Rejected:
    """Return the refusal of an intent whose id belongs to another one."""
    return Rejected(
        f"intent {intent.intent_id} was used for another intent before",
        details={"reason": "intent-id-reused", "client_id": intent.client_id},
    )
