"""Orders of unknown outcome: asked for at the broker until they are found or proved absent; never sent on a guess."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.errors import AtraderError
from atrader.orders.states import IN_FLIGHT, OrderState
from broker_api.adapter import Adapter
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.apply import Bookkeeper
from broker_api.gateway.book import Book
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.moves import Moves
from broker_api.gateway.tasks import Tasks
from broker_api.journal import Batch, Entry, Journal

_FALLBACK_S: Final = 1.0  # when no delays are configured


class Lookups:
    """Looks orders up, each in a task of its own.

    An order is LOST only when the broker answered, more than once, that it does not know it, at least ``lost_after``
    (host time) after the first look-up: a broker may not know an order for a while after it accepted it, and one that
    does not answer proves nothing. Where the adapter's look-ups prove absence one of them suffices: the order was
    certainly not executed, is NEW again, and goes on from there.

    Parameters
    ----------
    resume : callable
        Goes on with an order that is NEW again.
    """

    def __init__(
        self,
        config: AccountConfig,
        adapter: Adapter,
        book: Book,
        moves: Moves,
        bookkeeper: Bookkeeper,
        journal: Journal,
        budget: Budget,
        alerts: Alerts,
        clock: Clock,
        tasks: Tasks,
        resume: Callable[[Entry], None],
    ) -> None:
        self._config = config
        self._adapter = adapter
        self._book = book
        self._moves = moves
        self._bookkeeper = bookkeeper
        self._journal = journal
        self._budget = budget
        self._alerts = alerts
        self._clock = clock
        self._tasks = tasks
        self._resume = resume
        self._pursued: dict[str, asyncio.Task[None]] = {}
        self._proves_absence = adapter.capabilities.lookups_prove_absence

    def configure(self, config: AccountConfig) -> None:
        """Take delays and patience from now on; a look-up under way keeps its delays."""
        self._config = config

    def start(self, entry: Entry, reason: str, *, at_once: bool = False) -> None:
        """Begin to look an order up, unless that is under way. Returns at once.

        Parameters
        ----------
        entry : Entry
            An order whose state at the broker is in doubt.
        reason : str
            Why, for the journal.
        at_once : bool
            Without the first delay: it was sent in an earlier life.
        """
        batch = Batch(self._book.account)
        if self._moves.move(entry, OrderState.UNKNOWN, batch, reason=reason):
            self._alerts.count("unknown-outcome")
            self._journal.stage(batch)
        if entry.order.client_id not in self._pursued:
            self._pursued[entry.order.client_id] = self._tasks.spawn(self._pursue(entry.order.client_id, at_once))

    @property
    def in_hand(self) -> frozenset[str]:
        """Client ids that are being looked up."""
        return frozenset(self._pursued)

    async def idle(self, timeout_s: float) -> None:
        """Wait until nothing is being looked up, for a time."""
        if self._pursued:
            await asyncio.wait(self._pursued.values(), timeout=timeout_s)

    async def _pursue(self, client_id: str, at_once: bool) -> None:
        try:
            await self._look(client_id, at_once)
        finally:
            del self._pursued[client_id]

    async def _look(self, client_id: str, at_once: bool) -> None:
        began_s, absences = self._clock.monotonic_s(), 0
        for delay_s in self._delays(at_once):
            await asyncio.sleep(delay_s)
            entry = self._book.entry(client_id)
            if entry is None or entry.order.state not in IN_FLIGHT:
                return
            found = await self.ask(entry)
            if found is None:
                continue
            absences = 0 if found else absences + 1
            if absences and self._proves_absence:
                self._go_on(entry)
                return
            if absences >= 2 and self._clock.monotonic_s() - began_s >= self._config.lost_after:
                self._give_up(entry)
                return

    async def ask(self, entry: Entry) -> bool | None:
        """Look once and work in what is found; True: known there, False: not known, None: it did not answer."""
        await self._budget.take(Priority.QUERY)
        try:
            async with asyncio.timeout(self._config.order_timeout):
                reports = await self._adapter.find(entry.order.client_id, entry.watermark)
        except (AtraderError, OSError, TimeoutError) as error:
            self._alerts.count("lookup-failed")
            self._alerts.log.info("lookup-failed", client_id=entry.order.client_id, reason=str(error))
            return None
        if reports is None:
            return False
        self._bookkeeper.apply(reports)
        return True

    def _go_on(self, entry: Entry) -> None:
        batch = Batch(self._book.account)
        if self._moves.move(entry, OrderState.NEW, batch, reason="the broker never had it"):
            self._journal.stage(batch)
            self._resume(entry)

    def _give_up(self, entry: Entry) -> None:
        batch = Batch(self._book.account)
        if not self._moves.move(entry, OrderState.LOST, batch, reason="absent at the broker after repeated look-ups"):
            return
        self._journal.stage(batch)
        self._alerts.alert(
            "order-lost",
            f"order {entry.order.client_id} never reached the broker",
            instrument=entry.order.intent.instrument,
            magic=entry.order.intent.magic,
        )

    def _delays(self, at_once: bool) -> Iterator[float]:
        delays = self._config.lookup_delays or (_FALLBACK_S,)
        if at_once:
            yield 0.0
        yield from delays
        while True:
            yield delays[-1]
