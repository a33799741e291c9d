"""What the conformance suite needs of an adapter's surroundings, and how adapters plug in.

An adapter joins the suite with an `AdapterBench` of its own and one line in `BENCHES`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import Rejected
from atrader.orders.model import Side
from atrader.orders.states import OrderState
from broker_api.adapter import (
    Adapter,
    AnyReport,
    BrokerOrder,
    BrokerTrade,
    FillReport,
    Modification,
    OrderReport,
    SwapReport,
)
from tests.support.oanda import OandaBench
from tests.support.paper import PaperBench

DEADLINE_S = 60.0


class AdapterBench(ABC):
    """An adapter in front of a venue whose prices the test commands."""

    adapter: Adapter

    @abstractmethod
    async def start(self) -> None:
        """Connect a first adapter object."""

    @abstractmethod
    async def stop(self) -> None:
        """End everything."""

    @abstractmethod
    async def crash(self) -> None:
        """Go on with a new adapter object over the same venue, as after kill -9; the venue's prices stay known."""

    @abstractmethod
    async def drive_prices(self, instrument: str, bid: str, ask: str, after_s: float = 1.0) -> Sequence[AnyReport]:
        """Make the venue quote this, some market seconds later; return reports that the call itself got to know."""

    @abstractmethod
    def now_ns(self) -> int:
        """Return the market time."""


AdapterBench.register(PaperBench)
AdapterBench.register(OandaBench)


@dataclass(frozen=True)
class Entry:
    """An adapter in the suite, with what its account can do, so that tests are chosen before anything runs."""

    make: Callable[[Path], Any]
    hedging: bool
    native_protection: bool
    reuses_ids: bool = True  # takes a client id again while the trade of its first order is open


BENCHES: dict[str, Entry] = {
    "paper-hedging": Entry(lambda path: PaperBench(path, positions="hedging"), hedging=True, native_protection=True),
    "paper-netting": Entry(lambda path: PaperBench(path, positions="netting"), hedging=False, native_protection=False),
    "oanda-hedging": Entry(
        lambda path: OandaBench(path, positions="hedging"), hedging=True, native_protection=True, reuses_ids=False
    ),
    "oanda-netting": Entry(
        lambda path: OandaBench(path, positions="netting"), hedging=False, native_protection=False, reuses_ids=False
    ),
}


def _in_the_main_thread(run: Callable[[], None]) -> None:
    run()


def _in_another_thread(run: Callable[[], None]) -> None:
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(run).result()


SESSIONS = {"gateway": _in_the_main_thread, "worker": _in_another_thread}
"""Where an adapter lives, by the ``session`` of its account."""


