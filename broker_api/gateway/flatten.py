"""Exits that the gateway makes itself: close all, flatten, forced exits, a worker that stays away."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from atrader.clock import Clock
from atrader.orders.model import Intent, Order, Trade
from atrader.risk import forced_exits
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.gate import Gate
from broker_api.gateway.submit import Submitter
from broker_api.gateway.trading_states import TradingStateReader

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0  # a closed market refuses for a whole weekend
_PASSES: Final = 2  # the second finds what opened while the first was under way
_PASS_S: Final = 1.5


class Flattener:
    """Closes trades and cancels orders with intents of the gateway's own (counter below zero).

    Everything here may be asked for again: a trade whose close is under way is not closed twice. A trade that cannot
    be closed is tried again by its asker, after a pause that doubles from 1 s to 60 s.
    """

    def __init__(
        self,
        book: Book,
        submitter: Submitter,
        gate: Gate,
        states: TradingStateReader,
        alerts: Alerts,
        clock: Clock,
        pause_clock: Clock,
    ) -> None:
        self._book = book
        self._submitter = submitter
        self._gate = gate
        self._states = states
        self._alerts = alerts
        self._clock = clock
        self._pause_clock = pause_clock
        self._down: dict[int, Literal["reduce", "flatten"]] = {}  # magic numbers whose worker stays away
        self._pauses: dict[str, tuple[float, float]] = {}  # trade or order id -> not before, pause

    def close(self, trade: Trade, reason: str) -> bool:
        """Close a whole trade; False when that is under way or was tried a moment ago. Returns at once."""
        if self._book.closing_units(trade.trade_id) >= trade.units or not self._may_try(trade.trade_id):
            return False
        self._begin(trade.magic, trade.instance, trade.instrument, reason, "close", trade_id=trade.trade_id)
        return True

    def cancel(self, order: Order, reason: str) -> bool:
        """Cancel a working order; False when that is under way or was tried a moment ago. Returns at once."""
        if self._book.cancelling(order.client_id) or not self._may_try(order.client_id):
            return False
        intent = order.intent
        self._begin(intent.magic, intent.instance, intent.instrument, reason, "cancel", order_id=order.client_id)
        return True

    def sweep(self, magic: int | None, reason: str) -> int:
        """Begin to close every trade and to cancel every opening order of a magic number (None: of all of ours).

        Returns
        -------
        int
            How many closes and cancellations were begun now.
        """
        cancelled = sum([self.cancel(order, reason) for order in self._book.live_opens(magic)])
        return cancelled + sum([self.close(trade, reason) for trade in self._book.own_trades(magic)])

    async def close_all(self, magic: int | None, reason: str) -> int:
        """Sweep, wait for the outcome, and sweep again for what opened meanwhile; for one-time requests."""
        done = 0
        for _ in range(_PASSES):
            done += self.sweep(magic, reason)
            await self._submitter.idle(_PASS_S)
        return done

    async def instance_down(self, instance: str, magic: int, policy: Literal["keep", "reduce", "flatten"]) -> int:
        """Apply the policy of an instance whose worker stays away: nothing, no new trades, or no trades at all.

        It is kept in memory and applied with every `turn` until a worker attaches (`attached`): a closed market or a
        broker that refuses is tried again. A new gateway has to be told again, which its manager does.
        """
        self._alerts.alert("instance-down", f"worker of {instance} is down: {policy}", magic=magic)
        if policy == "keep":
            self._down.pop(magic, None)
            return 0
        self._down[magic] = policy
        return await self.close_all(magic, "instance-down") if policy == "flatten" else self._sweep_down(magic)

    def abandoned(self, magic: int, policy: Literal["reduce", "flatten"]) -> None:
        """Apply the policy of an instance that is gone from the configuration, with every `turn` from the next on."""
        self._down[magic] = policy

    def attached(self, magic: int) -> None:
        """Note that an instance has a worker again: its policy for the time without one ends."""
        self._down.pop(magic, None)

    def _sweep_down(self, magic: int) -> int:
        if self._down[magic] == "flatten":
            return self.sweep(magic, "instance-down")
        return sum([self.cancel(order, "instance-down") for order in self._book.live_opens(magic)])

    def turn(self) -> None:
        """Carry out what trading states, limits and absent workers force, as far as it is not under way.

        Returns at once.
        """
        self._flatten()
        for magic in self._down:
            self._sweep_down(magic)
        if self._book.own_trades() or self._book.live_opens():
            limits = {magic: config.limits for magic, config in self._gate.instances.items()}
            for forced in forced_exits(self._gate.limits, self._gate.state(), limits):
                if self.sweep(forced.magic, forced.rule):
                    self._alerts.alert("forced-exit", f"{forced.rule}: {forced.reason}", magic=forced.magic)
        self._forget_pauses()

    def _flatten(self) -> None:
        """Close what people want closed: the account, or an instance by the name it has or had when it traded."""
        if self._states.flattening():
            self.sweep(None, "flatten")
            return
        held = {trade.magic: trade.instance for trade in self._book.own_trades()}
        held.update((order.intent.magic, order.intent.instance) for order in self._book.live_opens())
        for magic, name in held.items():
            config = self._gate.instances.get(magic)
            if self._states.flattening(name if config is None else config.name):
                self.sweep(magic, "flatten")

    def _begin(
        self,
        magic: int,
        instance: str,
        instrument: str,
        reason: str,
        action: Literal["close", "cancel"],
        *,
        trade_id: str | None = None,
        order_id: str | None = None,
    ) -> asyncio.Task[None]:
        intent = Intent(
            magic=magic,
            n=self._book.take_own_id(magic).n,
            instance=instance,
            instrument=instrument,
            action=action,
            time_ns=self._clock.now_ns(),
            reason=reason,
            trade_id=trade_id,
            order_id=order_id,
        )
        return self._submitter.begin(intent)

    def _may_try(self, subject: str) -> bool:
        now_s = self._pause_clock.monotonic_s()
        not_before_s, pause_s = self._pauses.get(subject, (now_s, _FIRST_PAUSE_S))
        if now_s < not_before_s:
            return False
        self._pauses[subject] = (now_s + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S))
        return True

    def _forget_pauses(self) -> None:
        live = {trade.trade_id for trade in self._book.own_trades()}
        live.update(order.client_id for order in self._book.open_orders())
        self._pauses = {subject: pause for subject, pause in self._pauses.items() if subject in live}
