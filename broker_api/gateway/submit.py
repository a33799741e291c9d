"""The way of an intent to the broker: once, after the journal has it, with one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.errors import DeadlineExceeded, Rejected, Retryable, UnknownOutcome
from atrader.messages.gateway import OrderAnswer
from atrader.orders import translate
from atrader.orders.ids import intent_id_of
from atrader.orders.model import Intent, Order
from atrader.orders.states import IN_FLIGHT, OrderState
from broker_api.adapter import Adapter, AnyReport
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.answers import Answers
from broker_api.gateway.apply import Bookkeeper
from broker_api.gateway.book import Book, reused
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.crash_points import reached
from broker_api.gateway.intake import Intake
from broker_api.gateway.lookups import Lookups
from broker_api.gateway.moves import Moves
from broker_api.gateway.publish import Publisher
from broker_api.gateway.tasks import Tasks
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Batch, Entry, Journal, JournalFull, digest_of

ANSWER_S: Final = 2.0
"""How long a caller waits for the outcome; later ones come as events."""

_FIRST_RETRY_S: Final = 0.1  # after "certainly not executed"
_LAST_RETRY_S: Final = 5.0


class _Running(NamedTuple):
    digest: bytes
    task: asyncio.Task[None]


class _Written(NamedTuple):
    entry: Entry
    is_wish: bool  # to be sent
    on_disk: asyncio.Future[None]


class Submitter:
    """Carries intents out.

    The steps, each on disk before the next: the journal knows the order as SENT; the broker gets it, once; what it
    answers is in the journal; then events and the answer go out. At most two commits are made per order, shared with
    whatever else happens in the same turn of the event loop.

    Parameters
    ----------
    online : asyncio.Event
        Set while journal and broker are reconciled: nothing is sent without it.
    release : callable
        Waits until the broker gave back what it may itself do for the trade that an order closes.
    """

    def __init__(
        self,
        config: AccountConfig,
        adapter: Adapter,
        book: Book,
        intake: Intake,
        moves: Moves,
        bookkeeper: Bookkeeper,
        lookups: Lookups,
        journal: Journal,
        publisher: Publisher,
        valuation: Valuation,
        budget: Budget,
        alerts: Alerts,
        clock: Clock,
        tasks: Tasks,
        online: asyncio.Event,
        release: Callable[[Order], Awaitable[None]],
    ) -> None:
        self._config = config
        self._adapter = adapter
        self._book = book
        self._intake = intake
        self._moves = moves
        self._bookkeeper = bookkeeper
        self._lookups = lookups
        self._journal = journal
        self._publisher = publisher
        self._valuation = valuation
        self._budget = budget
        self._alerts = alerts
        self._clock = clock
        self._tasks = tasks
        self._online = online
        self._release = release
        self._answers = Answers(book, journal)
        self._running: dict[str, _Running] = {}
        self._resumed: set[asyncio.Task[Any]] = set()
        self._sending: set[str] = set()
        self._decisions: dict[tuple[int, str], str] = {}

    async def submit(self, intent: Intent, timeout_s: float = ANSWER_S) -> tuple[Order, bool]:
        """Carry an intent out and wait for its outcome, for a while.

        May be repeated with the same intent: the answer is the same order, nothing is sent twice. A caller that is
        cancelled stops nothing.

        Returns
        -------
        Order
            As it is now; SENT or UNKNOWN when the broker has not answered yet.
        bool
            Whether the intent, or its decision, was known before.

        Raises
        ------
        Rejected
            Reason ``intent-id-reused`` (another intent had this id) or ``journal-full`` (could not be written down,
            was not sent).
        Retryable
            Nothing was sent yet, as the broker is away or the request budget is used up: ask again.
        """
        found = await self.answer(intent, timeout_s)
        return found.order, found.duplicate

    def answer(self, intent: Intent, timeout_s: float = ANSWER_S) -> asyncio.Future[OrderAnswer]:
        """Begin to carry an intent out and return its future answer; see `submit`, also for what is raised at once.

        Cancelling the future stops nothing.
        """
        digest = digest_of(intent)
        running = self._running_of(intent, digest)
        if running is not None:
            return self._answers.promise(*running, timeout_s, duplicate=True)
        known = self._book.known(intent, digest)
        if known is not None:
            return asyncio.ensure_future(self._answers.on_disk(known.order.client_id, timeout_s, duplicate=True))
        if intent.action == "open" and self._journal.is_full:
            raise JournalFull("the journal cannot be written: nothing opens until there is room")
        at_once = self._online.is_set() and self._budget.take_at_once()
        # Handed to the journal before there is a task: it is on disk when the task begins, a turn of the loop earlier.
        try:
            written = self._write_down(intent, digest) if at_once else None
        except Exception as error:  # boundary: as in the task, the memory may no longer be true after this
            self._tasks.fail(error)
            raise
        task = self._begin(intent, digest, written)
        return self._answers.promise(intent.client_id, task, timeout_s, duplicate=False)

    def begin(self, intent: Intent) -> asyncio.Task[None]:
        """Carry out an intent of the gateway's own; returns at once."""
        return self._begin(intent, digest_of(intent))

    def resume(self, entry: Entry) -> None:
        """Go on with an order that is journaled as certainly not sent, unless it is in hand or was found meanwhile."""
        client_id = entry.order.client_id
        if entry.order.state is OrderState.NEW and client_id not in self.in_hand:
            self._sending.add(client_id)  # now: before the task begins this may be called again
            task = self._tasks.spawn(self._send(entry))
            self._resumed.add(task)
            task.add_done_callback(self._resumed.discard)

    @property
    def in_hand(self) -> frozenset[str]:
        """Client ids of the orders that are being carried out: journaled, sent, or about to be."""
        return frozenset((*self._sending, *self._running))

    @property
    def busy(self) -> bool:
        """Whether intents are being carried out."""
        return bool(self._running or self._resumed)

    async def idle(self, timeout_s: float) -> None:
        """Wait until nothing is being carried out, for a time."""
        if tasks := self._under_way():
            await asyncio.wait(tasks, timeout=timeout_s)

    async def settle(self, timeout_s: float) -> None:
        """Wait until nothing is being carried out but what waits for an instrument to be quoted, for a time."""
        if tasks := self._under_way():
            await self._valuation.first_quotes.settle(tasks, timeout_s)

    def _under_way(self) -> list[asyncio.Task[Any]]:
        return [*self._resumed, *(running.task for running in self._running.values())]

    async def stop(self) -> None:
        """Give up what is being carried out; what is not finished stays in the journal as it is."""
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def highest_n(self, magic: int) -> int:
        """Return the highest worker counter among the intents that are being carried out; 0 when there is none.

        Those that wait for the broker or the request budget are not in the journal yet, but their numbers are taken.
        """
        running = (intent_id_of(client_id) for client_id in self._running)
        return max((found.n for found in running if found is not None and found.magic == magic), default=0)

    def _begin(self, intent: Intent, digest: bytes, written: _Written | None = None) -> asyncio.Task[None]:
        client_id = intent.client_id
        task = asyncio.get_running_loop().create_task(self._carry_out(intent, digest, written))
        self._running[client_id] = _Running(digest, task)
        if intent.decision is not None:
            self._decisions[intent.magic, intent.decision] = client_id
        task.add_done_callback(lambda done: self._ended(intent, done))
        return task

    def _running_of(self, intent: Intent, digest: bytes) -> tuple[str, asyncio.Task[None]] | None:
        client_id = intent.client_id
        running = self._running.get(client_id)
        if running is not None:
            if running.digest != digest:
                raise reused(intent)
            return client_id, running.task
        if intent.decision is None:
            return None
        other = self._decisions.get((intent.magic, intent.decision))
        return None if other is None else (other, self._running[other].task)

    def _ended(self, intent: Intent, task: asyncio.Task[None]) -> None:
        self._running.pop(intent.client_id, None)
        if intent.decision is not None:
            self._decisions.pop((intent.magic, intent.decision), None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, (Rejected, Retryable)):  # those are answers
            self._tasks.fail(error)

    async def _carry_out(self, intent: Intent, digest: bytes, written: _Written | None) -> None:
        if written is None:
            if not self._online.is_set():
                await self._online.wait()
            await self._budget.take(priority_of(intent))
            written = self._write_down(intent, digest)
        entry, is_wish, on_disk = written
        try:
            await on_disk
        except JournalFull as full:
            self._book.forget(entry)
            if intent.action == "open":
                raise
            raise Retryable(full.message, details=full.details) from full
        if is_wish:
            await self._send(entry)

    def _write_down(self, intent: Intent, digest: bytes) -> _Written:
        """Decide about an intent and hand its order to the journal."""
        reached("before-journal")
        entry = self._intake.take(intent, digest, self._bookkeeper.watermark)
        order = entry.order
        is_wish = order.state in (OrderState.SENT, OrderState.NEW)
        batch = Batch(self._book.account, ("open" if intent.action == "open" else "exit") if is_wish else "fact")
        body = batch.order(entry)
        self._book.add(entry)
        if order.state is OrderState.DONE:
            self._bookkeeper.carry_out(intent, batch)
        self._publisher.note_order(order, body)
        return _Written(entry, is_wish, self._journal.commit(batch))

    async def _send(self, entry: Entry) -> None:
        """Send until it is certain that the broker may have it; only what was certainly not executed is sent again."""
        client_id = entry.order.client_id
        self._sending.add(client_id)
        try:
            await self._send_until_certain(entry)
        finally:
            self._sending.discard(client_id)

    async def _send_until_certain(self, entry: Entry) -> None:
        delay_s = _FIRST_RETRY_S
        while True:
            if entry.order.state is OrderState.NEW and not await self._again(entry):
                return
            if entry.order.state is not OrderState.SENT:  # meanwhile the broker told of it: it has the order
                return
            reached("after-journal-before-send")
            if await self._attempt(entry):
                await self._journal.settle()
                if not _is_new(entry):  # else a look-up proved meanwhile that it was never there
                    return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LAST_RETRY_S)

    async def _attempt(self, entry: Entry) -> bool:
        """Send once; False when the broker certainly did not execute it (the order is NEW again)."""
        try:
            async with asyncio.timeout(self._config.order_timeout):
                reports = await self._ask_broker(entry.order)
        except Rejected as refusal:
            self._move(entry, OrderState.REJECTED, str(refusal.details.get("reason", refusal.message)))
            return True
        except DeadlineExceeded as error:
            self._lookups.start(entry, str(error))
            return True
        except Retryable as error:
            self._alerts.count("not-executed")
            return not self._move(entry, OrderState.NEW, error.message)
        except (UnknownOutcome, TimeoutError) as error:
            self._lookups.start(entry, str(error) or "no answer in time")
            return True
        except Exception as error:  # boundary: whatever an adapter raises, the broker may have it
            self._alerts.log.error("adapter-failed", client_id=entry.order.client_id, exc_info=error)
            self._lookups.start(entry, f"{type(error).__name__}: {error}")
            return True
        reached("after-send-before-answer")
        self._bookkeeper.apply(reports)
        if entry.order.state in IN_FLIGHT:
            self._lookups.start(entry, "the broker's answer did not say what became of it")
        return True

    def _ask_broker(self, order: Order) -> Coroutine[Any, Any, Sequence[AnyReport]]:
        intent = order.intent
        instrument, capabilities = self._valuation.instruments[intent.instrument], self._adapter.capabilities
        if intent.action == "open":
            return self._adapter.submit(translate.open_order(order, instrument, capabilities))
        if intent.action == "cancel":
            return self._adapter.cancel(order.client_id, intent.order_id or "")
        trade = self._book.ledger.trade(intent.trade_id or "")
        if intent.action == "modify":
            ticket = None if trade is None else trade.broker_trade_id
            return self._adapter.modify(translate.modification(order, instrument, capabilities, ticket))
        if trade is None:
            raise Rejected("the trade is closed", details={"reason": "trade-closed"})
        if capabilities.hedging and trade.broker_trade_id is None:
            # Without its ticket the order would open the opposite; reconciliation finds the ticket.
            raise Rejected("the trade's ticket at the broker is not known", details={"reason": "no-ticket"})
        return self._adapter.submit(translate.close_order(order, trade, capabilities))

    async def _again(self, entry: Entry) -> bool:
        """Decide whether an order that was certainly not executed is sent again, and journal the answer.

        While this waits the broker may tell that it has the order after all; then it is not sent.
        """
        await self._online.wait()
        if self._adapter.capabilities.price_driven and entry.order.intent.action in ("open", "close"):
            # After a start there is no market before the first quote.
            await self._valuation.first_quote(entry.order.intent.instrument)
        await self._release(entry.order)
        if entry.order.state is OrderState.NEW:
            await self._budget.take(priority_of(entry.order.intent))
        if entry.order.state is not OrderState.NEW:
            return False
        objection = self._objection(entry.order)
        if objection is None:
            if not self._move(entry, OrderState.SENT, "", **self._fitting(entry.order)):
                return False
            await self._journal.settle()  # with a full disk this takes long: what opens may be too late then
            objection = self._objection(entry.order) if entry.order.intent.action == "open" else None
        if objection is not None:
            self._move(entry, OrderState.CANCELLED, f"not sent: {objection}")
            await self._journal.settle()
        return objection is None

    def _fitting(self, order: Order) -> dict[str, Decimal]:
        """Size a close again: its trade may have shrunk, and on a net position the excess would open the opposite."""
        intent = order.intent
        trade = self._book.ledger.trade(intent.trade_id or "") if intent.action == "close" else None
        if trade is None or order.units is None:
            return {}
        return {"units": min(order.units, trade.units - self._book.closing_units(trade.trade_id, but=order.client_id))}

    def _objection(self, order: Order) -> str | None:
        if self._journal.is_full and order.intent.action == "open":
            return "journal-full"
        return self._intake.objection(order)

    def _move(self, entry: Entry, state: OrderState, reason: str, **update: Decimal) -> bool:
        batch = Batch(self._book.account)
        moved = self._moves.move(entry, state, batch, reason=reason, **update)
        if moved:
            self._journal.stage(batch)
        return moved


def _is_new(entry: Entry) -> bool:
    return entry.order.state is OrderState.NEW


def priority_of(intent: Intent) -> Priority:
    """Return how early an intent goes in the request budget: what reduces risk goes first."""
    if intent.action == "cancel":
        return Priority.CANCEL
    return Priority.OPEN if intent.action == "open" else Priority.EXIT
