"""Decisions become intents and signals, as far as limits that the library does not hold itself allow."""

from __future__ import annotations

from collections.abc import Sequence

from atrader.market import Tick
from atrader.orders.states import TERMINAL
from atrader.strategy import Context
from framework_bridge.complaints import Complaints
from framework_bridge.decisions import Change, Decision, Leave, Open, Skipped
from framework_bridge.setup import Setup

_REASON = "asirikuy"


class Performer:
    """Carries decisions out, in order.

    Limits hold for opens only; what closes or protects always goes through. In monitor mode signals are recorded, and
    nothing is sent.
    """

    def __init__(self, context: Context, setup: Setup, complaints: Complaints) -> None:
        self._context = context
        self._setup = setup
        self._complaints = complaints

    def perform(self, decisions: Sequence[Decision], tick: Tick, worst_percent: float) -> None:
        """Carry out what was decided.

        Parameters
        ----------
        decisions : sequence
            In order.
        tick : Tick
            The latest price.
        worst_percent : float
            The largest drawdown of the instance so far.
        """
        for one in decisions:
            if isinstance(one, Open):
                self._open(one, tick, worst_percent)
            elif isinstance(one, Skipped):
                self._context.signal(f"{one.verb}-skipped", one.lots, kind=float(one.kind))
                text = f"{one.verb} of {one.kind.name} is left out: {one.reason}"
                self._complaints.about(f"{one.verb}-skipped", text, same=one.reason)
            else:
                self._work_on(one)

    def _work_on(self, one: Leave | Change) -> None:
        context, holding = self._context, one.holding
        name = "close" if isinstance(one, Leave) else "update"
        context.signal(self._named(name), float(holding.ticket), kind=float(holding.kind))
        if self._setup.is_monitoring:
            return
        if isinstance(one, Leave):
            self._leave(one)
        elif holding.is_pending:
            context.modify_order(
                holding.client_id,
                price=one.price,
                stop_loss=one.stop_loss,
                take_profit=one.take_profit,
                reason=_REASON,
            )
        else:
            context.modify(holding.client_id, stop_loss=one.stop_loss, take_profit=one.take_profit, reason=_REASON)

    def _leave(self, one: Leave) -> None:
        client_id = one.holding.client_id
        if not one.holding.is_pending:
            self._context.close(client_id, reason=_REASON)
        works_on = any(order.client_id == client_id and order.state not in TERMINAL for order in self._context.orders())
        if works_on:  # also the rest of an order that filled in part
            self._context.cancel(client_id, reason=_REASON)

    def _open(self, one: Open, tick: Tick, worst_percent: float) -> None:
        context, kind = self._context, one.kind
        values = {
            name: float(value)
            for name, value in (("price", one.price), ("stop_loss", one.stop_loss), ("take_profit", one.take_profit))
            if value is not None
        }
        refusal = self._refusal(tick, worst_percent)
        name = self._named("open") if refusal is None else f"open-refused-{refusal}"
        context.signal(name, float(one.lots), kind=float(kind), spread=tick.ask - tick.bid, **values)
        if refusal is not None or self._setup.is_monitoring:
            return
        context.order(
            kind.side,
            units=one.units,
            order_type=kind.order_type,
            price=one.price,
            stop_loss=one.stop_loss,
            take_profit=one.take_profit,
            expires_ns=one.expires_ns,
            reason=_REASON,
        )

    def _refusal(self, tick: Tick, worst_percent: float) -> str | None:
        setup = self._setup
        spread = tick.ask - tick.bid
        half_a_tick = float(self._context.instrument.price_tick) / 2
        if 0 < setup.max_spread < spread - half_a_tick:
            return "spread"
        if 0 < setup.max_drawdown_percent <= worst_percent:
            text = (
                f"the instance was {worst_percent:.1f} % below its peak, MAX_DRAWDOWN_PERCENT is"
                f" {setup.max_drawdown_percent:g}: it opens nothing any more"
            )
            self._complaints.about("max-drawdown", text)
            return "drawdown"
        return None

    def _named(self, name: str) -> str:
        return f"monitor-{name}" if self._setup.is_monitoring else name
