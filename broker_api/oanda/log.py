"""The broker's log of transactions: everything after an id, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from atrader.errors import Retryable
from broker_api.gateway.budget import Budget, Priority
from broker_api.oanda.codec import Fields
from broker_api.oanda.rest import OandaRest

_MOST_PAGES: Final = 10_000
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 1.0, 2.0)


class TransactionLog:
    """Asks for transactions. The log may be some time behind what was answered or streamed.

    Parameters
    ----------
    rest : OandaRest
        Of the account.
    budget : Budget
        Each page takes one request of it.
    """

    def __init__(self, rest: OandaRest, budget: Budget) -> None:
        self._rest = rest
        self._budget = budget

    async def since(self, transaction_id: int, up_to: int = 0) -> list[Fields]:
        """Return every transaction after an id, oldest first, each once.

        Parameters
        ----------
        up_to : int
            An id that the broker told of elsewhere; the log is asked until it has come to it.

        Raises
        ------
        StoreError
            The broker does not know the id (any more).
        Retryable
            No answer, or the log did not come to `up_to`.
        """
        return [item async for page in self.pages_up_to(transaction_id, up_to) for item in page]

    async def pages_up_to(self, transaction_id: int, up_to: int) -> AsyncIterator[list[Fields]]:
        """Yield the transactions after an id in pages, until one that was told elsewhere is among them; see `since`."""
        for pause_s in (*_PAUSES_S, None):
            async for page in self.pages(transaction_id):
                if page:
                    transaction_id = page[-1].number("id")
                    yield page
            if transaction_id >= up_to:
                return
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        raise Retryable(f"OANDA told of transaction {up_to}, and its log ends at {transaction_id}")

    async def pages(self, transaction_id: int) -> AsyncIterator[list[Fields]]:
        """Yield the transactions after an id in pages, as `since` does; at least one page, which may be empty."""
        for _ in range(_MOST_PAGES):
            await self._budget.take(Priority.QUERY)
            body = Fields(await self._rest.get("/transactions/sinceid", {"id": transaction_id}))
            found = {item.number("id"): item for item in body.each("transactions")}
            page = [found[number] for number in sorted(found) if number > transaction_id]
            yield page
            if not page:
                return
            transaction_id = page[-1].number("id")
            if transaction_id >= body.number("lastTransactionID"):
                return

    async def one(self, transaction_id: str) -> Fields:
        """Return one transaction; Rejected when the broker does not know it."""
        await self._budget.take(Priority.QUERY)
        return Fields(await self._rest.get(f"/transactions/{transaction_id}")).within("transaction")
