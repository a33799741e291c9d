"""The calls a gateway answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from atrader.bus import Caller, Handler
from atrader.clock import NS_PER_S, Clock
from atrader.errors import Retryable
from atrader.messages.gateway import (
    AccountAnswer,
    Acknowledged,
    AdoptTrade,
    Assigned,
    Attach,
    CloseAll,
    ClosedTrades,
    GetAccount,
    GetClosedTrades,
    HandOn,
    InstanceDown,
    InstanceSnapshot,
    OrderAnswer,
    Reconfigure,
    Reconfigured,
    RefreshTradingState,
    Submit,
    Synchronise,
    Synchronised,
)
from atrader.orders.states import TERMINAL
from atrader.wire import Request
from broker_api.gateway.core import Gateway
from broker_api.gateway.own_prices import OwnPrices
from broker_api.gateway.submit import ANSWER_S

_SNAPSHOT_ROWS: Final = 1000
"""Ended orders and closed trades in one snapshot at most: the newest ones."""

_SETTLE_S: Final = 1.0  # shorter than a worker waits for the answer
_ANSWER_MARGIN_S: Final = 0.2  # before the caller's deadline, for the way back


class Calls:
    """Handlers over one gateway.

    Parameters
    ----------
    gateway : Gateway
        Who does the work.
    prices : OwnPrices, optional
        Those of the account's broker.
    host_clock : Clock
        Deadlines of calls are in the host's time.
    """

    def __init__(self, gateway: Gateway, prices: OwnPrices | None, host_clock: Clock) -> None:
        self._gateway = gateway
        self._prices = prices
        self._clock = host_clock

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return what answers which request."""
        return {
            Submit: self.submit,
            Attach: self.attach,
            GetAccount: self.account,
            GetClosedTrades: self.closed_trades,
            RefreshTradingState: self.refresh,
            Reconfigure: self.reconfigure,
            CloseAll: self.close_all,
            InstanceDown: self.instance_down,
            AdoptTrade: self.adopt_trade,
            HandOn: self.hand_on,
            Synchronise: self.synchronise,
        }

    def submit(self, request: Submit, caller: Caller) -> asyncio.Future[OrderAnswer]:
        """Carry an intent out; see `Submitter.submit`."""
        gateway, intent = self._gateway, request.intent
        gateway.intake.check_origin(intent)
        if gateway.states.closing and intent.action == "open":
            raise Retryable("the gateway is being stopped: ask its successor")
        left_s = (caller.deadline_ns - self._clock.now_ns()) / NS_PER_S - _ANSWER_MARGIN_S
        return gateway.submitter.answer(intent, max(0.0, min(ANSWER_S, left_s)))

    async def attach(self, request: Attach, caller: Caller) -> InstanceSnapshot:
        """Give a worker everything it owns, as it is on disk."""
        gateway = self._gateway
        gateway.flattener.attached(request.magic)
        await gateway.journal.settle()
        book, read, magic = gateway.book, gateway.journal.read, request.magic
        since = request.since_ns
        ended = [item for item in read.orders_since(magic, since, _SNAPSHOT_ROWS) if item.state in TERMINAL]
        orders = [item for item in (*ended, *book.open_orders(magic)) if not item.intent.keeps_protection]
        closed = read.trades_closed_since(magic, since, _SNAPSHOT_ROWS)
        epoch, order_seq, trade_seq = gateway.publisher.position(request.instance)
        return InstanceSnapshot(
            last_n=max(book.counters(magic)[0], gateway.submitter.highest_n(magic)),
            epoch=epoch,
            order_seq=order_seq,
            trade_seq=trade_seq,
            orders=tuple(orders),
            trades=(*closed, *book.own_trades(magic)),
            trading_state=gateway.states.of_instance(request.instance),
            equity=self._equity(),
            risk_day="" if gateway.day.day is None else gateway.day.day.model_dump_json(),
        )

    def account(self, request: GetAccount, caller: Caller) -> AccountAnswer:
        """Show the account."""
        gateway = self._gateway
        worth = gateway.valuation.worth(gateway.book.ledger.open_trades())
        breaks = gateway.reconciler.breaks
        return AccountAnswer(
            name=gateway.account.name,
            currency=gateway.account.currency,
            balance=worth.balance,
            equity=worth.equity,
            margin_used=worth.margin_used,
            proof="broken" if breaks else "holds",
            breaks=tuple(f"{instrument}: {reason}" for instrument, reason in breaks.items()),
            trading_state=gateway.states.of_account(),
            open_trades=() if request.money_only else gateway.book.ledger.open_trades(),
            live_orders=() if request.money_only else gateway.book.open_orders(),
        )

    async def closed_trades(self, request: GetClosedTrades, caller: Caller) -> ClosedTrades:
        """Tell what an instance closed last, as it is on disk."""
        journal = self._gateway.journal
        await journal.settle()
        oldest_first = journal.read.trades_closed_since(request.magic, 0, min(request.count, _SNAPSHOT_ROWS))
        return ClosedTrades(trades=tuple(reversed(oldest_first)))

    def refresh(self, request: RefreshTradingState, caller: Caller) -> Acknowledged:
        """Read the trading states now, and begin to flatten where they say so."""
        gateway = self._gateway
        gateway.states.current()
        if gateway.online.is_set() and gateway.clock.now_ns() > 0:
            gateway.flattener.turn()
        return Acknowledged()

    def reconfigure(self, request: Reconfigure, caller: Caller) -> Reconfigured:
        """Take limits and instances over."""
        orphans = self._gateway.reconfigure(request.settings, request.instances)
        if self._prices is not None:
            self._prices.configure(request.prices)
        self._gateway.log.info("reconfigured", instances=sorted(item.name for item in request.instances))
        return Reconfigured(orphans=orphans)

    async def close_all(self, request: CloseAll, caller: Caller) -> Acknowledged:
        """Close and cancel everything of a magic number, or of all instances."""
        self._require_online()
        return Acknowledged(done=await self._gateway.flattener.close_all(request.magic, request.reason))

    async def instance_down(self, request: InstanceDown, caller: Caller) -> Acknowledged:
        """Apply the policy of an instance whose worker stays away."""
        self._require_online()
        flattener = self._gateway.flattener
        return Acknowledged(done=await flattener.instance_down(request.instance, request.magic, request.policy))

    async def adopt_trade(self, request: AdoptTrade, caller: Caller) -> Assigned:
        """Give one trade to an instance."""
        self._require_online()
        return Assigned(trades=await self._gateway.assignments.adopt(request.trade_id, request.instance))

    async def hand_on(self, request: HandOn, caller: Caller) -> Assigned:
        """Give the trades of an orphan to an instance."""
        self._require_online()
        return Assigned(trades=await self._gateway.assignments.hand_on(request.magic, request.instance))

    async def synchronise(self, request: Synchronise, caller: Caller) -> Synchronised:
        """Say how far the events reach after everything worked in so far."""
        await self._gateway.submitter.idle(_SETTLE_S)
        await self._gateway.journal.settle()
        self._gateway.publisher.news.discard(request.instance)
        epoch, order_seq, trade_seq = self._gateway.publisher.position(request.instance)
        return Synchronised(epoch=epoch, order_seq=order_seq, trade_seq=trade_seq, equity=self._equity())

    def _equity(self) -> Any:
        gateway = self._gateway
        return gateway.valuation.worth(gateway.book.ledger.open_trades()).equity

    def _require_online(self) -> None:
        if not self._gateway.online.is_set():
            raise Retryable("the broker is away: ask again")
