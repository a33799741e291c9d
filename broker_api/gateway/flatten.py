"""Exits that the gateway makes itself: close all, flatten, forced exits, a worker that stays away."""

from __future__ import annotations

from typing import Final, Literal

from atrader.orders.model import Order, Trade
from atrader.risk import forced_exits
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.gate import Gate
from broker_api.gateway.own_intents import OwnIntents
from broker_api.gateway.submit import Submitter
from broker_api.gateway.trading_states import TradingStateReader

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
        own: OwnIntents,
        submitter: Submitter,
        gate: Gate,
        states: TradingStateReader,
        alerts: Alerts,
    ) -> None:
        self._book = book
        self._own = own
        self._submitter = submitter
        self._gate = gate
        self._states = states
        self._alerts = alerts
        self._down: dict[int, Literal["reduce", "flatten"]] = {}  # magic numbers whose worker stays away

    def close(self, trade: Trade, reason: str) -> bool:
        """Close a whole trade; False when that is under way or was tried a moment ago. Returns at once."""
        if self._book.closing_units(trade.trade_id) >= trade.units or not self._own.may_try(trade.trade_id):
            return False
        self._own.close(trade, reason)
        return True

    def cancel(self, order: Order, reason: str) -> bool:
        """Cancel a working order; False when that is under way or was tried a moment ago. Returns at once."""
        if self._book.cancelling(order.client_id) or not self._own.may_try(order.client_id):
            return False
        self._own.cancel(order.intent, reason)
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
        self._own.forget_pauses()

    @property
    def is_wanted(self) -> bool:
        """Whether people want closed what may be open: the account, or an instance with a trade or an opening order."""
        return bool(self._wanted())

    def _flatten(self) -> None:
        for magic in self._wanted():
            self.sweep(magic, "flatten")

    def _wanted(self) -> list[int | None]:
        """Return whom people want closed: None, the account, or instances by the name they have or had at the trade."""
        if self._states.flattening():
            return [None]
        held = {trade.magic: trade.instance for trade in self._book.own_trades()}
        held.update((order.intent.magic, order.intent.instance) for order in self._book.live_opens())
        configs = self._gate.instances
        return [
            magic
            for magic, name in held.items()
            if self._states.flattening(configs[magic].name if magic in configs else name)
        ]
