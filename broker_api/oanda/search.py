"""Looking an order up at OANDA by our id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from atrader.errors import Rejected
from broker_api.adapter import AnyReport, FillReport, OrderReport
from broker_api.gateway.budget import Budget, Priority
from broker_api.oanda.codec import Fields
from broker_api.oanda.log import TransactionLog
from broker_api.oanda.rest import OandaRest
from broker_api.oanda.translate import Translator

_NOT_FOUND: Final = 404


class Search:
    """Finds what became of a client id; the first request of a look-up is paid by the core.

    Parameters
    ----------
    rest : OandaRest
        Of the account.
    log : TransactionLog
        Of the account.
    translator : Translator
        Makes reports of transactions.
    budget : Budget
        Pays what is asked beyond the first request.
    """

    def __init__(self, rest: OandaRest, log: TransactionLog, translator: Translator, budget: Budget) -> None:
        self._rest = rest
        self._log = log
        self._translator = translator
        self._budget = budget

    async def find(self, client_id: str, watermark: int) -> list[AnyReport] | None:
        """Return the reports of a client id after a watermark; None when there are none yet.

        What is open is asked for by name, the log gives the rest; each may be behind the other for a moment. Without a
        watermark only what is open is asked for first: the log may be years long.
        """
        if watermark > 0 and (found := await self._in_log(client_id, watermark)):
            return found
        found = await self._among_open(client_id, watermark)
        if not found and watermark <= 0:
            found = await self._in_log(client_id, watermark)
        return found or None

    async def _in_log(self, client_id: str, watermark: int) -> list[AnyReport]:
        found: list[AnyReport] = []
        async for page in self._log.pages(watermark):
            found += _about(client_id, self._translator.all_of(page))
        return found

    async def _among_open(self, client_id: str, watermark: int) -> list[AnyReport]:
        found: list[AnyReport] = []
        for kind in ("order", "trade"):
            held = await self._get(f"/{kind}s/@{client_id}", kind)
            # The id of an order or trade is that of the transaction that made it.
            if held is not None and held.number("id") > watermark:
                made = await self._log.one(held.text("id"))
                found += _about(client_id, self._translator.all_of([made]))
        return found

    async def _get(self, path: str, kind: str) -> Fields | None:
        await self._budget.take(Priority.QUERY)
        try:
            return Fields(await self._rest.get(path)).within(kind)
        except Rejected as error:
            if error.details.get("status") == _NOT_FOUND:
                return None
            raise


def _about(client_id: str, reports: Iterable[AnyReport]) -> list[AnyReport]:
    return [
        report for report in reports if isinstance(report, OrderReport | FillReport) and report.client_id == client_id
    ]
