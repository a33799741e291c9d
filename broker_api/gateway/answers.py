"""What the caller of `submit` is told, and when: the order as the journal has it, once there is something to tell."""

from __future__ import annotations

import asyncio

from atrader.errors import Retryable
from atrader.messages.gateway import OrderAnswer
from broker_api.gateway.book import Book
from broker_api.journal import Journal


class Answers:
    """Makes answers out of orders that are being carried out, and of those that are known.

    Parameters
    ----------
    book : Book
        Where the orders are.
    journal : Journal
        Nothing is told before it is on its disk.
    """

    def __init__(self, book: Book, journal: Journal) -> None:
        self._book = book
        self._journal = journal

    def promise(
        self, client_id: str, work: asyncio.Task[None], timeout_s: float, *, duplicate: bool
    ) -> asyncio.Future[OrderAnswer]:
        """Return the future answer: when the work has ended, or as things are when the time is over.

        A future with callbacks and no task that waits for a task, which would cost each order two turns of the loop.
        Cancelling it stops nothing. It fails as the work does, else as `on_disk` does.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[OrderAnswer] = loop.create_future()

        def tell(ended: asyncio.Task[None] | None = None) -> None:
            timer.cancel()
            error = None if ended is None or ended.cancelled() else ended.exception()
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            elif self._journal.waiting or self._book.entry(client_id) is None:
                late = asyncio.ensure_future(self.on_disk(client_id, timeout_s, duplicate=duplicate))
                late.add_done_callback(lambda done: _hand_on(done, answer))
            else:
                answer.set_result(self._answer_of(client_id, duplicate=duplicate))

        timer = loop.call_later(timeout_s, tell)
        work.add_done_callback(tell)
        return answer

    async def on_disk(self, client_id: str, timeout_s: float, *, duplicate: bool) -> OrderAnswer:
        """Return an order as the journal has it: memory is ahead of it for a moment, or while the disk is full.

        Raises
        ------
        Retryable
            When the journal cannot be written for this long, or nothing was sent yet.
        """
        if self._journal.waiting:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._journal.settle()
            except TimeoutError as error:
                raise Retryable("the journal cannot be written at present: ask again") from error
        return self._answer_of(client_id, duplicate=duplicate)

    def _answer_of(self, client_id: str, *, duplicate: bool) -> OrderAnswer:
        entry = self._book.entry(client_id)
        if entry is None:
            raise Retryable("nothing was sent yet: the broker is away or the request budget is used up; ask again")
        return OrderAnswer.model_construct(order=entry.order, duplicate=duplicate)


def _hand_on(done: asyncio.Future[OrderAnswer], answer: asyncio.Future[OrderAnswer]) -> None:
    """Give one future's outcome to another, unless nobody waits for it any more."""
    if done.cancelled():
        answer.cancel()
        return
    error = done.exception()
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())