class Desk:
    """The gateway's place in a scenario: sends orders, keeps every report, and notices what must never happen."""

    instrument = "EUR/USD"

    def __init__(self, bench: AdapterBench) -> None:
        self.bench = bench
        self.reports: dict[tuple[int, str], AnyReport] = {}
        self._stream: asyncio.Task[None] | None = None
        self._number = 0

    @property
    def adapter(self) -> Adapter:
        return self.bench.adapter

    async def open_for_business(self) -> None:
        await self.bench.start()
        self._listen()
        await self.prices("1.10000", "1.10010")

    async def crash(self) -> None:
        await self._silence()
        await self.bench.crash()
        self.note(await self.adapter.reports_since(max(self.numbers(), default=0)))  # as the gateway does
        self._listen()

    async def close(self) -> None:
        await self._silence()
        await self.bench.stop()

    def next_client_id(self, magic: int = 7) -> str:
        self._number += 1
        return f"a{magic:06d}w{self._number}"

    def order(self, side: Side = "buy", units: int = 1000, **more: Any) -> BrokerOrder:
        magic = more.pop("magic", 7)
        values = {"client_id": self.next_client_id(magic), "magic": magic, "instance": f"i{magic}", **more}
        values.setdefault("instrument", self.instrument)
        values.setdefault("order_type", "market")
        return BrokerOrder(side=side, units=Decimal(units), **values)

    async def send(self, order: BrokerOrder) -> BrokerOrder:
        self.note(await self.adapter.submit(order))
        return order

    async def filled(self, side: Side = "buy", units: int = 1000, **more: Any) -> FillReport:
        """Send a market order and return its last fill."""
        order = await self.send(self.order(side, units, **more))
        await self.until(lambda: self.units_of(order.client_id) == order.units)
        return self.fills_of(order.client_id)[-1]

    async def refused(self, call: Coroutine[Any, Any, Sequence[AnyReport]]) -> str:
        with pytest.raises(Rejected) as caught:
            await call
        return str(caught.value.details["reason"])

    async def prices(self, bid: str, ask: str, after_s: float = 1.0, instrument: str | None = None) -> None:
        self.note(await self.bench.drive_prices(instrument or self.instrument, bid, ask, after_s))

    async def modify(self, **values: Any) -> None:
        client_id = self.next_client_id()
        self.note(await self.adapter.modify(Modification(client_id=client_id, **values)))
        await self.until(lambda: self.state_of(client_id) is OrderState.DONE)

    async def cancel(self, order_client_id: str) -> None:
        client_id = self.next_client_id()
        self.note(await self.adapter.cancel(client_id, order_client_id))
        await self.until(lambda: self.state_of(order_client_id) is OrderState.CANCELLED)
        assert self.state_of(client_id) is OrderState.DONE

    def note(self, reports: Sequence[AnyReport]) -> None:
        numbers = [report.transaction_id for report in reports]
        assert numbers == sorted(numbers), "transaction ids must not fall"
        for report in reports:
            known = self.reports.setdefault(_name_of(report), report)
            assert known == report, "one transaction tells two stories"

    def knows(self, report: AnyReport) -> bool:
        return self.reports.get(_name_of(report)) == report

    def numbers(self) -> list[int]:
        """Return the ids of all transactions heard of, in order."""
        return sorted({number for number, _ in self.reports})

    def fills_of(self, client_id: str | None) -> list[FillReport]:
        return [item for item in self._sorted() if isinstance(item, FillReport) and item.client_id == client_id]

    def units_of(self, client_id: str) -> Decimal:
        return sum((fill.units for fill in self.fills_of(client_id)), Decimal(0))

    def state_of(self, client_id: str) -> OrderState | None:
        states = [
            item.state for item in self._sorted() if isinstance(item, OrderReport) and item.client_id == client_id
        ]
        return states[-1] if states else None

    def swaps(self) -> list[SwapReport]:
        return [item for item in self._sorted() if isinstance(item, SwapReport)]

    def net_of_fills(self) -> dict[str, Decimal]:
        net: dict[str, Decimal] = {}
        for item in self._sorted():
            if isinstance(item, FillReport):
                signed = item.units if item.side == "buy" else -item.units
                net[item.instrument] = net.get(item.instrument, Decimal(0)) + signed
        return {instrument: units for instrument, units in net.items() if units}

    async def trades(self) -> dict[str, BrokerTrade]:
        return {trade.broker_trade_id: trade for trade in (await self.adapter.snapshot()).trades}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for reports; a venue that tells by stream needs some time."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)

    def _sorted(self) -> list[AnyReport]:
        return [self.reports[name] for name in sorted(self.reports, key=lambda name: name[0])]

    def _listen(self) -> None:
        async def listen() -> None:
            async for batch in self.adapter.reports():
                self.note(batch)

        self._stream = asyncio.create_task(listen())

    async def _silence(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            await asyncio.wait([self._stream])
            if not self._stream.cancelled():
                self._stream.result()


def scenario(
    *, hedging: bool | None = None, native_protection: bool | None = None, reuses_ids: bool | None = None
) -> Callable[[Callable[[Desk], Coroutine[Any, Any, None]]], Any]:
    """Make a test of a coroutine over all adapters that can what it needs; before it ends, the books must agree."""
    names = [
        name
        for name, entry in BENCHES.items()
        if hedging in (None, entry.hedging)
        and native_protection in (None, entry.native_protection)
        and reuses_ids in (None, entry.reuses_ids)
    ]

    def decorate(play: Callable[[Desk], Coroutine[Any, Any, None]]) -> Any:
        @pytest.mark.parametrize("session", SESSIONS)
        @pytest.mark.parametrize("adapter_name", names)
        def test(adapter_name: str, session: str, tmp_path: Path) -> None:
            SESSIONS[session](lambda: asyncio.run(_run(BENCHES[adapter_name].make(tmp_path), play)))

        test.__name__ = test.__qualname__ = play.__name__
        test.__doc__ = play.__doc__
        return test

    return decorate


async def _run(bench: Any, play: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    desk = Desk(bench)
    try:
        await desk.open_for_business()
        await play(desk)
        await _books_agree(desk)
    finally:
        await desk.close()


def _name_of(report: AnyReport) -> tuple[int, str]:
    """Tell the reports of one transaction apart."""
    if isinstance(report, FillReport):
        return report.transaction_id, f"fill {report.fill_id}"
    if isinstance(report, SwapReport):
        return report.transaction_id, f"swap {report.part}"
    return report.transaction_id, f"order {report.client_id}" if isinstance(report, OrderReport) else "notice"


async def _books_agree(desk: Desk) -> None:
    """Check that everything told adds up to what the snapshot shows, and that nothing was kept back."""
    desk.note(await desk.adapter.reports_since(0))
    snapshot = await desk.adapter.snapshot()
    assert dict(snapshot.net_units) == desk.net_of_fills()
    assert snapshot.watermark >= max(desk.numbers(), default=0)
    fill_ids = [item.fill_id for item in desk.reports.values() if isinstance(item, FillReport)]
    assert len(fill_ids) == len(set(fill_ids))
    if desk.adapter.capabilities.hedging:
        by_ticket: dict[str, Decimal] = {}
        for trade in snapshot.trades:
            signed = trade.units if trade.side == "buy" else -trade.units
            by_ticket[trade.instrument] = by_ticket.get(trade.instrument, Decimal(0)) + signed
        assert {symbol: units for symbol, units in by_ticket.items() if units} == dict(snapshot.net_units)
    else:
        assert snapshot.trades == ()
