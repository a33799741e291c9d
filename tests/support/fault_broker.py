"""A broker that fails in every way brokers do, behind a real adapter; its venue survives the gateways it serves."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from atrader.errors import Rejected, Retryable, UnknownOutcome
from atrader.instruments import KNOWN, Instrument
from atrader.orders.model import SIGN, FillReason, Side
from atrader.orders.states import OrderState
from broker_api.adapter import (
    AnyReport,
    BrokerAccount,
    BrokerOrder,
    BrokerTrade,
    Capabilities,
    FillReport,
    Modification,
    OrderReport,
    Snapshot,
)

PRICE = Decimal("1.10000")

FAULTS = (
    "ok",
    "hang-before",  # never arrives, no answer
    "hang-after",  # executed, no answer
    "unknown-before",  # 5xx, not executed
    "unknown-after",  # 5xx, executed
    "retryable",  # connection refused
    "reject",
    "silent",  # executed, the answer says nothing, the stream tells
    "crash",  # the adapter itself fails after it was executed
)


@dataclass
class Venue:
    """The broker's side: what really happened."""

    hedging: bool = True
    reports: list[AnyReport] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)  # client id -> how often it was taken as an order
    working: dict[str, BrokerOrder] = field(default_factory=dict)
    tickets: dict[str, BrokerTrade] = field(default_factory=dict)
    net: dict[str, Decimal] = field(default_factory=dict)
    hidden: Counter[str] = field(default_factory=Counter)  # client id -> look-ups that do not find it yet
    partial: bool = False  # market orders fill in two parts
    stops: bool = False  # takes reduce-only stops (netting)
    hide: int | None = None  # look-ups that do not find an order after a fault, the stream silent; None = a few

    def execute(self, order: BrokerOrder) -> list[AnyReport]:
        """Take an order: market orders fill at once, others work."""
        self.accepted[order.client_id] += 1
        if order.order_type != "market":
            self.working[order.client_id] = order
            return [self._state(order.client_id, OrderState.WORKING)]
        parts = [order.units]
        if self.partial and order.units > 1:
            parts = [order.units // 2, order.units - order.units // 2]
        return [self.fill(order, units) for units in parts]

    def fill(self, order: BrokerOrder, units: Decimal) -> FillReport:
        """Execute units of an order."""
        number = len(self.reports) + 1
        ticket = order.close_broker_trade_id
        self.net[order.instrument] = self.net.get(order.instrument, Decimal(0)) + units * SIGN[order.side]
        if self.hedging and ticket is not None:
            self._reduce(ticket, units)
        elif self.hedging:
            ticket = self._open(order, units, number)
        report = FillReport(
            transaction_id=number, time_ns=number, fill_id=f"f{number}", client_id=order.client_id,
            broker_id=order.client_id, broker_trade_id=ticket if self.hedging else None, instrument=order.instrument,
            side=order.side, units=units, price=PRICE, reason="order", magic=order.magic,
        )  # fmt: skip
        self.reports.append(report)
        return report

    def trigger(self, client_id: str) -> list[AnyReport]:
        """Have the price reach a working order: a reduce-only one fills what it can reduce, the rest is cancelled."""
        order = self.working.pop(client_id)
        units = order.units
        if order.reduce_only:
            held = -SIGN[order.side] * self.net.get(order.instrument, Decimal(0))
            units = max(Decimal(0), min(units, held))
        told: list[AnyReport] = [self.fill(order, units)] if units else []
        return told if units == order.units else [*told, self._state(client_id, OrderState.CANCELLED)]

    def trade_by_hand(self, side: Side, units: Decimal, reason: FillReason, magic: int | None = None) -> FillReport:
        """Have a person trade on the net position."""
        number = len(self.reports) + 1
        self.net["EUR/USD"] = self.net.get("EUR/USD", Decimal(0)) + units * SIGN[side]
        report = FillReport(
            transaction_id=number, time_ns=number, fill_id=f"f{number}", client_id=None, broker_id=None,
            broker_trade_id=None, instrument="EUR/USD", side=side, units=units, price=PRICE, reason=reason, magic=magic,
        )  # fmt: skip
        self.reports.append(report)
        return report

    def modify(self, change: Modification) -> list[AnyReport]:
        """Change a working order at once."""
        self.accepted[change.client_id] += 1
        order = self.working.get(change.order_client_id or "")
        if order is None:
            return [self._state(change.client_id, OrderState.REJECTED)]
        update = {"price": change.price or order.price, "units": change.units or order.units}
        self.working[order.client_id] = order.model_copy(update=update)
        return [self._state(change.client_id, OrderState.DONE)]

    def cancel(self, client_id: str, order_client_id: str) -> list[AnyReport]:
        """Cancel a working order."""
        self.accepted[client_id] += 1
        if self.working.pop(order_client_id, None) is None:
            return [self._state(client_id, OrderState.REJECTED)]
        return [self._state(order_client_id, OrderState.CANCELLED), self._state(client_id, OrderState.DONE)]

    def reports_of(self, client_id: str) -> list[AnyReport]:
        """Return everything about a client id."""
        return [report for report in self.reports if getattr(report, "client_id", None) == client_id]

    def _open(self, order: BrokerOrder, units: Decimal, number: int) -> str:
        for ticket, trade in self.tickets.items():
            if trade.client_id == order.client_id:
                self.tickets[ticket] = trade.model_copy(update={"units": trade.units + units})
                return ticket
        self.tickets[f"t{number}"] = BrokerTrade(
            broker_trade_id=f"t{number}", client_id=order.client_id, magic=order.magic, instrument=order.instrument,
            side=order.side, units=units, open_price=PRICE, open_time_ns=number, stop_loss=order.stop_loss,
            take_profit=order.take_profit, trailing_distance=order.trailing_distance,
        )  # fmt: skip
        return f"t{number}"

    def _reduce(self, ticket: str, units: Decimal) -> None:
        held = self.tickets[ticket]
        assert units <= held.units, "closed more than the ticket held"
        if units == held.units:
            del self.tickets[ticket]
        else:
            self.tickets[ticket] = held.model_copy(update={"units": held.units - units})

    def _state(self, client_id: str, state: OrderState) -> OrderReport:
        number = len(self.reports) + 1
        report = OrderReport(
            transaction_id=number, time_ns=number, client_id=client_id, broker_id=f"b-{client_id}", state=state
        )
        self.reports.append(report)
        return report


class FaultAdapter:
    """One connection to a `Venue`. Each acting call takes the next fault of the script; an empty script is "ok".

    Parameters
    ----------
    venue : Venue
        The other side.
    script : deque of str
        Names of `FAULTS`, shared between connections.
    chance : random.Random
        Order and number of streamed reports.
    proves_absence : bool
        Whether it declares its look-ups to be proof; a script must not contain faults that hide what was executed.
    """

    def __init__(
        self,
        venue: Venue,
        script: deque[str] | None = None,
        chance: random.Random | None = None,
        proves_absence: bool = False,
    ) -> None:
        self.capabilities = Capabilities(
            hedging=venue.hedging,
            native_protection=venue.hedging,
            lookups_prove_absence=proves_absence,
            reduce_only_stops=venue.stops,
        )
        self.venue = venue
        self.script = script if script is not None else deque()
        self._chance = chance or random.Random(1)
        self._stream: asyncio.Queue[Sequence[AnyReport] | None] = asyncio.Queue()

    async def connect(self) -> None:
        """Log in."""

    async def close(self) -> None:
        """Hang up."""

    def disconnect(self) -> None:
        """Break the stream."""
        self._stream.put_nowait(None)

    async def instruments(self) -> Mapping[str, Instrument]:
        """Trade EUR/USD."""
        return {"EUR/USD": KNOWN["EUR/USD"]}

    async def submit(self, order: BrokerOrder) -> Sequence[AnyReport]:
        """Send an order, with the next fault."""
        ticket = order.close_broker_trade_id
        if ticket is not None and ticket not in self.venue.tickets:
            raise Rejected("no such ticket", details={"reason": "unknown-ticket"})
        return await self._act(lambda: self.venue.execute(order), order.client_id)

    async def cancel(self, client_id: str, order_client_id: str) -> Sequence[AnyReport]:
        """Cancel an order, with the next fault."""
        return await self._act(lambda: self.venue.cancel(client_id, order_client_id), client_id)

    async def modify(self, change: Modification) -> Sequence[AnyReport]:
        """Change a working order, with the next fault; tickets are not changed here."""
        if change.order_client_id is None:
            raise Rejected("not here", details={"reason": "not-modifiable"})
        return await self._act(lambda: self.venue.modify(change), change.client_id)

    async def find(self, client_id: str, watermark: int) -> Sequence[AnyReport] | None:
        """Look an order up; one that is hidden is not known yet."""
        await asyncio.sleep(0)
        if self.venue.hidden[client_id] > 0:
            self.venue.hidden[client_id] -= 1
            return None
        return self.venue.reports_of(client_id) or None

    async def reports_since(self, watermark: int) -> Sequence[AnyReport]:
        """Return what happened."""
        await asyncio.sleep(0)
        return [report for report in self.venue.reports if report.transaction_id > watermark]

    async def snapshot(self) -> Snapshot:
        """Return the whole truth."""
        await asyncio.sleep(0)
        venue = self.venue
        return Snapshot(
            watermark=len(venue.reports),
            account=await self.account(),
            orders=tuple(
                OrderReport(
                    transaction_id=len(venue.reports), time_ns=1, client_id=name, broker_id=f"b-{name}",
                    state=OrderState.WORKING, terms=order,
                )
                for name, order in venue.working.items()
            ),
            trades=tuple(venue.tickets.values()) if venue.hedging else (),
            net_units={symbol: units for symbol, units in venue.net.items() if units},
        )  # fmt: skip

    async def account(self) -> BrokerAccount:
        """Return the money: this venue's price never moves."""
        return BrokerAccount(
            currency="USD", balance=Decimal(1_000_000), equity=Decimal(1_000_000), margin_used=Decimal(0), time_ns=1
        )

    async def reports(self) -> AsyncIterator[Sequence[AnyReport]]:
        """Stream what happens: late, twice, out of order."""
        while (reports := await self._stream.get()) is not None:
            yield reports

    async def _act(self, action: Any, client_id: str) -> Sequence[AnyReport]:
        fault = self.script.popleft() if self.script else "ok"
        await asyncio.sleep(0)
        if fault == "retryable":
            raise Retryable("connection refused")
        if fault == "reject":
            raise Rejected("not today", details={"reason": "not-today"})
        if fault == "hang-before":
            await asyncio.Event().wait()
        if fault == "unknown-before":
            raise UnknownOutcome("502")
        reports = action()
        if fault != "ok":
            hide = self.venue.hide
            self.venue.hidden[client_id] = self._chance.randint(0, 2) if hide is None else hide
        if self.venue.hide is None:
            self._tell_late(reports)
        if fault == "hang-after":
            await asyncio.Event().wait()
        if fault == "unknown-after":
            raise UnknownOutcome("502")
        if fault == "crash":
            raise KeyError("a bug of the adapter")
        return [] if fault == "silent" else list(reports)

    def _tell_late(self, reports: Sequence[AnyReport]) -> None:
        told = list(reports) * self._chance.randint(0, 2)
        self._chance.shuffle(told)
        for report in told:
            self._stream.put_nowait([report])
