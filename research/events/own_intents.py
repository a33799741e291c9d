"""Intents that the account makes itself, as the gateway does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from atrader.clock import NS_PER_S
from atrader.orders.model import Action, Intent, Order, Trade
from atrader.orders.own import own_intent
from atrader.orders.patience import Patience

if TYPE_CHECKING:
    from research.events.account import Account


class OwnIntents:
    """Closes trades and cancels orders, with counters below zero.

    A trade whose close is under way is not closed twice; what was refused is tried again after a pause that doubles
    from 1 s to 60 s of market time.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._ids: dict[int, int] = {}
        self._patience = Patience()

    def carry(self, ids: Mapping[int, int]) -> None:
        """Go on with the counters of another time, by magic number."""
        self._ids = dict(ids)

    def close(self, trade: Trade, reason: str) -> None:
        """Close a whole trade."""
        if self._account.closing_units(trade.trade_id) < trade.units and self._may_try(trade.trade_id):
            self._submit(trade, reason, "close", trade_id=trade.trade_id)

    def cancel(self, order: Order, reason: str) -> None:
        """Cancel a working order."""
        if self._may_try(order.client_id):
            self._submit(order.intent, reason, "cancel", order_id=order.client_id)

    def forget_pauses(self) -> None:
        """Forget the pauses of what is over."""
        account = self._account
        self._patience.keep({*account.open_orders, *(trade.trade_id for trade in account.ledger.open_trades())})

    def _may_try(self, subject: str) -> bool:
        return self._patience.may_try(subject, self._account.now_ns / NS_PER_S)

    def _submit(self, owner: Intent | Trade, reason: str, action: Action, **wanted: str) -> None:
        account, magic = self._account, owner.magic
        self._ids[magic] = self._ids.get(magic, 0) - 1
        account.submit(own_intent(owner, action, reason, n=self._ids[magic], time_ns=account.now_ns, **wanted))
